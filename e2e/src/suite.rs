//! Runs the groups of tests one after the other and sums up what came of them.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::cache::Cache;
use crate::env::Environment;
use crate::groups::{Entry, Group};
use crate::process::{self, ProcessError};
use crate::product::Profile;
use crate::progress::{say, spoken};
use crate::up::{self, Extent};
use crate::{charts, clients, components, dependencies, down, product, web};

/// What became of a group.
#[derive(Debug)]
pub enum Outcome {
    Passed,
    /// With the sentence that says why.
    Failed(String),
    /// With the sentence that says why it was not run.
    Skipped(String),
}

/// A group that was dealt with.
#[derive(Debug)]
pub struct Result {
    pub name: &'static str,
    pub outcome: Outcome,
    pub took: Duration,
}

/// Which cluster the groups that need one use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// The one of `e2e/up`: brought up to date, or brought up and taken away again.
    Own,
    /// That of `$KUBECONFIG`, used as it is; the product has to be installed there.
    Current,
}

impl Target {
    /// The word on the command line and in [`TARGET_VARIABLE`].
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Current => "current",
        }
    }
}

/// Tells tests which cluster is meant.
pub const TARGET_VARIABLE: &str = "WHITEBOARD_E2E_CLUSTER";
/// Is set for tests when the long campaigns are to run.
pub const LONG_VARIABLE: &str = "WHITEBOARD_E2E_LONG";

/// How a run was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub target: Target,
    pub long: bool,
}

/// Runs the groups in order. After an interruption the rest is skipped. A cluster that was brought up for this run
/// is taken away at its end, also after an interruption.
pub fn run(entries: &[&'static Entry], options: Options) -> Vec<Result> {
    let mut results = Vec::new();
    let mut interrupted = false;
    let mut raised = false;
    for entry in entries {
        let began = Instant::now();
        let outcome = if interrupted {
            Outcome::Skipped("stopped on request before it began".to_owned())
        } else {
            say(&format!("── {}: {}", entry.name, entry.proves));
            match run_group(entry.group, options, &mut raised) {
                Ok(()) => Outcome::Passed,
                Err(error) => {
                    interrupted = matches!(error.downcast_ref(), Some(ProcessError::Interrupted));
                    say(&format!("{error:#}"));
                    Outcome::Failed(format!("{error:#}").lines().next().unwrap_or_default().to_owned())
                }
            }
        };
        let took = began.elapsed();
        say(&format!("── {}: {} after {}", entry.name, word(&outcome), spoken(took)));
        results.push(Result { name: entry.name, outcome, took });
    }
    if raised {
        process::acknowledge_interruption();
        say("taking the cluster away that was brought up for this run");
        if let Err(error) = down::down(false) {
            say(&format!("{error:#}"));
        }
    }
    results
}

fn run_group(group: Group, options: Options, raised: &mut bool) -> anyhow::Result<()> {
    match group {
        Group::Format => process::shown(&cargo(&["fmt", "--all", "--check"]))?,
        Group::Lint => {
            dependencies::check()?;
            let clippy =
                ["clippy", "--quiet", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
            process::shown(&cargo(&clippy))?;
        }
        Group::Unit => process::shown(&cargo(&["test", "--quiet", "--workspace"]))?,
        Group::Generated => generated()?,
        Group::Charts => charts::check(&Cache::locate()?)?,
        Group::Web => {
            let cache = Cache::locate()?;
            web::unit_tests(&cache)?;
            web::browser_tests(&cache, &product::server(&cache)?)?;
        }
        Group::ApiServer => {
            let cache = Cache::locate()?;
            for component in [&components::KUBE, &components::OLDEST_API_SERVER] {
                component.ensure(&cache)?;
            }
            // What a cluster needs shares most of Kubernetes' libraries: they are kept until that is built too.
            if components::ALL.iter().all(|component| component.path(&cache).is_ok_and(|path| path.exists())) {
                components::discard_go_caches(&cache)?;
            }
            tests_of("apiserver", "apiserver", options, &[])?;
        }
        Group::Cluster => {
            let cache = Cache::locate()?;
            clients::ensure(&cache)?;
            web::ensure_browser(&cache)?;
            if options.target == Target::Own {
                let there = Environment::of_running_cluster().is_ok();
                // Set before anything is made: a failure half-way leaves something to take away too.
                *raised = !there;
                up::up(Extent::Product(Profile::Cluster))?;
            } else if std::env::var_os("KUBECONFIG").is_none() {
                anyhow::bail!("`--cluster current` uses the cluster of KUBECONFIG, which is not set.");
            }
            tests_of("cluster", "addons", options, &[])?;
            // Sites have nothing to do with each other; four of them keep two cores and one API server busy.
            tests_of("cluster", "cluster", options, &["--test-threads=4", "--skip=alone::", "--skip=browser::"])?;
            // What kills the operator, listens for silence or opens ten browsers has the cluster for itself.
            tests_of("cluster", "cluster", options, &["--test-threads=1", "alone::", "browser::"])?;
        }
    }
    Ok(())
}

/// The tests in `tests/<name>.rs`, which stand behind a feature.
fn tests_of(feature: &str, name: &str, options: Options, arguments: &[&str]) -> anyhow::Result<()> {
    let mut test = cargo(&["test", "--quiet", "--package", "e2e", "--features", feature, "--test", name, "--"]);
    test.args(arguments).env(TARGET_VARIABLE, options.target.word());
    if options.long {
        test.env(LONG_VARIABLE, "1");
    }
    Ok(process::shown(&test)?)
}

fn generated() -> anyhow::Result<()> {
    const PATH: &str = "charts/whiteboard-crds/templates/whiteboards.yaml";
    let printed = process::read(&cargo(&["run", "--quiet", "--package", "crds"]), Duration::from_mins(10))?;
    let committed = std::fs::read_to_string(crate::repository().join(PATH))?;
    anyhow::ensure!(
        printed == committed,
        "{PATH} is not what the code prints. Run `cargo run -p crds > {PATH}` and commit it."
    );
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(crate::repository());
    command
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "FAILED",
        Outcome::Skipped(_) => "skipped",
    }
}

/// The table of results, and as its last line the counts alone, for people and programs to read.
pub fn summary(results: &[Result]) -> String {
    let mut lines = Vec::new();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for Result { name, outcome, took } in results {
        let why = match outcome {
            Outcome::Passed => {
                passed += 1;
                String::new()
            }
            Outcome::Failed(why) => {
                failed += 1;
                format!("  {why}")
            }
            Outcome::Skipped(why) => {
                skipped += 1;
                format!("  {why}")
            }
        };
        lines.push(format!("{name:12} {:8} {:>12}{why}", word(outcome), spoken(*took)));
    }
    lines.push(format!("{passed} passed, {failed} failed, {skipped} skipped"));
    lines.join("\n")
}

/// Whether all that was asked for was run and passed. An empty run proves nothing and is no success.
pub fn all_passed(results: &[Result]) -> bool {
    !results.is_empty() && results.iter().all(|result| matches!(result.outcome, Outcome::Passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &'static str, outcome: Outcome) -> Result {
        Result { name, outcome, took: Duration::from_secs(61) }
    }

    #[test]
    fn the_last_line_is_the_counts_alone() {
        let results = [
            result("format", Outcome::Passed),
            result("lint", Outcome::Failed("no".into())),
            result("unit", Outcome::Skipped("stopped".into())),
        ];
        let text = summary(&results);
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
        assert_eq!(text.lines().next(), Some("format       passed      1 min 1 s"));
        assert!(text.contains("FAILED") && text.contains("stopped"), "{text}");
    }

    #[test]
    fn only_a_run_that_passed_whole_is_a_success() {
        assert!(all_passed(&[result("format", Outcome::Passed)]));
        assert!(!all_passed(&[result("format", Outcome::Passed), result("lint", Outcome::Failed(String::new()))]));
        assert!(!all_passed(&[result("format", Outcome::Passed), result("lint", Outcome::Skipped(String::new()))]));
        assert!(!all_passed(&[]));
    }
}
