use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressSpec,
    IngressTLS, ServiceBackendPort,
};

use super::owned;
use crate::validate::Site;

/// The Ingress: every host, every path, to the public port. It carries no annotation of ours: redirecting to HTTPS is the
/// server's work, which does it the same behind every controller, and cert-manager answers challenges by an Ingress of its own.
pub fn ingress(site: &Site, class: Option<&str>) -> Ingress {
    let mut metadata = owned(site, &site.name);
    if !site.spec.ingress.annotations.is_empty() {
        metadata.annotations = Some(site.spec.ingress.annotations.clone());
    }
    let backend = IngressBackend {
        service: Some(IngressServiceBackend {
            name: site.name.clone(),
            port: Some(ServiceBackendPort { name: Some("http".to_owned()), number: None }),
        }),
        resource: None,
    };
    let rule = |host: &String| IngressRule {
        host: Some(host.clone()),
        http: Some(HTTPIngressRuleValue {
            paths: vec![HTTPIngressPath {
                path: Some("/".to_owned()),
                path_type: "Prefix".to_owned(),
                backend: backend.clone(),
            }],
        }),
    };
    Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: class.map(str::to_owned),
            rules: Some(site.hosts.iter().map(rule).collect()),
            tls: site
                .certificate_secret()
                .map(|secret| vec![IngressTLS { hosts: Some(site.hosts.clone()), secret_name: Some(secret) }]),
            default_backend: None,
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn every_host_has_a_rule_and_the_certificate() {
        let spec =
            r#"{"additionalHosts": ["b.example.org"], "ingress": {"annotations": {"example.org/timeout": "60"}}}"#;
        let ingress = ingress(&site(spec), Some("traefik"));
        assert_eq!(ingress.metadata.annotations.unwrap()["example.org/timeout"], "60");
        let spec = ingress.spec.unwrap();
        let hosts: Vec<_> = spec.rules.unwrap().into_iter().map(|rule| rule.host.unwrap()).collect();
        assert_eq!(hosts, ["physics.example.org", "b.example.org"]);
        let tls = spec.tls.unwrap();
        assert_eq!(tls[0].secret_name.as_deref(), Some("physics-tls"));
        assert_eq!(tls[0].hosts.as_ref().unwrap(), &hosts);
        assert_eq!(spec.ingress_class_name.as_deref(), Some("traefik"));
    }

    #[test]
    fn plain_http_has_no_certificate() {
        assert!(ingress(&site(r#"{"tls": {"disabled": true}}"#), None).spec.unwrap().tls.is_none());
    }
}
