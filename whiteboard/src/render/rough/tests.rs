use super::*;
use crate::render::geometry::at;
use proptest::prelude::*;
use serde_json::Value;

const LOOP: [Point; 5] = [at(0.0, 0.0), at(60.0, 10.0), at(110.0, 70.0), at(40.0, 90.0), at(3.0, 4.0)];

fn options(value: &Value) -> Options {
    let number = |key: &str| value[key].as_f64().unwrap();
    Options {
        seed: number("seed") as i32,
        roughness: number("roughness"),
        fill: value["fillStyle"].as_str().map(|style| match style {
            "solid" => FillStyle::Solid,
            "cross-hatch" => FillStyle::CrossHatch,
            "zigzag" => FillStyle::Zigzag,
            _ => FillStyle::Hachure,
        }),
        gap: number("hachureGap"),
        curve_fitting: 0.95,
        single: value["disableMultiStroke"].as_bool().unwrap(),
        exact_ends: value["preserveVertices"].as_bool().unwrap(),
    }
}

fn plain() -> Options {
    Options { seed: 1, roughness: 1.0, fill: None, gap: 8.0, curve_fitting: 0.95, single: false, exact_ends: true }
}

fn draw(shape: &str, options: &Options) -> Sketch {
    match shape {
        "line" => line(at(1.0, 2.0), at(300.0, 40.0), options),
        "lines" => lines(&LOOP, options),
        "polygon" => polygon(&LOOP, options),
        "ellipse" => ellipse(at(60.0, 35.0), 120.0, 70.0, &Options { curve_fitting: 1.0, ..options.clone() }),
        "circle" => ellipse(at(60.0, 35.0), 12.0, 12.0, options),
        "curve" => curve(&LOOP, options),
        "curve2" => curve(&LOOP[..2], options),
        "path" => {
            let pulled = |from: Point, by: Point, to: Point| {
                Op::Curve(from.towards(by, 2.0 / 3.0), to.towards(by, 2.0 / 3.0), to)
            };
            path(
                &[
                    Op::Move(at(16.0, 0.0)),
                    Op::Line(at(184.0, 0.0)),
                    pulled(at(184.0, 0.0), at(200.0, 0.0), at(200.0, 16.0)),
                    Op::Line(at(200.0, 84.0)),
                    Op::Curve(at(200.0, 100.0), at(200.0, 100.0), at(184.0, 100.0)),
                    Op::Line(at(16.0, 100.0)),
                    pulled(at(16.0, 100.0), at(0.0, 100.0), at(0.0, 84.0)),
                    Op::Line(at(0.0, 16.0)),
                    pulled(at(0.0, 16.0), at(0.0, 0.0), at(16.0, 0.0)),
                ],
                options,
            )
        }
        shape => panic!("{shape}"),
    }
}

fn numbers(ops: &[Op]) -> Vec<f64> {
    ops.iter()
        .flat_map(|op| match *op {
            Op::Move(to) | Op::Line(to) => vec![to],
            Op::Curve(a, b, to) => vec![a, b, to],
        })
        .flat_map(|point| [point.x, point.y])
        .collect()
}

/// The data beside this module were made by rough.js itself.
#[test]
fn shapes_are_those_of_rough_js() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/rough.json")).unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let shape = case["shape"].as_str().unwrap();
        let sketch = draw(shape, &options(&case["options"]));
        let told = format!("{shape} {}", case["options"]);
        let sets = case["sets"].as_array().unwrap();
        assert_eq!(sketch.sets.len(), sets.len(), "{told}");
        for (found, expected) in sketch.sets.iter().zip(sets) {
            let purpose = match expected["type"].as_str().unwrap() {
                "path" => Purpose::Outline,
                "fillPath" => Purpose::Surface,
                _ => Purpose::Hatching,
            };
            assert_eq!(found.purpose, purpose, "{told}");
            let numbers = numbers(&found.ops);
            assert_eq!(numbers.len() as u64, expected["count"].as_u64().unwrap(), "{told} {purpose:?}");
            let near = |found: f64, expected: &Value, most: f64| {
                let expected = expected.as_f64().unwrap();
                assert!((found - expected).abs() < most, "{told} {purpose:?}: {found} is not {expected}");
            };
            for (found, expected) in numbers.iter().zip(expected["first"].as_array().unwrap()) {
                near(*found, expected, 1e-4);
            }
            for (found, expected) in numbers.iter().rev().zip(expected["last"].as_array().unwrap().iter().rev()) {
                near(*found, expected, 1e-4);
            }
            near(numbers.iter().sum(), &expected["sum"], 1e-2);
        }
    }
}

#[test]
fn a_surface_of_too_many_lines_is_filled_whole() {
    let options = Options { fill: Some(FillStyle::Hachure), gap: 0.1, roughness: 0.0, ..plain() };
    let far = 1e7;
    let square = [at(0.0, 0.0), at(far, 0.0), at(far, far), at(0.0, far)];
    let sketch = polygon(&square, &options);
    assert_eq!(sketch.sets[0].purpose, Purpose::Surface);
    assert_eq!(sketch.sets[0].ops.len(), 4);
}

#[test]
fn fewer_points_stay_near_the_line() {
    let points: Vec<Point> = (0..200).map(|x| at(f64::from(x), (f64::from(x) / 20.0).sin() * 40.0)).collect();
    let fewer = simplify(&points, 0.75);
    assert!(fewer.len() < 60 && fewer.len() > 10, "{}", fewer.len());
    assert_eq!((fewer[0], fewer[fewer.len() - 1]), (points[0], points[199]));
    assert_eq!(simplify(&points[..2], 100.0), &points[..2]);
    assert_eq!(simplify(&points, 1_000.0).len(), 2);
}

fn point() -> impl Strategy<Value = Point> {
    let number = prop_oneof![-1e3..1e3, Just(0.0), -1e7..1e7, Just(1e7), Just(0.1)];
    (number.clone(), number).prop_map(|(x, y)| at(x, y))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_shape_is_drawn_in_bounded_steps(
        points in prop::collection::vec(point(), 0..12),
        seed in any::<i32>(),
        roughness in 0.0..10.0,
        gap in prop_oneof![Just(0.0), 0.0..50.0],
        fill in prop::sample::select(vec![None, Some(FillStyle::Solid), Some(FillStyle::Hachure), Some(FillStyle::CrossHatch), Some(FillStyle::Zigzag)]),
        single in any::<bool>(),
    ) {
        let options = Options { seed, roughness, fill, gap, single, ..plain() };
        let mut sketches = vec![lines(&points, &options), polygon(&points, &options), curve(&points, &options)];
        let segments: Vec<Op> = points.iter().enumerate().map(|(place, &point)| match place {
            0 => Op::Move(point),
            place if place % 2 == 0 => Op::Line(point),
            place => Op::Curve(points[place - 1], points[0], point),
        }).collect();
        sketches.push(path(&segments, &options));
        if let Some(size) = points.first() {
            sketches.push(ellipse(*size, size.x.abs(), size.y.abs(), &options));
        }
        for sketch in sketches {
            let steps: usize = sketch.sets.iter().map(|set| set.ops.len()).sum();
            prop_assert!(steps <= 400_000, "{steps}");
            prop_assert!(sketch.sets.iter().flat_map(|set| numbers(&set.ops)).all(f64::is_finite));
        }
    }
}
