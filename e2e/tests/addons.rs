//! The cluster itself: what a default k3s brings is there, and an ACME server really issues certificates. When this
//! fails, failures of sites mean nothing.
// The helpers of tests are not marked as tests, and may fail as loudly.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use e2e::cluster::Cluster;
use e2e::images::BUSYBOX;
use serde_json::Value;

async fn own() -> Option<Cluster> {
    let cluster = Cluster::connect().await.unwrap();
    if !cluster.is_ours() {
        println!("Not run: this is about the cluster that `e2e/up` makes, and another one is used.");
        return None;
    }
    Some(cluster)
}

fn listed(cluster: &Cluster, kind: &str) -> Vec<Value> {
    let text = cluster.kubectl(&["get", kind, "--output=json"]).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().clone()
}

/// A pod that Pod Security `restricted` lets in.
fn pod(name: &str, script: &str, volume: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: shell
      image: {BUSYBOX}
      command: [sh, -c, "{script}"]
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, {volume}}}]
"#
    )
}

#[tokio::test]
async fn the_defaults_are_those_of_k3s() {
    let Some(cluster) = own().await else { return };
    let classes = listed(&cluster, "storageclasses");
    let names: Vec<_> = classes.iter().map(|class| class["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local-path"]);
    assert_eq!(classes[0]["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"], "true");
    assert_eq!(classes[0]["volumeBindingMode"], "WaitForFirstConsumer");

    let ingress = listed(&cluster, "ingressclasses");
    assert_eq!(ingress.len(), 1);
    assert_eq!(ingress[0]["metadata"]["name"], "traefik");
    assert_eq!(ingress[0]["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"], "true");

    let told = cluster.client().apiserver_version().await.unwrap().git_version;
    assert_eq!(told, format!("v{}", e2e::versions::KUBERNETES));
}

#[tokio::test]
async fn names_resolve_and_volumes_keep_what_is_written_inside_restricted_pods() {
    let Some(cluster) = own().await else { return };
    let namespace = cluster.namespace("addons").unwrap();
    let claim = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---";
    let volume = "persistentVolumeClaim: {claimName: data}";
    let script =
        "nslookup any.name.of.ours.test && nslookup kubernetes.default.svc.cluster.local && echo kept > /data/file";
    namespace.apply(&format!("{claim}{}", pod("writes", script, volume))).unwrap();
    namespace.wait("pod/writes", "jsonpath={.status.phase}=Succeeded", Duration::from_mins(1)).unwrap();
    let said = namespace.kubectl(&["logs", "writes"]).unwrap();
    assert!(said.contains(&cluster.address().unwrap()), "{said}");

    namespace.apply(&pod("reads", "cat /data/file", volume)).unwrap();
    namespace.wait("pod/reads", "jsonpath={.status.phase}=Succeeded", Duration::from_mins(1)).unwrap();
    assert_eq!(namespace.kubectl(&["logs", "reads"]).unwrap(), "kept\n");
}

#[tokio::test]
async fn a_pod_that_is_not_restricted_is_refused() {
    let Some(cluster) = own().await else { return };
    for namespace in ["whiteboard-system", "school"] {
        let root = pod("root", "id", "emptyDir: {}").replace("runAsNonRoot: true, runAsUser: 1000, ", "");
        let arguments = ["--namespace", namespace, "create", "--dry-run=server", "--filename=-"];
        let refused = cluster.kubectl_with(&arguments, &root).unwrap_err().to_string();
        assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
    }
}

#[tokio::test]
async fn the_audit_log_tells_who_wrote_what_and_no_reads() {
    let Some(cluster) = own().await else { return };
    let namespace = cluster.namespace("audit").unwrap();
    namespace.kubectl(&["create", "configmap", "lesson"]).unwrap();
    namespace.kubectl(&["get", "configmap", "lesson"]).unwrap();
    let writes = cluster.writes().unwrap();
    let ours: Vec<_> =
        writes.iter().filter(|write| write.namespace == namespace.name() && write.name == "lesson").collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!((ours[0].verb.as_str(), ours[0].resource.as_str(), ours[0].code), ("create", "configmaps", 201));
    assert_eq!(ours[0].user, "kubernetes-admin");
}

#[tokio::test]
async fn a_certificate_is_issued_over_http_and_trusted_by_the_authority_alone() {
    let Some(cluster) = own().await else { return };
    let namespace = cluster.namespace("tls").unwrap();
    let host = format!("{}.test", namespace.name());
    let site = format!(
        r"
apiVersion: v1
kind: Service
metadata: {{name: site}}
spec: {{selector: {{app: site}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: site, annotations: {{cert-manager.io/cluster-issuer: letsencrypt}}}}
spec:
  rules:
    - host: {host}
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: site, port: {{number: 80}}}}}}}}]}}
  tls: [{{hosts: [{host}], secretName: site-tls}}]
---"
    );
    let serve = "echo a page > /data/index.html && httpd -f -p 8080 -h /data";
    let began = Instant::now();
    namespace.apply(&format!("{site}{}", pod("site", serve, "emptyDir: {}"))).unwrap();
    // The Certificate is made from the Ingress a moment later.
    let certificate = || namespace.kubectl(&["get", "certificate", "site-tls"]).is_ok();
    while !certificate() {
        assert!(began.elapsed() < Duration::from_secs(30), "cert-manager makes no Certificate");
        std::thread::sleep(Duration::from_millis(200));
    }
    namespace.wait("certificate/site-tls", "condition=Ready", Duration::from_mins(2)).unwrap();
    println!("from Ingress to certificate: {:.1} s", began.elapsed().as_secs_f32());
    namespace.wait("pod/site", "condition=Ready", Duration::from_mins(1)).unwrap();

    // Traefik takes the new certificate up within its second.
    let patience = Instant::now();
    let answer = loop {
        match cluster.get(&format!("https://{host}/")) {
            Ok(answer) if answer.status == 200 => break answer,
            other => assert!(patience.elapsed() < Duration::from_secs(20), "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(answer.body, "a page\n");
    // No redirect of Traefik's own: sites answer it themselves.
    assert_eq!(cluster.get(&format!("http://{host}/")).unwrap().status, 200);
}
