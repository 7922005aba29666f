//! Whether the disk, and the number of boards, leave room for something new.

use crate::board::core::Refusal;
use std::sync::atomic::{AtomicU8, Ordering};

/// From how full on things are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Percent of the disk in use from which on new boards are refused; drawing goes on.
    pub low_percent: u8,
    /// Percent of the disk in use from which on changes are refused; reading, exporting and backups go on.
    pub full_percent: u8,
    /// Boards that may be on disk.
    pub boards: u64,
}

impl Default for Marks {
    fn default() -> Self {
        Self { low_percent: 90, full_percent: 97, boards: 10_000 }
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

/// What all rooms ask before something new. Measured from time to time, read without waiting.
#[derive(Debug)]
pub struct Space {
    marks: Marks,
    level: AtomicU8,
}

impl Space {
    pub fn new(marks: Marks) -> Self {
        Self { marks, level: AtomicU8::new(Level::Ample as u8) }
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

    /// Whether a new board may begin while there are so many.
    pub fn may_begin_board(&self, boards: u64) -> Result<(), Refusal> {
        match self.level() {
            Level::Full | Level::Low => Err(Refusal::DiskLow),
            Level::Ample if boards >= self.marks.boards => Err(Refusal::TooManyBoards),
            Level::Ample => Ok(()),
        }
    }
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
            assert_eq!((space.is_full(), space.may_begin_board(2)), (full, new_board), "{free}");
        }
        assert_eq!(space.may_begin_board(3), Err(Refusal::TooManyBoards));
    }
}
