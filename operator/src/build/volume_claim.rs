use std::collections::BTreeMap;

use crds::{Quantity, WhenDeleted};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::names;
use crate::validate::Site;

/// The claim of the drawings. It has an owner, and so goes with the resource, only where the resource says so.
pub fn data(site: &Site, size: &Quantity, class: Option<&str>) -> PersistentVolumeClaim {
    let mut claim = claim(site, names::data(&site.name), size, class);
    if site.spec.storage.when_deleted == WhenDeleted::Delete {
        claim.metadata.owner_references = Some(vec![site.owner.clone()]);
    }
    claim
}

/// The claim of the backups. It never has an owner: backups outlive the site.
pub fn backup(site: &Site, size: &Quantity, class: Option<&str>) -> PersistentVolumeClaim {
    claim(site, names::backup(&site.name), size, class)
}

fn claim(site: &Site, name: String, size: &Quantity, class: Option<&str>) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(site.namespace.clone()),
            labels: Some(names::labels(&site.name)),
            annotations: Some(BTreeMap::from([(
                names::WHITEBOARD.to_owned(),
                format!("{}/{}", site.namespace, site.name),
            )])),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), ApiQuantity(size.0.clone()))])),
                limits: None,
            }),
            storage_class_name: class.map(str::to_owned),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests_support::site;

    #[test]
    fn only_drawings_that_may_go_have_an_owner() {
        let size = Quantity("1Gi".into());
        for (when, owned) in [("Retain", false), ("Delete", true)] {
            let site = site(&format!(r#"{{"storage": {{"whenDeleted": "{when}"}}}}"#));
            assert_eq!(data(&site, &size, None).metadata.owner_references.is_some(), owned, "{when}");
            assert!(backup(&site, &size, None).metadata.owner_references.is_none(), "{when}");
        }
    }

    #[test]
    fn claims_say_whose_they_are() {
        let claim = data(&site("{}"), &Quantity("1Gi".into()), Some("fast"));
        assert_eq!(claim.metadata.name.as_deref(), Some("physics-data"));
        assert_eq!(claim.metadata.annotations.unwrap()[names::WHITEBOARD], "school/physics");
        assert_eq!(claim.spec.unwrap().storage_class_name.as_deref(), Some("fast"));
    }
}
