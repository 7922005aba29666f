//! `kubectl` against the cluster of this harness: short questions and manifests, each under a time limit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, ProcessError};

/// Enough for any single question to a healthy API server on a busy machine.
const QUESTION: Duration = Duration::from_secs(30);

/// The program and the cluster it talks to.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// Uses this program with this kubeconfig, whatever the environment says.
    pub fn new(program: &Path, kubeconfig: &Path) -> Self {
        Self { program: program.to_owned(), kubeconfig: kubeconfig.to_owned() }
    }

    /// A command with these arguments, to be run by the caller.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command
    }

    /// What kubectl prints.
    pub fn read(&self, arguments: &[&str]) -> Result<String, ProcessError> {
        process::read(&self.command(arguments), QUESTION)
    }

    /// The same with a limit of choice, for commands that wait.
    pub fn wait(&self, arguments: &[&str], limit: Duration) -> Result<String, ProcessError> {
        let timeout = format!("--timeout={}s", limit.as_secs());
        let mut command = self.command(arguments);
        command.arg(timeout);
        process::read(&command, limit + Duration::from_secs(5))
    }

    /// Server-side apply of one or more manifests. What is there already stays untouched.
    pub fn apply(&self, manifests: &str) -> Result<String, ProcessError> {
        let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=e2e", "--filename=-"];
        process::feed(&self.command(&arguments), manifests, Duration::from_mins(2))
    }

    /// Waits until all pods of a Deployment are the new ones and ready.
    pub fn rolled_out(&self, namespace: &str, deployment: &str) -> Result<String, ProcessError> {
        let name = format!("deployment/{deployment}");
        self.wait(&["--namespace", namespace, "rollout", "status", &name], Duration::from_mins(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_names_its_cluster() {
        let kubectl = Kubectl::new(Path::new("/cache/path/kubectl"), Path::new("/cache/cluster/kubeconfig"));
        let command = kubectl.command(&["get", "nodes"]);
        assert_eq!(command.get_program(), "/cache/path/kubectl");
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["--kubeconfig", "/cache/cluster/kubeconfig", "get", "nodes"]);
    }

    #[test]
    fn waiting_tells_kubectl_the_same_limit() {
        let kubectl = Kubectl::new(Path::new("echo"), Path::new("k"));
        let said = kubectl.wait(&["rollout", "status", "deployment/x"], Duration::from_secs(7)).unwrap();
        assert_eq!(said, "--kubeconfig k rollout status deployment/x --timeout=7s\n");
    }
}
