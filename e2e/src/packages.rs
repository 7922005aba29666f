//! Debian packages that the harness calls the programs of: installed when missing, by root on Debian and its like.

use std::process::Command;
use std::time::Duration;

use crate::cache::Cache;
use crate::process::{self, ProcessError};
use crate::progress::say;
use crate::provider::{Kind, Provider};

/// Why a package is not there and was not installed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Not root, or no apt: the person has to do it.
    #[error("These programs are missing: {}. As root on Debian or Ubuntu this installs them by itself; here, install the packages {} in your system's way.", .programs.join(", "), .packages.join(", "))]
    NotOurs { programs: Vec<&'static str>, packages: Vec<&'static str> },
    /// apt refused.
    #[error("{0}")]
    Apt(#[from] ProcessError),
}

/// A program that is called, and the package that has it.
const ALWAYS: &[(&str, &str)] = &[
    ("busybox", "busybox-static"),
    ("cc", "gcc"),
    ("curl", "curl"),
    ("debootstrap", "debootstrap"),
    ("jq", "jq"),
    ("setpriv", "util-linux"),
    ("tar", "tar"),
    ("unshare", "util-linux"),
];

/// Only where Podman is the provider. runc, because crun sets limits that not every machine grants.
const WITH_PODMAN: &[(&str, &str)] = &[
    ("buildah", "buildah"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("podman", "podman"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
];

/// Only for the tests of the web client. A font, for what pages write themselves.
const BROWSER: &[(&str, &str)] =
    &[("/usr/bin/chromium", "chromium"), ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "fonts-dejavu-core")];

/// Installs what is missing for this provider.
pub fn ensure(cache: &Cache, provider: &Provider) -> Result<(), PackageError> {
    let podman: &[_] = if provider.kind() == Kind::Podman { WITH_PODMAN } else { &[] };
    install(cache, &[ALWAYS, podman])
}

/// Installs a browser, unless `CHROMIUM` names one.
pub fn ensure_browser(cache: &Cache) -> Result<(), PackageError> {
    if std::env::var_os("CHROMIUM").is_some() { Ok(()) } else { install(cache, &[BROWSER]) }
}

fn install(cache: &Cache, tables: &[&[Pair]]) -> Result<(), PackageError> {
    let missing = missing(tables, process::on_path);
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&'static str> = missing.iter().map(|(_, package)| *package).collect();
    // Static linking of the pause program, and what `gcc` alone does not bring.
    if packages.contains(&"gcc") {
        packages.push("libc6-dev");
    }
    packages.sort_unstable();
    packages.dedup();
    if !nix::unistd::geteuid().is_root() || !process::on_path("apt-get") {
        return Err(PackageError::NotOurs {
            programs: missing.iter().map(|(program, _)| *program).collect(),
            packages,
        });
    }
    say(&format!("installing Debian packages: {}", packages.join(", ")));
    let mut install = apt();
    install.args(["install", "--yes", "--no-install-recommends"]).args(&packages);
    // Package lists may be absent or old: fetched when installing fails, not each time.
    let log = cache.log("apt-install");
    match process::long("installing Debian packages", Some(Duration::from_secs(30)), &log, &install) {
        Err(ProcessError::Failed { .. }) => {
            let mut update = apt();
            update.arg("update");
            process::long("updating the lists of packages", None, &cache.log("apt-update"), &update)?;
            Ok(process::long("installing Debian packages", Some(Duration::from_secs(30)), &log, &install)?)
        }
        other => Ok(other?),
    }
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

type Pair = (&'static str, &'static str);

fn missing(tables: &[&[Pair]], there: impl Fn(&str) -> bool) -> Vec<Pair> {
    tables.iter().flat_map(|table| table.iter()).filter(|(program, _)| !there(program)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named() {
        assert_eq!(missing(&[ALWAYS, WITH_PODMAN], |_| true), []);
        assert_eq!(missing(&[ALWAYS, WITH_PODMAN], |program| program != "podman"), [("podman", "podman")]);
        assert_eq!(missing(&[ALWAYS], |_| false).len(), ALWAYS.len());
    }

    #[test]
    fn whoever_cannot_install_is_told_what_to_install() {
        let message = PackageError::NotOurs { programs: vec!["jq", "cc"], packages: vec!["gcc", "jq"] }.to_string();
        assert!(message.contains("missing: jq, cc.") && message.contains("packages gcc, jq"), "{message}");
    }
}
