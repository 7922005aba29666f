//! What the members of an object may be (contract: x and y within ±10000, width and height in (0, 10000], rotation
//! 0 to 360, colours `#RGB` or `#RRGGBB`). Members that are not named here are kept as they are.

use serde_json::value::RawValue;

/// Bytes of an object's id.
pub const ID_BYTES: usize = 128;

/// Farthest coordinate.
const FAR: f64 = 10_000.0;

/// Bytes that a number may be written with; the longest that a browser writes has 25.
const NUMBER_BYTES: usize = 64;

/// The kinds of objects.
const TYPES: [&str; 3] = ["rectangle", "circle", "text"];

/// What is wrong with a value, as the end of a sentence that begins with its key.
type Fault = String;

/// Reads an object's id.
pub fn id(value: Option<&RawValue>) -> Result<String, Fault> {
    let id: String = string(value).ok_or("must be a text")?;
    if id.is_empty() || id.len() > ID_BYTES {
        return Err(format!("must have 1 to {ID_BYTES} bytes"));
    }
    Ok(id)
}

/// Checks one member; none: it is missing. `null` is as good as missing where a member may be missing.
pub fn check(key: &str, value: Option<&RawValue>, is_needed: bool) -> Result<(), Fault> {
    let value = value.filter(|value| value.get() != "null");
    let Some(value) = value else {
        return if is_needed { Err("is missing".to_owned()) } else { Ok(()) };
    };
    match key {
        "type" => match string(Some(value)) {
            Some(kind) if TYPES.contains(&kind.as_str()) => Ok(()),
            _ => Err("must be rectangle, circle or text".to_owned()),
        },
        "x" | "y" => within(value, |n| n.abs() <= FAR, "must be a number from -10000 to 10000"),
        "width" | "height" | "radius" => {
            within(value, |n| n > 0.0 && n <= FAR, "must be a number above 0, at most 10000")
        }
        "fontSize" => within(value, |n| n > 0.0 && n <= FAR, "must be a number above 0, at most 10000"),
        "rotation" => within(value, |n| (0.0..=360.0).contains(&n), "must be a number from 0 to 360"),
        "color" => match string(Some(value)) {
            Some(color) if is_color(&color) => Ok(()),
            _ => Err("must be a colour such as #f80 or #ff8800".to_owned()),
        },
        // Not read: half a surrogate pair, which a browser may cut off, is a text too.
        "text" if !value.get().starts_with('"') => Err("must be a text".to_owned()),
        _ => Ok(()),
    }
}

/// The members that an object of this type cannot be drawn without.
pub fn needed(kind: &str) -> &'static [&'static str] {
    match kind {
        "rectangle" => &["x", "y", "width", "height"],
        "circle" => &["x", "y", "radius"],
        _ => &["x", "y", "text"],
    }
}

/// Whether a text is `#RGB` or `#RRGGBB`.
pub fn is_color(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('#') else { return false };
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a value is a number of sane length.
pub fn is_number(value: &RawValue) -> bool {
    number(value).is_some()
}

/// A text; none if it is anything else.
pub fn string(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

fn number(value: &RawValue) -> Option<f64> {
    let text = value.get();
    let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if !begins || text.len() > NUMBER_BYTES {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn within(value: &RawValue, fits: impl Fn(f64) -> bool, fault: &str) -> Result<(), Fault> {
    if number(value).is_some_and(fits) { Ok(()) } else { Err(fault.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_member_has_its_range() {
        for (key, good, bad) in [
            (
                "x",
                &["0", "-10000", "10000", "1e4", "0.5", "-0", "null"][..],
                &["10000.01", "-1e5", "1e999", "\"1\"", "[]", "{}", "true"][..],
            ),
            ("y", &["-9999.999"], &["10001", "-10001"]),
            ("width", &["0.0001", "10000"], &["0", "-0", "-1", "10001", "\"5\"", "false"]),
            ("height", &["1"], &["0", "1e5"]),
            ("radius", &["1"], &["0", "-3"]),
            ("fontSize", &["12"], &["0", "\"12px\""]),
            ("rotation", &["0", "360", "359.9"], &["-0.1", "360.1", "\"90\""]),
            (
                "color",
                &["\"#fff\"", "\"#FFAA00\"", "\"\\u0023abc\""],
                &["\"#ggg\"", "\"#ffff\"", "\"fff\"", "\"#12345é\"", "\"\"", "1", "\"#FF 000\""],
            ),
            ("type", &["\"rectangle\"", "\"circle\"", "\"text\""], &["\"Rectangle\"", "\"star\"", "1", "\"\""]),
            ("text", &["\"\"", "\"hello\"", "\"\\ud800\""], &["1", "[]", "false"]),
            ("anything", &["{}", "[]", "false", "null", "\"\""], &[]),
        ] {
            for value in good {
                assert_eq!(check(key, Some(&raw(value)), false), Ok(()), "{key} {value}");
            }
            for value in bad {
                assert!(check(key, Some(&raw(value)), false).is_err(), "{key} {value}");
            }
        }
        let long = raw(&format!("1{}", "0".repeat(64)));
        assert!(!is_number(&long) && !is_number(&raw("\"1\"")) && is_number(&raw("-12.5e3")));
    }

    #[test]
    fn what_is_needed_must_be_there() {
        assert_eq!(check("x", None, true).unwrap_err(), "is missing");
        assert_eq!(check("x", Some(&raw("null")), true).unwrap_err(), "is missing");
        assert_eq!(check("rotation", None, false), Ok(()));
        for kind in TYPES {
            assert!(needed(kind).starts_with(&["x", "y"]), "{kind}");
        }
    }

    #[test]
    fn ids_are_short_texts() {
        assert_eq!(id(Some(&raw("\"Obj-1\""))).unwrap(), "Obj-1");
        for wrong in ["\"\"", "1", "null", "[\"a\"]", &format!("\"{}\"", "x".repeat(ID_BYTES + 1))] {
            assert!(id(Some(&raw(wrong))).is_err(), "{wrong}");
        }
        assert!(id(None).is_err());
    }
}
