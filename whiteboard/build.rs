//! Takes the web client into the binary, if it was built: `npm ci && npm run build` in `whiteboard/web` fills `web/dist`.
//! Without it the server has its small pages only, and builds without Node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is served, by the end of its name.
const KINDS: [(&str, &str); 7] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("woff2", "font/woff2"),
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let dist = root.join("web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    let mut text = String::from("&[\n");
    for file in &files {
        entry(&mut text, &dist, file)?;
    }
    text.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("client.rs"), text)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if kind(&path).is_some() {
            files.push(path);
        }
    }
    Ok(())
}

fn kind(path: &Path) -> Option<&'static str> {
    let end = path.extension()?.to_str()?;
    KINDS.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind)
}

fn entry(text: &mut String, dist: &Path, file: &Path) -> io::Result<()> {
    let name = file
        .strip_prefix(dist)
        .map_err(io::Error::other)?
        .to_str()
        .ok_or_else(|| io::Error::other("a name is not UTF-8"))?;
    let compressed = |end: &str| {
        let mut other = file.as_os_str().to_owned();
        other.push(end);
        PathBuf::from(other)
    };
    let (brotli, gzip) = (compressed(".br"), compressed(".gz"));
    let small = brotli.is_file() && gzip.is_file();
    // Pages are small, and some who ask for them read no compression; scripts are for browsers only.
    let plain = !small || file.extension().is_some_and(|end| end != "js" && end != "css");
    let bytes = |path: &Path, wanted: bool| {
        if wanted { format!("Some(include_bytes!({:?}))", path.display().to_string()) } else { "None".to_owned() }
    };
    writeln!(
        text,
        "File {{ path: {:?}, kind: {:?}, tag: {:?}, raw: {}, brotli: {}, gzip: {} }},",
        format!("/{name}"),
        kind(file).unwrap_or("application/octet-stream"),
        format!("\"{:016x}\"", fingerprint(&fs::read(file)?)),
        bytes(file, plain),
        bytes(&brotli, small),
        bytes(&gzip, small),
    )
    .map_err(io::Error::other)
}

/// FNV-1a: tells versions of a file apart, and is the same on every machine.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
