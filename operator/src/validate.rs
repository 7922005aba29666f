//! Turns spec and observation into values that cannot be wrong, or into a sentence for the person.

use std::time::Duration;

use crds::condition::Reason;
use crds::{Quantity, Tls, Whiteboard, WhiteboardSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use crate::names;
use crate::observe::{Claimant, Observed, hosts};

/// A Whiteboard that can be built: every value checked, every default resolved.
#[derive(Clone, Debug)]
pub struct Site {
    pub namespace: String,
    pub name: String,
    pub owner: OwnerReference,
    /// Every host name, the main one first; never empty.
    pub hosts: Vec<String>,
    pub image: String,
    pub tls: Certificate,
    pub data_size: Quantity,
    pub backup_size: Quantity,
    pub session_timeout: Duration,
    pub spec: WhiteboardSpec,
}

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// cert-manager writes it into our Secret.
    Issued(crds::Issuer),
    /// The Secret that the resource names.
    Own(String),
    /// Plain HTTP.
    None,
}

impl Site {
    /// The Secret from which the Ingress takes the certificate; `None` for plain HTTP.
    pub fn certificate_secret(&self) -> Option<String> {
        match &self.tls {
            Certificate::Issued(_) => Some(names::tls(&self.name)),
            Certificate::Own(secret) => Some(secret.clone()),
            Certificate::None => None,
        }
    }

    /// The address at which people open the site.
    pub fn url(&self) -> String {
        let scheme = if self.tls == Certificate::None { "http" } else { "https" };
        format!("{scheme}://{}", self.hosts[0])
    }
}

/// Why a Whiteboard cannot be built as it is. Nothing of it is touched until somebody changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// A sentence that says what to do.
    pub message: String,
}

/// Checks what the API server could not: what depends on other objects, and what a schema cannot say.
///
/// `default_image` is the server's image of the operator's own release.
pub fn validate(whiteboard: &Whiteboard, observed: &Observed, default_image: &str) -> Result<Site, Refusal> {
    let spec = &whiteboard.spec;
    let hosts = hosts(whiteboard);
    if let Some(refusal) = taken_host(whiteboard, &hosts, &observed.others) {
        return Err(refusal);
    }
    let refused = |message: String| Refusal { reason: Reason::Rejected, message };
    let tls = match &spec.tls {
        Tls { issuer: Some(issuer), secret_name: None, disabled: false } => Certificate::Issued(issuer.clone()),
        Tls { issuer: None, secret_name: Some(secret), disabled: false } => Certificate::Own(secret.clone()),
        Tls { issuer: None, secret_name: None, disabled: true } => Certificate::None,
        _ => return Err(refused("Set exactly one of tls.issuer, tls.secretName and tls.disabled: true.".to_owned())),
    };
    let size = |field: &str, text: &str| match Quantity(text.to_owned()) {
        quantity if quantity.value().is_some_and(|value| value > 0) => Ok(quantity),
        _ => Err(refused(format!("{field} is {text:?}: write a size such as 1Gi."))),
    };
    let owner =
        whiteboard.controller_owner_ref(&()).ok_or_else(|| refused("The resource has no UID yet.".to_owned()))?;
    Ok(Site {
        namespace: whiteboard.namespace().unwrap_or_default(),
        name: whiteboard.name_any(),
        owner,
        hosts,
        image: spec.image.clone().unwrap_or_else(|| default_image.to_owned()),
        tls,
        data_size: size("storage.size", &spec.storage.size)?,
        backup_size: size("backup.destination.volume.size", &spec.backup.destination.volume.size)?,
        session_timeout: duration(&spec.settings.session_timeout).ok_or_else(|| {
            refused(format!(
                "settings.sessionTimeout is {:?}: write a duration such as 24h.",
                spec.settings.session_timeout
            ))
        })?,
        spec: spec.clone(),
    })
}

/// The older of two resources keeps a host name; of two made in the same second, the one whose UID sorts first.
fn taken_host(whiteboard: &Whiteboard, hosts: &[String], others: &[Claimant]) -> Option<Refusal> {
    let age = |created: Option<jiff::Timestamp>, uid: &str| (created.unwrap_or(jiff::Timestamp::MAX), uid.to_owned());
    let own = age(whiteboard.creation_timestamp().map(|time| time.0), &whiteboard.uid().unwrap_or_default());
    let keeper = |host: &String| {
        let older = others
            .iter()
            .filter(|other| other.hosts.contains(host) && age(other.created, &other.uid) < own)
            .min_by_key(|other| age(other.created, &other.uid))?;
        Some((host.clone(), older))
    };
    let (host, older) = hosts.iter().find_map(keeper)?;
    Some(Refusal {
        reason: Reason::HostTaken,
        message: format!(
            "The host {host} belongs to the older Whiteboard {}/{}: choose another host here, or delete or change that one.",
            older.namespace, older.name
        ),
    })
}

/// Reads a duration such as `24h` or `1h30m10s`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(worth)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests_support::{empty_observed, whiteboard};

    const IMAGE: &str = "example.org/server:1";

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("24h", Some(86_400)),
            ("1h30m", Some(5_400)),
            ("90m", Some(5_400)),
            ("1h1m1s", Some(3_661)),
            ("45s", Some(45)),
            ("", None),
            ("5", None),
            ("h", None),
            ("1m1h", None),
            ("-1h", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn the_smallest_resource_gets_careful_defaults() {
        let site = validate(&whiteboard("physics", "{}"), &empty_observed(), IMAGE).unwrap();
        assert_eq!(site.image, IMAGE);
        assert_eq!(site.hosts, ["physics.example.org"]);
        assert_eq!(site.url(), "https://physics.example.org");
        assert_eq!(site.certificate_secret().as_deref(), Some("physics-tls"));
        assert_eq!(site.session_timeout, Duration::from_hours(24));
    }

    #[test]
    fn where_the_certificate_comes_from() {
        for (tls, secret, url) in [
            (r#"{"issuer": {"name": "x"}}"#, Some("physics-tls"), "https://physics.example.org"),
            (r#"{"secretName": "mine"}"#, Some("mine"), "https://physics.example.org"),
            (r#"{"disabled": true}"#, None, "http://physics.example.org"),
        ] {
            let site =
                validate(&whiteboard("physics", &format!(r#"{{"tls": {tls}}}"#)), &empty_observed(), IMAGE).unwrap();
            assert_eq!(site.certificate_secret().as_deref(), secret, "{tls}");
            assert_eq!(site.url(), url, "{tls}");
        }
    }

    #[test]
    fn an_older_whiteboard_keeps_its_host() {
        let mine = whiteboard("physics", r#"{"additionalHosts": ["more.example.org"]}"#);
        let created = mine.creation_timestamp().unwrap().0;
        let second = jiff::SignedDuration::from_secs(1);
        for (host, other_created, uid, refused) in [
            ("physics.example.org", created - second, "z", true),
            ("more.example.org", created - second, "z", true),
            ("other.example.org", created - second, "z", false),
            ("physics.example.org", created + second, "0", false),
            ("physics.example.org", created, "0", true),
            ("physics.example.org", created, "z", false),
        ] {
            let mut observed = empty_observed();
            observed.others.push(Claimant {
                namespace: "club".into(),
                name: "older".into(),
                uid: uid.into(),
                created: Some(other_created),
                hosts: vec![host.into()],
            });
            match validate(&mine, &observed, IMAGE) {
                Err(refusal) => {
                    assert!(refused, "{host} {uid}");
                    assert_eq!(refusal.reason, Reason::HostTaken);
                    assert!(refusal.message.contains("club/older"), "{}", refusal.message);
                }
                Ok(_) => assert!(!refused, "{host} {uid}"),
            }
        }
    }
}
