//! The command line of the harness. `e2e/up`, `e2e/down`, `e2e/env` and `e2e/test` call it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use e2e::{groups, process, progress, suite};

#[derive(Parser)]
#[command(name = "e2e", about = "A real Kubernetes on this machine, and the tests that use the product on it.")]
struct Arguments {
    #[command(subcommand)]
    command: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Run everything that proves the product, or only the groups that are named.
    Test {
        /// Groups to run, in the order of `--list`; all of them where none is named.
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
        /// Name the groups, one line each, and run nothing.
        #[arg(long)]
        list: bool,
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
        Subject::Test { groups, list } => {
            let entries = groups::select(&groups)?;
            if list {
                println!("{}", groups::list());
                return Ok(ExitCode::SUCCESS);
            }
            let results = suite::run(&entries);
            println!("\n{}", suite::summary(&results));
            Ok(if suite::all_passed(&results) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
