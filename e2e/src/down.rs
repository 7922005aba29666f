//! `e2e/down`: the machine as it was before `e2e/up`, whatever state the cluster is in.

use std::time::Duration;

use anyhow::Context;

use crate::cache::Cache;
use crate::process::ProcessError;
use crate::progress::{say, spoken};
use crate::provider::Provider;
use crate::{host, node, process, progress};

/// Takes everything away that `up` started or changed; with `purge` also what it built and stored.
pub fn down(purge: bool) -> anyhow::Result<()> {
    let cache = Cache::locate()?;
    let _alone = cache.lock("cluster")?;
    take_down(&cache, purge)?;
    if purge {
        delete_stored(&cache)?;
    } else {
        say(&format!(
            "built programs and images stay in {}; `e2e/down --purge` deletes them too",
            cache.root().display()
        ));
    }
    say(&format!("down after {}", spoken(progress::elapsed())));
    Ok(())
}

fn take_down(cache: &Cache, images_too: bool) -> anyhow::Result<()> {
    let provider = Provider::find(cache)?;
    if provider.installed() {
        node::delete(cache, &provider)?;
        if host::network_is_ours(cache) && provider.has_network(node::NETWORK) {
            let mut remove = provider.command();
            remove.args(["network", "rm", node::NETWORK]);
            match process::read(&remove, Duration::from_secs(30)) {
                Err(ProcessError::Failed { .. }) if provider.uses_network(node::NETWORK)? => {
                    say("kind's network stays: other containers than ours are in it");
                }
                other => other.map(drop).context("Deleting kind's network failed")?,
            }
        }
    }
    if images_too && provider.installed() {
        // Before the machine is put back: whatever asks Podman makes it mount its storage.
        for image in provider.images_like("kindest/node")? {
            let mut remove = provider.command();
            remove.args(["image", "rm", "--force", &image]);
            process::read(&remove, Duration::from_mins(1))?;
        }
    }
    host::name_the_node(None)?;
    host::restore(cache)?;
    // What belongs to one cluster; the state of the host before it is used up by now.
    if cache.cluster().exists() {
        std::fs::remove_dir_all(cache.cluster())?;
    }
    Ok(())
}

fn delete_stored(cache: &Cache) -> anyhow::Result<()> {
    // Folders of Go modules are read-only: even root's remove_dir_all works only with write permission elsewhere.
    let mut remove = std::process::Command::new("rm");
    remove.args(["--recursive", "--force", "--one-file-system"]).arg(cache.root());
    let mut allow = std::process::Command::new("chmod");
    allow.args(["--recursive", "u+w"]).arg(cache.root());
    process::read(&allow, Duration::from_mins(5))?;
    process::read(&remove, Duration::from_mins(5))?;
    say(&format!("deleted {}", cache.root().display()));
    Ok(())
}
