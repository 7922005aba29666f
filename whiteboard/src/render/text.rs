//! Lines of text: where they stand, how wide they are, and their letters as outlines.

use super::element::{Align, Element, Text};
use super::font::Stroke;
use super::geometry::{Point, at};
use super::number;
use super::typeface::Typeface;

/// The width of a letter that no font has, as a share of the size. A box of that width is drawn for it.
const UNKNOWN: f64 = 0.6;

/// A line of text and where it starts.
#[derive(Debug, PartialEq)]
pub struct Line<'t> {
    pub text: &'t str,
    /// On the line that letters stand on; at the start, the middle or the end of the text as it is aligned.
    pub anchor: Point,
}

/// Where the lines of a text element stand, from the element's corner.
pub fn lines<'t>(element: &Element, text: &'t Text) -> Vec<Line<'t>> {
    let height = text.size * text.line_height;
    let metrics = Typeface::metrics(text.family);
    let em = text.size / 1_000.0;
    let gap = f64::midpoint(height - em * metrics.ascender, em * metrics.descender);
    let x = match text.align {
        Align::Left => 0.0,
        Align::Centre => element.width / 2.0,
        Align::Right => element.width,
    };
    let down = em * metrics.ascender + gap;
    text.content
        .split('\n')
        .enumerate()
        .map(|(place, text)| Line { text, anchor: at(x, place as f64 * height + down) })
        .collect()
}

/// A letter that no line shows by itself: marks that tell directions and join letters.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{0}'..='\u{1f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Calls `put` with each letter of a line and how far from its start it stands; gives the line's width.
fn walk(text: &str, typeface: Typeface, size: f64, mut put: impl FnMut(Option<(Typeface, u16)>, f64)) -> f64 {
    let mut x = 0.0;
    let mut last: Option<(Typeface, u16)> = None;
    for character in text.chars() {
        // A tab is as wide as in a browser: to the next of columns of eight.
        if is_invisible(character) && character != '\t' {
            continue;
        }
        let character = if character == '\t' || character == '\u{a0}' { ' ' } else { character };
        let letter = typeface.letter(character);
        match letter.and_then(|(face, glyph)| Some((face, glyph, face.font()?))) {
            Some((face, glyph, font)) => {
                let scale = size / font.units();
                if let Some((_, before)) = last.filter(|(before, _)| *before == face) {
                    x += font.kerning(before, glyph) * scale;
                }
                put(letter, x);
                x += font.width(glyph) * scale;
            }
            None if character == ' ' => x += size * 0.25,
            None => {
                put(None, x);
                x += size * UNKNOWN;
            }
        }
        last = letter;
    }
    x
}

/// How wide a line is, in pixels.
pub fn width(text: &str, typeface: Typeface, size: f64) -> f64 {
    walk(text, typeface, size, |_, _| {})
}

/// Appends a line's letters to the data of an SVG path.
pub fn outline(line: &Line<'_>, align: Align, typeface: Typeface, size: f64, path: &mut String) {
    let start = match align {
        Align::Left => line.anchor.x,
        Align::Centre => line.anchor.x - width(line.text, typeface, size) / 2.0,
        Align::Right => line.anchor.x - width(line.text, typeface, size),
    };
    walk(line.text, typeface, size, |letter, x| {
        let origin = at(start + x, line.anchor.y);
        match letter.and_then(|(face, glyph)| Some((face.font()?, glyph))) {
            Some((font, glyph)) => {
                let scale = size / font.units();
                let place = |point: Point| at(origin.x + point.x * scale, origin.y - point.y * scale);
                for stroke in font.outline(glyph) {
                    push(path, stroke, &place);
                }
            }
            None => boxed(path, origin, size),
        }
    });
}

fn push(path: &mut String, stroke: Stroke, place: &impl Fn(Point) -> Point) {
    let (letter, points) = match stroke {
        Stroke::Move(to) => ('M', vec![to]),
        Stroke::Line(to) => ('L', vec![to]),
        Stroke::Pulled(by, to) => ('Q', vec![by, to]),
        Stroke::Close => ('Z', vec![]),
    };
    path.push(letter);
    for (number, point) in points.into_iter().map(place).enumerate() {
        if number > 0 {
            path.push(' ');
        }
        number::push(path, point.x);
        path.push(' ');
        number::push(path, point.y);
    }
}

/// An empty box, for a letter that no font has.
fn boxed(path: &mut String, origin: Point, size: f64) {
    for (inset, clockwise) in [(0.05, true), (0.1, false)] {
        let (left, right) = (origin.x + size * inset, origin.x + size * (UNKNOWN - inset));
        let (top, bottom) = (origin.y - size * (0.75 - inset), origin.y - size * (inset - 0.05));
        let corners = [at(left, top), at(right, top), at(right, bottom), at(left, bottom)];
        let corners: Vec<Point> = if clockwise { corners.to_vec() } else { corners.into_iter().rev().collect() };
        for (place, corner) in corners.into_iter().enumerate() {
            let stroke = if place == 0 { Stroke::Move(corner) } else { Stroke::Line(corner) };
            push(path, stroke, &|point| point);
        }
        path.push('Z');
    }
}

/// The longest beginning of a text that is at most so wide, with three dots if it is not the whole.
pub fn shortened(text: &str, typeface: Typeface, size: f64, most: f64) -> String {
    if width(text, typeface, size) <= most {
        return text.to_owned();
    }
    let mut shorter: Vec<char> = text.chars().take(500).collect();
    while shorter.pop().is_some() {
        let candidate = format!("{}...", shorter.iter().collect::<String>());
        if width(&candidate, typeface, size) <= most {
            return candidate;
        }
    }
    String::new()
}
