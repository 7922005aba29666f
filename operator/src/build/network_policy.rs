use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::owned;
use crate::names;
use crate::validate::Site;

/// Who may talk to the site's pods, and to whom they may talk: in, the public port, and the admin port from the site's own
/// pods; out, names and the admin port of the site's own server. `None` where the resource wants no policy.
pub fn network_policy(site: &Site) -> Option<NetworkPolicy> {
    let wished = &site.spec.network_policy;
    if !wished.enabled {
        return None;
    }
    let port = |number: i32, protocol: &str| NetworkPolicyPort {
        port: Some(IntOrString::Int(number)),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    };
    let mut own = names::selector(&site.name, names::SERVER);
    own.remove(names::COMPONENT);
    let own = LabelSelector { match_labels: Some(own), match_expressions: None };
    let own_pods = || Some(vec![NetworkPolicyPeer { pod_selector: Some(own.clone()), ..NetworkPolicyPeer::default() }]);
    Some(NetworkPolicy {
        metadata: owned(site, &site.name),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(own.clone()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![
                NetworkPolicyIngressRule {
                    ports: Some(vec![port(names::HTTP_PORT, "TCP")]),
                    from: (!wished.ingress_from.is_empty()).then(|| wished.ingress_from.clone()),
                },
                NetworkPolicyIngressRule { ports: Some(vec![port(names::ADMIN_PORT, "TCP")]), from: own_pods() },
            ]),
            egress: Some(vec![
                NetworkPolicyEgressRule { ports: Some(vec![port(53, "UDP"), port(53, "TCP")]), to: None },
                NetworkPolicyEgressRule { ports: Some(vec![port(names::ADMIN_PORT, "TCP")]), to: own_pods() },
            ]),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn the_admin_port_is_for_the_sites_own_pods() {
        let spec = network_policy(&site("{}")).unwrap().spec.unwrap();
        let ingress = spec.ingress.unwrap();
        assert!(ingress[0].from.is_none(), "the public port is for everybody");
        let admin = ingress[1].from.as_ref().unwrap();
        assert_eq!(admin.len(), 1);
        let labels = admin[0].pod_selector.as_ref().unwrap().match_labels.as_ref().unwrap();
        assert_eq!(labels[names::INSTANCE], "physics");
        assert!(admin[0].namespace_selector.is_none());
    }

    #[test]
    fn the_public_port_can_be_narrowed() {
        let spec =
            r#"{"networkPolicy": {"ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "traefik"}}}]}}"#;
        let ingress = network_policy(&site(spec)).unwrap().spec.unwrap().ingress.unwrap();
        assert_eq!(ingress[0].from.as_ref().unwrap().len(), 1);
    }

    #[test]
    fn can_be_off() {
        assert!(network_policy(&site(r#"{"networkPolicy": {"enabled": false}}"#)).is_none());
    }
}
