//! The program that runs the node's container: Docker where its daemon answers, else Podman.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit};

use crate::cache::{self, Cache};
use crate::process;

/// Most that a short question may take.
const QUESTION: Duration = Duration::from_secs(20);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Docker,
    Podman,
}

/// The container program with the environment that it needs.
#[derive(Debug, Clone)]
pub struct Provider {
    kind: Kind,
    settings: std::path::PathBuf,
}

/// A container as the provider sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Container {
    /// Tells a new container from an old one of the same name.
    pub id: String,
    pub running: bool,
}

impl Provider {
    /// Docker where its daemon answers within seconds, else Podman.
    pub fn find(cache: &Cache) -> anyhow::Result<Self> {
        let mut info = Command::new("docker");
        info.args(["info", "--format", "{{.ServerVersion}}"]);
        let docker = process::on_path("docker") && process::read(&info, Duration::from_secs(5)).is_ok();
        let kind = if docker { Kind::Docker } else { Kind::Podman };
        let provider = Self { kind, settings: cache.cluster().join("containers.conf") };
        if kind == Kind::Podman {
            let files = getrlimit(Resource::RLIMIT_NOFILE)?.1;
            let processes = getrlimit(Resource::RLIMIT_NPROC)?.1;
            cache::write(&provider.settings, podman_settings(files, processes).as_bytes())?;
        }
        Ok(provider)
    }

    /// Which of the two it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Docker => "docker",
            Kind::Podman => "podman",
        }
    }

    /// A command of the provider itself.
    pub fn command(&self) -> Command {
        self.prepare(Command::new(self.name()))
    }

    /// Gives a program that uses the provider (kind) what it needs to find it.
    pub fn prepare(&self, mut command: Command) -> Command {
        command.env("KIND_EXPERIMENTAL_PROVIDER", self.name());
        if self.kind == Kind::Podman {
            command.env("CONTAINERS_CONF", &self.settings);
        }
        command
    }

    /// Whether the program is there at all.
    pub fn installed(&self) -> bool {
        process::on_path(self.name())
    }

    /// The container of this name, or nothing where there is none.
    pub fn container(&self, name: &str) -> anyhow::Result<Option<Container>> {
        if !self.installed() {
            return Ok(None);
        }
        let mut list = self.command();
        // Podman lists what its database knows without asking the runtime: a container whose process died in a
        // reboot still shows. Its state is asked for by `inspect`, which looks.
        list.args(["ps", "--all", "--no-trunc", "--format", "{{.ID}}", "--filter"]).arg(format!("name=^{name}$"));
        let id = process::read(&list, QUESTION)?.trim().to_owned();
        if id.is_empty() {
            return Ok(None);
        }
        let mut inspect = self.command();
        inspect.args(["inspect", "--format", "{{.State.Running}} {{.State.Pid}}", &id]);
        let answer = process::read(&inspect, QUESTION).unwrap_or_default();
        let mut words = answer.split_whitespace();
        let running = words.next() == Some("true")
            && words.next().is_some_and(|pid| Path::new("/proc").join(pid).join("cmdline").exists());
        Ok(Some(Container { id, running }))
    }

    /// Whether an image of this name is stored.
    pub fn has_image(&self, image: &str) -> bool {
        let mut inspect = self.command();
        inspect.args(["image", "inspect", "--format", "{{.Id}}", image]);
        process::read(&inspect, QUESTION).is_ok()
    }

    /// Whether a network of this name is there.
    pub fn has_network(&self, network: &str) -> bool {
        let mut inspect = self.command();
        inspect.args(["network", "inspect", network]);
        process::read(&inspect, QUESTION).is_ok()
    }

    /// Whether any container, running or not, is in a network of this name.
    pub fn uses_network(&self, network: &str) -> anyhow::Result<bool> {
        let mut list = self.command();
        list.args(["ps", "--all", "--quiet", "--filter"]).arg(format!("network={network}"));
        Ok(!process::read(&list, QUESTION)?.trim().is_empty())
    }

    /// Volumes with a label of this name, whatever its value.
    pub fn volumes_labelled(&self, label: &str) -> anyhow::Result<Vec<String>> {
        if !self.installed() {
            return Ok(Vec::new());
        }
        let mut list = self.command();
        list.args(["volume", "ls", "--quiet", "--filter"]).arg(format!("label={label}"));
        Ok(process::read(&list, QUESTION)?.split_whitespace().map(str::to_owned).collect())
    }

    /// The stored images whose repository ends so, as `repository:tag`.
    pub fn images_like(&self, repository: &str) -> anyhow::Result<Vec<String>> {
        let mut list = self.command();
        list.args(["images", "--format", "{{.Repository}} {{.Tag}}"]);
        let answer = process::read(&list, QUESTION)?;
        Ok(named_images(&answer, repository))
    }

    /// A command inside a running container, with stdin.
    pub fn exec(&self, container: &str) -> Command {
        let mut exec = self.command();
        exec.args(["exec", "--interactive", container]);
        exec
    }

    /// Loads an image archive into the node's containerd.
    pub fn load(&self, container: &str, archive: &Path) -> anyhow::Result<()> {
        let mut import = self.exec(container);
        import.args(["ctr", "--namespace", "k8s.io", "images", "import", "-"]);
        process::feed_file(&import, archive, Duration::from_mins(5))
            .with_context(|| format!("Loading {} onto the node failed", archive.display()))?;
        Ok(())
    }
}

fn named_images(list: &str, repository: &str) -> Vec<String> {
    list.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, tag)| name.ends_with(repository) && *tag != "<none>")
        .map(|(name, tag)| format!("{name}:{tag}"))
        .collect()
}

/// Limits for containers that this machine can grant: asking for more than the own hard limit needs a capability
/// (`CAP_SYS_RESOURCE`) that root does not have everywhere.
fn podman_settings(files: u64, processes: u64) -> String {
    // 2^20 and 30000 are plenty for a node of this size, and within what kernels allow by default.
    let (files, processes) = (files.min(1 << 20), processes.min(30_000));
    format!("[containers]\ndefault_ulimits = [\"nofile={files}:{files}\", \"nproc={processes}:{processes}\"]\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stay_within_what_this_machine_grants() {
        for (files, processes, expected) in [
            (20_000, u64::MAX, "\"nofile=20000:20000\", \"nproc=30000:30000\""),
            (u64::MAX, 1000, "\"nofile=1048576:1048576\", \"nproc=1000:1000\""),
        ] {
            let text = podman_settings(files, processes);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn stored_images_are_found_by_repository() {
        let list = "docker.io/kindest/node v1.36.3-abc\n<none> <none>\ndocker.io/library/x 1\n";
        assert_eq!(named_images(list, "kindest/node"), ["docker.io/kindest/node:v1.36.3-abc"]);
    }

    #[test]
    fn commands_carry_the_provider_and_its_settings() {
        let provider = Provider { kind: Kind::Podman, settings: "/somewhere/containers.conf".into() };
        let command = provider.prepare(Command::new("kind"));
        let variables: Vec<_> =
            command.get_envs().map(|(key, value)| (key.to_str().unwrap(), value.unwrap().to_str().unwrap())).collect();
        assert_eq!(
            variables,
            [("CONTAINERS_CONF", "/somewhere/containers.conf"), ("KIND_EXPERIMENTAL_PROVIDER", "podman")]
        );
        let docker = Provider { kind: Kind::Docker, settings: "/unused".into() };
        assert_eq!(docker.command().get_envs().count(), 1);
    }
}
