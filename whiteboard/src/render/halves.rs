//! Half a surrogate pair in a JSON text: what an editor leaves behind that cuts a text between the two halves of an emoji.
//! Boards keep it as it was written; no text of pictures can have it.

use std::borrow::Cow;

/// A JSON text in which each such half is U+FFFD, the character for what cannot be shown.
pub fn replaced(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut written: Option<Vec<u8>> = None;
    let mut place = 0;
    while let Some(step) = bytes.get(place..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        place += step;
        let halves = (unit(bytes, place), unit(bytes, place + 6));
        place += match halves {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                written.get_or_insert_with(|| bytes.to_vec())[place + 2..place + 6].copy_from_slice(b"fffd");
                6
            }
            // Another escape; what it stands for may be a backslash, so it is passed over with it.
            _ => 2,
        };
    }
    // Only whole letters of ASCII were replaced.
    written.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The UTF-16 unit of an escape (`\u` and four digits) at this place, if there is one.
fn unit(bytes: &[u8], place: usize) -> Option<u32> {
    let digits = bytes.get(place..place + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_are_replaced_and_pairs_stay() {
        for (json, expected) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""a\uD83Db\uDE00""#, r#""a\ufffdb\ufffd""#),
            (r#""\ud83d\ude00\ud83d""#, r#""\ud83d\ude00\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ude00\ud83d\n""#, r#""\ufffd\ufffd\n""#),
            (r#""\\ud83d \\\ud83d é""#, r#""\\ud83d \\\ufffd é""#),
            (r#""\u00e9 \ud7ff \ue000""#, r#""\u00e9 \ud7ff \ue000""#),
            (r#"{"\udc00":[7]}"#, r#"{"\ufffd":[7]}"#),
            ("\"\\ud8", "\"\\ud8"),
            ("\\", "\\"),
            ("", ""),
        ] {
            assert_eq!(replaced(json), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_units_are_a_text_afterwards(units in prop::collection::vec(prop_oneof![0xd7f0..0xe010_u16, any::<u16>()], 0..9)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text: String = serde_json::from_str(&replaced(&format!("\"{}\"", escapes.concat()))).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
