//! Reads all that a decision needs into one value: caches first, the API server only for what is not cached.

use std::sync::Arc;

use crds::{Tls, Whiteboard};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use kube::api::{DynamicObject, ListParams, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};

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

/// An ACME challenge that is not through yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub host: String,
    pub reason: String,
}

/// How old an unfinished Certificate is before its challenges are looked at: most are through by then.
const ISSUING_TAKES: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// Another Whiteboard and its host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub created: Option<Timestamp>,
    pub hosts: Vec<String>,
}

/// A StorageClass or IngressClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    pub default: bool,
    /// Of a StorageClass: whether its volumes can grow.
    pub expands: bool,
}

/// Whether something that the resource names is there and of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Missing,
    /// There, but of no use yet, and why.
    Unfit(String),
    Fit,
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
    let cert_manager = caches.cert_manager_known();

    let keys = Api::<Secret>::namespaced(client.clone(), &namespace);
    let keys_name = crate::names::keys(&name);
    let keys = keys.get_opt(&keys_name).await.map_err(reading(format!("Secret {keys_name}")))?;

    let now = Timestamp::now();
    let live = live(caches, &namespace, &name, keys);
    let late = live.certificate.as_deref().is_some_and(|certificate| issuing_late(certificate, now));
    Ok(Observed {
        now,
        others: others(caches, whiteboard),
        challenge: if late { challenge(client, &namespace, &hosts(whiteboard)).await? } else { None },
        live,
        server_pods: caches.pods_of(&namespace, &name, crate::names::SERVER),
        backup_pods: caches.pods_of(&namespace, &name, crate::names::BACKUP),
        backup_jobs: caches.backup_jobs_of(&namespace, &name),
        storage_classes: caches.storage_classes(),
        ingress_classes: caches.ingress_classes(),
        cert_manager,
        issuer: match &whiteboard.spec.tls {
            Tls { issuer: Some(issuer), .. } if cert_manager => {
                Some(issuer_presence(client, &namespace, issuer).await?)
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
    let find = |suffix: &str| format!("{name}{suffix}");
    Live {
        service_account: watch::get(&caches.service_accounts, namespace, name),
        keys: keys.map(Arc::new),
        config_map: watch::get(&caches.config_maps, namespace, name),
        data_volume: watch::get(&caches.volume_claims, namespace, &find("-data")),
        backup_volume: watch::get(&caches.volume_claims, namespace, &find("-backup")),
        certificate: caches.certificate(namespace, name),
        certificate_secret: watch::get(&caches.secrets, namespace, &find("-tls")),
        service: watch::get(&caches.services, namespace, name),
        network_policy: watch::get(&caches.network_policies, namespace, name),
        ingress: watch::get(&caches.ingresses, namespace, name),
        deployment: watch::get(&caches.deployments, namespace, name),
        cron_job: watch::get(&caches.cron_jobs, namespace, &find("-backup")),
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

/// Looks an issuer up and believes its `Ready` condition. Issuers of other groups than cert-manager's own need not exist
/// under a kind that we could ask for: they count as fit, and the Certificate's own conditions tell.
async fn issuer_presence(client: &Client, namespace: &str, issuer: &crds::Issuer) -> Result<Presence, Error> {
    if issuer.group != "cert-manager.io" {
        return Ok(Presence::Fit);
    }
    let api = match issuer.kind {
        crds::IssuerKind::ClusterIssuer => Api::<DynamicObject>::all_with(client.clone(), &watch::cluster_issuer()),
        crds::IssuerKind::Issuer => Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &watch::issuer()),
    };
    let what = format!("{} {}", issuer.kind.as_str(), issuer.name);
    let found = match api.get(&issuer.name).await {
        Ok(found) => found,
        // Also where the API server does not know the kind: cert-manager's kinds come one after the other.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Presence::Missing),
        Err(error) => return Err(reading(what)(error)),
    };
    let ready = found.data["status"]["conditions"]
        .as_array()
        .and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
    Ok(match ready {
        Some(condition) if condition["status"] == "True" => Presence::Fit,
        Some(condition) => Presence::Unfit(condition["message"].as_str().unwrap_or_default().to_owned()),
        None => Presence::Unfit("it has not been looked at by cert-manager yet".to_owned()),
    })
}

/// Whether a Certificate has been waiting for longer than issuing takes where all is well.
fn issuing_late(certificate: &DynamicObject, now: Timestamp) -> bool {
    let conditions = certificate.data["status"]["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
    let since = ready.filter(|ready| ready["status"] != "True").and_then(|ready| ready["lastTransitionTime"].as_str());
    let since = since.and_then(|since| since.parse::<Timestamp>().ok());
    since.is_some_and(|since| now.duration_since(since) > ISSUING_TAKES)
}

/// The first unfinished challenge for one of the hosts that says what it waits for.
async fn challenge(client: &Client, namespace: &str, hosts: &[String]) -> Result<Option<Challenge>, Error> {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &watch::challenge());
    let all = match api.list(&ListParams::default()).await {
        Ok(all) => all,
        // An issuer of another kind than ACME, in a cluster without its kinds.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        Err(error) => return Err(reading("Challenges".to_owned())(error)),
    };
    let waiting = all.into_iter().filter_map(|challenge| {
        let host = challenge.data["spec"]["dnsName"].as_str()?.to_owned();
        let reason = challenge.data["status"]["reason"].as_str()?.to_owned();
        let open = challenge.data["status"]["state"] != "valid" && !reason.is_empty() && hosts.contains(&host);
        open.then_some(Challenge { host, reason })
    });
    Ok(waiting.min_by(|a, b| a.host.cmp(&b.host)))
}

async fn own_certificate(client: &Client, namespace: &str, name: &str) -> Result<Presence, Error> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(reading(format!("Secret {name}")))?;
    Ok(match found {
        None => Presence::Missing,
        Some(secret) => certificate_presence(&secret),
    })
}

/// Whether a Secret holds what an Ingress needs: both keys of a `kubernetes.io/tls` Secret, in PEM.
fn certificate_presence(secret: &Secret) -> Presence {
    let has = |key: &str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice());
        value.is_some_and(|bytes| bytes.windows(11).any(|window| window == b"-----BEGIN "))
    };
    match (has("tls.crt"), has("tls.key")) {
        (true, true) => Presence::Fit,
        (false, _) => Presence::Unfit("its key tls.crt holds no PEM certificate".to_owned()),
        (true, false) => Presence::Unfit("its key tls.key holds no PEM private key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn certificates_that_people_bring() {
        let secret = |entries: &[(&str, &str)]| Secret {
            data: Some(
                entries.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec()))).collect(),
            ),
            ..Secret::default()
        };
        let pem = "-----BEGIN CERTIFICATE-----\n";
        assert_eq!(certificate_presence(&secret(&[("tls.crt", pem), ("tls.key", pem)])), Presence::Fit);
        for bad in [&[][..], &[("tls.crt", pem)], &[("tls.key", pem)], &[("tls.crt", "x"), ("tls.key", pem)]] {
            assert!(matches!(certificate_presence(&secret(bad)), Presence::Unfit(_)), "{bad:?}");
        }
        assert!(matches!(certificate_presence(&Secret::default()), Presence::Unfit(_)));
    }
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
