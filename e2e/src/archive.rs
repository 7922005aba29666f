//! Writes images as files that `podman load`, `docker load` and containerd's `ctr images import` read: one layer,
//! no daemon, no base image. The same content gives the same bytes.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::cache::hex;

/// What an image is besides its files.
#[derive(Debug, Default, Clone)]
pub struct Config {
    /// The program that a container starts, with leading arguments.
    pub entrypoint: Vec<String>,
    /// A numeric user, or empty for root.
    pub user: String,
}

/// One file of an image.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// A program copied from this machine to an absolute path in the image.
    Program { from: &'a Path, to: &'a str },
    /// A symbolic link.
    Link { to: &'a str, target: &'a str },
    /// Everything below a folder of this machine becomes the root of the image, links as links.
    Tree(&'a Path),
}

/// Writes an image with these names (`registry/repository:tag`, in full) to a file.
pub fn write(path: &Path, names: &[String], config: &Config, items: &[Item<'_>]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;

    let mut layer = tempfile::tempfile_in(folder)?;
    write_layer(&mut layer, items)?;
    let digest = digest(&mut layer)?;

    let config = serde_json::json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": config.entrypoint,
            "User": config.user,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        "history": [{"created_by": "e2e"}],
    })
    .to_string();
    let config_name = format!("{}.json", hex(&Sha256::digest(config.as_bytes())));
    let manifest = serde_json::json!([{"Config": config_name, "RepoTags": names, "Layers": ["layer.tar"]}]).to_string();

    let unfinished = tempfile::NamedTempFile::new_in(folder)?;
    let mut archive = Builder::new(unfinished);
    append(&mut archive, &config_name, config.as_bytes())?;
    let mut header = header(EntryType::Regular, 0o644);
    header.set_size(layer.metadata()?.len());
    layer.rewind()?;
    archive.append_data(&mut header, "layer.tar", layer)?;
    append(&mut archive, "manifest.json", manifest.as_bytes())?;
    archive.into_inner()?.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The name that images use for the processor of this machine.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    // Owner and time are zero: what an image contains must not depend on who built it and when.
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}

fn append<W: Write>(archive: &mut Builder<W>, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = header(EntryType::Regular, 0o644);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content)
}

fn write_layer(layer: &mut File, items: &[Item<'_>]) -> std::io::Result<()> {
    let mut archive = Builder::new(layer);
    // Programs expect a place for temporary files; a read-only root makes it harmless.
    archive.append_data(&mut header(EntryType::Directory, 0o1777), "tmp/", std::io::empty())?;
    for item in items {
        match item {
            Item::Program { from, to } => program(&mut archive, from, to.trim_start_matches('/'), 0o755)?,
            Item::Link { to, target } => {
                archive.append_link(&mut header(EntryType::Symlink, 0o777), to.trim_start_matches('/'), target)?;
            }
            Item::Tree(root) => tree(&mut archive, root, root)?,
        }
    }
    archive.finish()
}

fn program<W: Write>(archive: &mut Builder<W>, from: &Path, to: &str, mode: u32) -> std::io::Result<()> {
    let file = File::open(from)?;
    let mut header = header(EntryType::Regular, mode);
    header.set_size(file.metadata()?.len());
    archive.append_data(&mut header, to, file)
}

fn tree<W: Write>(archive: &mut Builder<W>, root: &Path, folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(&path);
        let kind = entry.file_type()?;
        let mode = entry.metadata()?.permissions().mode() & 0o7777;
        if kind.is_symlink() {
            archive.append_link(&mut header(EntryType::Symlink, 0o777), name, std::fs::read_link(&path)?)?;
        } else if kind.is_dir() {
            archive.append_data(&mut header(EntryType::Directory, mode), name, std::io::empty())?;
            tree(archive, root, &path)?;
        } else {
            program(archive, &path, &name.to_string_lossy(), mode)?;
        }
    }
    Ok(())
}

fn digest(file: &mut File) -> std::io::Result<String> {
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;

    use super::*;

    fn entries(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        tar::Archive::new(Cursor::new(bytes))
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (name, content)
            })
            .collect()
    }

    fn made(folder: &Path) -> Vec<u8> {
        std::fs::write(folder.join("program"), b"#!machine code").unwrap();
        let tree = folder.join("tree");
        std::fs::create_dir_all(tree.join("etc")).unwrap();
        std::fs::write(tree.join("etc/hosts"), b"127.0.0.1 localhost").unwrap();
        let _ = std::os::unix::fs::symlink("etc", tree.join("settings"));
        let path = folder.join("image.tar");
        write(
            &path,
            &["example.test/a:1".to_owned(), "example.test/b:1".to_owned()],
            &Config { entrypoint: vec!["/app".to_owned(), "serve".to_owned()], user: "1000".to_owned() },
            &[
                Item::Program { from: &folder.join("program"), to: "/app" },
                Item::Link { to: "/usr/bin/app", target: "/app" },
                Item::Tree(&tree),
            ],
        )
        .unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn the_manifest_leads_to_the_config_and_the_config_to_the_layer() {
        let folder = tempfile::tempdir().unwrap();
        let archive = entries(&made(folder.path()));
        let manifest: serde_json::Value = serde_json::from_slice(&archive["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"], serde_json::json!(["example.test/a:1", "example.test/b:1"]));
        let config: serde_json::Value =
            serde_json::from_slice(&archive[manifest[0]["Config"].as_str().unwrap()]).unwrap();
        assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/app", "serve"]));
        assert_eq!(config["config"]["User"], "1000");
        let layer = &archive["layer.tar"];
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", hex(&Sha256::digest(layer))));
    }

    #[test]
    fn the_layer_holds_programs_links_and_trees() {
        let folder = tempfile::tempdir().unwrap();
        let archive = entries(&made(folder.path()));
        let layer = &archive["layer.tar"];
        let content = entries(layer);
        assert_eq!(content["app"], b"#!machine code");
        assert_eq!(content["etc/hosts"], b"127.0.0.1 localhost");
        let kinds: BTreeMap<String, (EntryType, u32)> = tar::Archive::new(Cursor::new(layer))
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (entry.path().unwrap().display().to_string(), (header.entry_type(), header.mode().unwrap()))
            })
            .collect();
        assert_eq!(kinds["app"], (EntryType::Regular, 0o755));
        assert_eq!(kinds["tmp/"], (EntryType::Directory, 0o1777));
        assert_eq!(kinds["usr/bin/app"].0, EntryType::Symlink);
        assert_eq!(kinds["settings"].0, EntryType::Symlink);
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = made(one.path());
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(first, made(two.path()));
    }
}
