//! A handle on a running cluster, for tests: as a person with `kubectl` and `curl`, and where the node is ours also
//! as somebody who may look into it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::audit::{self, Write};
use crate::cache::Cache;
use crate::env::Environment;
use crate::kubectl::Kubectl;
use crate::node::{AUDIT_LOG, NODE};
use crate::process::{self, ProcessError};
use crate::provider::Provider;
use crate::suite::{LONG_VARIABLE, TARGET_VARIABLE, Target};

/// Enough for one question on a machine that is busy with a lesson.
const QUESTION: Duration = Duration::from_mins(1);

/// Why a cluster cannot be used by a test.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// None is there, or the environment does not lead to one.
    #[error("{0:#}")]
    NotThere(anyhow::Error),
    /// `kubectl`, `curl` or the provider failed.
    #[error("{0}")]
    Process(#[from] ProcessError),
    /// The client library refused.
    #[error("{action}: {source}")]
    Client { action: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    /// Only `e2e/up`'s own node can be looked into.
    #[error("{0} needs the node that `e2e/up` made; this cluster is another.")]
    NotOurs(&'static str),
    /// An answer that cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

fn client_failed<E: std::error::Error + Send + Sync + 'static>(action: &'static str) -> impl FnOnce(E) -> ClusterError {
    move |source| ClusterError::Client { action, source: Box::new(source) }
}

/// A running cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    kubectl: Kubectl,
    authority: Option<PathBuf>,
    /// The provider of our own node.
    own: Option<Provider>,
    /// Asked for once: it does not change while the cluster lives.
    address: OnceLock<String>,
}

/// The answer to one HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Whether the long campaigns were asked for (`e2e/test --long`).
pub fn long() -> bool {
    std::env::var_os(LONG_VARIABLE).is_some()
}

impl Cluster {
    /// The cluster of this run: `e2e/up`'s own, or with `--cluster current` that of `$KUBECONFIG`, whose sites are
    /// trusted by `$WHITEBOARD_CA` where that is set.
    pub async fn connect() -> Result<Self, ClusterError> {
        let current = std::env::var(TARGET_VARIABLE).is_ok_and(|target| target == Target::Current.word());
        let cache = Cache::locate().map_err(|error| ClusterError::NotThere(error.into()))?;
        let (kubeconfig, authority, kubectl, own) = if current {
            let kubeconfig = std::env::var_os("KUBECONFIG").map(PathBuf::from).ok_or_else(|| {
                ClusterError::NotThere(anyhow::anyhow!("Set KUBECONFIG to use a cluster of your own."))
            })?;
            (kubeconfig, std::env::var_os("WHITEBOARD_CA").map(PathBuf::from), "kubectl".into(), None)
        } else {
            let environment = Environment::of_running_cluster().map_err(ClusterError::NotThere)?;
            let provider = Provider::find(&cache).map_err(ClusterError::NotThere)?;
            let kubectl = environment.programs.join("kubectl");
            (environment.kubeconfig, Some(environment.authority), kubectl, Some(provider))
        };
        let file = Kubeconfig::read_from(&kubeconfig).map_err(client_failed("reading the kubeconfig"))?;
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .map_err(client_failed("reading the kubeconfig"))?;
        let client = Client::try_from(config).map_err(client_failed("making a client"))?;
        let kubectl = Kubectl::new(&kubectl, &kubeconfig);
        Ok(Self { client, kubectl, authority, own, address: OnceLock::new() })
    }

    /// A client with the rights of the kubeconfig.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The certificate to trust for the cluster's sites, where they are not publicly trusted.
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Whether the node is `e2e/up`'s own: only then can tests look into it.
    pub fn is_ours(&self) -> bool {
        self.own.is_some()
    }

    /// What `kubectl` prints.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        Ok(process::read(&self.kubectl.command(arguments), QUESTION)?)
    }

    /// What `kubectl` prints when it reads `manifest`: `cluster.kubectl_with(&["apply", "-f", "-"], yaml)`.
    pub fn kubectl_with(&self, arguments: &[&str], manifest: &str) -> Result<String, ClusterError> {
        Ok(process::feed(&self.kubectl.command(arguments), manifest, QUESTION)?)
    }

    /// The node's address, where the ingress controller answers on 80 and 443.
    pub fn address(&self) -> Result<String, ClusterError> {
        if let Some(known) = self.address.get() {
            return Ok(known.clone());
        }
        let path = "--output=jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}";
        let found = self.kubectl(&["get", "nodes", path])?.trim().to_owned();
        Ok(self.address.get_or_init(|| found).clone())
    }

    /// What a command on the node prints: `ps`, `kill`, `ctr` …
    pub fn on_node(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        let provider = self.own.as_ref().ok_or(ClusterError::NotOurs("Running commands on the node"))?;
        let mut exec = provider.exec(NODE);
        exec.args(arguments);
        Ok(process::read(&exec, QUESTION)?)
    }

    /// Every write that the API server has answered since the cluster came up, in order.
    pub fn writes(&self) -> Result<Vec<Write>, ClusterError> {
        // A full log is set aside under a name that sorts before the current one's.
        let log =
            self.on_node(&["sh", "-c", &format!("cat $(ls {}*.log | sort)", AUDIT_LOG.trim_end_matches(".log"))])?;
        audit::writes(&log).map_err(|error| ClusterError::Unreadable(error.to_string()))
    }

    /// One GET request to a site, sent to the node whatever DNS says, trusting the cluster's authority. Redirects are
    /// not followed.
    pub fn get(&self, url: &str) -> Result<Answer, ClusterError> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--http1.1", "--max-time", "20"]);
        curl.arg("--connect-to").arg(format!("::{}:", self.address()?));
        if let Some(authority) = &self.authority {
            curl.arg("--cacert").arg(authority);
        }
        curl.arg(url);
        let text = process::read(&curl, QUESTION)?;
        parse_answer(&text).ok_or_else(|| ClusterError::Unreadable(format!("{url} answered no HTTP:\n{text}")))
    }

    /// A new namespace that enforces Pod Security `restricted`. Dropping it deletes the namespace without waiting.
    pub fn namespace(&self, prefix: &str) -> Result<Namespace, ClusterError> {
        let manifest = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  generateName: {prefix}-\n  labels: {{pod-security.kubernetes.io/enforce: restricted}}\n"
        );
        let created =
            self.kubectl_with(&["create", "--filename=-", "--output=jsonpath={.metadata.name}"], &manifest)?;
        Ok(Namespace { cluster: self.clone(), name: created.trim().to_owned() })
    }
}

/// A namespace of one test.
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `kubectl --namespace …` prints.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        self.cluster.kubectl(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Applies manifests that name no namespace.
    pub fn apply(&self, manifest: &str) -> Result<String, ClusterError> {
        self.cluster.kubectl_with(&["--namespace", &self.name, "apply", "--filename=-"], manifest)
    }

    /// Waits for a condition of an object: `wait("pod/lesson", "condition=Ready", 60 s)`.
    pub fn wait(&self, object: &str, condition: &str, limit: Duration) -> Result<(), ClusterError> {
        let condition = format!("--for={condition}");
        self.cluster.kubectl.wait(&["--namespace", &self.name, "wait", object, &condition], limit)?;
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("The namespace {} stays for a look at it; `e2e/down` takes it away.", self.name);
            return;
        }
        let _ = self.cluster.kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}

fn parse_answer(text: &str) -> Option<Answer> {
    // curl shows interim answers (100, 103) before the final one.
    let mut rest = text;
    loop {
        let (head, body) = rest.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status: u16 = lines.next()?.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
        if (100..200).contains(&status) {
            rest = body;
            continue;
        }
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        return Some(Answer { status, headers, body: body.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_status_headers_and_body() {
        let text = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://x.test/\r\nX-A: b:c\r\n\r\nmoved\r\n\r\nhere";
        let answer = parse_answer(text).unwrap();
        assert_eq!((answer.status, answer.header("location")), (301, Some("https://x.test/")));
        assert_eq!(answer.header("x-a"), Some("b:c"));
        assert_eq!(answer.body, "moved\r\n\r\nhere");
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let text = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(parse_answer(text).unwrap().status, 204);
    }

    #[test]
    fn what_is_no_http_is_no_answer() {
        for text in ["", "hello", "SSH-2.0\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"] {
            assert_eq!(parse_answer(text), None, "{text:?}");
        }
    }
}
