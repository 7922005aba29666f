//! Children that somebody edits or deletes by hand come back, and the drawings stay.

use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{Site, until};

#[test]
fn whatever_is_deleted_comes_back_and_the_drawings_stay() {
    let site = Site::ready("deleted", &json!({}));
    site.hold_lesson(&["draw", "--clients", "2", "--strokes", "5"]);
    let boards = site.boards();
    let before = site.children();
    for key in before.keys().filter(|key| !key.starts_with("PersistentVolumeClaim")) {
        let (kind, name) = key.split_once(' ').unwrap();
        let old = before[key]["metadata"]["uid"].clone();
        site.kubectl(&["delete", kind, name, "--wait=false"]).unwrap();
        until(&format!("{key} is back"), Duration::from_mins(1), || {
            site.get(kind, name).filter(|found| found["metadata"]["uid"] != old)
        });
    }
    site.wait_ready();
    assert_eq!(site.boards(), boards);
    let after = site.children();
    assert!(after.keys().eq(before.keys()), "{:?} {:?}", before.keys(), after.keys());
    for (key, object) in &after {
        if key.starts_with("PersistentVolumeClaim") {
            assert_eq!(object["metadata"]["uid"], before[key]["metadata"]["uid"], "{key}");
        } else if !key.starts_with("Secret") {
            assert_eq!(wished(object), wished(&before[key]), "{key}");
        }
    }
}

#[test]
fn whatever_is_edited_comes_back() {
    let site = Site::ready("edited", &json!({}));
    site.hold_lesson(&["draw", "--clients", "2", "--strokes", "5"]);
    let boards = site.boards();
    for (kind, name, patch) in [
        ("deployment", "physics", json!({"spec": {"replicas": 0}})),
        ("deployment", "physics", json!({"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}})),
        ("service", "physics", json!({"spec": {"selector": {"app.kubernetes.io/component": "nobody"}}})),
        ("ingress", "physics", json!({"spec": {"tls": null}})),
        ("configmap", "physics", json!({"data": {"LOG_LEVEL": "trace", "MORE": "x"}})),
        ("cronjob", "physics-backup", json!({"spec": {"suspend": true}})),
        ("certificate", "physics", json!({"spec": {"dnsNames": ["other.test"]}})),
    ] {
        let before = wished(&site.get(kind, name).unwrap());
        site.kubectl(&["patch", kind, name, "--type=merge", "--patch", &patch.to_string()]).unwrap();
        until(&format!("{kind} {name} as it was, after {patch}"), Duration::from_mins(1), || {
            (wished(&site.get(kind, name)?) == before).then_some(())
        });
    }
    site.wait_ready();
    assert_eq!(site.boards(), boards);
}

/// What an object is to be, without what the cluster chooses.
fn wished(object: &Value) -> Value {
    let mut spec = object["spec"].clone();
    for field in ["clusterIP", "clusterIPs"] {
        spec.as_object_mut().map(|spec| spec.remove(field));
    }
    json!({"spec": spec, "data": object["data"], "labels": object["metadata"]["labels"]})
}
