//! A backup, the loss of everything, and the backup restored.

use std::time::Duration;

use serde_json::json;

use crate::site::{NAME, Site, apply, manifest, until};

#[test]
fn a_restored_backup_holds_the_same_boards() {
    let site = Site::ready("backup", &json!({"backup": {"retention": {"daily": 2}}}));
    site.hold_lesson(&["draw", "--clients", "3", "--strokes", "10"]);
    let boards = site.boards();

    for number in 1..=3 {
        let job = format!("now-{number}");
        site.kubectl(&["create", "job", "--from=cronjob/physics-backup", &job]).unwrap();
        site.kubectl(&["wait", &format!("job/{job}"), "--for=condition=Complete", "--timeout=120s"]).unwrap();
    }
    site.wait_reason("BackupHealthy", "Verified");
    let status = until("three backups are known", Duration::from_mins(1), || {
        let backup = site.get("whiteboard", NAME)?["status"]["backup"].clone();
        (backup["recent"].as_array()?.len() == 3).then_some(backup)
    });
    assert_eq!(status["count"], 2, "the newest two are kept: {status}");
    assert_eq!(status["recent"][0]["boards"], 3, "{status}");
    assert_eq!(status["recent"][0]["verified"], true);

    // What is drawn after the backup is not in it.
    site.hold_lesson(&["draw", "--clients", "1", "--strokes", "1", "--tag", "later"]);
    assert_ne!(site.boards(), boards);

    let image = site.server_pod().unwrap()["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    site.kubectl(&["delete", "whiteboard", NAME, "--timeout=60s"]).unwrap();
    until("the server is gone", Duration::from_mins(1), || site.server_pod().is_none().then_some(()));
    site.kubectl(&["delete", "pvc", "physics-data", "--timeout=60s"]).unwrap();

    let restore = manifest(
        "charts/restore.yaml",
        &[
            ("namespace: school", &format!("namespace: {}", site.namespace)),
            ("school/physics", &format!("{}/physics", site.namespace)),
            ("ghcr.io/tutorspace-app/whiteboard-server:0.1.0", &image),
        ],
    );
    apply(&restore).unwrap();
    site.kubectl(&["wait", "job/physics-restore", "--for=condition=Complete", "--timeout=25s"])
        .unwrap_or_else(|error| panic!("{error}: {:?}", site.kubectl(&["logs", "job/physics-restore"])));
    site.reapply(&json!({}));
    site.wait_ready();
    assert_eq!(site.boards(), boards);
}

#[test]
fn a_backup_that_fails_says_why() {
    let site = Site::ready("nobackup", &json!({"tls": {"disabled": true}}));
    // A token that the server does not know. The operator puts the real one back only in the Secret that it owns.
    site.kubectl(&["create", "job", "--from=cronjob/physics-backup", "now", "--dry-run=client", "--output=json"])
        .map(|text| {
            let mut job: serde_json::Value = serde_json::from_str(&text).unwrap();
            let container = &mut job["spec"]["template"]["spec"]["containers"][0];
            let arguments = container["args"].as_array_mut().unwrap();
            let from = arguments.iter().position(|argument| argument == "--from").unwrap();
            arguments[from + 1] = json!("http://physics:9999");
            job["spec"]["backoffLimit"] = json!(0);
            apply(&job.to_string()).unwrap();
        })
        .unwrap();
    let told = site.wait_reason("BackupHealthy", "BackupFailed");
    assert!(told.contains("kubectl"), "{told}");
    assert_eq!(site.condition("Ready").unwrap()["status"], "True", "people can draw all the same");
}
