//! Names, labels and annotations of everything that the operator makes. Part of the API: people select by them.

use std::collections::BTreeMap;

/// Field manager of every server-side apply, and the value of `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "whiteboard-operator";

/// Label that says which Whiteboard an object belongs to; caches and selectors go by it.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label that says what an object's pods do.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Label by which the caches find what the operator made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Annotation of volume claims, which have no owner: `namespace/name` of the Whiteboard that made them.
pub const WHITEBOARD: &str = "tutorspace.app/whiteboard";
/// Annotation with the hash of what was applied last: a field that is wished no longer is seen by it.
pub const APPLIED: &str = "tutorspace.app/applied";
/// Annotation of the pod template with the hash of the server's settings: a change of them rolls the pod.
pub const SETTINGS: &str = "tutorspace.app/settings";

/// Value of [`COMPONENT`] for the realtime server.
pub const SERVER: &str = "server";
/// Value of [`COMPONENT`] for backup jobs.
pub const BACKUP: &str = "backup";

/// Key of the generated token in the Secret of keys.
pub const ADMIN_TOKEN: &str = "admin-token";

/// The public port of the server's container.
pub const HTTP_PORT: i32 = 8080;
/// The admin port: metrics, backup stream.
pub const ADMIN_PORT: i32 = 9090;

/// The claim of the drawings.
pub fn data(name: &str) -> String {
    format!("{name}-data")
}

/// The claim of the backups, and the CronJob that takes them.
pub fn backup(name: &str) -> String {
    format!("{name}-backup")
}

/// The Secret of generated keys.
pub fn keys(name: &str) -> String {
    format!("{name}-keys")
}

/// The Secret that cert-manager writes the certificate to.
pub fn tls(name: &str) -> String {
    format!("{name}-tls")
}

/// The labels of every object of a Whiteboard.
pub fn labels(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "whiteboard".to_owned()),
        (INSTANCE.to_owned(), name.to_owned()),
        (MANAGED_BY.to_owned(), MANAGER.to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "whiteboard".to_owned()),
    ])
}

/// The labels of every object and pod of one component.
pub fn component_labels(name: &str, component: &str) -> BTreeMap<String, String> {
    let mut all = labels(name);
    all.insert(COMPONENT.to_owned(), component.to_owned());
    all
}

/// What selects the pods of one component: never changes, since a Deployment's selector cannot.
pub fn selector(name: &str, component: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "whiteboard".to_owned()),
        (INSTANCE.to_owned(), name.to_owned()),
        (COMPONENT.to_owned(), component.to_owned()),
    ])
}
