//! Order keys (fractional indices): texts that sort as the elements lie above each other.
//!
//! The form is the one of Excalidraw (after David Greenspan's "Implementing Fractional Indexing"): a head letter says
//! how many digits the whole part has (`a` one, `b` two, …; `Z` one, `Y` two, … below zero), digits after it are the
//! fraction. Here keys are only ever made above others, so a new key has a fraction only above the largest whole number.

/// The digits, in the order of ASCII.
pub(super) const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many characters the whole part has, the head letter counted.
fn whole_length(head: u8) -> Option<usize> {
    match head {
        b'a'..=b'z' => Some(usize::from(head - b'a') + 2),
        b'A'..=b'Z' => Some(usize::from(b'Z' - head) + 2),
        _ => None,
    }
}

/// Characters of the whole parts with the most digits.
const LARGEST: usize = 27;

/// Whether a key has the largest whole part.
fn is_largest(key: &[u8]) -> bool {
    key.get(..LARGEST).is_some_and(|whole| whole.iter().all(|&digit| digit == b'z'))
}

/// Whether a text is an order key: its whole part is complete, its fraction does not end in a zero.
pub fn is_valid(key: &str) -> bool {
    let bytes = key.as_bytes();
    let Some(length) = bytes.first().copied().and_then(whole_length) else { return false };
    let smallest = bytes[0] == b'A' && bytes[1..].iter().all(|&byte| byte == b'0');
    bytes.len() >= length
        && bytes[1..].iter().all(u8::is_ascii_alphanumeric)
        && (bytes.len() == length || !key.ends_with('0'))
        && !smallest
}

/// Keys one after the other, each above the last.
#[derive(Debug)]
pub struct Above {
    /// The key last given out, or the whole part of the one to start above; all of it if it has the largest whole part.
    last: Option<Vec<u8>>,
}

impl Above {
    /// Keys above `key`, or from the first one on (`a0`) if there is none or if it is not a key.
    pub fn new(key: Option<&str>) -> Self {
        let last = key.filter(|key| is_valid(key)).and_then(|key| {
            let whole = key.as_bytes().get(..whole_length(*key.as_bytes().first()?)?)?;
            // Above another whole part there is a greater one; above this one only a greater fraction.
            Some(if is_largest(whole) { key.as_bytes() } else { whole }.to_vec())
        });
        Self { last }
    }

    /// The next key.
    pub fn next_key(&mut self) -> String {
        let next = self.last.take().map_or_else(|| b"a0".to_vec(), increment);
        let key = String::from_utf8_lossy(&next).into_owned();
        self.last = Some(next);
        key
    }
}

/// The whole number after this one. The largest of all (27 `z`) has none: a digit is put behind it, which sorts above; from
/// there on the fraction grows.
fn increment(mut whole: Vec<u8>) -> Vec<u8> {
    if is_largest(&whole) {
        let after = |last: u8| DIGITS.iter().skip_while(|&&digit| digit != last).nth(1);
        match whole.get(LARGEST..).and_then(<[u8]>::last).and_then(|&last| after(last)) {
            Some(&digit) => _ = whole.splice(whole.len() - 1.., [digit]),
            // Behind a `z`, too.
            None => whole.push(b'V'),
        }
        return whole;
    }
    for place in (1..whole.len()).rev() {
        match DIGITS.iter().position(|&digit| digit == whole[place]) {
            Some(61) | None => whole[place] = b'0',
            Some(digit) => {
                whole[place] = DIGITS[digit + 1];
                return whole;
            }
        }
    }
    // Every digit was the last: the head moves on, and with it the number of digits.
    match whole[0] {
        b'Z' => b"a0".to_vec(),
        head => {
            whole[0] = head + 1;
            if head >= b'a' {
                whole.push(b'0');
            } else {
                whole.pop();
            }
            whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_that_excalidraw_would_make() {
        for (above, expected) in [
            (None, "a0"),
            (Some("a0"), "a1"),
            (Some("a9"), "aA"),
            (Some("aZ"), "aa"),
            (Some("az"), "b00"),
            (Some("b0z"), "b10"),
            (Some("bzz"), "c000"),
            (Some("a1V"), "a2"),
            (Some("Zz"), "a0"),
            (Some("Yzz"), "Z0"),
            (Some("Zy"), "Zz"),
            (Some(""), "a0"),
            (Some("?"), "a0"),
            (Some("b0"), "a0"),
        ] {
            assert_eq!(Above::new(above).next_key(), expected, "{above:?}");
        }
    }

    #[test]
    fn validity() {
        for (key, valid) in [
            ("a0", true),
            ("a0V", true),
            ("b00", true),
            ("Zz", true),
            ("", false),
            ("a", false),
            ("0", false),
            ("b0", false),
            ("a0V0", false),
            ("a-", false),
            ("aé", false),
            ("A00000000000000000000000000", false),
        ] {
            assert_eq!(is_valid(key), valid, "{key}");
        }
    }

    #[test]
    fn ten_thousand_keys_ascend() {
        let mut keys = Above::new(Some("Yzx"));
        let made: Vec<String> = (0..10_000).map(|_| keys.next_key()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|key| is_valid(key)));
    }

    #[test]
    fn the_largest_number_of_all_is_passed() {
        let largest = format!("z{}", "z".repeat(26));
        let next = Above::new(Some(&largest)).next_key();
        assert!(next > largest && is_valid(&next), "{next}");
        for fraction in ["V", "b1h", "bz", "z", "zzz", &format!("{}b1h", "z".repeat(34))] {
            let mut last = format!("{largest}{fraction}");
            let mut above = Above::new(Some(&last));
            for _ in 0..200 {
                let next = above.next_key();
                assert!(next > last && is_valid(&next), "{next} above {last}");
                last = next;
            }
        }
    }

    proptest! {
        #[test]
        fn each_key_is_above_any_it_started_from(key in "([A-Za-z][0-9A-Za-z]{1,30}|z{27}[0-9A-Za-z]{0,9}[1-9A-Za-z]?)") {
            prop_assume!(is_valid(&key));
            let mut keys = Above::new(Some(&key));
            let (first, second) = (keys.next_key(), keys.next_key());
            prop_assert!(key < first && first < second, "{} {} {}", key, first, second);
            prop_assert!(is_valid(&first) && is_valid(&second));
        }
    }
}
