//! What `up` changes on this machine outside its cache, written down before, so that `down` can put it back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::cache::{self, Cache};
use crate::process;
use crate::progress::say;
use crate::{firewall, hosts_file};

const QUESTION: Duration = Duration::from_secs(20);
/// kind mounts this folder into its nodes; kernels without modules come without it.
const MODULES: &str = "/lib/modules";
/// Each pod of a node watches files: Linux's default of 128 watchers a user is too few for one node.
const WATCHERS: (&str, u64) = ("/proc/sys/fs/inotify/max_user_instances", 1024);

/// This machine before the first `up`.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Host {
    /// Kernel settings by their files below `/proc/sys`.
    settings: BTreeMap<PathBuf, String>,
    /// Packet filter rules as `iptables-save` and `ip6tables-save` print them, by the program that restores them.
    rules: BTreeMap<String, String>,
    /// Whether the network of kind was there already.
    network: bool,
    /// Mount points that the provider makes.
    mounts: Vec<PathBuf>,
    /// Links that a bridge network leaves behind.
    links: Vec<String>,
    /// Whether `/lib/modules` was there.
    modules: bool,
}

fn path(cache: &Cache) -> PathBuf {
    cache.cluster().join("host-before.json")
}

/// The settings that a cluster changes: itself, or through CNI's plugins and the provider.
fn watched_settings() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = vec![
        WATCHERS.0.into(),
        // The kubelet sets these three for the whole machine.
        "/proc/sys/kernel/panic".into(),
        "/proc/sys/kernel/panic_on_oops".into(),
        "/proc/sys/vm/overcommit_memory".into(),
        "/proc/sys/net/ipv4/ip_forward".into(),
        "/proc/sys/net/ipv6/conf/all/forwarding".into(),
        "/proc/sys/net/bridge/bridge-nf-call-iptables".into(),
        "/proc/sys/net/bridge/bridge-nf-call-ip6tables".into(),
    ];
    // Switching ip_forward resets these of every interface.
    for folder in std::fs::read_dir("/proc/sys/net/ipv4/conf").into_iter().flatten().flatten() {
        for name in ["forwarding", "accept_redirects", "send_redirects", "route_localnet"] {
            files.push(folder.path().join(name));
        }
    }
    files
}

/// Writes down how this machine is, unless that was done before the cluster that is there now.
pub fn remember(cache: &Cache, network: bool) -> anyhow::Result<()> {
    if path(cache).exists() {
        return Ok(());
    }
    let host = Host {
        settings: watched_settings()
            .into_iter()
            .filter_map(|file| Some((file.clone(), std::fs::read_to_string(&file).ok()?.trim().to_owned())))
            .collect(),
        rules: ["iptables", "ip6tables"].iter().map(|program| ((*program).to_owned(), rules(program))).collect(),
        network,
        mounts: provider_mounts(),
        links: links(),
        modules: Path::new(MODULES).exists(),
    };
    cache::write(&path(cache), &serde_json::to_vec_pretty(&host)?)?;
    Ok(())
}

/// Gives this machine what a node needs of it.
pub fn prepare() -> anyhow::Result<()> {
    let (file, wanted) = WATCHERS;
    let now: u64 = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(wanted);
    if now < wanted && std::fs::write(file, wanted.to_string()).is_err() {
        say(&format!("{file} is {now} and cannot be raised to {wanted}; should pods fail to start, raise it."));
    }
    if !Path::new(MODULES).exists() {
        std::fs::create_dir(MODULES).with_context(|| format!("kind wants {MODULES}, and making it failed"))?;
    }
    Ok(())
}

/// Whether the network of kind may be deleted: it was not there before. Unknown counts as ours, because only a
/// run that was killed in its first moment leaves a network and no record.
pub fn network_is_ours(cache: &Cache) -> bool {
    read(cache).is_none_or(|host| !host.network)
}

fn read(cache: &Cache) -> Option<Host> {
    serde_json::from_slice(&std::fs::read(path(cache)).ok()?).ok()
}

/// Puts back what differs from what was written down. To be called when nothing of the cluster runs any more.
pub fn restore(cache: &Cache) -> anyhow::Result<()> {
    let Some(before) = read(cache) else { return Ok(()) };
    for (program, rules_before) in &before.rules {
        for (table, arguments) in firewall::leftovers(rules_before, &rules(program)) {
            let mut undo = Command::new(program);
            undo.args(["--wait", "--table", &table]).args(&arguments);
            process::read(&undo, QUESTION).with_context(|| format!("Taking back a rule of {program} failed"))?;
        }
    }
    drop_empty_tables(&before);
    for link in links().into_iter().filter(|link| !before.links.contains(link)) {
        let mut delete = Command::new("ip");
        delete.args(["link", "delete", &link]);
        process::read(&delete, QUESTION).with_context(|| format!("Deleting the link {link} failed"))?;
    }
    for mount in provider_mounts().iter().rev().filter(|mount| !before.mounts.contains(mount)) {
        let mut unmount = Command::new("umount");
        unmount.arg(mount);
        process::read(&unmount, QUESTION).with_context(|| format!("Unmounting {} failed", mount.display()))?;
    }
    // ip_forward first (BTreeMap: "…/conf" sorts before "…/ip_forward"): switching it resets the others.
    for (file, value) in before.settings.iter().rev() {
        let now = std::fs::read_to_string(file).unwrap_or_default();
        if file.exists() && now.trim() != value {
            std::fs::write(file, value).with_context(|| format!("Setting {} back failed", file.display()))?;
        }
    }
    if !before.modules {
        // Only if it is still empty: whatever lies in it now is not ours.
        let _ = std::fs::remove_dir(MODULES);
    }
    std::fs::remove_file(path(cache)).context("Forgetting the state before the cluster failed")?;
    Ok(())
}

fn rules(program: &str) -> String {
    if !process::on_path(program) {
        return String::new();
    }
    process::read(&Command::new(format!("{program}-save")), QUESTION).unwrap_or_default()
}

/// `iptables` makes whole tables by looking at them; where there was none before and nothing is in them, `nft`
/// takes them away again.
fn drop_empty_tables(before: &Host) {
    if !process::on_path("nft") {
        return;
    }
    for (program, family) in [("iptables", "ip"), ("ip6tables", "ip6")] {
        let had = before.rules.get(program).map(String::as_str).unwrap_or_default();
        for table in
            firewall::empty_tables(&rules(program)).into_iter().filter(|table| !had.contains(&format!("*{table}\n")))
        {
            let mut delete = Command::new("nft");
            delete.args(["delete", "table", family, &table]);
            let _ = process::read(&delete, QUESTION);
        }
    }
}

fn provider_mounts() -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    // CNI binds the folder of network namespaces onto itself.
    let is_providers = |mount: &PathBuf| mount.starts_with("/var/lib/containers") || mount == Path::new("/run/netns");
    mount_points(&table).filter(is_providers).collect()
}

fn mount_points(table: &str) -> impl Iterator<Item = PathBuf> + '_ {
    table.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from)
}

/// Bridges and the host's ends of pairs to containers, by name.
fn links() -> Vec<String> {
    let names = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| is_container_link(name)).collect()
}

fn is_container_link(name: &str) -> bool {
    ["cni-podman", "podman", "veth"].iter().any(|prefix| name.starts_with(prefix))
}

/// The file of names that every program of this machine reads.
pub const HOSTS: &str = "/etc/hosts";

/// Gives the sample's name the node's address, or takes the line away where there is no address.
pub fn name_the_node(address: Option<&str>) -> anyhow::Result<()> {
    let now = std::fs::read_to_string(HOSTS).with_context(|| format!("Reading {HOSTS} failed"))?;
    let wanted = hosts_file::with_site(&now, address);
    if wanted != now {
        // In place and not by a rename: in a container the file is a mount of its own.
        std::fs::write(HOSTS, wanted).with_context(|| format!("Writing {HOSTS} failed"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_containers_are_told_from_the_machines_own() {
        for (name, expected) in [
            ("cni-podman1", true),
            ("podman0", true),
            ("veth1a2b", true),
            ("eth0", false),
            ("lo", false),
            ("docker0", false),
        ] {
            assert_eq!(is_container_link(name), expected, "{name}");
        }
    }

    #[test]
    fn mount_points_are_the_second_word() {
        let table = "proc /proc proc rw 0 0\noverlay /var/lib/containers/storage/overlay ext4 rw 0 0\n";
        let found: Vec<PathBuf> = mount_points(table).collect();
        assert_eq!(found, [PathBuf::from("/proc"), "/var/lib/containers/storage/overlay".into()]);
    }

    #[test]
    fn the_state_before_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        assert!(network_is_ours(&cache));
        remember(&cache, true).unwrap();
        assert!(!network_is_ours(&cache));
        remember(&cache, false).unwrap();
        assert!(!network_is_ours(&cache), "a second run must not take the changed machine for the original");
        let host = read(&cache).unwrap();
        assert!(host.settings.contains_key(Path::new("/proc/sys/net/ipv4/ip_forward")));
    }
}
