//! cert-manager's kinds, which may come later than the operator, and what they tell of an issuing under way.

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};

use crate::presence::Presence;

/// The group of the kinds that issue.
const GROUP: &str = "cert-manager.io";

/// An ACME challenge that is not through yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub host: String,
    pub reason: String,
}

/// How old an unfinished Certificate is before its challenges are looked at: most are through by then.
const ISSUING_TAKES: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// The Certificate.
pub fn certificate() -> ApiResource {
    kind("Certificate", "certificates")
}

fn issuer() -> ApiResource {
    kind("Issuer", "issuers")
}

fn cluster_issuer() -> ApiResource {
    kind("ClusterIssuer", "clusterissuers")
}

/// The proof to an ACME server that a host is ours.
fn challenge() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("acme.cert-manager.io", "v1", "Challenge"), "challenges")
}

fn kind(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1", kind), plural)
}

/// Looks an issuer up and believes its `Ready` condition. Issuers of other groups than cert-manager's own need not exist
/// under a kind that we could ask for: they count as fit, and the Certificate's own conditions tell.
pub async fn issuer_presence(client: &Client, namespace: &str, issuer: &crds::Issuer) -> Result<Presence, kube::Error> {
    if issuer.group != GROUP {
        return Ok(Presence::Fit);
    }
    let api = match issuer.kind {
        crds::IssuerKind::ClusterIssuer => Api::<DynamicObject>::all_with(client.clone(), &cluster_issuer()),
        crds::IssuerKind::Issuer => Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &self::issuer()),
    };
    let found = match api.get(&issuer.name).await {
        Ok(found) => found,
        // Also where the API server does not know the kind: cert-manager's kinds come one after the other.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Presence::Missing),
        Err(error) => return Err(error),
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
pub fn is_late(certificate: &DynamicObject, now: Timestamp) -> bool {
    let conditions = certificate.data["status"]["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
    let since = ready.filter(|ready| ready["status"] != "True").and_then(|ready| ready["lastTransitionTime"].as_str());
    let since = since.and_then(|since| since.parse::<Timestamp>().ok());
    since.is_some_and(|since| now.duration_since(since) > ISSUING_TAKES)
}

/// The first unfinished challenge for one of the hosts that says what it waits for.
pub async fn open_challenge(
    client: &Client,
    namespace: &str,
    hosts: &[String],
) -> Result<Option<Challenge>, kube::Error> {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &challenge());
    let all = match api.list(&ListParams::default()).await {
        Ok(all) => all,
        // An issuer of another kind than ACME, in a cluster without its kinds.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        Err(error) => return Err(error),
    };
    let waiting = all.into_iter().filter_map(|challenge| {
        let host = challenge.data["spec"]["dnsName"].as_str()?.to_owned();
        let reason = challenge.data["status"]["reason"].as_str()?.to_owned();
        let open = challenge.data["status"]["state"] != "valid" && !reason.is_empty() && hosts.contains(&host);
        open.then_some(Challenge { host, reason })
    });
    Ok(waiting.min_by(|a, b| a.host.cmp(&b.host)))
}
