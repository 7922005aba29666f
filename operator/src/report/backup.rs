use crds::condition::Reason;
use crds::{BackupRecord, BackupStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde::Deserialize;

use super::conditions::{Verdict, seconds};
use crate::observe::Observed;
use crate::validate::Site;

/// How long after its hour a backup may take before it counts as overdue: the CronJob tries for an hour and may be late.
const GRACE: SignedDuration = SignedDuration::from_hours(2);
/// How many backups the status lists.
const LISTED: usize = 10;

/// The last words of a backup's container, as `whiteboard backup --report` writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Report {
    #[serde(rename_all = "camelCase")]
    Taken {
        name: String,
        time: Timestamp,
        bytes: i64,
        boards: u32,
        verified: bool,
        kept: u32,
        kept_bytes: i64,
    },
    Failed {
        error: String,
    },
}

/// Judges the backups, and lists them: what finished jobs report, added to what the status knew already.
pub fn assess(site: &Site, observed: &Observed, old: Option<&BackupStatus>) -> (Verdict, Option<BackupStatus>) {
    let mut reports: Vec<_> = observed.backup_pods.iter().filter_map(|pod| report(pod)).collect();
    reports.sort_by_key(|report| match report {
        Report::Taken { time, .. } => std::cmp::Reverse(Some(*time)),
        Report::Failed { .. } => std::cmp::Reverse(None),
    });
    let status = merged(&reports, old);
    let last = status.as_ref().and_then(|status| status.last_success);
    (verdict(site, observed, last, &reports), status)
}

fn merged(reports: &[Report], old: Option<&BackupStatus>) -> Option<BackupStatus> {
    let mut status = old.cloned().unwrap_or_default();
    for report in reports {
        let Report::Taken { name, time, bytes, boards, verified, .. } = report else { continue };
        if !status.recent.iter().any(|known| known.name == *name) {
            let record = BackupRecord {
                name: name.clone(),
                time: seconds(*time),
                bytes: *bytes,
                boards: *boards,
                verified: *verified,
            };
            status.recent.push(record);
        }
    }
    status.recent.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| b.name.cmp(&a.name)));
    status.recent.truncate(LISTED);
    let newest = status.recent.first()?.time;
    status.last_success = Some(newest);
    if let Some(Report::Taken { time, kept, kept_bytes, .. }) = reports.first()
        && seconds(*time) >= newest
    {
        status.count = Some(*kept);
        status.bytes = Some(*kept_bytes);
    }
    Some(status)
}

fn verdict(site: &Site, observed: &Observed, last: Option<Timestamp>, reports: &[Report]) -> Verdict {
    let backup = &site.spec.backup;
    if backup.suspend {
        return Verdict::unknown(
            Reason::Suspended,
            "Backups are suspended: set backup.suspend to false to take them again.",
        );
    }
    let command =
        format!("kubectl -n {} create job --from=cronjob/{} now", site.namespace, crate::names::backup(&site.name));
    let failed = observed.backup_jobs.iter().find_map(|job| failed_at(job));
    if failed.is_some_and(|failed| last.is_none_or(|last| failed > last)) {
        let why = reports.iter().find_map(|report| match report {
            Report::Failed { error } => Some(error.as_str()),
            Report::Taken { .. } => None,
        });
        return Verdict::no(
            Reason::BackupFailed,
            format!(
                "The newest backup failed: {} To try again: `{command}`.",
                why.unwrap_or("its job's log tells why.")
            ),
        );
    }
    let scheduled = observed.live.cron_job.as_deref().and_then(|job| job.status.as_ref()?.last_schedule_time.clone());
    if let Some(due) = scheduled.map(|time| time.0)
        && last.is_none_or(|last| last < due)
        && observed.now.duration_since(due) > GRACE
    {
        return Verdict::no(
            Reason::BackupOverdue,
            format!("The backup that was due at {} has not succeeded. To try again: `{command}`.", seconds(due)),
        );
    }
    match last {
        Some(last) => Verdict::yes(Reason::Verified, format!("The backup of {last} was taken and verified.")),
        None => Verdict::yes(Reason::NotDueYet, format!("No backup has been due yet. To take one now: `{command}`.")),
    }
}

fn failed_at(job: &Job) -> Option<Timestamp> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
    failed.last_transition_time.as_ref().map(|time| time.0)
}

fn report(pod: &Pod) -> Option<Report> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let ended = container.state.as_ref()?.terminated.as_ref()?;
    let message = ended.message.as_deref()?.trim();
    match serde_json::from_str(message) {
        Ok(report) => Some(report),
        Err(error) => {
            tracing::debug!(pod = pod.name_any(), %error, "a backup's last words are no report");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::observe::tests_support::{empty_observed, whiteboard};
    use crate::validate::validate;

    fn pod(message: &str) -> Arc<Pod> {
        let pod = json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [
            {"name": "backup", "image": "", "imageID": "", "ready": false, "restartCount": 0,
             "state": {"terminated": {"exitCode": 0, "message": message}}},
        ]}});
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn taken(time: &str) -> Arc<Pod> {
        pod(&format!(
            r#"{{"name":"{time}","time":"{time}","bytes":10,"boards":2,"strokes":5,"verified":true,"kept":3,"keptBytes":30}}"#
        ))
    }

    fn failed(time: &str) -> Arc<Job> {
        let job = json!({"metadata": {}, "status": {"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": time}]}});
        Arc::new(serde_json::from_value(job).unwrap())
    }

    fn due(time: &str) -> Arc<k8s_openapi::api::batch::v1::CronJob> {
        Arc::new(serde_json::from_value(json!({"metadata": {}, "status": {"lastScheduleTime": time}})).unwrap())
    }

    fn assessed(spec: &str, observed: &Observed) -> (Verdict, Option<BackupStatus>) {
        let site = validate(&whiteboard("physics", spec), &empty_observed(), "example.org/server:1").unwrap();
        assess(&site, observed, None)
    }

    #[test]
    fn verdicts() {
        // It is 12:00 on the first of March.
        let (early, late) = ("2026-03-01T03:17:20Z", "2026-03-01T11:00:00Z");
        let suspended = r#"{"backup": {"suspend": true}}"#;
        for (what, spec, pods, jobs, schedule, reason, status) in [
            ("none due", "{}", vec![], vec![], None, Reason::NotDueYet, "True"),
            ("taken", "{}", vec![taken(early)], vec![], Some(due("2026-03-01T03:17:00Z")), Reason::Verified, "True"),
            (
                "failed",
                "{}",
                vec![pod(r#"{"error":"disk full."}"#)],
                vec![failed(late)],
                None,
                Reason::BackupFailed,
                "False",
            ),
            ("failed after one", "{}", vec![taken(early)], vec![failed(late)], None, Reason::BackupFailed, "False"),
            ("failed before one", "{}", vec![taken(late)], vec![failed(early)], None, Reason::Verified, "True"),
            ("overdue", "{}", vec![], vec![], Some(due("2026-03-01T03:17:00Z")), Reason::BackupOverdue, "False"),
            ("due a moment ago", "{}", vec![], vec![], Some(due(late)), Reason::NotDueYet, "True"),
            ("suspended", suspended, vec![], vec![failed(late)], None, Reason::Suspended, "Unknown"),
            ("no report", "{}", vec![pod("Killed")], vec![], None, Reason::NotDueYet, "True"),
        ] {
            let mut observed = empty_observed();
            observed.backup_pods = pods;
            observed.backup_jobs = jobs;
            observed.live.cron_job = schedule;
            let (verdict, _) = assessed(spec, &observed);
            assert_eq!(verdict.reason, reason, "{what}: {}", verdict.message);
            assert_eq!(verdict.holds(), status == "True", "{what}");
        }
    }

    #[test]
    fn a_failure_repeats_what_the_job_said() {
        let mut observed = empty_observed();
        observed.backup_pods = vec![pod(r#"{"error":"The volume is full."}"#)];
        observed.backup_jobs = vec![failed("2026-03-01T11:00:00Z")];
        assert!(assessed("{}", &observed).0.message.contains("The volume is full."));
    }

    #[test]
    fn the_list_remembers_what_its_pods_are_gone_for() {
        let mut observed = empty_observed();
        observed.backup_pods = vec![taken("2026-03-01T03:17:20Z")];
        let (_, first) = assessed("{}", &observed);
        let first = first.unwrap();
        assert_eq!((first.count, first.bytes, first.recent.len()), (Some(3), Some(30), 1));

        observed.backup_pods = vec![taken("2026-03-02T03:17:20Z")];
        let site = validate(&whiteboard("physics", "{}"), &empty_observed(), "example.org/server:1").unwrap();
        let second = assess(&site, &observed, Some(&first)).1.unwrap();
        let names: Vec<_> = second.recent.iter().map(|record| record.name.as_str()).collect();
        assert_eq!(names, ["2026-03-02T03:17:20Z", "2026-03-01T03:17:20Z"]);
        assert_eq!(second.last_success, Some("2026-03-02T03:17:20Z".parse().unwrap()));

        observed.backup_pods = vec![];
        assert_eq!(assess(&site, &observed, Some(&second)).1, Some(second));
    }
}
