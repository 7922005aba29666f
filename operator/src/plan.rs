//! Decides what should be now, pure and synchronous. Of the site's life this issue of the operator knows installing and
//! running; what takes deciding today is what a volume claim, which mostly cannot change, and an ingress class may become.

use std::sync::Arc;

use crds::Quantity;
use crds::condition::Reason;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;

use crate::class::Class;
use crate::observe::Observed;
use crate::validate::{Refusal, Site};

/// What should be now.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub data: VolumePlan,
    pub backup: VolumePlan,
    pub ingress_class: Option<String>,
}

/// What should become of a volume claim.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumePlan {
    pub step: VolumeStep,
    /// Why the claim cannot be as the resource wishes, or cannot be bound.
    pub problem: Option<Refusal>,
}

/// The next step with a volume claim.
#[derive(Clone, Debug, PartialEq)]
pub enum VolumeStep {
    /// The claim is made, or kept up, with this size and class.
    Apply { size: Quantity, class: Option<String> },
    /// The claim has never been bound and cannot be changed: it is deleted, to be made anew. It never held anything.
    Replace { uid: String },
    /// The claim is on its way out; it is made anew once it is gone.
    Wait,
}

/// Decides for a valid site.
pub fn plan(site: &Site, observed: &Observed) -> Plan {
    let volume = |live: &Option<Arc<PersistentVolumeClaim>>, size: &Quantity, class: &Option<String>, field: &str| {
        volume(live.as_deref(), size, class.as_deref(), field, &observed.storage_classes)
    };
    let destination = &site.spec.backup.destination.volume;
    Plan {
        data: volume(&observed.live.data_volume, &site.data_size, &site.spec.storage.class_name, "storage"),
        backup: volume(
            &observed.live.backup_volume,
            &site.backup_size,
            &destination.class_name,
            "backup.destination.volume",
        ),
        ingress_class: ingress_class(site, observed),
    }
}

/// The class that the resource names, else the one that the Ingress has already, else the cluster's default: an Ingress made
/// before there was a default gets it later, and a change of the default moves nobody.
fn ingress_class(site: &Site, observed: &Observed) -> Option<String> {
    let live = || observed.live.ingress.as_ref()?.spec.as_ref()?.ingress_class_name.clone();
    let default = || observed.ingress_classes.iter().find(|class| class.default).map(|class| class.name.clone());
    site.spec.ingress.class_name.clone().or_else(live).or_else(default)
}

fn volume(
    live: Option<&PersistentVolumeClaim>,
    size: &Quantity,
    class: Option<&str>,
    field: &str,
    classes: &[Class],
) -> VolumePlan {
    // The default is written out: a claim's class cannot change, so what it means must not change under it either.
    let default = classes.iter().find(|known| known.default).map(|known| known.name.as_str());
    let effective = class.or(default);
    let missing_class = || missing_class(class, field, classes);
    let Some(live) = live else {
        let step = VolumeStep::Apply { size: size.clone(), class: effective.map(str::to_owned) };
        return VolumePlan { step, problem: missing_class() };
    };
    if live.metadata.deletion_timestamp.is_some() {
        return VolumePlan { step: VolumeStep::Wait, problem: None };
    }

    let spec = live.spec.clone().unwrap_or_default();
    let live_class = spec.storage_class_name.as_deref();
    let live_size = spec
        .resources
        .and_then(|resources| resources.requests)
        .and_then(|requests| requests.get("storage").map(|size| Quantity(size.0.clone())))
        .unwrap_or_else(|| size.clone());
    let kept = VolumeStep::Apply { size: live_size.clone(), class: live_class.map(str::to_owned) };
    let grows = size.value() > live_size.value();

    if spec.volume_name.is_none() {
        // A claim that waits for its volume can be changed in nothing, so it is replaced. It may be bound at this very
        // moment, which is why whoever deletes it names its UID and version.
        let other = effective.is_some() && live_class != effective;
        return if other || size.value() != live_size.value() {
            VolumePlan { step: VolumeStep::Replace { uid: live.uid().unwrap_or_default() }, problem: None }
        } else {
            VolumePlan { step: kept, problem: missing_class() }
        };
    }
    let other_class = class.is_some_and(|class| live_class != Some(class));
    let name = live.name_any();
    if other_class {
        let (live_class, class) = (live_class.unwrap_or("none"), class.unwrap_or_default());
        let message = format!(
            "The volume of {name} has the storage class {live_class}, which cannot change: set {field}.className back to \
             {live_class}, or take a backup and restore it into a new site with the class {class}."
        );
        return VolumePlan { step: kept, problem: Some(Refusal { reason: Reason::StorageClassImmutable, message }) };
    }
    if grows && !classes.iter().any(|known| Some(known.name.as_str()) == live_class && known.expands) {
        let live_class = live_class.unwrap_or("none");
        let message = format!(
            "The storage class {live_class} cannot let volumes grow: {name} stays at {live_size}. Set {field}.size back to \
             {live_size}, or take a backup and restore it into a new site with the larger size."
        );
        return VolumePlan {
            step: kept,
            problem: Some(Refusal { reason: Reason::VolumeExpansionUnsupported, message }),
        };
    }
    // The schema refuses to shrink; a claim that somebody grew by hand stays as large as it is.
    let size = if grows { size.clone() } else { live_size };
    VolumePlan { step: VolumeStep::Apply { size, class: live_class.map(str::to_owned) }, problem: None }
}

fn missing_class(class: Option<&str>, field: &str, classes: &[Class]) -> Option<Refusal> {
    let known = || {
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    match class {
        Some(class) if !classes.iter().any(|known| known.name == class) => Some(Refusal {
            reason: Reason::StorageClassNotFound,
            message: format!(
                "The storage class {class} does not exist: correct {field}.className (this cluster has: {}), or create the class.",
                known()
            ),
        }),
        None if !classes.iter().any(|class| class.default) => Some(Refusal {
            reason: Reason::NoDefaultStorageClass,
            message: format!(
                "The cluster has no default storage class: set {field}.className (this cluster has: {}), or mark one as default.",
                known()
            ),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests_support::{empty_observed, whiteboard};
    use crate::validate::validate;

    fn claim(size: &str, class: Option<&str>, bound: bool) -> PersistentVolumeClaim {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "physics-data", "uid": "u1"},
            "spec": {
                "storageClassName": class, "volumeName": bound.then_some("pv-1"),
                "resources": {"requests": {"storage": size}},
            },
        }))
        .unwrap()
    }

    fn classes() -> Vec<Class> {
        [("local-path", true, false), ("growing", false, true)]
            .map(|(name, default, expands)| Class { name: name.into(), default, expands })
            .into()
    }

    #[test]
    fn what_a_volume_claim_becomes() {
        type Row = (
            &'static str,
            Option<PersistentVolumeClaim>,
            (&'static str, Option<&'static str>),
            &'static str,
            Option<Reason>,
        );
        let rows: Vec<Row> = vec![
            ("made", None, ("1Gi", None), "1Gi local-path", None),
            ("made with a class", None, ("1Gi", Some("growing")), "1Gi growing", None),
            (
                "a class that does not exist",
                None,
                ("1Gi", Some("fast")),
                "1Gi fast",
                Some(Reason::StorageClassNotFound),
            ),
            ("nothing changed", Some(claim("1Gi", Some("local-path"), true)), ("1Gi", None), "1Gi local-path", None),
            (
                "the same size in other words",
                Some(claim("1Gi", Some("local-path"), true)),
                ("1024Mi", None),
                "1Gi local-path",
                None,
            ),
            ("grows", Some(claim("1Gi", Some("growing"), true)), ("2Gi", None), "2Gi growing", None),
            (
                "cannot grow",
                Some(claim("1Gi", Some("local-path"), true)),
                ("2Gi", None),
                "1Gi local-path",
                Some(Reason::VolumeExpansionUnsupported),
            ),
            ("grown by hand", Some(claim("4Gi", Some("growing"), true)), ("2Gi", None), "4Gi growing", None),
            (
                "bound with another class",
                Some(claim("1Gi", Some("local-path"), true)),
                ("1Gi", Some("growing")),
                "1Gi local-path",
                Some(Reason::StorageClassImmutable),
            ),
            (
                "waits with a wrong class",
                Some(claim("1Gi", Some("fast"), false)),
                ("1Gi", Some("growing")),
                "replace u1",
                None,
            ),
            (
                "waits with another size",
                Some(claim("1Gi", Some("local-path"), false)),
                ("2Gi", None),
                "replace u1",
                None,
            ),
            (
                "waits with a class that does not exist",
                Some(claim("1Gi", Some("fast"), false)),
                ("1Gi", Some("fast")),
                "1Gi fast",
                Some(Reason::StorageClassNotFound),
            ),
        ];
        for (what, live, (size, class), step, problem) in rows {
            let plan = volume(live.as_ref(), &Quantity(size.into()), class, "storage", &classes());
            let told = match plan.step {
                VolumeStep::Apply { size, class } => format!("{size} {}", class.as_deref().unwrap_or("None")),
                VolumeStep::Replace { uid } => format!("replace {uid}"),
                VolumeStep::Wait => "wait".to_owned(),
            };
            assert_eq!(told, step, "{what}");
            assert_eq!(plan.problem.map(|problem| problem.reason), problem, "{what}");
        }
    }

    #[test]
    fn a_claim_that_is_being_deleted_is_waited_for() {
        let mut live = claim("1Gi", Some("local-path"), true);
        live.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        let plan = volume(Some(&live), &Quantity("1Gi".into()), None, "storage", &classes());
        assert_eq!(plan.step, VolumeStep::Wait);
    }

    #[test]
    fn no_class_and_no_default() {
        let plan = volume(None, &Quantity("1Gi".into()), None, "storage", &[]);
        let problem = plan.problem.unwrap();
        assert_eq!(problem.reason, Reason::NoDefaultStorageClass);
        assert!(problem.message.contains("storage.className"), "{}", problem.message);
    }

    #[test]
    fn which_ingress_class() {
        let ingress = |class: &str| {
            let json = serde_json::json!({"metadata": {}, "spec": {"ingressClassName": class}});
            Some(Arc::new(serde_json::from_value(json).unwrap()))
        };
        for (spec, live, default, class) in [
            ("{}", None, true, Some("traefik")),
            ("{}", None, false, None),
            ("{}", ingress("nginx"), true, Some("nginx")),
            (r#"{"ingress": {"className": "haproxy"}}"#, ingress("nginx"), true, Some("haproxy")),
        ] {
            let mut observed = empty_observed();
            observed.live.ingress = live;
            observed.ingress_classes[0].default = default;
            let site = validate(&whiteboard("physics", spec), &observed, "example.org/server:1").unwrap();
            assert_eq!(plan(&site, &observed).ingress_class.as_deref(), class, "{spec}");
        }
    }
}
