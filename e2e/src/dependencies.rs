//! What is demanded of every Rust dependency: a permissive licence, and a place in the public registry. Advisories
//! are not looked up: their database is a repository of its own, which not every machine of CI reaches.

use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::process;

/// Licences that ask for no more than a notice. MPL-2.0 is not among them.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    // The MIT licence with the notice of BSD: LLVM's fuzzer is under it.
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The registry that every version is frozen in.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[derive(serde::Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, serde::Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// Absent for the crates of this workspace.
    source: Option<String>,
}

/// Looks at everything that `Cargo.lock` names.
pub fn check() -> anyhow::Result<()> {
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--format-version=1", "--locked", "--all-features"]).current_dir(crate::repository());
    let answer = process::read(&metadata, Duration::from_mins(3))?;
    let metadata: Metadata = serde_json::from_str(&answer).context("`cargo metadata` answered no JSON")?;
    let faults: Vec<String> = metadata.packages.iter().filter_map(fault).collect();
    anyhow::ensure!(faults.is_empty(), "Some dependencies cannot be used here:\n{}", faults.join("\n"));
    Ok(())
}

fn fault(package: &Package) -> Option<String> {
    let name = format!("{} {}", package.name, package.version);
    if package.source.as_deref().is_some_and(|source| source != REGISTRY) {
        return Some(format!("{name} does not come from crates.io."));
    }
    match &package.license {
        Some(expression) if allowed(expression) => None,
        Some(expression) => {
            Some(format!("{name} is licensed as {expression}, which is not on the list of permissive licences."))
        }
        None => Some(format!("{name} names no licence.")),
    }
}

/// Whether an SPDX expression can be fulfilled by allowed licences alone. `/` is the old way to write `OR`.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    any_of(&words, &mut position).is_some_and(|good| good && position == words.len())
}

/// `a OR b`: binds weakest. Nothing where the expression is broken, here and below.
fn any_of(words: &[&str], position: &mut usize) -> Option<bool> {
    let mut good = all_of(words, position)?;
    while words.get(*position) == Some(&"OR") {
        *position += 1;
        good |= all_of(words, position)?;
    }
    Some(good)
}

fn all_of(words: &[&str], position: &mut usize) -> Option<bool> {
    let mut good = one(words, position)?;
    while words.get(*position) == Some(&"AND") {
        *position += 1;
        good &= one(words, position)?;
    }
    Some(good)
}

fn one(words: &[&str], position: &mut usize) -> Option<bool> {
    let word = *words.get(*position)?;
    *position += 1;
    if word == "(" {
        let good = any_of(words, position)?;
        (words.get(*position) == Some(&")")).then_some(())?;
        *position += 1;
        return Some(good);
    }
    if words.get(*position) == Some(&"WITH") {
        let with = format!("{word} WITH {}", words.get(*position + 1)?);
        *position += 2;
        return Some(ALLOWED.contains(&with.as_str()));
    }
    Some(ALLOWED.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR GPL-3.0-only) AND Unicode-3.0", true),
            ("MIT OR Apache-2.0 AND GPL-3.0-only", true),
            ("GPL-3.0-only OR MIT AND MPL-2.0", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("(MIT", false),
            ("MIT OR", false),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(allowed(expression), expected, "{expression}");
        }
    }

    #[test]
    fn other_sources_and_missing_licences_are_told() {
        let package = |license: Option<&str>, source: Option<&str>| Package {
            name: "x".into(),
            version: "1.0.0".into(),
            license: license.map(Into::into),
            source: source.map(Into::into),
        };
        assert_eq!(fault(&package(Some("MIT"), Some(REGISTRY))), None);
        assert_eq!(fault(&package(Some("Apache-2.0"), None)), None);
        assert!(fault(&package(Some("MIT"), Some("git+https://example.com/x"))).unwrap().contains("crates.io"));
        assert!(fault(&package(None, Some(REGISTRY))).unwrap().contains("no licence"));
        assert!(fault(&package(Some("MPL-2.0"), Some(REGISTRY))).unwrap().contains("MPL-2.0"));
    }
}
