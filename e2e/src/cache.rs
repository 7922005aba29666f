//! Where built things are kept between runs and checkouts, and how they get there whole or not at all.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What can go wrong around the cache; the messages say what to do.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither of the variables that lead to a home is set.
    #[error("There is no place for a cache: set WHITEBOARD_E2E_CACHE to a folder on a disk with 25 GB free.")]
    NoHome,
    /// Another run is at it.
    #[error("Another e2e run is working on this (it holds {path}). Wait for it, or stop it, and run this again.")]
    Busy { path: PathBuf },
    /// A file or folder refused.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CacheError + '_ {
    move |source| CacheError::Io { path: path.to_owned(), source }
}

/// The cache: everything in it can be built again, and a checkout needs nothing that is only there.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$WHITEBOARD_E2E_CACHE`, else `$XDG_CACHE_HOME/whiteboard-e2e`, else `~/.cache/whiteboard-e2e`.
    pub fn locate() -> Result<Self, CacheError> {
        let root = root(|name| std::env::var_os(name).map(PathBuf::from)).ok_or(CacheError::NoHome)?;
        Self::at(&root)
    }

    /// A cache in a folder of choice, which is made.
    pub fn at(root: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(root).map_err(at(root))?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder that holds all of it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Programs by name and key.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Links to the programs that people call (`kubectl`, `helm`, `kind`), by plain name.
    pub fn path(&self) -> PathBuf {
        self.root.join("path")
    }

    /// Image archives by name and key.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// What the running cluster is: kubeconfig, certificates, the state of the host before it.
    pub fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// One log file a step, of the latest run.
    pub fn log(&self, step: &str) -> PathBuf {
        self.root.join("logs").join(format!("{step}.log"))
    }

    /// Go's own caches. They grow to 15 GB and are deleted once everything is built.
    pub fn go(&self) -> PathBuf {
        self.root.join("go")
    }

    /// Cargo's target folder for the release binaries, and in CI for everything: dependencies are compiled once
    /// for all checkouts.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Takes the lock of this name or says that another run has it. Held until the value is dropped or the process
    /// ends, however it ends.
    pub fn lock(&self, name: &str) -> Result<File, CacheError> {
        let path = self.root.join(format!("{name}.lock"));
        let file = File::options().create(true).append(true).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(CacheError::Busy { path }),
            Err(TryLockError::Error(source)) => Err(CacheError::Io { path, source }),
        }
    }
}

/// How half-made things are called until they are whole: `tempfile`'s default, and names of our own.
const HALF_MADE: &[&str] = &[".tmp", "node-image-", "unfinished-"];

impl Cache {
    /// Deletes what killed runs left half-made, up to gigabytes; not while another run is building.
    pub fn sweep(&self) -> Result<(), CacheError> {
        let _building = match self.lock("build") {
            Err(CacheError::Busy { .. }) => return Ok(()),
            other => other?,
        };
        for folder in [self.root().to_owned(), self.bin(), self.images(), self.path()] {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if !HALF_MADE.iter().any(|mark| name.as_encoded_bytes().starts_with(mark.as_bytes())) {
                    continue;
                }
                let path = entry.path();
                let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                removed.map_err(at(&path))?;
            }
        }
        Ok(())
    }
}

fn root(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
    set("WHITEBOARD_E2E_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("whiteboard-e2e")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/whiteboard-e2e")))
}

/// Writes a file so that readers see the old or the new content, and a kill leaves the old one.
pub fn write(path: &Path, content: &[u8]) -> Result<(), CacheError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    file.write_all(content).map_err(at(path))?;
    file.persist(path).map_err(|error| CacheError::Io { path: path.to_owned(), source: error.error })?;
    Ok(())
}

/// A key made of what goes into a thing: the same inputs in the same order give the same key, nothing else does.
#[derive(Default)]
pub struct Key(Sha256);

impl Key {
    /// Adds one input. Its length goes in first, so that `ab`,`c` and `a`,`bc` differ.
    #[must_use]
    pub fn with(mut self, input: impl AsRef<[u8]>) -> Self {
        let input = input.as_ref();
        self.0.update(u64::try_from(input.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(input);
        self
    }

    /// Adds every file below a folder: relative names and contents, in the order of the names.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self, CacheError> {
        for path in files_below(folder)? {
            let content = std::fs::read(&path).map_err(at(&path))?;
            let name = path.strip_prefix(folder).unwrap_or(&path);
            self = self.with(name.as_os_str().as_encoded_bytes()).with(content);
        }
        Ok(self)
    }

    /// Twelve hexadecimal digits, enough for names of files and tags.
    pub fn short(self) -> String {
        let mut text = hex(&self.0.finalize());
        text.truncate(12);
        text
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, CacheError> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_follows_the_variables_in_order() {
        let place = |pairs: &[(&str, &str)]| {
            root(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value)))
        };
        let all = [("WHITEBOARD_E2E_CACHE", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(place(&all), Some("/a".into()));
        assert_eq!(place(&all[1..]), Some("/b/whiteboard-e2e".into()));
        assert_eq!(place(&all[2..]), Some("/c/.cache/whiteboard-e2e".into()));
        assert_eq!(place(&[("WHITEBOARD_E2E_CACHE", ""), ("HOME", "/c")]), Some("/c/.cache/whiteboard-e2e".into()));
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn keys_tell_inputs_apart() {
        let key = |inputs: &[&str]| inputs.iter().fold(Key::default(), Key::with).short();
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_eq!(key(&["a"]).len(), 12);
        for other in [&["b", "a"][..], &["ab"], &["a", "b", ""], &["", "a", "b"]] {
            assert_ne!(key(&["a", "b"]), key(other), "{other:?}");
        }
    }

    #[test]
    fn a_folders_key_follows_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| super::write(&folder.path().join(name), text.as_bytes()).unwrap();
        let key = || Key::default().with_folder(folder.path()).unwrap().short();
        write("main.go", "package main");
        write("sub/a.go", "package a");
        let first = key();
        assert_eq!(first, key());
        write("sub/a.go", "package b");
        assert_ne!(first, key());
        write("sub/a.go", "package a");
        assert_eq!(first, key());
        std::fs::rename(folder.path().join("sub/a.go"), folder.path().join("sub/b.go")).unwrap();
        assert_ne!(first, key());
    }

    #[test]
    fn a_lock_is_held_once_and_freed_on_drop() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let held = cache.lock("up").unwrap();
        assert!(matches!(cache.lock("up"), Err(CacheError::Busy { .. })));
        assert!(cache.lock("another").is_ok());
        drop(held);
        assert!(cache.lock("up").is_ok());
    }

    #[test]
    fn what_a_killed_run_left_half_made_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        for name in
            ["node-image-x/rootfs/file", "bin/unfinished-y/kube", "images/.tmpabc", "bin/kube-0123", "images/a.tar"]
        {
            write(&cache.root().join(name), b"").unwrap();
        }
        let building = cache.lock("build").unwrap();
        cache.sweep().unwrap();
        assert!(cache.root().join("images/.tmpabc").exists(), "another run is building: its files stay");
        drop(building);
        cache.sweep().unwrap();
        for (name, stays) in [
            ("node-image-x", false),
            ("bin/unfinished-y", false),
            ("images/.tmpabc", false),
            ("bin/kube-0123", true),
            ("images/a.tar", true),
        ] {
            assert_eq!(cache.root().join(name).exists(), stays, "{name}");
        }
    }

    #[test]
    fn writing_replaces_and_leaves_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/file");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
    }

    #[test]
    fn hexadecimal_has_two_digits_a_byte() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
