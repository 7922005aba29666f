//! Makes each child of a site, pure: one builder a file, its tests in it.

mod backup_job;
mod certificate;
mod deployment;
mod ingress;
mod network_policy;
mod pod;
mod service;
mod service_account;
mod settings;
mod volume_claim;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::DynamicObject;

use crate::names;
use crate::observe::Observed;
use crate::plan::{Plan, VolumeStep};
use crate::validate::Site;

/// Every child of a site as it should be. `None`: there should be none.
///
/// [`crate::apply`] takes this apart without `..`, so that a child that is forgotten there does not compile.
pub struct Children {
    pub service_account: ServiceAccount,
    pub config_map: ConfigMap,
    pub data_volume: Claim,
    pub backup_volume: Claim,
    pub certificate: Option<DynamicObject>,
    pub service: Service,
    pub network_policy: Option<NetworkPolicy>,
    pub ingress: Ingress,
    pub deployment: Deployment,
    pub cron_job: CronJob,
}

/// A volume claim, which cannot simply be applied.
pub enum Claim {
    Apply(Box<PersistentVolumeClaim>),
    /// To be deleted, if it still is the object with this UID and still has no volume.
    Replace {
        uid: String,
    },
    Wait,
}

/// Builds every child.
pub fn build(site: &Site, plan: &Plan, observed: &Observed) -> Children {
    let config_map = settings::config_map(site);
    Children {
        service_account: service_account::service_account(site),
        data_volume: claim(&plan.data.step, |size, class| volume_claim::data(site, size, class)),
        backup_volume: claim(&plan.backup.step, |size, class| volume_claim::backup(site, size, class)),
        certificate: certificate::certificate(site).filter(|_| observed.cert_manager),
        service: service::service(site),
        network_policy: network_policy::network_policy(site),
        ingress: ingress::ingress(site, plan.ingress_class.as_deref()),
        deployment: deployment::deployment(site, &config_map),
        cron_job: backup_job::cron_job(site),
        config_map,
    }
}

fn claim(step: &VolumeStep, build: impl FnOnce(&crds::Quantity, Option<&str>) -> PersistentVolumeClaim) -> Claim {
    match step {
        VolumeStep::Apply { size, class } => Claim::Apply(Box::new(build(size, class.as_deref()))),
        VolumeStep::Replace { uid } => Claim::Replace { uid: uid.clone() },
        VolumeStep::Wait => Claim::Wait,
    }
}

/// Metadata of a child that goes when the resource goes.
fn owned(site: &Site, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(site.namespace.clone()),
        labels: Some(names::labels(&site.name)),
        owner_references: Some(vec![site.owner.clone()]),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests_support {
    use crate::observe::tests_support::{empty_observed, whiteboard};
    use crate::validate::{Site, validate};

    /// The site of a Whiteboard named physics, with `spec` laid over the smallest one.
    pub fn site(spec: &str) -> Site {
        validate(&whiteboard("physics", spec), &empty_observed(), "example.org/server:1").unwrap()
    }
}
