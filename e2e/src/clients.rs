//! The npm packages that people's own clients are made of, installed for the scripts in `e2e/clients`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::{self, Cache, Key};
use crate::process;

/// The folder of the scripts, with their packages installed as the lock file says. Packages come from npm's own
/// cache below ours when they were here before.
pub fn ensure(cache: &Cache) -> anyhow::Result<PathBuf> {
    let folder = crate::repository().join("e2e/clients");
    let wanted = wanted(&folder)?;
    let stamp = folder.join("node_modules/.installed-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--prefer-offline", "--cache"]).arg(cache.root().join("npm"));
    npm.current_dir(&folder);
    process::long("installing npm packages", Some(Duration::from_secs(3)), &cache.log("npm"), &npm)?;
    cache::write(&stamp, wanted.as_bytes())?;
    Ok(folder)
}

fn wanted(folder: &Path) -> anyhow::Result<String> {
    let read = |name: &str| std::fs::read(folder.join(name));
    Ok(Key::default().with(read("package.json")?).with(read("package-lock.json")?).short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_lock_file_asks_for_another_installation() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("package.json"), "{}").unwrap();
        std::fs::write(folder.path().join("package-lock.json"), "1").unwrap();
        let first = wanted(folder.path()).unwrap();
        assert_eq!(first, wanted(folder.path()).unwrap());
        std::fs::write(folder.path().join("package-lock.json"), "2").unwrap();
        assert_ne!(first, wanted(folder.path()).unwrap());
    }
}
