//! Computes the whole status from what was observed and applied, compares, writes once; events on transitions.

mod backup;
pub mod certificate;
mod conditions;
mod events;
mod server;
mod storage;
#[cfg(test)]
mod tests;

use crds::condition::{self, Reason};
use crds::{Phase, Whiteboard, WhiteboardStatus};
use kube::api::{Patch, PatchParams};
use kube::runtime::events::Recorder;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::apply;
use crate::names;
use crate::observe::Observed;
use crate::plan::Plan;
use crate::validate::{Refusal, Site};
use conditions::Verdict;

/// Writing the status or an event failed; worth trying again.
#[derive(Debug, thiserror::Error)]
#[error("writing the status: {0}")]
pub struct Error(#[source] kube::Error);

/// What became of the phases before: what the status is made from.
pub enum Outcome<'a> {
    /// The resource cannot be built.
    Refused(&'a Refusal),
    /// It was built and applied, with these errors.
    Applied { site: &'a Site, plan: &'a Plan, errors: &'a [apply::Error] },
}

/// Computes the status. `observed` holds the children as they are after the writes.
pub fn status(whiteboard: &Whiteboard, observed: &Observed, outcome: &Outcome<'_>) -> WhiteboardStatus {
    let old = whiteboard.status.clone().unwrap_or_default();
    let generation = whiteboard.metadata.generation;
    let book = conditions::Book { old: &old.conditions, generation, now: observed.now };
    match outcome {
        Outcome::Refused(refusal) => {
            let problem = Verdict::no(refusal.reason, refusal.message.clone());
            // What was known of the children stays as it was: they were not touched.
            let mut all: Vec<_> = old.conditions.iter().filter(|old| conditions::keeps(&old.type_)).cloned().collect();
            all.push(book.condition(condition::READY, &problem));
            all.push(book.condition(condition::STALLED, &Verdict::yes(refusal.reason, refusal.message.clone())));
            WhiteboardStatus {
                observed_generation: generation,
                phase: Some(Phase::Failed),
                conditions: conditions::sorted(all),
                ..old
            }
        }
        Outcome::Applied { site, plan, errors } => {
            let verdicts = Verdicts {
                storage: storage::verdict(&plan.data, observed.live.data_volume.as_deref()),
                certificate: certificate::verdict(site, observed),
                available: server::verdict(site, observed),
                ingress: server::ingress_problem(site, plan, observed),
                write: errors.iter().filter(|error| !of_backups(site, error)).find_map(write_problem),
            };
            let (backup_verdict, backup) = backup::assess(site, observed, old.backup.as_ref());
            // People can draw without backups, so what keeps those from being made is told apart.
            let refused = errors.iter().filter(|error| of_backups(site, error)).find_map(write_problem);
            let volume =
                plan.backup.problem.as_ref().map(|problem| Verdict::no(problem.reason, problem.message.clone()));
            let refused = refused.or(volume);
            let backup_verdict = refused.clone().unwrap_or(backup_verdict);
            let available = verdicts.available.holds();
            let ready = verdicts.ready(site);
            let stalled = verdicts.stalled(&book).or_else(|| refused.map(|no| Verdict::yes(no.reason, no.message)));
            let was_ready = old.release.is_some();
            let phase = match &stalled {
                _ if ready.holds() => Phase::Running,
                Some(_) => Phase::Failed,
                None if !was_ready => Phase::Installing,
                None if verdicts.available.reason == Reason::Updating => Phase::Upgrading,
                None => Phase::Running,
            };
            let mut all = vec![
                book.condition(condition::READY, &ready),
                book.condition(condition::AVAILABLE, &verdicts.available),
                book.condition(condition::CERTIFICATE_READY, &verdicts.certificate),
                book.condition(condition::STORAGE_READY, &verdicts.storage),
                book.condition(condition::BACKUP_HEALTHY, &backup_verdict),
            ];
            if let Some(stalled) = &stalled {
                all.push(book.condition(condition::STALLED, stalled));
            } else if !ready.holds() {
                let reason = if was_ready { Reason::Updating } else { Reason::Installing };
                all.push(book.condition(condition::RECONCILING, &Verdict::yes(reason, ready.message.clone())));
            }
            WhiteboardStatus {
                observed_generation: generation,
                url: Some(site.url()),
                phase: Some(phase),
                conditions: conditions::sorted(all),
                release: if available { Some(server::release(site, observed, old.release)) } else { old.release },
                backup,
                volumes: storage::volumes(&observed.live).or(old.volumes),
            }
        }
    }
}

fn write_problem(error: &apply::Error) -> Option<Verdict> {
    match error {
        apply::Error::NameTaken { .. } => Some(Verdict::no(Reason::NameTaken, error.to_string())),
        apply::Error::Refused { .. } => Some(Verdict::no(Reason::Rejected, error.to_string())),
        apply::Error::Write { .. } => None,
    }
}

fn of_backups(site: &Site, error: &apply::Error) -> bool {
    let name = names::backup(&site.name);
    [format!("CronJob {name}"), format!("PersistentVolumeClaim {name}")].iter().any(|object| object == error.object())
}

struct Verdicts {
    storage: Verdict,
    certificate: Verdict,
    available: Verdict,
    ingress: Option<Verdict>,
    write: Option<Verdict>,
}

impl Verdicts {
    /// What keeps people from drawing, what somebody has to mend first, then what only takes time.
    fn against(&self) -> impl Iterator<Item = &Verdict> {
        // A volume that cannot become as wished still holds the drawings: people can draw.
        let storage = (!self.storage.holds() && !storage::usable(&self.storage)).then_some(&self.storage);
        let parts =
            [self.write.as_ref(), storage, self.ingress.as_ref(), Some(&self.available), Some(&self.certificate)];
        let against: Vec<_> = parts.into_iter().flatten().filter(|verdict| !verdict.holds()).collect();
        let (mend, wait): (Vec<_>, Vec<_>) = against.into_iter().partition(|verdict| verdict.reason_needs_somebody());
        mend.into_iter().chain(wait)
    }

    fn ready(&self, site: &Site) -> Verdict {
        match self.against().next() {
            Some(verdict) => Verdict::no(verdict.reason, verdict.message.clone()),
            None => Verdict::yes(Reason::Running, format!("People can draw at {}.", site.url())),
        }
    }

    /// What trying again cannot mend. What may still come from elsewhere (an issuer, a class, an image) gets some time: tools
    /// that install everything at once must not take the order for a failure.
    fn stalled(&self, book: &conditions::Book<'_>) -> Option<Verdict> {
        let parts = self.against().chain(storage::usable(&self.storage).then_some(&self.storage));
        let patient = book.waited_for(condition::READY) < conditions::PATIENCE;
        let stuck = parts
            .filter(|verdict| verdict.reason_needs_somebody())
            .find(|verdict| !(patient && verdict.may_come_from_elsewhere()))?;
        Some(Verdict::yes(stuck.reason, stuck.message.clone()))
    }
}

/// Writes the status where it differs, and tells transitions by events.
pub async fn report(
    client: &Client,
    recorder: &Recorder,
    whiteboard: &Whiteboard,
    status: &WhiteboardStatus,
) -> Result<bool, Error> {
    let old = whiteboard.status.clone().unwrap_or_default();
    if old == *status {
        return Ok(false);
    }
    let api = Api::<Whiteboard>::namespaced(client.clone(), &whiteboard.namespace().unwrap_or_default());
    // The UID keeps the status of a deleted resource off a new one of the same name.
    let patch = json!({
        "apiVersion": "tutorspace.app/v1alpha1", "kind": "Whiteboard",
        "metadata": {"name": whiteboard.name_any(), "uid": whiteboard.uid()},
        "status": status,
    });
    let parameters = PatchParams::apply(names::MANAGER).force();
    match api.patch_status(&whiteboard.name_any(), &parameters, &Patch::Apply(&patch)).await {
        Ok(_) => {}
        // Deleted meanwhile, or made anew: there is nobody to tell.
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => return Ok(false),
        Err(error) => return Err(Error(error)),
    }
    events::publish(recorder, whiteboard, &old.conditions, &status.conditions).await;
    Ok(true)
}
