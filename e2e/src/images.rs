//! The images of others that run on the cluster: pulled by their public names where their registry answers, else
//! made here under the same names, so that manifests and charts never know the difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::archive::{self, Config, Item};
use crate::cache::{self, Cache, Key};
use crate::components::{CERT_MANAGER, Component, PEBBLE, TRAEFIK};
use crate::node::{self, NODE};
use crate::progress::say;
use crate::provider::Provider;
use crate::{node_image, process, registry, versions};

/// How an image is made where it cannot be pulled.
#[derive(Debug)]
enum Recipe {
    /// One program and the links by which it is called.
    Program { component: &'static Component, path: &'static str, links: &'static [&'static str] },
    /// The shell and tools of Debian's static busybox. Never pulled: its tag says that it is our own.
    Busybox,
}

/// One image.
#[derive(Debug)]
struct Image {
    name: String,
    recipe: Recipe,
    entrypoint: String,
    user: &'static str,
}

/// The name of the image that tests may use for a pod with a shell.
pub const BUSYBOX: &str = "docker.io/library/busybox:local";

fn all() -> Vec<Image> {
    let mut images = vec![
        Image {
            name: format!("docker.io/library/traefik:v{}", versions::TRAEFIK),
            recipe: Recipe::Program { component: &TRAEFIK, path: "/usr/local/bin/traefik", links: &[] },
            entrypoint: "/usr/local/bin/traefik".to_owned(),
            user: "",
        },
        Image {
            name: format!("ghcr.io/letsencrypt/pebble:{}", versions::PEBBLE),
            recipe: Recipe::Program { component: &PEBBLE, path: "/app", links: &[] },
            entrypoint: "/app".to_owned(),
            user: "",
        },
        Image { name: BUSYBOX.to_owned(), recipe: Recipe::Busybox, entrypoint: "/bin/sh".to_owned(), user: "" },
    ];
    for part in ["controller", "webhook", "cainjector", "acmesolver"] {
        images.push(Image {
            name: format!("quay.io/jetstack/cert-manager-{part}:v{}", versions::CERT_MANAGER),
            recipe: Recipe::Program {
                component: &CERT_MANAGER,
                path: "/app/cert-manager",
                // All four links in each image: one layer, stored once on the node.
                links: &["/app/controller", "/app/webhook", "/app/cainjector", "/app/acmesolver"],
            },
            entrypoint: format!("/app/{part}"),
            // The chart demands a user that is not root and leaves its number to the image.
            user: "1000",
        });
    }
    images
}

/// Sees to it that the node has every image; gives how many it did not have.
pub fn ensure(cache: &Cache, provider: &Provider) -> anyhow::Result<usize> {
    let mut loaded = Loaded::of(cache, provider)?;
    let mut fresh = 0;
    for image in all() {
        let archive = image.archive(cache, provider)?;
        fresh += usize::from(loaded.load(provider, &image.name, &archive)?);
    }
    Ok(fresh)
}

/// What was loaded onto the present node, by image name, so that nothing is loaded twice.
pub struct Loaded {
    path: PathBuf,
    archives: BTreeMap<String, PathBuf>,
}

impl Loaded {
    /// Of the node that is there now; a new node has nothing.
    pub fn of(cache: &Cache, provider: &Provider) -> anyhow::Result<Self> {
        let container = provider.container(NODE)?.context("There is no node to load images onto.")?;
        let path = cache.cluster().join(format!("images-{:.12}.json", container.id));
        let archives =
            std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Ok(Self { path, archives })
    }

    /// Loads an archive unless the node has it under this name; whether it was loaded.
    pub fn load(&mut self, provider: &Provider, name: &str, archive: &Path) -> anyhow::Result<bool> {
        if self.archives.get(name).is_some_and(|known| known == archive) {
            return Ok(false);
        }
        provider.load(node::NODE, archive)?;
        self.archives.insert(name.to_owned(), archive.to_owned());
        cache::write(&self.path, &serde_json::to_vec_pretty(&self.archives)?)?;
        Ok(true)
    }
}

impl Image {
    /// The image as a file, by the content of what it is made of.
    fn archive(&self, cache: &Cache, provider: &Provider) -> anyhow::Result<PathBuf> {
        let file = self.name.replace(['/', ':'], "_");
        let pulled = cache.images().join(format!("{file}-pulled.tar"));
        if pulled.exists() || self.pull(cache, provider, &pulled)? {
            return Ok(pulled);
        }
        let key = Key::default().with(include_str!("images.rs")).with(include_str!("archive.rs"));
        let config = Config { entrypoint: vec![self.entrypoint.clone()], user: self.user.to_owned() };
        let names = [self.name.clone()];
        match &self.recipe {
            Recipe::Program { component, path, links } => {
                let program = component.ensure(cache)?;
                let made = cache.images().join(format!("{file}-{}.tar", key.with(component.key()?).short()));
                if !made.exists() {
                    let mut items = vec![Item::Program { from: &program, to: path }];
                    items.extend(links.iter().map(|to| Item::Link { to, target: path }));
                    archive::write(&made, &names, &config, &items)
                        .with_context(|| format!("Making the image {} failed", self.name))?;
                }
                Ok(made)
            }
            Recipe::Busybox => {
                let program = std::fs::read("/bin/busybox")
                    .context("/bin/busybox is missing: install the package busybox-static.")?;
                let made = cache.images().join(format!("{file}-{}.tar", key.with(program).short()));
                if !made.exists() {
                    let root = tempfile::tempdir_in(cache.root())?;
                    node_image::busybox_tree(root.path())?;
                    archive::write(&made, &names, &config, &[Item::Tree(root.path())])?;
                }
                Ok(made)
            }
        }
    }

    /// Pulls the image into a file where its registry answers; whether it did.
    fn pull(&self, cache: &Cache, provider: &Provider, to: &Path) -> anyhow::Result<bool> {
        if matches!(self.recipe, Recipe::Busybox) || !registry::answers(registry::of(&self.name)) {
            return Ok(false);
        }
        std::fs::create_dir_all(cache.images())?;
        let unfinished = to.with_extension("unfinished");
        let _ = std::fs::remove_file(&unfinished);
        let mut pull = provider.command();
        pull.args(["pull", &self.name]);
        let mut save = provider.command();
        save.args(["save", "--output"]).arg(&unfinished).arg(&self.name);
        let log = cache.log("pull");
        let outcome = process::long(&format!("pulling {}", self.name), None, &log, &pull)
            .and_then(|()| process::quiet(&log, &save));
        match outcome {
            Ok(()) => {
                std::fs::rename(&unfinished, to)?;
                Ok(true)
            }
            Err(process::ProcessError::Interrupted) => Err(process::ProcessError::Interrupted.into()),
            Err(error) => {
                say(&format!("{} cannot be pulled, so it is built here. {error}", self.name));
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_and_carry_their_version() {
        for image in all() {
            assert!(image.name.split('/').next().unwrap().contains('.'), "{} names no registry", image.name);
            assert!(image.name.rsplit_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest"));
        }
    }

    #[test]
    fn entrypoints_are_in_the_image() {
        for image in all() {
            if let Recipe::Program { path, links, .. } = image.recipe {
                assert!(image.entrypoint == path || links.contains(&image.entrypoint.as_str()), "{}", image.name);
            }
        }
    }

    #[test]
    fn cert_managers_images_do_not_run_as_root() {
        for image in all().iter().filter(|image| image.name.contains("cert-manager")) {
            assert!(image.user.parse::<u32>().is_ok_and(|user| user > 0), "{}", image.name);
        }
    }
}
