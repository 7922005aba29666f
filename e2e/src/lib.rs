//! A real Kubernetes on this machine, and the tests that use the product on it as people do.
//!
//! `up`, `down`, `env` and `test` are the commands; [`apiserver`] and [`cluster`] are what tests build on.

use std::path::PathBuf;

pub mod addons;
#[cfg(feature = "apiserver")]
pub mod apiserver;
pub mod archive;
pub mod audit;
pub mod cache;
pub mod cert_manager;
pub mod charts;
pub mod clients;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod components;
pub mod corefile;
pub mod dependencies;
pub mod down;
pub mod env;
pub mod firewall;
pub mod groups;
pub mod host;
pub mod hosts_file;
pub mod images;
pub mod kubectl;
pub mod node;
pub mod node_health;
pub mod node_image;
pub mod npm;
pub mod packages;
pub mod process;
pub mod product;
pub mod progress;
pub mod provider;
pub mod registry;
pub mod suite;
pub mod up;
pub mod versions;
pub mod web;

/// The top folder of the checkout that this was started from.
///
/// Cargo tells it at run time; a binary called directly falls back to where it was compiled.
pub fn repository() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = PathBuf::from(own);
    own.parent().map_or(own.clone(), PathBuf::from)
}
