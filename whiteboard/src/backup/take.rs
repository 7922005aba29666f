//! Taking a backup: fetch, prove, name, clean up.

use super::manifest::{Manifest, database_path, name_at};
use super::retention::{self, Kept};
use super::source::Source;
use super::verify::inspect;
use super::{BackupError, manifest};
use crate::store::disk;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to take, and where to put it.
#[derive(Debug)]
pub struct Order {
    pub from: Source,
    pub token_file: Option<PathBuf>,
    pub to: PathBuf,
    /// How many verified backups stay in `to`.
    pub keep: usize,
    /// For how long a server that does not answer is tried again.
    pub patience: Duration,
}

/// A backup that was taken and proven.
#[derive(Debug)]
pub struct Taken {
    pub manifest: Manifest,
    pub kept: Kept,
}

/// One line for whoever ordered the backup (a file of at most 4 KiB, as Kubernetes reads).
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Report<'a> {
    Success {
        name: &'a str,
        time: jiff::Timestamp,
        bytes: u64,
        boards: u64,
        strokes: u64,
        verified: bool,
        kept: u64,
        kept_bytes: u64,
    },
    Failure {
        error: String,
    },
}

/// Longest sentence of a failure in a report, in bytes.
const REPORT_SENTENCE: usize = 1000;

impl<'a> Report<'a> {
    pub fn of(outcome: &'a Result<Taken, BackupError>) -> Self {
        match outcome {
            Ok(Taken { manifest, kept }) => Self::Success {
                name: &manifest.name,
                time: manifest.time,
                bytes: manifest.bytes,
                boards: manifest.boards,
                strokes: manifest.strokes,
                verified: true,
                kept: kept.count,
                kept_bytes: kept.bytes,
            },
            Err(error) => {
                let mut error = error.to_string();
                while error.len() > REPORT_SENTENCE {
                    error.pop();
                }
                Self::Failure { error }
            }
        }
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        // Names and numbers only: always writable.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Takes a backup. Whatever fails, backups that were there before stay, and no file under a final name is unproven.
pub async fn take(order: &Order) -> Result<Taken, BackupError> {
    let directory = &order.to;
    std::fs::create_dir_all(directory).map_err(BackupError::file(directory))?;
    let token = match &order.token_file {
        Some(file) => Some(std::fs::read_to_string(file).map_err(BackupError::file(file))?),
        None => None,
    };
    // Milliseconds, so that backups of one second keep their order.
    let now = jiff::Timestamp::now();
    let time = now.round(jiff::Unit::Millisecond).unwrap_or(now);
    let partial_path = |name: &str| directory.join(format!("{name}.db.partial"));
    let name = name_at(time, |name| {
        database_path(directory, name).exists()
            || manifest::json_path(directory, name).exists()
            || partial_path(name).exists()
    });
    let partial = partial_path(&name);
    let outcome = fetch_and_prove(order, token.as_deref(), &partial, &name, time).await;
    if outcome.is_err() {
        // Not there if nothing came at all; stale ones go with a later backup.
        let _ = std::fs::remove_file(&partial);
    }
    let manifest = outcome?;
    let kept = retention::clean(directory, order.keep)?;
    disk::sync_directory(directory).map_err(BackupError::file(directory))?;
    Ok(Taken { manifest, kept })
}

async fn fetch_and_prove(
    order: &Order,
    token: Option<&str>,
    partial: &Path,
    name: &str,
    time: jiff::Timestamp,
) -> Result<Manifest, BackupError> {
    order.from.fetch(token, partial, order.patience).await?;
    let found = inspect(partial)?;
    let manifest = Manifest {
        name: name.to_owned(),
        time,
        bytes: found.bytes,
        boards: found.counts.boards,
        operations: found.counts.operations,
        strokes: found.counts.strokes,
        files: found.counts.files,
        sha256: found.sha256.to_string(),
        schema: found.schema,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    manifest.write(&order.to)?;
    let target = database_path(&order.to, name);
    std::fs::rename(partial, &target).map_err(BackupError::file(&target))?;
    disk::sync_directory(&order.to).map_err(BackupError::file(&order.to))?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_one_short_line() {
        let manifest = manifest::tests::manifest("2026-01-01T00-00-00Z", "2026-01-01T00:00:00Z", 9);
        let taken = Ok(Taken { manifest, kept: Kept { count: 7, bytes: 70 } });
        assert_eq!(
            Report::of(&taken).line(),
            "{\"name\":\"2026-01-01T00-00-00Z\",\"time\":\"2026-01-01T00:00:00Z\",\"bytes\":9,\"boards\":1,\"strokes\":3,\
             \"verified\":true,\"kept\":7,\"keptBytes\":70}\n"
        );
        let failed = Err(BackupError::Usage("é".repeat(2000)));
        let line = Report::of(&failed).line();
        assert!(line.starts_with("{\"error\":\"éé") && line.len() <= 1024 && line.ends_with("\"}\n"));
    }

    #[tokio::test]
    async fn a_failed_backup_leaves_nothing_and_takes_nothing_away() {
        let directory = tempfile::tempdir().unwrap();
        let (data, to) = (directory.path().join("data"), directory.path().join("backups"));
        std::fs::create_dir(&data).unwrap();
        let order = |keep| Order {
            from: Source::Directory(data.clone()),
            token_file: None,
            to: to.clone(),
            keep,
            patience: Duration::ZERO,
        };
        let database = data.join(crate::store::DATABASE);
        crate::store::schema::open(&database).unwrap();
        take(&order(7)).await.unwrap();
        let connection = crate::store::schema::open(&database).unwrap();
        connection.execute_batch("INSERT INTO boards (id, dialect, code, created) VALUES (1, 'classroom', 'x', 0); INSERT INTO operations VALUES (1, 1, 1, 0, 'broken')").unwrap();
        let error = take(&order(1)).await.unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        let names: Vec<_> =
            std::fs::read_dir(&to).unwrap().map(|e| e.unwrap().path().extension().unwrap().to_owned()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        connection.execute("DELETE FROM operations", []).unwrap();
        let taken = take(&order(1)).await.unwrap();
        assert_eq!((taken.kept.count, taken.manifest.boards), (1, 1));
    }
}
