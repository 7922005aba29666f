//! Condition types and the reasons that go with them. Both are part of the API: stable, CamelCase.
//!
//! How tools judge them: kstatus reads `Reconciling` (in progress) and `Stalled` (failed), both absent when all is well;
//! everybody reads `Ready`.

/// True when a person can draw now, at the address in `status.url`.
pub const READY: &str = "Ready";
/// True while something is being brought to its wished state. Absent otherwise.
pub const RECONCILING: &str = "Reconciling";
/// True when trying again cannot help: somebody has to change something. Absent otherwise.
pub const STALLED: &str = "Stalled";
/// True when the server's pod answers its readiness probe.
pub const AVAILABLE: &str = "Available";
/// True when a certificate for every host of the site is there and valid.
pub const CERTIFICATE_READY: &str = "CertificateReady";
/// True when the volume of the drawings is bound.
pub const STORAGE_READY: &str = "StorageReady";
/// True when the newest due backup was taken and verified.
pub const BACKUP_HEALTHY: &str = "BackupHealthy";

/// Every condition type, in the order in which the status lists them.
pub const ALL: [&str; 7] = [READY, RECONCILING, STALLED, AVAILABLE, CERTIFICATE_READY, STORAGE_READY, BACKUP_HEALTHY];

/// Why a condition has its status. The text of [`Reason::as_str`] is what the API shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// All is as the resource wishes.
    Running,
    /// The first installation is under way.
    Installing,
    /// A change of the resource or of its children is being carried out.
    Updating,
    /// The server answers its readiness probe.
    ServerAnswers,
    /// The server's pod has not been made yet, or is starting.
    ServerStarting,
    /// The server's pod ends again and again.
    ServerCrashes,
    /// The server's image cannot be pulled.
    ImageUnavailable,
    /// No node has room for the pod, or none fits its selector and tolerations.
    Unschedulable,
    /// An older Whiteboard has this host name.
    HostTaken,
    /// An object of a name that we need belongs to somebody else.
    NameTaken,
    /// The API server refuses an object that this resource asks for.
    Rejected,
    /// The certificate has been issued and is valid.
    Issued,
    /// The certificate has been asked for and is not there yet.
    Issuing,
    /// The issuer named by the resource does not exist.
    IssuerNotFound,
    /// The issuer exists and is not ready to issue.
    IssuerNotReady,
    /// The last attempt at issuing failed; cert-manager tries again.
    IssuingFailed,
    /// cert-manager is not installed in the cluster.
    CertManagerMissing,
    /// The Secret with the certificate that the resource names does not exist.
    SecretNotFound,
    /// The Secret exists and holds no usable certificate.
    SecretInvalid,
    /// The resource asks for plain HTTP.
    TlsDisabled,
    /// The volume is bound.
    Bound,
    /// The volume is being made.
    Provisioning,
    /// The storage class does not exist.
    StorageClassNotFound,
    /// No storage class is named and the cluster has no default.
    NoDefaultStorageClass,
    /// The volume exists with another class than the resource names.
    StorageClassImmutable,
    /// The volume cannot grow in its storage class.
    VolumeExpansionUnsupported,
    /// The volume is growing.
    Resizing,
    /// The ingress class does not exist.
    IngressClassNotFound,
    /// No ingress class is named and the cluster has no default.
    NoDefaultIngressClass,
    /// The newest backup was taken and verified.
    Verified,
    /// No backup has been due yet.
    NotDueYet,
    /// The newest backup failed.
    BackupFailed,
    /// A backup was due and has not succeeded in time.
    BackupOverdue,
    /// The resource suspends backups.
    Suspended,
}

impl Reason {
    /// The CamelCase word that stands in `conditions[].reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Installing => "Installing",
            Self::Updating => "Updating",
            Self::ServerAnswers => "ServerAnswers",
            Self::ServerStarting => "ServerStarting",
            Self::ServerCrashes => "ServerCrashes",
            Self::ImageUnavailable => "ImageUnavailable",
            Self::Unschedulable => "Unschedulable",
            Self::HostTaken => "HostTaken",
            Self::NameTaken => "NameTaken",
            Self::Rejected => "Rejected",
            Self::Issued => "Issued",
            Self::Issuing => "Issuing",
            Self::IssuerNotFound => "IssuerNotFound",
            Self::IssuerNotReady => "IssuerNotReady",
            Self::IssuingFailed => "IssuingFailed",
            Self::CertManagerMissing => "CertManagerMissing",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretInvalid => "SecretInvalid",
            Self::TlsDisabled => "TlsDisabled",
            Self::Bound => "Bound",
            Self::Provisioning => "Provisioning",
            Self::StorageClassNotFound => "StorageClassNotFound",
            Self::NoDefaultStorageClass => "NoDefaultStorageClass",
            Self::StorageClassImmutable => "StorageClassImmutable",
            Self::VolumeExpansionUnsupported => "VolumeExpansionUnsupported",
            Self::Resizing => "Resizing",
            Self::IngressClassNotFound => "IngressClassNotFound",
            Self::NoDefaultIngressClass => "NoDefaultIngressClass",
            Self::Verified => "Verified",
            Self::NotDueYet => "NotDueYet",
            Self::BackupFailed => "BackupFailed",
            Self::BackupOverdue => "BackupOverdue",
            Self::Suspended => "Suspended",
        }
    }
}
