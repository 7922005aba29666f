//! Numbers as SVG has them.

use std::fmt::Write as _;

/// Appends a number with at most two decimals, without zeros at the end.
pub fn push(text: &mut String, number: f64) {
    push_rounded(text, (number * 100.0).round() / 100.0);
}

/// Appends a number with its third decimal and those after it cut off.
pub fn push_cut(text: &mut String, number: f64) {
    push_rounded(text, (number * 100.0).trunc() / 100.0);
}

fn push_rounded(text: &mut String, number: f64) {
    // A negative zero would be two characters more, and nothing else.
    let number = if number == 0.0 || !number.is_finite() { 0.0 } else { number };
    // Writing to a String cannot fail.
    let _ = write!(text, "{number}");
}

/// A number with at most two decimals.
pub fn two(number: f64) -> String {
    let mut text = String::new();
    push(&mut text, number);
    text
}

/// A number with at most six decimals, for angles, factors and opacities.
pub fn six(number: f64) -> String {
    let mut text = String::new();
    push_rounded(&mut text, (number * 1e6).round() / 1e6);
    text
}

/// Text between tags or in an attribute: what XML reserves is escaped, what it forbids is left out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, rounded, cut) in [
            (0.0, "0", "0"),
            (-0.001, "0", "0"),
            (1.0, "1", "1"),
            (1.006, "1.01", "1"),
            (-2.349, "-2.35", "-2.34"),
            (1e7, "10000000", "10000000"),
            (f64::NAN, "0", "0"),
            (f64::INFINITY, "0", "0"),
        ] {
            let mut text = String::new();
            push_cut(&mut text, number);
            assert_eq!((two(number).as_str(), text.as_str()), (rounded, cut), "{number}");
        }
        assert_eq!(six(1.0 / 3.0), "0.333333");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b>&\"c\"\u{0}\u{8}\td"), "a&lt;b&gt;&amp;&quot;c&quot; d");
    }
}
