//! How much room there is and how much is used, and files that must not outlive a crash.

use super::{DATABASE, StoreError, TEMPORARY_PREFIX};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Free and total bytes of the file system that holds `path`, as an unprivileged process may use them.
pub fn space(path: &Path) -> io::Result<(u64, u64)> {
    let status = rustix::fs::statvfs(path)?;
    // What is kept back for the system's own users is not there for anybody else: as `df` reckons.
    let used = status.f_blocks.saturating_sub(status.f_bfree);
    let free = status.f_bavail.saturating_mul(status.f_frsize);
    Ok((free, used.saturating_mul(status.f_frsize).saturating_add(free)))
}

/// Bytes of the database with its write-ahead log.
pub fn database_bytes(directory: &Path) -> u64 {
    ["", "-wal"]
        .iter()
        .filter_map(|suffix| directory.join(format!("{DATABASE}{suffix}")).metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// Refuses when fewer than `needed` bytes are free where `path` lies.
pub fn require(path: &Path, needed: u64) -> Result<(), StoreError> {
    let (free, _) = space(path).map_err(StoreError::directory(path))?;
    if free < needed { Err(StoreError::DiskFull { path: path.to_owned(), free, needed }) } else { Ok(()) }
}

/// Makes the names in a directory durable: a rename is on disk only after this.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A file in the data directory that is removed when dropped, and at the next start after a crash.
#[derive(Debug)]
pub struct Temporary(PathBuf);

impl Temporary {
    /// A name that nobody else uses; nothing is created yet.
    pub fn new(directory: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(directory.join(format!("{TEMPORARY_PREFIX}{}-{number}", std::process::id())))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Not there when making it failed; removed at the next start otherwise.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Removes what a killed process left in the data directory. Only under the directory's lock. Returns how many.
pub fn remove_leftovers(directory: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_go_and_leftovers_too() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (Temporary::new(directory.path()), Temporary::new(directory.path()));
        assert_ne!(one.path(), other.path());
        std::fs::write(one.path(), "x").unwrap();
        std::fs::write(directory.path().join("whiteboard.db"), "x").unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
        std::fs::write(&path, "left by a killed process").unwrap();
        assert_eq!(remove_leftovers(directory.path()).unwrap(), 1);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn space_is_known_and_required() {
        let directory = tempfile::tempdir().unwrap();
        let (free, total) = space(directory.path()).unwrap();
        assert!(0 < free && free <= total);
        require(directory.path(), 1).unwrap();
        let error = require(directory.path(), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("Make room"), "{error}");
        assert_eq!(database_bytes(directory.path()), 0);
        std::fs::write(directory.path().join(DATABASE), "12345").unwrap();
        std::fs::write(directory.path().join(format!("{DATABASE}-wal")), "123").unwrap();
        assert_eq!(database_bytes(directory.path()), 8);
        sync_directory(directory.path()).unwrap();
    }
}
