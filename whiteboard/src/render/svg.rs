//! Drawings as SVG text.

use super::clock::Clock;
use super::colour::Colour;
use super::element::{Crop, Element, Freedraw, Kind, Text};
use super::freehand;
use super::geometry::{Bounds, Point, at};
use super::image::{Format, Image};
use super::number::{escaped, push, push_cut, six, two};
use super::rough::{self, Op, Purpose};
use super::scene::{Placed, Scene};
use super::shape::{Part, parts};
use super::subset::subset;
use super::text::{Line, lines, outline};
use super::typeface::Typeface;
use super::{MOST_STROKES, Options, RenderError};
use crate::exchange::base64;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The filter that turns colours into those of dark mode.
const DARK_FILTER: &str = "invert(93%) hue-rotate(180deg)";

/// Letters of one text that are painted; outlines take some hundred times the memory of letters.
const MOST_LETTERS: usize = 50_000;

/// How long the outline of a letter is, about, as a share of the text's size.
const LETTER_LENGTH: f64 = 4.0;

/// How texts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// As text, with fonts: to be read, searched, copied.
    Text,
    /// As outlines: to be painted by what has no fonts.
    Outlines,
}

/// Writes elements. Each fragment stands by itself but for the clips of frames and the images.
pub struct Writer<'s, 'f> {
    pub scene: &'s Scene,
    pub files: &'f dyn Fn(&str) -> Option<Image<'f>>,
    pub dark: bool,
    pub letters: Letters,
    clock: Clock,
    /// For ids of clips within fragments.
    next_id: usize,
    /// Images met so far, by file id, and the number each has.
    pub images: BTreeMap<String, Met<'f>>,
    /// Strokes and points written so far.
    strokes: usize,
    /// How long the lines are that were written so far, in pixels of the drawing.
    pub length: f64,
    /// Characters met so far.
    characters: BTreeMap<Typeface, BTreeSet<char>>,
}

/// An image that fragments refer to.
#[derive(Clone, Copy)]
pub struct Met<'f> {
    pub number: usize,
    pub image: Image<'f>,
    pub format: Format,
}

impl<'s, 'f> Writer<'s, 'f> {
    pub fn new(
        scene: &'s Scene,
        files: &'f dyn Fn(&str) -> Option<Image<'f>>,
        dark: bool,
        letters: Letters,
        clock: Clock,
    ) -> Self {
        Self {
            scene,
            files,
            dark,
            letters,
            clock,
            next_id: 0,
            images: BTreeMap::new(),
            strokes: 0,
            length: 0.0,
            characters: BTreeMap::new(),
        }
    }

    fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    fn shown(&self, colour: Colour) -> String {
        colour.shown(self.dark).to_string()
    }

    /// Where an element's own corner lies in the picture.
    fn offset(&self, element: &Element) -> Point {
        element.corner.minus(self.scene.bounds.least)
    }

    /// Puts an element in its place and turns it.
    fn transform(&self, placed: &Placed) -> String {
        let element = &placed.element;
        let Point { x, y } = self.offset(element);
        let mut transform = format!("translate({} {})", two(x), two(y));
        if element.angle != 0.0 {
            let centre = placed.centre.minus(element.corner);
            let degrees = six(element.angle.to_degrees());
            let _ = write!(transform, " rotate({degrees} {} {})", two(centre.x), two(centre.y));
        }
        transform
    }

    /// Appends an element. Fails once the drawing has too many strokes or takes too long.
    pub fn element(&mut self, placed: &Placed, out: &mut String) -> Result<(), RenderError> {
        self.clock.check()?;
        self.fragment(placed, out);
        if self.strokes > MOST_STROKES { Err(RenderError::Strokes { limit: MOST_STROKES }) } else { Ok(()) }
    }

    fn fragment(&mut self, placed: &Placed, out: &mut String) {
        let element = &placed.element;
        let start = out.len();
        let frame = placed.frame.and_then(|frame| Some((frame, self.scene.frames.get(frame)?)));
        let opacity = element.opacity * frame.map_or(1.0, |(_, frame)| frame.opacity);
        if opacity <= 0.0 {
            return;
        }
        if let Some((frame, _)) = frame {
            let _ = write!(out, "<g clip-path=\"url(#frame{frame})\">");
        }
        let link = element.link.as_deref().and_then(safe_link);
        if let Some(link) = &link {
            let _ = write!(out, "<a href=\"{}\">", escaped(link));
        }
        let before = out.len();
        match &element.kind {
            Kind::Text(text) => self.text(placed, text, opacity, out),
            Kind::Image { file, flip, crop } => self.image(placed, file.as_deref(), *flip, *crop, opacity, out),
            Kind::Frame { .. } => self.frame(placed, opacity, out),
            _ => self.shape(placed, opacity, out),
        }
        if out.len() == before {
            out.truncate(start);
            return;
        }
        if link.is_some() {
            out.push_str("</a>");
        }
        if frame.is_some() {
            out.push_str("</g>");
        }
        out.push('\n');
    }

    fn shape(&mut self, placed: &Placed, opacity: f64, out: &mut String) {
        let element = &placed.element;
        let gap = placed.gap.filter(|_| matches!(element.kind, Kind::Arrow { .. } | Kind::Line { .. }));
        if let Some(gap) = gap {
            let id = self.id();
            self.clip_around(gap, id, out);
            let _ = write!(out, "<g clip-path=\"url(#clip{id})\">");
        }
        let _ = write!(out, "<g stroke-linecap=\"round\" fill=\"none\" transform=\"{}\"", self.transform(placed));
        if opacity < 1.0 {
            let _ = write!(out, " stroke-opacity=\"{0}\" fill-opacity=\"{0}\"", six(opacity));
        }
        out.push('>');
        // What arrowheads that are not filled show: the board.
        let board = self.scene.board;
        let board = if board.is_transparent() { Colour::parse("#ffffff").unwrap_or(board) } else { board };
        for part in parts(element, board) {
            self.strokes += part.sketch.sets.iter().map(|set| set.ops.len()).sum::<usize>() + part.dashes();
            self.length += part.sketch.sets.iter().map(|set| rough::length(&set.ops)).sum::<f64>();
            self.part(&part, out);
        }
        if let Kind::Freedraw(stroke) = &element.kind {
            self.strokes += stroke.points.len();
            // Both sides of the stroke.
            self.length += 2.0 * stroke.points.windows(2).map(|two| two[0].distance(two[1])).sum::<f64>();
            self.freehand(element, stroke, out);
        }
        out.push_str("</g>");
        if gap.is_some() {
            out.push_str("</g>");
        }
    }

    /// A clip that leaves out a box.
    fn clip_around(&self, gap: Bounds, id: usize, out: &mut String) {
        let (width, height) = (self.scene.bounds.width(), self.scene.bounds.height());
        let gap = gap.moved(at(0.0, 0.0).minus(self.scene.bounds.least));
        let _ = write!(
            out,
            "<clipPath id=\"clip{id}\"><path clip-rule=\"evenodd\" d=\"M0 0H{}V{}H0ZM{} {}V{}H{}V{}Z\"/></clipPath>",
            two(width),
            two(height),
            two(gap.least.x),
            two(gap.least.y),
            two(gap.most.y),
            two(gap.most.x),
            two(gap.least.y),
        );
    }

    fn part(&self, part: &Part, out: &mut String) {
        for set in &part.sketch.sets {
            let (stroke, width, dash) = match set.purpose {
                Purpose::Outline => (part.stroke, part.stroke_width, part.dash),
                Purpose::Hatching => (part.fill, part.fill_weight, None),
                Purpose::Surface => {
                    if !part.fill.is_transparent() && !set.ops.is_empty() {
                        let _ = write!(out, "<path fill=\"{}\"", self.shown(part.fill));
                        if part.sketch.even_odd {
                            out.push_str(" fill-rule=\"evenodd\"");
                        }
                        data(&set.ops, out);
                    }
                    continue;
                }
            };
            if stroke.is_transparent() || width <= 0.0 || set.ops.is_empty() {
                continue;
            }
            let _ = write!(out, "<path stroke=\"{}\" stroke-width=\"{}\"", self.shown(stroke), two(width));
            if let Some([on, off]) = dash {
                let _ = write!(out, " stroke-dasharray=\"{} {}\"", two(on), two(off));
            }
            data(&set.ops, out);
        }
    }

    fn freehand(&self, element: &Element, stroke: &Freedraw, out: &mut String) {
        if element.stroke.is_transparent() {
            return;
        }
        let colour = self.shown(element.stroke);
        if stroke.constant {
            // A stroke of one width (a newer Excalidraw) is a line with round ends.
            let [first, rest @ ..] = &*stroke.points else { return };
            let width = two(element.stroke_width * 1.4 * 2.0);
            let _ = write!(out, "<path stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" d=\"M");
            pair(out, *first, push);
            for point in if rest.is_empty() { std::slice::from_ref(first) } else { rest } {
                out.push('L');
                pair(out, *point, push);
            }
            out.push_str("\"/>");
            return;
        }
        let corners = freehand::outline(stroke, element.stroke_width);
        let (Some(&first), Some(&last)) = (corners.first(), corners.last()) else { return };
        let _ = write!(out, "<path fill=\"{colour}\" d=\"M");
        pair(out, first, push_cut);
        out.push('Q');
        for two in corners.windows(2) {
            pair(out, two[0], push_cut);
            out.push(' ');
            pair(out, two[0].towards(two[1], 0.5), push_cut);
            out.push(' ');
        }
        pair(out, last, push_cut);
        out.push(' ');
        pair(out, last.towards(first, 0.5), push_cut);
        out.push('L');
        pair(out, first, push_cut);
        out.push_str("Z\"/>");
    }

    fn text(&mut self, placed: &Placed, text: &Text, opacity: f64, out: &mut String) {
        let element = &placed.element;
        if element.stroke.is_transparent() || text.content.trim().is_empty() {
            return;
        }
        let typeface = Typeface::of(text.family);
        let colour = self.shown(element.stroke);
        let transform = self.transform(placed);
        let opacity = if opacity < 1.0 { format!(" fill-opacity=\"{}\"", six(opacity)) } else { String::new() };
        let lines = lines(element, text);
        if self.letters == Letters::Outlines {
            let _ = write!(out, "<path fill=\"{colour}\"{opacity} transform=\"{transform}\" d=\"");
            let mut left = MOST_LETTERS;
            for line in &lines {
                let (end, count) = beginning(line.text, left);
                outline(&Line { text: &line.text[..end], anchor: line.anchor }, text.align, typeface, text.size, out);
                left -= count;
            }
            let letters = MOST_LETTERS - left;
            self.strokes += letters;
            self.length += letters as f64 * text.size * LETTER_LENGTH;
            out.push_str("\"/>");
            return;
        }
        let anchor = match text.align {
            super::element::Align::Left => "start",
            super::element::Align::Centre => "middle",
            super::element::Align::Right => "end",
        };
        let _ = write!(
            out,
            "<g transform=\"{transform}\" fill=\"{colour}\"{opacity} font-family=\"{}\" font-size=\"{}px\" text-anchor=\"{anchor}\">",
            typeface.stack(),
            two(text.size),
        );
        for line in &lines {
            let direction = if is_right_to_left(line.text) { " direction=\"rtl\"" } else { "" };
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{}\"{direction} xml:space=\"preserve\" style=\"white-space:pre\">{}</text>",
                two(line.anchor.x),
                two(line.anchor.y),
                escaped(line.text)
            );
            self.characters.entry(typeface).or_default().extend(line.text.chars());
        }
        out.push_str("</g>");
    }

    fn frame(&self, placed: &Placed, opacity: f64, out: &mut String) {
        let element = &placed.element;
        let grey = Colour::parse("#bbbbbb").unwrap_or(Colour::BLACK);
        let _ = write!(
            out,
            "<rect transform=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"",
            self.transform(placed),
            two(element.width),
            two(element.height),
            self.shown(grey)
        );
        if opacity < 1.0 {
            let _ = write!(out, " stroke-opacity=\"{}\"", six(opacity));
        }
        out.push_str("/>");
    }

    fn image(
        &mut self,
        placed: &Placed,
        file: Option<&str>,
        flip: (bool, bool),
        crop: Option<Crop>,
        opacity: f64,
        out: &mut String,
    ) {
        let element = &placed.element;
        let (width, height) = (element.width, element.height);
        if width <= 0.0 || height <= 0.0 {
            return;
        }
        let Some(met) = file.and_then(|file| self.met(file)) else {
            self.missing_image(placed, opacity, out);
            return;
        };
        let clip = (crop.is_some() || element.roundness.is_some()).then(|| self.id());
        if let Some(id) = clip {
            let radius = two(element.corner_radius(width.min(height)));
            let (width, height) = (two(width), two(height));
            let _ = write!(
                out,
                "<clipPath id=\"clip{id}\"><rect width=\"{width}\" height=\"{height}\" rx=\"{radius}\"/></clipPath>"
            );
        }
        let _ = write!(out, "<g transform=\"{}\"", self.transform(placed));
        if opacity < 1.0 {
            let _ = write!(out, " opacity=\"{}\"", six(opacity));
        }
        if self.dark && met.format == Format::Svg {
            let _ = write!(out, " filter=\"{DARK_FILTER}\"");
        }
        if let Some(id) = clip {
            let _ = write!(out, " clip-path=\"url(#clip{id})\"");
        }
        let mut transform = String::new();
        let mirror = |flipped: bool, size: f64| if flipped { (-1, two(size)) } else { (1, "0".to_owned()) };
        if flip.0 || flip.1 {
            let ((x, right), (y, down)) = (mirror(flip.0, width), mirror(flip.1, height));
            let _ = write!(transform, "translate({right} {down}) scale({x} {y}) ");
        }
        // The image is one by one in the definitions, and gets its size here.
        if let Some(crop) = crop {
            let (x, y) = (width / crop.width, height / crop.height);
            let (left, up) = (two(-crop.corner.x * x), two(-crop.corner.y * y));
            let size = (six(crop.natural_width * x), six(crop.natural_height * y));
            let _ = write!(transform, "translate({left} {up}) scale({} {})", size.0, size.1);
        } else {
            let _ = write!(transform, "scale({} {})", six(width), six(height));
        }
        let _ = write!(out, "><use href=\"#image{}\" transform=\"{transform}\"/></g>", met.number);
    }

    fn met(&mut self, file: &str) -> Option<Met<'f>> {
        if let Some(met) = self.images.get(file) {
            return Some(*met);
        }
        let image = (self.files)(file)?;
        let met = Met { number: self.images.len(), image, format: image.format()? };
        self.images.insert(file.to_owned(), met);
        Some(met)
    }

    /// A box in the place of an image that is not there.
    fn missing_image(&self, placed: &Placed, opacity: f64, out: &mut String) {
        let (width, height) = (two(placed.element.width), two(placed.element.height));
        let _ = write!(
            out,
            "<g transform=\"{}\" opacity=\"{}\"><rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/><path stroke=\"{}\" stroke-width=\"2\" d=\"M0 0L{width} {height}M{width} 0L0 {height}\"/></g>",
            self.transform(placed),
            six(opacity),
            self.shown(Colour::parse("#e9ecef").unwrap_or(Colour::BLACK)),
            self.shown(Colour::parse("#adb5bd").unwrap_or(Colour::BLACK)),
        );
    }

    /// The clip of a frame, as a definition.
    pub fn frame_clip(&self, number: usize, frame: &Element, out: &mut String) {
        let Point { x, y } = self.offset(frame);
        let centre = at(frame.width, frame.height).times(0.5);
        let _ = write!(
            out,
            "<clipPath id=\"frame{number}\"><rect transform=\"translate({} {}) rotate({} {} {})\" width=\"{}\" height=\"{}\" rx=\"8\"/></clipPath>",
            two(x),
            two(y),
            six(frame.angle.to_degrees()),
            two(centre.x),
            two(centre.y),
            two(frame.width),
            two(frame.height),
        );
    }

    /// The definition of an image, one pixel wide and high.
    pub fn image_definition(met: &Met<'_>, out: &mut String) {
        let _ = write!(
            out,
            "<image id=\"image{}\" width=\"1\" height=\"1\" preserveAspectRatio=\"none\" href=\"data:{};base64,",
            met.number,
            met.format.mime()
        );
        base64::encode_into(met.image.bytes, out);
        out.push_str("\"/>");
    }

    /// Style sheets with the fonts of the texts written so far, cut down to their letters.
    fn fonts(&self, out: &mut String) {
        // A letter that the wanted font does not have may come from another one here; browsers choose by themselves.
        for (typeface, characters) in &self.characters {
            let Some(font) = typeface.font() else { continue };
            let _ = write!(out, "@font-face {{ font-family: \"{}\"; src: url(data:font/ttf;base64,", typeface.name());
            base64::encode_into(&subset(font, characters), out);
            out.push_str(") format(\"truetype\"); }\n");
        }
    }
}

/// Writes a whole drawing.
pub fn document<'f>(
    scene: &Scene,
    files: &'f dyn Fn(&str) -> Option<Image<'f>>,
    options: &Options,
    clock: Clock,
) -> Result<String, RenderError> {
    let scale = options.scale.clamp(0.01, 100.0);
    let mut writer = Writer::new(scene, files, options.dark, Letters::Text, clock);
    let mut body = String::new();
    for placed in &scene.placed {
        writer.element(placed, &mut body)?;
    }
    let (width, height) = (scene.bounds.width(), scene.bounds.height());
    let mut out = String::with_capacity(body.len() + 1_024);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\">\n<defs>",
        two(width),
        two(height),
        two(width * scale),
        two(height * scale)
    );
    for (number, frame) in scene.frames.iter().enumerate() {
        writer.frame_clip(number, frame, &mut out);
    }
    for met in writer.images.values() {
        Writer::image_definition(met, &mut out);
    }
    if !writer.characters.is_empty() {
        out.push_str("<style>\n");
        writer.fonts(&mut out);
        out.push_str("</style>");
    }
    out.push_str("</defs>\n");
    if !scene.board.is_transparent() {
        let fill = writer.shown(scene.board);
        let _ = writeln!(out, "<rect width=\"{}\" height=\"{}\" fill=\"{fill}\"/>", two(width), two(height));
    }
    out.push_str(&body);
    out.push_str("</svg>\n");
    Ok(out)
}

fn pair(out: &mut String, point: Point, push: impl Fn(&mut String, f64)) {
    push(out, point.x);
    out.push(' ');
    push(out, point.y);
}

/// Appends steps as path data, and ends the tag.
fn data(ops: &[Op], out: &mut String) {
    out.push_str(" d=\"");
    for op in ops {
        let (letter, points): (char, &[Point]) = match op {
            Op::Move(to) => ('M', std::slice::from_ref(to)),
            Op::Line(to) => ('L', std::slice::from_ref(to)),
            Op::Curve(a, b, to) => ('C', &[*a, *b, *to]),
        };
        out.push(letter);
        for (place, point) in points.iter().enumerate() {
            if place > 0 {
                out.push(' ');
            }
            pair(out, *point, push);
        }
    }
    out.push_str("\"/>");
}

/// Where the first `most` letters of a text end, and how many there are.
fn beginning(text: &str, most: usize) -> (usize, usize) {
    if text.len() <= most {
        return (text.len(), text.len());
    }
    text.char_indices()
        .enumerate()
        .nth(most)
        .map_or_else(|| (text.len(), text.chars().count()), |(count, (end, _))| (end, count))
}

/// A link that is safe to click: to the web, or a mail address.
fn safe_link(link: &str) -> Option<String> {
    let link = link.trim();
    let lower = link.to_ascii_lowercase();
    let safe = ["https://", "http://", "mailto:"].iter().any(|start| lower.starts_with(start));
    (safe && link.len() <= 2_000).then(|| link.to_owned())
}

/// Whether a text begins in a script that is written from right to left.
fn is_right_to_left(text: &str) -> bool {
    text.chars().find(|character| character.is_alphabetic()).is_some_and(
        |character| matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_of_too_many_strokes_is_refused() {
        let line = r#"{"type":"line","points":[[0,0],[9,9]]}"#;
        let clock = Clock::start(Options::default().time);
        let scene = Scene::new([line], &Options::default(), clock).unwrap();
        let no_files = |_: &str| None;
        let mut writer = Writer::new(&scene, &no_files, false, Letters::Text, clock);
        let mut out = String::new();
        assert_eq!(writer.element(&scene.placed[0], &mut out), Ok(()));
        assert!(writer.strokes > 0 && out.contains("<path"));
        writer.strokes = MOST_STROKES;
        let error = writer.element(&scene.placed[0], &mut out).unwrap_err();
        assert_eq!(error, RenderError::Strokes { limit: MOST_STROKES });
    }

    #[test]
    fn letters_beyond_very_many_are_not_painted() {
        for (text, most, expected) in [("", 3, (0, 0)), ("aé", 3, (3, 3)), ("éé", 3, (4, 2)), ("éaéa", 3, (5, 3))]
        {
            assert_eq!(beginning(text, most), expected, "{text}");
        }
        let outlines = |letters: usize| {
            let text = serde_json::json!({ "type": "text", "text": "-\n".repeat(letters) }).to_string();
            let clock = Clock::start(std::time::Duration::MAX);
            let scene = Scene::new([text.as_str()], &Options::default(), clock).unwrap();
            let no_files = |_: &str| None;
            let mut writer = Writer::new(&scene, &no_files, false, Letters::Outlines, clock);
            let mut out = String::new();
            writer.element(&scene.placed[0], &mut out).unwrap();
            out.matches('M').count()
        };
        let one = outlines(1);
        assert!(one > 0);
        assert_eq!((outlines(7), outlines(MOST_LETTERS + 9)), (7 * one, MOST_LETTERS * one));
    }

    #[test]
    fn links_are_followed_to_the_web_only() {
        for (link, safe) in [
            ("https://example.com", true),
            (" HTTP://example.com ", true),
            ("mailto:a@example.com", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("/relative", false),
        ] {
            assert_eq!(safe_link(link).is_some(), safe, "{link}");
        }
    }

    #[test]
    fn directions_of_writing() {
        for (text, expected) in [("abc", false), ("שלום abc", true), ("12 مرحبا", true), ("", false)] {
            assert_eq!(is_right_to_left(text), expected, "{text}");
        }
    }
}
