//! The scripts in `e2e/clients`, which act as people's own clients.

use std::path::PathBuf;
use std::time::Duration;

use crate::cache::Cache;
use crate::npm;

/// The folder of the scripts, with their packages installed.
pub fn ensure(cache: &Cache) -> anyhow::Result<PathBuf> {
    let folder = crate::repository().join("e2e/clients");
    npm::ensure(cache, &folder, "the scripts of people's clients", Duration::from_secs(3))?;
    Ok(folder)
}
