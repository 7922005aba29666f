//! The version of everything that the cluster consists of: the one place to change them.
//!
//! `components/*/go.mod` repeat three of them because Go reads its versions there only; a test holds the two equal.

/// kind, which makes a Kubernetes node out of a container.
pub const KIND: &str = "0.32.0";
/// Kubernetes of the cluster and of the newest API server that the resource is tested on.
pub const KUBERNETES: &str = "1.36.3";
/// The oldest Kubernetes that the chart claims; its API server alone is built, for tests of the resource.
pub const KUBERNETES_OLDEST: &str = "1.33.13";
/// DNS inside the cluster.
pub const COREDNS: &str = "1.14.7";
/// Volumes out of folders of the node, as k3s brings them.
pub const LOCAL_PATH_PROVISIONER: &str = "0.0.30";
/// The ingress controller, as k3s brings it.
pub const TRAEFIK: &str = "3.7.9";
/// Certificates.
pub const CERT_MANAGER: &str = "1.21.1";
/// The ACME server that stands for Let's Encrypt and validates HTTP-01 for real.
pub const PEBBLE: &str = "2.10.1";
/// Installs the charts.
pub const HELM: &str = "4.2.4";
/// The image that pods without a program of their own are made of (kubeadm's own default).
pub const PAUSE: &str = "3.10";

#[cfg(test)]
mod tests {
    use super::*;

    fn go_mod(component: &str) -> String {
        let path = crate::repository().join("e2e/components").join(component).join("go.mod");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn go_modules_ask_for_the_pinned_versions() {
        for (component, requirement) in [
            ("kube", format!("k8s.io/kubernetes v{KUBERNETES}")),
            ("kube-apiserver", format!("k8s.io/kubernetes v{KUBERNETES_OLDEST}")),
            ("traefik", format!("github.com/traefik/traefik/v3 v{TRAEFIK}")),
            ("cert-manager", format!("github.com/cert-manager/cert-manager v{CERT_MANAGER}")),
        ] {
            let text = go_mod(component);
            assert!(
                text.lines().any(|line| line.trim().trim_start_matches("require ").starts_with(&requirement)),
                "e2e/components/{component}/go.mod does not require {requirement}"
            );
        }
    }
}
