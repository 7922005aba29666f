//! Our own programs: built static, put into images, loaded onto the node, and installed with Helm as people do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cache::{Cache, Key};
use crate::images::Loaded;
use crate::kubectl::Kubectl;
use crate::progress::{say, spoken};
use crate::provider::{Kind, Provider};
use crate::{components, node, process, web};

/// The namespace of the operator.
pub const NAMESPACE: &str = "whiteboard-system";

/// One of our images.
#[derive(Debug)]
pub struct Image {
    /// The crate, its program, and the target in `charts/Dockerfile`.
    pub program: &'static str,
    /// Without a tag.
    pub repository: &'static str,
}

/// The operator's image.
pub const OPERATOR: Image = Image { program: "operator", repository: "ghcr.io/tutorspace-app/whiteboard-operator" };
/// The server's image.
pub const SERVER: Image = Image { program: "whiteboard", repository: "ghcr.io/tutorspace-app/whiteboard-server" };

/// The tags of the images that are on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    pub operator: String,
    pub server: String,
}

/// How our programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Nearly as shipped, and rebuilt in seconds after a change.
    Cluster,
    /// As shipped: for measurements of memory, speed and size.
    Release,
}

impl Profile {
    /// Cargo's name of it, which is also the name of its folder.
    fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Release => "release",
        }
    }
}

/// Builds both programs and has their images on the node. A tag changes exactly when its program does, so that
/// Kubernetes rolls what changed and nothing else.
pub fn images(cache: &Cache, provider: &Provider, profile: Profile) -> anyhow::Result<Tags> {
    let folder = programs(cache, profile)?;
    let mut loaded = Loaded::of(cache, provider)?;
    let mut tag_of = |image: &Image| -> anyhow::Result<String> {
        let program = folder.join(image.program);
        let key = Key::default()
            .with(std::fs::read(&program).with_context(|| format!("Reading {} failed", program.display()))?)
            .with(std::fs::read(dockerfile())?)
            .short();
        let tag = format!("dev-{key}");
        let name = format!("{}:{tag}", image.repository);
        let archive = cache.images().join(format!("{}-{key}.tar", image.program));
        if !archive.exists() {
            build(cache, provider, image, &program, &name, &archive)?;
        }
        if loaded.load(provider, &name, &archive)? {
            say(&format!("loaded {name} onto the node"));
        }
        Ok(tag)
    };
    Ok(Tags { operator: tag_of(&OPERATOR)?, server: tag_of(&SERVER)? })
}

/// The server's program as the cluster runs it.
pub fn server(cache: &Cache) -> anyhow::Result<PathBuf> {
    Ok(programs(cache, Profile::Cluster)?.join(SERVER.program))
}

fn dockerfile() -> PathBuf {
    crate::repository().join("charts/Dockerfile")
}

/// The Rust target of static programs for this machine.
fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Builds the web client and the static programs, and gives the programs' folder.
fn programs(cache: &Cache, profile: Profile) -> anyhow::Result<PathBuf> {
    web::build(cache)?;
    let target = target();
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--profile", profile.name(), "--locked", "--target", &target])
        .args(["--package", OPERATOR.program, "--package", SERVER.program, "--bins"])
        .current_dir(crate::repository())
        // One folder for all checkouts: dependencies are compiled once.
        .env("CARGO_TARGET_DIR", cache.target())
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    let usually = Some(Duration::from_mins(5));
    process::long("building the operator and the server", usually, &cache.log("build-product"), &cargo)?;
    Ok(cache.target().join(target).join(profile.name()))
}

/// Makes an image with the builder that is there and keeps it as a file.
fn build(
    cache: &Cache,
    provider: &Provider,
    image: &Image,
    program: &Path,
    name: &str,
    archive: &Path,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(cache.images())?;
    let work = tempfile::tempdir_in(cache.root())?;
    let context = work.path().join("context");
    std::fs::create_dir(&context)?;
    std::fs::copy(program, context.join(image.program))?;
    let unfinished = work.path().join("image.tar");
    let (mut build, save) = match provider.kind() {
        Kind::Docker => {
            let (mut build, mut save) = (provider.command(), provider.command());
            build.arg("build");
            save.args(["save", "--output"]).arg(&unfinished).arg(name);
            (build, save)
        }
        Kind::Podman => {
            // Without a daemon, user namespaces or an overlay: works wherever root does. Its store is thrown away.
            let buildah = || {
                let mut buildah = Command::new("buildah");
                buildah.arg("--root").arg(work.path().join("store")).arg("--runroot").arg(work.path().join("run"));
                buildah.args(["--storage-driver", "vfs"]);
                buildah
            };
            let (mut build, mut save) = (buildah(), buildah());
            build.args(["build", "--isolation", "chroot"]);
            save.arg("push").arg(name).arg(format!("docker-archive:{}:{name}", unfinished.display()));
            (build, save)
        }
    };
    let version = format!("VERSION={}", env!("CARGO_PKG_VERSION"));
    build.args(["--target", image.program, "--tag", name, "--build-arg", &version, "--file"]).arg(dockerfile());
    build.arg(&context);
    let log = cache.log(&format!("image-{}", image.program));
    process::long(&format!("image of the {}", image.program), None, &log, &build)?;
    process::quiet(&log, &save).with_context(|| format!("Storing the image of the {} failed", image.program))?;
    std::fs::rename(&unfinished, archive)?;
    Ok(())
}

/// Installs or upgrades the definition of the resource and the operator, as the charts' own text tells people to.
pub fn install(cache: &Cache, tags: &Tags) -> anyhow::Result<()> {
    let helm = components::link(cache, &components::HELM.ensure(cache)?, "helm")?;
    let charts = crate::repository().join("charts");
    let settings = [
        format!("image.repository={}", OPERATOR.repository),
        format!("image.tag={}", tags.operator),
        format!("serverImage.repository={}", SERVER.repository),
        format!("serverImage.tag={}", tags.server),
    ];
    for (chart, settings) in [("whiteboard-crds", &settings[..0]), ("whiteboard-operator", &settings[..])] {
        let mut upgrade = Command::new(&helm);
        upgrade
            .args(["upgrade", "--install", chart])
            .arg(charts.join(chart))
            .args(["--namespace", NAMESPACE, "--wait", "--timeout", "3m"])
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .env("KUBECONFIG", node::kubeconfig(cache));
        let log = cache.log(&format!("helm-{chart}"));
        process::long(&format!("helm upgrade --install {chart}"), Some(Duration::from_secs(4)), &log, &upgrade)?;
    }
    Ok(())
}

/// Applies the sample and waits until a person can draw on it. The error says what the resource says.
pub fn sample(kubectl: &Kubectl) -> anyhow::Result<()> {
    let began = Instant::now();
    kubectl.apply(include_str!("../sample.yaml")).context("The sample is not accepted")?;
    let resource = ["--namespace", "school"];
    let ready = kubectl.wait(
        &[&resource[..], &["wait", "whiteboard/physics", "--for=condition=Ready"]].concat(),
        Duration::from_mins(3),
    );
    if let Err(error) = ready {
        let status = kubectl.read(
            &[&resource[..], &["get", "whiteboard/physics", "--output=jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{\"\\n\"}{end}"]].concat(),
        );
        return Err(error).context(format!(
            "The sample does not become Ready. Its conditions:\n{}",
            status.unwrap_or_else(|error| error.to_string())
        ));
    }
    say(&format!("the sample is Ready ({} after it was applied)", spoken(began.elapsed())));
    Ok(())
}

/// Forgets images of earlier builds on disk: one of each program is enough to start from.
pub fn forget_older(cache: &Cache, tags: &Tags) -> anyhow::Result<()> {
    let current = [(&OPERATOR, &tags.operator), (&SERVER, &tags.server)]
        .map(|(image, tag)| format!("{}-{}.tar", image.program, tag.trim_start_matches("dev-")));
    for entry in std::fs::read_dir(cache.images())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_ours(&name) && !current.contains(&name) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_ours(file: &str) -> bool {
    [&OPERATOR, &SERVER].iter().any(|image| {
        file.strip_prefix(image.program)
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".tar"))
            .is_some_and(|key| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache;

    #[test]
    fn the_dockerfile_has_a_target_for_each_image_that_is_neither_root_nor_more_than_the_program() {
        let text = std::fs::read_to_string(dockerfile()).unwrap();
        for image in [OPERATOR, SERVER] {
            let stage = text
                .split("FROM ")
                .find(|stage| stage.starts_with(&format!("scratch AS {}\n", image.program)))
                .unwrap();
            assert_eq!(stage.matches("COPY ").count(), 1, "{stage}");
            assert!(stage.contains("USER 65532:65532"), "{stage}");
            assert!(stage.contains(&format!("ENTRYPOINT [\"/{}\"]", image.program)), "{stage}");
        }
    }

    #[test]
    fn only_images_of_ours_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        for name in [
            "operator-aaaaaaaaaaaa.tar",
            "operator-bbbbbbbbbbbb.tar",
            "whiteboard-cccccccccccc.tar",
            "quay.io_operator-aaaaaaaaaaaa.tar",
            "whiteboard-notes.tar",
        ] {
            cache::write(&cache.images().join(name), b"").unwrap();
        }
        let tags = Tags { operator: "dev-bbbbbbbbbbbb".into(), server: "dev-cccccccccccc".into() };
        forget_older(&cache, &tags).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(cache.images())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "operator-bbbbbbbbbbbb.tar",
                "quay.io_operator-aaaaaaaaaaaa.tar",
                "whiteboard-cccccccccccc.tar",
                "whiteboard-notes.tar"
            ]
        );
    }
}
