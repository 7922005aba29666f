//! Shapes as if drawn by hand, after the algorithms of rough.js (see `NOTICES.md`).
//!
//! Everything follows from a seed: the same element looks the same here as in Excalidraw, line by line.

mod curve;
mod fill;
mod pen;
mod random;
#[cfg(test)]
mod tests;

use super::geometry::{Bezier, Bounds, Point};
use pen::Pen;

pub use curve::simplify;

/// How a surface is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillStyle {
    Hachure,
    CrossHatch,
    Zigzag,
    Solid,
}

/// How a shape is drawn.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where chance starts. Not 0.
    pub seed: i32,
    /// 0 is straight, 1 and 2 are Excalidraw's other two.
    pub roughness: f64,
    /// Whether the surface is filled, and how.
    pub fill: Option<FillStyle>,
    /// Between the lines that fill, in pixels.
    pub gap: f64,
    /// Of ellipses: 1 if the size must be met.
    pub curve_fitting: f64,
    /// One stroke for each line in place of two.
    pub single: bool,
    /// Lines begin and end where they should.
    pub exact_ends: bool,
}

/// A step of the pen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Move(Point),
    Line(Point),
    Curve(Point, Point, Point),
}

/// What the steps of a set are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Outline,
    /// The surface within is filled.
    Surface,
    /// Lines that fill.
    Hatching,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    pub purpose: Purpose,
    pub ops: Vec<Op>,
}

/// A shape: what fills it first, the outline last.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    pub sets: Vec<Set>,
    /// Surfaces that cross themselves have holes.
    pub even_odd: bool,
}

/// A path as it should be, for [`path`]. There is at most one `Move`, at its start.
pub type Segment = Op;

impl Sketch {
    fn new(fill: Option<Set>, outline: Vec<Op>, even_odd: bool) -> Self {
        let mut sets: Vec<Set> = fill.into_iter().collect();
        sets.push(Set { purpose: Purpose::Outline, ops: outline });
        Self { sets, even_odd }
    }

    /// The steps of the outline.
    pub fn outline(&self) -> &[Op] {
        self.sets.iter().find(|set| set.purpose == Purpose::Outline).map_or(&[], |set| &set.ops)
    }

    /// Surfaces that cross themselves are filled whole.
    pub fn without_holes(mut self) -> Self {
        self.even_odd = false;
        self
    }

    pub fn without_outline(mut self) -> Self {
        self.sets.retain(|set| set.purpose != Purpose::Outline);
        self
    }
}

/// The box around steps, each point changed by `turn` before.
pub fn bounds(ops: &[Op], turn: impl Fn(Point) -> Point) -> Bounds {
    let mut bounds = Bounds::EMPTY;
    let mut last = Point::default();
    for op in ops {
        match *op {
            Op::Move(to) => last = turn(to),
            Op::Line(to) => {
                let to = turn(to);
                bounds.join(&Bounds::of([last, to]));
                last = to;
            }
            Op::Curve(a, b, to) => {
                let to = turn(to);
                bounds.join(&Bezier(last, turn(a), turn(b), to).bounds());
                last = to;
            }
        }
    }
    bounds
}

/// How long steps are, about: curves are as long as the lines between their points.
pub fn length(ops: &[Op]) -> f64 {
    let (mut last, mut length) = (Point::default(), 0.0);
    for op in ops {
        let (way, to) = match *op {
            Op::Move(to) => (0.0, to),
            Op::Line(to) => (last.distance(to), to),
            Op::Curve(a, b, to) => (last.distance(a) + a.distance(b) + b.distance(to), to),
        };
        length += way;
        last = to;
    }
    length
}

pub fn line(from: Point, to: Point, options: &Options) -> Sketch {
    let mut pen = Pen::new(options);
    let mut ops = Vec::new();
    pen.double_line(from, to, &mut ops);
    Sketch::new(None, ops, false)
}

/// Lines from point to point.
pub fn lines(points: &[Point], options: &Options) -> Sketch {
    Sketch::new(None, Pen::new(options).lines(points, false), false)
}

/// A closed shape with straight sides.
pub fn polygon(points: &[Point], options: &Options) -> Sketch {
    let mut pen = Pen::new(options);
    let outline = pen.lines(points, true);
    let fill = options.fill.map(|style| match style {
        FillStyle::Solid => Set { purpose: Purpose::Surface, ops: pen.surface(points) },
        style => fill::hatching(&[points.to_vec()], style, &mut pen),
    });
    Sketch::new(fill, outline, true)
}

/// An ellipse around a centre.
pub fn ellipse(centre: Point, width: f64, height: f64, options: &Options) -> Sketch {
    let mut pen = Pen::new(options);
    let measures = pen.ellipse_measures(width, height);
    let (outline, core) = pen.ellipse(centre, &measures);
    let fill = options.fill.map(|style| match style {
        FillStyle::Solid => Set { purpose: Purpose::Surface, ops: pen.ellipse(centre, &measures).0 },
        style => fill::hatching(&[core], style, &mut pen),
    });
    Sketch::new(fill, outline, false)
}

/// A smooth line through points.
pub fn curve(points: &[Point], options: &Options) -> Sketch {
    if points.is_empty() {
        return Sketch::default();
    }
    let mut pen = Pen::new(options);
    let outline = pen.curve(points);
    let fill = options.fill.filter(|_| points.len() >= 3).map(|style| match style {
        FillStyle::Solid => {
            let ops = pen.rougher_single(|pen| pen.curve(points));
            Set { purpose: Purpose::Surface, ops: merged(ops) }
        }
        style => {
            let flat = curve::flattened(&curve::through(points), 10.0, f64::midpoint(1.0, options.roughness));
            fill::hatching(&[flat], style, &mut pen)
        }
    });
    Sketch::new(fill, outline, true)
}

/// A path of lines and curves.
pub fn path(segments: &[Segment], options: &Options) -> Sketch {
    let mut pen = Pen::new(options);
    let outline = pen.path(segments);
    let fill = options.fill.map(|style| match style {
        FillStyle::Solid => {
            let ops = pen.rougher_single(|pen| pen.path(segments));
            Set { purpose: Purpose::Surface, ops: merged(ops) }
        }
        style => {
            let flat = curve::flattened_path(segments, 1.0, f64::midpoint(1.0, options.roughness));
            fill::hatching(&[flat], style, &mut pen)
        }
    });
    Sketch::new(fill, outline, false)
}

/// One surface of steps that were strokes: the pen is not lifted in between.
fn merged(ops: Vec<Op>) -> Vec<Op> {
    ops.into_iter()
        .enumerate()
        .filter(|(place, op)| *place == 0 || !matches!(op, Op::Move(_)))
        .map(|(_, op)| op)
        .collect()
}
