use std::sync::Arc;

use crds::Release;
use crds::condition::Reason;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::conditions::{Verdict, seconds};
use crate::class::Class;
use crate::names;
use crate::observe::Observed;
use crate::plan::Plan;
use crate::validate::Site;

/// Judges whether the server answers, and if not, why.
pub fn verdict(site: &Site, observed: &Observed) -> Verdict {
    let Some(deployment) = observed.live.deployment.as_deref() else {
        return Verdict::no(Reason::ServerStarting, "The server is being made.");
    };
    if let Some(message) = pods_refused(deployment) {
        return Verdict::no(Reason::Rejected, format!("The server's pod is refused: {message}"));
    }
    if answers(deployment) {
        return Verdict::yes(Reason::ServerAnswers, "The server answers.");
    }
    let pod = observed.server_pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
    let trouble = pod.and_then(|pod| trouble(site, pod));
    trouble.unwrap_or_else(|| {
        if rolling(deployment) {
            Verdict::no(Reason::Updating, "The server is being replaced after a change; it is back in a few seconds.")
        } else {
            Verdict::no(Reason::ServerStarting, "The server is starting.")
        }
    })
}

/// The Deployment's own judgement, if it speaks of the Deployment as it is now.
fn answers(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= 1
        && status.ready_replicas.unwrap_or(0) >= 1
        && status.replicas == status.updated_replicas
}

/// Whether a change of the pod's template is on its way. The first generation is no change.
fn rolling(deployment: &Deployment) -> bool {
    if deployment.metadata.generation.unwrap_or(1) <= 1 {
        return false;
    }
    let status = deployment.status.clone().unwrap_or_default();
    status.observed_generation < deployment.metadata.generation
        || status.updated_replicas.unwrap_or(0) < 1
        || status.replicas != status.updated_replicas
}

fn pods_refused(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failure =
        conditions.iter().find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    failure.message.clone()
}

fn trouble(site: &Site, pod: &Pod) -> Option<Verdict> {
    let status = pod.status.as_ref()?;
    let selector = format!("{}={},{}={}", names::INSTANCE, site.name, names::COMPONENT, names::SERVER);
    let namespace = &site.namespace;
    if let Some(container) = status.container_statuses.iter().flatten().next() {
        let state = container.state.as_ref();
        let waiting = state.and_then(|state| state.waiting.as_ref()).and_then(|waiting| waiting.reason.as_deref());
        match waiting {
            Some(
                "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable",
            ) => {
                return Some(Verdict::no(
                    Reason::ImageUnavailable,
                    format!(
                        "The image {} cannot be pulled: correct spec.image, or give access by spec.imagePullSecrets. `kubectl -n {namespace} describe pod -l {selector}` tells what the registry answered.",
                        site.image
                    ),
                ));
            }
            Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
                let why = state.and_then(|state| state.waiting.as_ref()?.message.clone()).unwrap_or_default();
                return Some(Verdict::no(
                    Reason::ServerCrashes,
                    format!("The server's container cannot be started: {why}"),
                ));
            }
            _ => {}
        }
        if let Some(words) = last_words(container) {
            return Some(Verdict::no(
                Reason::ServerCrashes,
                format!(
                    "The server has ended {} times; Kubernetes starts it again. Last it said: {words}",
                    container.restart_count
                ),
            ));
        }
    }
    let scheduled = status.conditions.iter().flatten().find(|condition| condition.type_ == "PodScheduled")?;
    if scheduled.status == "False" && scheduled.reason.as_deref() == Some("Unschedulable") {
        return Some(Verdict::no(
            Reason::Unschedulable,
            format!(
                "No node takes the server's pod: {}. Correct spec.nodeSelector, spec.tolerations or spec.resources, or make room.",
                scheduled.message.as_deref().unwrap_or_default()
            ),
        ));
    }
    None
}

/// Three ends are a pattern, one may be a node's restart.
const ENDS: i32 = 3;

fn last_words(container: &ContainerStatus) -> Option<String> {
    let ended = container.last_state.as_ref()?.terminated.as_ref()?;
    if container.ready || container.restart_count < ENDS {
        return None;
    }
    let words = ended.message.as_deref().unwrap_or_default().trim();
    let last = words.lines().last().unwrap_or_default();
    Some(if last.is_empty() {
        format!("nothing (exit code {}, {})", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason given"))
    } else {
        last.to_owned()
    })
}

/// What keeps the Ingress from being served, if anything.
pub fn ingress_problem(site: &Site, plan: &Plan, observed: &Observed) -> Option<Verdict> {
    let known = |classes: &[Class]| {
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let classes = &observed.ingress_classes;
    match (&site.spec.ingress.class_name, &plan.ingress_class) {
        (Some(class), _) if !classes.iter().any(|found| found.name == *class) => Some(Verdict::no(
            Reason::IngressClassNotFound,
            format!(
                "The ingress class {class} does not exist: correct ingress.className (this cluster has: {}), or install its controller.",
                known(classes)
            ),
        )),
        (None, None) => Some(Verdict::no(
            Reason::NoDefaultIngressClass,
            format!(
                "The cluster has no default ingress class: set ingress.className (this cluster has: {}), or mark one as default.",
                known(classes)
            ),
        )),
        _ => None,
    }
}

/// The release that answers now; `old` where it is the same, so that its time stays.
pub fn release(site: &Site, observed: &Observed, old: Option<Release>) -> Release {
    let digest = observed.server_pods.iter().find_map(running_digest);
    let image = site.image.clone();
    match old {
        Some(old) if old.image == image && (old.digest == digest || digest.is_none()) => old,
        _ => Release { version: version(&image), image, digest, since: seconds(observed.now) },
    }
}

fn running_digest(pod: &Arc<Pod>) -> Option<String> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let id = container.ready.then_some(container.image_id.as_str())?;
    id.rfind("sha256:").map(|start| id[start..].to_owned())
}

/// The tag of a reference, else the first twelve digits of its digest.
fn version(image: &str) -> String {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag.to_owned());
    let short = digest.map(|digest| digest.trim_start_matches("sha256:").chars().take(12).collect());
    tag.or(short).unwrap_or_else(|| "latest".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::tests_support::{empty_observed, whiteboard};
    use crate::validate::validate;

    fn site() -> Site {
        validate(&whiteboard("physics", "{}"), &empty_observed(), "example.org/server:1").unwrap()
    }

    fn observed(generation: i64, status: &Value, pod: &Value) -> Observed {
        let deployment =
            json!({"metadata": {"generation": generation}, "spec": {"selector": {}, "template": {}}, "status": status});
        let mut observed = empty_observed();
        observed.live.deployment = Some(Arc::new(serde_json::from_value(deployment).unwrap()));
        if !pod.is_null() {
            observed.server_pods =
                vec![Arc::new(serde_json::from_value(json!({"metadata": {}, "status": pod})).unwrap())];
        }
        observed
    }

    fn waiting(reason: &str) -> Value {
        json!({"containerStatuses": [{"name": "server", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason}}}]})
    }

    fn ended(times: i32) -> Value {
        json!({"containerStatuses": [{"name": "server", "image": "", "imageID": "", "ready": false, "restartCount": times,
            "lastState": {"terminated": {"exitCode": 1, "message": "log\nthe file is newer than this server"}}}]})
    }

    #[test]
    fn verdicts() {
        let up = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1});
        let down = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1});
        let unschedulable = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]});
        let refused =
            json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}]});
        for (what, generation, status, pod, reason) in [
            ("answers", 2, &up, Value::Null, Reason::ServerAnswers),
            ("answers for what it was before", 3, &up, Value::Null, Reason::Updating),
            ("starts", 2, &down, Value::Null, Reason::ServerStarting),
            ("no image", 2, &down, waiting("ImagePullBackOff"), Reason::ImageUnavailable),
            ("no such file", 2, &down, waiting("CreateContainerError"), Reason::ServerCrashes),
            ("ended once", 2, &down, ended(1), Reason::ServerStarting),
            ("ends again and again", 2, &down, ended(3), Reason::ServerCrashes),
            ("no room", 2, &down, unschedulable, Reason::Unschedulable),
            ("refused", 2, &refused, Value::Null, Reason::Rejected),
        ] {
            let verdict = verdict(&site(), &observed(generation, status, &pod));
            assert_eq!(verdict.reason, reason, "{what}");
            assert_eq!(verdict.holds(), reason == Reason::ServerAnswers, "{what}");
        }
        let crashes = verdict(&site(), &observed(2, &down, &ended(4)));
        assert!(crashes.message.ends_with("the file is newer than this server"), "{}", crashes.message);
    }

    #[test]
    fn versions() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (image, expected) in [
            ("ghcr.io/x/server:0.1.0".to_owned(), "0.1.0"),
            ("localhost:5000/server:dev-1".to_owned(), "dev-1"),
            (format!("ghcr.io/x/server@{digest}"), "abababababab"),
            (format!("ghcr.io/x/server:0.2@{digest}"), "0.2"),
            ("localhost:5000/server".to_owned(), "latest"),
        ] {
            assert_eq!(version(&image), expected, "{image}");
        }
    }

    #[test]
    fn a_release_keeps_its_time_until_it_changes() {
        let mut observed = empty_observed();
        let first = release(&site(), &observed, None);
        observed.now = "2026-04-01T00:00:00Z".parse().unwrap();
        assert_eq!(release(&site(), &observed, Some(first.clone())), first);
        let other = Release { image: "example.org/server:0".into(), ..first };
        assert_eq!(release(&site(), &observed, Some(other)).since, observed.now);
    }

    #[test]
    fn ingress_classes() {
        for (spec, classes, reason) in [
            ("{}", vec![("traefik", true)], None),
            ("{}", vec![("traefik", false)], Some(Reason::NoDefaultIngressClass)),
            ("{}", vec![], Some(Reason::NoDefaultIngressClass)),
            (r#"{"ingress": {"className": "nginx"}}"#, vec![("traefik", true)], Some(Reason::IngressClassNotFound)),
            (r#"{"ingress": {"className": "nginx"}}"#, vec![("nginx", false)], None),
        ] {
            let mut observed = empty_observed();
            observed.ingress_classes = classes
                .into_iter()
                .map(|(name, default)| Class { name: name.into(), default, expands: false })
                .collect();
            let site = validate(&whiteboard("physics", spec), &observed, "example.org/server:1").unwrap();
            let plan = crate::plan::plan(&site, &observed);
            assert_eq!(ingress_problem(&site, &plan, &observed).map(|verdict| verdict.reason), reason, "{spec}");
        }
    }
}
