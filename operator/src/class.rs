//! Classes of the cluster that a resource may name, or that are taken where it names none.

/// A StorageClass or IngressClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    pub default: bool,
    /// Of a StorageClass: whether its volumes can grow.
    pub expands: bool,
}
