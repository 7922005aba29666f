//! From `kubectl apply` to a page over TLS.

use serde_json::json;

use crate::site::Site;

#[test]
fn one_apply_gives_a_page_over_tls() {
    let site = Site::ready("install", &json!({}));
    let page = site.ask("https", "/");
    assert_eq!(page.status, 200);
    assert!(page.body.to_lowercase().contains("whiteboard"), "{}", page.body);
    assert!(page.header("content-security-policy").is_some(), "{page:?}");
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = site.ask("https", path);
        assert_eq!((answer.status, answer.body.trim()), (200, r#"{"status":"ok"}"#), "{path}");
    }
    assert_eq!(site.ask("https", "/nothing/here").status, 404);

    let redirect = site.ask("http", "/some/page?of=it");
    assert_eq!(redirect.status, 308);
    assert_eq!(redirect.header("location"), Some(format!("https://{}/some/page?of=it", site.host).as_str()));
}

#[test]
fn the_status_says_what_runs() {
    let site = Site::ready("status", &json!({}));
    let whiteboard = site.get("whiteboard", "physics").unwrap();
    let status = &whiteboard["status"];
    assert_eq!(status["url"], format!("https://{}", site.host));
    assert_eq!(status["phase"], "Running");
    assert!(status["release"]["digest"].as_str().unwrap().starts_with("sha256:"), "{}", status["release"]);
    let image = site.server_pod().unwrap()["spec"]["containers"][0]["image"].clone();
    assert_eq!(status["release"]["image"], image);
    for (type_, reason) in [
        ("Ready", "Running"),
        ("Available", "ServerAnswers"),
        ("CertificateReady", "Issued"),
        ("StorageReady", "Bound"),
        ("BackupHealthy", "NotDueYet"),
    ] {
        let condition = site.condition(type_).unwrap();
        assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &json!(reason)), "{condition}");
    }
    assert!(site.condition("Reconciling").is_none() && site.condition("Stalled").is_none());

    let columns = site.kubectl(&["get", "wb"]).unwrap();
    let header: Vec<_> =
        columns.lines().next().unwrap().split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!(header, ["NAME", "HOST", "READY", "PHASE", "RELEASE", "LAST BACKUP", "AGE"]);
    let events = site.kubectl(&["get", "events", "--field-selector=involvedObject.kind=Whiteboard"]).unwrap();
    assert!(events.contains("Running") && events.contains("Issued"), "{events}");
}

#[test]
fn every_host_of_a_site_is_served_and_certified() {
    let site = Site::ready("hosts", &json!({"additionalHosts": ["more-hosts.test"]}));
    let second = Site { namespace: site.namespace.clone(), host: "more-hosts.test".into() };
    assert_eq!(second.ask("https", "/livez").status, 200);
    assert_eq!(site.ask("https", "/livez").status, 200);
    std::mem::forget(second);
}
