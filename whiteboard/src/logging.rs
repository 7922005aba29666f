//! What the server says about itself while it runs.

use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Settings of the log.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// What is logged: error, warn, info, debug, trace, or a filter such as info,whiteboard::store=debug
    #[arg(long, env = "LOG_LEVEL", value_name = "FILTER", default_value = "info", value_parser = filter)]
    pub log_level: String,

    /// How lines look; text on a terminal, JSON elsewhere, unless set
    #[arg(long, env = "LOG_FORMAT", value_enum)]
    pub log_format: Option<Format>,

    /// Older name of LOG_LEVEL=debug
    #[arg(long, env = "DEBUG", value_name = "BOOL", hide = true, default_value = "", value_parser = is_on)]
    pub debug: bool,
}

/// Other programs give DEBUG other meanings: what is not clearly yes is no, and never an error.
#[expect(clippy::unnecessary_wraps, reason = "the form of a parser")]
fn is_on(text: &str) -> Result<bool, String> {
    Ok(["1", "true", "yes", "on", "t"].contains(&text.trim().to_ascii_lowercase().as_str()))
}

fn filter(text: &str) -> Result<String, String> {
    text.parse::<Targets>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Begins to write log lines to standard error. Later calls change nothing.
pub fn start(settings: &LogSettings) {
    // Checked when the settings were read. Levels by module are all that is needed, without a regular expression engine.
    let level = if settings.debug && settings.log_level == "info" { "debug" } else { &settings.log_level };
    let filter: Targets = level.parse().unwrap_or_default();
    let terminal = std::io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if terminal { Format::Text } else { Format::Json });
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(terminal);
    // A second subscriber is refused: the first one goes on.
    let _ = match format {
        Format::Text => tracing_subscriber::registry().with(log.with_target(false).with_filter(filter)).try_init(),
        Format::Json => {
            tracing_subscriber::registry().with(log.json().flatten_event(true).with_filter(filter)).try_init()
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_on_when_that_is_clear() {
        for (text, on) in [("true", true), ("1", true), ("YES", true), ("", false), ("0", false), ("express:*", false)]
        {
            assert_eq!(is_on(text), Ok(on), "{text}");
        }
    }

    #[test]
    fn filters_are_checked() {
        assert_eq!(filter("info,whiteboard::store=debug").as_deref(), Ok("info,whiteboard::store=debug"));
        assert!(filter("whiteboard=loud").is_err());
    }
}
