//! What a session is known by.

use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

/// Bytes of chance in a token.
const BYTES: usize = 32;

/// A session's secret, 64 hexadecimal digits. Whoever has it is that person; the disk has its hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one; fails where the system has no chance to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        let mut text = String::with_capacity(2 * BYTES);
        for byte in bytes {
            // Writing into a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// What somebody shows as a token; none if it cannot be one.
    pub fn shown(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then(|| Self(text.to_ascii_lowercase()))
    }

    /// The text that the person's browser keeps.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is on disk. The token is chance enough: no salt and no slow hash is needed.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_read_back() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(one.text(), other.text());
        assert_ne!(one.hash(), other.hash());
        let shown = Token::shown(&format!(" {} ", one.text().to_uppercase())).unwrap();
        assert_eq!((&shown, shown.hash()), (&one, one.hash()));
        assert!(!format!("{one:?}").contains(&one.text()[..8]), "not in any log");
        for text in ["", "null", "undefined", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert!(Token::shown(text).is_none(), "{text}");
        }
    }
}
