//! The ends of arrows.

use super::colour::Colour;
use super::element::{Arrowhead, Element, StrokeStyle};
use super::geometry::{Bezier, Point, at};
use super::rough::{self, FillStyle, Op, Options, Sketch};
use super::shape::{Part, options, part};

/// What an arrow's end is made of.
struct Tip<'e> {
    element: &'e Element,
    /// Where the line ends.
    end: Point,
    /// The direction in which it ends, of length 1.
    way: Point,
    /// The point of the line before.
    before: Point,
    is_start: bool,
    /// How long the last piece of the line is.
    reach: f64,
    board: Colour,
}

/// The sketches of an arrow's start or end, for an arrow whose line is `body`.
pub fn parts(element: &Element, body: &Sketch, is_start: bool, head: Arrowhead, board: Colour) -> Vec<Part> {
    let Some(tip) = Tip::new(element, body, is_start, board) else { return Vec::new() };
    let white = |scale: f64, offset: f64| tip.circle(15.0, offset, scale, board);
    match head {
        Arrowhead::Arrow => tip.lines(25.0, 20.0),
        Arrowhead::Bar => tip.lines(15.0, 90.0),
        Arrowhead::Circle { filled } => vec![tip.circle(15.0, 0.0, 1.0, if filled { element.stroke } else { board })],
        Arrowhead::Triangle { filled } => vec![tip.triangle(filled)],
        Arrowhead::Diamond { filled } => vec![tip.diamond(filled)],
        Arrowhead::Crowfoot { toes: false, .. } => vec![tip.plain_bar()],
        Arrowhead::Crowfoot { bar, .. } => tip.foot(20.0).into_iter().chain(bar.then(|| tip.bar(0.0))).collect(),
        Arrowhead::One => vec![tip.bar(0.0)],
        Arrowhead::Many => tip.foot(15.0),
        Arrowhead::OneOrMany => tip.foot(15.0).into_iter().chain([tip.bar(-0.25)]).collect(),
        Arrowhead::ExactlyOne => vec![tip.bar(-0.5), tip.bar(0.0)],
        Arrowhead::ZeroOrOne => vec![white(0.8, 1.5), tip.bar(-0.5)],
        Arrowhead::ZeroOrMany => tip.foot(15.0).into_iter().chain([white(1.0, 1.5)]).collect(),
    }
}

impl<'e> Tip<'e> {
    fn new(element: &'e Element, body: &Sketch, is_start: bool, board: Colour) -> Option<Self> {
        let ops = body.outline();
        let place = if is_start { 1 } else { ops.len().checked_sub(1)? };
        let Op::Curve(a, b, to) = *ops.get(place)? else { return None };
        let from = match *ops.get(place.checked_sub(1)?)? {
            Op::Move(from) | Op::Line(from) | Op::Curve(_, _, from) => from,
        };
        let end = if is_start { from } else { to };
        // A little before the end. At a start this is measured from the far side, as Excalidraw does.
        let inner = Bezier(to, b, a, from).at(0.3);
        let way = end.minus(inner).unit();
        let points = element.points();
        let (last, before) = match (points, is_start) {
            ([first, second, ..], true) => (*first, *second),
            ([.., second, last], false) => (*last, *second),
            _ => (*points.first()?, Point::default()),
        };
        let sound = way.x.is_finite() && way.y.is_finite();
        sound.then(|| Self { element, end, way, before, is_start, reach: last.distance(before), board })
    }

    /// The length of a head that should be `size` long: at most a share of the line's last piece.
    fn length(&self, size: f64, share: f64) -> f64 {
        size.min(self.reach * share)
    }

    /// The tip and a point behind it, both moved back by `offset` lengths.
    fn axis(&self, length: f64, offset: f64) -> (Point, Point) {
        let tip = self.end.minus(self.way.times(length * offset));
        (tip, tip.minus(self.way.times(length)))
    }

    /// Tip and the two points beside and behind it, at an angle in degrees.
    fn spread(&self, length: f64, offset: f64, angle: f64) -> [Point; 3] {
        let (tip, behind) = self.axis(length, offset);
        [tip, behind.turned(tip, -angle.to_radians()), behind.turned(tip, angle.to_radians())]
    }

    fn line_options(&self) -> Options {
        let options = options(self.element);
        Options { roughness: options.roughness.min(1.0), ..options }
    }

    fn line(&self, from: Point, to: Point) -> Part {
        let mut line = part(self.element, rough::line(from, to, &self.line_options()));
        // Dashes would make a head hard to see; dots are set closer.
        line.dash =
            (self.element.stroke_style == StrokeStyle::Dotted).then_some([1.5, 4.0 + self.element.stroke_width]);
        line
    }

    fn lines(&self, size: f64, angle: f64) -> Vec<Part> {
        let [tip, left, right] = self.spread(self.length(size, 0.5), 0.0, angle);
        vec![self.line(left, tip), self.line(right, tip)]
    }

    fn bar(&self, offset: f64) -> Part {
        let [_, left, right] = self.spread(self.length(20.0, 0.5), offset, 25.0);
        self.line(left, right)
    }

    /// A bar drawn like the line itself.
    fn plain_bar(&self) -> Part {
        let [_, left, right] = self.spread(self.length(20.0, 0.5), 0.0, 25.0);
        part(self.element, rough::line(left, right, &options(self.element)))
    }

    /// A foot with its toes at the end of the line.
    fn foot(&self, size: f64) -> Vec<Part> {
        let length = self.length(size, 0.5);
        let (tip, behind) = self.axis(length, 0.0);
        let toe = |angle: f64| tip.turned(behind, angle.to_radians());
        vec![self.line(toe(-25.0), behind), self.line(toe(25.0), behind)]
    }

    fn filled(&self, sketch: Sketch, fill: Colour) -> Part {
        Part { dash: None, fill, ..part(self.element, sketch) }
    }

    fn fill_options(&self, roughest: f64) -> Options {
        let options = options(self.element);
        Options { fill: Some(FillStyle::Solid), roughness: options.roughness.min(roughest), ..options }
    }

    fn circle(&self, size: f64, offset: f64, scale: f64, fill: Colour) -> Part {
        let length = self.length(size, 0.5);
        let (centre, _) = self.axis(length, offset);
        let across = ((length + self.element.stroke_width - 2.0) * scale).max(0.0);
        self.filled(rough::ellipse(centre, across, across, &self.fill_options(0.5)), fill)
    }

    fn surface(&self, filled: bool) -> Colour {
        if filled { self.element.stroke } else { self.board }
    }

    fn triangle(&self, filled: bool) -> Part {
        let [tip, left, right] = self.spread(self.length(15.0, 0.5), 0.0, 25.0);
        let sketch = rough::polygon(&[tip, left, right, tip], &self.fill_options(1.0));
        self.filled(sketch, self.surface(filled))
    }

    fn diamond(&self, filled: bool) -> Part {
        let length = self.length(12.0, 0.25);
        let [tip, left, right] = self.spread(length, 0.0, 25.0);
        // The far corner lies towards the line's point before.
        let opposite = if self.is_start {
            let way = self.before.minus(tip);
            at(tip.x + length * 2.0, tip.y).turned(tip, way.y.atan2(way.x))
        } else {
            let way = tip.minus(self.before);
            at(tip.x - length * 2.0, tip.y).turned(tip, way.y.atan2(way.x))
        };
        let sketch = rough::polygon(&[tip, left, opposite, right, tip], &self.fill_options(1.0));
        self.filled(sketch, self.surface(filled))
    }
}
