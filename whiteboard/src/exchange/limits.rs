//! How much of a file is accepted, checked before memory is spent on it.

use super::ExchangeError;

/// The most that is read of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole file.
    pub bytes: usize,
    /// Elements, deleted ones counted.
    pub elements: usize,
    /// Bytes of one element.
    pub element_bytes: usize,
    /// Levels of objects and lists inside each other.
    pub depth: usize,
    /// Images.
    pub files: usize,
    /// Bytes of one image, decoded.
    pub file_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            elements: 50_000,
            element_bytes: 1 << 20,
            depth: 64,
            files: 1_000,
            file_bytes: 16 << 20,
        }
    }
}

impl Limits {
    /// Checks what can be known without understanding the text.
    pub(super) fn check(&self, text: &[u8]) -> Result<(), ExchangeError> {
        if text.len() > self.bytes {
            return Err(ExchangeError::Bytes { bytes: text.len(), limit: self.bytes });
        }
        if depth(text) > self.depth {
            return Err(ExchangeError::Depth { limit: self.depth });
        }
        Ok(())
    }
}

/// How deep brackets go in a JSON text. In a text that is not JSON the answer is of no use, and harmless.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (text, expected) in [
            ("", 0),
            ("1", 0),
            ("[]", 1),
            ("[[],{}]", 2),
            (r#"{"a":[{"b":1}]}"#, 3),
            (r#"["[[[[", "\"[[["]"#, 1),
            (r#"["\\",[1]]"#, 2),
            ("]]]][", 1),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_refused() {
        let limits = Limits { bytes: 10, depth: 2, ..Limits::default() };
        assert_eq!(limits.check(b"[[1]]"), Ok(()));
        assert_eq!(limits.check(b"[[[]]]"), Err(ExchangeError::Depth { limit: 2 }));
        assert_eq!(limits.check(b"[1,2,3,4,5]"), Err(ExchangeError::Bytes { bytes: 11, limit: 10 }));
    }
}
