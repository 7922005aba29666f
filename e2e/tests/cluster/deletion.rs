//! Deleting a site leaves the volumes alone; applied again, the drawings are back.

use std::time::Duration;

use serde_json::json;

use crate::site::{NAME, Site, until};

const EVERYTHING: &str = "whiteboards,pods,jobs,serviceaccounts,secrets,configmaps,services,ingresses,networkpolicies,deployments,replicasets,cronjobs,certificates,certificaterequests,orders,challenges";

fn gone(site: &Site) {
    until("nothing is left", Duration::from_mins(2), || {
        let left = site.kubectl(&["get", EVERYTHING, "--output=name"]).unwrap();
        let left: Vec<_> = left
            .lines()
            .filter(|line| !matches!(*line, "serviceaccount/default" | "configmap/kube-root-ca.crt"))
            .collect();
        left.is_empty().then_some(())
    });
}

#[test]
fn a_deleted_site_leaves_its_volume_and_comes_back_with_it() {
    let site = Site::ready("deletion", &json!({}));
    site.hold_lesson(&["draw", "--clients", "3", "--strokes", "5"]);
    let boards = site.boards();
    let volume = site.get("pvc", "physics-data").unwrap()["metadata"]["uid"].clone();
    site.kubectl(&["delete", "whiteboard", NAME, "--timeout=60s"]).unwrap();
    gone(&site);
    assert_eq!(site.get("pvc", "physics-data").unwrap()["metadata"]["uid"], volume);

    site.reapply(&json!({}));
    site.wait_ready();
    assert_eq!(site.get("pvc", "physics-data").unwrap()["metadata"]["uid"], volume);
    assert_eq!(site.boards(), boards);
}

#[test]
fn a_volume_may_go_with_its_site() {
    let site = Site::ready("gone", &json!({"storage": {"whenDeleted": "Delete"}, "tls": {"disabled": true}}));
    site.kubectl(&["delete", "whiteboard", NAME, "--timeout=60s"]).unwrap();
    gone(&site);
    until("the volume is gone", Duration::from_mins(1), || site.get("pvc", "physics-data").is_none().then_some(()));
    assert!(site.get("pvc", "physics-backup").is_some(), "backups outlive the site");
}

#[test]
fn deleting_while_it_is_installed_ends_cleanly() {
    let site = Site::apply("hasty", &json!({}));
    until("the first child", Duration::from_mins(1), || site.get("deployment", NAME));
    site.kubectl(&["delete", "whiteboard", NAME, "--timeout=60s"]).unwrap();
    gone(&site);
}
