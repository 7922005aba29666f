//! Smooth lines through points, curves as points, and lines with fewer points.

use super::{Op, Point};
use crate::render::geometry::Bezier;

/// How often a curve is halved at most: 2^16 pieces are finer than any screen.
const HALVINGS: u8 = 16;

/// Points that curves are cut into, about: those after so many are not halved any more.
const MOST_POINTS: usize = 100_000;

/// How often a point is compared with a line when a line gets fewer points; then the rest of the points stay.
const MOST_COMPARISONS: usize = 10_000_000;

/// The curve between two points of a smooth line (Catmull-Rom).
pub fn step(before: Point, from: Point, to: Point, after: Point) -> Op {
    let out = from.plus(to.minus(before).times(1.0 / 6.0));
    let back = to.plus(from.minus(after).times(1.0 / 6.0));
    Op::Curve(out, back, to)
}

/// A smooth line through at least three points.
pub fn through(points: &[Point]) -> Vec<Bezier> {
    if let [a, b, c] = *points {
        return vec![Bezier(a, b, c, c)];
    }
    let last = points.len().saturating_sub(1);
    (0..last)
        .map(|place| {
            let (from, to) = (points[place], points[place + 1]);
            let before = points[place.saturating_sub(1)];
            let after = points[(place + 2).min(last)];
            match step(before, from, to, after) {
                Op::Curve(a, b, to) => Bezier(from, a, b, to),
                Op::Move(_) | Op::Line(_) => Bezier(from, from, to, to),
            }
        })
        .collect()
}

/// Points along curves, close enough to them, and of those only what is needed to stay within `distance`.
pub fn flattened(curves: &[Bezier], tolerance: f64, distance: f64) -> Vec<Point> {
    let mut points = Vec::new();
    for curve in curves {
        flatten(*curve, tolerance, HALVINGS, &mut points);
    }
    simplify(&points, distance)
}

/// Points along a path.
pub fn flattened_path(segments: &[Op], tolerance: f64, distance: f64) -> Vec<Point> {
    let mut points = Vec::new();
    let mut pending: Vec<Bezier> = Vec::new();
    let mut last = Point::default();
    let put = |pending: &mut Vec<Bezier>, points: &mut Vec<Point>| {
        let mut along = Vec::new();
        for curve in pending.drain(..) {
            flatten(curve, tolerance, HALVINGS, &mut along);
        }
        points.extend(along);
    };
    for segment in segments {
        match *segment {
            Op::Move(to) | Op::Line(to) => {
                put(&mut pending, &mut points);
                points.push(to);
                last = to;
            }
            Op::Curve(a, b, to) => {
                pending.push(Bezier(last, a, b, to));
                last = to;
            }
        }
    }
    put(&mut pending, &mut points);
    simplify(&points, distance)
}

/// Halves a curve until its pieces are flat (after Sean T. McBeth, "Offsetting Bézier curves").
fn flatten(curve: Bezier, tolerance: f64, halvings: u8, points: &mut Vec<Point>) {
    let Bezier(a, b, c, d) = curve;
    if halvings == 0 || points.len() >= MOST_POINTS || flatness(&curve) < tolerance {
        if points.last().is_none_or(|last: &Point| last.distance(a) > 1.0) {
            points.push(a);
        }
        points.push(d);
        return;
    }
    let (ab, bc, cd) = (a.towards(b, 0.5), b.towards(c, 0.5), c.towards(d, 0.5));
    let (abc, bcd) = (ab.towards(bc, 0.5), bc.towards(cd, 0.5));
    let middle = abc.towards(bcd, 0.5);
    flatten(Bezier(a, ab, abc, middle), tolerance, halvings - 1, points);
    flatten(Bezier(middle, bcd, cd, d), tolerance, halvings - 1, points);
}

fn flatness(&Bezier(a, b, c, d): &Bezier) -> f64 {
    let first = b.times(3.0).minus(a.times(2.0)).minus(d);
    let second = c.times(3.0).minus(d.times(2.0)).minus(a);
    (first.x * first.x).max(second.x * second.x) + (first.y * first.y).max(second.y * second.y)
}

/// Fewer points, none of the others farther than `distance` from the line (Ramer, Douglas and Peucker).
pub fn simplify(points: &[Point], distance: f64) -> Vec<Point> {
    if points.len() < 3 {
        return points.to_vec();
    }
    let mut kept = vec![false; points.len()];
    kept[0] = true;
    kept[points.len() - 1] = true;
    // A list of its own in place of recursion: a line may have very many points.
    let mut open = vec![(0, points.len() - 1)];
    let mut comparisons = 0;
    while let Some((start, end)) = open.pop() {
        comparisons += end - start;
        if comparisons > MOST_COMPARISONS {
            kept[start..end].fill(true);
            continue;
        }
        let farthest = (start + 1..end)
            .map(|place| (place, to_segment_squared(points[place], points[start], points[end])))
            .fold((start, 0.0), |best, one| if one.1 > best.1 { one } else { best });
        if farthest.1.sqrt() > distance {
            kept[farthest.0] = true;
            open.push((start, farthest.0));
            open.push((farthest.0, end));
        }
    }
    points.iter().zip(kept).filter(|(_, kept)| *kept).map(|(point, _)| *point).collect()
}

fn to_segment_squared(point: Point, from: Point, to: Point) -> f64 {
    let length = from.distance_squared(to);
    if length == 0.0 {
        return point.distance_squared(from);
    }
    let share = (point.minus(from).dot(to.minus(from)) / length).clamp(0.0, 1.0);
    point.distance_squared(from.towards(to, share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::geometry::at;

    #[test]
    fn curves_are_cut_into_a_bounded_number_of_points() {
        let wide: Vec<Point> = (0..5_000).map(|n| at(if n % 2 == 0 { -1e7 } else { 1e7 }, f64::from(n))).collect();
        let points = flattened(&through(&wide), 1.0, 0.0);
        assert!(points.len() > MOST_POINTS && points.len() < MOST_POINTS + 1_000 + 2 * wide.len(), "{}", points.len());
        assert_eq!((points.first(), points.last()), (wide.first(), wide.last()));
    }

    #[test]
    fn fewer_points_are_looked_for_only_so_long() {
        // Waves that become lower: the farthest point is the second one, again and again. A flat line follows them.
        let points = |waves: i32| -> Vec<Point> {
            let height = |n: i32| if n < waves { (waves - n) * (1 - n % 2 * 2) } else { 0 };
            (0..waves + 1_000).map(|n| at(f64::from(n), f64::from(height(n)))).collect()
        };
        assert!(simplify(&points(100), 0.5).len() < 110, "what is flat needs no points");
        assert_eq!(simplify(&points(20_000), 0.5).len(), 21_000, "all stay");
    }
}
