//! Drives every Whiteboard through the phases, again whenever something about it changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crds::Whiteboard;
use futures::{Stream, StreamExt, stream};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use tracing::Instrument;

use crate::metrics::Metrics;
use crate::observe::Observed;
use crate::report::Outcome;
use crate::watch::Caches;
use crate::{apply, build, observe, plan, report, validate};

/// What every reconcile needs.
pub struct Context {
    pub client: Client,
    pub caches: Arc<Caches>,
    pub metrics: Arc<Metrics>,
    pub recorder: Recorder,
    /// Image of the server for resources that name none.
    pub server_image: String,
    restraint: apply::Restraint,
    failures: Mutex<HashMap<ObjectRef<Whiteboard>, u32>>,
}

/// What a reconcile failed on; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Observe(#[from] observe::Error),
    #[error(transparent)]
    Apply(apply::Error),
    #[error(transparent)]
    Report(#[from] report::Error),
    #[error("a reconcile took longer than {} s", LONGEST.as_secs())]
    TimedOut,
}

/// No reconcile takes longer: an API server that does not answer must not hold a place for ever.
const LONGEST: Duration = Duration::from_mins(1);
/// Events of one change come in bursts; they are worked on together.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// How soon something unfinished is looked at again, beside what the watches tell.
const UNFINISHED: Duration = Duration::from_secs(10);
/// How soon a certificate that was just issued is looked at again: nothing else tells that its moment has passed.
const SOON: Duration = Duration::from_secs(1);
/// How soon something finished is looked at again, in case an event was missed or an hour has come. Looking writes nothing.
const FINISHED: Duration = Duration::from_mins(10);

impl Context {
    pub fn new(
        client: Client,
        caches: Arc<Caches>,
        metrics: Arc<Metrics>,
        recorder: Recorder,
        server_image: String,
    ) -> Self {
        Self {
            client,
            caches,
            metrics,
            recorder,
            server_image,
            restraint: apply::Restraint::default(),
            failures: Mutex::default(),
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectRef<Whiteboard>, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until `stop`, then finishes what is under way.
///
/// `triggers` names Whiteboards whose surroundings changed; each that exists now is worked on first.
pub async fn run(
    context: Arc<Context>,
    triggers: impl Stream<Item = ObjectRef<Whiteboard>> + Send + 'static,
    concurrency: u16,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let store = context.caches.whiteboards.clone();
    let existing: Vec<_> = store.state().iter().map(|whiteboard| ObjectRef::from_obj(&**whiteboard)).collect();
    // Every trigger comes from our own watches; the controller's own stream of Whiteboards has nothing to add.
    Controller::for_stream(stream::pending(), store)
        .with_config(Config::default().concurrency(concurrency).debounce(DEBOUNCE))
        .reconcile_on(stream::iter(existing).chain(triggers))
        .graceful_shutdown_on(stop)
        .run(reconcile, error_policy, context)
        .for_each(|result| async move {
            // Reconcile's own errors are told where they happen; what is left are resources deleted meanwhile.
            if let Err(error) = result {
                tracing::debug!(%error, "nothing to reconcile");
            }
        })
        .await;
}

async fn reconcile(whiteboard: Arc<Whiteboard>, context: Arc<Context>) -> Result<Action, Error> {
    let span = tracing::info_span!(
        "reconcile",
        namespace = whiteboard.namespace().unwrap_or_default(),
        whiteboard = whiteboard.name_any(),
        generation = whiteboard.metadata.generation,
    );
    async move {
        let started = Instant::now();
        let result =
            tokio::time::timeout(LONGEST, Box::pin(once(&whiteboard, &context))).await.unwrap_or(Err(Error::TimedOut));
        context.metrics.reconciled(started.elapsed(), result.is_ok());
        context.metrics.phases(phases(&context.caches));
        match &result {
            Ok(_) => {
                context.failures().remove(&ObjectRef::from_obj(&*whiteboard));
            }
            Err(error) => tracing::warn!(%error, "reconciling failed and will be tried again"),
        }
        result
    }
    .instrument(span)
    .await
}

/// One way through the phases.
async fn once(whiteboard: &Whiteboard, context: &Context) -> Result<Action, Error> {
    if whiteboard.metadata.deletion_timestamp.is_some() {
        // Children have an owner and go with it; the volumes that stay have none.
        return Ok(Action::await_change());
    }
    let mut observed = observe::observe(&context.client, &context.caches, whiteboard).await?;
    let mut held_back = false;
    let (status, failed) = match validate::validate(whiteboard, &observed, &context.server_image) {
        Err(refusal) => (report::status(whiteboard, &observed, &Outcome::Refused(&refusal)), None),
        Ok(site) => {
            let plan = plan::plan(&site, &observed);
            let children = build::build(&site, &plan, &observed);
            let applied = Box::pin(apply::apply(
                &context.client,
                &context.metrics,
                &context.restraint,
                &site,
                &observed,
                children,
            ))
            .await;
            held_back = applied.held_back;
            observed = Observed { live: applied.live, ..observed };
            let outcome = Outcome::Applied { site: &site, plan: &plan, errors: &applied.errors };
            let status = report::status(whiteboard, &observed, &outcome);
            let failed = applied.errors.into_iter().find(|error| matches!(error, apply::Error::Write { .. }));
            (status, failed)
        }
    };
    report::report(&context.client, &context.recorder, whiteboard, &status).await?;
    if let Some(error) = failed {
        return Err(Error::Apply(error));
    }
    if report::certificate::is_being_taken_up(&observed) {
        return Ok(Action::requeue(SOON));
    }
    Ok(Action::requeue(if finished(&status) && !held_back { FINISHED } else { UNFINISHED }))
}

fn finished(status: &crds::WhiteboardStatus) -> bool {
    let quiet = |condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| match condition.type_.as_str() {
        crds::condition::READY => condition.status == "True",
        crds::condition::STALLED | crds::condition::RECONCILING => false,
        _ => true,
    };
    status.conditions.iter().all(quiet)
}

/// Waits that double with each failure in a row, for each resource by itself.
#[allow(clippy::needless_pass_by_value, reason = "the controller calls it so")]
fn error_policy(whiteboard: Arc<Whiteboard>, _: &Error, context: Arc<Context>) -> Action {
    let mut failures = context.failures();
    let count = failures.entry(ObjectRef::from_obj(&*whiteboard)).or_default();
    *count = count.saturating_add(1);
    Action::requeue(backoff(*count))
}

/// 1 s, 2 s, 4 s … up to five minutes.
fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(9)).min(Duration::from_mins(5))
}

fn phases(caches: &Caches) -> HashMap<String, i64> {
    let mut counts = HashMap::new();
    for whiteboard in caches.whiteboards.state() {
        let phase = whiteboard.status.as_ref().and_then(|status| status.phase);
        *counts.entry(phase.map_or_else(|| "Unknown".to_owned(), |phase| format!("{phase:?}"))).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_after_failures() {
        let waits: Vec<u64> = [1, 2, 3, 9, 10, 1000].map(|failures| backoff(failures).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300]);
    }
}
