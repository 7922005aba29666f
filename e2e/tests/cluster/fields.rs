//! Each field of the specification changed: the change arrives, nothing else moves, no drawing is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{NAME, Site, until};

/// A change of the specification, the JSON pointer of the child that shows it, what stands there then, and the kinds whose
/// objects may change with it.
struct Change {
    spec: Value,
    child: (&'static str, &'static str, &'static str),
    shows: Value,
    moves: &'static [&'static str],
}

fn changes() -> Vec<Change> {
    let change = |spec, child, shows, moves| Change { spec, child, shows, moves };
    let deployment = |pointer| ("deployment", "physics", pointer);
    let cron = |pointer| ("cronjob", "physics-backup", pointer);
    let pods: &[&str] = &["Deployment", "CronJob"];
    vec![
        change(
            json!({"additionalHosts": ["more-fields.test"]}),
            ("ingress", "physics", "/spec/rules/1/host"),
            json!("more-fields.test"),
            &["Ingress", "Certificate", "Secret"],
        ),
        change(
            json!({"imagePullPolicy": "IfNotPresent"}),
            deployment("/spec/template/spec/containers/0/imagePullPolicy"),
            json!("IfNotPresent"),
            pods,
        ),
        change(
            json!({"imagePullSecrets": [{"name": "registry"}]}),
            deployment("/spec/template/spec/imagePullSecrets/0/name"),
            json!("registry"),
            pods,
        ),
        change(
            json!({"ingress": {"annotations": {"example.org/a": "b"}}}),
            ("ingress", "physics", "/metadata/annotations/example.org~1a"),
            json!("b"),
            &["Ingress"],
        ),
        change(
            json!({"ingress": {"className": "traefik"}}),
            ("ingress", "physics", "/spec/ingressClassName"),
            json!("traefik"),
            &["Ingress"],
        ),
        change(
            json!({"resources": {"limits": {"cpu": "900m", "memory": "200Mi"}}}),
            deployment("/spec/template/spec/containers/0/resources/limits/memory"),
            json!("200Mi"),
            pods,
        ),
        change(
            json!({"nodeSelector": {"kubernetes.io/os": "linux"}}),
            deployment("/spec/template/spec/nodeSelector/kubernetes.io~1os"),
            json!("linux"),
            pods,
        ),
        change(
            json!({"tolerations": [{"key": "arm", "operator": "Exists"}]}),
            deployment("/spec/template/spec/tolerations/0/key"),
            json!("arm"),
            pods,
        ),
        change(
            json!({"settings": {"corsOrigins": ["https://a.test"]}}),
            ("configmap", "physics", "/data/CORS_ORIGINS"),
            json!("https://a.test"),
            &["ConfigMap", "Deployment"],
        ),
        change(
            json!({"settings": {"sessionTimeout": "2h"}}),
            ("configmap", "physics", "/data/SESSION_TIMEOUT"),
            json!("7200"),
            &["ConfigMap", "Deployment"],
        ),
        change(
            json!({"settings": {"logLevel": "debug"}}),
            ("configmap", "physics", "/data/LOG_LEVEL"),
            json!("debug"),
            &["ConfigMap", "Deployment"],
        ),
        change(json!({"backup": {"schedule": "5 4 * * 1"}}), cron("/spec/schedule"), json!("5 4 * * 1"), &["CronJob"]),
        change(
            json!({"backup": {"timeZone": "Europe/Rome"}}),
            cron("/spec/timeZone"),
            json!("Europe/Rome"),
            &["CronJob"],
        ),
        change(json!({"backup": {"suspend": true}}), cron("/spec/suspend"), json!(true), &["CronJob"]),
        change(
            json!({"backup": {"retention": {"daily": 3}}}),
            cron("/spec/jobTemplate/spec/template/spec/containers/0/args/8"),
            json!("3"),
            &["CronJob"],
        ),
        change(
            json!({"backup": {"destination": {"volume": {"size": "6Gi"}}}}),
            ("pvc", "physics-backup", "/spec/resources/requests/storage"),
            json!("6Gi"),
            &["PersistentVolumeClaim"],
        ),
        change(
            json!({"networkPolicy": {"ingressFrom": [{"namespaceSelector": {}}]}}),
            ("networkpolicy", "physics", "/spec/ingress/0/from/0/namespaceSelector"),
            json!({}),
            &["NetworkPolicy"],
        ),
        change(
            json!({"podLabels": {"team": "physics"}}),
            deployment("/spec/template/metadata/labels/team"),
            json!("physics"),
            pods,
        ),
        change(
            json!({"podAnnotations": {"note": "x"}}),
            deployment("/spec/template/metadata/annotations/note"),
            json!("x"),
            pods,
        ),
        change(
            json!({"storage": {"whenDeleted": "Delete"}}),
            ("pvc", "physics-data", "/metadata/ownerReferences/0/kind"),
            json!("Whiteboard"),
            &["PersistentVolumeClaim"],
        ),
        change(
            json!({"storage": {"whenDeleted": "Retain"}}),
            ("pvc", "physics-data", "/metadata/name"),
            json!("physics-data"),
            &["PersistentVolumeClaim"],
        ),
    ]
}

#[test]
fn each_field_arrives_and_moves_nothing_else() {
    let site = Site::ready("fields", &json!({}));
    site.hold_lesson(&["draw", "--clients", "2", "--strokes", "5"]);
    let boards = site.boards();
    let volume = site.get("pvc", "physics-data").unwrap()["metadata"]["uid"].clone();
    for change in changes() {
        let before = site.children();
        site.patch(&change.spec).unwrap();
        let (kind, name, pointer) = change.child;
        until(&format!("{} arrives", change.spec), Duration::from_mins(1), || {
            (site.get(kind, name)?.pointer(pointer) == Some(&change.shows)).then_some(())
        });
        site.wait_ready();
        let after = site.children();
        let moved: BTreeSet<_> = after
            .iter()
            .filter(|(key, object)| before.get(*key).is_none_or(|old| substance(old) != substance(object)))
            .map(|(key, _)| key.split_once(' ').unwrap().0)
            .collect();
        assert!(moved.iter().all(|kind| change.moves.contains(kind)), "{} moved {moved:?}", change.spec);
        assert!(before.keys().all(|key| after.contains_key(key)), "{} took something away", change.spec);
    }
    let owners = site.get("pvc", "physics-data").unwrap()["metadata"]["ownerReferences"].clone();
    assert!(owners.is_null(), "Retain again: {owners}");
    assert_eq!(site.boards(), boards);
    assert_eq!(site.get("pvc", "physics-data").unwrap()["metadata"]["uid"], volume);

    // What a hand took back is as it was before the first change.
    site.patch(&json!({"networkPolicy": {"enabled": false}})).unwrap();
    until("the policy is gone", Duration::from_mins(1), || site.get("networkpolicy", NAME).is_none().then_some(()));
    site.patch(&json!({"networkPolicy": {"enabled": true}})).unwrap();
    until("the policy is back", Duration::from_mins(1), || site.get("networkpolicy", NAME));
}

#[test]
fn a_change_of_tls_and_of_the_host_arrives() {
    let site = Site::ready("moving", &json!({}));
    site.hold_lesson(&["draw", "--clients", "2", "--strokes", "3"]);
    let boards = site.boards();
    let moved = Site { namespace: site.namespace.clone(), host: "moved.test".into() };
    site.patch(&json!({"host": "moved.test"})).unwrap();
    site.wait_ready();
    assert_eq!(moved.boards(), boards);
    assert_eq!(moved.ask("https", "/livez").status, 200);

    moved.patch(&json!({"tls": {"issuer": null, "disabled": true}})).unwrap();
    moved.wait_ready();
    until("plain HTTP", Duration::from_mins(1), || (moved.ask("http", "/livez").status == 200).then_some(()));
    until("the certificate is gone", Duration::from_mins(1), || {
        (moved.get("certificate", NAME).is_none() && moved.get("secret", "physics-tls").is_none()).then_some(())
    });
    std::mem::forget(moved);
}

/// An object without what changes by itself.
fn substance(object: &Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for volatile in ["resourceVersion", "managedFields", "generation"] {
        metadata.remove(volatile);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    object
}
