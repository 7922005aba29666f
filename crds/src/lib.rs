//! What a Whiteboard is: the types of the custom resource, the rules that the API server checks, and the names
//! of conditions, phases, labels and annotations. Knows no cluster.

pub mod condition;
mod quantity;
mod spec;
mod status;
mod yaml;

pub use quantity::Quantity;
pub use spec::*;
pub use status::*;
pub use yaml::crd_yaml;

/// API group of every kind here; also the prefix of our annotations.
pub const GROUP: &str = "tutorspace.app";
