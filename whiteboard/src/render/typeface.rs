//! Excalidraw's font families, and the fonts that stand for them here.

use super::font::Font;
use std::sync::OnceLock;

/// A font of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Typeface {
    /// By hand.
    Excalifont,
    /// Excalidraw's "normal".
    Nunito,
    /// Excalidraw's "code".
    ComicShanns,
    /// Excalidraw's display font.
    Lilita,
    /// In place of Helvetica and Liberation Sans, whose widths it has.
    Arimo,
    /// Excalidraw's older "code".
    Cascadia,
}

/// The order in which fonts are asked for a letter that the wanted one does not have.
const FALLBACKS: [Typeface; 3] = [Typeface::Arimo, Typeface::Excalifont, Typeface::Nunito];

/// Where a font's letters stand in a line, in thousandths of the size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    pub ascender: f64,
    pub descender: f64,
}

impl Typeface {
    #[cfg(test)]
    pub const ALL: [Self; 6] =
        [Self::Excalifont, Self::Nunito, Self::ComicShanns, Self::Lilita, Self::Arimo, Self::Cascadia];

    /// The font for one of Excalidraw's numbers.
    pub fn of(family: u32) -> Self {
        match family {
            2 | 9 => Self::Arimo,
            3 => Self::Cascadia,
            6 => Self::Nunito,
            7 => Self::Lilita,
            8 => Self::ComicShanns,
            _ => Self::Excalifont,
        }
    }

    /// The name that SVG files give the font.
    pub fn name(self) -> &'static str {
        match self {
            Self::Excalifont => "Excalifont",
            Self::Nunito => "Nunito",
            Self::ComicShanns => "Comic Shanns",
            Self::Lilita => "Excalidraw Display",
            Self::Arimo => "Arimo",
            Self::Cascadia => "Excalidraw Code",
        }
    }

    /// The font's name and, after it, what browsers may take for letters it does not have.
    pub fn stack(self) -> &'static str {
        match self {
            Self::Excalifont => "Excalifont, Xiaolai, sans-serif",
            Self::Nunito => "Nunito, sans-serif",
            Self::ComicShanns => "Comic Shanns, monospace",
            Self::Lilita => "Excalidraw Display, sans-serif",
            Self::Arimo => "Arimo, Helvetica, Arial, sans-serif",
            Self::Cascadia => "Excalidraw Code, monospace",
        }
    }

    /// The font's file.
    pub fn file(self) -> &'static [u8] {
        match self {
            Self::Excalifont => include_bytes!("fonts/Excalifont.ttf"),
            Self::Nunito => include_bytes!("fonts/Nunito.ttf"),
            Self::ComicShanns => include_bytes!("fonts/ComicShanns.ttf"),
            Self::Lilita => include_bytes!("fonts/Display.ttf"),
            Self::Arimo => include_bytes!("fonts/Arimo.ttf"),
            Self::Cascadia => include_bytes!("fonts/Code.ttf"),
        }
    }

    /// The font, looked into at the first use. Its file is part of the program: it takes no memory until then.
    pub fn font(self) -> Option<&'static Font<'static>> {
        static FONTS: [OnceLock<Option<Font<'static>>>; 6] = [const { OnceLock::new() }; 6];
        FONTS[self as usize].get_or_init(|| Font::parse(self.file())).as_ref()
    }

    /// What Excalidraw reckons with, also where the font here is another.
    pub fn metrics(family: u32) -> Metrics {
        let (ascender, descender) = match family {
            2 => (1577.0 / 2.048, -471.0 / 2.048),
            3 => (1900.0 / 2.048, -480.0 / 2.048),
            6 => (1011.0, -353.0),
            7 => (923.0, -220.0),
            8 => (750.0, -250.0),
            9 => (1854.0 / 2.048, -434.0 / 2.048),
            _ => (886.0, -374.0),
        };
        Metrics { ascender, descender }
    }

    /// The font that has a character, this one first, and its letter there.
    pub fn letter(self, character: char) -> Option<(Self, u16)> {
        std::iter::once(self).chain(FALLBACKS).find_map(|typeface| Some((typeface, typeface.font()?.glyph(character)?)))
    }
}
