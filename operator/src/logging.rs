//! Logs to standard output, as JSON for machines or as text for people.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Text,
}

/// Starts logging. `level` is a level or a filter such as `info,operator=debug`.
pub fn start(format: Format, level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        anyhow::anyhow!("LOG_LEVEL is {level:?}, which is no filter ({error}): write info, debug or warn")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    match format {
        Format::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
        Format::Text => log.init(),
    }
    Ok(())
}
