//! Fonts: outlines and widths of letters, read from TrueType files that are part of the program.
//!
//! Only what those files have is understood: `cmap` of format 4, `glyf` outlines, horizontal kerning. A damaged file
//! gives no letters; it never panics.

use super::geometry::{Point, at};

/// A step of a letter's outline, in units of the font; y grows upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stroke {
    Move(Point),
    Line(Point),
    /// A quadratic curve.
    Pulled(Point, Point),
    Close,
}

/// A font file, looked into.
#[derive(Debug)]
pub struct Font<'f> {
    tables: Vec<([u8; 4], &'f [u8])>,
    units: f64,
    glyphs: u16,
    long_offsets: bool,
    widths: u16,
}

/// How deep letters may be made of letters.
const NESTING: u8 = 5;

pub(super) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

pub(super) fn i16_at(data: &[u8], at: usize) -> Option<i16> {
    data.get(at..at + 2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
}

pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

impl<'f> Font<'f> {
    pub fn parse(data: &'f [u8]) -> Option<Self> {
        let count = usize::from(u16_at(data, 4)?);
        let mut tables = Vec::with_capacity(count);
        for place in 0..count {
            let record = data.get(12 + place * 16..28 + place * 16)?;
            let (from, length) = (u32_at(record, 8)? as usize, u32_at(record, 12)? as usize);
            tables.push(([record[0], record[1], record[2], record[3]], data.get(from..from.checked_add(length)?)?));
        }
        let mut font = Self { tables, units: 0.0, glyphs: 0, long_offsets: false, widths: 0 };
        let head = font.table(*b"head")?;
        font.units = f64::from(u16_at(head, 18)?);
        font.long_offsets = i16_at(head, 50)? != 0;
        font.glyphs = u16_at(font.table(*b"maxp")?, 4)?;
        font.widths = u16_at(font.table(*b"hhea")?, 34)?;
        (font.units > 0.0 && font.widths > 0).then_some(font)
    }

    pub fn table(&self, tag: [u8; 4]) -> Option<&'f [u8]> {
        self.tables.iter().find(|(name, _)| *name == tag).map(|(_, data)| *data)
    }

    pub fn long_offsets(&self) -> bool {
        self.long_offsets
    }

    pub fn glyph_count(&self) -> u16 {
        self.glyphs
    }

    /// Units a font size.
    pub fn units(&self) -> f64 {
        self.units
    }

    /// The letter of a character, if the font has it.
    pub fn glyph(&self, character: char) -> Option<u16> {
        let cmap = self.table(*b"cmap")?;
        let code = u16::try_from(u32::from(character)).ok()?;
        let count = usize::from(u16_at(cmap, 2)?);
        (0..count).find_map(|place| {
            let from = u32_at(cmap, 4 + place * 8 + 4)? as usize;
            let table = cmap.get(from..)?;
            if u16_at(table, 0)? == 4 { mapped(table, code) } else { None }
        })
    }

    /// How far the next letter is, in units.
    pub fn width(&self, glyph: u16) -> f64 {
        let place = usize::from(glyph.min(self.widths - 1)) * 4;
        self.table(*b"hmtx").and_then(|widths| u16_at(widths, place)).map_or(0.0, f64::from)
    }

    /// How much nearer than its width the next letter comes, in units (mostly below zero).
    pub fn kerning(&self, left: u16, right: u16) -> f64 {
        self.pair(left, right).map_or(0.0, f64::from)
    }

    fn pair(&self, left: u16, right: u16) -> Option<i16> {
        // One subtable of format 0: sorted pairs.
        let pairs = self.table(*b"kern")?.get(4..)?;
        let count = usize::from(u16_at(pairs, 6)?);
        let wanted = u32::from(left) << 16 | u32::from(right);
        let (mut least, mut most) = (0, count);
        while least < most {
            let middle = usize::midpoint(least, most);
            let place = 14 + middle * 6;
            match u32_at(pairs, place)?.cmp(&wanted) {
                std::cmp::Ordering::Equal => return i16_at(pairs, place + 4),
                std::cmp::Ordering::Less => least = middle + 1,
                std::cmp::Ordering::Greater => most = middle,
            }
        }
        None
    }

    /// The raw outline of a letter; empty for a space.
    pub fn glyph_data(&self, glyph: u16) -> Option<&'f [u8]> {
        let loca = self.table(*b"loca")?;
        let place = usize::from(glyph);
        let (from, to) = if self.long_offsets {
            (u32_at(loca, place * 4)? as usize, u32_at(loca, place * 4 + 4)? as usize)
        } else {
            (usize::from(u16_at(loca, place * 2)?) * 2, usize::from(u16_at(loca, place * 2 + 2)?) * 2)
        };
        self.table(*b"glyf")?.get(from..to)
    }

    /// The outline of a letter.
    pub fn outline(&self, glyph: u16) -> Vec<Stroke> {
        let mut strokes = Vec::new();
        // What could be read of a damaged outline is good enough.
        let _ = self.outline_into(glyph, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0], NESTING, &mut strokes);
        strokes
    }

    fn outline_into(&self, glyph: u16, matrix: [f64; 6], nesting: u8, strokes: &mut Vec<Stroke>) -> Option<()> {
        let data = self.glyph_data(glyph)?;
        if data.is_empty() {
            return Some(());
        }
        let contours = i16_at(data, 0)?;
        if contours >= 0 {
            return simple(data, contours.unsigned_abs(), matrix, strokes);
        }
        for part in Parts::of(data) {
            let nested = nesting.checked_sub(1)?;
            let [a, b, c, d, e, f] = part.matrix;
            let [p, q, r, s, t, u] = matrix;
            let joined =
                [p * a + r * b, q * a + s * b, p * c + r * d, q * c + s * d, p * e + r * f + t, q * e + s * f + u];
            self.outline_into(part.glyph, joined, nested, strokes)?;
        }
        Some(())
    }
}

/// The letter of a code in a `cmap` table of format 4.
fn mapped(table: &[u8], code: u16) -> Option<u16> {
    let segments = usize::from(u16_at(table, 6)?) / 2;
    let (ends, starts) = (14, 16 + segments * 2);
    let (deltas, offsets) = (starts + segments * 2, starts + segments * 4);
    let segment = (0..segments).find(|&segment| u16_at(table, ends + segment * 2).is_some_and(|end| end >= code))?;
    let start = u16_at(table, starts + segment * 2)?;
    let behind = code.checked_sub(start)?;
    let delta = u16_at(table, deltas + segment * 2)?;
    let place = offsets + segment * 2;
    let offset = usize::from(u16_at(table, place)?);
    let glyph = if offset == 0 {
        code.wrapping_add(delta)
    } else {
        match u16_at(table, place + offset + usize::from(behind) * 2)? {
            0 => 0,
            glyph => glyph.wrapping_add(delta),
        }
    };
    (glyph != 0).then_some(glyph)
}

/// A letter within a letter.
pub(super) struct LetterPart {
    pub glyph: u16,
    matrix: [f64; 6],
}

/// The letters that a letter is made of.
pub(super) struct Parts<'f> {
    data: &'f [u8],
    place: Option<usize>,
}

impl<'f> Parts<'f> {
    pub fn of(data: &'f [u8]) -> Self {
        let made_of_parts = i16_at(data, 0).is_some_and(|contours| contours < 0);
        Self { data, place: made_of_parts.then_some(10) }
    }

    fn read(&mut self, mut place: usize) -> Option<LetterPart> {
        let data = self.data;
        let flags = u16_at(data, place)?;
        let glyph = u16_at(data, place + 2)?;
        place += 4;
        let signed = |byte: u8| f64::from(byte.cast_signed());
        let (x, y) = if flags & 1 != 0 {
            place += 4;
            (f64::from(i16_at(data, place - 4)?), f64::from(i16_at(data, place - 2)?))
        } else {
            place += 2;
            (signed(*data.get(place - 2)?), signed(*data.get(place - 1)?))
        };
        // Parts that hang on points of others are not in our fonts; they are put at the corner.
        let (x, y) = if flags & 2 != 0 { (x, y) } else { (0.0, 0.0) };
        let mut number = || {
            place += 2;
            i16_at(data, place - 2).map(|number| f64::from(number) / 16_384.0)
        };
        let [a, b, c, d] = if flags & 8 != 0 {
            let scale = number()?;
            [scale, 0.0, 0.0, scale]
        } else if flags & 0x40 != 0 {
            [number()?, 0.0, 0.0, number()?]
        } else if flags & 0x80 != 0 {
            [number()?, number()?, number()?, number()?]
        } else {
            [1.0, 0.0, 0.0, 1.0]
        };
        self.place = (flags & 0x20 != 0).then_some(place);
        Some(LetterPart { glyph, matrix: [a, b, c, d, x, y] })
    }
}

impl Iterator for Parts<'_> {
    type Item = LetterPart;

    fn next(&mut self) -> Option<LetterPart> {
        let place = self.place.take()?;
        self.read(place)
    }
}

/// The outline of a letter that is not made of others.
fn simple(data: &[u8], contours: u16, matrix: [f64; 6], strokes: &mut Vec<Stroke>) -> Option<()> {
    let contours = usize::from(contours);
    let mut place = 10 + contours * 2;
    let ends: Vec<usize> =
        (0..contours).map(|contour| u16_at(data, 10 + contour * 2).map(usize::from)).collect::<Option<_>>()?;
    let Some(points) = ends.last().map(|last| last + 1) else { return Some(()) };
    place += 2 + usize::from(u16_at(data, place)?);
    let mut flags = Vec::with_capacity(points);
    while flags.len() < points {
        let flag = *data.get(place)?;
        place += 1;
        flags.push(flag);
        if flag & 8 != 0 {
            let times = usize::from(*data.get(place)?);
            place += 1;
            flags.extend(std::iter::repeat_n(flag, times.min(points - flags.len())));
        }
    }
    let mut coordinates = |short: u8, same: u8| {
        let mut last = 0.0;
        flags
            .iter()
            .map(|flag| {
                if flag & short != 0 {
                    let by = f64::from(*data.get(place)?);
                    place += 1;
                    last += if flag & same != 0 { by } else { -by };
                } else if flag & same == 0 {
                    last += f64::from(i16_at(data, place)?);
                    place += 2;
                }
                Some(last)
            })
            .collect::<Option<Vec<f64>>>()
    };
    let xs = coordinates(2, 16)?;
    let ys = coordinates(4, 32)?;
    let [a, b, c, d, e, f] = matrix;
    let point = |place: usize| at(a * xs[place] + c * ys[place] + e, b * xs[place] + d * ys[place] + f);
    let mut first = 0;
    for end in ends {
        // In a damaged font ends may lie anywhere.
        if end >= first && end < points {
            let corners: Vec<(Point, bool)> =
                (first..=end).map(|place| (point(place), flags[place] & 1 != 0)).collect();
            contour(&corners, strokes);
        }
        first = first.max(end + 1);
    }
    Some(())
}

/// One closed line. Of its points some lie on it, others pull it; between two that pull lies one in the middle.
fn contour(corners: &[(Point, bool)], strokes: &mut Vec<Stroke>) {
    let count = corners.len();
    let start = corners.iter().position(|(_, on)| *on).unwrap_or(0);
    let (first, on) = corners[start];
    let first = if on { first } else { first.towards(corners[(start + count - 1) % count].0, 0.5) };
    strokes.push(Stroke::Move(first));
    let mut pull: Option<Point> = (!on).then_some(corners[start].0);
    for step in 1..=count {
        let (point, on) = if step == count { (first, true) } else { corners[(start + step) % count] };
        match (pull, on) {
            (None, true) => strokes.push(Stroke::Line(point)),
            (None, false) => pull = Some(point),
            (Some(by), true) => {
                strokes.push(Stroke::Pulled(by, point));
                pull = None;
            }
            (Some(by), false) => {
                strokes.push(Stroke::Pulled(by, by.towards(point, 0.5)));
                pull = Some(point);
            }
        }
    }
    strokes.push(Stroke::Close);
}

#[cfg(test)]
mod tests {
    use super::super::subset::subset;
    use super::super::typeface::Typeface;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_font_has_letters_with_outlines() {
        for typeface in Typeface::ALL {
            let font = typeface.font().unwrap_or_else(|| panic!("{typeface:?}"));
            for character in ('!'..='~').chain(['é', 'Ä']) {
                let glyph = font.glyph(character).unwrap_or_else(|| panic!("{typeface:?} {character}"));
                assert!(font.width(glyph) > 0.0, "{typeface:?} {character}");
                let strokes = font.outline(glyph);
                assert_eq!(strokes.last(), Some(&Stroke::Close), "{typeface:?} {character}");
                let high = strokes.iter().filter_map(|stroke| match stroke {
                    Stroke::Move(to) | Stroke::Line(to) | Stroke::Pulled(_, to) => Some(to.y.abs().max(to.x.abs())),
                    Stroke::Close => None,
                });
                assert!(high.fold(0.0, f64::max) < font.units() * 2.0, "{typeface:?} {character}");
            }
            assert!(font.glyph(' ').is_some_and(|space| font.outline(space).is_empty()));
            assert_eq!((font.glyph('\u{e000}'), font.glyph('😀')), (None, None));
        }
    }

    #[test]
    fn a_letter_that_a_font_lacks_comes_from_another() {
        assert_eq!(Typeface::ComicShanns.font().unwrap().glyph('ß'), None);
        assert!(matches!(Typeface::ComicShanns.letter('ß'), Some((Typeface::Arimo, _))));
        assert_eq!(Typeface::ComicShanns.letter('漢'), None);
    }

    #[test]
    fn cyrillic_and_greek_are_there() {
        let text = "Привет Ελλάδα";
        for character in text.chars().filter(|character| *character != ' ') {
            for typeface in [Typeface::Excalifont, Typeface::Arimo] {
                assert!(typeface.font().unwrap().glyph(character).is_some(), "{typeface:?} {character}");
            }
        }
    }

    #[test]
    fn pairs_are_kerned() {
        let font = Typeface::Arimo.font().unwrap();
        let [a, v, n] = ['A', 'V', 'n'].map(|character| font.glyph(character).unwrap());
        assert!(font.kerning(a, v) < -50.0);
        assert_eq!(font.kerning(n, n), 0.0);
    }

    #[test]
    fn a_smaller_font_has_the_same_letters_and_no_others() {
        for typeface in Typeface::ALL {
            let font = typeface.font().unwrap();
            let characters: BTreeSet<char> = "Aé ÄV".chars().collect();
            let file = subset(font, &characters);
            assert!(file.len() < typeface.file().len() / 2, "{typeface:?}: {} bytes", file.len());
            let smaller = Font::parse(&file).unwrap();
            for character in characters {
                let glyph = font.glyph(character).unwrap();
                assert_eq!(smaller.glyph(character), Some(glyph));
                assert_eq!(smaller.outline(glyph), font.outline(glyph), "{typeface:?} {character}");
                assert_eq!(smaller.width(glyph), font.width(glyph));
            }
            let [a, v, other] = ['A', 'V', 'w'].map(|character| font.glyph(character).unwrap());
            assert_eq!(smaller.kerning(a, v), font.kerning(a, v));
            assert_eq!(smaller.outline(other), []);
        }
    }

    proptest! {
        #[test]
        fn a_damaged_font_never_panics(
            changes in prop::collection::vec((0usize..25_000, any::<u8>()), 1..200),
            cut in 0usize..25_000,
        ) {
            let mut file = Typeface::Lilita.file().to_vec();
            let length = file.len();
            for (place, byte) in changes {
                file[place % length] = byte;
            }
            for data in [&file[..], &file[..cut % length]] {
                if let Some(font) = Font::parse(data) {
                    for character in 'A'..='z' {
                        if let Some(glyph) = font.glyph(character) {
                            let _ = (font.outline(glyph), font.width(glyph), font.kerning(glyph, glyph));
                        }
                    }
                }
            }
        }
    }
}
