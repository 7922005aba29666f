//! A port: accepts connections as long as there is room for them, and serves their requests.
//!
//! Nobody can hold a place by being slow: who does not send the head of a request in time, or takes nothing of an answer,
//! is disconnected, and one address has only its share of the places (unless it is a proxy that many come through).

use crate::limits::address::{Household, Networks};
use crate::limits::connections::Connections;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After an error that is not one connection's (no descriptors left, say): accepting is tried again so much later.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes of a request's head at most, and about so much of an answer that waits for its reader, beside what is whole
/// already.
const HEAD: usize = 64 << 10;

/// Who takes nothing of what is sent for so long is disconnected.
pub const UNREAD: Duration = Duration::from_mins(1);

/// What a port allows.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections that HTTP is spoken on, of all and of one address; more are closed at once. A WebSocket does not
    /// count here any more.
    pub connections: Connections,
    /// Addresses without a share of their own.
    pub proxies: Networks,
    /// Within which the head of a request must have come, and the next one on a connection that is kept.
    pub header_timeout: Duration,
    /// See [`UNREAD`].
    pub unread_timeout: Duration,
}

/// Opens a port on all addresses; port 0 is any free one.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    // An IPv6 socket takes IPv4 as well, where there is IPv6.
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

/// Serves until `no_more` is cancelled; then answers what is being asked, and returns.
pub async fn serve(listener: TcpListener, router: Router, config: Config, no_more: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = no_more.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => accept(stream, peer, &router, &config, &no_more, &tasks),
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("no connection can be accepted at the moment: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn accept(
    stream: TcpStream,
    peer: SocketAddr,
    router: &Router,
    config: &Config,
    no_more: &CancellationToken,
    tasks: &TaskTracker,
) {
    let address = peer.ip().to_canonical();
    let household = (!config.proxies.contains(address)).then(|| Household::of(address));
    let Ok(admission) = config.connections.admit(household) else {
        // Closing at once costs little; an answer would be one more thing that a flood could ask for.
        tracing::debug!(%address, "a connection was closed: there are too many");
        return;
    };
    // Small messages go out at once instead of waiting for more to fill a packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("a connection keeps its delay: {error}");
    }
    // Otherwise an answer to somebody who does not read would stay in memory for as long as they like.
    let unread = u32::try_from(config.unread_timeout.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, unread) {
        tracing::debug!("a connection may stay unread: {error}");
    }
    let inner = TowerToHyperService::new(router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        // Behind a proxy this is the proxy: see `visitor`.
        request.extensions_mut().insert(ConnectInfo(peer));
        inner.call(request)
    });
    let (header_timeout, no_more) = (config.header_timeout, no_more.clone());
    tasks.spawn(async move {
        let mut builder = Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(HEAD);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = no_more.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, "a connection ended: {error}");
        }
        drop(admission);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(10);

    struct Bench {
        address: SocketAddr,
        no_more: CancellationToken,
        serving: JoinHandle<()>,
    }

    async fn bench(connections: Connections, proxies: &str, header_timeout: Duration) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|peer: ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
            // More than the buffers of both systems take.
            .route("/large", get(async || vec![7_u8; 64 << 20]));
        let proxies = Networks::parse(proxies).unwrap();
        let no_more = CancellationToken::new();
        let unread_timeout = Duration::from_secs(1);
        let config = Config { connections, proxies, header_timeout, unread_timeout };
        let serving = tokio::spawn(serve(listener, router, config, no_more.clone()));
        Bench { address, no_more, serving }
    }

    /// What a connection still says until it is closed.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        // A reset is as good as an end.
        let _ = timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap();
        text
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut bytes = [0; 1024];
        let length = timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[tokio::test]
    async fn who_is_slow_is_disconnected_and_others_are_served() {
        let bench = bench(Connections::new(9, 9), "none", Duration::from_millis(300)).await;
        let mut silent = TcpStream::connect(bench.address).await.unwrap();
        let mut slow = TcpStream::connect(bench.address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        let mut kept = TcpStream::connect(bench.address).await.unwrap();
        let answer = ask(&mut kept).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        assert_eq!(rest(&mut silent).await, "");
        let told = rest(&mut slow).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
        assert_eq!(rest(&mut kept).await, "", "a connection that is kept for nothing ends too");
    }

    #[tokio::test]
    async fn who_does_not_read_an_answer_is_disconnected() {
        let connections = Connections::new(9, 9);
        let bench = bench(connections.clone(), "none", PATIENCE).await;
        let mut deaf = TcpStream::connect(bench.address).await.unwrap();
        deaf.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 1];
        timeout(PATIENCE, deaf.read_exact(&mut first)).await.unwrap().unwrap();
        assert_eq!(connections.len(), 1);
        // The system looks again after longer and longer times.
        let ended = timeout(3 * PATIENCE, async {
            while !connections.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(ended.await.is_ok(), "it is still served");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let bench = bench(Connections::new(9, 9), "none", PATIENCE).await;
        for (bytes, status) in [(HEAD / 2, "200"), (2 * HEAD, "431")] {
            let mut stream = TcpStream::connect(bench.address).await.unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(bytes));
            // What is refused may be cut off while it is still being sent.
            let _ = stream.write_all(head.as_bytes()).await;
            let mut answer = [0; 12];
            timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
            assert_eq!(&answer[9..], status.as_bytes(), "{bytes}");
        }
    }

    #[tokio::test]
    async fn more_connections_than_allowed_are_closed_at_once() {
        for (proxies, site, address, admitted) in
            [("none", 9, 2, 2), ("127.0.0.0/8", 9, 2, 4), ("127.0.0.0/8", 3, 9, 3)]
        {
            let connections = Connections::new(site, address);
            let bench = bench(connections.clone(), proxies, PATIENCE).await;
            let mut held = Vec::new();
            for n in 0..4 {
                let mut stream = TcpStream::connect(bench.address).await.unwrap();
                if n < admitted {
                    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"), "{proxies} {n}");
                    held.push(stream);
                } else {
                    assert_eq!(rest(&mut stream).await, "", "{proxies} {n}");
                }
            }
            assert_eq!(connections.len(), admitted);
        }
    }

    #[tokio::test]
    async fn a_stop_closes_the_port_and_what_is_idle() {
        let bench = bench(Connections::new(9, 9), "none", PATIENCE).await;
        let mut idle = TcpStream::connect(bench.address).await.unwrap();
        assert!(ask(&mut idle).await.starts_with("HTTP/1.1 200"));
        bench.no_more.cancel();
        timeout(PATIENCE, bench.serving).await.unwrap().unwrap();
        assert_eq!(rest(&mut idle).await, "");
        assert!(TcpStream::connect(bench.address).await.is_err());
    }
}
