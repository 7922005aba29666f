//! The caches that [`crate::observe`] reads, kept up by watches, and the triggers that those watches give.
//!
//! Every child is found by its labels, owner or not, so volume claims are caught like the rest; a deleted or edited child
//! triggers its Whiteboard whatever changed about it. Kinds that may come later than the operator (cert-manager's) are
//! watched all the same: the watch tries again until the API server knows them, and holds nothing else up.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crds::Whiteboard;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store, store::Writer};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::cert_manager;
use crate::class::Class;
use crate::names;

/// What is known of the cluster without asking it.
pub struct Caches {
    pub whiteboards: Store<Whiteboard>,
    pub service_accounts: Store<ServiceAccount>,
    pub secrets: Store<PartialObjectMeta<Secret>>,
    pub config_maps: Store<ConfigMap>,
    pub volume_claims: Store<PersistentVolumeClaim>,
    pub services: Store<Service>,
    pub network_policies: Store<NetworkPolicy>,
    pub ingresses: Store<Ingress>,
    pub deployments: Store<Deployment>,
    pub cron_jobs: Store<CronJob>,
    jobs: Store<Job>,
    pods: Store<Pod>,
    storage: Store<StorageClass>,
    ingress: Store<IngressClass>,
    certificates: Store<DynamicObject>,
    cert_manager_known: Arc<AtomicBool>,
}

/// The watches under way, and what they trigger.
pub struct Watches {
    pub caches: Arc<Caches>,
    /// Whiteboards whose surroundings changed.
    pub triggers: UnboundedReceiver<ObjectRef<Whiteboard>>,
    /// The tasks that drive the watches; none of them ends by itself.
    pub tasks: JoinSet<()>,
}

/// How long a failed watch waits at most before it tries again. Also how soon a kind that is installed later is found.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Starts every watch. Returns at once; [`Caches::synced`] waits for the first lists.
pub fn start(client: &Client) -> Watches {
    let (send, triggers) = unbounded();
    let mut start = Starter { client: client.clone(), send, tasks: JoinSet::new() };

    let (whiteboards, writer) = reflector::store();
    let neighbours = whiteboards.clone();
    start.whiteboards(writer, neighbours);

    let (certificates, cert_manager_known) = start.certificates();
    let caches = Caches {
        service_accounts: start.children(),
        secrets: start.secrets(),
        config_maps: start.children(),
        volume_claims: start.children(),
        services: start.children(),
        network_policies: start.children(),
        ingresses: start.children(),
        deployments: start.children(),
        cron_jobs: start.children(),
        jobs: start.children(),
        pods: start.children(),
        storage: start.classes(whiteboards.clone()),
        ingress: start.classes(whiteboards.clone()),
        certificates,
        cert_manager_known,
        whiteboards,
    };
    Watches { caches: Arc::new(caches), triggers, tasks: start.tasks }
}

struct Starter {
    client: Client,
    send: UnboundedSender<ObjectRef<Whiteboard>>,
    tasks: JoinSet<()>,
}

impl Starter {
    /// Whiteboards: a change of one, its own status apart, and its end. Also those that wait for its host names.
    fn whiteboards(&mut self, writer: Writer<Whiteboard>, store: Store<Whiteboard>) {
        let send = self.send.clone();
        let mut seen = HashMap::new();
        let events = lasting(watcher(Api::<Whiteboard>::all(self.client.clone()), watcher::Config::default()))
            .reflect(writer)
            .try_filter_map(move |event| std::future::ready(Ok(changed(&mut seen, event))));
        self.tasks.spawn(drive(events, move |whiteboard: Whiteboard| {
            let own = ObjectRef::from_obj(&whiteboard);
            for other in store.state() {
                let reference = ObjectRef::from_obj(&*other);
                if reference != own && waits_for_a_host(&other) {
                    let _ = send.unbounded_send(reference);
                }
            }
            let _ = send.unbounded_send(own);
        }));
    }

    /// Children of one kind, by the label that all of them carry.
    fn children<K>(&mut self) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (store, writer) = reflector::store();
        let events = lasting(watcher(Api::<K>::all(self.client.clone()), ours())).reflect(writer).touched_objects();
        self.tasks.spawn(drive(events, trigger_owner(self.send.clone())));
        store
    }

    /// Secrets by their metadata alone: what they hold does not belong into a cache.
    fn secrets(&mut self) -> Store<PartialObjectMeta<Secret>> {
        let (store, writer) = reflector::store();
        let api = Api::<PartialObjectMeta<Secret>>::all(self.client.clone());
        let events = lasting(watcher(api, ours())).reflect(writer).touched_objects();
        self.tasks.spawn(drive(events, trigger_owner(self.send.clone())));
        store
    }

    /// Classes, which concern every Whiteboard that is not well.
    fn classes<K>(&mut self, whiteboards: Store<Whiteboard>) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (store, writer) = reflector::store();
        let events = lasting(watcher(Api::<K>::all(self.client.clone()), watcher::Config::default()))
            .reflect(writer)
            .touched_objects();
        let send = self.send.clone();
        self.tasks.spawn(drive(events, move |_| {
            for whiteboard in whiteboards.state() {
                let _ = send.unbounded_send(ObjectRef::from_obj(&*whiteboard));
            }
        }));
        store
    }

    /// Certificates, whose kind may come at any time, or go.
    fn certificates(&mut self) -> (Store<DynamicObject>, Arc<AtomicBool>) {
        let known = Arc::new(AtomicBool::new(false));
        let resource = cert_manager::certificate();
        let writer = Writer::<DynamicObject>::new(resource.clone());
        let store = writer.as_reader();
        let seen = known.clone();
        let events = watcher(Api::<DynamicObject>::all_with(self.client.clone(), &resource), ours())
            .inspect(move |event| match event {
                // Said before the list is asked for.
                Ok(watcher::Event::Init) => {}
                Ok(_) => seen.store(true, Ordering::Relaxed),
                Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) if status.code == 404 => {
                    seen.store(false, Ordering::Relaxed);
                }
                Err(_) => {}
            })
            .backoff(Wait::default())
            .reflect(writer)
            .touched_objects();
        self.tasks.spawn(drive(events, trigger_owner(self.send.clone())));
        (store, known)
    }
}

impl Caches {
    /// Waits until every kind that is always there has been listed once. cert-manager's is not waited for.
    pub async fn synced(&self) {
        // An error means that the writer is gone, which happens only when the process ends.
        let _ = tokio::join!(
            self.whiteboards.wait_until_ready(),
            self.service_accounts.wait_until_ready(),
            self.secrets.wait_until_ready(),
            self.config_maps.wait_until_ready(),
            self.volume_claims.wait_until_ready(),
            self.services.wait_until_ready(),
            self.network_policies.wait_until_ready(),
            self.ingresses.wait_until_ready(),
            self.deployments.wait_until_ready(),
            self.cron_jobs.wait_until_ready(),
            self.jobs.wait_until_ready(),
            self.pods.wait_until_ready(),
            self.storage.wait_until_ready(),
            self.ingress.wait_until_ready(),
        );
    }

    /// Whether the API server knows cert-manager's kinds.
    pub fn cert_manager_known(&self) -> bool {
        self.cert_manager_known.load(Ordering::Relaxed)
    }

    /// The Certificate of that name.
    pub fn certificate(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.certificates.get(&ObjectRef::new_with(name, cert_manager::certificate()).within(namespace))
    }

    /// Pods of one component of a Whiteboard, newest first.
    pub fn pods_of(&self, namespace: &str, instance: &str, component: &str) -> Vec<Arc<Pod>> {
        newest_first(&self.pods, namespace, instance, component)
    }

    /// Backup jobs of a Whiteboard, newest first.
    pub fn backup_jobs_of(&self, namespace: &str, instance: &str) -> Vec<Arc<Job>> {
        newest_first(&self.jobs, namespace, instance, names::BACKUP)
    }

    /// The storage classes of the cluster.
    pub fn storage_classes(&self) -> Vec<Class> {
        let default = "storageclass.kubernetes.io/is-default-class";
        let class = |class: Arc<StorageClass>| Class {
            name: class.name_any(),
            default: class.annotations().get(default).is_some_and(|value| value == "true"),
            expands: class.allow_volume_expansion == Some(true),
        };
        self.storage.state().into_iter().map(class).collect()
    }

    /// The ingress classes of the cluster.
    pub fn ingress_classes(&self) -> Vec<Class> {
        let default = "ingressclass.kubernetes.io/is-default-class";
        let class = |class: Arc<IngressClass>| Class {
            name: class.name_any(),
            default: class.annotations().get(default).is_some_and(|value| value == "true"),
            expands: false,
        };
        self.ingress.state().into_iter().map(class).collect()
    }
}

/// One object of a cache.
pub fn get<K>(store: &Store<K>, namespace: &str, name: &str) -> Option<Arc<K>>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    store.get(&ObjectRef::<K>::new(name).within(namespace))
}

fn newest_first<K>(store: &Store<K>, namespace: &str, instance: &str, component: &str) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let mut found = store.state_filter(|object| {
        object.namespace().as_deref() == Some(namespace)
            && object.labels().get(names::INSTANCE).is_some_and(|value| value == instance)
            && object.labels().get(names::COMPONENT).is_some_and(|value| value == component)
    });
    found.sort_by_key(|object| std::cmp::Reverse(object.creation_timestamp().map(|time| time.0)));
    found
}

fn ours() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER))
}

/// UIDs with the generation and whether they are being deleted, as last passed on.
type Seen = HashMap<Option<String>, (Option<i64>, bool)>;

/// Passes on what changes a Whiteboard's wishes, and its end; our own writes of its status change neither.
fn changed(seen: &mut Seen, event: watcher::Event<Whiteboard>) -> Option<Whiteboard> {
    match event {
        watcher::Event::Apply(whiteboard) | watcher::Event::InitApply(whiteboard) => {
            let now = (whiteboard.metadata.generation, whiteboard.metadata.deletion_timestamp.is_some());
            (seen.insert(whiteboard.uid(), now) != Some(now)).then_some(whiteboard)
        }
        watcher::Event::Delete(whiteboard) => {
            seen.remove(&whiteboard.uid());
            Some(whiteboard)
        }
        watcher::Event::Init | watcher::Event::InitDone => None,
    }
}

fn waits_for_a_host(whiteboard: &Whiteboard) -> bool {
    let conditions = whiteboard.status.iter().flat_map(|status| &status.conditions);
    let taken = crds::condition::Reason::HostTaken.as_str();
    conditions.into_iter().any(|condition| condition.reason == taken)
}

/// Triggers the Whiteboard that an object's label names.
fn trigger_owner<K: Resource>(send: UnboundedSender<ObjectRef<Whiteboard>>) -> impl FnMut(K) {
    move |object| {
        let (Some(instance), Some(namespace)) = (object.labels().get(names::INSTANCE), object.namespace()) else {
            return;
        };
        let _ = send.unbounded_send(ObjectRef::new(instance).within(&namespace));
    }
}

fn lasting<K>(
    events: impl Stream<Item = Result<watcher::Event<K>, watcher::Error>>,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> {
    events.backoff(Wait::default())
}

/// Drives one watch. Errors are told and survived: the stream waits and tries again by itself.
async fn drive<K: Resource + Send + 'static>(
    events: impl Stream<Item = Result<K, watcher::Error>> + Send + 'static,
    mut see: impl FnMut(K) + Send + 'static,
) {
    let mut events = std::pin::pin!(events);
    loop {
        match events.try_next().await {
            Ok(Some(object)) => see(object),
            Ok(None) => return,
            Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) if status.code == 404 => {
                let kind = std::any::type_name::<K>();
                if kind == std::any::type_name::<Whiteboard>() {
                    tracing::warn!(
                        "the API server does not know the kind Whiteboard yet: install the chart whiteboard-crds"
                    );
                } else {
                    tracing::debug!(kind, "the API server does not know this kind yet");
                }
            }
            Err(error) => {
                tracing::warn!(kind = std::any::type_name::<K>(), %error, "a watch failed and will be tried again");
            }
        }
    }
}

/// Doubling waits from half a second to [`LONGEST_WAIT`].
#[derive(Clone, Debug)]
struct Wait {
    next: Duration,
}

impl Default for Wait {
    fn default() -> Self {
        Self { next: Duration::from_millis(500) }
    }
}

impl Iterator for Wait {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST_WAIT);
        Some(wait)
    }
}

impl Backoff for Wait {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests_support::whiteboard;

    #[test]
    fn our_own_status_writes_trigger_nothing() {
        let mut seen = Seen::new();
        let first = whiteboard("physics", "{}");
        let mut edited = first.clone();
        edited.metadata.generation = Some(2);
        let mut leaving = edited.clone();
        leaving.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        for (what, event, passes) in [
            ("listed", watcher::Event::InitApply(first.clone()), true),
            ("its status was written", watcher::Event::Apply(first.clone()), false),
            ("edited", watcher::Event::Apply(edited.clone()), true),
            ("listed again", watcher::Event::InitApply(edited), false),
            ("being deleted", watcher::Event::Apply(leaving.clone()), true),
            ("gone", watcher::Event::Delete(leaving), true),
            ("made anew", watcher::Event::Apply(first), true),
        ] {
            assert_eq!(changed(&mut seen, event).is_some(), passes, "{what}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut wait = Wait::default();
        let waits: Vec<u128> = wait.by_ref().take(7).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        wait.reset();
        assert_eq!(wait.next(), Some(Duration::from_millis(500)));
    }
}
