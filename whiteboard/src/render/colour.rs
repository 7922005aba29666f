//! Colours, and what dark mode makes of them.

use std::fmt;
use svgtypes::Color;

/// A colour with its opacity. Written, it is `#rrggbb` or `#rrggbbaa`: what a drawing says never gets into a file as
/// it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
    alpha: u8,
}

impl Colour {
    pub const BLACK: Self = Self { red: 0, green: 0, blue: 0, alpha: 255 };
    pub const TRANSPARENT: Self = Self { red: 0, green: 0, blue: 0, alpha: 0 };

    /// Reads a colour of CSS: `#rgb`, `#rrggbb`, with a or aa for opacity, `rgb()`, `hsl()`, names.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("transparent") {
            return Some(Self::TRANSPARENT);
        }
        let Color { red, green, blue, alpha } = text.parse().ok()?;
        Some(Self { red, green, blue, alpha })
    }

    pub fn is_transparent(self) -> bool {
        self.alpha == 0
    }

    /// Red, green, blue and opacity.
    pub fn parts(self) -> [u8; 4] {
        [self.red, self.green, self.blue, self.alpha]
    }

    /// The colour in dark mode: what the CSS filters `invert(93%) hue-rotate(180deg)` make of it.
    pub fn dark(self) -> Self {
        let invert = |part: u8| (f64::from(part) * 0.07 + (255.0 - f64::from(part)) * 0.93).round() / 255.0;
        let [r, g, b] = [self.red, self.green, self.blue].map(invert);
        // The matrix of hue-rotate for half a turn.
        let part = |of_r: f64, of_g: f64, of_b: f64| {
            ((of_r * r + of_g * g + of_b * b) * 255.0).round().clamp(0.0, 255.0) as u8
        };
        Self {
            red: part(-0.574, 1.43, 0.144),
            green: part(0.426, 0.43, 0.144),
            blue: part(0.426, 1.43, -0.856),
            alpha: self.alpha,
        }
    }

    /// The colour, or what it is in dark mode.
    pub fn shown(self, dark: bool) -> Self {
        if dark { self.dark() } else { self }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { red, green, blue, alpha } = self;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")?;
        if *alpha < 255 { write!(formatter, "{alpha:02x}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_written() {
        for (text, expected) in [
            ("#1e1e1e", Some("#1e1e1e")),
            ("#FFF", Some("#ffffff")),
            ("#ffc9c980", Some("#ffc9c980")),
            ("transparent", Some("#00000000")),
            ("#fff0", Some("#ffffff00")),
            ("red", Some("#ff0000")),
            ("rgb(1, 2, 3)", Some("#010203")),
            ("hsl(120, 100%, 50%)", Some("#00ff00")),
            ("", None),
            ("url(#a)", None),
            ("red\" onload=\"alert(1)", None),
        ] {
            assert_eq!(Colour::parse(text).map(|colour| colour.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn dark_mode_is_that_of_excalidraw() {
        // What `applyDarkModeFilter` of Excalidraw's source gives.
        for (light, dark) in [
            ("#1e1e1e", "#d3d3d3"),
            ("#ffffff", "#121212"),
            ("#e03131", "#ff8383"),
            ("#2f9e44", "#39994b"),
            ("#1971c2", "#56a2e8"),
            ("#ffc9c9", "#5a2c2c"),
            ("#00000080", "#ededed80"),
        ] {
            assert_eq!(Colour::parse(light).unwrap().dark().to_string(), dark, "{light}");
        }
    }
}
