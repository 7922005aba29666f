//! Strokes with the slips of a hand.

use super::curve;
use super::random::Random;
use super::{Op, Options, Point};
use crate::render::geometry::at;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// How far a line's ends may slip, in pixels, at roughness 1.
const SLIP: f64 = 2.0;

/// Into how many pieces a small ellipse is cut.
const ELLIPSE_STEPS: f64 = 9.0;

/// How much rougher a filled surface is than its outline.
const SURFACE_ROUGHNESS: f64 = 0.8;

/// Draws with one stream of chance.
pub struct Pen<'o> {
    pub options: &'o Options,
    random: Random,
    roughness: f64,
    single: bool,
}

/// What two strokes of one ellipse share.
pub struct EllipseMeasures {
    increment: f64,
    rx: f64,
    ry: f64,
}

impl<'o> Pen<'o> {
    pub fn new(options: &'o Options) -> Self {
        Self { options, random: Random::new(options.seed), roughness: options.roughness, single: options.single }
    }

    /// A plain number from 0 to below 1.
    pub fn chance(&mut self) -> f64 {
        self.random.next()
    }

    fn between(&mut self, least: f64, most: f64, gain: f64) -> f64 {
        self.roughness * gain * (self.random.next() * (most - least) + least)
    }

    fn slip(&mut self, size: f64) -> f64 {
        self.between(-size, size, 1.0)
    }

    fn slipped(&mut self, point: Point, size: f64) -> Point {
        let x = point.x + self.slip(size);
        at(x, point.y + self.slip(size))
    }

    /// Draws once, with single strokes and a little rougher, as surfaces are.
    pub fn rougher_single(&mut self, draw: impl FnOnce(&mut Self) -> Vec<Op>) -> Vec<Op> {
        let before = (self.roughness, self.single);
        self.single = true;
        if self.roughness != 0.0 {
            self.roughness += SURFACE_ROUGHNESS;
        }
        let ops = draw(self);
        (self.roughness, self.single) = before;
        ops
    }

    /// A line as two strokes, or one if strokes are single.
    pub fn double_line(&mut self, from: Point, to: Point, ops: &mut Vec<Op>) {
        self.stroke(from, to, false, ops);
        if !self.single {
            self.stroke(from, to, true, ops);
        }
    }

    /// A line that fills: always two strokes.
    pub fn hatching_line(&mut self, from: Point, to: Point, ops: &mut Vec<Op>) {
        self.stroke(from, to, false, ops);
        self.stroke(from, to, true, ops);
    }

    fn stroke(&mut self, from: Point, to: Point, second: bool, ops: &mut Vec<Op>) {
        let length_squared = from.distance_squared(to);
        let length = length_squared.sqrt();
        let gain = if length < 200.0 {
            1.0
        } else if length > 500.0 {
            0.4
        } else {
            -0.001_666_8 * length + 1.233_334
        };
        let full = if SLIP * SLIP * 100.0 > length_squared { length / 10.0 } else { SLIP };
        let size = if second { full / 2.0 } else { full };
        let diverge = 0.2 + self.random.next() * 0.2;
        let bow_x = SLIP * (to.y - from.y) / 200.0;
        let bow_y = SLIP * (from.x - to.x) / 200.0;
        let bow_x = self.between(-bow_x, bow_x, gain);
        let bow = at(bow_x, self.between(-bow_y, bow_y, gain));
        let exact = self.options.exact_ends;
        let end = |pen: &mut Self, point: Point, exact: bool| {
            if exact {
                return point;
            }
            let x = point.x + pen.between(-size, size, gain);
            at(x, point.y + pen.between(-size, size, gain))
        };
        ops.push(Op::Move(end(self, from, exact)));
        let way = to.minus(from);
        let first = end(self, bow.plus(from).plus(way.times(diverge)), false);
        let then = end(self, bow.plus(from).plus(way.times(2.0 * diverge)), false);
        ops.push(Op::Curve(first, then, end(self, to, exact)));
    }

    pub fn lines(&mut self, points: &[Point], close: bool) -> Vec<Op> {
        let mut ops = Vec::new();
        if points.len() < 2 {
            return ops;
        }
        for pair in points.windows(2) {
            self.double_line(pair[0], pair[1], &mut ops);
        }
        if close && points.len() > 2 {
            self.double_line(points[points.len() - 1], points[0], &mut ops);
        }
        ops
    }

    /// A filled surface with straight sides.
    pub fn surface(&mut self, points: &[Point]) -> Vec<Op> {
        if points.len() < 3 {
            return Vec::new();
        }
        points
            .iter()
            .enumerate()
            .map(|(place, &point)| {
                let point = self.slipped(point, SLIP);
                if place == 0 { Op::Move(point) } else { Op::Line(point) }
            })
            .collect()
    }

    pub fn curve(&mut self, points: &[Point]) -> Vec<Op> {
        let mut ops = self.curve_once(points, 1.0 + self.roughness * 0.2);
        if !self.single {
            // The second stroke has chance of its own.
            let mut second = Pen { random: Random::new(self.options.seed.wrapping_add(1)), ..*self };
            ops.extend(second.curve_once(points, 1.5 * (1.0 + self.roughness * 0.22)));
        }
        ops
    }

    fn curve_once(&mut self, points: &[Point], slip: f64) -> Vec<Op> {
        let mut slipped = Vec::with_capacity(points.len() + 2);
        slipped.push(self.slipped(points[0], slip));
        slipped.push(self.slipped(points[0], slip));
        for (place, &point) in points.iter().enumerate().skip(1) {
            slipped.push(self.slipped(point, slip));
            if place == points.len() - 1 {
                slipped.push(self.slipped(point, slip));
            }
        }
        self.smooth(&slipped)
    }

    /// A smooth line; the first and the last point only give its direction there.
    fn smooth(&mut self, points: &[Point]) -> Vec<Op> {
        match points {
            [from, to] => {
                let mut ops = Vec::new();
                self.double_line(*from, *to, &mut ops);
                ops
            }
            [_, from, to] => vec![Op::Move(*from), Op::Curve(*from, *to, *to)],
            points if points.len() > 3 => {
                let mut ops = vec![Op::Move(points[1])];
                ops.extend(points.windows(4).map(|four| {
                    let [before, from, to, after] = [four[0], four[1], four[2], four[3]];
                    curve::step(before, from, to, after)
                }));
                ops
            }
            _ => Vec::new(),
        }
    }

    pub fn ellipse_measures(&mut self, width: f64, height: f64) -> EllipseMeasures {
        let (rx, ry) = ((width / 2.0).abs(), (height / 2.0).abs());
        let around = (TAU * f64::midpoint(rx * rx, ry * ry).sqrt()).sqrt();
        let steps = ELLIPSE_STEPS.max(ELLIPSE_STEPS / 200.0_f64.sqrt() * around).ceil();
        let loose = 1.0 - self.options.curve_fitting;
        let rx = rx + self.slip(rx * loose);
        EllipseMeasures { increment: TAU / steps, rx, ry: ry + self.slip(ry * loose) }
    }

    /// The strokes of an ellipse, and the points of the first that the surface lies between.
    pub fn ellipse(&mut self, centre: Point, measures: &EllipseMeasures) -> (Vec<Op>, Vec<Point>) {
        let most = self.between(0.4, 1.0, 1.0);
        let overlap = measures.increment * self.between(0.1, most, 1.0);
        let (all, core) = self.ellipse_points(centre, measures, 1.0, overlap);
        let mut ops = self.smooth(&all);
        if !self.single && self.roughness != 0.0 {
            let (all, _) = self.ellipse_points(centre, measures, 1.5, 0.0);
            ops.extend(self.smooth(&all));
        }
        (ops, core)
    }

    fn ellipse_points(
        &mut self,
        centre: Point,
        measures: &EllipseMeasures,
        slip: f64,
        overlap: f64,
    ) -> (Vec<Point>, Vec<Point>) {
        let &EllipseMeasures { increment, rx, ry } = measures;
        let place =
            |angle: f64, share: f64| at(centre.x + share * rx * angle.cos(), centre.y + share * ry * angle.sin());
        let mut core = Vec::new();
        if self.roughness == 0.0 {
            let increment = increment / 4.0;
            let mut all = vec![place(-increment, 1.0)];
            let mut angle = 0.0;
            while angle <= TAU {
                core.push(place(angle, 1.0));
                angle += increment;
            }
            all.extend(&core);
            all.extend([place(0.0, 1.0), place(increment, 1.0)]);
            return (all, core);
        }
        let start = self.slip(0.5) - FRAC_PI_2;
        let mut all = vec![self.slipped(place(start - increment, 0.9), slip)];
        let end = PI * 2.0 + start - 0.01;
        let mut angle = start;
        while angle < end {
            core.push(self.slipped(place(angle, 1.0), slip));
            angle += increment;
        }
        all.extend(&core);
        for (angle, share) in
            [(start + TAU + overlap * 0.5, 1.0), (start + overlap, 0.98), (start + overlap * 0.5, 0.9)]
        {
            all.push(self.slipped(place(angle, share), slip));
        }
        (all, core)
    }

    pub fn path(&mut self, segments: &[Op]) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut last = Point::default();
        for segment in segments {
            match *segment {
                Op::Move(to) => last = to,
                Op::Line(to) => {
                    self.double_line(last, to, &mut ops);
                    last = to;
                }
                Op::Curve(a, b, to) => {
                    self.bent_line([last, a, b, to], &mut ops);
                    last = to;
                }
            }
        }
        ops
    }

    fn bent_line(&mut self, [from, a, b, to]: [Point; 4], ops: &mut Vec<Op>) {
        let exact = self.options.exact_ends;
        for (second, slip) in [(false, SLIP), (true, SLIP + 0.3)] {
            if second && self.single {
                break;
            }
            let start = if second && !exact { self.slipped(from, SLIP) } else { from };
            ops.push(Op::Move(start));
            let end = if exact { to } else { self.slipped(to, slip) };
            let a = self.slipped(a, slip);
            ops.push(Op::Curve(a, self.slipped(b, slip), end));
        }
    }
}
