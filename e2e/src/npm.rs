//! npm packages of a folder, installed as its lock file says.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cache::{self, Cache, Key};
use crate::process;

/// Installs them where the lock file changed since the last time. They come from npm's own cache below ours when they were
/// here before. `what` is for people; `usually` how long an installation took with an empty cache.
pub fn ensure(cache: &Cache, folder: &Path, what: &str, usually: Duration) -> anyhow::Result<()> {
    let wanted = wanted(folder)?;
    let stamp = folder.join("node_modules/.installed-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--prefer-offline", "--cache"]).arg(cache.root().join("npm"));
    npm.current_dir(folder);
    process::long(&format!("installing npm packages for {what}"), Some(usually), &cache.log("npm"), &npm)?;
    cache::write(&stamp, wanted.as_bytes())?;
    Ok(())
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
