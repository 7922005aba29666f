use std::sync::Arc;

use crds::condition::Reason;
use crds::{Quantity, Volumes};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;

use super::conditions::Verdict;
use crate::observe::Live;
use crate::plan::VolumePlan;

/// Judges the volume of the drawings.
pub fn verdict(plan: &VolumePlan, live: Option<&PersistentVolumeClaim>) -> Verdict {
    if let Some(problem) = &plan.problem {
        return Verdict::no(problem.reason, problem.message.clone());
    }
    let Some(live) = live else {
        return Verdict::no(Reason::Provisioning, "The volume of the drawings is being made.");
    };
    let name = live.name_any();
    let status = live.status.clone().unwrap_or_default();
    let asked = live.spec.as_ref().and_then(|spec| size(spec.resources.as_ref()?.requests.as_ref()?));
    let given = status.capacity.as_ref().and_then(size);
    match status.phase.as_deref() {
        Some("Bound") if value(asked.as_ref()) > value(given.as_ref()) => {
            Verdict::yes(Reason::Resizing, format!("The volume {name} is growing to {}.", text(asked)))
        }
        Some("Bound") => {
            Verdict::yes(Reason::Bound, format!("The volume {name} ({}) is bound.", text(given.or(asked))))
        }
        Some("Lost") => Verdict::no(
            Reason::StorageClassImmutable,
            format!("The volume behind {name} is gone: restore a backup into a new site."),
        ),
        _ => Verdict::no(Reason::Provisioning, format!("The volume {name} is being made.")),
    }
}

/// Whether people can draw although the volume is not as the resource wishes.
pub fn usable(verdict: &Verdict) -> bool {
    matches!(verdict.reason, Reason::StorageClassImmutable | Reason::VolumeExpansionUnsupported)
}

/// The sizes that bound volumes were asked for at last; `None` where none is bound.
pub fn volumes(live: &Live) -> Option<Volumes> {
    let asked = |claim: &Option<Arc<PersistentVolumeClaim>>| {
        let spec = claim.as_ref()?.spec.as_ref().filter(|spec| spec.volume_name.is_some())?;
        size(spec.resources.as_ref()?.requests.as_ref()?).map(|size| size.0)
    };
    let volumes = Volumes { data: asked(&live.data_volume), backup: asked(&live.backup_volume) };
    (volumes != Volumes::default()).then_some(volumes)
}

type Amounts = std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

fn size(amounts: &Amounts) -> Option<Quantity> {
    amounts.get("storage").map(|size| Quantity(size.0.clone()))
}

fn value(size: Option<&Quantity>) -> Option<i128> {
    size.and_then(Quantity::value)
}

fn text(size: Option<Quantity>) -> String {
    size.map_or_else(|| "size unknown".to_owned(), |size| size.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::VolumeStep;
    use crate::validate::Refusal;

    fn fine() -> VolumePlan {
        VolumePlan { step: VolumeStep::Wait, problem: None }
    }

    fn claim(phase: &str, asked: &str, given: Option<&str>) -> PersistentVolumeClaim {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "physics-data"},
            "spec": {"resources": {"requests": {"storage": asked}}},
            "status": {"phase": phase, "capacity": given.map(|given| serde_json::json!({"storage": given}))},
        }))
        .unwrap()
    }

    #[test]
    fn verdicts() {
        for (live, holds, reason) in [
            (None, false, Reason::Provisioning),
            (Some(claim("Pending", "1Gi", None)), false, Reason::Provisioning),
            (Some(claim("Bound", "1Gi", Some("1Gi"))), true, Reason::Bound),
            (Some(claim("Bound", "1Gi", Some("1024Mi"))), true, Reason::Bound),
            (Some(claim("Bound", "2Gi", Some("1Gi"))), true, Reason::Resizing),
        ] {
            let verdict = verdict(&fine(), live.as_ref());
            assert_eq!((verdict.holds(), verdict.reason), (holds, reason), "{live:?}");
        }
    }

    #[test]
    fn a_problem_of_the_plan_comes_first() {
        let problem = Refusal { reason: Reason::VolumeExpansionUnsupported, message: "x".into() };
        let plan = VolumePlan { problem: Some(problem), ..fine() };
        let verdict = verdict(&plan, Some(&claim("Bound", "1Gi", Some("1Gi"))));
        assert_eq!(verdict.reason, Reason::VolumeExpansionUnsupported);
        assert!(usable(&verdict));
    }
}
