//! The CollabCanvas dialect: JSON texts over a WebSocket, as the pages of three generations speak it.
//!
//! [`message`] reads what clients say, [`encode`] writes what canvases tell, [`socket`] is one connection from its first
//! message to its last, [`closing`] how it ends.

pub mod closing;
pub mod encode;
pub mod message;
pub mod pace;
pub mod socket;

/// Bytes of a canvas's name.
const NAME_BYTES: usize = 128;

/// Whether this may be the name of a canvas (contract: letters, digits and `-`).
pub fn is_canvas_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canvases_have_plain_names() {
        for (text, good) in [
            ("default-canvas", true),
            ("A1", true),
            (&"x".repeat(128), true),
            ("", false),
            ("a_b", false),
            ("a b", false),
            ("ä", false),
            ("a/b", false),
            (&"x".repeat(129), false),
        ] {
            assert_eq!(is_canvas_name(text), good, "{text}");
        }
    }
}
