//! The command line.

use crate::backup::take::Report;
use crate::backup::{BackupError, restore, source::Source, take, verify};
use crate::export;
use crate::logging;
use crate::serve::{ServeError, serve};
use crate::settings::{Settings, seconds};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Keeps what people draw together and shows it to everybody at once
#[derive(Debug, Parser)]
#[command(name = "whiteboard", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(args_override_self = true, alias = "start")]
    #[command(after_help = "Example: whiteboard serve --data ./data\n\
        Then open http://localhost:8080/, and point clients at /socket.io/?session_code=CODE.\n\
        SIGTERM or SIGINT stops it; everything acknowledged is on disk at any moment.")]
    Serve(Box<Settings>),
    /// Take a backup of a running server or of a data directory, prove it, and keep the newest ones
    #[command(after_help = "Examples:\n  \
        whiteboard backup --from http://whiteboard:9090 --token-file /run/token --to /backups --keep 7\n  \
        whiteboard backup --from ./data --to ./backups\n\
        The copy is of one moment; drawing goes on meanwhile. It gets its name only after it was opened and every\n\
        board in it was replayed.")]
    Backup(BackupArguments),
    /// Prove that a backup, a directory of backups or a data directory is whole, by opening and replaying it
    Verify(VerifyArguments),
    /// Bring a backup back into a data directory; no server may be using it
    #[command(after_help = "Example: whiteboard restore --from ./backups --data ./data\n\
        The backup is proven before and after. Drawings that are there already stay, unless --replace moves them\n\
        aside, into a directory replaced-TIME beside the database.")]
    Restore(RestoreArguments),
    /// Make pictures of a drawing file, as Excalidraw would
    #[command(
        after_help = "Example: whiteboard export drawing.excalidraw --svg drawing.svg --png drawing.png --scale 2"
    )]
    Export(export::Order),
}

#[derive(Args, Debug)]
struct BackupArguments {
    /// Admin port of a server (http://HOST:9090), or a data directory, in use or not
    #[arg(long, value_name = "URL|DIR")]
    from: Source,
    /// File with the server's admin token
    #[arg(long, env = "ADMIN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Directory that holds the backups; created if it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// How many verified backups stay there
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// File that receives the outcome as one line of JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Seconds for which a server that does not answer (it may be restarting) is tried again
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    retry_for: Duration,
    #[command(flatten)]
    log: logging::LogSettings,
}

#[derive(Args, Debug)]
struct VerifyArguments {
    /// A backup (NAME.db), a directory of backups, or a data directory
    path: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct RestoreArguments {
    /// Directory of backups, or one backup (NAME.db)
    #[arg(long, value_name = "DIR|FILE")]
    from: PathBuf,
    /// Which backup of the directory: its name, or latest
    #[arg(long, value_name = "NAME", default_value = "latest")]
    name: String,
    /// Data directory to fill
    #[arg(long, env = "DATA_DIR", value_name = "DIR", default_value = "./data")]
    data: PathBuf,
    /// Put the backup in the place of drawings that are there; they are moved aside, not deleted
    #[arg(long)]
    replace: bool,
}

/// What went wrong with a command, as a sentence.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Export(#[from] export::ExportError),
    #[error("{0}")]
    Other(String),
}

/// Runs the command that the process was called with. Exit codes: 0 done, 1 failed, 2 called wrongly.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("whiteboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, CommandError> {
    match cli.command {
        Command::Serve(settings) => {
            logging::start(&settings.log);
            block_on(serve(*settings))??;
        }
        Command::Backup(arguments) => return run_backup(arguments),
        Command::Export(order) => export::export(&order)?,
        Command::Verify(VerifyArguments { path, json }) => {
            let verdicts = verify::verify(&path)?;
            if json {
                println!("{}", serde_json::json!(verdicts));
            } else {
                print!("{}", verify::table(&verdicts));
            }
            return Ok(if verdicts.iter().all(|verdict| verdict.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Restore(RestoreArguments { from, name, data, replace }) => {
            let order = restore::Order { from, name, data, replace };
            println!("{}", told(&restore::restore(&order)?, &order));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_backup(arguments: BackupArguments) -> Result<ExitCode, CommandError> {
    logging::start(&arguments.log);
    let order = take::Order {
        from: arguments.from,
        token_file: arguments.token_file,
        to: arguments.to,
        keep: arguments.keep as usize,
        patience: arguments.retry_for,
    };
    let outcome = block_on(take::take(&order))?;
    let line = Report::of(&outcome).line();
    if let Some(file) = &arguments.report {
        // Opened as it is: what receives a container's last words can be written, but not replaced.
        std::fs::write(file, &line).map_err(|error| {
            CommandError::Other(format!("The report {} cannot be written: {error}.", file.display()))
        })?;
    }
    outcome?;
    print!("{line}");
    Ok(ExitCode::SUCCESS)
}

fn told(outcome: &restore::Outcome, order: &restore::Order) -> String {
    let data = order.data.display();
    match outcome {
        restore::Outcome::Same { name } => format!("{data} already holds the backup {name}: nothing was done."),
        restore::Outcome::Restored { name, counts, aside } => {
            let aside = aside
                .as_ref()
                .map_or(String::new(), |path| format!(" What was there before lies in {}.", path.display()));
            format!("The backup {name} is in {data}: {} boards, {} strokes.{aside}", counts.boards, counts.strokes)
        }
    }
}

/// A runtime with few threads: one core serves hundreds of clients, and each thread costs memory.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(|error| CommandError::Other(format!("The process cannot start its threads: {error}.")))?;
    let outcome = runtime.block_on(future);
    // Whatever still hangs (a look-up of a name, say) must not keep the process from ending.
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_read() {
        for (line, good) in [
            ("whiteboard serve", true),
            ("whiteboard start", true),
            ("whiteboard backup --from http://wb:9090 --token-file t --to b --keep 3 --report r", true),
            ("whiteboard backup --from ./data --to b", true),
            ("whiteboard backup --from https://wb --to b", false),
            ("whiteboard backup --from ./data --to b --keep 0", false),
            ("whiteboard backup --to b", false),
            ("whiteboard verify x --json", true),
            ("whiteboard verify", false),
            ("whiteboard restore --from b --name latest --data d --replace", true),
            ("whiteboard export a.excalidraw --svg a.svg --png a.png --dark --scale 2", true),
            ("whiteboard export a.excalidraw", false),
            ("whiteboard", false),
            ("whiteboard dance", false),
        ] {
            assert_eq!(Cli::try_parse_from(line.split(' ')).is_ok(), good, "{line}");
        }
    }
}
