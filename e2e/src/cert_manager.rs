//! cert-manager's manifests, rendered from the chart inside its own Go module.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::{self, Cache, Key};
use crate::{components, process, versions};

/// The manifests, CRDs first; rendered once a version.
pub fn manifests(cache: &Cache) -> anyhow::Result<String> {
    let key = Key::default().with(versions::CERT_MANAGER).with(versions::HELM).with(include_str!("cert_manager.rs"));
    let path = cache.root().join("manifests").join(format!("cert-manager-{}.yaml", key.short()));
    if !path.exists() {
        cache::write(&path, render(cache)?.as_bytes())?;
    }
    Ok(std::fs::read_to_string(path)?)
}

fn render(cache: &Cache) -> anyhow::Result<String> {
    let helm = components::HELM.ensure(cache)?;
    let version = format!("v{}", versions::CERT_MANAGER);
    let sources = components::module_sources(cache, "github.com/cert-manager/cert-manager", versions::CERT_MANAGER)?;

    // Modules are read-only, and the chart gets its version only when it is packaged, as upstream does.
    let work = tempfile::tempdir_in(cache.root())?;
    let chart = work.path().join("chart");
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--no-preserve=mode"]).arg(sources.join("deploy/charts/cert-manager")).arg(&chart);
    process::read(&copy, Duration::from_mins(1))?;
    let mut package = helm_in(&helm, work.path());
    package.args(["package", "--version", &version, "--app-version", &version, "--destination", ".", "chart"]);
    process::read(&package, Duration::from_mins(1))?;

    let template = |arguments: &[&str]| {
        let mut template = helm_in(&helm, work.path());
        template
            .args(["template", "--namespace=cert-manager", "--set=creator=static"])
            .arg(format!("--kube-version={}", versions::KUBERNETES))
            // A job that only waits; the harness waits itself.
            .arg("--set=startupapicheck.enabled=false")
            .args(arguments)
            .args(["cert-manager", &format!("cert-manager-{version}.tgz")]);
        process::read(&template, Duration::from_mins(1))
    };
    let definitions = template(&["--set=crds.enabled=true", "--show-only=templates/crd-*.yaml"])?;
    let rest = template(&[])?;
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: cert-manager}\n";
    Ok(format!("{namespace}---\n{definitions}\n---\n{rest}"))
}

fn helm_in(helm: &Path, folder: &Path) -> Command {
    let mut command = Command::new(PathBuf::from(helm));
    command.current_dir(folder).env("HOME", folder);
    command
}
