use std::collections::BTreeMap;

use crds::Quantity;
use k8s_openapi::api::core::v1::{
    Capabilities, Container, KeyToPath, LocalObjectReference, PersistentVolumeClaimVolumeSource, PodSecurityContext,
    PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::names;
use crate::validate::Site;

/// User and group of every process of a site; the images carry the same number.
const USER: i64 = 65_532;

/// What every pod of a site shares: Pod Security `restricted`, no token, placement and labels of the resource.
pub fn template(site: &Site, component: &str, container: Container, volumes: Vec<Volume>) -> PodTemplateSpec {
    let mut labels = site.spec.pod_labels.clone();
    labels.extend(names::component_labels(&site.name, component));
    let secrets = site.spec.image_pull_secrets.iter();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: (!site.spec.pod_annotations.is_empty()).then(|| site.spec.pod_annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(site.name.clone()),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            image_pull_secrets: (!site.spec.image_pull_secrets.is_empty())
                .then(|| secrets.map(|secret| LocalObjectReference { name: secret.name.clone() }).collect()),
            node_selector: (!site.spec.node_selector.is_empty()).then(|| site.spec.node_selector.clone()),
            tolerations: (!site.spec.tolerations.is_empty()).then(|| site.spec.tolerations.clone()),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(USER),
                run_as_group: Some(USER),
                fs_group: Some(USER),
                fs_group_change_policy: Some("OnRootMismatch".to_owned()),
                seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
                ..PodSecurityContext::default()
            }),
            containers: vec![container],
            volumes: Some(volumes),
            ..PodSpec::default()
        }),
    }
}

/// A container of the site's image. Its last words become its termination message, which the status repeats.
pub fn container(site: &Site, name: &str, arguments: Vec<String>) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(site.image.clone()),
        image_pull_policy: site.spec.image_pull_policy.map(|policy| policy.as_str().to_owned()),
        args: Some(arguments),
        resources: Some(ResourceRequirements {
            requests: quantities(&site.spec.resources.requests),
            limits: quantities(&site.spec.resources.limits),
            claims: None,
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn quantities(amounts: &BTreeMap<String, Quantity>) -> Option<BTreeMap<String, ApiQuantity>> {
    (!amounts.is_empty())
        .then(|| amounts.iter().map(|(name, amount)| (name.clone(), ApiQuantity(amount.0.clone()))).collect())
}

/// A volume from a claim.
pub fn claim_volume(name: &str, claim: String) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name: claim, read_only: None }),
        ..Volume::default()
    }
}

/// The generated token as a file, for the group of the pod's user alone.
pub fn keys_volume(site: &Site) -> Volume {
    let token = names::ADMIN_TOKEN.to_owned();
    Volume {
        name: "keys".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(names::keys(&site.name)),
            items: Some(vec![KeyToPath { key: token.clone(), path: token, mode: None }]),
            default_mode: Some(0o440),
            optional: None,
        }),
        ..Volume::default()
    }
}

#[cfg(test)]
pub mod tests_support {
    use super::*;

    /// The rules of the Pod Security Standard `restricted`, and ours beyond it.
    pub fn assert_restricted(pod: &PodSpec) {
        let context = pod.security_context.as_ref().unwrap();
        assert_eq!(context.run_as_non_root, Some(true));
        assert_ne!(context.run_as_user, Some(0));
        assert_eq!(context.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
        assert_eq!(pod.automount_service_account_token, Some(false));
        assert!(pod.host_network.is_none() && pod.host_pid.is_none() && pod.host_ipc.is_none());
        for volume in pod.volumes.iter().flatten() {
            assert!(volume.host_path.is_none(), "{}", volume.name);
        }
        for container in &pod.containers {
            let context = container.security_context.as_ref().unwrap();
            assert_eq!(context.allow_privilege_escalation, Some(false));
            assert_eq!(context.read_only_root_filesystem, Some(true));
            let capabilities = context.capabilities.as_ref().unwrap();
            assert_eq!(capabilities.drop.as_deref(), Some(&["ALL".to_owned()][..]));
            assert!(capabilities.add.is_none());
            for port in container.ports.iter().flatten() {
                assert!(port.host_port.is_none());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn labels_of_the_resource_never_replace_our_own() {
        let mut site = site("{}");
        site.spec.pod_labels = BTreeMap::from([
            (names::INSTANCE.to_owned(), "another".to_owned()),
            ("team".to_owned(), "physics".to_owned()),
        ]);
        let template = template(&site, names::SERVER, container(&site, "server", vec![]), vec![]);
        let labels = template.metadata.unwrap().labels.unwrap();
        assert_eq!(labels[names::INSTANCE], "physics");
        assert_eq!(labels["team"], "physics");
    }

    #[test]
    fn placement_and_secrets_reach_the_pod() {
        let site = site(
            r#"{"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "arm", "operator": "Exists"}],
                "imagePullSecrets": [{"name": "registry"}], "podAnnotations": {"a": "b"}, "imagePullPolicy": "Always"}"#,
        );
        let template = template(&site, names::SERVER, container(&site, "server", vec![]), vec![]);
        assert_eq!(template.metadata.unwrap().annotations.unwrap()["a"], "b");
        let spec = template.spec.unwrap();
        assert_eq!(spec.node_selector.unwrap()["disk"], "ssd");
        assert_eq!(spec.tolerations.unwrap()[0].key.as_deref(), Some("arm"));
        assert_eq!(spec.image_pull_secrets.unwrap()[0].name, "registry");
        assert_eq!(spec.containers[0].image_pull_policy.as_deref(), Some("Always"));
    }
}
