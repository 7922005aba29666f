//! Room that is kept back, so that the server can start on a disk that is full but for it.
//!
//! The database cannot even be read without a small file beside it, the index of its write-ahead log, which a server
//! that ended took away. When there is no room for that, the reserve is given up: reading, exporting and backups go on,
//! changes are refused ([`crate::limits::space`]). It is kept anew once there is room.

use super::{TEMPORARY_PREFIX, disk};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Name of the file in the data directory.
pub const FILE: &str = "reserve";

/// Bytes kept back: the index takes 32 KiB for each 16 MiB of the log.
pub const BYTES: u64 = 512 << 10;

/// Keeps the reserve, if it is not there and the disk has room for several of them.
pub fn keep(directory: &Path) -> io::Result<()> {
    let path = directory.join(FILE);
    if path.metadata().is_ok_and(|metadata| metadata.len() >= BYTES) || disk::space(directory)?.0 < 4 * BYTES {
        return Ok(());
    }
    // Nothing that a file system could leave out or make smaller.
    let mut filling = vec![0; usize::try_from(BYTES).unwrap_or_default()];
    getrandom::fill(&mut filling).map_err(io::Error::other)?;
    // Whole under its name or not there; what a crash leaves is removed at the next start.
    let new = directory.join(format!("{TEMPORARY_PREFIX}reserve"));
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(&filling)?;
        file.sync_data()
    });
    written.and_then(|()| std::fs::rename(&new, &path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&new);
    })
}

/// Gives the reserve up if the disk is full but for it. Returns whether there is room now that was not there before.
pub fn give_up(directory: &Path) -> bool {
    let full = disk::space(directory).is_ok_and(|(free, _)| free < BYTES);
    full && std::fs::remove_file(directory.join(FILE)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_kept_once_and_not_given_up_while_there_is_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let length = || path.metadata().map(|metadata| metadata.len()).ok();
        assert!(!give_up(directory.path()));
        keep(directory.path()).unwrap();
        assert_eq!(length(), Some(BYTES));
        let first = std::fs::read(&path).unwrap();
        keep(directory.path()).unwrap();
        assert!(std::fs::read(&path).unwrap() == first, "it stays as it is");
        assert!(!give_up(directory.path()));
        assert_eq!(length(), Some(BYTES));
        std::fs::write(&path, "cut off").unwrap();
        keep(directory.path()).unwrap();
        assert_eq!(length(), Some(BYTES));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
