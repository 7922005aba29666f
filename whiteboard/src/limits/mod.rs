//! What one client, one address and the whole site may do. Decisions only: pure, with the time handed in.

pub mod address;
pub mod attempts;
pub mod bucket;
pub mod connections;
pub mod files;
pub mod gate;
pub mod memory;
pub mod space;

pub use bucket::{Bucket, Rate};
pub use gate::Gate;
pub use memory::Memory;
