//! Whether the disk, and the number of boards, leave room for something new.

use super::address::Household;
use super::attempts::Attempts;
use crate::board::core::Refusal;
use crate::store::BoardName;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// In how long a time the new boards of an address are counted.
const WINDOW: Duration = Duration::from_hours(1);

/// From how full on things are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Percent of the disk in use from which on new boards are refused; drawing goes on.
    pub low_percent: u8,
    /// Percent of the disk in use from which on changes are refused; reading, exporting and backups go on.
    pub full_percent: u8,
    /// Boards that may be on disk.
    pub boards: u64,
    /// New boards that one address may begin within an hour; 0 is no limit.
    pub boards_per_address: u32,
}

impl Default for Marks {
    fn default() -> Self {
        Self { low_percent: 90, full_percent: 97, boards: 10_000, boards_per_address: 200 }
    }
}

/// How full the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ample,
    /// No new boards.
    Low,
    /// No changes.
    Full,
}

impl Level {
    /// One word for people and their monitoring.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ample => "ample",
            Self::Low => "almost full",
            Self::Full => "full",
        }
    }
}

impl Marks {
    /// The level at so many free bytes of a disk. A disk of unknown size is ample: the database tells when it is not.
    pub fn level(self, free: u64, size: u64) -> Level {
        if size == 0 {
            return Level::Ample;
        }
        let used = u128::from(size.saturating_sub(free)) * 100;
        let above = |percent: u8| used >= u128::from(percent) * u128::from(size);
        if above(self.full_percent) {
            Level::Full
        } else if above(self.low_percent) {
            Level::Low
        } else {
            Level::Ample
        }
    }
}

/// The new boards of the last hour.
#[derive(Debug)]
struct Begun {
    boards: Attempts<Household>,
    /// Boards, as their hashes, that count already: who comes back to a code on which nobody has drawn yet, or comes with a
    /// class to a new one, begins no other board.
    known: Attempts<(Household, u64)>,
}

/// What all rooms ask before something new. Measured from time to time, read without waiting.
#[derive(Debug)]
pub struct Space {
    marks: Marks,
    level: AtomicU8,
    begun: Mutex<Begun>,
    start: Instant,
}

impl Space {
    pub fn new(marks: Marks) -> Self {
        let begun = Mutex::new(Begun {
            boards: Attempts::new(marks.boards_per_address, WINDOW),
            known: Attempts::new(1, WINDOW),
        });
        Self { marks, level: AtomicU8::new(Level::Ample as u8), begun, start: Instant::now() }
    }

    /// Notes how full the disk is; returns the level if it is another one than before.
    pub fn measured(&self, free: u64, size: u64) -> Option<Level> {
        let level = self.marks.level(free, size);
        (self.level.swap(level as u8, Ordering::Relaxed) != level as u8).then_some(level)
    }

    /// The level last measured.
    pub fn level(&self) -> Level {
        match self.level.load(Ordering::Relaxed) {
            0 => Level::Ample,
            1 => Level::Low,
            _ => Level::Full,
        }
    }

    /// Whether changes are refused.
    pub fn is_full(&self) -> bool {
        self.level() == Level::Full
    }

    /// Whether somebody may begin a new board while there are so many; it counts for who begins it, once an hour for
    /// a board with this `name`. Who has no address of their own is not counted.
    pub fn may_begin_board(
        &self,
        boards: u64,
        from: Option<Household>,
        name: Option<&BoardName>,
    ) -> Result<(), Refusal> {
        self.may_begin_board_at(boards, from, name, self.start.elapsed())
    }

    /// No board came of what was allowed to somebody without a name: it does not count.
    pub fn no_board_begun(&self, from: Option<Household>) {
        if let Some(from) = from {
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).boards.take_back(&from);
        }
    }

    fn may_begin_board_at(
        &self,
        boards: u64,
        from: Option<Household>,
        name: Option<&BoardName>,
        now: Duration,
    ) -> Result<(), Refusal> {
        match self.level() {
            Level::Full | Level::Low => return Err(Refusal::DiskLow),
            Level::Ample if boards >= self.marks.boards => return Err(Refusal::TooManyBoards),
            Level::Ample => {}
        }
        let Some(from) = from.filter(|_| self.marks.boards_per_address > 0) else { return Ok(()) };
        // Each change of the counters is a single call.
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let key = name.map(|name| (from, hash(name)));
        if key.is_some_and(|key| begun.known.begin(&key, now).is_err()) {
            return Ok(());
        }
        begun.boards.begin(&from, now).map_err(|_| {
            if let Some(key) = key {
                begun.known.clear(&key);
            }
            tracing::debug!(%from, "a new board was refused: there are too many of this address");
            Refusal::TooManyOfAddress
        })
    }
}

fn hash(name: &BoardName) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Default for Space {
    fn default() -> Self {
        Self::new(Marks::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_at_their_marks() {
        for (free, size, expected) in [
            (1000, 1000, Level::Ample),
            (101, 1000, Level::Ample),
            (100, 1000, Level::Low),
            (31, 1000, Level::Low),
            (30, 1000, Level::Full),
            (0, 1000, Level::Full),
            (0, 0, Level::Ample),
            (5000, 1000, Level::Ample),
            (u64::MAX / 20, u64::MAX, Level::Low),
        ] {
            assert_eq!(Marks::default().level(free, size), expected, "{free} of {size}");
        }
        let never = Marks { low_percent: 101, full_percent: 101, ..Marks::default() };
        assert_eq!(never.level(0, 1000), Level::Ample);
    }

    #[test]
    fn a_change_of_level_is_told_once_and_decides() {
        let space = Space::new(Marks { boards: 3, ..Marks::default() });
        for (free, told, full, new_board) in [
            (500, None, false, Ok(())),
            (80, Some(Level::Low), false, Err(Refusal::DiskLow)),
            (70, None, false, Err(Refusal::DiskLow)),
            (10, Some(Level::Full), true, Err(Refusal::DiskLow)),
            (400, Some(Level::Ample), false, Ok(())),
        ] {
            assert_eq!(space.measured(free, 1000), told, "{free}");
            assert_eq!((space.is_full(), space.may_begin_board(2, None, None)), (full, new_board), "{free}");
        }
        assert_eq!(space.may_begin_board(3, None, None), Err(Refusal::TooManyBoards));
    }

    #[test]
    fn an_address_begins_so_many_boards_an_hour() {
        let space = Space::new(Marks { boards: 9, boards_per_address: 2, ..Marks::default() });
        let address = |last: u8| Some(Household::of([192, 0, 2, last].into()));
        let many = Err(Refusal::TooManyOfAddress);
        for (minute, boards, from, expected) in [
            (0, 0, address(1), Ok(())),
            // What was refused for another reason does not count.
            (1, 9, address(1), Err(Refusal::TooManyBoards)),
            (2, 1, address(1), Ok(())),
            (3, 2, address(1), many),
            (4, 2, address(2), Ok(())),
            (5, 2, None, Ok(())),
            (6, 2, None, Ok(())),
            (7, 2, None, Ok(())),
            (59, 2, address(1), many),
            (60, 2, address(1), Ok(())),
        ] {
            let now = Duration::from_mins(minute);
            assert_eq!(space.may_begin_board_at(boards, from, None, now), expected, "minute {minute}");
        }
        let unlimited = Space::new(Marks { boards_per_address: 0, ..Marks::default() });
        assert!((0..1000).all(|_| unlimited.may_begin_board(0, address(1), None).is_ok()));
    }

    #[test]
    fn what_becomes_no_other_board_does_not_count() {
        let space = Space::new(Marks { boards_per_address: 2, ..Marks::default() });
        let from = Some(Household::of([192, 0, 2, 1].into()));
        let at = |name: &str, minute| {
            space.may_begin_board_at(0, from, Some(&BoardName::classroom(name)), Duration::from_mins(minute))
        };
        for _ in 0..5 {
            assert_eq!(at("physics", 0), Ok(()), "a class that comes to a new code");
            assert_eq!(space.may_begin_board_at(0, from, None, Duration::ZERO), Ok(()));
            space.no_board_begun(from);
        }
        for (name, minute, expected) in [
            ("chemistry", 1, Ok(())),
            ("biology", 2, Err(Refusal::TooManyOfAddress)),
            ("biology", 3, Err(Refusal::TooManyOfAddress)),
            ("physics", 59, Ok(())),
            ("biology", 60, Ok(())),
        ] {
            assert_eq!(at(name, minute), expected, "{name} in minute {minute}");
        }
    }
}
