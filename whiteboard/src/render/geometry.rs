//! Points and boxes on the board, in its pixels; y grows downwards.

/// A place on the board, or a distance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// Short for [`Point`].
pub const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

impl Point {
    pub fn plus(self, other: Self) -> Self {
        at(self.x + other.x, self.y + other.y)
    }

    pub fn minus(self, other: Self) -> Self {
        at(self.x - other.x, self.y - other.y)
    }

    pub fn times(self, factor: f64) -> Self {
        at(self.x * factor, self.y * factor)
    }

    pub fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y
    }

    pub fn length(self) -> f64 {
        self.x.hypot(self.y)
    }

    /// The same direction, of length 1.
    pub fn unit(self) -> Self {
        let length = self.length();
        at(self.x / length, self.y / length)
    }

    /// Turned by a quarter, to the left of where it points.
    pub fn across(self) -> Self {
        at(self.y, -self.x)
    }

    pub fn distance(self, other: Self) -> f64 {
        self.minus(other).length()
    }

    pub fn distance_squared(self, other: Self) -> f64 {
        let between = self.minus(other);
        between.dot(between)
    }

    /// The place a share of the way to another.
    pub fn towards(self, other: Self, share: f64) -> Self {
        self.plus(other.minus(self).times(share))
    }

    /// Turned around a centre, by an angle in radians (clockwise, as y grows downwards).
    pub fn turned(self, centre: Self, angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        let Point { x, y } = self.minus(centre);
        at(x * cos - y * sin, x * sin + y * cos).plus(centre)
    }
}

/// A box with sides along the axes. Starts empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub least: Point,
    pub most: Point,
}

impl Bounds {
    pub const EMPTY: Self =
        Self { least: at(f64::INFINITY, f64::INFINITY), most: at(f64::NEG_INFINITY, f64::NEG_INFINITY) };

    pub fn of(points: impl IntoIterator<Item = Point>) -> Self {
        let mut bounds = Self::EMPTY;
        for point in points {
            bounds.add(point);
        }
        bounds
    }

    pub fn add(&mut self, point: Point) {
        self.least = at(self.least.x.min(point.x), self.least.y.min(point.y));
        self.most = at(self.most.x.max(point.x), self.most.y.max(point.y));
    }

    pub fn join(&mut self, other: &Self) {
        if !other.is_empty() {
            self.add(other.least);
            self.add(other.most);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.least.x > self.most.x || self.least.y > self.most.y
    }

    pub fn centre(&self) -> Point {
        self.least.towards(self.most, 0.5)
    }

    pub fn width(&self) -> f64 {
        self.most.x - self.least.x
    }

    pub fn height(&self) -> f64 {
        self.most.y - self.least.y
    }

    pub fn moved(&self, by: Point) -> Self {
        Self { least: self.least.plus(by), most: self.most.plus(by) }
    }

    pub fn corners(&self) -> [Point; 4] {
        [self.least, at(self.most.x, self.least.y), self.most, at(self.least.x, self.most.y)]
    }
}

/// A cubic Bézier curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bezier(pub Point, pub Point, pub Point, pub Point);

impl Bezier {
    pub fn at(&self, t: f64) -> Point {
        let s = 1.0 - t;
        let Self(a, b, c, d) = self;
        a.times(s * s * s).plus(b.times(3.0 * s * s * t)).plus(c.times(3.0 * s * t * t)).plus(d.times(t * t * t))
    }

    pub fn bounds(&self) -> Bounds {
        let Self(a, b, c, d) = *self;
        let mut bounds = Bounds::of([a, d]);
        for t in turns(a.x, b.x, c.x, d.x).into_iter().chain(turns(a.y, b.y, c.y, d.y)).flatten() {
            bounds.add(self.at(t));
        }
        bounds
    }
}

/// Where one coordinate of a curve stops growing or shrinking.
fn turns(a: f64, b: f64, c: f64, d: f64) -> [Option<f64>; 2] {
    let (i, j, k) = (b - a, c - b, d - c);
    let (square, linear, constant) = (3.0 * (i - 2.0 * j + k), 6.0 * (j - i), 3.0 * i);
    let inside = |t: f64| (0.0..=1.0).contains(&t).then_some(t);
    if square == 0.0 {
        return [inside(-constant / linear), None];
    }
    let root = (linear * linear - 4.0 * square * constant).sqrt();
    [inside((-linear + root) / (2.0 * square)), inside((-linear - root) / (2.0 * square))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    #[test]
    fn turning_is_clockwise_on_the_screen() {
        let turned = at(2.0, 1.0).turned(at(1.0, 1.0), PI / 2.0);
        assert!(turned.distance(at(1.0, 2.0)) < 1e-12, "{turned:?}");
    }

    #[test]
    fn an_empty_box_joins_nothing() {
        let mut bounds = Bounds::of([at(1.0, 2.0), at(3.0, 1.0)]);
        bounds.join(&Bounds::EMPTY);
        assert_eq!(bounds, Bounds { least: at(1.0, 1.0), most: at(3.0, 2.0) });
        assert!(Bounds::EMPTY.is_empty() && !bounds.is_empty());
    }

    proptest! {
        #[test]
        fn a_curve_stays_in_its_bounds(points in prop::array::uniform8(-100.0..100.0), t in 0.0..=1.0) {
            let [a, b, c, d, e, f, g, h] = points;
            let curve = Bezier(at(a, b), at(c, d), at(e, f), at(g, h));
            let (bounds, point) = (curve.bounds(), curve.at(t));
            prop_assert!(point.x >= bounds.least.x - 1e-6 && point.x <= bounds.most.x + 1e-6);
            prop_assert!(point.y >= bounds.least.y - 1e-6 && point.y <= bounds.most.y + 1e-6);
        }

        #[test]
        fn turning_there_and_back_changes_nothing(x in -1e4..1e4, y in -1e4..1e4, angle in -7.0..7.0) {
            let back = at(x, y).turned(at(3.0, 4.0), angle).turned(at(3.0, 4.0), -angle);
            prop_assert!(back.distance(at(x, y)) < 1e-8);
        }
    }
}
