//! Wrong input: refused with a sentence, or told by a condition that says what to do; put right, it heals.

use serde_json::json;

use crate::site::Site;

#[test]
fn an_issuer_that_does_not_exist() {
    let site = Site::apply("noissuer", &json!({"tls": {"issuer": {"name": "nobody"}}}));
    let told = site.wait_reason("CertificateReady", "IssuerNotFound");
    assert_eq!(told, "The ClusterIssuer nobody does not exist: make it, or correct tls.issuer.");
    site.patch(&json!({"tls": {"issuer": {"name": "letsencrypt"}}})).unwrap();
    site.wait_ready();
}

#[test]
fn an_image_that_does_not_exist() {
    let site = Site::apply("noimage", &json!({"image": "ghcr.io/nobody/nothing:1", "tls": {"disabled": true}}));
    let told = site.wait_reason("Available", "ImageUnavailable");
    assert!(told.contains("correct spec.image"), "{told}");
    site.patch(&json!({"image": null})).unwrap();
    site.wait_ready();
}

#[test]
fn a_storage_class_that_does_not_exist() {
    let site = Site::apply("noclass", &json!({"storage": {"className": "fast"}, "tls": {"disabled": true}}));
    let told = site.wait_reason("StorageReady", "StorageClassNotFound");
    assert!(told.contains("local-path"), "it names what there is: {told}");
    site.patch(&json!({"storage": {"className": null}})).unwrap();
    site.wait_ready();

    site.patch(&json!({"storage": {"className": "other"}})).unwrap();
    let told = site.wait_reason("StorageReady", "StorageClassImmutable");
    assert!(told.contains("set storage.className back"), "{told}");
    assert_eq!(site.condition("Ready").unwrap()["status"], "True", "people can draw all the same");
    site.patch(&json!({"storage": {"className": null}})).unwrap();
    site.wait_reason("StorageReady", "Bound");

    site.patch(&json!({"storage": {"size": "2Gi"}})).unwrap();
    let told = site.wait_reason("StorageReady", "VolumeExpansionUnsupported");
    assert!(told.contains("Set storage.size back to 1Gi"), "{told}");
    assert_eq!(site.condition("Ready").unwrap()["status"], "True", "people can draw all the same");
    site.patch(&json!({"storage": {"size": "1Gi"}})).unwrap();
    site.wait_reason("StorageReady", "Bound");
}

#[test]
fn a_host_that_another_site_has() {
    let older = Site::ready("taken", &json!({"tls": {"disabled": true}}));
    let younger = Site::apply("taker", &json!({"host": older.host, "tls": {"disabled": true}}));
    let told = younger.wait_reason("Ready", "HostTaken");
    assert!(told.contains("e2e-taken/physics"), "{told}");
    assert!(younger.get("deployment", "physics").is_none());
    younger.patch(&json!({"host": younger.host})).unwrap();
    younger.wait_ready();
    assert_eq!(older.condition("Ready").unwrap()["status"], "True");
}

#[test]
fn a_host_that_no_certificate_is_given_for() {
    // Pebble refuses this name, as a public authority refuses names that lead elsewhere.
    let site = Site::apply("blocked", &json!({"host": "blocked.test"}));
    let told = site.wait_reason("CertificateReady", "IssuingFailed");
    assert!(told.contains("cert-manager tries again"), "{told}");
    site.patch(&json!({"host": site.host.replace("blocked", "unblocked")})).unwrap();
    site.wait_ready();
}

#[test]
fn what_the_schema_refuses_changes_nothing() {
    let site = Site::ready("schema", &json!({"tls": {"disabled": true}}));
    let before = site.get("whiteboard", "physics").unwrap();
    for (spec, sentence) in [
        (json!({"host": "https://schema.test/"}), "must be a DNS name in lower case"),
        (json!({"storage": {"size": "500Mi"}}), "a volume cannot shrink"),
        (json!({"tls": {"secretName": "x"}}), "exactly one of tls.issuer"),
        (json!({"resources": {"limits": {"memory": "lots"}}}), "must be an amount"),
    ] {
        let told = site.patch(&spec).unwrap_err();
        assert!(told.contains(sentence), "{spec}: {told}");
    }
    assert_eq!(site.get("whiteboard", "physics").unwrap()["metadata"]["generation"], before["metadata"]["generation"]);
}

#[test]
fn a_certificate_of_ones_own() {
    let site = Site::apply("own", &json!({"tls": {"secretName": "mine"}}));
    let told = site.wait_reason("CertificateReady", "SecretNotFound");
    assert!(told.contains("kubectl create secret tls mine"), "{told}");
    let made = rcgen::generate_simple_self_signed([site.host.clone()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (format!("--cert={}", certificate.display()), format!("--key={}", key.display()));
    site.kubectl(&["create", "secret", "tls", "mine", &certificate, &key]).unwrap();
    // Nobody but the browser that was told to trusts it, so only the status is looked at.
    site.wait_reason("Ready", "Running");
}
