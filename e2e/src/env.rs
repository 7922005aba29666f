//! `e2e/env`: what a shell needs to use the running cluster, for `eval "$(e2e/env)"`.

use std::path::Path;

use crate::addons;
use crate::cache::Cache;
use crate::hosts_file::SITE;
use crate::node;
use crate::node_health::Verdict;
use crate::provider::Provider;

/// Where the running cluster is and how to trust it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub kubeconfig: std::path::PathBuf,
    pub authority: std::path::PathBuf,
    /// A folder with `kubectl`, `helm` and `kind`.
    pub programs: std::path::PathBuf,
}

impl Environment {
    /// Of the cluster that is up now; a sentence where none is.
    pub fn of_running_cluster() -> anyhow::Result<Self> {
        let cache = Cache::locate()?;
        let provider = Provider::find(&cache)?;
        match node::usable(&cache, &provider)? {
            Verdict::Usable => Ok(Self {
                kubeconfig: node::kubeconfig(&cache),
                authority: addons::authority(&cache),
                programs: cache.path(),
            }),
            Verdict::Absent => anyhow::bail!("No cluster is running. `e2e/up` starts one."),
            Verdict::Replace(reason) => {
                anyhow::bail!("The cluster cannot be used: {reason}. `e2e/up` replaces it.")
            }
        }
    }

    /// The lines for the shell.
    pub fn lines(&self) -> String {
        format!(
            "export KUBECONFIG={}\nexport WHITEBOARD_URL=https://{SITE}\nexport WHITEBOARD_CA={}\nexport PATH={}:\"$PATH\"\n",
            quoted(&self.kubeconfig),
            quoted(&self.authority),
            quoted(&self.programs)
        )
    }
}

/// A path as one word of a shell, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        for folder in ["/home/someone/.cache/whiteboard-e2e", "/home/o'neill/my cache/$HOME`date`"] {
            let folder = Path::new(folder);
            let environment = Environment {
                kubeconfig: folder.join("kubeconfig"),
                authority: folder.join("root.pem"),
                programs: folder.join("path"),
            };
            let script = format!(
                "{}printf '%s\\n' \"$KUBECONFIG\" \"$WHITEBOARD_URL\" \"$WHITEBOARD_CA\" \"${{PATH%%:*}}\"",
                environment.lines()
            );
            let said = crate::process::read(Command::new("sh").args(["-c", &script]), Duration::from_secs(9)).unwrap();
            let expected =
                format!("{0}/kubeconfig\nhttps://whiteboard.test\n{0}/root.pem\n{0}/path\n", folder.display());
            assert_eq!(said, expected);
        }
    }
}
