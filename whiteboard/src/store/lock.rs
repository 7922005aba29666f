//! The lock that keeps two processes from writing one data directory.

use super::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Name of the file that is locked. It stays when the process ends; the lock does not.
pub const LOCK_FILE: &str = "lock";

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Held for as long as a process may write into the directory. The kernel frees it however the process ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
    directory: PathBuf,
}

impl DataLock {
    /// Takes the lock of `directory`, creating the directory if needed; waits up to `patience` while another process
    /// has it (a pod that is just being replaced), saying so once through `on_wait`.
    pub fn take(directory: &Path, patience: Duration, on_wait: impl FnOnce()) -> Result<Self, StoreError> {
        let failed = StoreError::directory(directory);
        std::fs::create_dir_all(directory).map_err(&failed)?;
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(&failed)?;
        let start = Instant::now();
        let mut on_wait = Some(on_wait);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file, directory: directory.to_owned() }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                    return Err(StoreError::InUse { path: directory.to_owned() });
                }
                Err(TryLockError::WouldBlock) => {
                    if let Some(on_wait) = on_wait.take() {
                        on_wait();
                    }
                    std::thread::sleep(RETRY.min(patience));
                }
            }
        }
    }

    /// The directory that this lock is for.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_then_fails_and_gets_it_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/data");
        let first = DataLock::take(&path, Duration::ZERO, || panic!("nobody has it")).unwrap();
        assert_eq!(first.directory(), path);
        let mut waited = 0;
        let start = Instant::now();
        let error = DataLock::take(&path, Duration::from_millis(150), || waited += 1).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        assert!(start.elapsed() >= Duration::from_millis(150));
        assert_eq!(waited, 1);
        drop(first);
        DataLock::take(&path, Duration::ZERO, || panic!("nobody has it any more")).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = DataLock::take(&file.join("data"), Duration::ZERO, || ()).unwrap_err().to_string();
        assert!(error.contains("cannot be used") && error.contains("writable"), "{error}");
    }
}
