//! The outline of a freehand stroke, after the algorithm of perfect-freehand (see `NOTICES.md`).

use super::element::Freedraw;
use super::geometry::{Point, at};
use std::f64::consts::{FRAC_PI_2, PI};

/// The stroke's size for a stroke width of 1, as Excalidraw chose it. The following four likewise.
const SIZE: f64 = 4.25;
const THINNING: f64 = 0.6;
const SMOOTHING: f64 = 0.5;
/// How much each point follows the pen; the rest stays with the point before (Excalidraw's streamline of 0.5).
const FOLLOWING: f64 = 0.15 + (1.0 - 0.5) * 0.85;

/// How quickly a simulated pressure changes.
const PRESSURE_CHANGE: f64 = 0.275;

/// Half a turn, and a little so that caps close.
const HALF_TURN: f64 = PI + 0.0001;

/// A point of the stroke after smoothing.
struct Sample {
    point: Point,
    pressure: f64,
    /// Where the pen came from, of length 1.
    vector: Point,
    distance: f64,
    running: f64,
}

/// The corners of a stroke's outline. Where it has no pressures they are simulated from how fast the pen went.
pub fn outline(stroke: &Freedraw, stroke_width: f64) -> Vec<Point> {
    let size = stroke_width * SIZE;
    if stroke.points.is_empty() || size <= 0.0 {
        return Vec::new();
    }
    around(&samples(stroke, size), size, stroke.pressures.is_none())
}

fn samples(stroke: &Freedraw, size: f64) -> Vec<Sample> {
    let points = &stroke.points;
    let pressure_at = |place: usize| {
        stroke.pressures.as_ref().and_then(|all| all.get(place)).copied().filter(|pressure| *pressure >= 0.0)
    };
    let mut input: Vec<(Point, Option<f64>)> =
        points.iter().enumerate().map(|(place, &point)| (point, pressure_at(place))).collect();
    match **points {
        [from, to] => {
            // A stroke of two points is given some between them.
            input.truncate(1);
            input.extend((1..5).map(|quarter| (from.towards(to, f64::from(quarter) / 4.0), None)));
        }
        [only] => input.push((only.plus(at(1.0, 1.0)), pressure_at(0))),
        _ => {}
    }
    let (first, pressure) = input[0];
    let mut samples = vec![Sample {
        point: first,
        pressure: pressure.unwrap_or(0.25),
        vector: at(1.0, 1.0),
        distance: 0.0,
        running: 0.0,
    }];
    let (mut last, mut running, mut long_enough) = (first, 0.0, false);
    let end = input.len() - 1;
    for (place, &(target, pressure)) in input.iter().enumerate().skip(1) {
        let point = if place == end && stroke.finished { target } else { last.towards(target, FOLLOWING) };
        if point == last {
            continue;
        }
        let distance = point.distance(last);
        running += distance;
        // The noise at the beginning of a stroke is left out.
        if place < end && !long_enough {
            if running < size {
                continue;
            }
            long_enough = true;
        }
        let vector = last.minus(point).unit();
        samples.push(Sample { point, pressure: pressure.unwrap_or(0.5), vector, distance, running });
        last = point;
    }
    samples[0].vector = samples.get(1).map_or(Point::default(), |second| second.vector);
    samples
}

/// Half the stroke's width at a pressure.
fn radius_at(pressure: f64, size: f64) -> f64 {
    let share = 0.5 - THINNING * (0.5 - pressure);
    size * (share * FRAC_PI_2).sin()
}

/// The pressure of a pen that moved by `distance` since the last point.
fn simulated(before: f64, distance: f64, size: f64) -> f64 {
    let speed = (distance / size).min(1.0);
    let aim = (1.0 - speed).min(1.0);
    (before + (aim - before) * (speed * PRESSURE_CHANGE)).min(1.0)
}

/// The shares of a turn that a cap has corners at, in steps of 1/`parts`.
fn shares(start: f64, parts: f64) -> impl Iterator<Item = f64> {
    let step = 1.0 / parts;
    // Summed as the original does it: whether the last share is reached depends on the rounding.
    std::iter::successors(Some(start), move |share| Some(share + step))
}

fn around(samples: &[Sample], size: f64, simulate: bool) -> Vec<Point> {
    let (first, last) = (&samples[0], &samples[samples.len() - 1]);
    let nearest = (size * SMOOTHING).powi(2);
    let mut before = samples.iter().take(10).fold(first.pressure, |before, sample| {
        let pressure = if simulate { simulated(before, sample.distance, size) } else { sample.pressure };
        f64::midpoint(before, pressure)
    });
    let mut radius = radius_at(last.pressure, size);
    let mut first_radius = None;
    let mut from = first.vector;
    let (mut left, mut right): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
    let (mut last_left, mut last_right) = (first.point, first.point);
    let mut was_corner = false;
    for (place, sample) in samples.iter().enumerate() {
        let next = samples.get(place + 1);
        let point = sample.point;
        // The noise at the end is left out, too.
        if next.is_some() && last.running - sample.running < 3.0 {
            continue;
        }
        let pressure = if simulate { simulated(before, sample.distance, size) } else { sample.pressure };
        radius = radius_at(pressure, size);
        first_radius.get_or_insert(radius);
        radius = radius.max(0.01);
        let along_next = next.map_or(1.0, |next| sample.vector.dot(next.vector));
        let corner_here = sample.vector.dot(from) < 0.0 && !was_corner;
        let corner_next = along_next < 0.0;
        if corner_here || corner_next {
            let across = from.across().times(radius);
            for share in shares(0.0, 13.0).take_while(|share| *share <= 1.0) {
                last_left = point.minus(across).turned(point, HALF_TURN * share);
                left.push(last_left);
                last_right = point.plus(across).turned(point, HALF_TURN * -share);
                right.push(last_right);
            }
            was_corner |= corner_next;
            continue;
        }
        was_corner = false;
        let Some(next) = next else {
            let across = sample.vector.across().times(radius);
            left.push(point.minus(across));
            right.push(point.plus(across));
            continue;
        };
        let across = next.vector.towards(sample.vector, along_next).across().times(radius);
        let one = point.minus(across);
        if place <= 1 || last_left.distance_squared(one) > nearest {
            left.push(one);
            last_left = one;
        }
        let other = point.plus(across);
        if place <= 1 || last_right.distance_squared(other) > nearest {
            right.push(other);
            last_right = other;
        }
        before = pressure;
        from = sample.vector;
    }
    if samples.len() == 1 {
        return dot(first.point, first_radius.unwrap_or(radius));
    }
    let ending = last.vector.times(-1.0).across();
    let end_start = last.point.plus(ending.times(radius));
    let end = shares(1.0 / 29.0, 29.0).take_while(|share| *share < 1.0);
    let end = end.map(|share| end_start.turned(last.point, HALF_TURN * 3.0 * share));
    let start_start = right.first().copied().unwrap_or(first.point);
    let start = shares(1.0 / 13.0, 13.0).take_while(|share| *share <= 1.0);
    let start = start.map(|share| start_start.turned(first.point, HALF_TURN * share));
    let mut outline = left;
    outline.extend(end);
    outline.extend(right.iter().rev());
    outline.extend(start);
    outline
}

/// A round dot.
fn dot(centre: Point, radius: f64) -> Vec<Point> {
    let start = centre.plus(at(-1.0, -1.0).across().unit().times(-radius));
    let corners = shares(1.0 / 13.0, 13.0).take_while(|share| *share <= 1.0);
    corners.map(|share| start.turned(centre, HALF_TURN * 2.0 * share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn points(value: &Value) -> Vec<Point> {
        let pairs = value.as_array().unwrap().iter();
        pairs.map(|pair| at(pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap())).collect()
    }

    fn stroke(points: Vec<Point>, pressures: Option<Vec<f64>>) -> Freedraw {
        Freedraw { points, pressures, constant: false, finished: true }
    }

    /// The data were made by perfect-freehand itself.
    #[test]
    fn outlines_are_those_of_perfect_freehand() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("golden/freehand.json")).unwrap();
        assert!(cases.len() >= 12);
        for (number, case) in cases.iter().enumerate() {
            let pressures = case["pressures"].as_array();
            let pressures: Option<Vec<f64>> =
                pressures.map(|list| list.iter().map(|pressure| pressure.as_f64().unwrap()).collect());
            let stroke = stroke(points(&case["points"]), pressures);
            let found = outline(&stroke, case["width"].as_f64().unwrap());
            let expected = case["outline"].as_array().unwrap();
            assert_eq!(found.len() * 2, expected.len(), "stroke {number}");
            for (place, (found, expected)) in
                found.iter().flat_map(|point| [point.x, point.y]).zip(expected).enumerate()
            {
                let expected = expected.as_f64().unwrap();
                assert!((found - expected).abs() < 1e-3, "stroke {number}, number {place}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn no_points_have_no_outline() {
        assert_eq!(outline(&stroke(vec![], None), 1.0), []);
        assert_eq!(outline(&stroke(vec![at(1.0, 1.0)], None), 0.0), []);
    }

    #[test]
    fn an_unfinished_stroke_stays_behind_the_pen() {
        let reach = |finished: bool| {
            let points = vec![at(0.0, 0.0), at(50.0, 0.0), at(100.0, 0.0)];
            let corners = outline(&Freedraw { finished, ..stroke(points, None) }, 1.0);
            corners.iter().map(|corner| corner.x).fold(0.0, f64::max)
        };
        assert!(reach(true) > 100.0 && reach(false) < 95.0, "{} {}", reach(true), reach(false));
    }

    proptest! {
        #[test]
        fn outlines_are_finite_and_bounded(
            points in prop::collection::vec((-1e7..1e7, prop_oneof![-1e7..1e7, Just(0.0)]), 1..40),
            repeated in 1usize..4,
            pressures in prop::option::of(prop::collection::vec(0.0..=1.0, 0..40)),
            width in 0.01..1000.0,
        ) {
            let points: Vec<Point> =
                points.iter().flat_map(|&(x, y)| std::iter::repeat_n(at(x, y), repeated)).collect();
            let most = points.len().max(6) * 28 + 60;
            let corners = outline(&stroke(points, pressures), width);
            prop_assert!(corners.len() <= most);
            prop_assert!(corners.iter().all(|corner| corner.x.is_finite() && corner.y.is_finite()));
        }
    }
}
