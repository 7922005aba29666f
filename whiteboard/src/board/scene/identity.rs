//! Who is who on a native board.

use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;

/// A user's public id: the first 64 bits of SHA-256 of the user's key, written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

impl UserId {
    /// Whoever changes a board through the server's HTTP API instead of a key.
    pub const SERVER: Self = Self(0);
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is not 16 lower-case hexadecimal digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a user's id has 16 hexadecimal digits, this is not one: {0}")]
pub struct UserIdError(String);

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u64::from_str_radix(text, 16) {
            Ok(id) if digits => Ok(Self(id)),
            _ => Err(UserIdError(text.chars().take(40).collect())),
        }
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a client may do on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Teacher,
    /// Draw, unless the board is locked.
    Pupil,
    /// Look.
    Viewer,
}

impl Role {
    /// As PROTOCOL.md writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Pupil => "pupil",
            Self::Viewer => "viewer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_written_with_16_digits() {
        for (id, text) in [(0, "0000000000000000"), (0xab, "00000000000000ab"), (u64::MAX, "ffffffffffffffff")] {
            assert_eq!(UserId(id).to_string(), text);
            assert_eq!(text.parse(), Ok(UserId(id)));
        }
        for text in ["", "ab", "00000000000000AB", "+000000000000001", "00000000000000000", "zzzzzzzzzzzzzzzz"] {
            assert!(text.parse::<UserId>().is_err(), "{text}");
        }
    }
}
