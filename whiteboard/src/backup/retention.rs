//! Which backups stay.

use super::BackupError;
use super::manifest::{Manifest, database_path, json_path, list};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A partial file that nobody has written to for so long was left behind.
const STALE: Duration = Duration::from_hours(1);

/// What stays after [`clean`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub count: u64,
    pub bytes: u64,
}

/// Decides by name what goes: everything whole beyond the newest `keep` (at least one stays), and manifests whose
/// database is gone. One whose database has another length than it should is neither counted nor touched: it may be
/// all that is left of something. `backups` are oldest first.
pub fn doomed(backups: &[(Manifest, bool)], is_missing: impl Fn(&str) -> bool, keep: usize) -> Vec<&str> {
    let whole: Vec<&str> =
        backups.iter().filter(|(_, whole)| *whole).map(|(manifest, _)| manifest.name.as_str()).collect();
    let surplus = whole.len().saturating_sub(keep.max(1));
    let orphans = backups.iter().filter(|(_, whole)| !whole).map(|(manifest, _)| manifest.name.as_str());
    whole.into_iter().take(surplus).chain(orphans.filter(|name| is_missing(name))).collect()
}

/// Removes what is doomed, and partial files that were left behind.
pub fn clean(directory: &Path, keep: usize) -> Result<Kept, BackupError> {
    let backups = list(directory)?;
    for name in doomed(&backups, |name| !database_path(directory, name).exists(), keep) {
        // The database first: a manifest without one is cleaned up next time, the reverse would stay for ever.
        for path in [database_path(directory, name), json_path(directory, name)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BackupError::File { path, source: error });
                }
                _ => {}
            }
        }
    }
    remove_stale_partials(directory)?;
    let left = list(directory)?;
    let whole = left.iter().filter(|(_, whole)| *whole).map(|(manifest, _)| manifest.bytes);
    Ok(Kept { count: whole.clone().count() as u64, bytes: whole.sum() })
}

fn remove_stale_partials(directory: &Path) -> Result<(), BackupError> {
    let failed = BackupError::file(directory);
    for entry in std::fs::read_dir(directory).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.ends_with(".db.partial") && !name.ends_with(".json.partial") {
            continue;
        }
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).map_err(&failed)?;
        if SystemTime::now().duration_since(modified).is_ok_and(|age| age >= STALE) {
            std::fs::remove_file(entry.path()).map_err(&failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::manifest;
    use super::*;
    use std::fs::{File, FileTimes};

    #[test]
    fn the_newest_whole_ones_stay() {
        let backup = |name: &str, whole| (manifest(name, "2026-01-01T00:00:00Z", 1), whole);
        let backups =
            [backup("a", true), backup("b", true), backup("short", false), backup("gone", false), backup("c", true)];
        let missing = |name: &str| name == "gone";
        for (keep, expected) in [
            (7, vec!["gone"]),
            (3, vec!["gone"]),
            (2, vec!["a", "gone"]),
            (1, vec!["a", "b", "gone"]),
            (0, vec!["a", "b", "gone"]),
        ] {
            assert_eq!(doomed(&backups, missing, keep), expected, "keep {keep}");
        }
        assert_eq!(doomed(&backups[..1], missing, 0), [] as [&str; 0], "the only good one stays");
    }

    #[test]
    fn strangers_and_fresh_partials_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for (name, day) in [("a", 1), ("b", 2), ("c", 3)] {
            manifest(name, &format!("2026-01-0{day}T00:00:00Z"), 2).write(path).unwrap();
            std::fs::write(database_path(path, name), "xx").unwrap();
        }
        for name in ["notes.txt", "other.db", "lost+found", "fresh.db.partial", "old.db.partial"] {
            std::fs::write(path.join(name), "x").unwrap();
        }
        let old = SystemTime::now() - 2 * STALE;
        File::options()
            .write(true)
            .open(path.join("old.db.partial"))
            .unwrap()
            .set_times(FileTimes::new().set_modified(old))
            .unwrap();
        assert_eq!(clean(path, 2).unwrap(), Kept { count: 2, bytes: 4 });
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(
            names,
            ["b.db", "b.json", "c.db", "c.json", "fresh.db.partial", "lost+found", "notes.txt", "other.db"]
        );
    }
}
