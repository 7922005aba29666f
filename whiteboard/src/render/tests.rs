use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A PNG of one red pixel.
const RED: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00\x0cIDATx\xdac\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xf7\x03AC\x00\x00\x00\x00IEND\xaeB`\x82";

fn red(id: &str) -> Option<Image<'static>> {
    (!id.is_empty()).then_some(Image { mime: "image/png", bytes: RED })
}

fn texts(elements: &Value) -> Vec<String> {
    elements.as_array().unwrap().iter().map(ToString::to_string).collect()
}

fn svg_of(elements: &Value, options: &Options) -> String {
    svg(texts(elements).iter().map(String::as_str), &red, options).unwrap()
}

/// A PNG's width, height and pixels (red, green, blue, opacity).
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 4]>,
}

impl Picture {
    fn of(elements: &Value, options: &Options) -> Self {
        Self::decode(&png(texts(elements).iter().map(String::as_str), &red, options).unwrap())
    }

    fn decode(file: &[u8]) -> Self {
        let pixmap = resvg::tiny_skia::Pixmap::decode_png(file).unwrap();
        let colour = |pixel: &resvg::tiny_skia::PremultipliedColorU8| {
            let pixel = pixel.demultiply();
            [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
        };
        Self { width: pixmap.width(), height: pixmap.height(), pixels: pixmap.pixels().iter().map(colour).collect() }
    }

    fn at(&self, x: u32, y: u32) -> [u8; 4] {
        self.pixels[(y * self.width + x) as usize]
    }

    /// The share of pixels that are not of this colour.
    fn share_other_than(&self, colour: [u8; 4]) -> f64 {
        let others = self.pixels.iter().filter(|pixel| **pixel != colour).count();
        others as f64 / self.pixels.len() as f64
    }
}

const WHITE: [u8; 4] = [255, 255, 255, 255];

fn solid(kind: &str, colour: &str) -> Value {
    json!({
        "id": kind, "type": kind, "x": 0, "y": 0, "width": 100, "height": 60, "seed": 5, "roughness": 0,
        "strokeColor": "transparent", "backgroundColor": colour, "fillStyle": "solid",
    })
}

fn with(mut element: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!() };
    element.as_object_mut().unwrap().extend(changes);
    element
}

#[test]
fn the_size_is_the_drawing_and_its_padding() {
    let drawing = json!([solid("rectangle", "#ff0000")]);
    for (options, expected) in [
        (Options::default(), (120, 80)),
        (Options { padding: 0.0, ..Options::default() }, (100, 60)),
        (Options { scale: 2.0, ..Options::default() }, (240, 160)),
        (Options { scale: 0.5, ..Options::default() }, (60, 40)),
        // 120 by 80 would be 9,600.
        (Options { max_pixels: 2_400, ..Options::default() }, (60, 40)),
    ] {
        let picture = Picture::of(&drawing, &options);
        assert_eq!((picture.width, picture.height), expected, "{options:?}");
    }
    let svg = svg_of(&drawing, &Options { scale: 2.0, ..Options::default() });
    assert!(svg.contains(r#"viewBox="0 0 120 80" width="240" height="160""#), "{svg}");
}

#[test]
fn an_empty_drawing_is_an_empty_picture() {
    let picture = Picture::of(&json!([]), &Options::default());
    assert_eq!((picture.width, picture.height, picture.share_other_than(WHITE)), (20, 20, 0.0));
    let picture = Picture::of(&json!([]), &Options { padding: 0.0, background: None, ..Options::default() });
    assert_eq!((picture.width, picture.height, picture.at(0, 0)), (1, 1, [0, 0, 0, 0]));
}

#[test]
fn every_kind_of_element_leaves_paint() {
    let base = json!({ "id": "a", "x": 3, "y": 4, "width": 120, "height": 70, "seed": 3, "strokeColor": "#1971c2" });
    for (kind, changes) in [
        ("rectangle", json!({})),
        ("rectangle", json!({ "roundness": { "type": 3 }, "strokeStyle": "dashed" })),
        ("diamond", json!({ "backgroundColor": "#ffc9c9", "fillStyle": "hachure" })),
        ("diamond", json!({ "roundness": { "type": 2 }, "fillStyle": "zigzag", "backgroundColor": "#ffc9c9" })),
        ("ellipse", json!({ "fillStyle": "cross-hatch", "backgroundColor": "#ffc9c9" })),
        ("line", json!({ "points": [[0, 0], [60, 70], [120, 0]], "roundness": { "type": 2 } })),
        ("line", json!({ "points": [[0, 0], [60, 70], [120, 0], [0, 0]], "backgroundColor": "#ffc9c9" })),
        (
            "arrow",
            json!({ "points": [[0, 0], [120, 70]], "startArrowhead": "diamond_outline", "endArrowhead": "triangle" }),
        ),
        (
            "arrow",
            json!({ "points": [[0, 0], [60, 0], [60, 70], [120, 70]], "elbowed": true, "strokeStyle": "dotted" }),
        ),
        ("freedraw", json!({ "points": [[0, 0], [30, 40], [80, 30], [120, 70]] })),
        ("freedraw", json!({ "points": [[0, 0], [120, 70]], "strokeOptions": { "variability": "constant" } })),
        ("freedraw", json!({ "points": [[0, 0], [120, 0], [120, 70], [0, 3]], "backgroundColor": "#ffc9c9" })),
        ("text", json!({ "text": "Grüße\nПривет", "fontSize": 28, "fontFamily": 5 })),
        ("text", json!({ "text": "漢字", "fontSize": 28 })),
        ("image", json!({ "fileId": "f" })),
        ("frame", json!({ "name": "Lesson" })),
        ("embeddable", json!({ "link": "https://example.com/" })),
        ("iframe", json!({})),
    ] {
        let element = with(base.clone(), with(changes, json!({ "type": kind })));
        let picture = Picture::of(&json!([element]), &Options::default());
        let share = picture.share_other_than(WHITE);
        assert!((0.002..0.9).contains(&share), "{element}: {share}");
        let dark = Picture::of(&json!([element]), &Options { dark: true, ..Options::default() });
        assert_eq!(dark.at(0, 0), [0x12, 0x12, 0x12, 255], "{element}");
        assert!(dark.share_other_than(dark.at(0, 0)) > 0.002, "{element}");
    }
}

#[test]
fn every_arrowhead_is_drawn_at_its_end() {
    let arrow = |start: Value, end: Value| {
        json!([{ "id": "a", "type": "arrow", "width": 200, "height": 0, "points": [[0, 0], [200, 0]], "seed": 9,
            "roughness": 0, "strokeWidth": 1, "startArrowhead": start, "endArrowhead": end },
            // Makes room above and below.
            { "type": "line", "y": -30, "width": 0, "height": 60, "points": [[0, 0], [0, 60]], "strokeColor": "transparent" }])
    };
    let paint = |start: Value, end: Value| {
        let picture = Picture::of(&arrow(start, end), &Options::default());
        let half = |left: bool| {
            (0..picture.height)
                .flat_map(|y| (0..picture.width).map(move |x| (x, y)))
                .filter(|&(x, _)| (x < picture.width / 2) == left)
                .filter(|&(x, y)| picture.at(x, y) != WHITE)
                .count()
        };
        (half(true), half(false))
    };
    let (bare, _) = paint(Value::Null, Value::Null);
    for head in [
        "arrow",
        "bar",
        "dot",
        "circle",
        "circle_outline",
        "triangle",
        "triangle_outline",
        "diamond",
        "diamond_outline",
        "crowfoot_one",
        "crowfoot_many",
        "crowfoot_one_or_many",
        "cardinality_exactly_one",
        "cardinality_zero_or_one",
        "cardinality_zero_or_many",
    ] {
        let (left, right) = paint(Value::Null, head.into());
        assert!(right > left + 10, "{head}: {left} {right}");
        let (left, right) = paint(head.into(), Value::Null);
        assert!(left > right + 10 && right <= bare + 10, "{head}: {left} {right}");
    }
}

#[test]
fn elements_lie_as_their_order_keys_say() {
    let below = with(solid("rectangle", "#ff0000"), json!({ "id": "z", "index": "a1" }));
    let above = with(solid("rectangle", "#0000ff"), json!({ "id": "a", "index": "a2" }));
    let picture = Picture::of(&json!([above, below]), &Options::default());
    assert_eq!(picture.at(60, 40), [0, 0, 255, 255]);
    // Without keys they lie in the order in which they come.
    let [mut first, mut second] = [below, above];
    first.as_object_mut().unwrap().remove("index");
    second.as_object_mut().unwrap().remove("index");
    let picture = Picture::of(&json!([second, first]), &Options::default());
    assert_eq!(picture.at(60, 40), [255, 0, 0, 255]);
}

#[test]
fn deleted_elements_are_left_out() {
    let deleted = with(solid("rectangle", "#ff0000"), json!({ "isDeleted": true }));
    assert_eq!(Picture::of(&json!([deleted]), &Options::default()).share_other_than(WHITE), 0.0);
}

#[test]
fn opacity_and_angle_count() {
    let half = with(solid("rectangle", "#000000"), json!({ "opacity": 50 }));
    let [grey, ..] = Picture::of(&json!([half]), &Options::default()).at(60, 40);
    assert!((126..=129).contains(&grey), "{grey}");
    let upright = with(solid("rectangle", "#ff0000"), json!({ "angle": std::f64::consts::FRAC_PI_2 }));
    let picture = Picture::of(&json!([upright]), &Options::default());
    assert_eq!((picture.width, picture.height), (80, 120));
    assert_eq!(picture.at(40, 12), [255, 0, 0, 255]);
}

#[test]
fn frames_clip_what_is_in_them() {
    let frame = json!({ "id": "f", "type": "frame", "x": 0, "y": 0, "width": 50, "height": 50, "name": "F" });
    let inside = with(solid("rectangle", "#ff0000"), json!({ "frameId": "f", "x": 20, "y": 10, "height": 20 }));
    let far = with(solid("rectangle", "#00ff00"), json!({ "id": "far", "x": 90, "width": 30 }));
    let options = Options { padding: 0.0, ..Options::default() };
    let picture = Picture::of(&json!([frame, inside, far]), &options);
    // The frame's name stands above it.
    let top = picture.height - 60;
    assert_eq!(picture.at(40, top + 20), [255, 0, 0, 255]);
    assert_eq!(picture.at(70, top + 20), WHITE);
    assert_eq!(picture.at(100, top + 20), [0, 255, 0, 255]);
}

#[test]
fn labels_leave_a_gap_in_arrows() {
    let arrow = json!({ "id": "a", "type": "arrow", "width": 200, "height": 0, "points": [[0, 0], [200, 0]],
        "roughness": 0, "strokeWidth": 4, "endArrowhead": null, "seed": 1 });
    let label = json!({ "id": "t", "type": "text", "containerId": "a", "text": ".", "x": 80, "y": -12.5, "width": 40,
        "height": 25, "fontSize": 20, "strokeColor": "#ff0000" });
    let options = Options { padding: 20.0, ..Options::default() };
    let picture = Picture::of(&json!([arrow, label]), &options);
    let middle = picture.height / 2;
    assert_ne!(picture.at(60, middle), WHITE);
    assert_eq!(picture.at(115, middle), WHITE);
    assert_ne!(picture.at(180, middle), WHITE);
}

#[test]
fn images_are_embedded_cropped_and_mirrored() {
    let image = json!({ "id": "i", "type": "image", "fileId": "f", "width": 40, "height": 30,
        "crop": { "x": 0, "y": 0, "width": 5, "height": 5, "naturalWidth": 10, "naturalHeight": 10 },
        "scale": [-1, 1], "roundness": { "type": 3 } });
    let picture = Picture::of(&json!([image]), &Options::default());
    assert_eq!((picture.at(30, 25), picture.at(10, 10)), ([255, 0, 0, 255], WHITE));
    let svg = svg_of(&json!([image, image]), &Options::default());
    assert_eq!(svg.matches("data:image/png;base64,").count(), 1, "an image is embedded once");
}

#[test]
fn an_image_that_is_not_there_or_too_large_is_a_box() {
    let elements = texts(&json!([{ "type": "image", "fileId": "f", "width": 40, "height": 30 }]));
    let mut huge = RED.to_vec();
    huge[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let svg_bomb = b"<svg><defs><g id='a'/></defs><use href='#a'/></svg>";
    let file = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='/etc/passwd'/></svg>";
    for bytes in [None, Some(&huge[..]), Some(&svg_bomb[..]), Some(&file[..]), Some(&b"no image"[..])] {
        let files = |_: &str| bytes.map(|bytes| Image { mime: "image/png", bytes });
        let file = png(elements.iter().map(String::as_str), &files, &Options::default()).unwrap();
        assert_eq!(Picture::decode(&file).at(25, 13), [0xe9, 0xec, 0xef, 255]);
    }
}

#[test]
fn svg_images_are_painted() {
    let elements = texts(&json!([{ "type": "image", "fileId": "f", "width": 40, "height": 30 }]));
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="6"><rect width="8" height="6" fill="blue"/></svg>"#;
    let files = |_: &str| Some(Image { mime: "image/svg+xml", bytes: svg });
    let file = png(elements.iter().map(String::as_str), &files, &Options::default()).unwrap();
    assert_eq!(Picture::decode(&file).at(30, 25), [0, 0, 255, 255]);
}

#[test]
fn texts_stay_texts_and_bring_their_fonts() {
    let text = json!({ "id": "t", "type": "text", "text": "a < b & \"c\"\n]]>", "fontSize": 20, "fontFamily": 8, "width": 90, "height": 50 });
    let svg = svg_of(&json!([text]), &Options::default());
    assert!(svg.contains(">a &lt; b &amp; &quot;c&quot;</text>"), "{svg}");
    assert!(svg.contains("white-space:pre") && svg.contains("font-family: \"Comic Shanns\""));
    assert!(svg.len() < 20_000, "{} bytes", svg.len());
    let plain = svg_of(&json!([solid("rectangle", "#ff0000")]), &Options::default());
    assert!(!plain.contains("<style>"));
}

#[test]
fn half_a_letter_is_shown_as_one_that_cannot_be_shown() {
    let text = r#"{"id":"t","type":"text","text":"a\ud83d","fontSize":20,"fontFamily":2,"width":90,"height":25}"#;
    let svg = svg([text], &red, &Options::default()).unwrap();
    assert!(svg.contains(">a\u{fffd}</text>"), "{svg}");
    let picture = Picture::decode(&png([text], &red, &Options::default()).unwrap());
    assert!(picture.share_other_than(WHITE) > 0.01);
}

#[test]
fn nothing_a_drawing_says_becomes_markup() {
    let evil = "\"><script>alert(1)</script><x y=\"";
    let element = |kind: &str| {
        json!({ "id": evil, "type": kind, "text": evil, "name": evil, "link": format!("javascript:{evil}"),
            "strokeColor": evil, "backgroundColor": evil, "fileId": evil, "frameId": evil, "width": 50, "height": 50,
            "points": [[0, 0], [50, 50]], "index": evil })
    };
    let kinds = crate::exchange::ELEMENT_TYPES;
    let elements: Vec<Value> = kinds.iter().map(|kind| element(kind)).collect();
    let options = Options { background: Some(evil.to_owned()), ..Options::default() };
    let svg = svg_of(&Value::Array(elements), &options);
    assert!(!svg.contains("<script") && !svg.contains("<x") && !svg.contains("href=\"javascript"), "{svg}");
    let link = with(solid("rectangle", "#ff0000"), json!({ "link": "https://example.com/?a=1&b=\"2\"" }));
    let svg = svg_of(&json!([link]), &Options::default());
    assert!(svg.contains("<a href=\"https://example.com/?a=1&amp;b=&quot;2&quot;\">"), "{svg}");
}

#[test]
fn too_much_is_refused_with_a_sentence() {
    let element = solid("rectangle", "#ff0000").to_string();
    let many = std::iter::repeat_n(element.as_str(), MOST_ELEMENTS + 1);
    let error = Scene::new(many, &Options::default(), Clock::start(Duration::MAX)).unwrap_err();
    assert_eq!(error, RenderError::Elements { limit: MOST_ELEMENTS });
    let options = Options { time: Duration::ZERO, ..Options::default() };
    let text = json!({ "type": "text", "text": "x".repeat(2_000), "fontSize": 1 }).to_string();
    let error = png([text.as_str()], &|_: &str| None, &options).unwrap_err();
    assert!(matches!(error, RenderError::Time { .. }), "{error}");
    assert!(error.to_string().ends_with('.'));
    let comb: Vec<[u32; 2]> = (0..5_000).map(|n| [n, n % 2 * 190_000]).collect();
    let comb = json!({ "type": "line", "points": comb }).to_string();
    let error = png([comb.as_str()], &|_: &str| None, &Options::default()).unwrap_err();
    assert_eq!(error, RenderError::Length { limit: MOST_LENGTH });
    assert!(svg([comb.as_str()], &|_: &str| None, &Options::default()).is_ok(), "nobody paints it here");
    let dotted = json!({ "type": "line", "points": [[0, 0], [140_000, 1]], "strokeStyle": "dotted" }).to_string();
    let error = svg(std::iter::repeat_n(dotted.as_str(), 200), &|_: &str| None, &Options::default()).unwrap_err();
    assert_eq!(error, RenderError::Strokes { limit: MOST_STROKES });
    // The clock is looked at before each element, however little it adds to the picture.
    for drawn in [svg([element.as_str()], &red, &options).map(drop), png([element.as_str()], &red, &options).map(drop)]
    {
        assert_eq!(drawn.unwrap_err(), RenderError::Time { seconds: 0 });
    }
}

#[test]
fn the_same_drawing_gives_the_same_picture() {
    let drawing = json!([solid("ellipse", "#ff0000"), { "type": "freedraw", "points": [[0, 0], [9, 9], [30, 2]] }]);
    assert_eq!(svg_of(&drawing, &Options::default()), svg_of(&drawing, &Options::default()));
}

/// Numbers that drawings should not have but may.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-2_000.0..2_000.0).prop_map(Value::from),
        1 => prop::sample::select(vec![0.0, -0.0, 1e-300, 1e7, -1e7, 1e15, 1e300, 0.1]).prop_map(Value::from),
        1 => prop_oneof![Just(Value::Null), Just(json!("9")), Just(json!([])), Just(json!(u64::MAX)), Just(json!(i64::MIN))],
    ]
}

fn colour() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![json!("#e03131"), json!("transparent"), json!("no colour"), json!(7), json!("#fff8")])
}

fn any_element() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(crate::exchange::ELEMENT_TYPES.to_vec());
    let numbers = prop::collection::vec(number(), 10);
    let points = prop::collection::vec(prop::collection::vec(number(), 0..3), 0..12);
    let words = (
        prop::sample::select(vec!["solid", "hachure", "cross-hatch", "zigzag", "x"]),
        prop::sample::select(vec!["solid", "dashed", "dotted", "x"]),
        prop::sample::select(vec![
            "arrow",
            "bar",
            "dot",
            "triangle",
            "diamond_outline",
            "cardinality_zero_or_many",
            "x",
        ]),
        "[ a-zA-Zäß漢\\n\\t]{0,20}",
    );
    (kind, numbers, points, words, colour(), colour(), any::<[bool; 4]>()).prop_map(
        |(
            kind,
            numbers,
            points,
            (fill, stroke, head, text),
            colour,
            background,
            [round, elbowed, closed, simulate],
        )| {
            let mut points = points;
            if closed && let Some(first) = points.first().cloned() {
                points.push(first);
            }
            json!({
                "id": text, "type": kind, "x": numbers[0], "y": numbers[1], "width": numbers[2], "height": numbers[3],
                "angle": numbers[4], "strokeWidth": numbers[5], "roughness": numbers[6], "opacity": 90,
                "seed": numbers[7], "fontSize": numbers[8], "lineHeight": numbers[9], "points": points,
                "pressures": [numbers[0], numbers[1]], "simulatePressure": simulate, "fillStyle": fill,
                "strokeStyle": stroke, "startArrowhead": head, "endArrowhead": head, "text": text, "name": text,
                "strokeColor": colour, "backgroundColor": background, "elbowed": elbowed, "fileId": "f",
                "roundness": if round { json!({ "type": 3, "value": numbers[9] }) } else { Value::Null },
                "frameId": text, "crop": { "x": numbers[0], "y": numbers[1], "width": numbers[2], "height": numbers[3],
                    "naturalWidth": numbers[4], "naturalHeight": numbers[5] },
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_element_is_drawn_or_left_out_in_bounded_time(elements in prop::collection::vec(any_element(), 1..4), dark in any::<bool>()) {
        let options = Options { dark, max_pixels: 20_000, ..Options::default() };
        let texts: Vec<String> = elements.iter().map(ToString::to_string).collect();
        let text = svg(texts.iter().map(String::as_str), &red, &options).unwrap();
        prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        prop_assert!(text.len() < 30_000_000, "{} bytes", text.len());
        let file = png(texts.iter().map(String::as_str), &red, &options);
        match file {
            Ok(file) => {
                let picture = Picture::decode(&file);
                prop_assert!(picture.width * picture.height <= 40_000);
            }
            // A busy machine may need longer.
            Err(error) => prop_assert!(matches!(error, RenderError::Time { .. }), "{}", error),
        }
    }
}
