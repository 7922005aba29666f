//! Tests that concern the operator itself, or need silence: they run when no other does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::people_draw_on;
use crate::site::{Site, cluster, has_own_node, until};

const NAMESPACE: &str = "whiteboard-system";
const OPERATOR: &str = "system:serviceaccount:whiteboard-system:whiteboard-operator";

fn kill_operator() {
    // The process, not the pod: the quickest way to the next one.
    let script = "for process in /proc/[0-9]*; do [ \"$(cat $process/comm 2>/dev/null)\" = operator ] && kill -9 \"${process#/proc/}\"; done; true";
    cluster().on_node(&["sh", "-c", script]).unwrap();
}

fn operator_ready() {
    until("the operator answers", Duration::from_mins(6), || {
        let pods = cluster().kubectl(&["--namespace", NAMESPACE, "get", "pods", "--output=json"]).ok()?;
        let pods: Value = serde_json::from_str(&pods).ok()?;
        (pods["items"][0]["status"]["containerStatuses"][0]["ready"] == true).then_some(())
    });
}

/// What a site is in the end, whoever made it when.
fn end_state(site: &Site) -> Value {
    let mut all = serde_json::Map::new();
    for (key, object) in site.children() {
        let mut spec = object["spec"].clone();
        for chosen in ["clusterIP", "clusterIPs", "volumeName"] {
            spec.as_object_mut().map(|spec| spec.remove(chosen));
        }
        let data = if key.starts_with("Secret") { Value::Null } else { object["data"].clone() };
        let text = json!([spec, data, object["metadata"]["labels"]]).to_string();
        all.insert(
            key,
            serde_json::from_str(&text.replace(&site.namespace, "NAMESPACE").replace(&site.host, "HOST")).unwrap(),
        );
    }
    Value::Object(all)
}

#[test]
fn an_operator_killed_at_many_moments_ends_at_the_same_state() {
    if !has_own_node("killing the operator's process") {
        return;
    }
    let reference = Site::ready("unharmed", &json!({}));
    reference.patch(&json!({"settings": {"logLevel": "debug"}, "podLabels": {"team": "x"}})).unwrap();
    reference.wait_ready();

    let site = Site::apply("killed", &json!({}));
    // A kill at once, then each later than the one before; a container that ends often is started ever later.
    for pause in [0, 300, 1000] {
        std::thread::sleep(Duration::from_millis(pause));
        kill_operator();
        operator_ready();
    }
    site.wait_ready();
    site.patch(&json!({"settings": {"logLevel": "debug"}, "podLabels": {"team": "x"}})).unwrap();
    kill_operator();
    operator_ready();
    site.wait_ready();
    until("the change arrived", Duration::from_mins(1), || (end_state(&site) == end_state(&reference)).then_some(()));
    assert_eq!(site.ask("https", "/readyz").status, 200);
}

#[test]
fn an_operator_at_rest_writes_nothing_while_people_draw() {
    if !has_own_node("the API server's audit log") {
        return;
    }
    let sites = ["quiet-a", "quiet-b", "quiet-c"].map(|name| Site::apply(name, &json!({})));
    sites.iter().for_each(Site::wait_ready);
    operator_ready();
    // The last steps of becoming ready.
    std::thread::sleep(Duration::from_secs(15));
    let minutes: u64 = if e2e::cluster::long() { 60 } else { 3 };
    let before = cluster().writes().unwrap().len();
    let quiet = Duration::from_secs(60 * minutes);
    let start = Instant::now();
    // A lesson is no reason to write either, and its browsers want the machine for themselves as much as this test does.
    people_draw_on(&sites[0]);
    std::thread::sleep(quiet.saturating_sub(start.elapsed()));
    let writes = cluster().writes().unwrap().split_off(before);
    let operator: Vec<_> = writes.iter().filter(|write| write.user == OPERATOR).collect();
    assert!(
        operator.iter().any(|write| write.resource.starts_with("leases")),
        "the audit log shows the operator's lease"
    );
    let others: Vec<_> = operator.iter().filter(|write| !write.resource.starts_with("leases")).collect();
    assert!(others.is_empty(), "{minutes} quiet minutes with {} sites: {others:#?}", sites.len());
    println!("{minutes} quiet minutes with {} sites: no write but {} of the lease", sites.len(), operator.len());
}
