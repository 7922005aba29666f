//! One operator works at a time: a Lease, renewed by replacing it at the version that was read.
//!
//! Whether somebody else's lease has run out is judged by this machine's own monotonic clock, counted from when a change of
//! it was last seen: clocks of machines may differ.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

/// The lease could not be kept: whoever holds it no longer must stop at once.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("another operator, {0}, holds the lease")]
    Taken(String),
    #[error("the lease could not be renewed in time: {0}")]
    NotRenewed(String),
}

/// A candidate for the lease, or its holder.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    /// The lease as last seen changing, and when.
    seen: Option<(Option<String>, Instant)>,
}

/// What a candidate does about the lease that it found.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Create,
    /// Take it, or renew it.
    Hold,
    /// Somebody else holds it.
    Wait,
}

impl Candidate {
    /// `duration`: after how long without a renewal others may take the lease.
    pub fn new(client: &Client, namespace: &str, name: &str, identity: &str, duration: Duration) -> Self {
        Self {
            api: Api::namespaced(client.clone(), namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            duration,
            seen: None,
        }
    }

    /// How often the holder renews, and others look.
    fn pace(&self) -> Duration {
        self.duration / 5
    }

    /// Returns once this candidate holds the lease.
    pub async fn acquire(&mut self) {
        let mut told = false;
        loop {
            match self.attempt().await {
                Ok(true) => {
                    tracing::info!(lease = self.name, identity = self.identity, "holding the lease");
                    return;
                }
                Ok(false) if !told => {
                    tracing::info!(lease = self.name, "another operator holds the lease; waiting");
                    told = true;
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "reading or writing the lease failed; trying again"),
            }
            tokio::time::sleep(self.pace()).await;
        }
    }

    /// Renews for as long as it can; returns only when the lease is lost.
    pub async fn hold(&mut self) -> Lost {
        let mut renewed = Instant::now();
        // Others take over after the whole duration; this side lets go well before.
        let patience = self.duration * 2 / 3;
        loop {
            tokio::time::sleep(self.pace()).await;
            let left = patience.saturating_sub(renewed.elapsed());
            let failure = match tokio::time::timeout(left.min(self.pace() * 2), self.attempt()).await {
                Ok(Ok(true)) => {
                    renewed = Instant::now();
                    continue;
                }
                Ok(Ok(false)) => return Lost::Taken(self.holder().await),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer from the API server".to_owned(),
            };
            if renewed.elapsed() >= patience {
                return Lost::NotRenewed(failure);
            }
        }
    }

    /// Gives the lease up, so that another operator need not wait for it to run out. Best effort.
    pub async fn release(&self) {
        let Ok(Some(mut lease)) = self.api.get_opt(&self.name).await else { return };
        let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_ref() == Some(&self.identity))
        else {
            return;
        };
        spec.holder_identity = None;
        if let Err(error) = self.api.replace(&self.name, &PostParams::default(), &lease).await {
            tracing::debug!(%error, "the lease was not released and will run out");
        }
    }

    async fn holder(&self) -> String {
        let lease = self.api.get_opt(&self.name).await.ok().flatten();
        lease.and_then(|lease| lease.spec?.holder_identity).unwrap_or_else(|| "unknown".to_owned())
    }

    /// Takes or renews the lease if it may; false where somebody else holds it.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let found = self.api.get_opt(&self.name).await?;
        let version = found.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != version) {
            self.seen = Some((version, Instant::now()));
        }
        let unchanged = self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let step = step(found.as_ref().and_then(|lease| lease.spec.as_ref()), &self.identity, unchanged);
        let parameters = PostParams::default();
        let written = match (step, found) {
            (Step::Wait, _) => return Ok(false),
            (Step::Hold, Some(found)) => {
                let lease = self.renewed(Some(found));
                self.api.replace(&self.name, &parameters, &lease).await
            }
            (Step::Create | Step::Hold, _) => self.api.create(&parameters, &self.renewed(None)).await,
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody else was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn renewed(&self, found: Option<Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let (metadata, old) = match found {
            Some(lease) => (lease.metadata, lease.spec.unwrap_or_default()),
            None => (ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() }, LeaseSpec::default()),
        };
        let same = old.holder_identity.as_ref() == Some(&self.identity);
        Lease {
            metadata,
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
                acquire_time: if same { old.acquire_time } else { Some(now.clone()) },
                lease_transitions: Some(old.lease_transitions.unwrap_or(0) + i32::from(!same)),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        }
    }
}

/// Decides by the lease that was found and by how long this process has seen it unchanged.
fn step(found: Option<&LeaseSpec>, identity: &str, unchanged: Duration) -> Step {
    let Some(spec) = found else { return Step::Create };
    match spec.holder_identity.as_deref() {
        None | Some("") => Step::Hold,
        Some(holder) if holder == identity => Step::Hold,
        Some(_) => {
            let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
            if unchanged > Duration::from_secs(seconds) { Step::Hold } else { Step::Wait }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_candidate_does() {
        let lease = |holder: Option<&str>| {
            let spec = LeaseSpec {
                holder_identity: holder.map(str::to_owned),
                lease_duration_seconds: Some(15),
                ..LeaseSpec::default()
            };
            Some(spec)
        };
        for (what, found, unchanged, expected) in [
            ("there is none", None, 0, Step::Create),
            ("it was released", lease(None), 0, Step::Hold),
            ("it was released by emptying", lease(Some("")), 0, Step::Hold),
            ("it is mine", lease(Some("me")), 0, Step::Hold),
            ("it is mine, and old", lease(Some("me")), 100, Step::Hold),
            ("somebody else's", lease(Some("you")), 0, Step::Wait),
            ("somebody else's, at its end", lease(Some("you")), 15, Step::Wait),
            ("somebody else's, run out", lease(Some("you")), 16, Step::Hold),
        ] {
            assert_eq!(step(found.as_ref(), "me", Duration::from_secs(unchanged)), expected, "{what}");
        }
    }
}
