//! Bytes as text.

use std::fmt::Write;

/// Two lower-case digits a byte.
pub fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A short fingerprint of a text: 16 digits of its SHA-256. Tells changes, keeps no secrets.
pub fn fingerprint(text: &str) -> String {
    use sha2::{Digest, Sha256};
    hex(Sha256::digest(text).into_iter().take(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        assert_eq!(hex([0, 10, 255]), "000aff");
        // SHA-256 of the empty text, FIPS 180-4.
        assert_eq!(fingerprint(""), "e3b0c44298fc1c14");
    }
}
