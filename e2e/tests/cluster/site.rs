//! One whiteboard site of a test: in a namespace of its own, under a host name of its own, deleted at the end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use e2e::cache::Cache;
pub use e2e::cluster::Answer;
use e2e::cluster::Cluster;
use serde_json::{Value, json};

/// How long a site may take to be ready: a certificate takes 16 to 22 s where nothing else runs, and tests share two cores.
const PATIENCE: Duration = Duration::from_mins(3);

static CLUSTER: OnceLock<Cluster> = OnceLock::new();

/// The running cluster, found once.
pub fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Cluster::connect()).unwrap()
    })
}

/// Whether the node can be looked into; where not, says what is left out for that.
pub fn has_own_node(what: &str) -> bool {
    let own = cluster().is_ours();
    if !own {
        println!("Not run: {what} needs the node that `e2e/up` made, and another cluster is used.");
    }
    own
}

/// Where the ingress controller answers.
pub fn address() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| cluster().address().unwrap())
}

/// The scripts that act as people's own clients.
fn clients() -> &'static Path {
    static CLIENTS: OnceLock<PathBuf> = OnceLock::new();
    CLIENTS.get_or_init(|| e2e::clients::ensure(&Cache::locate().unwrap()).unwrap())
}

/// Server-side apply, as `kubectl apply --server-side` does it.
pub fn apply(manifest: &str) -> Result<String, String> {
    let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=a-person", "--filename=-"];
    cluster().kubectl_with(&arguments, manifest).map_err(|error| error.to_string())
}

pub struct Site {
    pub namespace: String,
    pub host: String,
}

/// The name of the Whiteboard in every namespace of a test.
pub const NAME: &str = "physics";

impl Site {
    /// Makes a namespace that takes no pods but restricted ones, and applies a Whiteboard with `over` laid over the
    /// smallest specification.
    pub fn apply(test: &str, over: &Value) -> Self {
        let site = Self::prepare(test);
        site.reapply(over);
        site
    }

    /// The namespace alone, empty even if an earlier run was cut off in it.
    pub fn prepare(test: &str) -> Self {
        let site = Self { namespace: format!("e2e-{test}"), host: format!("{test}.test") };
        let _ = cluster().kubectl(&["delete", "namespace", &site.namespace, "--ignore-not-found", "--wait=false"]);
        until("an older namespace is gone", PATIENCE, || {
            let found = cluster()
                .kubectl(&["get", "namespace", &site.namespace, "--ignore-not-found", "--output=name"])
                .unwrap();
            found.is_empty().then_some(())
        });
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": site.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        }});
        apply(&namespace.to_string()).unwrap();
        site
    }

    /// Applies the Whiteboard, again or for the first time.
    pub fn reapply(&self, over: &Value) {
        self.try_apply(over).unwrap();
    }

    pub fn try_apply(&self, over: &Value) -> Result<String, String> {
        let mut spec = json!({"host": self.host, "tls": {"issuer": {"name": "letsencrypt"}}});
        for (key, value) in over.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let whiteboard = json!({
            "apiVersion": "tutorspace.app/v1alpha1", "kind": "Whiteboard",
            "metadata": {"name": NAME, "namespace": self.namespace}, "spec": spec,
        });
        apply(&whiteboard.to_string())
    }

    /// Applies, and waits until people can draw.
    pub fn ready(test: &str, over: &Value) -> Self {
        let site = Self::apply(test, over);
        site.wait_ready();
        site
    }

    pub fn wait_ready(&self) {
        // The generation is looked at as well: Ready may still speak of what was before.
        let whiteboard = until("the site is ready", PATIENCE, || {
            let whiteboard = self.get("whiteboard", NAME)?;
            let current = whiteboard["status"]["observedGeneration"] == whiteboard["metadata"]["generation"];
            (current && status_of(&whiteboard, "Ready")?["status"] == "True").then_some(whiteboard)
        });
        served(&whiteboard);
    }

    /// Waits for a condition with this reason, and gives back its sentence.
    pub fn wait_reason(&self, type_: &str, reason: &str) -> String {
        until(&format!("{type_} says {reason}"), PATIENCE, || {
            let condition = self.condition(type_)?;
            (condition["reason"] == reason).then(|| condition["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    pub fn condition(&self, type_: &str) -> Option<Value> {
        status_of(&self.get("whiteboard", NAME)?, type_)
    }

    /// One object of the site's namespace.
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let text = self.kubectl(&["get", kind, name, "--output=json", "--ignore-not-found"]).unwrap();
        serde_json::from_str(&text).ok()
    }

    /// All objects of a kind that a label selects.
    pub fn list(&self, kind: &str, selector: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", kind, "--output=json", "--selector", selector]).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().clone()
    }

    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let all = [&["--namespace", self.namespace.as_str()], arguments].concat();
        cluster().kubectl(&all).map_err(|error| error.to_string())
    }

    /// Changes the Whiteboard's specification as `kubectl patch` does.
    pub fn patch(&self, spec: &Value) -> Result<String, String> {
        let patch = json!({"spec": spec}).to_string();
        self.kubectl(&["patch", "whiteboard", NAME, "--type=merge", "--patch", &patch])
    }

    /// Asks for a path as a person's browser would, trusting the cluster's authority alone.
    pub fn ask(&self, scheme: &str, path: &str) -> Answer {
        cluster().get(&format!("{scheme}://{}{path}", self.host)).unwrap()
    }

    /// Starts a lesson with the client library that people use; see `clients/lesson.mjs`.
    pub fn lesson(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("node");
        command
            .arg(clients().join("lesson.mjs"))
            .args(["--url", &format!("https://{}", self.host), "--address", address()])
            .args(arguments);
        if let Some(authority) = cluster().authority() {
            command.arg("--ca").arg(authority);
        }
        command
    }

    /// Holds a lesson to its end, and gives back what it printed.
    pub fn hold_lesson(&self, arguments: &[&str]) -> Value {
        outcome(&self.lesson(arguments).output().unwrap())
    }

    /// What the boards hold now.
    pub fn boards(&self) -> Value {
        self.hold_lesson(&["read"])["boards"].clone()
    }

    /// The server's pod that runs now.
    pub fn server_pod(&self) -> Option<Value> {
        let pods = self.list("pods", "app.kubernetes.io/component=server");
        pods.into_iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null())
    }

    /// Ends the server's process by SIGKILL, as a crash of the machine's memory would. False if none runs at the moment.
    pub fn kill_server(&self) -> bool {
        let Some(pod) = self.server_pod() else { return false };
        let uid = pod["metadata"]["uid"].as_str().unwrap().to_owned();
        // Processes of the pod are known by its UID in the names of their control groups, with dashes or underscores.
        let script = format!(
            "killed=1; for process in /proc/[0-9]*; do \
               if [ \"$(cat $process/comm 2>/dev/null)\" = whiteboard ] && grep -q -e '{uid}' -e '{}' $process/cgroup 2>/dev/null; then \
                 kill -9 \"${{process#/proc/}}\" && killed=0; fi; done; exit $killed",
            uid.replace('-', "_")
        );
        cluster().on_node(&["sh", "-c", &script]).is_ok()
    }

    /// The UID and version of every child, by kind and name: what stayed untouched has the same.
    pub fn children(&self) -> std::collections::BTreeMap<String, Value> {
        let kinds = "serviceaccounts,secrets,configmaps,persistentvolumeclaims,services,ingresses,networkpolicies,deployments,cronjobs,certificates";
        let selector = "app.kubernetes.io/managed-by=whiteboard-operator";
        let all = self.list(kinds, selector);
        all.into_iter()
            .map(|object| {
                let name =
                    format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
                (name, object)
            })
            .collect()
    }
}

impl Drop for Site {
    /// A failed test leaves its site for a look.
    fn drop(&mut self) {
        if CLUSTER.get().is_none() {
            return;
        }
        if std::thread::panicking() {
            eprintln!("The namespace {} is left for a look.", self.namespace);
            let _ = self
                .kubectl(&["get", "whiteboards,pods,certificates,events", "--output=wide"])
                .map(|text| eprintln!("{text}"));
        } else {
            let _ = cluster().kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
        }
    }
}

/// What a lesson printed last; fails with its sentence.
pub fn outcome(output: &std::process::Output) -> Value {
    let (told, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the lesson failed: {complaint}{told}");
    serde_json::from_str(told.lines().last().unwrap_or_default()).unwrap()
}

fn status_of(whiteboard: &Value, type_: &str) -> Option<Value> {
    let conditions = whiteboard["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == type_).cloned()
}

/// Waits until the ingress controller serves what the status promises, and tells if that took long: the operator allows for the
/// time that controllers need, and on two cores with four tests at once they may need more.
fn served(whiteboard: &Value) {
    const ALLOWED: Duration = Duration::from_secs(10);
    let url = format!("{}/livez", whiteboard["status"]["url"].as_str().unwrap());
    let began = Instant::now();
    until(&format!("{url} answers"), ALLOWED, || cluster().get(&url).ok().filter(|answer| answer.status == 200));
    if began.elapsed() > Duration::from_secs(1) {
        println!("{url} answered {:.1} s after Ready", began.elapsed().as_secs_f64());
    }
}

/// Asks again until there is an answer; fails with what was waited for.
pub fn until<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {} s", patience.as_secs());
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// A manifest of this repository, with the names of its examples replaced.
pub fn manifest(path: &str, replacements: &[(&str, &str)]) -> String {
    let path: PathBuf = e2e::repository().join(path);
    let text = std::fs::read_to_string(path).unwrap();
    replacements.iter().fold(text, |text, (from, to)| text.replace(from, to))
}
