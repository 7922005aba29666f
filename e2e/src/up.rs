//! `e2e/up`: from whatever is there to a cluster with the product on it, by doing what is missing.

use crate::cache::Cache;
use crate::node_health::Verdict;
use crate::progress::{elapsed, say, spoken};
use crate::provider::Provider;
use crate::{addons, components, host, images, node, node_image, packages};

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Kubernetes and the addons.
    Cluster,
}

/// Brings it up and prints what to do with it.
pub fn up(_extent: Extent) -> anyhow::Result<()> {
    let cache = Cache::locate()?;
    let _alone = cache.lock("cluster")?;
    let provider = Provider::find(&cache)?;
    packages::ensure(&cache, &provider)?;
    cluster(&cache, &provider)?;
    say(&format!("up after {}", spoken(elapsed())));
    Ok(())
}

fn cluster(cache: &Cache, provider: &Provider) -> anyhow::Result<()> {
    for component in [&components::KIND, &components::HELM, &components::KUBE] {
        component.ensure(cache)?;
    }
    let image = node_image::ensure(cache, provider)?;
    let recipe = node::recipe(cache, &image);
    match node::look(cache, provider, &recipe)? {
        Verdict::Usable => say("the cluster is there and healthy"),
        verdict => {
            if let Verdict::Replace(reason) = verdict {
                say(&format!("the cluster is replaced: {reason}"));
                node::delete(cache, provider)?;
            }
            host::remember(cache, provider.has_network(node::NETWORK))?;
            host::prepare()?;
            node::create(cache, provider, &image)?;
        }
    }
    let kubectl = node::kubectl(cache)?;
    components::link(cache, &components::HELM.ensure(cache)?, "helm")?;
    let fresh = images::ensure(cache, provider)?;
    if fresh > 0 {
        say(&format!("loaded {fresh} images onto the node"));
    }
    addons::ensure(cache, &kubectl)?;
    Ok(())
}
