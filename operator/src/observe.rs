//! Reads all that a decision needs into one value: caches first, the API server only for what is not cached.

use std::sync::Arc;

use crds::{Tls, Whiteboard};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use kube::api::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};

use crate::cert_manager::{self, Challenge};
use crate::class::Class;
use crate::names;
use crate::presence::{self, Presence};
use crate::watch::{self, Caches};

/// Everything that is known of one Whiteboard and its surroundings at one moment.
#[derive(Clone, Debug)]
pub struct Observed {
    pub now: Timestamp,
    /// The other Whiteboards of the cluster and what they claim.
    pub others: Vec<Claimant>,
    pub live: Live,
    /// Pods of the server, newest first.
    pub server_pods: Vec<Arc<Pod>>,
    /// Pods of backup jobs, newest first.
    pub backup_pods: Vec<Arc<Pod>>,
    /// Backup jobs, newest first.
    pub backup_jobs: Vec<Arc<Job>>,
    pub storage_classes: Vec<Class>,
    pub ingress_classes: Vec<Class>,
    /// False while the API server does not know cert-manager's kinds.
    pub cert_manager: bool,
    /// The issuer that the resource names; `None` where it names none.
    pub issuer: Option<Presence>,
    /// The Secret with the certificate that people bring; `None` where the resource names none.
    pub own_certificate: Option<Presence>,
    /// What an ACME proof for one of the hosts waits for, where issuing takes longer than it should.
    pub challenge: Option<Challenge>,
}

/// Another Whiteboard and its host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    pub hosts: Vec<String>,
}

/// The children as they are now; `None`: not there.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub service_account: Option<Arc<ServiceAccount>>,
    pub keys: Option<Arc<Secret>>,
    pub config_map: Option<Arc<ConfigMap>>,
    pub data_volume: Option<Arc<PersistentVolumeClaim>>,
    pub backup_volume: Option<Arc<PersistentVolumeClaim>>,
    pub certificate: Option<Arc<DynamicObject>>,
    /// What cert-manager wrote for our Certificate.
    pub certificate_secret: Option<Arc<PartialObjectMeta<Secret>>>,
    pub service: Option<Arc<Service>>,
    pub network_policy: Option<Arc<NetworkPolicy>>,
    pub ingress: Option<Arc<Ingress>>,
    pub deployment: Option<Arc<Deployment>>,
    pub cron_job: Option<Arc<CronJob>>,
}

/// Observing failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reading {what}: {source}")]
    Read { what: String, source: kube::Error },
}

/// Reads everything about `whiteboard`.
pub async fn observe(client: &Client, caches: &Caches, whiteboard: &Whiteboard) -> Result<Observed, Error> {
    let namespace = whiteboard.namespace().unwrap_or_default();
    let name = whiteboard.name_any();
    let has_cert_manager = caches.cert_manager_known();

    let keys = Api::<Secret>::namespaced(client.clone(), &namespace);
    let keys_name = names::keys(&name);
    let keys = keys.get_opt(&keys_name).await.map_err(reading(format!("Secret {keys_name}")))?;

    let now = Timestamp::now();
    let live = live(caches, &namespace, &name, keys);
    let late = live.certificate.as_deref().is_some_and(|certificate| cert_manager::is_late(certificate, now));
    Ok(Observed {
        now,
        others: others(caches, whiteboard),
        challenge: if late {
            let open = cert_manager::open_challenge(client, &namespace, &hosts(whiteboard)).await;
            open.map_err(reading("Challenges".to_owned()))?
        } else {
            None
        },
        live,
        server_pods: caches.pods_of(&namespace, &name, names::SERVER),
        backup_pods: caches.pods_of(&namespace, &name, names::BACKUP),
        backup_jobs: caches.backup_jobs_of(&namespace, &name),
        storage_classes: caches.storage_classes(),
        ingress_classes: caches.ingress_classes(),
        cert_manager: has_cert_manager,
        issuer: match &whiteboard.spec.tls {
            Tls { issuer: Some(issuer), .. } if has_cert_manager => {
                let presence = cert_manager::issuer_presence(client, &namespace, issuer).await;
                Some(presence.map_err(reading(format!("{} {}", issuer.kind.as_str(), issuer.name)))?)
            }
            _ => None,
        },
        own_certificate: match &whiteboard.spec.tls {
            Tls { secret_name: Some(secret), .. } => Some(own_certificate(client, &namespace, secret).await?),
            _ => None,
        },
    })
}

fn reading(what: String) -> impl FnOnce(kube::Error) -> Error {
    |source| Error::Read { what, source }
}

fn live(caches: &Caches, namespace: &str, name: &str, keys: Option<Secret>) -> Live {
    Live {
        service_account: watch::get(&caches.service_accounts, namespace, name),
        keys: keys.map(Arc::new),
        config_map: watch::get(&caches.config_maps, namespace, name),
        data_volume: watch::get(&caches.volume_claims, namespace, &names::data(name)),
        backup_volume: watch::get(&caches.volume_claims, namespace, &names::backup(name)),
        certificate: caches.certificate(namespace, name),
        certificate_secret: watch::get(&caches.secrets, namespace, &names::tls(name)),
        service: watch::get(&caches.services, namespace, name),
        network_policy: watch::get(&caches.network_policies, namespace, name),
        ingress: watch::get(&caches.ingresses, namespace, name),
        deployment: watch::get(&caches.deployments, namespace, name),
        cron_job: watch::get(&caches.cron_jobs, namespace, &names::backup(name)),
    }
}

fn others(caches: &Caches, whiteboard: &Whiteboard) -> Vec<Claimant> {
    let own = whiteboard.uid();
    caches
        .whiteboards
        .state()
        .iter()
        .filter(|other| other.uid() != own && other.metadata.deletion_timestamp.is_none())
        .map(|other| Claimant {
            namespace: other.namespace().unwrap_or_default(),
            name: other.name_any(),
            uid: other.uid().unwrap_or_default(),
            created: other.creation_timestamp().map(|time| time.0),
            hosts: hosts(other),
        })
        .collect()
}

/// Every host name of a Whiteboard, the main one first.
pub fn hosts(whiteboard: &Whiteboard) -> Vec<String> {
    std::iter::once(&whiteboard.spec.host).chain(&whiteboard.spec.additional_hosts).cloned().collect()
}

async fn own_certificate(client: &Client, namespace: &str, name: &str) -> Result<Presence, Error> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(reading(format!("Secret {name}")))?;
    Ok(match found {
        None => Presence::Missing,
        Some(secret) => presence::of_certificate(&secret),
    })
}

/// Values for the tests of the phases that follow.
#[cfg(test)]
pub mod tests_support {
    use super::*;

    /// A cluster with nothing of ours in it: cert-manager, one class of each kind, both default.
    pub fn empty_observed() -> Observed {
        Observed {
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            others: Vec::new(),
            live: Live::default(),
            server_pods: Vec::new(),
            backup_pods: Vec::new(),
            backup_jobs: Vec::new(),
            storage_classes: vec![Class { name: "local-path".into(), default: true, expands: false }],
            ingress_classes: vec![Class { name: "traefik".into(), default: true, expands: false }],
            cert_manager: true,
            issuer: Some(Presence::Fit),
            own_certificate: None,
            challenge: None,
        }
    }

    /// A Whiteboard in the namespace `school`, as the API server would give it back: `spec` laid over the smallest one.
    pub fn whiteboard(name: &str, spec: &str) -> Whiteboard {
        let mut full = serde_json::json!({
            "host": format!("{name}.example.org"),
            "tls": {"issuer": {"name": "letsencrypt"}},
        });
        let over: serde_json::Value = serde_json::from_str(spec).unwrap();
        for (key, value) in over.as_object().unwrap() {
            full[key] = value.clone();
        }
        serde_json::from_value(serde_json::json!({
            "apiVersion": "tutorspace.app/v1alpha1",
            "kind": "Whiteboard",
            "metadata": {
                "name": name, "namespace": "school", "uid": format!("uid-{name}"), "generation": 1,
                "creationTimestamp": "2026-03-01T11:00:00Z",
            },
            "spec": full,
        }))
        .unwrap()
    }
}
