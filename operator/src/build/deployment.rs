use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapEnvSource, ContainerPort, EnvFromSource, HTTPGetAction, Probe, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{owned, pod, settings};
use crate::names;
use crate::validate::Site;

/// The server: one pod, the old one gone before the new one starts, since two must never write one volume.
pub fn deployment(site: &Site, config_map: &ConfigMap) -> Deployment {
    let mut container = pod::container(site, "server", vec!["serve".to_owned()]);
    container.env_from = Some(vec![EnvFromSource {
        config_map_ref: Some(ConfigMapEnvSource { name: site.name.clone(), optional: None }),
        ..EnvFromSource::default()
    }]);
    let port = |name: &str, port: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    container.ports = Some(vec![port("http", names::HTTP_PORT), port("admin", names::ADMIN_PORT)]);
    container.volume_mounts = Some(vec![
        VolumeMount { name: "data".to_owned(), mount_path: settings::DATA_PATH.to_owned(), ..VolumeMount::default() },
        VolumeMount {
            name: "keys".to_owned(),
            mount_path: settings::KEYS_PATH.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        },
    ]);
    // A second between looks while it starts, so that people wait no longer than the server needs; two minutes for a server
    // that has a long log to read. Whether it lives is asked where no client comes: clients that take all places of the
    // public port must not have the server restarted, which would bring them all back at once.
    container.startup_probe = Some(probe("admin", "/readyz", 1, 120));
    container.readiness_probe = Some(probe("http", "/readyz", 5, 2));
    container.liveness_probe = Some(probe("admin", "/livez", 10, 3));

    let volumes = vec![pod::claim_volume("data", names::data(&site.name)), pod::keys_volume(site)];
    let mut template = pod::template(site, names::SERVER, container, volumes);
    if let Some(metadata) = &mut template.metadata {
        let annotations = metadata.annotations.get_or_insert_with(BTreeMap::new);
        annotations.insert(names::SETTINGS.to_owned(), settings::fingerprint(config_map));
    }
    if let Some(spec) = &mut template.spec {
        // Longer than the server takes at most to hand over its clients and close its database (10 s).
        spec.termination_grace_period_seconds = Some(30);
    }
    let mut metadata = owned(site, &site.name);
    metadata.labels = Some(names::component_labels(&site.name, names::SERVER));
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            revision_history_limit: Some(3),
            selector: LabelSelector {
                match_labels: Some(names::selector(&site.name, names::SERVER)),
                match_expressions: None,
            },
            strategy: Some(DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn probe(port: &str, path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(2),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::pod::tests_support::assert_restricted;
    use crate::build::tests_support::site;

    fn built(spec: &str) -> Deployment {
        let site = site(spec);
        deployment(&site, &settings::config_map(&site))
    }

    #[test]
    fn passes_pod_security_restricted() {
        assert_restricted(built("{}").spec.unwrap().template.spec.as_ref().unwrap());
    }

    #[test]
    fn a_crowd_on_the_public_port_has_no_server_restarted() {
        let template = built("{}").spec.unwrap().template;
        let container = &template.spec.unwrap().containers[0];
        let port = |probe: &Option<Probe>| match &probe.as_ref().unwrap().http_get.as_ref().unwrap().port {
            IntOrString::String(name) => name.clone(),
            IntOrString::Int(number) => number.to_string(),
        };
        let ports = [&container.startup_probe, &container.readiness_probe, &container.liveness_probe].map(port);
        assert_eq!(ports, ["admin", "http", "admin"]);
        for port in ports {
            assert!(container.ports.as_ref().unwrap().iter().any(|one| one.name.as_ref() == Some(&port)), "{port}");
        }
    }

    #[test]
    fn two_servers_never_write_one_volume() {
        let spec = built("{}").spec.unwrap();
        assert_eq!(spec.replicas, Some(1));
        assert_eq!(spec.strategy.unwrap().type_.as_deref(), Some("Recreate"));
    }

    #[test]
    fn settings_roll_the_pod_and_nothing_else_does() {
        let template = |spec: &str| built(spec).spec.unwrap().template;
        assert_ne!(template("{}"), template(r#"{"settings": {"logLevel": "debug"}}"#));
        for same in [
            r#"{"backup": {"schedule": "0 1 * * *"}}"#,
            r#"{"storage": {"size": "2Gi"}}"#,
            r#"{"additionalHosts": ["b.example.org"]}"#,
            r#"{"ingress": {"className": "nginx"}}"#,
            r#"{"networkPolicy": {"enabled": false}}"#,
        ] {
            assert_eq!(template("{}"), template(same), "{same}");
        }
    }

    #[test]
    fn the_selector_lies_within_the_labels() {
        let spec = built(r#"{"podLabels": {"team": "x"}}"#).spec.unwrap();
        let labels = spec.template.metadata.unwrap().labels.unwrap();
        for (key, value) in spec.selector.match_labels.unwrap() {
            assert_eq!(labels[&key], value);
        }
    }
}
