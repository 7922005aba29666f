//! The web client: built into `whiteboard/web/dist`, from where cargo takes it into the server, and its tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::{self, Cache, Key};
use crate::{npm, packages, process};

/// What is made from the rest of the folder, and not part of what it is made from.
const MADE: &[&str] = &["dist", "node_modules", "tests"];

fn folder() -> PathBuf {
    crate::repository().join("whiteboard/web")
}

/// Builds the web client where its sources changed since the last time.
pub fn build(cache: &Cache) -> anyhow::Result<()> {
    let folder = folder();
    let wanted = sources(&folder)?;
    let stamp = folder.join("node_modules/.dist-from");
    if folder.join("dist").is_dir() && std::fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    install(cache)?;
    process::long("building the web client", Some(Duration::from_secs(40)), &cache.log("web-build"), &script("build"))?;
    cache::write(&stamp, wanted.as_bytes())?;
    Ok(())
}

/// Types and unit tests.
pub fn unit_tests(cache: &Cache) -> anyhow::Result<()> {
    install(cache)?;
    Ok(process::shown(&script("test"))?)
}

/// People in front of real browsers, against the server's program in a process of its own.
pub fn browser_tests(cache: &Cache, server: &Path) -> anyhow::Result<()> {
    ensure_browser(cache)?;
    // A shell that has read `e2e/env` names a site.
    Ok(process::shown(script("test:browser").env_remove("WHITEBOARD_URL").env("WHITEBOARD_SERVER", server))?)
}

/// A site that runs already, as a browser reaches it.
#[derive(Debug)]
pub struct Site<'a> {
    /// `https://` and its host.
    pub url: &'a str,
    /// The IP address where it answers, whatever DNS says.
    pub address: &'a str,
    /// The certificate to trust for it, where it is not publicly trusted.
    pub authority: Option<&'a Path>,
}

/// People who draw together on a site that runs already, and what a browser thinks of its certificate. Tests that kill the
/// server are left out. The browser must be there: see [`ensure_browser`].
pub fn browser_tests_on(site: &Site<'_>) -> anyhow::Result<()> {
    let mut tests = script("test:browser");
    tests.args(["--", "together", "certificate"]);
    tests.env("WHITEBOARD_URL", site.url).env("WHITEBOARD_ADDRESS", site.address);
    match site.authority {
        Some(authority) => tests.env("WHITEBOARD_CA", authority),
        None => tests.env_remove("WHITEBOARD_CA"),
    };
    Ok(process::shown(&tests)?)
}

/// Installs what tests in browsers need: npm packages and a browser.
pub fn ensure_browser(cache: &Cache) -> anyhow::Result<()> {
    install(cache)?;
    Ok(packages::ensure_browser(cache)?)
}

fn install(cache: &Cache) -> anyhow::Result<()> {
    npm::ensure(cache, &folder(), "the web client", Duration::from_secs(40))
}

fn script(name: &str) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", name]).current_dir(folder());
    npm
}

/// The key of everything that the build reads.
fn sources(folder: &Path) -> anyhow::Result<String> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.retain(|path| !MADE.iter().any(|made| path.ends_with(made)));
    entries.sort();
    let mut key = Key::default();
    for path in entries {
        key = key.with(path.file_name().unwrap_or_default().as_encoded_bytes());
        key = if path.is_dir() { key.with_folder(&path)? } else { key.with(std::fs::read(&path)?) };
    }
    Ok(key.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_ask_for_another_build() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("package.json", "{}");
        write("src/main.ts", "1");
        let first = sources(folder.path()).unwrap();
        write("dist/main.js", "1");
        write("node_modules/react/index.js", "1");
        write("tests/browser/alone.test.ts", "1");
        assert_eq!(sources(folder.path()).unwrap(), first);
        write("src/main.ts", "2");
        let second = sources(folder.path()).unwrap();
        write("vite.config.ts", "1");
        let third = sources(folder.path()).unwrap();
        assert!(first != second && second != third);
    }
}
