//! One element of a board's list, kept as the text that a client sent.
//!
//! Elements are opaque: 30-digit integers, `1e21`, lone surrogate halves and unknown fields come back byte for byte.
//! What the server needs is only to recognise an element when a client sends it again inside the whole list.
//! JavaScript clients re-write numbers (`1e21` as `1e+21`), Python clients escape letters (`é` as `\u00e9`) and put
//! blanks after commas; so elements are compared by text first and by [`key_of`] their meaning second. When only the
//! meaning matches, the text that was there first stays: an old drawing never loses digits because a browser that
//! cannot hold them echoed it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

/// An element of a board. Cloning shares it; two clones are the *same* element, two equal texts are not.
#[derive(Clone, Debug)]
pub struct Stroke(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: Box<str>,
    key: OnceLock<u64>,
}

impl Stroke {
    /// A new element from valid JSON text.
    pub fn new(text: &str) -> Self {
        Self(Arc::new(Inner { text: text.into(), key: OnceLock::new() }))
    }

    /// The JSON text exactly as it was sent.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What the element means, independent of how its JSON is written. See [`key_of`].
    pub fn key(&self) -> u64 {
        *self.0.key.get_or_init(|| key_of(&self.0.text))
    }

    /// Whether both are one and the same element (not merely equal).
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A value that is equal for clones of one element only, as long as one of them lives.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// Writes a list of elements as a JSON array.
pub fn write_list(strokes: &[Stroke], out: &mut String) {
    out.reserve(strokes.iter().map(|stroke| stroke.text().len() + 1).sum::<usize>() + 2);
    out.push('[');
    for (index, stroke) in strokes.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(stroke.text());
    }
    out.push(']');
}

/// Length in bytes of what [`write_list`] writes.
pub fn list_len(strokes: &[Stroke]) -> usize {
    let separators = strokes.len().saturating_sub(1);
    2 + separators + strokes.iter().map(|stroke| stroke.text().len()).sum::<usize>()
}

/// A hash of what a JSON text means: blanks, the writing of numbers (compared as doubles) and escapes do not count,
/// the order of members does. Keyed at random for each process, so that nobody can prepare collisions.
pub fn key_of(json: &str) -> u64 {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    let mut hasher = KEYS.get_or_init(RandomState::new).build_hasher();
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => at + 1,
            b'"' => hash_string(bytes, at + 1, &mut hasher),
            b'-' | b'0'..=b'9' => hash_number(json, at, &mut hasher),
            byte => {
                hasher.write_u8(byte);
                at + 1
            }
        };
    }
    hasher.finish()
}

fn hash_number(json: &str, start: usize, hasher: &mut impl Hasher) -> usize {
    let rest = &json[start..];
    let length =
        rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len()).max(1);
    let value: f64 = rest[..length].parse().unwrap_or(f64::NAN);
    hasher.write_u8(b'#');
    // Browsers write -0 as 0.
    hasher.write_u64(if value == 0.0 { 0 } else { value.to_bits() });
    start + length
}

/// Hashes a string's characters from just behind its opening quote; returns the place behind the closing one.
fn hash_string(bytes: &[u8], start: usize, hasher: &mut impl Hasher) -> usize {
    hasher.write_u8(b'"');
    let mut at = start;
    while at < bytes.len() && bytes[at] != b'"' {
        if bytes[at] == b'\\' {
            at = hash_escape(bytes, at, hasher);
        } else {
            hasher.write_u8(bytes[at]);
            at += 1;
        }
    }
    // 0xFF is in no UTF-8 text: no two different sequences of strings hash the same bytes.
    hasher.write_u8(0xFF);
    at + 1
}

fn hash_escape(bytes: &[u8], at: usize, hasher: &mut impl Hasher) -> usize {
    let Some(&kind) = bytes.get(at + 1) else { return bytes.len() };
    let plain = match kind {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let Some(unit) = hex_unit(bytes, at + 2) else { return bytes.len() };
            let low = (bytes.get(at + 6..at + 8) == Some(b"\\u")).then(|| hex_unit(bytes, at + 8)).flatten();
            if let (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) = (unit, low) {
                hash_code_point(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), hasher);
                return at + 12;
            }
            hash_code_point(unit, hasher);
            return at + 6;
        }
        other => other,
    };
    hasher.write_u8(plain);
    at + 2
}

fn hex_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(at..at + 4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Hashes a code point as UTF-8 would write it; a lone surrogate half gets the three bytes that UTF-8 forbids.
fn hash_code_point(point: u32, hasher: &mut impl Hasher) {
    if let Some(character) = char::from_u32(point) {
        let mut buffer = [0; 4];
        for byte in character.encode_utf8(&mut buffer).bytes() {
            hasher.write_u8(byte);
        }
    } else {
        hasher.write_u8(0xED);
        hasher.write_u32(point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write;

    #[test]
    fn the_same_meaning_has_the_same_key() {
        for (one, other) in [
            (r#"{"a":1}"#, r#"{ "a" : 1.0 }"#),
            ("1e21", "1000000000000000000000"),
            ("1e+21", "1E21"),
            ("0", "-0"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
            (r#""\u00e9""#, r#""é""#),
            (r#""\ud83d\ude00""#, r#""😀""#),
            (r#""\/""#, r#""/""#),
            (r#""\u000a""#, r#""\n""#),
            (r#""\ud800""#, r#""\uD800""#),
        ] {
            assert_eq!(key_of(one), key_of(other), "{one} and {other}");
        }
    }

    #[test]
    fn another_meaning_has_another_key() {
        let all = [
            "0",
            "1",
            "null",
            "true",
            "false",
            r#""1""#,
            "[1]",
            "[[1]]",
            "[1,1]",
            r#"{"a":1}"#,
            r#"{"b":1}"#,
            "0.1",
            r#"["ab",""]"#,
            r#"["a","b"]"#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\ud800""#,
            "[]",
            "{}",
            "[11]",
        ];
        for (i, one) in all.iter().enumerate() {
            for other in &all[i + 1..] {
                assert_ne!(key_of(one), key_of(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_list_is_written_as_it_came() {
        let texts = ["1e21", r#"{ "deep" : "\ud800" }"#, "123456789012345678901234567890"];
        let strokes: Vec<_> = texts.iter().map(|text| Stroke::new(text)).collect();
        let mut out = String::new();
        write_list(&strokes, &mut out);
        assert_eq!(out, r#"[1e21,{ "deep" : "\ud800" },123456789012345678901234567890]"#);
        assert_eq!(out.len(), list_len(&strokes));
        assert_eq!(list_len(&[]), 2);
    }

    #[test]
    fn equal_elements_are_not_the_same_element() {
        let (one, other) = (Stroke::new("1"), Stroke::new("1"));
        assert!(one.is(&one.clone()) && !one.is(&other));
        assert_eq!(one.identity(), one.clone().identity());
        assert_ne!(one.identity(), other.identity());
    }

    proptest! {
        /// However a value is written, its key is the same: compact, with blanks, with all letters escaped.
        #[test]
        fn writing_does_not_matter(text in any::<String>(), number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            let value = serde_json::json!({ text.clone(): [number, text, null] });
            let compact = value.to_string();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let mut escaped = String::new();
            for c in compact.chars() {
                if c.is_ascii() {
                    escaped.push(c);
                } else {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(escaped, "\\u{unit:04x}").unwrap();
                    }
                }
            }
            prop_assert_eq!(key_of(&compact), key_of(&pretty));
            prop_assert_eq!(key_of(&compact), key_of(&escaped));
        }

        /// The hash walks any text without leaving it.
        #[test]
        fn never_panics(text in any::<String>()) {
            key_of(&text);
        }
    }
}
