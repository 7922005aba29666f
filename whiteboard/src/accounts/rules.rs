//! What an e-mail address, a user name and a password may be.

/// Bytes of the longest address that mail servers take.
const EMAIL_BYTES: usize = 254;

/// Characters of a user name.
const USERNAME: std::ops::RangeInclusive<usize> = 3..=30;

/// Fewest characters, and most bytes, of a password. Hashing takes as long for any of them.
const PASSWORD_CHARACTERS: usize = 8;
const PASSWORD_BYTES: usize = 1024;

/// An address as it is compared: in lower case; none if it is no address.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, host) = text.rsplit_once('@')?;
    let is_host = host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty());
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let good = !name.is_empty() && !name.contains('@') && is_host && is_plain && text.len() <= EMAIL_BYTES;
    good.then(|| text.to_lowercase())
}

/// Whether this may be a user name: 3 to 30 letters, digits, `_` and `-`.
pub fn is_username(text: &str) -> bool {
    USERNAME.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Whether this may be a password: 8 characters at least.
pub fn is_password(text: &str) -> bool {
    text.len() <= PASSWORD_BYTES && text.chars().count() >= PASSWORD_CHARACTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_in_lower_case() {
        for (text, expected) in [
            ("Ann@School.Example", Some("ann@school.example")),
            (" a+b@c.de ", Some("a+b@c.de")),
            ("a@b.c.d", Some("a@b.c.d")),
            ("a", None),
            ("a@b", None),
            ("@b.c", None),
            ("a@b.", None),
            ("a@.c", None),
            ("a@b@c.de", None),
            ("a b@c.de", None),
            ("a@c.de\u{7}x", None),
            ("", None),
        ] {
            assert_eq!(email(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(email(&format!("{}@b.cd", "a".repeat(EMAIL_BYTES))), None);
    }

    #[test]
    fn names_and_passwords_have_their_lengths() {
        for (text, good) in [
            ("ann", true),
            ("Ann_B-2", true),
            ("an", false),
            (&"a".repeat(30), true),
            (&"a".repeat(31), false),
            ("änn", false),
            ("a n", false),
            ("<b>", false),
        ] {
            assert_eq!(is_username(text), good, "{text}");
        }
        for (text, good) in [
            ("12345678", true),
            ("1234567", false),
            ("ääääääää", true),
            ("äääää", false),
            (&"x".repeat(1024), true),
            (&"x".repeat(1025), false),
        ] {
            assert_eq!(is_password(text), good, "{text}");
        }
    }
}
