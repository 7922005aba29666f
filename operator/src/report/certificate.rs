use crds::condition::Reason;
use jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use serde_json::Value;

use super::conditions::Verdict;
use crate::observe::Observed;
use crate::presence::Presence;
use crate::validate::{Certificate, Site};

/// How long ingress controllers take at most to serve a certificate that was just written: Traefik gathers changes for 2 s.
/// Times of conditions have whole seconds, so one more.
const TAKEN_UP: SignedDuration = SignedDuration::from_secs(4);

/// Whether the certificate was issued so lately that the ingress controller may still serve another.
pub fn is_being_taken_up(observed: &Observed) -> bool {
    let ready = observed.live.certificate.as_deref().and_then(|certificate| current(certificate, "Ready"));
    let since = ready.filter(|ready| ready["status"] == "True").and_then(|ready| ready["lastTransitionTime"].as_str());
    let since = since.and_then(|since| since.parse::<Timestamp>().ok());
    since.is_some_and(|since| observed.now.duration_since(since) < TAKEN_UP)
}

/// Judges the certificate of a site.
pub fn verdict(site: &Site, observed: &Observed) -> Verdict {
    match &site.tls {
        Certificate::None => {
            Verdict::yes(Reason::TlsDisabled, "The resource asks for plain HTTP: tls.disabled is true.")
        }
        Certificate::Own(secret) => own(secret, observed.own_certificate.as_ref()),
        Certificate::Issued(issuer) => issued(site, issuer, observed),
    }
}

fn own(secret: &str, presence: Option<&Presence>) -> Verdict {
    match presence {
        Some(Presence::Fit) => Verdict::yes(Reason::Issued, format!("The certificate of the Secret {secret} is used.")),
        Some(Presence::Unfit(why)) => Verdict::no(
            Reason::SecretInvalid,
            format!(
                "The Secret {secret} holds no usable certificate, {why}: make it by `kubectl create secret tls {secret} --cert=… --key=…`."
            ),
        ),
        None | Some(Presence::Missing) => Verdict::no(
            Reason::SecretNotFound,
            format!(
                "The Secret {secret} does not exist in this namespace: make it by `kubectl create secret tls {secret} --cert=… --key=…`, or correct tls.secretName."
            ),
        ),
    }
}

fn issued(site: &Site, issuer: &crds::Issuer, observed: &Observed) -> Verdict {
    let (kind, name) = (issuer.kind.as_str(), &issuer.name);
    if !observed.cert_manager {
        return Verdict::no(
            Reason::CertManagerMissing,
            "cert-manager is not installed in this cluster: install it (https://cert-manager.io/docs/installation/), or bring your own certificate by tls.secretName.",
        );
    }
    let ready = observed.live.certificate.as_deref().and_then(|certificate| current(certificate, "Ready"));
    if is_being_taken_up(observed) {
        let hosts = site.hosts.join(", ");
        return Verdict::no(
            Reason::Issuing,
            format!("The {kind} {name} has issued a certificate for {hosts}; the ingress controller is taking it up."),
        );
    }
    if ready.is_some_and(|ready| ready["status"] == "True") {
        return Verdict::yes(
            Reason::Issued,
            format!("The {kind} {name} has issued a certificate for {}.", site.hosts.join(", ")),
        );
    }
    match &observed.issuer {
        Some(Presence::Missing) => {
            return Verdict::no(
                Reason::IssuerNotFound,
                format!("The {kind} {name} does not exist: make it, or correct tls.issuer."),
            );
        }
        Some(Presence::Unfit(why)) => {
            return Verdict::no(Reason::IssuerNotReady, format!("The {kind} {name} is not ready to issue: {why}"));
        }
        Some(Presence::Fit) | None => {}
    }
    let issuing = observed.live.certificate.as_deref().and_then(|certificate| current(certificate, "Issuing"));
    if let Some(failed) = issuing.filter(|issuing| issuing["status"] == "False" && issuing["reason"] == "Failed") {
        return Verdict::no(
            Reason::IssuingFailed,
            format!(
                "The {kind} {name} did not issue the certificate; cert-manager tries again by itself. {}",
                failed["message"].as_str().unwrap_or_default()
            ),
        );
    }
    let why = match &observed.challenge {
        Some(challenge) => format!(" The proof for {} is held up: {}", challenge.host, challenge.reason),
        None => String::new(),
    };
    Verdict::no(
        Reason::Issuing,
        format!(
            "The {kind} {name} is being asked for a certificate for {}. This takes less than a minute where each host leads to this cluster from outside, on port 80.{why}",
            site.hosts.join(", ")
        ),
    )
}

/// A condition of a Certificate, if it speaks of the Certificate as it is now.
fn current<'a>(certificate: &'a DynamicObject, type_: &str) -> Option<&'a Value> {
    let condition =
        certificate.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)?;
    let generation = certificate.metadata.generation.unwrap_or(0);
    let seen = condition["observedGeneration"].as_i64().unwrap_or(generation);
    (seen >= generation).then_some(condition)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::cert_manager::Challenge;
    use crate::observe::tests_support::{empty_observed, whiteboard};
    use crate::validate::validate;

    fn certificate(generation: i64, conditions: &Value) -> Arc<DynamicObject> {
        let object = json!({
            "metadata": {"name": "physics", "generation": generation},
            "status": {"conditions": conditions},
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn site(tls: &str) -> Site {
        validate(&whiteboard("physics", &format!(r#"{{"tls": {tls}}}"#)), &empty_observed(), "example.org/server:1")
            .unwrap()
    }

    #[test]
    fn issued_certificates() {
        let ready = json!([{"type": "Ready", "status": "True", "observedGeneration": 2}]);
        let failed = json!([
            {"type": "Ready", "status": "False", "observedGeneration": 2},
            {"type": "Issuing", "status": "False", "reason": "Failed", "message": "no such host", "observedGeneration": 2},
        ]);
        let none = json!([]);
        for (what, generation, conditions, issuer, reason) in [
            ("issued", 2, &ready, Presence::Fit, Reason::Issued),
            ("issued, the issuer gone since", 2, &ready, Presence::Missing, Reason::Issued),
            ("issued for what it was before", 3, &ready, Presence::Fit, Reason::Issuing),
            ("asked for", 1, &none, Presence::Fit, Reason::Issuing),
            ("no issuer", 1, &none, Presence::Missing, Reason::IssuerNotFound),
            ("issuer not ready", 1, &none, Presence::Unfit("x".into()), Reason::IssuerNotReady),
            ("failed", 2, &failed, Presence::Fit, Reason::IssuingFailed),
        ] {
            let mut observed = empty_observed();
            observed.live.certificate = Some(certificate(generation, conditions));
            observed.issuer = Some(issuer);
            let verdict = verdict(&site(r#"{"issuer": {"name": "letsencrypt"}}"#), &observed);
            assert_eq!(verdict.reason, reason, "{what}");
            assert_eq!(verdict.holds(), reason == Reason::Issued, "{what}");
        }
    }

    #[test]
    fn a_new_certificate_counts_once_it_can_be_served() {
        let issued = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T11:59:58Z"}]);
        let mut observed = empty_observed();
        observed.live.certificate = Some(certificate(1, &issued));
        let told = |observed: &Observed| verdict(&site(r#"{"issuer": {"name": "letsencrypt"}}"#), observed).reason;
        assert_eq!(told(&observed), Reason::Issuing);
        observed.now += SignedDuration::from_secs(2);
        assert_eq!(told(&observed), Reason::Issued);
    }

    #[test]
    fn what_holds_a_challenge_up_is_told() {
        let mut observed = empty_observed();
        observed.challenge = Some(Challenge { host: "physics.example.org".into(), reason: "no such host".into() });
        let verdict = verdict(&site(r#"{"issuer": {"name": "letsencrypt"}}"#), &observed);
        assert!(verdict.message.contains("no such host"), "{}", verdict.message);
    }

    #[test]
    fn without_cert_manager() {
        let mut observed = empty_observed();
        observed.cert_manager = false;
        let verdict = verdict(&site(r#"{"issuer": {"name": "letsencrypt"}}"#), &observed);
        assert_eq!(verdict.reason, Reason::CertManagerMissing);
    }

    #[test]
    fn certificates_that_people_bring() {
        for (presence, reason) in [
            (Some(Presence::Fit), Reason::Issued),
            (Some(Presence::Missing), Reason::SecretNotFound),
            (Some(Presence::Unfit("x".into())), Reason::SecretInvalid),
        ] {
            let mut observed = empty_observed();
            observed.own_certificate = presence;
            assert_eq!(verdict(&site(r#"{"secretName": "mine"}"#), &observed).reason, reason);
        }
        assert_eq!(verdict(&site(r#"{"disabled": true}"#), &empty_observed()).reason, Reason::TlsDisabled);
    }
}
