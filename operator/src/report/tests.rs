//! The whole status from whole observations: what tools read off it (kstatus, Argo CD, people) in each state.

use std::sync::Arc;

use crds::condition::{self, Reason};
use crds::{Phase, Whiteboard, WhiteboardStatus};
use serde_json::{Value, json};

use super::{Outcome, status};
use crate::apply;
use crate::observe::Observed;
use crate::observe::tests_support::{empty_observed, whiteboard};
use crate::plan::plan;
use crate::presence::Presence;
use crate::validate::{Refusal, validate};

fn from<T: serde::de::DeserializeOwned>(value: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(value).unwrap())
}

/// A site that runs.
fn running() -> Observed {
    let mut observed = empty_observed();
    observed.live.data_volume = Some(from(json!({
        "metadata": {"name": "physics-data"},
        "spec": {"volumeName": "pv", "storageClassName": "local-path", "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
    })));
    observed.live.certificate = Some(from(json!({
        "metadata": {"name": "physics", "generation": 1},
        "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]},
    })));
    observed.live.deployment = Some(from(json!({
        "metadata": {"generation": 1}, "spec": {"selector": {}, "template": {}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1},
    })));
    observed
}

fn reported(whiteboard: &Whiteboard, observed: &Observed, errors: &[apply::Error]) -> WhiteboardStatus {
    let site = validate(whiteboard, observed, "example.org/server:1").unwrap();
    let plan = plan(&site, observed);
    status(whiteboard, observed, &Outcome::Applied { site: &site, plan: &plan, errors })
}

/// A condition's status and reason, as `True Running`.
fn told(status: &WhiteboardStatus, type_: &str) -> Option<String> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_)?;
    Some(format!("{} {}", found.status, found.reason))
}

#[test]
fn a_site_that_runs() {
    let whiteboard = whiteboard("physics", "{}");
    let status = reported(&whiteboard, &running(), &[]);
    assert_eq!(told(&status, condition::READY).as_deref(), Some("True Running"));
    assert_eq!(told(&status, condition::RECONCILING), None);
    assert_eq!(told(&status, condition::STALLED), None);
    assert_eq!(status.phase, Some(Phase::Running));
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.url.as_deref(), Some("https://physics.example.org"));
    assert_eq!(status.release.as_ref().unwrap().version, "1");
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(1)));
}

#[test]
fn the_same_observation_gives_the_same_status() {
    let mut whiteboard = whiteboard("physics", "{}");
    let mut observed = running();
    whiteboard.status = Some(reported(&whiteboard, &observed, &[]));
    observed.now += jiff::SignedDuration::from_hours(5);
    assert_eq!(Some(reported(&whiteboard, &observed, &[])), whiteboard.status);
}

#[test]
fn a_new_site_is_reconciling_and_never_degraded() {
    let status = reported(&whiteboard("physics", "{}"), &empty_observed(), &[]);
    assert!(told(&status, condition::READY).unwrap().starts_with("False"));
    assert_eq!(told(&status, condition::RECONCILING).as_deref(), Some("True Installing"));
    assert_eq!(told(&status, condition::STALLED), None);
    assert_eq!(status.phase, Some(Phase::Installing));
}

#[test]
fn what_may_still_come_gets_time_before_it_counts_as_stuck() {
    let mut whiteboard = whiteboard("physics", "{}");
    let mut observed = running();
    observed.live.certificate = None;
    observed.issuer = Some(Presence::Missing);
    let first = reported(&whiteboard, &observed, &[]);
    assert_eq!(told(&first, condition::READY).as_deref(), Some("False IssuerNotFound"));
    assert_eq!(told(&first, condition::RECONCILING).as_deref(), Some("True Installing"));
    assert_eq!(first.phase, Some(Phase::Installing));

    whiteboard.status = Some(first);
    observed.now += jiff::SignedDuration::from_mins(3);
    let later = reported(&whiteboard, &observed, &[]);
    assert_eq!(told(&later, condition::STALLED).as_deref(), Some("True IssuerNotFound"));
    assert_eq!(told(&later, condition::RECONCILING), None);
    assert_eq!(later.phase, Some(Phase::Failed));
}

#[test]
fn a_restart_of_the_server_is_no_failure() {
    let mut whiteboard = whiteboard("physics", "{}");
    whiteboard.status = Some(reported(&whiteboard, &running(), &[]));
    let mut observed = running();
    observed.live.deployment = Some(from(json!({
        "metadata": {"generation": 1}, "spec": {"selector": {}, "template": {}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1},
    })));
    let status = reported(&whiteboard, &observed, &[]);
    assert_eq!(told(&status, condition::READY).as_deref(), Some("False ServerStarting"));
    assert_eq!(told(&status, condition::RECONCILING).as_deref(), Some("True Updating"));
    assert_eq!(status.phase, Some(Phase::Running));
    assert!(status.release.is_some());
}

#[test]
fn a_volume_that_cannot_grow_stops_nobody_from_drawing() {
    let whiteboard = whiteboard("physics", r#"{"storage": {"size": "2Gi"}}"#);
    let status = reported(&whiteboard, &running(), &[]);
    assert_eq!(told(&status, condition::READY).as_deref(), Some("True Running"));
    assert_eq!(told(&status, condition::STORAGE_READY).as_deref(), Some("False VolumeExpansionUnsupported"));
    assert_eq!(told(&status, condition::STALLED).as_deref(), Some("True VolumeExpansionUnsupported"));
    assert_eq!(status.phase, Some(Phase::Running));
}

#[test]
fn what_somebody_has_to_mend_comes_before_what_takes_time() {
    let mut observed = running();
    observed.live.certificate = None;
    observed.live.deployment = Some(from(json!({
        "metadata": {"generation": 1}, "spec": {"selector": {}, "template": {}}, "status": {"observedGeneration": 1},
    })));
    let taken = apply::Error::NameTaken { object: "Service physics".into(), owner: "school/physics".into() };
    let status = reported(&whiteboard("physics", "{}"), &observed, &[taken]);
    assert_eq!(told(&status, condition::READY).as_deref(), Some("False NameTaken"));
    assert_eq!(told(&status, condition::STALLED).as_deref(), Some("True NameTaken"));
    assert_eq!(told(&status, condition::CERTIFICATE_READY).as_deref(), Some("False Issuing"));
}

#[test]
fn a_refused_backup_stops_nobody_from_drawing() {
    let refused =
        apply::Error::Refused { object: "CronJob physics-backup".into(), message: "unknown time zone".into() };
    let status = reported(&whiteboard("physics", "{}"), &running(), &[refused]);
    assert_eq!(told(&status, condition::READY).as_deref(), Some("True Running"));
    assert_eq!(told(&status, condition::BACKUP_HEALTHY).as_deref(), Some("False Rejected"));
    assert_eq!(told(&status, condition::STALLED).as_deref(), Some("True Rejected"));
}

#[test]
fn a_refusal_keeps_what_is_known_of_the_children() {
    let mut whiteboard = whiteboard("physics", "{}");
    whiteboard.status = Some(reported(&whiteboard, &running(), &[]));
    whiteboard.metadata.generation = Some(2);
    let refusal = Refusal { reason: Reason::HostTaken, message: "The host is taken.".into() };
    let refused = status(&whiteboard, &running(), &Outcome::Refused(&refusal));
    assert_eq!(told(&refused, condition::READY).as_deref(), Some("False HostTaken"));
    assert_eq!(told(&refused, condition::STALLED).as_deref(), Some("True HostTaken"));
    assert_eq!(told(&refused, condition::AVAILABLE).as_deref(), Some("True ServerAnswers"));
    assert_eq!(refused.phase, Some(Phase::Failed));
    assert_eq!(refused.observed_generation, Some(2));

    // Put right, it is as before but for the generation.
    whiteboard.status = Some(refused);
    let again = reported(&whiteboard, &running(), &[]);
    assert_eq!(told(&again, condition::READY).as_deref(), Some("True Running"));
    assert_eq!(told(&again, condition::STALLED), None);
}
