//! kind's node image: the public one where it can be pulled, else one made here from Debian packages and programs
//! of our own building. Either ends as an image in the provider's store.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::archive::{self, Config, Item};
use crate::cache::{Cache, Key};
use crate::components::{self, COREDNS, KUBE, LOCAL_PATH_PROVISIONER};
use crate::progress::say;
use crate::provider::Provider;
use crate::{process, registry, versions};

/// The name of the image that kind starts; built or pulled when it is not there.
pub fn ensure(cache: &Cache, provider: &Provider) -> anyhow::Result<String> {
    let public = format!("docker.io/kindest/node:v{}", versions::KUBERNETES);
    if provider.has_image(&public) {
        return Ok(public);
    }
    if registry::answers("docker.io") {
        let mut pull = provider.command();
        pull.args(["pull", &public]);
        match process::long(&format!("pulling {public}"), None, &cache.log("node-image-pull"), &pull) {
            Ok(()) => return Ok(public),
            Err(process::ProcessError::Interrupted) => return Err(process::ProcessError::Interrupted.into()),
            Err(error) => say(&format!("{public} cannot be pulled, so it is built here. {error}")),
        }
    }
    let own = format!("docker.io/kindest/node:v{}-{}", versions::KUBERNETES, key(cache)?);
    if !provider.has_image(&own) {
        // Before the lock is taken: each of them takes it for itself.
        let programs = Programs {
            kube: KUBE.ensure(cache)?,
            coredns: COREDNS.ensure(cache)?,
            local_path: LOCAL_PATH_PROVISIONER.ensure(cache)?,
        };
        let _building = cache.lock("build")?;
        build(cache, provider, &own, &programs)?;
    }
    Ok(own)
}

fn folder() -> PathBuf {
    crate::repository().join("e2e/node")
}

/// Everything that goes into the image, how it is put together included.
fn key(cache: &Cache) -> anyhow::Result<String> {
    let mut key = Key::default().with(versions::KIND).with(versions::PAUSE).with(include_str!("node_image.rs"));
    for component in [&KUBE, &COREDNS, &LOCAL_PATH_PROVISIONER] {
        key = key.with(component.path(cache)?.as_os_str().as_encoded_bytes());
    }
    Ok(key.with(std::fs::read("/etc/os-release").unwrap_or_default()).with_folder(&folder())?.short())
}

/// What was built for the node.
struct Programs {
    kube: PathBuf,
    coredns: PathBuf,
    local_path: PathBuf,
}

fn build(cache: &Cache, provider: &Provider, image: &str, programs: &Programs) -> anyhow::Result<()> {
    let Programs { kube, coredns, local_path } = programs;
    let kind = components::module_sources(cache, "sigs.k8s.io/kind", versions::KIND)?;
    let version = format!("v{}", versions::KUBERNETES);

    // About 1.5 GB, gone again when this ends.
    let work = tempfile::Builder::new().prefix("node-image-").tempdir_in(cache.root())?;
    let rootfs = work.path().join("rootfs");
    let archives = work.path().join("archives");
    std::fs::create_dir(&archives)?;

    let mut script = Command::new(folder().join("rootfs.sh"));
    script.arg(&rootfs).arg(&kind).arg(kube).arg(&version);
    process::long(
        "node image: Debian and Kubernetes",
        Some(Duration::from_secs(50)),
        &cache.log("node-rootfs"),
        &script,
    )?;

    let layer = work.path().join("kube");
    std::fs::create_dir(&layer)?;
    let mut script = Command::new(folder().join("kube-layer.sh"));
    script.arg(&rootfs).arg(&layer).arg(kube);
    process::quiet(&cache.log("node-kube-layer"), &script)?;
    let pause = work.path().join("pause");
    let mut compile = Command::new("cc");
    compile.args(["-Os", "-static", "-o"]).arg(&pause).arg(folder().join("pause.c"));
    process::quiet(&cache.log("node-pause"), &compile)?;

    let names = image_names(kube, work.path(), &version)?;
    let write = |file: &str, names: &[String], entrypoint: &str, items: &[Item<'_>]| {
        let entrypoint = Some(entrypoint.to_owned()).filter(|path| !path.is_empty()).into_iter().collect();
        archive::write(&archives.join(file), names, &Config { entrypoint, user: String::new() }, items)
            .with_context(|| format!("Writing the image archive {file} failed"))
    };
    write("kube.tar", &names.kube, "", &[Item::Tree(&layer)])?;
    write("coredns.tar", &[names.coredns], "/coredns", &[Item::Program { from: coredns, to: "/coredns" }])?;
    let pause_name = format!("registry.k8s.io/pause:{}", versions::PAUSE);
    write("pause.tar", &[pause_name], "/pause", &[Item::Program { from: &pause, to: "/pause" }])?;
    let shell = work.path().join("busybox");
    busybox_tree(&shell)?;
    write("helper.tar", &["docker.io/kindest/local-path-helper:local".into()], "/bin/sh", &[Item::Tree(&shell)])?;
    let program = Item::Program { from: local_path, to: "/usr/local/bin/local-path-provisioner" };
    write("local-path.tar", &["docker.io/kindest/local-path-provisioner:local".into()], "", &[program])?;

    let mut preload = Command::new("unshare");
    preload.args(["--mount", "--pid", "--fork", "--kill-child"]);
    preload.arg(folder().join("preload.sh")).arg(&rootfs).arg(&archives);
    process::long(
        "node image: loading the images of Kubernetes",
        Some(Duration::from_secs(20)),
        &cache.log("node-preload"),
        &preload,
    )?;

    let mut import = provider.prepare(Command::new("bash"));
    import
        .args(["-c", r#"set -o pipefail; tar --directory "$1" --numeric-owner --xattrs --create . | "$2" import --change "ENV container=$2" --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' - "$3""#, "import"])
        .arg(&rootfs)
        .args([provider.name(), image]);
    process::long("node image: storing it", Some(Duration::from_secs(12)), &cache.log("node-import"), &import)?;
    Ok(())
}

struct ImageNames {
    kube: Vec<String>,
    coredns: String,
}

/// The names that kubeadm will ask the node for; kubeadm itself tells them.
fn image_names(kube: &Path, work: &Path, version: &str) -> anyhow::Result<ImageNames> {
    let kubeadm = components::link_in(work, kube, "kubeadm")?;
    let mut list = Command::new(kubeadm);
    list.args(["config", "images", "list", "--kubernetes-version", version]);
    let answer = process::read(&list, Duration::from_secs(30))?;
    sort_names(&answer).with_context(|| format!("kubeadm named unexpected images:\n{answer}"))
}

fn sort_names(list: &str) -> Option<ImageNames> {
    let names = || list.lines().map(str::trim).filter(|name| name.starts_with("registry.k8s.io/"));
    let is_coredns = |name: &&str| name.contains("/coredns/");
    let is_pause = |name: &&str| name.contains("/pause:");
    let kube: Vec<String> =
        names().filter(|name| !is_coredns(name) && !is_pause(name)).map(ToOwned::to_owned).collect();
    // etcd and four parts of Kubernetes: anything else means that this recipe no longer fits.
    (kube.len() == 5).then_some(())?;
    Some(ImageNames { kube, coredns: names().find(is_coredns)?.to_owned() })
}

/// Busybox under the names of all its commands, from Debian's static package.
pub fn busybox_tree(root: &Path) -> anyhow::Result<()> {
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin)?;
    std::fs::copy("/bin/busybox", bin.join("busybox")).context("/bin/busybox is missing (package busybox-static)")?;
    let mut list = Command::new("/bin/busybox");
    list.arg("--list");
    for name in process::read(&list, Duration::from_secs(10))?.lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", bin.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "registry.k8s.io/kube-apiserver:v1.36.3\nregistry.k8s.io/kube-controller-manager:v1.36.3\n\
        registry.k8s.io/kube-scheduler:v1.36.3\nregistry.k8s.io/kube-proxy:v1.36.3\n\
        registry.k8s.io/coredns/coredns:v1.14.2\nregistry.k8s.io/pause:3.10.2\nregistry.k8s.io/etcd:3.6.8-0\n";

    #[test]
    fn kubeadms_images_are_sorted_by_what_they_are_made_of() {
        let names = sort_names(LISTED).unwrap();
        assert_eq!(names.coredns, "registry.k8s.io/coredns/coredns:v1.14.2");
        assert_eq!(names.kube.len(), 5);
        assert!(names.kube.contains(&"registry.k8s.io/etcd:3.6.8-0".to_owned()));
    }

    #[test]
    fn a_list_that_does_not_fit_is_refused() {
        assert!(sort_names("").is_none());
        assert!(sort_names(&LISTED.replace("coredns/coredns", "dns")).is_none());
        assert!(sort_names(&format!("{LISTED}registry.k8s.io/new-part:v1\n")).is_none());
    }
}
