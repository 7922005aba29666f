//! The operator against an API server alone: what it makes, takes back, leaves alone, and says. Nothing runs pods here, so
//! no site becomes ready; the tests on a cluster see that.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use e2e::apiserver::{ApiServer, Release};
use e2e::audit::Write;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::TypeMeta;
use kube::discovery::Discovery;
use kube::discovery::Scope;
use serde_json::{Value, json};

use super::schema::{define, whiteboard, whiteboards};

/// How long the operator may take for anything here; both cores may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The operator as a process, on the machine's loopback.
struct Operator {
    child: Child,
}

impl Operator {
    fn start(server: &ApiServer) -> Self {
        let child = Command::new(binary())
            .env("KUBECONFIG", server.kubeconfig())
            .args(["--server-image", "ghcr.io/x/server:1", "--listen", "127.0.0.1:0", "--lease-namespace", "default"])
            .args(["--identity", "tested", "--lease-seconds", "3", "--log-format", "text", "--log-level", "warn"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The operator of this checkout, built once a run.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "operator"]).status().unwrap();
        assert!(built.success(), "the operator does not build");
        // This test lies at TARGET/PROFILE/deps/NAME.
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(2).unwrap().join("operator")
    })
}

async fn cluster() -> ApiServer {
    let server = ApiServer::start(Release::Newest).await.unwrap();
    define(&server).await;
    let api = |kind: &str, plural: &str, group: &str| {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural);
        Api::<DynamicObject>::all_with(server.client(), &resource)
    };
    for (api, object) in [
        (
            api("StorageClass", "storageclasses", "storage.k8s.io"),
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "test/none",
                "metadata": {"name": "local-path", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}),
        ),
        (
            api("IngressClass", "ingressclasses", "networking.k8s.io"),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "spec": {"controller": "test/none"},
                "metadata": {"name": "traefik", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}),
        ),
    ] {
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    server
}

/// Every object in the namespace `default` that carries the operator's label, by kind and name.
async fn children(server: &ApiServer) -> BTreeMap<String, DynamicObject> {
    let discovery =
        Discovery::new(server.client()).filter(&["", "apps", "batch", "networking.k8s.io"]).run().await.unwrap();
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=whiteboard-operator");
    let mut found = BTreeMap::new();
    for (resource, capabilities) in discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources) {
        if capabilities.scope != Scope::Namespaced || !capabilities.supports_operation("list") {
            continue;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(server.client(), "default", &resource);
        for mut object in api.list(&ours).await.unwrap() {
            // The items of a list do not say what they are.
            object.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
            found.insert(format!("{} {}", resource.kind, object.metadata.name.clone().unwrap()), object);
        }
    }
    found
}

/// What an object is in the end, whoever made it when: without times, versions, UIDs and generated keys.
fn substance(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap();
    let metadata = value["metadata"].as_object_mut().unwrap();
    for volatile in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        metadata.remove(volatile);
    }
    // Stamps are hashes of what was applied, the owner's UID among it.
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("tutorspace.app/applied");
    }
    for owner in value["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        owner["uid"] = Value::Null;
    }
    if value["kind"] == "Secret" {
        for key in value["data"].as_object_mut().into_iter().flatten() {
            *key.1 = json!("generated");
        }
    }
    // Which address a Service gets is the cluster's choice.
    for field in ["clusterIP", "clusterIPs"] {
        value.get_mut("spec").and_then(Value::as_object_mut).map(|spec| spec.remove(field));
    }
    value
}

async fn wait<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for the children of a complete site (there is no cert-manager here).
async fn complete(server: &ApiServer, name: &str) -> BTreeMap<String, DynamicObject> {
    let expected: Vec<String> = [
        "ConfigMap ",
        "CronJob -backup",
        "Deployment ",
        "Ingress ",
        "NetworkPolicy ",
        "PersistentVolumeClaim -backup",
        "PersistentVolumeClaim -data",
        "Secret -keys",
        "Service ",
        "ServiceAccount ",
    ]
    .map(|kind| kind.split_once(' ').map(|(kind, suffix)| format!("{kind} {name}{suffix}")).unwrap())
    .into();
    wait("all children", || async {
        let found = children(server).await;
        expected.iter().all(|key| found.contains_key(key)).then_some(found)
    })
    .await
}

async fn condition(server: &ApiServer, name: &str, type_: &str, reason: &str) -> Value {
    wait(&format!("{type_} {reason} of {name}"), || async {
        let found = whiteboards(server).get(name).await.unwrap();
        let conditions = found.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == type_ && condition["reason"] == reason)
    })
    .await
}

async fn quiet(server: &ApiServer, span: Duration) -> Vec<Write> {
    let before = server.writes().unwrap().len();
    tokio::time::sleep(span).await;
    let writes = server.writes().unwrap().split_off(before);
    // The API server itself writes its own endpoints.
    writes.into_iter().filter(|write| !write.resource.starts_with("leases") && write.user == "admin").collect()
}

/// Waits until nothing has been written for a second, so that a comparison does not race with the last write.
async fn settled(server: &ApiServer) {
    wait("a second of silence", || async { quiet(server, Duration::from_secs(1)).await.is_empty().then_some(()) })
        .await;
}

#[tokio::test]
async fn every_child_comes_back_as_it_was_and_then_all_is_quiet() {
    let server = cluster().await;
    let _operator = Operator::start(&server);
    whiteboards(&server).create(&PostParams::default(), &whiteboard("physics", &json!({}))).await.unwrap();
    let first = complete(&server, "physics").await;
    settled(&server).await;
    assert_eq!(quiet(&server, Duration::from_secs(15)).await, [], "writes while nothing changed");

    let discovery = Discovery::new(server.client()).run().await.unwrap();
    for (key, object) in &first {
        let (kind, name) = key.split_once(' ').unwrap();
        let types = object.types.clone().unwrap();
        let (resource, _) = discovery.resolve_gvk(&GroupVersionKind::try_from(&types).unwrap()).unwrap();
        let api: Api<DynamicObject> = Api::namespaced_with(server.client(), "default", &resource);

        if kind != "PersistentVolumeClaim" {
            api.delete(name, &DeleteParams::default()).await.unwrap();
            wait(&format!("{key} again"), || async {
                api.get_opt(name).await.unwrap().filter(|found| found.metadata.uid != object.metadata.uid)
            })
            .await;
        }
        for edit in edits(kind) {
            api.patch(name, &PatchParams::default(), &Patch::Merge(&edit)).await.unwrap();
            wait(&format!("{key} as it was, after {edit}"), || async {
                let found = api.get(name).await.unwrap();
                (substance(&found) == substance(object)).then_some(())
            })
            .await;
        }
    }
    settled(&server).await;
    let last = complete(&server, "physics").await;
    for (key, object) in &first {
        assert_eq!(substance(&last[key]), substance(object), "{key}");
        if key.starts_with("PersistentVolumeClaim") {
            assert_eq!(last[key].metadata.uid, object.metadata.uid, "{key} was made anew");
        }
    }
}

/// What a hand might do to a child: change a field of ours, add one of its own, take the labels away.
fn edits(kind: &str) -> Vec<Value> {
    let labels =
        json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null, "app.kubernetes.io/instance": null}}});
    let owner = json!({"metadata": {"ownerReferences": null}});
    let mut all = match kind {
        "Deployment" => vec![
            json!({"spec": {"replicas": 0}}),
            json!({"spec": {"paused": true}}),
            json!({"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}}),
            json!({"spec": {"template": {"spec": {"containers": []}}}}),
            owner,
        ],
        "Service" => vec![
            json!({"spec": {"selector": {"app.kubernetes.io/component": "nobody", "more": "x"}}}),
            json!({"spec": {"externalIPs": ["203.0.113.7"]}}),
            owner,
        ],
        "Ingress" => {
            vec![json!({"spec": {"rules": null, "defaultBackend": {"service": {"name": "x", "port": {"number": 1}}}}})]
        }
        "ConfigMap" => {
            vec![json!({"data": {"LOG_LEVEL": "trace"}}), json!({"data": {"MORE": "x"}}), json!({"data": null})]
        }
        "CronJob" => vec![
            json!({"spec": {"suspend": true}}),
            json!({"spec": {"schedule": "0 0 1 1 *", "failedJobsHistoryLimit": 9}}),
        ],
        "NetworkPolicy" => vec![json!({"spec": {"ingress": [{}], "egress": [{}]}})],
        "ServiceAccount" => {
            vec![json!({"automountServiceAccountToken": true}), json!({"imagePullSecrets": [{"name": "x"}]})]
        }
        "Secret" => vec![json!({"data": null}), json!({"data": {"more": "eA=="}})],
        "PersistentVolumeClaim" => vec![],
        other => panic!("no edits for {other}"),
    };
    // An empty list of containers is refused by the API server, which is what a person would meet as well.
    all.retain(|edit| edit["spec"]["template"]["spec"]["containers"].is_null());
    all.push(labels);
    all
}

#[tokio::test]
async fn killed_after_any_write_it_ends_at_the_same_state() {
    let reference = {
        let server = cluster().await;
        let _operator = Operator::start(&server);
        whiteboards(&server).create(&PostParams::default(), &whiteboard("physics", &json!({}))).await.unwrap();
        let all = complete(&server, "physics").await;
        settled(&server).await;
        let count = server.writes().unwrap().iter().filter(|write| by_operator(write)).count();
        (all, count)
    };
    // One server for all rounds: the resource is deleted between them, and its children, as the garbage collector would.
    let server = cluster().await;
    for round in 1..=reference.1 {
        let before = server.writes().unwrap().len();
        let mut operator = Some(Operator::start(&server));
        whiteboards(&server).create(&PostParams::default(), &whiteboard("physics", &json!({}))).await.unwrap();
        wait("the writes before the kill", || async {
            let written = server.writes().unwrap()[before..].iter().filter(|write| by_operator(write)).count();
            (written >= round).then_some(())
        })
        .await;
        operator.take().unwrap().kill();
        let second = Operator::start(&server);
        let all = complete(&server, "physics").await;
        settled(&server).await;
        assert!(all.keys().eq(reference.0.keys()), "killed after write {round}: {:?}", all.keys());
        for (key, object) in &all {
            assert_eq!(substance(object), substance(&reference.0[key]), "{key}, killed after write {round}");
        }
        second.kill();
        clean(&server).await;
    }
}

fn by_operator(write: &Write) -> bool {
    !write.resource.starts_with("leases")
        && !write.resource.starts_with("events")
        && write.name.starts_with("physics")
        && write.resource != "whiteboards.tutorspace.app"
        && write.code < 300
        && write.verb != "delete"
}

/// Does what the garbage collector would, which does not run here.
async fn clean(server: &ApiServer) {
    whiteboards(server).delete("physics", &DeleteParams::default()).await.unwrap();
    let discovery = Discovery::new(server.client()).run().await.unwrap();
    for (key, object) in children(server).await {
        let (resource, _) =
            discovery.resolve_gvk(&GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap()).unwrap();
        let api: Api<DynamicObject> = Api::namespaced_with(server.client(), "default", &resource);
        let name = key.split_once(' ').unwrap().1;
        if key.starts_with("PersistentVolumeClaim") {
            // Without a controller nobody lifts the protection of claims.
            let patch = json!({"metadata": {"finalizers": null}});
            api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        }
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn of_two_with_one_host_the_older_keeps_it_until_it_goes() {
    let server = cluster().await;
    let _operator = Operator::start(&server);
    let api = whiteboards(&server);
    api.create(&PostParams::default(), &whiteboard("older", &json!({"host": "x.test"}))).await.unwrap();
    complete(&server, "older").await;
    // Ages have whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    api.create(&PostParams::default(), &whiteboard("younger", &json!({"host": "x.test"}))).await.unwrap();
    let told = condition(&server, "younger", "Stalled", "HostTaken").await;
    assert!(told["message"].as_str().unwrap().contains("default/older"), "{told}");
    assert!(!children(&server).await.keys().any(|key| key.contains("younger")));

    api.delete("older", &DeleteParams::default()).await.unwrap();
    complete(&server, "younger").await;
    let found = api.get("younger").await.unwrap();
    let stalled = found.data["status"]["conditions"].as_array().unwrap().iter().any(|one| one["type"] == "Stalled");
    assert!(!stalled, "{}", found.data["status"]);
}

#[tokio::test]
async fn what_belongs_to_others_is_left_alone() {
    let server = cluster().await;
    let services: Api<DynamicObject> = Api::namespaced_with(
        server.client(),
        "default",
        &ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Service"), "services"),
    );
    let theirs = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "physics"}, "spec": {"ports": [{"port": 1}]}});
    let theirs = services.create(&PostParams::default(), &serde_json::from_value(theirs).unwrap()).await.unwrap();
    let _operator = Operator::start(&server);
    whiteboards(&server).create(&PostParams::default(), &whiteboard("physics", &json!({}))).await.unwrap();
    let told = condition(&server, "physics", "Stalled", "NameTaken").await;
    assert!(told["message"].as_str().unwrap().starts_with("Service physics exists"), "{told}");
    assert_eq!(services.get("physics").await.unwrap().metadata.resource_version, theirs.metadata.resource_version);

    services.delete("physics", &DeleteParams::default()).await.unwrap();
    complete(&server, "physics").await;
}

#[tokio::test]
async fn what_is_missing_is_told_and_heals_by_itself() {
    let server = cluster().await;
    let _operator = Operator::start(&server);
    let api = whiteboards(&server);
    let over =
        json!({"storage": {"className": "fast"}, "ingress": {"className": "nginx"}, "tls": {"secretName": "mine"}});
    api.create(&PostParams::default(), &whiteboard("physics", &over)).await.unwrap();
    let storage = condition(&server, "physics", "StorageReady", "StorageClassNotFound").await;
    assert!(storage["message"].as_str().unwrap().contains("local-path"), "{storage}");
    condition(&server, "physics", "CertificateReady", "SecretNotFound").await;

    let right = json!({"spec": {"storage": {"className": null}, "ingress": {"className": null}, "tls": {"secretName": null, "disabled": true}}});
    api.patch("physics", &PatchParams::default(), &Patch::Merge(&right)).await.unwrap();
    condition(&server, "physics", "StorageReady", "Provisioning").await;
    condition(&server, "physics", "CertificateReady", "TlsDisabled").await;
}

/// cert-manager's Certificate as far as the operator knows it.
fn certificate_definition() -> DynamicObject {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let version = json!({
        "name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": open},
    });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "certificates.cert-manager.io"},
        "spec": {
            "group": "cert-manager.io", "scope": "Namespaced", "versions": [version],
            "names": {"kind": "Certificate", "plural": "certificates"},
        },
    });
    serde_json::from_value(definition).unwrap()
}

fn certificates_kind() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate"), "certificates")
}

#[tokio::test]
async fn without_cert_manager_it_says_so_and_goes_on_once_it_comes() {
    let server = cluster().await;
    let _operator = Operator::start(&server);
    whiteboards(&server).create(&PostParams::default(), &whiteboard("physics", &json!({}))).await.unwrap();
    let told = condition(&server, "physics", "CertificateReady", "CertManagerMissing").await;
    assert!(told["message"].as_str().unwrap().contains("install it"), "{told}");
    complete(&server, "physics").await;

    let definitions = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
        "customresourcedefinitions",
    );
    let api: Api<DynamicObject> = Api::all_with(server.client(), &definitions);
    api.create(&PostParams::default(), &certificate_definition()).await.unwrap();
    let certificates: Api<DynamicObject> = Api::namespaced_with(server.client(), "default", &certificates_kind());
    let made = wait("the Certificate", || async { certificates.get_opt("physics").await.ok().flatten() }).await;
    assert_eq!(made.data["spec"]["dnsNames"], json!(["physics.test"]));
}
