//! The command line of the harness. `e2e/up`, `e2e/down`, `e2e/env` and `e2e/test` call it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use e2e::cache::Cache;
use e2e::env::Environment;
use e2e::product::Profile;
use e2e::up::Extent;
use e2e::{components, down, groups, process, progress, suite, up};

#[derive(Parser)]
#[command(name = "e2e", about = "A real Kubernetes on this machine, and the tests that use the product on it.")]
struct Arguments {
    #[command(subcommand)]
    command: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Bring the cluster and the product on it up, or up to date.
    Up {
        /// Kubernetes and the addons only, without the product.
        #[arg(long, conflicts_with = "release")]
        cluster_only: bool,
        /// Our programs as they are shipped: slower to build, for measurements.
        #[arg(long)]
        release: bool,
    },
    /// Build programs of the cluster that are not in the cache yet.
    Build {
        /// Which; all of them where none is named.
        #[arg(value_name = "COMPONENT")]
        components: Vec<String>,
    },
    /// Take the cluster away and leave this machine as it was before.
    Down {
        /// Also delete every built program and image.
        #[arg(long)]
        purge: bool,
    },
    /// Print what a shell needs to use the running cluster: eval "$(e2e/env)".
    Env,
    /// Run everything that proves the product, or only the groups that are named.
    Test {
        /// Groups to run, in the order of `--list`; all of them where none is named.
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
        /// Name the groups, one line each, and run nothing.
        #[arg(long)]
        list: bool,
        /// Also run the long campaigns.
        #[arg(long)]
        long: bool,
        /// Which cluster to use where one is needed.
        #[arg(long, value_enum, default_value = "own")]
        cluster: suite::Target,
    },
}

fn main() -> ExitCode {
    progress::begin();
    if let Err(error) = process::listen_for_interruption() {
        eprintln!("Signals cannot be handled on this system: {error}.");
        return ExitCode::FAILURE;
    }
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(subject: Subject) -> anyhow::Result<ExitCode> {
    match subject {
        Subject::Env => {
            print!("{}", Environment::of_running_cluster()?.lines());
            Ok(ExitCode::SUCCESS)
        }
        Subject::Down { purge } => {
            down::down(purge)?;
            Ok(ExitCode::SUCCESS)
        }
        Subject::Up { cluster_only, release } => {
            let profile = if release { Profile::Release } else { Profile::Cluster };
            let extent = if cluster_only { Extent::Cluster } else { Extent::Product(profile) };
            up::up(extent)?;
            println!("\n{}", up::advice(extent, &Environment::of_running_cluster()?));
            Ok(ExitCode::SUCCESS)
        }
        Subject::Build { components } => build(&components),
        Subject::Test { groups, list, long, cluster } => {
            let entries = groups::select(&groups)?;
            if list {
                println!("{}", groups::list());
                return Ok(ExitCode::SUCCESS);
            }
            let results = suite::run(&entries, suite::Options { target: cluster, long });
            println!("\n{}", suite::summary(&results));
            Ok(if suite::all_passed(&results) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn build(names: &[String]) -> anyhow::Result<ExitCode> {
    if let Some(unknown) = names.iter().find(|name| !components::ALL.iter().any(|known| known.name == **name)) {
        let known = components::ALL.iter().map(|component| component.name).collect::<Vec<_>>().join(", ");
        anyhow::bail!("There is no component called {unknown}. The components are: {known}.");
    }
    let cache = Cache::locate()?;
    for component in
        components::ALL.iter().filter(|known| names.is_empty() || names.iter().any(|name| known.name == name))
    {
        println!("{}", component.ensure(&cache)?.display());
    }
    Ok(ExitCode::SUCCESS)
}
