//! Settings of boards: how long their past is kept, and who sees which there are.

use super::seconds;
use crate::store::maintenance::Retention;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Who may see the list of boards over HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BoardList {
    /// Who shows the admin token
    #[default]
    Admin,
    /// Everybody
    Public,
}

/// How long the past of boards is kept, and who may see which boards there are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Boards")]
pub struct BoardSettings {
    /// Days for which a board can be shown as it was after each operation, for which a deleted board can be brought back,
    /// and for which an image that nothing shows is kept (that at least 1 day). Named versions stay for ever
    #[arg(long, env = "HISTORY_DAYS", value_name = "DAYS", default_value = "30", value_parser = days)]
    pub history_days: Duration,

    /// Seconds between two looks at what is older than that
    #[arg(long, env = "UPKEEP_EVERY", value_name = "SECONDS", default_value = "3600", value_parser = seconds, hide = true)]
    pub upkeep_every: Duration,

    /// Who may see the list of boards at /api/boards
    #[arg(long, env = "BOARD_LIST", value_enum, default_value_t)]
    pub board_list: BoardList,
}

impl BoardSettings {
    pub fn retention(&self) -> Retention {
        Retention { history: self.history_days, every: self.upkeep_every }
    }
}

/// Reads a positive number of days; fractions are allowed, a hundred years are the most.
fn days(text: &str) -> Result<Duration, String> {
    match text.trim().parse::<f64>() {
        Ok(days) if days > 0.0 && days <= 36_525.0 => Ok(Duration::from_secs_f64(days * DAY)),
        _ => Err("write a number of days above 0, at most 36525".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        boards: BoardSettings,
    }

    fn parse(arguments: &[&str]) -> Result<BoardSettings, clap::Error> {
        Command::try_parse_from([&["serve"], arguments].concat()).map(|command| command.boards)
    }

    #[test]
    fn a_month_is_kept_and_the_list_is_not_public() {
        let settings = parse(&[]).unwrap();
        assert_eq!(settings.retention().history, Retention::default().history);
        assert_eq!(settings.retention().every, Duration::from_hours(1));
        assert_eq!(settings.board_list, BoardList::Admin);
    }

    #[test]
    fn days_are_positive() {
        let settings = parse(&["--history-days", "0.5", "--board-list", "public"]).unwrap();
        assert_eq!((settings.history_days, settings.board_list), (Duration::from_hours(12), BoardList::Public));
        for wrong in ["0", "-1", "NaN", "inf", "1e9", "ten", ""] {
            assert!(parse(&["--history-days", wrong]).is_err(), "{wrong}");
        }
        assert!(parse(&["--board-list", "friends"]).is_err());
    }
}
