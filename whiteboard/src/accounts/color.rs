//! Colours of people who chose none.

/// Ten colours that can be told apart on white and on dark canvases.
const COLORS: [&str; 10] =
    ["#e6550d", "#3182bd", "#31a354", "#756bb1", "#d6336c", "#0c8599", "#b8860b", "#5f3dc4", "#2b8a3e", "#c2255c"];

/// The colour of the account of this number.
pub fn of(user: i64) -> &'static str {
    let place = usize::try_from(user.rem_euclid(10)).unwrap_or(0);
    COLORS[place]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::canvas::rules::is_color;

    #[test]
    fn everybody_has_a_colour_that_stays() {
        for user in [i64::MIN, -1, 0, 1, 9, 10, 12_345, i64::MAX] {
            assert!(is_color(of(user)), "{user}");
        }
        assert_eq!(of(3), of(13));
        assert_ne!(of(3), of(4));
    }
}
