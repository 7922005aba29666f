//! Limits that can be set when serving.

use super::seconds;
use crate::board::core::Limits;
use crate::limits::Rate;
use crate::limits::address::LOOPBACK;
use crate::limits::space::Marks;
use clap::Args;
use std::time::Duration;

/// Seconds that a client of the older dialects may have saved up: these send a message for each movement of a pen.
const BURST_SECONDS: u32 = 4;

/// Bytes that SEND_MEMORY must allow.
const LEAST_SEND_MEMORY: usize = 1 << 20;

/// What one client, one board and all together may use.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    /// Connections of all clients together. The system's limit of open files may allow fewer; the log tells
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "N", default_value_t = 2000, value_parser = at_least_one)]
    pub max_connections: usize,

    /// Connections of one address (of one /64 network with IPv6). A school behind one address needs one each pupil
    #[arg(long, env = "MAX_CONNECTIONS_PER_ADDRESS", value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub max_connections_per_address: usize,

    /// Networks of proxies whose X-Forwarded-For tells where a client comes from, comma separated; none for none
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "NETWORKS", default_value = LOOPBACK)]
    pub trusted_proxies: String,

    /// Seconds within which the head of a request must arrive
    #[arg(long, env = "HEADER_TIMEOUT", value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub header_timeout: Duration,

    /// Messages a second of one native client; more are refused
    #[arg(long, env = "NATIVE_MESSAGE_RATE", value_name = "N", default_value_t = 200, value_parser = rate)]
    pub native_message_rate: u32,

    /// Messages a second of one classroom client in the long run; more wait
    #[arg(long, env = "CLASSROOM_MESSAGE_RATE", value_name = "N", default_value_t = 100, value_parser = rate)]
    pub classroom_message_rate: u32,

    /// Messages a second of one canvas client in the long run
    #[arg(long, env = "CANVAS_MESSAGE_RATE", value_name = "N", default_value_t = 100, value_parser = rate)]
    pub canvas_message_rate: u32,

    /// Accounts of the canvas dialect that one address may make within an hour. A school behind one address needs one
    /// each pupil
    #[arg(long, env = "REGISTRATIONS_PER_ADDRESS", value_name = "N", default_value_t = 2000, value_parser = rate)]
    pub registrations_per_address: u32,

    /// Boards on disk, of all dialects together
    #[arg(long, env = "MAX_BOARDS", value_name = "N", default_value_t = 10_000)]
    pub max_boards: u64,

    /// New boards, of all dialects together, that one address may begin within an hour; 0 for no limit. An address that
    /// is hidden behind a trusted proxy is not counted
    #[arg(long, env = "NEW_BOARDS_PER_ADDRESS", value_name = "N", default_value_t = 200)]
    pub new_boards_per_address: u32,

    /// Elements, strokes or objects of one board
    #[arg(long, env = "MAX_ELEMENTS", value_name = "N", default_value_t = 50_000, value_parser = at_least_one)]
    pub max_elements: usize,

    /// Bytes of the elements of one board, images not counted
    #[arg(long, env = "MAX_BOARD_BYTES", value_name = "BYTES", default_value_t = 64 << 20, value_parser = size)]
    pub max_board_bytes: usize,

    /// Bytes of one element
    #[arg(long, env = "MAX_ELEMENT_BYTES", value_name = "BYTES", default_value_t = 1 << 20, value_parser = size)]
    pub max_element_bytes: usize,

    /// Bytes of one message of a native client. A classroom's is 1,000,000, as ever
    #[arg(long, env = "MAX_MESSAGE_BYTES", value_name = "BYTES", default_value_t = 16 << 20, value_parser = size)]
    pub max_message_bytes: usize,

    /// Bytes of one image
    #[arg(long, env = "MAX_FILE_BYTES", value_name = "BYTES", default_value_t = 16 << 20, value_parser = bytes)]
    pub max_file_bytes: u64,

    /// Bytes of all images of one board
    #[arg(long, env = "MAX_BOARD_FILE_BYTES", value_name = "BYTES", default_value_t = 256 << 20, value_parser = bytes)]
    pub max_board_file_bytes: u64,

    /// Bytes that may wait to be sent to all clients together, such as 64M; above it who is far behind is disconnected,
    /// and comes back. Answers to the clients themselves may take twice as much. By default a quarter of the memory that the server may use (of its container, if that has a
    /// limit), at least 16M and at most 256M
    #[arg(long, env = "SEND_MEMORY", value_name = "BYTES", value_parser = send_memory)]
    pub send_memory: Option<usize>,

    /// Percent of the disk in use from which on new boards are refused; drawing goes on
    #[arg(long, env = "DISK_LOW_PERCENT", value_name = "PERCENT", default_value_t = 90)]
    pub disk_low_percent: u8,

    /// Percent of the disk in use from which on changes are refused; reading, exports and backups go on
    #[arg(long, env = "DISK_FULL_PERCENT", value_name = "PERCENT", default_value_t = 97)]
    pub disk_full_percent: u8,

    /// Bytes that your provider lets this server send a month, for the metrics and their alerts; nothing is refused
    #[arg(long, env = "EGRESS_LIMIT_BYTES", value_name = "BYTES", value_parser = bytes)]
    pub egress_limit_bytes: Option<u64>,
}

impl LimitSettings {
    /// An error says which settings do not fit together.
    pub fn check(&self) -> Result<(), String> {
        if self.disk_low_percent > self.disk_full_percent {
            return Err(format!(
                "DISK_LOW_PERCENT: {} is above DISK_FULL_PERCENT, {}: new boards are refused before changes are. Set \
                 DISK_LOW_PERCENT to at most that.",
                self.disk_low_percent, self.disk_full_percent
            ));
        }
        Ok(())
    }

    /// What one board may hold.
    pub fn board(&self) -> Limits {
        Limits {
            elements: self.max_elements,
            bytes: self.max_board_bytes,
            element_bytes: self.max_element_bytes,
            message_bytes: self.max_message_bytes,
            file_bytes: self.max_file_bytes,
            files_bytes: self.max_board_file_bytes,
        }
    }

    /// From when on the disk is too full.
    pub fn marks(&self) -> Marks {
        Marks {
            low_percent: self.disk_low_percent,
            full_percent: self.disk_full_percent,
            boards: self.max_boards,
            boards_per_address: self.new_boards_per_address,
        }
    }

    /// The rate of a native connection; a second's messages may come at once.
    pub fn native_rate(&self) -> Rate {
        Rate::with_burst_of(self.native_message_rate, 1)
    }

    /// The rate of a classroom connection.
    pub fn classroom_rate(&self) -> Rate {
        Rate::with_burst_of(self.classroom_message_rate, BURST_SECONDS)
    }

    /// The rate of a canvas connection.
    pub fn canvas_rate(&self) -> Rate {
        Rate::with_burst_of(self.canvas_message_rate, BURST_SECONDS)
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a whole number above 0".to_owned()),
    }
}

/// Reads a number of bytes; K, M, G or T behind it are 1024 times each other.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = text[end..].trim();
    let bare = unit.strip_suffix('B').unwrap_or(unit);
    let shift = match bare.strip_suffix('i').unwrap_or(bare) {
        "" if unit.is_empty() => Some(0),
        "K" | "k" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        "T" => Some(40),
        _ => None,
    };
    let number = text[..end].parse::<u64>().ok();
    number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| "write a number of bytes, such as 67108864 or 64M".to_owned())
}

fn size(text: &str) -> Result<usize, String> {
    match usize::try_from(bytes(text)?) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err("write a number of bytes above 0, such as 67108864 or 64M".to_owned()),
    }
}

fn send_memory(text: &str) -> Result<usize, String> {
    match size(text)? {
        bytes if bytes >= LEAST_SEND_MEMORY => Ok(bytes),
        _ => Err("write at least 1M: with less hardly anybody could open a board".to_owned()),
    }
}

fn rate(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a whole number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::address::Networks;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        limits: LimitSettings,
    }

    fn parse(arguments: &[&str]) -> Result<LimitSettings, clap::Error> {
        Command::try_parse_from([&["serve"], arguments].concat()).map(|command| command.limits)
    }

    #[test]
    fn defaults_are_those_of_the_parts() {
        let limits = parse(&[]).unwrap();
        assert_eq!(limits.board(), Limits::default());
        assert_eq!(limits.marks(), Marks::default());
        assert_eq!(limits.native_rate(), Rate { per_second: 200, burst: 200 });
        assert_eq!(limits.classroom_rate(), Rate { per_second: 100, burst: 400 });
        assert_eq!(limits.canvas_rate(), limits.classroom_rate());
        assert_eq!((limits.max_connections, limits.max_connections_per_address), (2000, 1000));
        assert!(Networks::parse(&limits.trusted_proxies).is_ok());
        assert_eq!((limits.egress_limit_bytes, limits.registrations_per_address), (None, 2000));
        assert_eq!(limits.send_memory, None);
    }

    #[test]
    fn each_limit_has_its_flag() {
        let limits = parse(&[
            "--max-connections=1",
            "--max-connections-per-address=2",
            "--trusted-proxies=none",
            "--header-timeout=0.5",
            "--native-message-rate=3",
            "--classroom-message-rate=4",
            "--canvas-message-rate=5",
            "--max-boards=6",
            "--max-elements=7",
            "--max-board-bytes=8",
            "--max-element-bytes=9",
            "--max-message-bytes=10",
            "--max-file-bytes=11",
            "--max-board-file-bytes=12",
            "--disk-low-percent=13",
            "--disk-full-percent=14",
            "--egress-limit-bytes=15",
            "--registrations-per-address=16",
            "--send-memory=17M",
            "--new-boards-per-address=18",
        ])
        .unwrap();
        let expected =
            Limits { elements: 7, bytes: 8, element_bytes: 9, message_bytes: 10, file_bytes: 11, files_bytes: 12 };
        assert_eq!(limits.board(), expected);
        assert_eq!(limits.marks(), Marks { low_percent: 13, full_percent: 14, boards: 6, boards_per_address: 18 });
        let rates = [limits.native_rate(), limits.classroom_rate(), limits.canvas_rate()];
        assert_eq!(rates.map(|rate| rate.per_second), [3, 4, 5]);
        assert_eq!((limits.max_connections, limits.max_connections_per_address), (1, 2));
        assert_eq!((limits.trusted_proxies.as_str(), limits.egress_limit_bytes), ("none", Some(15)));
        assert_eq!(limits.header_timeout, Duration::from_millis(500));
        assert_eq!((limits.registrations_per_address, limits.send_memory), (16, Some(17 << 20)));
    }

    #[test]
    fn marks_of_the_disk_in_the_wrong_order_are_refused() {
        for (low, full, fine) in [(90, 97, true), (101, 101, true), (97, 97, true), (98, 97, false), (101, 100, false)]
        {
            let checked = parse(&[&*format!("--disk-low-percent={low}"), &*format!("--disk-full-percent={full}")])
                .unwrap()
                .check();
            assert_eq!(checked.is_ok(), fine, "{low} {full}");
            assert!(checked.err().is_none_or(|sentence| sentence.starts_with("DISK_LOW_PERCENT: ")));
        }
    }

    #[test]
    fn bytes_may_have_a_unit() {
        for (text, expected) in [
            ("0", Some(0)),
            (" 67108864 ", Some(64 << 20)),
            ("64M", Some(64 << 20)),
            ("64 MiB", Some(64 << 20)),
            ("64Mi", Some(64 << 20)),
            ("64i", None),
            ("64MB", Some(64 << 20)),
            ("1k", Some(1024)),
            ("2T", Some(2 << 40)),
            ("", None),
            ("M", None),
            ("-1", None),
            ("1.5G", None),
            ("64B", None),
            ("64m", None),
            ("64 apples", None),
            ("99999999999T", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        for flag in [
            "--max-connections=0",
            "--max-connections-per-address=0",
            "--native-message-rate=0",
            "--max-elements=0",
            "--max-board-bytes=-1",
            "--disk-low-percent=300",
            "--header-timeout=0",
            "--send-memory=0",
            "--send-memory=100K",
            "--send-memory=lots",
            "--new-boards-per-address=-1",
            "--max-element-bytes=0M",
        ] {
            assert!(parse(&[flag]).is_err(), "{flag}");
        }
    }
}
