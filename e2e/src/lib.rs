//! A real Kubernetes on this machine, and the tests that use the product on it as people do.
//!
//! `up`, `down`, `env` and `test` are the commands; [`apiserver`] and [`cluster`] are what tests build on.

use std::path::PathBuf;

#[cfg(feature = "apiserver")]
pub mod apiserver;
pub mod archive;
pub mod audit;
pub mod cache;
pub mod components;
pub mod groups;
pub mod node_image;
pub mod process;
pub mod progress;
pub mod provider;
pub mod registry;
pub mod suite;
pub mod versions;

/// The top folder of the checkout that this was started from.
///
/// Cargo tells it at run time; a binary called directly falls back to where it was compiled.
pub fn repository() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = PathBuf::from(own);
    own.parent().map_or(own.clone(), PathBuf::from)
}
