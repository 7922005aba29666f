//! What a default k3s brings, and cert-manager with an ACME server: put onto the cluster and waited for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cache::{self, Cache};
use crate::kubectl::Kubectl;
use crate::progress::{say, spoken};
use crate::{cert_manager, corefile, node, process, versions};

/// The root certificate of Pebble: whoever trusts it trusts the certificates of the cluster's sites.
pub fn authority(cache: &Cache) -> PathBuf {
    cache.cluster().join("acme-root.pem")
}

/// Brings everything up to date. What is there already is left alone.
pub fn ensure(cache: &Cache, kubectl: &Kubectl) -> anyhow::Result<()> {
    let began = Instant::now();
    let address = node::address(kubectl)?;
    // The API server refuses bare pods until this exists, a second or two after it says that it is ready.
    until(Duration::from_secs(30), || kubectl.read(&["get", "serviceaccount", "default"]))?;

    test_names(kubectl, &address)?;
    let identity = pebble_identity(cache)?;
    let manifests = [
        include_str!("../addons/namespaces.yaml").to_owned(),
        include_str!("../addons/storage.yaml").to_owned(),
        include_str!("../addons/traefik.yaml")
            .replace("TRAEFIK_VERSION", versions::TRAEFIK)
            .replace("NODE_ADDRESS", &address),
        identity.secret,
        include_str!("../addons/pebble.yaml").replace("PEBBLE_VERSION", versions::PEBBLE),
        cert_manager::manifests(cache)?,
    ];
    kubectl.apply(&manifests.join("\n---\n")).context("Applying the addons failed")?;
    kubectl.read(&["delete", "storageclass", "standard", "--ignore-not-found"])?;

    for (namespace, deployment) in [
        ("kube-system", "coredns"),
        ("local-path-storage", "local-path-provisioner"),
        ("kube-system", "traefik"),
        ("kube-system", "pebble"),
        ("cert-manager", "cert-manager"),
        ("cert-manager", "cert-manager-cainjector"),
        ("cert-manager", "cert-manager-webhook"),
    ] {
        kubectl
            .rolled_out(namespace, deployment)
            .with_context(|| format!("{deployment} in {namespace} does not come up"))?;
    }
    // The webhook answers a moment after its pod is ready: its certificate has to reach the API server.
    let issuer = include_str!("../addons/issuer.yaml").replace("CA_BUNDLE", &identity.bundle);
    until(Duration::from_mins(1), || kubectl.apply(&issuer)).context("The issuer is not accepted")?;
    kubectl
        .wait(&["wait", "clusterissuer/letsencrypt", "--for=condition=Ready"], Duration::from_mins(1))
        .context("The ACME server does not accept the issuer's account")?;
    let root = until(Duration::from_secs(30), || {
        kubectl.read(&["get", "--raw", "/api/v1/namespaces/kube-system/services/https:pebble:15000/proxy/roots/0"])
    })?;
    cache::write(&authority(cache), root.as_bytes())?;
    say(&format!("CoreDNS, local-path, Traefik, cert-manager and Pebble are ready (in {})", spoken(began.elapsed())));
    Ok(())
}

/// Tries again until it works: for what needs a moment after something else is ready.
fn until<T>(
    limit: Duration,
    attempt: impl Fn() -> Result<T, process::ProcessError>,
) -> Result<T, process::ProcessError> {
    let began = Instant::now();
    loop {
        match attempt() {
            Err(error) if began.elapsed() < limit && !matches!(error, process::ProcessError::Interrupted) => {
                process::check_interruption()?;
                std::thread::sleep(Duration::from_millis(300));
            }
            outcome => return outcome,
        }
    }
}

fn test_names(kubectl: &Kubectl, address: &str) -> anyhow::Result<()> {
    let name = ["--namespace", "kube-system"];
    let current =
        kubectl.read(&[&name[..], &["get", "configmap", "coredns", "--output=jsonpath={.data.Corefile}"]].concat())?;
    let wanted =
        corefile::with_test_names(&current, address).context("CoreDNS's configuration has no server block.")?;
    if wanted == current {
        return Ok(());
    }
    let patch = serde_json::json!({"data": {"Corefile": wanted}}).to_string();
    kubectl.read(&[&name[..], &["patch", "configmap", "coredns", "--type=merge", "--patch", &patch]].concat())?;
    // CoreDNS would look at it within half a minute by itself. The kubelet's copy lags too: new pods read it at once.
    kubectl.read(&[&name[..], &["rollout", "restart", "deployment/coredns"]].concat())?;
    Ok(())
}

struct Identity {
    /// The Secret that Pebble mounts.
    secret: String,
    /// The certificate in base64, as an issuer wants it.
    bundle: String,
}

/// Pebble's own certificate, made once a cache.
fn pebble_identity(cache: &Cache) -> anyhow::Result<Identity> {
    let path = cache.cluster().join("pebble-secret.json");
    if !path.exists() {
        let names = ["pebble.kube-system.svc", "localhost"].map(ToOwned::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "pebble-tls", "namespace": "kube-system"},
            "data": {
                "tls.crt": base64(made.cert.pem().as_bytes()),
                "tls.key": base64(made.signing_key.serialize_pem().as_bytes()),
            },
        });
        cache::write(&path, &serde_json::to_vec_pretty(&secret)?)?;
    }
    let secret = std::fs::read_to_string(&path)?;
    let value: serde_json::Value = serde_json::from_str(&secret)?;
    let bundle = value["data"]["tls.crt"].as_str().context("Pebble's certificate is gone from its file.")?.to_owned();
    Ok(Identity { secret, bundle })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pebbles_identity_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let first = pebble_identity(&cache).unwrap();
        assert_eq!(first.secret, pebble_identity(&cache).unwrap().secret);
        assert!(first.secret.contains(&first.bundle));
        assert!(first.bundle.starts_with("LS0tLS1CRUdJTi"), "a PEM file in base64");
    }

    #[test]
    fn trying_again_ends_with_success_or_with_time() {
        let tries = std::cell::Cell::new(0);
        let third_time = || {
            tries.set(tries.get() + 1);
            process::read(
                std::process::Command::new("test").args([tries.get().to_string().as_str(), "=", "3"]),
                Duration::from_secs(9),
            )
        };
        assert!(until(Duration::from_secs(20), third_time).is_ok());
        assert!(
            until(Duration::ZERO, || process::read(&std::process::Command::new("false"), Duration::from_secs(9)))
                .is_err()
        );
    }
}
