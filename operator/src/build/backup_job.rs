use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::VolumeMount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{owned, pod, settings};
use crate::names;
use crate::validate::Site;

/// Where the backup's container finds the volume of the backups.
const BACKUPS_PATH: &str = "/backups";

/// The CronJob that takes a copy of the running server's data through its admin port, verifies it, and keeps the newest.
///
/// The pod mounts the volume of the backups alone: the drawings' volume has one user, the server. Its termination message
/// carries the outcome, which the status repeats.
pub fn cron_job(site: &Site) -> CronJob {
    let backup = &site.spec.backup;
    let mut container = pod::container(
        site,
        "backup",
        [
            "backup",
            "--from",
            &format!("http://{}:{}", site.name, names::ADMIN_PORT),
            "--token-file",
            &format!("{}/{}", settings::KEYS_PATH, names::ADMIN_TOKEN),
            "--to",
            BACKUPS_PATH,
            "--keep",
            &backup.retention.daily.to_string(),
            "--report",
            "/dev/termination-log",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    container.volume_mounts =
        Some(vec![mount("backups", BACKUPS_PATH, None), mount("keys", settings::KEYS_PATH, Some(true))]);
    let volumes = vec![pod::claim_volume("backups", names::backup(&site.name)), pod::keys_volume(site)];
    let mut template = pod::template(site, names::BACKUP, container, volumes);
    if let Some(spec) = &mut template.spec {
        spec.restart_policy = Some("Never".to_owned());
    }
    let labels = names::component_labels(&site.name, names::BACKUP);
    let mut metadata = owned(site, &names::backup(&site.name));
    metadata.labels = Some(labels.clone());
    CronJob {
        metadata,
        spec: Some(CronJobSpec {
            schedule: backup.schedule.clone(),
            time_zone: backup.time_zone.clone(),
            suspend: Some(backup.suspend),
            concurrency_policy: Some("Forbid".to_owned()),
            // A machine that was off at the hour catches up within half a day of it.
            starting_deadline_seconds: Some(12 * 3600),
            successful_jobs_history_limit: Some(3),
            failed_jobs_history_limit: Some(3),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(JobSpec {
                    backoff_limit: Some(2),
                    active_deadline_seconds: Some(3600),
                    template,
                    ..JobSpec::default()
                }),
            },
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::pod::tests_support::assert_restricted;
    use crate::build::tests_support::site;

    #[test]
    fn passes_pod_security_restricted_and_mounts_no_drawings() {
        let spec = cron_job(&site("{}")).spec.unwrap();
        let pod = spec.job_template.spec.unwrap().template.spec.unwrap();
        assert_restricted(&pod);
        let claims: Vec<_> =
            pod.volumes.unwrap().into_iter().filter_map(|volume| volume.persistent_volume_claim).collect();
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].claim_name, "physics-backup");
    }

    #[test]
    fn the_resource_decides_when_and_how_many() {
        let site = site(
            r#"{"backup": {"schedule": "0 1 * * 0", "timeZone": "Europe/Rome", "suspend": true, "retention": {"daily": 3}}}"#,
        );
        let spec = cron_job(&site).spec.unwrap();
        assert_eq!(spec.schedule, "0 1 * * 0");
        assert_eq!(spec.time_zone.as_deref(), Some("Europe/Rome"));
        assert_eq!(spec.suspend, Some(true));
        let container = spec.job_template.spec.unwrap().template.spec.unwrap().containers.remove(0);
        let arguments = container.args.unwrap();
        let keep = arguments.iter().position(|argument| argument == "--keep").unwrap();
        assert_eq!(arguments[keep + 1], "3");
    }
}
