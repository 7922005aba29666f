//! What can be set when serving, by flag or by environment.

pub mod boards;
mod limits;

pub use limits::LimitSettings;

use crate::http::origin::Origins;
use crate::limits::address::Networks;
use crate::logging;
use crate::protocol::classroom::UndoEvents;
use crate::protocol::{engineio, native};
use crate::room;
use axum::http::HeaderValue;
use clap::{ArgAction, Args};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of `whiteboard serve`.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Directory that holds the drawings; created if it does not exist
    #[arg(long, env = "DATA_DIR", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,

    /// Public port: the boards of every dialect, the web client, the HTTP API, health
    #[arg(long, env = "PORT", value_name = "PORT", default_value_t = 8080)]
    pub port: u16,

    /// Admin port: metrics, health, backups. Not for the open network
    #[arg(long, env = "ADMIN_PORT", value_name = "PORT", default_value_t = 9090)]
    pub admin_port: u16,

    /// File with the token that backups must show; it is read again at each request. Without it backups are off
    #[arg(long, env = "ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Origins whose web pages may use this server, comma separated, such as https://school.example; * for all
    #[arg(long, env = "CORS_ORIGINS", value_name = "ORIGINS")]
    pub cors_origins: Option<String>,

    /// Older name of CORS_ORIGINS
    #[arg(long, env = "CORS_ORIGIN", value_name = "ORIGIN", hide = true)]
    pub cors_origin: Option<String>,

    /// Seconds after which a session in which nothing happened is ended: connections closed, lock lifted. Drawings
    /// stay
    #[arg(long, env = "SESSION_TIMEOUT", value_name = "SECONDS", default_value = "86400", value_parser = seconds)]
    pub session_timeout: Duration,

    /// Seconds without activity after which a student lock is lifted
    #[arg(long, env = "UNLOCK_AFTER", value_name = "SECONDS", default_value = "5400", value_parser = seconds)]
    pub unlock_after: Duration,

    /// Seconds after which a board without clients leaves memory
    #[arg(long, env = "UNLOAD_AFTER", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub unload_after: Duration,

    /// Events that answer undo and redo: those of the first or of the later generation of clients
    #[arg(long, env = "UNDO_EVENTS", value_enum, default_value_t)]
    pub undo_events: UndoEvents,

    /// Send requests that reached the proxy over plain HTTP (X-Forwarded-Proto) to HTTPS
    #[arg(long, env = "HTTPS_REDIRECT", value_name = "BOOL", default_value_t = false, action = ArgAction::Set)]
    pub https_redirect: bool,

    /// Who may show a board (`/b/<board>?embed`) in a frame of theirs, as a Content-Security-Policy lists it, such as
    /// https://school.example; * for all
    #[arg(long, env = "FRAME_ANCESTORS", value_name = "SOURCES", default_value = "'none'", value_parser = sources)]
    pub frame_ancestors: HeaderValue,

    /// Seconds to wait for another server to leave the data directory
    #[arg(long, env = "LOCK_WAIT", value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub lock_wait: Duration,

    /// Seconds between pings of a client
    #[arg(long, env = "PING_INTERVAL", value_name = "SECONDS", default_value = "25", value_parser = seconds)]
    pub ping_interval: Duration,

    /// Seconds within which a client must answer a ping
    #[arg(long, env = "PING_TIMEOUT", value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub ping_timeout: Duration,

    #[command(flatten)]
    pub limits: LimitSettings,

    #[command(flatten)]
    pub boards: boards::BoardSettings,

    #[command(flatten)]
    pub log: logging::LogSettings,
}

impl Settings {
    /// The allowed origins; an error is a sentence.
    pub fn origins(&self) -> Result<Origins, String> {
        let list = self.cors_origins.as_deref().or(self.cors_origin.as_deref()).unwrap_or("*");
        Origins::parse(list).map_err(|error| format!("CORS_ORIGINS: {error}"))
    }

    /// Proxies whose word is taken for where a client comes from; an error is a sentence.
    pub fn trusted_proxies(&self) -> Result<Networks, String> {
        Networks::parse(&self.limits.trusted_proxies).map_err(|error| format!("TRUSTED_PROXIES: {error}."))
    }

    pub fn room_timing(&self) -> room::Timing {
        room::Timing {
            unlock_after: self.unlock_after,
            session_timeout: self.session_timeout,
            unload_after: self.unload_after,
        }
    }

    pub fn native_timing(&self) -> native::live::Timing {
        native::live::Timing {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            ..native::live::Timing::default()
        }
    }

    pub fn transport_timing(&self) -> engineio::Timing {
        engineio::Timing {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            ..engineio::Timing::default()
        }
    }
}

/// Reads sources of a Content-Security-Policy's directive: hosts with or without scheme, `'self'`, `'none'`, `*`.
pub fn sources(text: &str) -> Result<HeaderValue, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" :/.*'-_".contains(&byte);
    let sentence = || "write hosts separated by spaces, such as https://school.example, or 'none' or *".to_owned();
    if text.trim().is_empty() || !text.bytes().all(fits) {
        return Err(sentence());
    }
    HeaderValue::from_str(text.trim()).map_err(|_| sentence())
}

/// Reads a positive number of seconds; fractions are allowed, a year is the most.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 366.0 * 86_400.0;
    match text.trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= YEAR => Ok(Duration::from_secs_f64(value)),
        _ => Err("write a number of seconds above 0, at most a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(arguments: &[&str]) -> Result<Settings, clap::Error> {
        Command::try_parse_from([&["serve"], arguments].concat()).map(|command| command.settings)
    }

    #[test]
    fn defaults_are_the_contracts() {
        let settings = parse(&[]).unwrap();
        assert_eq!((settings.port, settings.admin_port), (8080, 9090));
        assert_eq!(settings.origins().unwrap(), Origins::Any);
        let room = settings.room_timing();
        assert_eq!((room.unlock_after.as_secs(), room.session_timeout.as_secs()), (5400, 86_400));
        let transport = settings.transport_timing();
        assert_eq!((transport.ping_interval.as_secs(), transport.ping_timeout.as_secs()), (25, 20));
        assert_eq!(settings.undo_events, UndoEvents::PathsUpdate);
        assert!(!settings.https_redirect);
    }

    #[test]
    fn what_is_written_is_read_and_nonsense_is_refused() {
        let settings =
            parse(&["--https-redirect", "true", "--undo-events", "undo", "--cors-origin", "https://a"]).unwrap();
        assert!(settings.https_redirect && settings.undo_events == UndoEvents::Undo);
        assert_eq!(settings.origins().unwrap(), Origins::Listed(vec!["https://a".into()]));
        let newer = parse(&["--cors-origin", "https://a", "--cors-origins", "*"]).unwrap();
        assert_eq!(newer.origins().unwrap(), Origins::Any);
        assert!(parse(&["--cors-origins", "a"]).unwrap().origins().unwrap_err().starts_with("CORS_ORIGINS: "));
        for wrong in
            [["--session-timeout", "0"], ["--session-timeout", "1d"], ["--port", "70000"], ["--undo-events", "x"]]
        {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sources_of_frames_cannot_end_the_directive() {
        for text in ["'none'", "*", "https://school.example https://*.other.example:8443", " 'self' "] {
            assert_eq!(sources(text).unwrap(), text.trim(), "{text}");
        }
        for text in ["", " ", "https://a; script-src *", "a,b", "a\nb", "ä"] {
            assert!(sources(text).is_err(), "{text}");
        }
        assert_eq!(parse(&[]).unwrap().frame_ancestors, "'none'");
    }

    #[test]
    fn seconds_are_positive() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds(" 86400 "), Ok(Duration::from_hours(24)));
        for text in ["0", "-1", "NaN", "inf", "", "1e300", "five"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
