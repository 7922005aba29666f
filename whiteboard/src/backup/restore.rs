//! Bringing a backup back into a data directory.

use super::manifest::{Manifest, database_path, list};
use super::verify::check;
use super::{BackupError, digest};
use crate::store::examine::Counts;
use crate::store::{DATABASE, DataLock, Reader, disk, disk::Temporary};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which backup, and where to.
#[derive(Debug)]
pub struct Order {
    /// A directory of backups, or one backup's file.
    pub from: PathBuf,
    /// For a directory: a name, or `latest`.
    pub name: String,
    pub data: PathBuf,
    /// Whether drawings that are there are moved aside.
    pub replace: bool,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Restored {
        name: String,
        counts: Counts,
        /// Where the drawings went that were there before.
        aside: Option<PathBuf>,
    },
    /// The data directory holds exactly this backup already.
    Same { name: String },
}

/// Restores a backup: proven before and after, never under a running server, never over drawings without being told.
pub fn restore(order: &Order) -> Result<Outcome, BackupError> {
    let source = choose(order)?;
    let name = source.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (found, _) = check(&source)?;
    let lock = DataLock::take(&order.data, Duration::ZERO, || ())?;
    disk::remove_leftovers(lock.directory()).map_err(BackupError::file(&order.data))?;
    let target = order.data.join(DATABASE);
    let failed = BackupError::file(&target);
    if target.exists() {
        let log = order.data.join(format!("{DATABASE}-wal")).metadata().map_or(0, |metadata| metadata.len());
        if log == 0 && digest::of_file(&target).map_err(&failed)?.0 == found.sha256 {
            return Ok(Outcome::Same { name });
        }
        // What a server made at its first start, and nobody has drawn on, is nothing to keep.
        let untouched = || Reader::open(&target).and_then(|reader| reader.is_untouched()).unwrap_or(false);
        if !order.replace && !untouched() {
            return Err(BackupError::NotEmpty(order.data.clone()));
        }
    }
    disk::require(&order.data, found.bytes)?;
    let copy = Temporary::new(&order.data);
    std::fs::copy(&source, copy.path()).and_then(|_| File::open(copy.path())?.sync_all()).map_err(&failed)?;
    if digest::of_file(copy.path()).map_err(&failed)?.0 != found.sha256 {
        return Err(BackupError::Differs { path: copy.path().to_owned(), what: "the copy" });
    }
    let aside = move_aside(&order.data)?;
    std::fs::rename(copy.path(), &target).map_err(&failed)?;
    disk::sync_directory(&order.data).map_err(&failed)?;
    let counts = Reader::open_immutable(&target)?.examine()?;
    Ok(Outcome::Restored { name, counts, aside })
}

fn choose(order: &Order) -> Result<PathBuf, BackupError> {
    if !order.from.is_dir() {
        std::fs::metadata(&order.from).map_err(BackupError::file(&order.from))?;
        return Ok(order.from.clone());
    }
    let backups: Vec<Manifest> = list(&order.from)?.into_iter().map(|(manifest, _)| manifest).collect();
    let newest = backups.last().ok_or_else(|| BackupError::None(order.from.clone()))?;
    let chosen =
        if order.name == "latest" { Some(newest) } else { backups.iter().find(|manifest| manifest.name == order.name) };
    if let Some(manifest) = chosen {
        return Ok(database_path(&order.from, &manifest.name));
    }
    let known: Vec<_> = backups.into_iter().map(|manifest| manifest.name).collect();
    let known = known.join(", ");
    Err(BackupError::Unknown { directory: order.from.clone(), name: order.name.clone(), known })
}

/// Moves the database with its log into a directory named by the time. A log that belongs to another database must
/// never be found beside the restored one.
fn move_aside(data: &Path) -> Result<Option<PathBuf>, BackupError> {
    let files: Vec<PathBuf> = ["", "-wal", "-shm"]
        .iter()
        .map(|suffix| data.join(format!("{DATABASE}{suffix}")))
        .filter(|path| path.exists())
        .collect();
    if files.is_empty() {
        return Ok(None);
    }
    let name = super::manifest::name_at(jiff::Timestamp::now(), |name| data.join(format!("replaced-{name}")).exists());
    let aside = data.join(format!("replaced-{name}"));
    let failed = BackupError::file(&aside);
    std::fs::create_dir(&aside).map_err(&failed)?;
    for file in files {
        let to = aside.join(file.file_name().unwrap_or_default());
        std::fs::rename(&file, to).map_err(&failed)?;
    }
    disk::sync_directory(&aside).map_err(failed)?;
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::super::take;
    use super::*;
    use crate::store::schema;

    fn board(data: &Path, code: &str) {
        std::fs::create_dir_all(data).unwrap();
        let connection = schema::open(&data.join(DATABASE)).unwrap();
        connection.execute("INSERT INTO boards (dialect, code, created) VALUES ('classroom', ?1, 0)", [code]).unwrap();
    }

    async fn backup(data: &Path, to: &Path) -> String {
        let from = Source::Directory(data.to_owned());
        let order = take::Order { from, token_file: None, to: to.to_owned(), keep: 7, patience: Duration::ZERO };
        take::take(&order).await.unwrap().manifest.name
    }

    #[tokio::test]
    async fn a_database_without_drawings_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let (data, to, fresh) =
            (directory.path().join("data"), directory.path().join("backups"), directory.path().join("fresh"));
        board(&data, "first");
        backup(&data, &to).await;
        std::fs::create_dir(&fresh).unwrap();
        schema::open(&fresh.join(DATABASE)).unwrap();
        let order = Order { from: to, name: "latest".into(), data: fresh.clone(), replace: false };
        assert!(matches!(restore(&order).unwrap(), Outcome::Restored { aside: Some(_), .. }));
        assert_eq!(Reader::open(&fresh.join(DATABASE)).unwrap().boards().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_restored_database_begins_a_new_life() {
        let directory = tempfile::tempdir().unwrap();
        let (data, to) = (directory.path().join("data"), directory.path().join("backups"));
        let epoch = |data: &Path| {
            // As a server opens it.
            schema::open(&data.join(DATABASE)).unwrap();
            Reader::open(&data.join(DATABASE)).unwrap().epoch().unwrap()
        };
        board(&data, "first");
        let first = epoch(&data);
        let name = backup(&data, &to).await;
        let order = Order { from: to, name: "latest".into(), data: data.clone(), replace: true };
        restore(&order).unwrap();
        assert_eq!(restore(&order).unwrap(), Outcome::Same { name }, "before a server has opened it");
        let second = epoch(&data);
        assert_ne!(second, first, "clients must not catch up by numbers of another past");
        assert_eq!(epoch(&data), second, "a restart goes on with it");
    }

    #[tokio::test]
    async fn what_was_backed_up_comes_back_and_nothing_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let (data, to) = (directory.path().join("data"), directory.path().join("backups"));
        let order = |name: &str, replace| Order { from: to.clone(), name: name.into(), data: data.clone(), replace };
        board(&data, "first");
        assert!(restore(&order("latest", false)).is_err(), "no directory of backups yet");
        let first = backup(&data, &to).await;
        board(&data, "second");
        let second = backup(&data, &to).await;
        assert_ne!(first, second);

        assert!(matches!(restore(&order(&first, false)), Err(BackupError::NotEmpty(_))));
        let lock = DataLock::take(&data, Duration::ZERO, || ()).unwrap();
        let error = restore(&order(&first, true)).unwrap_err().to_string();
        assert!(error.contains("in use by another whiteboard process"), "{error}");
        drop(lock);
        let error = restore(&order("2001-01-01T00-00-00Z", true)).unwrap_err().to_string();
        assert!(error.contains(&first) && error.contains(&second), "{error}");

        let Outcome::Restored { counts, aside: Some(aside), .. } = restore(&order(&first, true)).unwrap() else {
            panic!()
        };
        assert_eq!(counts.boards, 1);
        assert_eq!(Reader::open(&aside.join(DATABASE)).unwrap().boards().unwrap(), 2);
        assert_eq!(restore(&order(&first, false)).unwrap(), Outcome::Same { name: first });
        let Outcome::Restored { name, counts, .. } = restore(&order("latest", true)).unwrap() else { panic!() };
        assert_eq!((name, counts.boards), (second.clone(), 2));

        std::fs::remove_dir_all(&data).unwrap();
        let file =
            Order { from: database_path(&to, &second), name: "latest".into(), data: data.clone(), replace: false };
        let Outcome::Restored { counts, aside: None, .. } = restore(&file).unwrap() else { panic!() };
        assert_eq!(counts.boards, 2);
        let mut bytes = std::fs::read(&file.from).unwrap();
        bytes[50] ^= 1;
        std::fs::write(&file.from, bytes).unwrap();
        std::fs::remove_dir_all(&data).unwrap();
        assert!(restore(&file).unwrap_err().to_string().contains("the hash differs"));
        assert!(!data.join(DATABASE).exists());
    }
}
