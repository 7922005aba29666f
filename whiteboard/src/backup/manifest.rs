//! What a backup says of itself, in the file beside it, and how backups are named and listed.

use super::BackupError;
use crate::store::examine::Counts;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The content of `NAME.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    /// When it was taken (UTC).
    pub time: jiff::Timestamp,
    /// Length of `NAME.db`.
    pub bytes: u64,
    pub boards: u64,
    pub operations: u64,
    pub strokes: u64,
    /// Images; none in backups of releases that kept none.
    #[serde(default)]
    pub files: u64,
    /// SHA-256 of `NAME.db` in hexadecimal.
    pub sha256: String,
    /// Version of the tables in it.
    pub schema: i64,
    /// The release that took it.
    pub version: String,
}

impl Manifest {
    pub fn counts(&self) -> Counts {
        Counts { boards: self.boards, operations: self.operations, strokes: self.strokes, files: self.files }
    }

    /// Reads the manifest of a database file; none if there is no file for it.
    pub fn beside(database: &Path) -> Result<Option<Self>, BackupError> {
        let path = database.with_extension("json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| BackupError::File { path, source: error.into() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BackupError::File { path, source }),
        }
    }

    /// Writes it into a directory, whole or not at all.
    pub fn write(&self, directory: &Path) -> Result<(), BackupError> {
        let path = json_path(directory, &self.name);
        let partial = path.with_extension("json.partial");
        let failed = BackupError::file(&path);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let mut file = File::create(&partial).map_err(&failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(&failed)?;
        std::fs::rename(&partial, &path).map_err(&failed)
    }
}

/// Where the database of a backup lies.
pub fn database_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.db"))
}

/// Where its manifest lies.
pub fn json_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.json"))
}

/// The name of a backup taken at `time`, for example `2026-11-21T03-17-00Z`; a number follows where that is taken.
pub fn name_at(time: jiff::Timestamp, is_taken: impl Fn(&str) -> bool) -> String {
    let name = time.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    if !is_taken(&name) {
        return name;
    }
    (2..u32::MAX).map(|number| format!("{name}-{number}")).find(|name| !is_taken(name)).unwrap_or(name)
}

/// The manifests in a directory whose files are named after them, oldest first, and whether the database is there in
/// the length that they say. Files of other kinds are none of our business.
pub fn list(directory: &Path) -> Result<Vec<(Manifest, bool)>, BackupError> {
    let failed = BackupError::file(directory);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(&failed)? {
        let path = entry.map_err(&failed)?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let manifest = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        if let Some(manifest) = manifest.filter(|manifest| path == json_path(directory, &manifest.name)) {
            let length = database_path(directory, &manifest.name).metadata().map(|metadata| metadata.len());
            let whole = length.is_ok_and(|length| length == manifest.bytes);
            found.push((manifest, whole));
        }
    }
    found.sort_by(|(a, _), (b, _)| (a.time, a.name.len(), &a.name).cmp(&(b.time, b.name.len(), &b.name)));
    Ok(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn manifest(name: &str, time: &str, bytes: u64) -> Manifest {
        Manifest {
            name: name.into(),
            time: time.parse().unwrap(),
            bytes,
            boards: 1,
            operations: 2,
            strokes: 3,
            files: 4,
            sha256: "00".into(),
            schema: 1,
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn names_are_times_and_never_twice_the_same() {
        let time: jiff::Timestamp = "2026-11-21T03:17:00.9Z".parse().unwrap();
        assert_eq!(name_at(time, |_| false), "2026-11-21T03-17-00Z");
        assert_eq!(name_at(time, |name| !name.ends_with("-3")), "2026-11-21T03-17-00Z-3");
    }

    #[test]
    fn only_our_own_files_are_listed_oldest_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let new = manifest("b", "2026-01-02T00:00:00Z", 4);
        new.write(path).unwrap();
        manifest("a", "2026-01-01T00:00:00Z", 4).write(path).unwrap();
        std::fs::write(path.join("b.db"), "1234").unwrap();
        std::fs::write(path.join("a.db"), "12").unwrap();
        std::fs::write(path.join("note.json"), "{}").unwrap();
        std::fs::copy(path.join("b.json"), path.join("renamed.json")).unwrap();
        std::fs::write(path.join("c.db"), "no manifest").unwrap();
        let listed = list(path).unwrap();
        let names: Vec<_> = listed.iter().map(|(manifest, whole)| (manifest.name.as_str(), *whole)).collect();
        assert_eq!(names, [("a", false), ("b", true)]);
        assert_eq!(Manifest::beside(&path.join("b.db")).unwrap(), Some(new));
        assert_eq!(Manifest::beside(&path.join("c.db")).unwrap(), None);
        assert!(Manifest::beside(&path.join("note.db")).is_err());
    }
}
