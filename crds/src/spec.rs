use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Quantity, WhiteboardStatus};

/// What a host name must be (RFC 1123, with a dot, and no address).
const HOST_RULE: &str = "self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+$') && !self.matches('^[0-9.]+$')";
const HOST_MESSAGE: &str = "must be a DNS name in lower case with at least one dot, such as whiteboard.example.org: no scheme, port, path, underscore, wildcard or IP address";

/// One whiteboard site: a host name, its server, its data, its backups.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "tutorspace.app",
    version = "v1alpha1",
    kind = "Whiteboard",
    plural = "whiteboards",
    shortname = "wb",
    namespaced,
    status = "WhiteboardStatus",
    derive = "PartialEq",
    doc = "One whiteboard site: a host name, its server, its data, its backups.",
    annotation("helm.sh/resource-policy", "keep"),
    printcolumn(name = "Host", type_ = "string", json_path = ".spec.host"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Release", type_ = "string", json_path = ".status.release.version"),
    printcolumn(name = "Last Backup", type_ = "date", json_path = ".status.backup.lastSuccess"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    // 45: the longest name that we derive, NAME-backup, is a CronJob's, which Kubernetes limits to 52 characters.
    // No dots and no leading digit: NAME is also a Service's.
    validation = Rule::new("size(self.metadata.name) <= 45 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be at most 45 characters of a-z, 0-9 and '-', starting with a letter: it becomes the name of a Service and, with '-backup', of a CronJob"),
    // Less than the volume was asked for: a size that it never got (its class cannot grow) may be taken back.
    validation = Rule::new("self.spec.storage.size == oldSelf.spec.storage.size || !isQuantity(self.spec.storage.size) || (has(self.status) && has(self.status.volumes) && has(self.status.volumes.data) && isQuantity(self.status.volumes.data) ? quantity(self.spec.storage.size).compareTo(quantity(self.status.volumes.data)) >= 0 : !isQuantity(oldSelf.spec.storage.size) || quantity(self.spec.storage.size).compareTo(quantity(oldSelf.spec.storage.size)) >= 0)")
        .message("spec.storage.size: a volume cannot shrink: set the size back, or make a new site and move the drawings by a backup"),
    validation = Rule::new("self.spec.backup.destination.volume.size == oldSelf.spec.backup.destination.volume.size || !isQuantity(self.spec.backup.destination.volume.size) || (has(self.status) && has(self.status.volumes) && has(self.status.volumes.backup) && isQuantity(self.status.volumes.backup) ? quantity(self.spec.backup.destination.volume.size).compareTo(quantity(self.status.volumes.backup)) >= 0 : !isQuantity(oldSelf.spec.backup.destination.volume.size) || quantity(self.spec.backup.destination.volume.size).compareTo(quantity(oldSelf.spec.backup.destination.volume.size)) >= 0)")
        .message("spec.backup.destination.volume.size: a volume cannot shrink: set the size back")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.additionalHosts) || !(self.host in self.additionalHosts)")
        .message("additionalHosts must not repeat host")
)]
pub struct WhiteboardSpec {
    /// The DNS name at which people open the site, such as whiteboard.example.org. Unique in the cluster: of two resources
    /// with the same host, the older one keeps it.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(HOST_RULE).message(HOST_MESSAGE))]
    pub host: String,

    /// Further DNS names of the same site. The certificate covers them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "set"), schema_with = "additional_hosts")]
    pub additional_hosts: Vec<String>,

    /// Full reference of the server's image, with a tag or a digest. Absent: the image of the operator's own release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^ :@/]+(:[0-9]+)?(/[^ :@/]+)*((:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[a-f0-9]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$')")
        .message("must be a full image reference with a tag or a digest, such as ghcr.io/tutorspace-app/whiteboard-server:0.1.0"))]
    pub image: Option<String>,

    /// When the image is pulled, as in a pod. Absent: as Kubernetes decides by the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,

    /// Secrets of this namespace with which private images are pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<LocalSecret>,

    /// How the site gets its certificate: exactly one of issuer, secretName and disabled.
    pub tls: Tls,

    /// How requests reach the site.
    #[serde(default)]
    pub ingress: Ingress,

    /// The volume of the drawings.
    #[serde(default)]
    pub storage: Storage,

    /// What the server's container may use, as in a pod.
    #[serde(default)]
    pub resources: Resources,

    /// Labels that a node must have to run the site, as in a pod.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints of nodes that the site tolerates, as in a pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub tolerations: Vec<Toleration>,

    /// Settings of the server.
    #[serde(default)]
    pub settings: Settings,

    /// Backups: on by default, to a volume of their own.
    #[serde(default)]
    pub backup: Backup,

    /// Who may reach the site's pods inside the cluster.
    #[serde(default)]
    pub network_policy: NetworkPolicy,

    /// Further labels of the site's pods, for people's own tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('app.kubernetes.io/') && !key.startsWith('tutorspace.app/'))")
        .message("labels below app.kubernetes.io/ and tutorspace.app/ are the operator's own: choose another prefix"))]
    pub pod_labels: BTreeMap<String, String>,

    /// Further annotations of the site's pods, for people's own tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('tutorspace.app/'))")
        .message("annotations below tutorspace.app/ are the operator's own: choose another prefix"))]
    pub pod_annotations: BTreeMap<String, String>,
}

/// The schema of further hosts: the same rule as for `host`, for each.
fn additional_hosts(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "set",
        "maxItems": 20,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 253,
            "x-kubernetes-validations": [{
                "rule": HOST_RULE,
                "message": HOST_MESSAGE,
            }],
        },
    })
}

/// When an image is pulled.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImagePullPolicy {
    Always,
    IfNotPresent,
    Never,
}

impl ImagePullPolicy {
    /// The word as a pod writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// The name of a Secret of the resource's own namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSecret {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// How the site gets its certificate.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.issuer) ? 1 : 0) + (has(self.secretName) ? 1 : 0) + (self.disabled ? 1 : 0) == 1")
        .message("exactly one of tls.issuer (a cert-manager issuer), tls.secretName (your own certificate) and tls.disabled: true (plain HTTP, for a test) must be set")
)]
pub struct Tls {
    /// The cert-manager issuer that signs the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,

    /// A Secret of type kubernetes.io/tls in this namespace: bring your own certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// Plain HTTP, for a test. Browsers then withhold the clipboard and other features from the page.
    #[serde(default)]
    pub disabled: bool,
}

/// A cert-manager issuer.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// ClusterIssuer, or Issuer for one of this namespace.
    #[serde(default)]
    pub kind: IssuerKind,
    /// API group of the issuer; another than cert-manager's own for external issuers.
    #[serde(default = "cert_manager_group")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn cert_manager_group() -> String {
    "cert-manager.io".into()
}

/// The kind of an issuer.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IssuerKind {
    #[default]
    ClusterIssuer,
    Issuer,
}

impl IssuerKind {
    /// The kind as an object reference writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIssuer => "ClusterIssuer",
            Self::Issuer => "Issuer",
        }
    }
}

/// How requests reach the site.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// The ingress class. Absent: the default class of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// Annotations of the Ingress, for settings of its controller.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('cert-manager.io/') && !key.startsWith('tutorspace.app/'))")
        .message("annotations below cert-manager.io/ and tutorspace.app/ are the operator's own: the certificate follows from spec.tls"))]
    pub annotations: BTreeMap<String, String>,
}

/// The volume of the drawings.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size of the volume. It may grow where its class can, and never shrinks below what the volume has.
    #[serde(default = "one_gibibyte")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("must be a size such as 1Gi or 500Mi"))]
    pub size: String,

    /// The storage class. Absent: the default class of the cluster. It cannot change once the volume is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// What becomes of the drawings when the resource is deleted. Retain keeps the volume claim; a resource of the same name
    /// takes it up again.
    #[serde(default)]
    pub when_deleted: WhenDeleted,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: one_gibibyte(), class_name: None, when_deleted: WhenDeleted::Retain }
    }
}

fn one_gibibyte() -> String {
    "1Gi".into()
}

/// What becomes of a volume when the resource is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenDeleted {
    #[default]
    Retain,
    Delete,
}

/// What a container may use.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.requests) || !has(self.limits) || !('cpu' in self.requests) || !('cpu' in self.limits) || !isQuantity(string(self.requests['cpu'])) || !isQuantity(string(self.limits['cpu'])) || quantity(string(self.requests['cpu'])).compareTo(quantity(string(self.limits['cpu']))) <= 0")
        .message("requests.cpu is above limits.cpu: raise the limit or lower the request (defaults: request 50m, limit 1)"),
    validation = Rule::new("!has(self.requests) || !has(self.limits) || !('memory' in self.requests) || !('memory' in self.limits) || !isQuantity(string(self.requests['memory'])) || !isQuantity(string(self.limits['memory'])) || quantity(string(self.requests['memory'])).compareTo(quantity(string(self.limits['memory']))) <= 0")
        .message("requests.memory is above limits.memory: raise the limit or lower the request (defaults: request 32Mi, limit 256Mi)")
)]
pub struct Resources {
    /// What is set aside for it.
    #[serde(default = "default_requests")]
    #[schemars(extend("maxProperties" = 10))]
    pub requests: BTreeMap<String, Quantity>,
    /// What it may use at most.
    #[serde(default = "default_limits")]
    #[schemars(extend("maxProperties" = 10))]
    pub limits: BTreeMap<String, Quantity>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { requests: default_requests(), limits: default_limits() }
    }
}

fn amounts(cpu: &str, memory: &str) -> BTreeMap<String, Quantity> {
    [("cpu", cpu), ("memory", memory)].map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).into()
}

fn default_requests() -> BTreeMap<String, Quantity> {
    amounts("50m", "32Mi")
}

fn default_limits() -> BTreeMap<String, Quantity> {
    amounts("1", "256Mi")
}

/// Settings of the server.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Origins of pages that may use this server, such as `https://lessons.example.org`; `*` allows all. Programs that send no
    /// Origin header are not concerned.
    #[serde(default = "every_origin")]
    #[schemars(length(max = 50), schema_with = "origins")]
    pub cors_origins: Vec<String>,

    /// A session in which nothing happens for this long is ended: its connections close, a lock is lifted, the drawings stay.
    /// Written as in Go: 90m, 24h, 1h30m.
    #[serde(default = "one_day")]
    #[schemars(length(min = 2, max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && duration(self) >= duration('1m') && duration(self) <= duration('8760h')")
        .message("must be a duration between 1m and 8760h in hours, minutes and seconds, such as 24h or 1h30m"))]
    pub session_timeout: String,

    /// How much the server writes to its log.
    #[serde(default)]
    pub log_level: LogLevel,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cors_origins: every_origin(), session_timeout: one_day(), log_level: LogLevel::default() }
    }
}

fn every_origin() -> Vec<String> {
    vec!["*".into()]
}

fn one_day() -> String {
    "24h".into()
}

fn origins(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 50,
        "items": {
            "type": "string",
            "maxLength": 300,
            "x-kubernetes-validations": [{
                "rule": "self == '*' || self.matches('^https?://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$')",
                "message": "must be '*' or an origin in lower case such as https://lessons.example.org or http://localhost:3000, without a path or a slash at its end",
            }],
        },
    })
}

/// How much is written to a log.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word as the server's setting writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// When backups are taken, where to, and how many are kept.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// When, as in a CronJob.
    #[serde(default = "nightly")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new("self.matches('^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^ ]+( +[^ ]+){4})$') && !self.contains('TZ=')")
        .message("must be a cron schedule of five fields such as '17 3 * * *'; a time zone goes into backup.timeZone"))]
    pub schedule: String,

    /// Time zone of the schedule by its IANA name, such as Europe/Rome. Absent: the zone of the cluster's controller manager, most often UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') && self != 'Local'")
        .message("must be the IANA name of a time zone such as Europe/Rome or UTC"))]
    pub time_zone: Option<String>,

    /// True: no backups are taken until it is false again.
    #[serde(default)]
    pub suspend: bool,

    /// How many are kept.
    #[serde(default)]
    pub retention: Retention,

    /// Where they are kept.
    #[serde(default)]
    pub destination: Destination,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            schedule: nightly(),
            time_zone: None,
            suspend: false,
            retention: Retention::default(),
            destination: Destination::default(),
        }
    }
}

fn nightly() -> String {
    "17 3 * * *".into()
}

/// How many backups are kept.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest so many verified backups are kept.
    #[serde(default = "seven")]
    #[schemars(range(min = 1, max = 365))]
    pub daily: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { daily: seven() }
    }
}

fn seven() -> u32 {
    7
}

/// Where backups are kept.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// A volume of its own, which is never deleted with the resource.
    #[serde(default)]
    pub volume: BackupVolume,
}

/// The volume of the backups.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupVolume {
    /// Size of the volume: room for `retention.daily` copies of the drawings and one more. It may grow where its class can.
    #[serde(default = "five_gibibytes")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))").message("must be a size such as 5Gi or 500Mi"))]
    pub size: String,

    /// The storage class. Absent: the default class of the cluster. It cannot change once the volume is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
}

impl Default for BackupVolume {
    fn default() -> Self {
        Self { size: five_gibibytes(), class_name: None }
    }
}

fn five_gibibytes() -> String {
    "5Gi".into()
}

/// Who may reach the site's pods inside the cluster.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// False: no NetworkPolicy is made.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// Who may reach the public port. Empty: everybody. Name your ingress controller's namespace here to narrow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub ingress_from: Vec<NetworkPolicyPeer>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self { enabled: true, ingress_from: Vec::new() }
    }
}

fn yes() -> bool {
    true
}
