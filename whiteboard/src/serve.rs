//! Putting the server together, and taking it apart again.

mod watch;

use crate::accounts::Accounts;
use crate::board::canvas::Canvas;
use crate::board::classroom::{Classroom, Event};
use crate::http::admin::Admin;
use crate::http::health::Health;
use crate::http::listener::{self, Config};
use crate::http::{self, Public, boards};
use crate::limits::address::Networks;
use crate::limits::connections::Connections;
use crate::limits::space::Space;
use crate::limits::{Gate, Memory, files};
use crate::metrics::Metrics;
use crate::protocol::classroom;
use crate::protocol::collabcanvas::{self, socket::Collab};
use crate::protocol::engineio::registry::Registry;
use crate::protocol::engineio::session::Common;
use crate::protocol::native::live::Live;
use crate::room::{Ground, Hub, Shared};
use crate::settings::Settings;
use crate::settings::boards::BoardList;
use crate::shutdown::StopSignals;
use crate::store::files::{FileLimits, Uploads};
use crate::store::maintenance::Maintenance;
use crate::store::{DataLock, Store, StoreError, disk};
use crate::websocket;
use axum::Router;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// For how long clients are told that the server stops. With what follows, all is done within ten seconds.
const TELLING: Duration = Duration::from_secs(6);

/// For how long boards may finish, and then requests that are still being answered.
const FINISHING: Duration = Duration::from_secs(2);
const ANSWERING: Duration = Duration::from_secs(1);

/// Connections beyond those of clients: pages, health checks, requests of the API.
const HTTP_SPARE: usize = 512;

/// Connections to the admin port.
const ADMIN_CONNECTIONS: usize = 64;

/// Why the server could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Setting(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Port {port} cannot be opened: {source}. Is another server running? Choose another port.")]
    Port { port: u16, source: io::Error },
    #[error("The server cannot run: {0}.")]
    System(#[from] io::Error),
    #[error("{0} The server ends, so that it starts again from what is on disk.")]
    Fatal(String),
}

/// Serves until a signal asks it to stop.
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    let start = Instant::now();
    let mut signals = StopSignals::listen()?;
    let origins = settings.origins().map_err(ServeError::Setting)?;
    settings.limits.check().map_err(ServeError::Setting)?;
    let (gate, port, admin_port) = ports(&settings)?;
    let memory = Memory::of_system();
    bound_memory(memory, settings.limits.send_memory);
    let lock = tokio::select! {
        lock = take_lock(&settings) => lock?,
        signal = signals.next() => {
            tracing::info!("{signal}: the server stops before it started");
            return Ok(());
        }
    };
    let leftovers = disk::remove_leftovers(lock.directory())
        .map_err(|source| StoreError::Directory { path: settings.data.clone(), source })?;
    if leftovers > 0 {
        tracing::info!("removed {leftovers} temporary files of a process that was killed");
    }

    let metrics = Arc::new(Metrics::default());
    let (fatal, failed) = oneshot::channel();
    let committed = metrics.clone();
    let store = Store::open(
        &settings.data,
        move |sentence| {
            // Nobody is left to hear it when the server is already ending.
            let _ = fatal.send(sentence);
        },
        move |commit| committed.committed(commit),
    )?;
    let boards = store.reader.boards()?;
    let health = Arc::new(Health::new(store.reader.clone()));
    let space = Arc::new(Space::new(settings.limits.marks()));
    watch::look_at_disk(&space, &settings.data);
    watch::begin_month(&metrics, &store, settings.limits.egress_limit_bytes)?;
    let undo_events = settings.undo_events;
    let ground = Ground {
        store: store.clone(),
        timing: settings.room_timing(),
        limits: settings.limits.board(),
        epoch: store.reader.epoch()?.into(),
        space: space.clone(),
        metrics: metrics.clone(),
    };
    let native = Arc::new(Live::new(&ground, settings.limits.native_rate(), settings.native_timing()));
    let encoder = Arc::new(move |event: &Event| classroom::encode(event, undo_events));
    let registrations = settings.limits.registrations_per_address;
    let accounts = Arc::new(Accounts::new(store.clone(), space.clone(), settings.session_timeout, registrations));
    let canvases =
        Hub::new(Shared::<Canvas> { ground: ground.clone(), encoder: Arc::new(collabcanvas::encode::frame) });
    let hub = Hub::new(Shared::<Classroom> { ground, encoder });
    let origins = Arc::new(origins);
    let collab = Arc::new(Collab {
        rate: settings.limits.canvas_message_rate,
        ping_interval: settings.ping_interval,
        ping_timeout: settings.ping_timeout,
        ..Collab::new(canvases.clone(), accounts)
    });
    let rate = settings.limits.classroom_rate();
    let common = Common { hub: hub.clone(), timing: settings.transport_timing(), rate, metrics: metrics.clone() };
    let registry = Arc::new(Registry::new(common));
    let (uploads, kept) = (Uploads::default(), settings.limits.board());
    let rooms = boards::live::Live { boards: native.hub.clone(), classrooms: hub.clone(), canvases: canvases.clone() };
    let boards_api = boards::Api {
        store: store.clone(),
        rooms: Arc::new(rooms),
        uploads: uploads.clone(),
        limits: kept,
        files: FileLimits { file: kept.file_bytes, board: kept.files_bytes },
        marks: settings.limits.marks(),
        data: settings.data.clone(),
        token_file: settings.admin_token_file.clone(),
        public_list: settings.boards.board_list == BoardList::Public,
        origins: origins.clone(),
        turns: boards::turns::Turns::new(native.heavy.clone(), memory.imports(), memory.answers()),
        gate: gate.clone(),
    };
    let maintenance = Maintenance::start(store.clone(), uploads, settings.boards.retention())?;
    let public = http::public(Public {
        registry: registry.clone(),
        live: native.clone(),
        collabcanvas: http::collabcanvas::Site {
            collab: collab.clone(),
            reader: store.reader.clone(),
            health: health.clone(),
            origins: origins.clone(),
            gate: gate.clone(),
            metrics: metrics.clone(),
        },
        health: health.clone(),
        origins,
        https_redirect: settings.https_redirect,
        frame_ancestors: settings.frame_ancestors.clone(),
        boards: boards_api,
        gate,
        metrics: metrics.clone(),
    });
    let statistics = tokio::spawn(watch::tell_statistics(metrics.clone(), store.clone()));
    let disk = tokio::spawn(watch::watch_disk(space.clone(), settings.data.clone()));
    let admin = http::admin(Admin {
        metrics: metrics.clone(),
        space,
        start,
        reader: store.reader.clone(),
        health: health.clone(),
        data: settings.data.clone(),
        token_file: settings.admin_token_file.clone(),
        copying: Arc::new(Semaphore::new(1)),
    });

    let (no_more_clients, no_more) = (CancellationToken::new(), CancellationToken::new());
    let (public_address, public) = listen(settings.port, public, port, &no_more_clients).await?;
    let (admin_address, admin) = listen(settings.admin_port, admin, admin_port, &no_more).await?;
    tracing::info!(
        address = %public_address,
        admin = %admin_address,
        data = %settings.data.display(),
        boards,
        ms = start.elapsed().as_millis(),
        version = env!("CARGO_PKG_VERSION"),
        "whiteboard is serving"
    );

    tokio::select! {
        signal = signals.next() => tracing::info!("{signal}: the server stops"),
        Ok(sentence) = failed => return Err(ServeError::Fatal(sentence)),
    }
    let stopping = Instant::now();
    statistics.abort();
    disk.abort();
    health.stop();
    no_more_clients.cancel();
    let told = tokio::join!(registry.shutdown(TELLING), native.shutdown(TELLING), collab.shutdown(TELLING));
    if told != (true, true, true) {
        tracing::warn!("some clients did not say goodbye in time");
    }
    let finishing = async { tokio::join!(hub.shutdown(), native.hub.shutdown(), canvases.shutdown()) };
    if tokio::time::timeout(FINISHING, finishing).await.is_err() {
        tracing::warn!("some boards did not leave memory in time; what was acknowledged is on disk");
    }
    watch::keep_month(&metrics, &store).await;
    store.writer.close().await;
    // Without a writer it ends by itself, once it has read what it is just reading.
    let _ = tokio::time::timeout(ANSWERING, tokio::task::spawn_blocking(move || drop(maintenance))).await;
    // Until here the admin port tells that the server is not ready, and why.
    no_more.cancel();
    let _ = tokio::time::timeout(ANSWERING, async { tokio::join!(public, admin) }).await;
    drop(lock);
    tracing::info!(ms = stopping.elapsed().as_millis(), "the server has stopped");
    Ok(())
}

/// Bounds what all clients together can make grow. `sending`: what SEND_MEMORY says.
fn bound_memory(memory: Memory, sending: Option<usize>) {
    let allowed = sending.unwrap_or_else(|| memory.sending());
    if let Some(bytes) = memory.bytes().filter(|bytes| allowed as u64 > bytes / 4) {
        tracing::warn!(
            allowed,
            memory = bytes,
            "what waits for clients has more than a quarter of the memory that the server may use: lower SEND_MEMORY, or \
             give the server more memory"
        );
    }
    tracing::debug!(memory = memory.bytes(), allowed, "what waits for clients is bounded");
    websocket::allow(allowed);
    websocket::allow_unfinished(memory.receiving());
}

async fn take_lock(settings: &Settings) -> Result<DataLock, ServeError> {
    let (data, wait) = (settings.data.clone(), settings.lock_wait);
    let taking = tokio::task::spawn_blocking(move || {
        DataLock::take(&data, wait, || {
            tracing::warn!("another whiteboard process uses {}: waiting {wait:?} at most", data.display());
        })
    });
    Ok(taking.await.map_err(io::Error::other)??)
}

/// The gate for clients, and what the public and the admin port allow, as far as the system lets so many files be open.
fn ports(settings: &Settings) -> Result<(Gate, Config, Config), ServeError> {
    let limits = &settings.limits;
    let proxies = settings.trusted_proxies().map_err(ServeError::Setting)?;
    let files = files::raise();
    let wished = limits.max_connections;
    // A client that polls has a request that waits, and another one while it draws.
    let sockets = files::affordable(wished.saturating_mul(3).saturating_add(HTTP_SPARE), files);
    let connections = wished.min(sockets / 2);
    if connections < wished {
        tracing::warn!(
            connections,
            files,
            "the system's limit of open files allows fewer connections than MAX_CONNECTIONS: raise it (ulimit -n)"
        );
    }
    let address = limits.max_connections_per_address;
    let gate = Gate::new(proxies.clone(), Connections::new(connections, address));
    let header_timeout = limits.header_timeout;
    // A browser opens up to six connections for its pages, and all of a school come when the bell rings.
    let http = Connections::new(sockets - connections, address.saturating_mul(4));
    let unread_timeout = listener::UNREAD;
    let public = Config { connections: http, proxies, header_timeout, unread_timeout };
    let connections = Connections::new(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS);
    Ok((gate, public, Config { connections, proxies: Networks::default(), header_timeout, unread_timeout }))
}

/// Opens a port on all addresses and serves it until `no_more` is cancelled.
async fn listen(
    port: u16,
    router: Router,
    config: Config,
    no_more: &CancellationToken,
) -> Result<(SocketAddr, JoinHandle<()>), ServeError> {
    let listener = listener::bind(port).await.map_err(|source| ServeError::Port { port, source })?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(listener::serve(listener, router, config, no_more.clone()))))
}
