//! `e2e/up`: from whatever is there to a cluster with the product on it, by doing what is missing.

use crate::cache::Cache;
use crate::env::Environment;
use crate::hosts_file::SITE;
use crate::node_health::Verdict;
use crate::product::Profile;
use crate::progress::{elapsed, say, spoken};
use crate::provider::Provider;
use crate::{addons, components, host, images, node, node_image, packages, product};

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Kubernetes and what a default k3s brings, cert-manager and Pebble.
    Cluster,
    /// The operator and a sample site on it, too; our programs compiled so.
    Product(Profile),
}

/// Brings it up, or up to date.
pub fn up(extent: Extent) -> anyhow::Result<()> {
    let cache = Cache::locate()?;
    let _alone = cache.lock("cluster")?;
    cache.sweep()?;
    let provider = Provider::find(&cache)?;
    packages::ensure(&cache, &provider)?;
    cluster(&cache, &provider)?;
    if let Extent::Product(profile) = extent {
        let kubectl = node::kubectl(&cache)?;
        let tags = product::images(&cache, &provider, profile)?;
        product::install(&cache, &tags)?;
        product::forget_older(&cache, &tags)?;
        product::sample(&kubectl)?;
    }
    // Everything that a cluster needs is built by now.
    components::discard_go_caches(&cache)?;
    say(&format!("up after {}", spoken(elapsed())));
    Ok(())
}

/// What to try next, for a person.
pub fn advice(extent: Extent, environment: &Environment) -> String {
    let kubeconfig = environment.kubeconfig.display();
    let authority = environment.authority.display();
    let cluster = format!(
        "The cluster:     export KUBECONFIG={kubeconfig}\n\
         In one go:       eval \"$(e2e/env)\"   (KUBECONFIG, WHITEBOARD_URL, WHITEBOARD_CA, kubectl and helm on PATH)\n"
    );
    if extent == Extent::Cluster {
        return format!("{cluster}Try next:        kubectl get pods --all-namespaces\n");
    }
    format!(
        "The whiteboard:  https://{SITE}\n\
         Trust:           curl --cacert {authority} https://{SITE}/\n\
         \x20                (in a browser on this machine: import that file as an authority)\n\
         {cluster}\
         Try next:        kubectl --namespace school get whiteboards\n\
         \x20                kubectl --namespace school describe whiteboard physics\n\
         \x20                e2e/test      everything that proves the product\n\
         \x20                e2e/down      takes all of it away\n"
    )
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
            node::forget_older_images(provider, &image)?;
        }
    }
    let kubectl = node::kubectl(cache)?;
    components::link(cache, &components::HELM.ensure(cache)?, "helm")?;
    let fresh = images::ensure(cache, provider)?;
    if fresh > 0 {
        say(&format!("loaded {fresh} images onto the node"));
    }
    addons::ensure(cache, &kubectl)?;
    host::name_the_node(Some(&node::address(&kubectl)?))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_names_what_is_there_and_nothing_else() {
        let environment = Environment {
            kubeconfig: "/c/kubeconfig".into(),
            authority: "/c/root.pem".into(),
            programs: "/c/path".into(),
        };
        let product = advice(Extent::Product(Profile::Cluster), &environment);
        assert!(product.contains("curl --cacert /c/root.pem https://whiteboard.test/"), "{product}");
        assert!(product.contains("export KUBECONFIG=/c/kubeconfig"), "{product}");
        let cluster = advice(Extent::Cluster, &environment);
        assert!(
            cluster.contains("export KUBECONFIG=/c/kubeconfig") && !cluster.contains("whiteboard.test"),
            "{cluster}"
        );
    }
}
