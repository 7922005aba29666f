//! Logs to standard output, as JSON for machines or as text for people.

use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Text,
}

/// Starts logging. `level` is a level or a filter such as `info,operator=debug`.
pub fn start(format: Format, level: &str) -> anyhow::Result<()> {
    // Targets instead of an environment filter: levels by module are all that is needed, without a regular expression engine.
    let filter: Targets = level.parse().map_err(|error| {
        anyhow::anyhow!("LOG_LEVEL is {level:?}, which is no filter ({error}): write info, debug or warn")
    })?;
    let log = tracing_subscriber::fmt::layer().with_target(false);
    match format {
        Format::Json => {
            let log = log.json().flatten_event(true).with_current_span(true).with_span_list(false);
            tracing_subscriber::registry().with(log.with_filter(filter)).init();
        }
        Format::Text => tracing_subscriber::registry().with(log.with_filter(filter)).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        for (text, fits) in
            [("info", true), ("info,operator=debug", true), ("warn,kube=off", true), ("operator=loud", false)]
        {
            assert_eq!(text.parse::<Targets>().is_ok(), fits, "{text}");
        }
    }
}
