//! What Excalidraw draws for each element, as sketches.

use super::arrowhead;
use super::colour::Colour;
use super::element::{Element, Freedraw, Kind, StrokeStyle};
use super::geometry::{Point, at};
use super::rough::{self, FillStyle, Op, Options, Purpose, Sketch, simplify};

/// A sketch and the colours it is drawn with.
#[derive(Debug)]
pub struct Part {
    pub sketch: Sketch,
    pub stroke: Colour,
    pub fill: Colour,
    pub stroke_width: f64,
    pub fill_weight: f64,
    pub dash: Option<[f64; 2]>,
}

impl Part {
    /// How many dashes the lines have, about.
    pub fn dashes(&self) -> usize {
        let outlines = self.sketch.sets.iter().filter(|set| set.purpose == Purpose::Outline);
        self.dash.map_or(0, |[on, off]| outlines.map(|set| (rough::length(&set.ops) / (on + off)) as usize).sum())
    }
}

/// The greatest number of dashes of one line; longer lines are drawn whole.
const MOST_DASHES: f64 = 20_000.0;

/// The sketches of an element, the lowest first. None for what is no sketch: text, images, frames, and the strokes of
/// freehand drawings.
pub fn parts(element: &Element, board: Colour) -> Vec<Part> {
    match &element.kind {
        Kind::Rectangle => vec![part(element, rectangle(element, &options(element)))],
        Kind::Embed { iframe } => vec![embed(element, *iframe)],
        Kind::Diamond => vec![part(element, diamond(element, &options(element)))],
        Kind::Ellipse => {
            let options = Options { curve_fitting: 1.0, ..options(element) };
            let centre = at(element.width, element.height).times(0.5);
            vec![part(element, rough::ellipse(centre, element.width, element.height, &options))]
        }
        Kind::Line { .. } => line_of(element).map(|line| part(element, line)).into_iter().collect(),
        Kind::Arrow { start, end, .. } => {
            let Some(body) = line_of(element) else { return Vec::new() };
            let heads = [(true, start), (false, end)].into_iter().filter_map(|(start, head)| Some((start, (*head)?)));
            let heads: Vec<Part> =
                heads.flat_map(|(start, head)| arrowhead::parts(element, &body, start, head, board)).collect();
            let mut parts = vec![part(element, body)];
            parts.extend(heads);
            parts
        }
        Kind::Freedraw(Freedraw { points, .. }) if element.is_loop() && !element.background.is_transparent() => {
            let points = simplify(points, 0.75);
            vec![part(element, rough::curve(&points, &options(element)).without_outline())]
        }
        Kind::Freedraw(_) | Kind::Text(_) | Kind::Image { .. } | Kind::Frame { .. } => Vec::new(),
    }
}

/// Of a line or an arrow, the line without its ends.
pub fn line_of(element: &Element) -> Option<Sketch> {
    match &element.kind {
        Kind::Arrow { points, elbowed: true, .. } => Some(elbow(element, points)),
        Kind::Line { points } | Kind::Arrow { points, .. } => Some(line(element, points)),
        _ => None,
    }
}

pub fn part(element: &Element, sketch: Sketch) -> Part {
    let solid = element.stroke_style == StrokeStyle::Solid;
    Part {
        dash: dash(element, &sketch),
        sketch,
        stroke: element.stroke,
        fill: element.background,
        // Dashes are drawn once, where other lines are drawn twice: a little wider they look alike.
        stroke_width: element.stroke_width + if solid { 0.0 } else { 0.5 },
        fill_weight: element.stroke_width / 2.0,
    }
}

fn dash(element: &Element, sketch: &Sketch) -> Option<[f64; 2]> {
    let dash = match element.stroke_style {
        StrokeStyle::Solid => return None,
        StrokeStyle::Dashed => [8.0, 8.0 + element.stroke_width],
        StrokeStyle::Dotted => [1.5, 6.0 + element.stroke_width],
    };
    let (mut last, mut length) = (Point::default(), 0.0);
    for op in sketch.outline() {
        let to = match *op {
            Op::Line(to) | Op::Curve(_, _, to) => {
                length += last.distance(to);
                to
            }
            Op::Move(to) => to,
        };
        last = to;
    }
    (length / (dash[0] + dash[1]) < MOST_DASHES).then_some(dash)
}

/// How an element is drawn.
pub fn options(element: &Element) -> Options {
    let surface = match element.kind {
        Kind::Line { .. } | Kind::Freedraw(_) => element.is_loop(),
        Kind::Arrow { .. } => false,
        _ => true,
    };
    Options {
        seed: element.seed,
        roughness: roughness(element),
        fill: (surface && !element.background.is_transparent()).then_some(element.fill),
        gap: element.stroke_width * 4.0,
        curve_fitting: 0.95,
        single: element.stroke_style != StrokeStyle::Solid,
        exact_ends: element.roughness < 2.0,
    }
}

/// Small elements are drawn less roughly.
fn roughness(element: &Element) -> f64 {
    let most = element.width.max(element.height);
    let least = element.width.min(element.height);
    let linear = matches!(element.kind, Kind::Line { .. } | Kind::Arrow { .. });
    let can_be_round =
        linear || matches!(element.kind, Kind::Rectangle | Kind::Embed { .. } | Kind::Diamond | Kind::Image { .. });
    let large = least >= 20.0 && most >= 50.0;
    if large || (least >= 15.0 && element.roundness.is_some() && can_be_round) || (linear && most >= 50.0) {
        element.roughness
    } else {
        (element.roughness / if most < 10.0 { 3.0 } else { 2.0 }).min(2.5)
    }
}

/// A curve with one point that pulls it.
fn pulled(from: Point, pull: Point, to: Point) -> Op {
    // Multiplied and divided as the originals do it: where lines that fill begin depends on the last digit.
    let towards = |end: Point| end.plus(at(2.0 * (pull.x - end.x) / 3.0, 2.0 * (pull.y - end.y) / 3.0));
    Op::Curve(towards(from), towards(to), to)
}

fn rectangle(element: &Element, options: &Options) -> Sketch {
    let (w, h) = (element.width, element.height);
    if element.roundness.is_none() {
        return rough::polygon(&[at(0.0, 0.0), at(w, 0.0), at(w, h), at(0.0, h)], options).without_holes();
    }
    let r = element.corner_radius(w.min(h));
    let options = Options { exact_ends: true, ..options.clone() };
    rough::path(
        &[
            Op::Move(at(r, 0.0)),
            Op::Line(at(w - r, 0.0)),
            pulled(at(w - r, 0.0), at(w, 0.0), at(w, r)),
            Op::Line(at(w, h - r)),
            pulled(at(w, h - r), at(w, h), at(w - r, h)),
            Op::Line(at(r, h)),
            pulled(at(r, h), at(0.0, h), at(0.0, h - r)),
            Op::Line(at(0.0, r)),
            pulled(at(0.0, r), at(0.0, 0.0), at(r, 0.0)),
        ],
        &options,
    )
}

/// Pages in the drawing are a box.
fn embed(element: &Element, iframe: bool) -> Part {
    let mut shown = element.clone();
    if shown.background.is_transparent() && shown.stroke.is_transparent() {
        shown.roughness = 0.0;
        shown.background = Colour::parse("#d3d3d3").unwrap_or(Colour::BLACK);
        shown.fill = FillStyle::Solid;
    } else if iframe {
        if shown.stroke.is_transparent() {
            shown.stroke = Colour::BLACK;
        }
        if shown.background.is_transparent() {
            shown.background = Colour::parse("#f4f4f6").unwrap_or(Colour::TRANSPARENT);
        }
    }
    let sketch = rectangle(&shown, &options(&shown));
    part(&shown, sketch)
}

fn diamond(element: &Element, options: &Options) -> Sketch {
    let (w, h) = (element.width, element.height);
    // One more than half: rough.js wants no zeros.
    let (x, y) = ((w / 2.0).floor() + 1.0, (h / 2.0).floor() + 1.0);
    let (top, right, bottom, left) = (at(x, 0.0), at(w, y), at(x, h), at(0.0, y));
    if element.roundness.is_none() {
        return rough::polygon(&[top, right, bottom, left], options);
    }
    let v = element.corner_radius((top.x - left.x).abs());
    let z = element.corner_radius((right.y - top.y).abs());
    let options = Options { exact_ends: true, ..options.clone() };
    rough::path(
        &[
            Op::Move(top.plus(at(v, z))),
            Op::Line(right.plus(at(-v, -z))),
            Op::Curve(right, right, right.plus(at(-v, z))),
            Op::Line(bottom.plus(at(v, -z))),
            Op::Curve(bottom, bottom, bottom.plus(at(-v, -z))),
            Op::Line(left.plus(at(v, z))),
            Op::Curve(left, left, left.plus(at(v, -z))),
            Op::Line(top.plus(at(-v, z))),
            Op::Curve(top, top, top.plus(at(v, z))),
        ],
        &options,
    )
}

fn line(element: &Element, points: &[Point]) -> Sketch {
    let options = options(element);
    if element.roundness.is_some() {
        rough::curve(points, &options)
    } else if options.fill.is_some() {
        rough::polygon(points, &options)
    } else {
        rough::lines(points, &options)
    }
}

/// An arrow with right angles, its corners rounded.
fn elbow(element: &Element, points: &[Point]) -> Sketch {
    let options = Options { exact_ends: true, ..options(element) };
    let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return Sketch::default() };
    let mut segments = vec![Op::Move(first)];
    for three in points.windows(3) {
        let (before, point, next) = (three[0], three[1], three[2]);
        let corner = 16.0_f64.min(point.distance(next) / 2.0).min(point.distance(before) / 2.0);
        let towards = |other: Point| {
            // Along the axis that the other lies on.
            let way = other.minus(point);
            if is_flat(way) {
                at(point.x + if way.x < 0.0 { -corner } else { corner }, point.y)
            } else {
                at(point.x, point.y + if way.y < 0.0 { -corner } else { corner })
            }
        };
        let from = towards(before);
        segments.push(Op::Line(from));
        segments.push(pulled(from, point, towards(next)));
    }
    segments.push(Op::Line(last));
    rough::path(&segments, &options)
}

/// Whether a way is more to the side than up or down.
fn is_flat(way: Point) -> bool {
    way.x > way.y.abs() || way.x <= -way.y.abs()
}
