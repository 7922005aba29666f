use kube::api::DynamicObject;
use serde_json::json;

use super::owned;
use crate::cert_manager;
use crate::names;
use crate::validate::{Certificate, Site};

/// cert-manager's Certificate for every host of the site; `None` where the certificate does not come from an issuer.
///
/// The Secret carries our labels, so that the caches see it; its key is elliptic, small and quick on small machines, and made
/// anew at each renewal.
pub fn certificate(site: &Site) -> Option<DynamicObject> {
    let Certificate::Issued(issuer) = &site.tls else { return None };
    let mut object = DynamicObject::new(&site.name, &cert_manager::certificate());
    object.metadata = owned(site, &site.name);
    object.data = json!({
        "spec": {
            "secretName": names::tls(&site.name),
            "secretTemplate": {"labels": names::labels(&site.name)},
            "dnsNames": site.hosts,
            "issuerRef": {"name": issuer.name, "kind": issuer.kind.as_str(), "group": issuer.group},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth"],
        },
    });
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn covers_every_host() {
        let spec = r#"{"additionalHosts": ["b.example.org"], "tls": {"issuer": {"name": "ca", "kind": "Issuer"}}}"#;
        let object = certificate(&site(spec)).unwrap();
        assert_eq!(object.data["spec"]["dnsNames"], json!(["physics.example.org", "b.example.org"]));
        assert_eq!(
            object.data["spec"]["issuerRef"],
            json!({"name": "ca", "kind": "Issuer", "group": "cert-manager.io"})
        );
        assert_eq!(object.data["spec"]["secretName"], "physics-tls");
    }

    #[test]
    fn none_for_a_certificate_of_ones_own_or_plain_http() {
        assert!(certificate(&site(r#"{"tls": {"secretName": "mine"}}"#)).is_none());
        assert!(certificate(&site(r#"{"tls": {"disabled": true}}"#)).is_none());
    }
}
