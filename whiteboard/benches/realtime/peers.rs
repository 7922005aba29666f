//! Servers to compare with: Node's socket.io with excalidraw-room's protocol, and a bare broadcast.

use crate::cores::Cores;
use crate::process::Server;
use futures_util::{SinkExt, StreamExt};
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;

/// The argument with which this program is the bare broadcast itself.
pub const BARE: &str = "--be-a-bare-broadcast";

/// Starts the bare broadcast: this very program in another process.
pub fn bare(cores: &Cores) -> Result<Server, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(BARE);
    Server::other(cores, command)
}

/// Serves a broadcast over tokio-tungstenite, as one writes it first: a channel, a task a client, a send a message.
pub fn be_bare() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("port {}", listener.local_addr()?.port());
        let (everybody, _) = broadcast::channel::<(u64, Message)>(65_536);
        let everybody = Arc::new(everybody);
        for number in 0.. {
            let (stream, _) = listener.accept().await?;
            let everybody = everybody.clone();
            tokio::spawn(async move {
                // A client that went away ends its task.
                let _ = serve(stream, number, &everybody).await;
            });
        }
        Ok(())
    })
}

async fn serve(
    stream: TcpStream,
    number: u64,
    everybody: &broadcast::Sender<(u64, Message)>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let mut others = everybody.subscribe();
    socket.send(Message::text("welcome")).await?;
    loop {
        tokio::select! {
            message = others.recv() => match message {
                Ok((from, message)) if from != number => socket.send(message).await?,
                // Whoever is too slow misses messages.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(error) => return Err(error.into()),
            },
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    let _ = everybody.send((number, message));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
        }
    }
}

/// Starts Node's server; none, with a reason, where there is no Node or its packages cannot be had.
pub fn node(cores: &Cores) -> Result<Server, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    if !directory.join("node_modules/socket.io").exists() {
        let install = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&directory)
            .stdout(Stdio::null())
            .status()
            .map_err(|error| format!("npm cannot be run: {error}"))?;
        if !install.success() {
            return Err("npm could not install socket.io".to_owned());
        }
    }
    let mut command = Command::new("node");
    command.arg(directory.join("excalidraw-room.mjs"));
    Server::other(cores, command).map_err(|error| error.to_string())
}
