//! Proving that a backup, or a data directory, can be used: by opening it and replaying every board.

use super::BackupError;
use super::digest::{self, Sha256Hex};
use super::manifest::{Manifest, database_path, list};
use crate::store::examine::Counts;
use crate::store::{DATABASE, Reader, schema};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What is in a database file.
#[derive(Debug)]
pub struct Inspected {
    pub bytes: u64,
    pub sha256: Sha256Hex,
    pub schema: i64,
    pub counts: Counts,
}

/// One line of the outcome.
#[derive(Debug, Serialize)]
pub struct Verdict {
    pub path: PathBuf,
    pub good: bool,
    #[serde(flatten)]
    pub counts: Option<Counts>,
    pub bytes: Option<u64>,
    /// Why it is not good, or what could not be checked.
    pub note: Option<String>,
}

/// Opens a finished file and looks at everything in it.
pub fn inspect(path: &Path) -> Result<Inspected, BackupError> {
    let (sha256, bytes) = digest::of_file(path).map_err(BackupError::file(path))?;
    let schema = schema::check(&schema::open_immutable(path)?, path)?;
    let counts = Reader::open_immutable(path)?.examine()?;
    Ok(Inspected { bytes, sha256, schema, counts })
}

/// [`inspect`], and that the file is what its manifest says, if it has one.
pub fn check(path: &Path) -> Result<(Inspected, Option<Manifest>), BackupError> {
    let manifest = Manifest::beside(path)?;
    let differs = |what| BackupError::Differs { path: path.to_owned(), what };
    if let Some(manifest) = &manifest {
        // Before opening it: what is damaged should be called so.
        let (sha256, bytes) = digest::of_file(path).map_err(BackupError::file(path))?;
        if bytes != manifest.bytes {
            return Err(differs("the length"));
        }
        if sha256.to_string() != manifest.sha256 {
            return Err(differs("the hash"));
        }
    }
    let found = inspect(path)?;
    match &manifest {
        Some(manifest) if manifest.counts() != found.counts => Err(differs("the number of boards or strokes")),
        _ => Ok((found, manifest)),
    }
}

/// Verifies a backup, a directory of backups, or a data directory (a server may be using it).
pub fn verify(path: &Path) -> Result<Vec<Verdict>, BackupError> {
    if !path.is_dir() {
        std::fs::metadata(path).map_err(BackupError::file(path))?;
        return Ok(vec![verdict_of_file(path)]);
    }
    let database = path.join(DATABASE);
    if database.exists() {
        let examined = Reader::open(&database).map_err(BackupError::from).and_then(|reader| Ok(reader.examine()?));
        let bytes = database.metadata().ok().map(|metadata| metadata.len());
        return Ok(vec![match examined {
            Ok(counts) => Verdict { path: database, good: true, counts: Some(counts), bytes, note: None },
            Err(error) => Verdict { path: database, good: false, counts: None, bytes, note: Some(error.to_string()) },
        }]);
    }
    let verdicts: Vec<_> =
        list(path)?.iter().map(|(manifest, _)| verdict_of_file(&database_path(path, &manifest.name))).collect();
    if verdicts.is_empty() { Err(BackupError::None(path.to_owned())) } else { Ok(verdicts) }
}

fn verdict_of_file(path: &Path) -> Verdict {
    let bytes = path.metadata().ok().map(|metadata| metadata.len());
    let (good, counts, note) = match check(path) {
        Ok((found, Some(_))) => (true, Some(found.counts), None),
        Ok((found, None)) => (true, Some(found.counts), Some("no manifest beside it to compare with".to_owned())),
        Err(error) => (false, None, Some(error.to_string())),
    };
    Verdict { path: path.to_owned(), good, counts, bytes, note }
}

/// The verdicts as a table for people.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut text =
        format!("{:<6} {:>8} {:>11} {:>9} {:>12}  {}\n", "", "boards", "operations", "strokes", "bytes", "file");
    for verdict in verdicts {
        let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        let _ = writeln!(
            text,
            "{:<6} {:>8} {:>11} {:>9} {:>12}  {}",
            if verdict.good { "good" } else { "BAD" },
            number(verdict.counts.map(|counts| counts.boards)),
            number(verdict.counts.map(|counts| counts.operations)),
            number(verdict.counts.map(|counts| counts.strokes)),
            number(verdict.bytes),
            verdict.path.display(),
        );
        if let Some(note) = &verdict.note {
            let _ = writeln!(text, "       {note}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::super::take::{Order, take};
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn whatever_is_changed_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (data, to) = (directory.path().join("data"), directory.path().join("backups"));
        std::fs::create_dir(&data).unwrap();
        let connection = schema::open(&data.join(DATABASE)).unwrap();
        connection
            .execute_batch(r#"INSERT INTO boards (id, dialect, code, created) VALUES (1, 'classroom', 'x', 0); INSERT INTO operations VALUES (1, 1, 1, 0, '{"update":[[0,0,[1,2]]]}')"#)
            .unwrap();
        assert!(matches!(verify(directory.path()), Err(BackupError::None(_))));
        assert!(verify(&directory.path().join("nowhere")).is_err());
        let from = Source::Directory(data.clone());
        let order = Order { from, token_file: None, to: to.clone(), keep: 7, patience: Duration::ZERO };
        let taken = take(&order).await.unwrap().manifest;
        assert_eq!(taken.counts(), Counts { boards: 1, operations: 1, strokes: 2, files: 0 });

        let good = |path: &Path| verify(path).unwrap().iter().map(|verdict| verdict.good).collect::<Vec<_>>();
        assert_eq!((good(&data), good(&to)), (vec![true], vec![true]));
        let file = database_path(&to, &taken.name);
        assert_eq!(good(&file), [true]);
        let text = table(&verify(&to).unwrap());
        assert!(text.contains("good") && text.contains(&taken.name), "{text}");

        let bytes = std::fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        changed[40] ^= 1;
        for (content, sentence) in [(&changed[..], "the hash differs"), (&bytes[..4096], "the length differs")] {
            std::fs::write(&file, content).unwrap();
            let verdicts = verify(&to).unwrap();
            assert!(!verdicts[0].good && verdicts[0].note.as_ref().unwrap().contains(sentence), "{verdicts:?}");
            assert!(table(&verdicts).contains("BAD"));
        }
        std::fs::write(&file, &bytes).unwrap();
        let mut lying = taken.clone();
        lying.strokes = 3;
        lying.write(&to).unwrap();
        assert_eq!(good(&to), [false]);
        std::fs::remove_file(manifest_path(&file)).unwrap();
        assert_eq!(verify(&file).unwrap()[0].note.as_deref(), Some("no manifest beside it to compare with"));
    }

    fn manifest_path(database: &Path) -> PathBuf {
        database.with_extension("json")
    }
}
