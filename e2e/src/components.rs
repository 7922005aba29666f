//! The programs that a cluster consists of, built from Go modules and kept by the content of what they are built from.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::cache::{Cache, Key};
use crate::progress::say;
use crate::{process, versions};

/// Where the Go code of a component lies.
#[derive(Debug)]
enum Source {
    /// A main package of a public module, built with that module's own dependencies.
    Module(&'static str),
    /// A main package that the module in `components/<name>` builds or pins; its go.sum is committed.
    Own(&'static str),
}

/// One program, and how it is built.
#[derive(Debug)]
pub struct Component {
    /// Its name, on the command line and in the cache.
    pub name: &'static str,
    /// Without a leading `v`.
    pub version: &'static str,
    source: Source,
    /// Packages whose variables carry the version, as `-ldflags -X` wants them; `{v}` is the version.
    stamps: &'static [&'static str],
    /// How long a build took with empty caches on two cores.
    usually: Duration,
}

/// kind.
pub const KIND: Component = Component {
    name: "kind",
    version: versions::KIND,
    source: Source::Module("sigs.k8s.io/kind"),
    stamps: &[],
    usually: Duration::from_secs(23),
};

/// Helm.
pub const HELM: Component = Component {
    name: "helm",
    version: versions::HELM,
    source: Source::Module("helm.sh/helm/v4/cmd/helm"),
    stamps: &[],
    usually: Duration::from_secs(79),
};

const KUBERNETES_STAMPS: &[&str] = &[
    "k8s.io/component-base/version.gitVersion=v{v}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
    "k8s.io/component-base/version.gitTreeState=clean",
    "k8s.io/component-base/version.buildDate=2026-01-01T00:00:00Z",
    "k8s.io/client-go/pkg/version.gitVersion=v{v}",
    "k8s.io/client-go/pkg/version.gitMajor={major}",
    "k8s.io/client-go/pkg/version.gitMinor={minor}",
    "k8s.io/client-go/pkg/version.gitTreeState=clean",
    "k8s.io/client-go/pkg/version.buildDate=2026-01-01T00:00:00Z",
];

/// All of Kubernetes and etcd in one program that looks at the name it was called by.
pub const KUBE: Component = Component {
    name: "kube",
    version: versions::KUBERNETES,
    source: Source::Own("."),
    stamps: KUBERNETES_STAMPS,
    usually: Duration::from_mins(6),
};

/// The API server alone, of the oldest Kubernetes that the chart claims.
pub const OLDEST_API_SERVER: Component = Component {
    name: "kube-apiserver",
    version: versions::KUBERNETES_OLDEST,
    source: Source::Own("."),
    stamps: KUBERNETES_STAMPS,
    usually: Duration::from_secs(330),
};

/// CoreDNS.
pub const COREDNS: Component = Component {
    name: "coredns",
    version: versions::COREDNS,
    source: Source::Module("github.com/coredns/coredns"),
    stamps: &[],
    usually: Duration::from_mins(2),
};

/// The provisioner behind the StorageClass `local-path`.
pub const LOCAL_PATH_PROVISIONER: Component = Component {
    name: "local-path-provisioner",
    version: versions::LOCAL_PATH_PROVISIONER,
    source: Source::Module("github.com/rancher/local-path-provisioner"),
    stamps: &[],
    usually: Duration::from_secs(76),
};

/// Traefik.
pub const TRAEFIK: Component = Component {
    name: "traefik",
    version: versions::TRAEFIK,
    source: Source::Own("github.com/traefik/traefik/v3/cmd/traefik"),
    stamps: &["github.com/traefik/traefik/v3/pkg/version.Version={v}"],
    usually: Duration::from_mins(6),
};

/// cert-manager's four programs in one that looks at the name it was called by.
pub const CERT_MANAGER: Component = Component {
    name: "cert-manager",
    version: versions::CERT_MANAGER,
    source: Source::Own("."),
    stamps: &["github.com/cert-manager/cert-manager/pkg/util.AppVersion=v{v}"],
    usually: Duration::from_secs(190),
};

/// Pebble.
pub const PEBBLE: Component = Component {
    name: "pebble",
    version: versions::PEBBLE,
    source: Source::Module("github.com/letsencrypt/pebble/v2/cmd/pebble"),
    stamps: &[],
    usually: Duration::from_secs(20),
};

/// Every component: short builds first, so that something is there soon; the one only tests need last.
pub const ALL: &[&Component] =
    &[&KIND, &PEBBLE, &HELM, &LOCAL_PATH_PROVISIONER, &COREDNS, &KUBE, &CERT_MANAGER, &TRAEFIK, &OLDEST_API_SERVER];

impl Component {
    fn folder(&self) -> PathBuf {
        crate::repository().join("e2e/components").join(self.name)
    }

    fn linker_flags(&self) -> String {
        let mut numbers = self.version.split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        self.stamps.iter().fold("-s -w".to_owned(), |flags, stamp| {
            let stamp = stamp.replace("{v}", self.version).replace("{major}", major).replace("{minor}", minor);
            format!("{flags} -X {stamp}")
        })
    }

    /// What the program is kept by: everything that goes into it, the compiler included.
    pub fn key(&self) -> anyhow::Result<String> {
        let key = Key::default()
            .with(self.name)
            .with(self.version)
            .with(self.linker_flags())
            .with(format!("{:?}", self.source))
            .with(go_version()?);
        Ok(match self.source {
            Source::Module(_) => key,
            Source::Own(_) => key.with_folder(&self.folder())?,
        }
        .short())
    }

    /// Where the built program is or will be.
    pub fn path(&self, cache: &Cache) -> anyhow::Result<PathBuf> {
        Ok(cache.bin().join(format!("{}-{}", self.name, self.key()?)))
    }

    /// The built program; built now where it is missing.
    pub fn ensure(&self, cache: &Cache) -> anyhow::Result<PathBuf> {
        let path = self.path(cache)?;
        if !path.exists() {
            // Two runs at once would take twice as long and 30 GB: the second is told to wait.
            let _building = cache.lock("build")?;
            if !path.exists() {
                self.build(cache, &path)?;
            }
        }
        Ok(path)
    }

    fn build(&self, cache: &Cache, path: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(cache.bin())?;
        // On the same file system as the result, which appears by a rename: whole or not at all.
        let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(cache.bin())?;
        let mut go = go(cache);
        let flags = self.linker_flags();
        let built = match self.source {
            Source::Module(package) => {
                go.args(["install", "-trimpath", "-ldflags", &flags]).arg(format!("{package}@v{}", self.version));
                go.env("GOBIN", unfinished.path());
                unfinished.path().join(package.rsplit('/').next().unwrap_or(package))
            }
            Source::Own(package) => {
                let program = unfinished.path().join(self.name);
                go.args(["build", "-mod=readonly", "-trimpath", "-ldflags", &flags, "-o"]).arg(&program).arg(package);
                go.current_dir(self.folder());
                program
            }
        };
        let title = format!("building {} v{}", self.name, self.version);
        process::long(&title, Some(self.usually), &cache.log(&format!("build-{}", self.name)), &go)?;
        std::fs::rename(&built, path).with_context(|| format!("Keeping {} failed", path.display()))?;
        Ok(())
    }
}

fn go_version() -> anyhow::Result<String> {
    let mut go = Command::new("go");
    go.arg("version");
    process::read(&go, Duration::from_secs(20))
        .context("Go is needed to build the cluster's parts. Install it from https://go.dev/dl")
}

/// `go` with caches of its own: they grow to 15 GB and must not stay in a person's home.
fn go(cache: &Cache) -> Command {
    let mut go = Command::new("go");
    go.env("GOMODCACHE", cache.go().join("mod"))
        .env("GOCACHE", cache.go().join("build"))
        .env("GOWORK", "off")
        .env("GOFLAGS", "-buildvcs=false")
        .env("CGO_ENABLED", "0");
    go
}

/// The sources of a public module, for the files in it that are no programs (charts, files of images).
pub fn module_sources(cache: &Cache, module: &str, version: &str) -> anyhow::Result<PathBuf> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Downloaded {
        dir: PathBuf,
    }
    let mut download = go(cache);
    download.args(["mod", "download", "-json"]).arg(format!("{module}@v{version}")).current_dir(cache.root());
    let answer = process::read(&download, Duration::from_mins(5))?;
    let downloaded: Downloaded = serde_json::from_str(&answer).context("`go mod download -json` answered no JSON")?;
    Ok(downloaded.dir)
}

/// Deletes Go's caches, for when nothing is left to build, unless `E2E_KEEP_GO_CACHE=1` says that work on the
/// components goes on.
pub fn discard_go_caches(cache: &Cache) -> anyhow::Result<()> {
    if !cache.go().exists() || std::env::var_os("E2E_KEEP_GO_CACHE").is_some_and(|value| value == "1") {
        return Ok(());
    }
    let _building = cache.lock("build")?;
    // Go makes the folders of modules read-only; only Go itself knows how to take them away for everybody.
    let mut clean = go(cache);
    clean.args(["clean", "-modcache"]).current_dir(cache.root());
    process::read(&clean, Duration::from_mins(5))?;
    std::fs::remove_dir_all(cache.go()).context("Deleting Go's build cache failed")?;
    say("deleted Go's caches (E2E_KEEP_GO_CACHE=1 keeps them)");
    Ok(())
}

/// Links a built program under the name that people call it by, and gives the link.
pub fn link(cache: &Cache, program: &Path, name: &str) -> anyhow::Result<PathBuf> {
    link_in(&cache.path(), program, name)
}

/// The same in a folder of choice.
pub fn link_in(folder: &Path, program: &Path, name: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let link = folder.join(name);
    if std::fs::read_link(&link).is_ok_and(|target| target == program) {
        return Ok(link);
    }
    let fresh = tempfile::tempdir_in(folder)?;
    std::os::unix::fs::symlink(program, fresh.path().join(name))?;
    std::fs::rename(fresh.path().join(name), &link)?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linker_flags_carry_the_version() {
        let flags = KUBE.linker_flags();
        assert!(flags.starts_with("-s -w -X k8s.io/component-base/version.gitVersion=v1.36."), "{flags}");
        assert!(flags.contains("version.gitMajor=1 ") && flags.contains("version.gitMinor=36 "), "{flags}");
        assert_eq!(KIND.linker_flags(), "-s -w");
        for component in ALL {
            assert!(!component.linker_flags().contains('{'), "{}", component.name);
        }
    }

    #[test]
    fn own_components_have_sources_and_checksums_in_the_repository() {
        for component in ALL.iter().filter(|component| matches!(component.source, Source::Own(_))) {
            for file in ["main.go", "go.mod", "go.sum"] {
                assert!(component.folder().join(file).is_file(), "{}/{file}", component.name);
            }
        }
    }

    #[test]
    fn each_component_has_a_key_of_its_own() {
        let keys: Vec<String> = ALL.iter().map(|component| component.key().unwrap()).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{} shares its key", ALL[index].name);
        }
    }

    #[test]
    fn a_link_is_moved_to_the_newer_program() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        for program in ["/bin/old", "/bin/new", "/bin/new"] {
            let link = link(&cache, Path::new(program), "kubectl").unwrap();
            assert_eq!(std::fs::read_link(link).unwrap(), Path::new(program));
        }
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 1);
    }
}
