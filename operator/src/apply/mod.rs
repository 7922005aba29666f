//! The only place that writes objects: server-side apply, one field manager, only where something differs.

mod difference;
mod keys;
mod restraint;

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ObjectMeta, PartialObjectMeta, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::build::{Children, Claim};
use crate::cert_manager;
use crate::metrics::Metrics;
use crate::names;
use crate::observe::{Live, Observed};
use crate::validate::Site;
pub use restraint::Restraint;

use difference::{Difference, difference, replacement, stamped};

/// Writing an object failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An object of that name is there and is not ours.
    #[error(
        "{object} exists and belongs to somebody else: delete it, or give this Whiteboard another name. (To hand a volume claim \
         over, set its annotation {} to {owner}.)",
        names::WHITEBOARD
    )]
    NameTaken { object: String, owner: String },
    /// The API server will not have the object as this resource asks for it.
    #[error("The API server refuses {object}: {message}")]
    Refused { object: String, message: String },
    /// Worth trying again.
    #[error("{action} {object}: {source}")]
    Write { action: &'static str, object: String, source: kube::Error },
}

impl Error {
    /// Kind and name of the object that could not be written.
    pub fn object(&self) -> &str {
        match self {
            Self::NameTaken { object, .. } | Self::Refused { object, .. } | Self::Write { object, .. } => object,
        }
    }
}

/// What came of it: the children as they are after the writes, and what could not be written.
pub struct Applied {
    pub live: Live,
    pub errors: Vec<Error>,
    /// Whether something was left as others made it for now, since they keep changing it.
    pub held_back: bool,
}

/// Brings every child to what it should be. What fails does not keep the others from being written.
pub async fn apply(
    client: &Client,
    metrics: &Metrics,
    restraint: &Restraint,
    site: &Site,
    observed: &Observed,
    children: Children,
) -> Applied {
    let Children {
        service_account,
        config_map,
        data_volume,
        backup_volume,
        certificate,
        service,
        network_policy,
        ingress,
        deployment,
        cron_job,
    } = children;
    let live = &observed.live;
    let mut w = Writer { client, metrics, restraint, site, errors: Vec::new(), held_back: false };

    let keys = match keys::wished(site, live.keys.as_deref()) {
        Ok(keys) => w.put(&keys, live.keys.as_ref(), ()).await,
        Err(error) => {
            w.errors.push(error);
            live.keys.clone()
        }
    };
    // The workload comes last, so that what it mounts and reads is there.
    let mut after = Live {
        service_account: w.put(&service_account, live.service_account.as_ref(), ()).await,
        keys,
        config_map: w.put(&config_map, live.config_map.as_ref(), ()).await,
        data_volume: w.claim(data_volume, live.data_volume.as_ref()).await,
        backup_volume: w.claim(backup_volume, live.backup_volume.as_ref()).await,
        certificate: match &certificate {
            Some(wished) => w.put(wished, live.certificate.as_ref(), cert_manager::certificate()).await,
            None => live.certificate.clone(),
        },
        certificate_secret: live.certificate_secret.clone(),
        service: w.put(&service, live.service.as_ref(), ()).await,
        network_policy: match &network_policy {
            Some(wished) => w.put(wished, live.network_policy.as_ref(), ()).await,
            None => w.remove(live.network_policy.as_ref(), ()).await,
        },
        ingress: w.put(&ingress, live.ingress.as_ref(), ()).await,
        cron_job: w.put(&cron_job, live.cron_job.as_ref(), ()).await,
        deployment: w.put(&deployment, live.deployment.as_ref(), ()).await,
    };
    // After the Ingress, which may have pointed at the certificate until now.
    if certificate.is_some() {
        w.own_certificate_secret(live.certificate_secret.as_deref()).await;
    } else {
        after.certificate = w.remove(after.certificate.as_ref(), cert_manager::certificate()).await;
        w.remove_secret(live.certificate_secret.as_deref()).await;
    }
    Applied { live: after, errors: w.errors, held_back: w.held_back }
}

struct Writer<'a> {
    client: &'a Client,
    metrics: &'a Metrics,
    site: &'a Site,
    restraint: &'a Restraint,
    errors: Vec<Error>,
    held_back: bool,
}

impl Writer<'_> {
    /// Untyped, since typed and dynamic kinds have no common way to say that they live in a namespace.
    fn api<K: Resource>(&self, kind: &K::DynamicType) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.site.namespace, &ApiResource::erase::<K>(kind))
    }

    /// Brings one child to what it should be, and gives back how it is then.
    async fn put<K>(&mut self, wished: &K, live: Option<&Arc<K>>, kind: K::DynamicType) -> Option<Arc<K>>
    where
        K: Resource + Serialize + DeserializeOwned,
    {
        match self.try_put(wished, live, &kind).await {
            Ok(after) => after,
            Err(error) => {
                self.errors.push(error);
                live.cloned()
            }
        }
    }

    async fn try_put<K>(
        &mut self,
        wished: &K,
        live: Option<&Arc<K>>,
        kind: &K::DynamicType,
    ) -> Result<Option<Arc<K>>, Error>
    where
        K: Resource + Serialize + DeserializeOwned,
    {
        let name = wished.name_any();
        let object = format!("{} {name}", K::kind(kind));
        let failed = |action| {
            let object = object.clone();
            move |source| sort(action, object, source)
        };
        let api = self.api::<K>(kind);
        // What the caches do not have may still be there: just made, stripped of its labels, or somebody else's.
        let found;
        let live = if live.is_some() {
            live
        } else {
            let object_there = api.get_opt(&name).await.map_err(failed("reading"))?;
            found = object_there.as_ref().map(typed).transpose().map_err(failed("reading"))?.map(Arc::new);
            found.as_ref()
        };
        let wished = stamped(json(wished));
        let (action, written) = match live {
            Some(live) if live.meta().deletion_timestamp.is_some() => return Ok(Some(live.clone())),
            Some(live) if !self.ours(live.meta()) => {
                return Err(Error::NameTaken { object, owner: format!("{}/{}", self.site.namespace, self.site.name) });
            }
            Some(live) => {
                let now = json(live.as_ref());
                let difference = difference(&wished, &now);
                // A stamp that is ours still means that others changed the object, not our wish.
                let stamp = |object: &Value| object["metadata"]["annotations"][names::APPLIED].clone();
                if difference != Difference::None
                    && stamp(&wished) == stamp(&now)
                    && !self.restraint.allows(&format!("{}/{object}", self.site.namespace), Instant::now())
                {
                    tracing::warn!(object, "something keeps changing an object of ours; it is taken back in a minute");
                    self.held_back = true;
                    return Ok(Some(live.clone()));
                }
                match difference {
                    Difference::None => return Ok(Some(live.clone())),
                    Difference::Apply => ("applying", server_side_apply(&api, &name, &wished).await),
                    Difference::Replace => ("replacing", replace(&api, &name, &replacement(&wished, &now)).await),
                }
            }
            None => ("making", server_side_apply(&api, &name, &wished).await),
        };
        let written = typed(&written.map_err(failed(action))?).map_err(failed(action))?;
        tracing::info!(object, action, "wrote an object");
        self.count(&K::kind(kind));
        Ok(Some(Arc::new(written)))
    }

    /// Ours is what we own, and what carries our mark for this very Whiteboard. A volume claim has the mark alone.
    fn ours(&self, metadata: &ObjectMeta) -> bool {
        let owned = metadata.owner_references.iter().flatten().any(|owner| owner.uid == self.site.owner.uid);
        let label = |key: &str, value: &str| {
            metadata.labels.as_ref().and_then(|labels| labels.get(key)).is_some_and(|found| found == value)
        };
        let mark = format!("{}/{}", self.site.namespace, self.site.name);
        let marked = metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(names::WHITEBOARD))
            .is_some_and(|found| *found == mark);
        owned || marked || (label(names::MANAGED_BY, names::MANAGER) && label(names::INSTANCE, &self.site.name))
    }

    async fn claim(
        &mut self,
        wished: Claim,
        live: Option<&Arc<PersistentVolumeClaim>>,
    ) -> Option<Arc<PersistentVolumeClaim>> {
        match wished {
            Claim::Apply(wished) => self.put(wished.as_ref(), live, ()).await,
            Claim::Wait => live.cloned(),
            Claim::Replace { uid } => {
                let live = live?;
                if live.uid().as_deref() != Some(uid.as_str()) {
                    return Some(live.clone());
                }
                self.remove(Some(live), ()).await
            }
        }
    }

    /// Deletes a child that should not be. By UID and version: a newer object of the name, or one that was bound in the
    /// meantime, stays.
    async fn remove<K: Resource>(&mut self, live: Option<&Arc<K>>, kind: K::DynamicType) -> Option<Arc<K>> {
        let live = live?;
        let conditions = Preconditions { uid: live.uid(), resource_version: live.resource_version() };
        let gone = self.delete::<K>(live.meta(), conditions, &kind).await;
        (!gone).then(|| live.clone())
    }

    /// Deletes the certificate's Secret, whatever cert-manager does to it meanwhile.
    async fn remove_secret(&mut self, live: Option<&PartialObjectMeta<Secret>>) {
        if let Some(live) = live {
            let conditions = Preconditions { uid: live.uid(), resource_version: None };
            self.delete::<Secret>(&live.metadata, conditions, &()).await;
        }
    }

    /// Deletes one object of ours. True if it is gone.
    async fn delete<K: Resource>(
        &mut self,
        live: &ObjectMeta,
        conditions: Preconditions,
        kind: &K::DynamicType,
    ) -> bool {
        if live.deletion_timestamp.is_some() || !self.ours(live) {
            return false;
        }
        let name = live.name.as_deref().unwrap_or_default();
        let object = format!("{} {name}", K::kind(kind));
        match self.api::<K>(kind).delete(name, &DeleteParams::default().preconditions(conditions)).await {
            Ok(_) => {
                tracing::info!(object, "deleted an object");
                self.count(&K::kind(kind));
                true
            }
            Err(kube::Error::Api(status)) if status.code == 404 => true,
            Err(source) => {
                self.errors.push(sort("deleting", object, source));
                false
            }
        }
    }

    /// Makes the Secret that cert-manager wrote go with the resource. Its UID keeps the patch from making an empty one.
    async fn own_certificate_secret(&mut self, live: Option<&PartialObjectMeta<Secret>>) {
        let Some(live) = live else { return };
        let owned = live.owner_references().iter().any(|owner| owner.uid == self.site.owner.uid);
        if owned || live.metadata.deletion_timestamp.is_some() {
            return;
        }
        let name = live.name_any();
        let patch = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "uid": live.uid(), "ownerReferences": [self.site.owner]},
        });
        let api = self.api::<Secret>(&());
        match server_side_apply(&api, &name, &patch).await {
            Ok(_) => self.count("Secret"),
            Err(source) => self.errors.push(sort("owning", format!("Secret {name}"), source)),
        }
    }

    fn count(&mut self, kind: &str) {
        self.metrics.wrote(kind);
    }
}

fn json<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("objects of the API are made of plain maps and strings")
}

fn typed<K: DeserializeOwned>(object: &DynamicObject) -> Result<K, kube::Error> {
    serde_json::from_value(json(object)).map_err(kube::Error::SerdeError)
}

async fn server_side_apply(api: &Api<DynamicObject>, name: &str, wished: &Value) -> Result<DynamicObject, kube::Error> {
    api.patch(name, &PatchParams::apply(names::MANAGER).force(), &Patch::Apply(wished)).await
}

async fn replace(api: &Api<DynamicObject>, name: &str, object: &Value) -> Result<DynamicObject, kube::Error> {
    let object: DynamicObject = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
    let parameters = PostParams { field_manager: Some(names::MANAGER.to_owned()), ..PostParams::default() };
    api.replace(name, &parameters, &object).await
}

/// Tells what somebody has to mend from what is worth trying again.
fn sort(action: &'static str, object: String, source: kube::Error) -> Error {
    match source {
        // 400 and 422: the object is wrong; 403: admission (Pod Security, quotas) or a right that the operator lacks.
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => {
            Error::Refused { object, message: status.message.clone() }
        }
        source => Error::Write { action, object, source },
    }
}
