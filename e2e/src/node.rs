//! The one node: kind makes it, and here it is looked at, made, and taken away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cache::{self, Cache, Key};
use crate::components;
use crate::kubectl::Kubectl;
use crate::node_health::{Answer, Record, Sight, Verdict, judge};
use crate::progress::say;
use crate::provider::{Kind, Provider};
use crate::{process, versions};

/// The cluster's name.
pub const CLUSTER: &str = "whiteboard";
/// The name of its node and of the node's container.
pub const NODE: &str = "whiteboard-control-plane";
/// The network that kind makes for its nodes.
pub const NETWORK: &str = "kind";
/// Where the API server of the node writes who wrote what.
pub const AUDIT_LOG: &str = "/var/log/kubernetes/audit.log";

/// Where kubectl finds the cluster.
pub fn kubeconfig(cache: &Cache) -> PathBuf {
    cache.cluster().join("kubeconfig")
}

fn record_path(cache: &Cache) -> PathBuf {
    cache.cluster().join("complete.json")
}

fn record(cache: &Cache) -> Option<Record> {
    serde_json::from_slice(&std::fs::read(record_path(cache)).ok()?).ok()
}

/// kubectl of the cluster's own release.
pub fn kubectl(cache: &Cache) -> anyhow::Result<Kubectl> {
    let program = components::link(cache, &components::KUBE.ensure(cache)?, "kubectl")?;
    Ok(Kubectl::new(&program, &kubeconfig(cache)))
}

/// Looks at what is there.
pub fn look(cache: &Cache, provider: &Provider, recipe: &str) -> anyhow::Result<Verdict> {
    let container = provider.container(NODE)?;
    let record = record(cache);
    let mut sight = Sight { container, record, recipe: recipe.to_owned(), answer: Answer::Ready };
    // Only a cluster that looks right otherwise is worth the seconds that a silent API server costs.
    if judge(&sight) == Verdict::Usable {
        sight.answer = answer(&kubectl(cache)?);
    }
    Ok(judge(&sight))
}

/// Whether the cluster that was completed last is up now: for commands that use it and do not make it.
pub fn usable(cache: &Cache, provider: &Provider) -> anyhow::Result<Verdict> {
    let recipe = record(cache).map(|record| record.recipe).unwrap_or_default();
    look(cache, provider, &recipe)
}

fn answer(kubectl: &Kubectl) -> Answer {
    let patience = Instant::now();
    let mut best = Answer::Silence;
    // A busy moment is no death: a few tries, all within twelve seconds.
    while patience.elapsed() < Duration::from_secs(12) {
        let arguments = [
            "--request-timeout=3s",
            "get",
            "nodes",
            "--output=jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}",
        ];
        match process::read(&kubectl.command(&arguments), Duration::from_secs(4)) {
            Ok(status) if status.trim() == "True" => return Answer::Ready,
            Ok(_) => best = Answer::NodeNotReady,
            Err(process::ProcessError::Interrupted) => return best,
            Err(_) => {}
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    best
}

/// Everything that a cluster is made from: another image or configuration makes another cluster.
pub fn recipe(cache: &Cache, image: &str) -> String {
    Key::default()
        .with(versions::KIND)
        .with(image)
        .with(configuration(&audit_folder(cache)))
        .with(include_str!("../addons/audit-policy.yaml"))
        .short()
}

fn audit_folder(cache: &Cache) -> PathBuf {
    cache.cluster().join("audit")
}

/// Makes the cluster. Only when kind is through with it is it written down as complete.
pub fn create(cache: &Cache, provider: &Provider, image: &str) -> anyhow::Result<()> {
    cache::write(&audit_folder(cache).join("policy.yaml"), include_bytes!("../addons/audit-policy.yaml"))?;
    let file = cache.cluster().join("kind.yaml");
    cache::write(&file, configuration(&audit_folder(cache)).as_bytes())?;
    let kind = components::link(cache, &components::KIND.ensure(cache)?, "kind")?;
    let mut create = provider.prepare(Command::new(kind));
    create
        .args(["create", "cluster", "--name", CLUSTER, "--image", image, "--wait", "120s", "--config"])
        .arg(&file)
        .arg("--kubeconfig")
        .arg(kubeconfig(cache))
        // kind keeps a lock beside the default kubeconfig and reads it otherwise.
        .env("KUBECONFIG", kubeconfig(cache));
    let title = format!("starting Kubernetes {}", versions::KUBERNETES);
    process::long(&title, Some(Duration::from_secs(20)), &cache.log("kind-create"), &create)?;
    let container = provider.container(NODE)?.context("kind made no node")?;
    let record = Record { container: container.id, recipe: recipe(cache, image) };
    cache::write(&record_path(cache), &serde_json::to_vec_pretty(&record)?)?;
    Ok(())
}

/// Takes the node away, whatever state it is in, with its volumes and what was written down about it.
pub fn delete(cache: &Cache, provider: &Provider) -> anyhow::Result<()> {
    // Written down as incomplete before anything is touched, so that a kill in between is seen.
    for path in [record_path(cache), kubeconfig(cache)] {
        if path.exists() {
            std::fs::remove_file(&path).with_context(|| format!("Deleting {} failed", path.display()))?;
        }
    }
    if provider.container(NODE)?.is_some() {
        let mut remove = provider.command();
        remove.args(["rm", "--force", "--volumes"]);
        if provider.kind() == Kind::Podman {
            // Docker kills at once; Podman would give ten seconds to what has nothing to save.
            remove.args(["--time", "0"]);
        }
        remove.arg(NODE);
        process::read(&remove, Duration::from_mins(2)).context("Deleting the node's container failed")?;
        say("deleted the node");
    }
    // kind makes the node's /var for Podman as a volume with a label: a gigabyte that does not go with the container.
    for volume in provider.volumes_labelled(NODE)? {
        let mut remove = provider.command();
        remove.args(["volume", "rm", "--force", &volume]);
        process::read(&remove, Duration::from_mins(2)).context("Deleting the node's volume failed")?;
    }
    Ok(())
}

/// Forgets node images of earlier recipes: 800 MB each. One that another cluster uses stays.
pub fn forget_older_images(provider: &Provider, current: &str) -> anyhow::Result<()> {
    for image in provider.images_like("kindest/node")?.iter().filter(|image| is_older(image, current)) {
        let mut remove = provider.command();
        remove.args(["image", "rm", image]);
        let _ = process::read(&remove, Duration::from_mins(1));
    }
    Ok(())
}

/// Only images that were made here, whose tag ends in twelve hexadecimal digits: a pulled one is not ours to delete.
fn is_older(image: &str, current: &str) -> bool {
    let made_here = image
        .rsplit_once('-')
        .is_some_and(|(_, key)| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    made_here && image != current
}

/// The node's address, where Traefik answers on 80 and 443.
pub fn address(kubectl: &Kubectl) -> anyhow::Result<String> {
    let path = "--output=jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}";
    let address = kubectl.read(&["get", "nodes", path])?.trim().to_owned();
    anyhow::ensure!(!address.is_empty(), "The node has no address.");
    Ok(address)
}

fn configuration(audit: &Path) -> String {
    format!(
        r"kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraMounts:
      - {{hostPath: {audit}, containerPath: /etc/kubernetes/audit, readOnly: true}}
# Patches of this sort add to kind's own lists; the other sort would replace them.
kubeadmConfigPatchesJSON6902:
  - group: kubeadm.k8s.io
    version: v1beta4
    kind: ClusterConfiguration
    patch: |
      - {{op: add, path: /apiServer/extraArgs/-, value: {{name: audit-policy-file, value: /etc/kubernetes/audit/policy.yaml}}}}
      - {{op: add, path: /apiServer/extraArgs/-, value: {{name: audit-log-path, value: {AUDIT_LOG}}}}}
      - op: add
        path: /apiServer/extraVolumes
        value:
          - {{name: audit-policy, hostPath: /etc/kubernetes/audit, mountPath: /etc/kubernetes/audit, readOnly: true, pathType: Directory}}
          - {{name: audit-log, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes, pathType: DirectoryOrCreate}}
",
        audit = audit.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_mounts_the_policy_and_names_the_log() {
        let text = configuration(Path::new("/cache/cluster/audit"));
        assert!(
            text.contains("{hostPath: /cache/cluster/audit, containerPath: /etc/kubernetes/audit, readOnly: true}")
        );
        assert!(text.contains("value: /var/log/kubernetes/audit.log}"));
    }

    #[test]
    fn another_image_is_another_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        assert_eq!(recipe(&cache, "a"), recipe(&cache, "a"));
        assert_ne!(recipe(&cache, "a"), recipe(&cache, "b"));
    }

    #[test]
    fn only_images_made_here_by_another_recipe_are_forgotten() {
        let current = "docker.io/kindest/node:v1.36.3-0123456789ab";
        for (image, expected) in [
            (current, false),
            ("docker.io/kindest/node:v1.36.3-ba9876543210", true),
            ("docker.io/kindest/node:v1.36.3", false),
            ("docker.io/kindest/node:v1.36.3-my-own", false),
        ] {
            assert_eq!(is_older(image, current), expected, "{image}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        assert!(record(&cache).is_none());
        cache::write(&record_path(&cache), b"{ half").unwrap();
        assert!(record(&cache).is_none());
        let whole = Record { container: "c".into(), recipe: "r".into() };
        cache::write(&record_path(&cache), &serde_json::to_vec(&whole).unwrap()).unwrap();
        assert_eq!(record(&cache), Some(whole));
    }
}
