//! A fresh etcd and API server on loopback, without nodes: for tests of the resource and of controllers that
//! need no pods. Ready in about five seconds, gone when dropped.
//!
//! Nothing but the API server runs: no controller deletes namespaces' contents, collects garbage or starts pods.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tempfile::TempDir;

use crate::audit::{self, Write};
use crate::cache::Cache;
use crate::components::{Component, KUBE, OLDEST_API_SERVER, link_in};
use crate::process::bound_to_us;

/// A start that takes longer has failed. Seen: 5 s, and 12 s with both cores busy compiling.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which Kubernetes the API server is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The one that the cluster runs.
    Newest,
    /// The oldest that the chart claims.
    Oldest,
}

/// Why no API server came up; the message says what to do or what was seen.
#[derive(Debug, thiserror::Error)]
pub enum ApiServerError {
    /// Its program was not built yet.
    #[error("{name} is not built yet: run `e2e/harness build {name}` (or `e2e/test apiserver`, which does it).")]
    NotBuilt { name: &'static str },
    /// It ended, or did not answer in time.
    #[error("The API server did not become ready: {reason}. Its logs are in {folder}.")]
    NotReady { reason: String, folder: PathBuf },
    /// The client library refused.
    #[error("{action}: {source}")]
    Client { action: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    /// Files, ports, processes.
    #[error("{action}: {source}")]
    Io { action: &'static str, source: std::io::Error },
    /// Finding the cache or the compiler.
    #[error("{0:#}")]
    Harness(anyhow::Error),
}

fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> ApiServerError {
    move |source| ApiServerError::Io { action, source }
}

fn client_failed<E: std::error::Error + Send + Sync + 'static>(
    action: &'static str,
) -> impl FnOnce(E) -> ApiServerError {
    move |source| ApiServerError::Client { action, source: Box::new(source) }
}

/// A running pair of etcd and API server. Dropping it ends both and deletes their data; when the test that holds
/// it is failing, data and logs stay and their place is printed.
pub struct ApiServer {
    folder: Option<TempDir>,
    children: Vec<Child>,
    kubeconfig: PathBuf,
    client: Client,
}

impl ApiServer {
    /// Starts a fresh pair and waits until it is ready.
    pub async fn start(release: Release) -> Result<Self, ApiServerError> {
        let cache = Cache::locate().map_err(|error| ApiServerError::Harness(error.into()))?;
        let kube = built(&KUBE, &cache)?;
        let server = match release {
            Release::Newest => kube.clone(),
            Release::Oldest => built(&OLDEST_API_SERVER, &cache)?,
        };
        let folder = tempfile::Builder::new().prefix("apiserver-").tempdir().map_err(io("making a folder"))?;
        // The program looks at the name it is called by.
        let etcd = link_in(folder.path(), &kube, "etcd").map_err(ApiServerError::Harness)?;
        let server = link_in(folder.path(), &server, "kube-apiserver").map_err(ApiServerError::Harness)?;
        start(folder, &etcd, &server).await
    }

    /// A client with every right (group `system:masters`).
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client that is somebody else: for tests of RBAC and of who wrote what.
    pub async fn client_as(&self, user: &str) -> Result<Client, ApiServerError> {
        let mut config = config(&self.kubeconfig).await?;
        config.auth_info.impersonate = Some(user.to_owned());
        Client::try_from(config).map_err(client_failed("making a client"))
    }

    /// For programs that read a kubeconfig: `kubectl`, `helm`, the operator itself.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Every write that the API server has answered so far, in order.
    pub fn writes(&self) -> Result<Vec<Write>, ApiServerError> {
        let path = self.path("audit.log");
        let log = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(io("reading the audit log"))?,
        };
        audit::writes(&log).map_err(client_failed("reading the audit log"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.kubeconfig.with_file_name(name)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // The API server first: without etcd it would fill its log with complaints.
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("The logs and data of the API server are kept in {}.", folder.keep().display());
        }
    }
}

fn built(component: &'static Component, cache: &Cache) -> Result<PathBuf, ApiServerError> {
    let path = component.path(cache).map_err(ApiServerError::Harness)?;
    if path.exists() { Ok(path) } else { Err(ApiServerError::NotBuilt { name: component.name }) }
}

async fn start(folder: TempDir, etcd: &Path, server: &Path) -> Result<ApiServer, ApiServerError> {
    let place = folder.path().to_owned();
    let ports = free_ports::<3>().map_err(io("finding free ports"))?;
    let [client_port, peer_port, server_port] = ports;
    let identity = Identity::new().map_err(client_failed("making certificates"))?;
    let kubeconfig = place.join("kubeconfig");
    for (name, text) in [
        ("server.crt", identity.certificate.as_str()),
        ("server.key", &identity.key),
        ("tokens.csv", "secret,admin,admin,\"system:masters\"\n"),
        ("audit-policy.yaml", include_str!("../addons/audit-policy.yaml")),
        ("kubeconfig", &kubeconfig_text(server_port)),
    ] {
        std::fs::write(place.join(name), text).map_err(io("writing the API server's files"))?;
    }

    let peer = format!("http://127.0.0.1:{peer_port}");
    let store = format!("http://127.0.0.1:{client_port}");
    let mut etcd = Command::new(etcd);
    etcd.arg(format!("--data-dir={}", place.join("data").display()))
        // The data lives as long as a test: nothing is gained by waiting for the disk.
        .args(["--unsafe-no-fsync", "--log-level=warn", "--name=test"])
        .args([format!("--listen-client-urls={store}"), format!("--advertise-client-urls={store}")])
        .args([format!("--listen-peer-urls={peer}"), format!("--initial-advertise-peer-urls={peer}")])
        .arg(format!("--initial-cluster=test={peer}"));
    let file = |name: &str| place.join(name).display().to_string();
    let mut server = Command::new(server);
    server
        .args([format!("--etcd-servers={store}"), format!("--secure-port={server_port}")])
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.0.0.0/24"])
        .args([
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
        ])
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!("--service-account-key-file={}", file("server.crt")))
        .arg(format!("--service-account-signing-key-file={}", file("server.key")))
        .args([format!("--token-auth-file={}", file("tokens.csv")), format!("--cert-dir={}", file("certificates"))])
        // As on a cluster, so that tests of RBAC mean something; no controller makes service accounts here.
        .args(["--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount"])
        .args([
            format!("--audit-policy-file={}", file("audit-policy.yaml")),
            format!("--audit-log-path={}", file("audit.log")),
        ]);

    let children = vec![
        spawn(&etcd, &place.join("etcd.log")).map_err(io("starting etcd"))?,
        spawn(&server, &place.join("kube-apiserver.log")).map_err(io("starting the API server"))?,
    ];
    let client = Client::try_from(config(&kubeconfig).await?).map_err(client_failed("making a client"))?;
    let mut running = ApiServer { folder: Some(folder), children, kubeconfig, client };
    running.wait_until_ready().await?;
    Ok(running)
}

impl ApiServer {
    async fn wait_until_ready(&mut self) -> Result<(), ApiServerError> {
        let began = Instant::now();
        loop {
            let reason = match ready(&self.client).await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            };
            let ended = self.children.iter_mut().any(|child| matches!(child.try_wait(), Ok(Some(_))));
            if ended || began.elapsed() > PATIENCE {
                let folder = self.folder.take().map(TempDir::keep).unwrap_or_default();
                let reason = if ended { "one of the two programs ended".to_owned() } else { reason };
                return Err(ApiServerError::NotReady { reason, folder });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Ready, and the namespace `default` is there: the API server makes it a moment after it says that it is ready.
async fn ready(client: &Client) -> Result<(), kube::Error> {
    for path in ["/readyz", "/api/v1/namespaces/default"] {
        let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        client.request_text(request).await?;
    }
    Ok(())
}

async fn config(kubeconfig: &Path) -> Result<kube::Config, ApiServerError> {
    let file = Kubeconfig::read_from(kubeconfig).map_err(client_failed("reading the kubeconfig"))?;
    kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(client_failed("reading the kubeconfig"))
}

fn kubeconfig_text(port: u16) -> String {
    // The certificate is its own authority and lies beside this file.
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: server.crt}}}}]\n\
         users: [{{name: admin, user: {{token: secret}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: admin, namespace: default}}}}]\n"
    )
}

struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    fn new() -> Result<Self, rcgen::Error> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        Ok(Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() })
    }
}

/// Ports nobody listens on now. All are held until all are found, so that they differ.
fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// Starts a child that dies with this process, its output in a log.
///
/// The kernel ends such a child when the *thread* that started it ends. Tests run in threads of their own and may
/// share a server, so one thread that lives as long as the process starts them all.
fn spawn(command: &Command, log: &Path) -> std::io::Result<Child> {
    type Request = (Command, mpsc::Sender<std::io::Result<Child>>);
    static STARTER: OnceLock<Mutex<mpsc::Sender<Request>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, answer) in requests {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let file = std::fs::File::create(log)?;
    let mut bound = bound_to_us(command);
    bound.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let (sender, answer) = mpsc::channel();
    let gone = || std::io::Error::other("the thread that starts children is gone");
    starter.lock().map_err(|_| gone())?.send((bound, sender)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let ports = free_ports::<8>().unwrap();
        for (index, port) in ports.iter().enumerate() {
            assert!(!ports[..index].contains(port));
            TcpListener::bind(("127.0.0.1", *port)).unwrap();
        }
    }

    #[test]
    fn the_kubeconfig_is_read_back() {
        let config = Kubeconfig::from_yaml(&kubeconfig_text(6443)).unwrap();
        let cluster = config.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(config.current_context.as_deref(), Some("test"));
    }

    #[test]
    fn the_certificate_is_for_loopback_and_has_its_key() {
        let identity = Identity::new().unwrap();
        assert!(identity.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(identity.key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
