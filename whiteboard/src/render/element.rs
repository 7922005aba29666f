//! Elements as drawings have them, read leniently: what is missing or of a wrong kind gets Excalidraw's default.

use super::colour::Colour;
use super::geometry::{Point, at};
use super::halves::replaced;
use super::rough::FillStyle;
use serde_json::Value;

/// What lies farther out than this is not drawn, in pixels. Excalidraw itself gives up much earlier.
const FAR: f64 = 1e7;

/// Points of one element beyond this many are not drawn.
const MOST_POINTS: usize = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrokeStyle {
    Solid,
    Dashed,
    Dotted,
}

/// How corners are rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Roundness {
    Proportional,
    /// At most this many pixels.
    Adaptive(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrowhead {
    Arrow,
    Bar,
    Circle {
        filled: bool,
    },
    Triangle {
        filled: bool,
    },
    Diamond {
        filled: bool,
    },
    /// A foot of older drawings: with a bar across, with toes, or both.
    Crowfoot {
        bar: bool,
        toes: bool,
    },
    One,
    Many,
    OneOrMany,
    ExactlyOne,
    ZeroOrOne,
    ZeroOrMany,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Lines, parted by line feeds.
    pub content: String,
    pub size: f64,
    /// Excalidraw's number of the font.
    pub family: u32,
    pub align: Align,
    /// As a share of the size.
    pub line_height: f64,
    /// The element that the text is the label of.
    pub container: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Freedraw {
    pub points: Vec<Point>,
    /// From 0 to 1, one a point; none if they are to be simulated.
    pub pressures: Option<Vec<f64>>,
    /// The stroke is as wide everywhere.
    pub constant: bool,
    /// The stroke reaches to its last point, as once the pen was lifted.
    pub finished: bool,
}

/// The part of an image that is shown, in pixels of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    pub corner: Point,
    pub width: f64,
    pub height: f64,
    pub natural_width: f64,
    pub natural_height: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Rectangle,
    Diamond,
    Ellipse,
    Line {
        points: Vec<Point>,
    },
    Arrow {
        points: Vec<Point>,
        elbowed: bool,
        start: Option<Arrowhead>,
        end: Option<Arrowhead>,
    },
    Freedraw(Freedraw),
    Text(Text),
    Image {
        file: Option<String>,
        flip: (bool, bool),
        crop: Option<Crop>,
    },
    Frame {
        name: Option<String>,
    },
    /// A page within the drawing; only its place and address are drawn.
    Embed {
        iframe: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    pub id: String,
    pub kind: Kind,
    pub corner: Point,
    pub width: f64,
    pub height: f64,
    /// Radians.
    pub angle: f64,
    pub stroke: Colour,
    pub background: Colour,
    pub fill: FillStyle,
    pub stroke_width: f64,
    pub stroke_style: StrokeStyle,
    pub roughness: f64,
    /// From 0 to 1.
    pub opacity: f64,
    pub seed: i32,
    pub roundness: Option<Roundness>,
    /// The order key.
    pub index: Option<String>,
    pub frame: Option<String>,
    pub link: Option<String>,
}

impl Element {
    /// Reads an element; `None` for one that is deleted or that cannot be drawn.
    pub fn parse(json: &str) -> Option<Self> {
        let value = serde_json::from_str::<Value>(json).or_else(|_| serde_json::from_str(&replaced(json))).ok()?;
        let element = Fields(value.as_object()?);
        if element.0.get("isDeleted").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        let (mut width, mut height) = (element.number("width", 0.0), element.number("height", 0.0));
        let mut corner = at(element.number("x", 0.0), element.number("y", 0.0));
        let mut kind = element.kind(width, height)?;
        if let Kind::Line { points } | Kind::Arrow { points, .. } = &mut kind {
            // Lines begin at their element's corner; those of other programs may not.
            let first = points.first().copied().unwrap_or_default();
            corner = corner.plus(first);
            for point in points {
                *point = point.minus(first);
            }
        }
        // Drawn from right to left; lines have points for that.
        let has_points = matches!(kind, Kind::Line { .. } | Kind::Arrow { .. } | Kind::Freedraw(_));
        if has_points {
            (width, height) = (width.abs(), height.abs());
        }
        if width < 0.0 {
            corner.x += width;
            width = -width;
        }
        if height < 0.0 {
            corner.y += height;
            height = -height;
        }
        let near = |number: f64| number.abs() <= FAR;
        if ![corner.x, corner.y, width, height].into_iter().all(near) {
            return None;
        }
        let id = element.text("id").unwrap_or_default();
        Some(Self {
            corner,
            width,
            height,
            angle: element.number("angle", 0.0) % std::f64::consts::TAU,
            stroke: element.colour("strokeColor").unwrap_or(Colour::BLACK),
            background: element.colour("backgroundColor").unwrap_or(Colour::TRANSPARENT),
            fill: match element.str("fillStyle") {
                Some("solid") => FillStyle::Solid,
                Some("cross-hatch") => FillStyle::CrossHatch,
                Some("zigzag") => FillStyle::Zigzag,
                _ => FillStyle::Hachure,
            },
            stroke_width: element.number("strokeWidth", 2.0).clamp(0.0, 1_000.0),
            stroke_style: match element.str("strokeStyle") {
                Some("dashed") => StrokeStyle::Dashed,
                Some("dotted") => StrokeStyle::Dotted,
                _ => StrokeStyle::Solid,
            },
            roughness: element.number("roughness", 1.0).clamp(0.0, 10.0),
            opacity: element.number("opacity", 100.0).clamp(0.0, 100.0) / 100.0,
            seed: seed(element.0.get("seed"), id),
            roundness: element.roundness(),
            index: element.text("index").map(str::to_owned),
            frame: element.text("frameId").map(str::to_owned),
            link: element.text("link").map(str::to_owned),
            id: id.to_owned(),
            kind,
        })
    }

    /// The middle of the box that the element's size describes.
    pub fn middle(&self) -> Point {
        self.corner.plus(at(self.width, self.height).times(0.5))
    }

    /// The radius of a corner where sides of this length meet.
    pub fn corner_radius(&self, side: f64) -> f64 {
        match self.roundness {
            None => 0.0,
            Some(Roundness::Proportional) => side * 0.25,
            Some(Roundness::Adaptive(most)) => (side * 0.25).min(most),
        }
    }

    pub fn points(&self) -> &[Point] {
        match &self.kind {
            Kind::Line { points } | Kind::Arrow { points, .. } | Kind::Freedraw(Freedraw { points, .. }) => points,
            _ => &[],
        }
    }

    /// Whether a line ends about where it began, so that it has a surface.
    pub fn is_loop(&self) -> bool {
        match self.points() {
            [first, .., last] if self.points().len() >= 3 => first.distance(*last) <= 8.0,
            _ => false,
        }
    }
}

/// Where chance starts; never 0, which has none to repeat.
fn seed(value: Option<&Value>, id: &str) -> i32 {
    let seed = value.and_then(Value::as_f64).unwrap_or(0.0);
    // As JavaScript makes 32-bit numbers of others, but without wrapping round.
    let seed = seed as i32;
    if seed != 0 {
        return seed;
    }
    id.bytes().fold(1, |seed: i32, byte| seed.wrapping_mul(31).wrapping_add(i32::from(byte))).max(1)
}

/// The members of an element.
struct Fields<'v>(&'v serde_json::Map<String, Value>);

impl<'v> Fields<'v> {
    fn str(&self, key: &str) -> Option<&'v str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn text(&self, key: &str) -> Option<&'v str> {
        self.str(key).filter(|text| !text.is_empty())
    }

    fn number(&self, key: &str, default: f64) -> f64 {
        self.0.get(key).and_then(Value::as_f64).filter(|number| number.is_finite()).unwrap_or(default)
    }

    fn colour(&self, key: &str) -> Option<Colour> {
        self.str(key).and_then(Colour::parse)
    }

    fn roundness(&self) -> Option<Roundness> {
        let Some(roundness) = self.0.get("roundness").and_then(Value::as_object) else {
            let old = self.str("strokeSharpness") == Some("round");
            return old.then_some(Roundness::Proportional);
        };
        let roundness = Fields(roundness);
        if roundness.number("type", 0.0) == 3.0 {
            Some(Roundness::Adaptive(roundness.number("value", 32.0).max(0.0)))
        } else {
            Some(Roundness::Proportional)
        }
    }

    fn kind(&self, width: f64, height: f64) -> Option<Kind> {
        Some(match self.str("type")? {
            "rectangle" => Kind::Rectangle,
            "diamond" => Kind::Diamond,
            "ellipse" => Kind::Ellipse,
            "line" | "draw" => Kind::Line { points: self.line_points(width, height) },
            "arrow" => Kind::Arrow {
                points: self.line_points(width, height),
                elbowed: self.0.get("elbowed").and_then(Value::as_bool) == Some(true),
                start: self.arrowhead("startArrowhead", None),
                end: self.arrowhead("endArrowhead", Some(Arrowhead::Arrow)),
            },
            "freedraw" => self.freedraw(),
            "text" => Kind::Text(self.text_kind(height)),
            "image" => self.image(),
            "frame" | "magicframe" => Kind::Frame { name: self.text("name").map(str::to_owned) },
            "embeddable" => Kind::Embed { iframe: false },
            "iframe" => Kind::Embed { iframe: true },
            _ => return None,
        })
    }

    fn points(&self) -> Vec<Point> {
        let points = self.0.get("points").and_then(Value::as_array);
        points.into_iter().flatten().filter_map(point).take(MOST_POINTS).collect()
    }

    fn line_points(&self, width: f64, height: f64) -> Vec<Point> {
        let points = self.points();
        if points.len() >= 2 { points } else { vec![at(0.0, 0.0), at(width, height)] }
    }

    fn freedraw(&self) -> Kind {
        let simulate = self.0.get("simulatePressure").and_then(Value::as_bool);
        let pressures = self.0.get("pressures").and_then(Value::as_array);
        let pressures: Vec<f64> = pressures
            .into_iter()
            .flatten()
            .take(MOST_POINTS)
            .map(|pressure| pressure.as_f64().unwrap_or(0.5).clamp(0.0, 1.0))
            .collect();
        let simulate = simulate.unwrap_or(pressures.is_empty());
        let options = self.0.get("strokeOptions").and_then(Value::as_object).map(Fields);
        let constant = options.is_some_and(|options| options.str("variability") == Some("constant"));
        // Excalidraw 0.18 writes this key, and null as long as the pen is down and after reading a file.
        let finished = self.0.get("lastCommittedPoint").is_none_or(|point| !point.is_null());
        let pressures = (!simulate).then_some(pressures);
        Kind::Freedraw(Freedraw { points: self.points(), pressures, constant, finished })
    }

    fn text_kind(&self, height: f64) -> Text {
        let text = self.str("text").unwrap_or_default().replace("\r\n", "\n").replace('\r', "\n");
        // Old files have "20px Virgil" in place of two numbers.
        let mut font = self.str("font").unwrap_or_default().split(' ');
        let old_size = font.next().and_then(|size| size.trim_end_matches("px").parse::<f64>().ok());
        let old_family = match font.next() {
            Some("Helvetica") => 2.0,
            Some("Cascadia") => 3.0,
            Some(_) => 1.0,
            None => 5.0,
        };
        let size = self.number("fontSize", old_size.unwrap_or(20.0)).clamp(0.1, 10_000.0);
        let family = self.number("fontFamily", old_family).clamp(0.0, 1e6) as u32;
        let lines = text.split('\n').count() as f64;
        let line_height = self.number("lineHeight", 0.0);
        let line_height = if line_height > 0.0 {
            line_height.min(100.0)
        } else if height > 0.0 {
            (height / lines / size).clamp(0.1, 100.0)
        } else {
            1.25
        };
        let align = match self.str("textAlign") {
            Some("center") => Align::Centre,
            Some("right") => Align::Right,
            _ => Align::Left,
        };
        Text { content: text, size, family, align, line_height, container: self.text("containerId").map(str::to_owned) }
    }

    fn image(&self) -> Kind {
        let scale = self.0.get("scale").and_then(point).unwrap_or(at(1.0, 1.0));
        let crop = self.0.get("crop").and_then(Value::as_object).map(Fields).and_then(|crop| {
            let part = |key: &str| crop.number(key, 0.0);
            let crop = Crop {
                corner: at(part("x"), part("y")),
                width: part("width"),
                height: part("height"),
                natural_width: part("naturalWidth"),
                natural_height: part("naturalHeight"),
            };
            let sizes = [crop.width, crop.height, crop.natural_width, crop.natural_height];
            let sound = sizes.into_iter().all(|size| (0.01..=FAR).contains(&size));
            (sound && crop.corner.length() <= FAR).then_some(crop)
        });
        Kind::Image { file: self.text("fileId").map(str::to_owned), flip: (scale.x < 0.0, scale.y < 0.0), crop }
    }

    fn arrowhead(&self, key: &str, missing: Option<Arrowhead>) -> Option<Arrowhead> {
        let Some(value) = self.0.get(key) else { return missing };
        Some(match value.as_str()? {
            "bar" => Arrowhead::Bar,
            "dot" | "circle" => Arrowhead::Circle { filled: true },
            "circle_outline" => Arrowhead::Circle { filled: false },
            "triangle" => Arrowhead::Triangle { filled: true },
            "triangle_outline" => Arrowhead::Triangle { filled: false },
            "diamond" => Arrowhead::Diamond { filled: true },
            "diamond_outline" => Arrowhead::Diamond { filled: false },
            "crowfoot_one" => Arrowhead::Crowfoot { bar: true, toes: false },
            "crowfoot_many" => Arrowhead::Crowfoot { bar: false, toes: true },
            "crowfoot_one_or_many" => Arrowhead::Crowfoot { bar: true, toes: true },
            "cardinality_one" => Arrowhead::One,
            "cardinality_many" => Arrowhead::Many,
            "cardinality_one_or_many" => Arrowhead::OneOrMany,
            "cardinality_exactly_one" => Arrowhead::ExactlyOne,
            "cardinality_zero_or_one" => Arrowhead::ZeroOrOne,
            "cardinality_zero_or_many" => Arrowhead::ZeroOrMany,
            _ => Arrowhead::Arrow,
        })
    }
}

/// A pair of numbers, not too far out.
fn point(value: &Value) -> Option<Point> {
    let pair = value.as_array()?;
    let (x, y) = (pair.first()?.as_f64()?, pair.get(1)?.as_f64()?);
    (x.abs() <= FAR && y.abs() <= FAR).then_some(at(x, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Element {
        Element::parse(json).unwrap_or_else(|| panic!("{json}"))
    }

    #[test]
    fn what_is_missing_gets_defaults() {
        let element = parse(r#"{"type":"rectangle"}"#);
        assert_eq!((element.stroke_width, element.roughness, element.opacity), (2.0, 1.0, 1.0));
        assert!(element.background.is_transparent());
        assert_ne!(element.seed, 0);
        assert_eq!(
            parse(r#"{"type":"text","text":"a\r\nb","height":50,"fontSize":20}"#).kind,
            Kind::Text(Text {
                content: "a\nb".to_owned(),
                size: 20.0,
                family: 5,
                align: Align::Left,
                line_height: 1.25,
                container: None,
            })
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_no_element() {
        for json in [
            "",
            "7",
            "{}",
            r#"{"type":"hologram"}"#,
            r#"{"type":"rectangle","isDeleted":true}"#,
            r#"{"type":"rectangle","x":1e300}"#,
            r#"{"type":"rectangle","width":1e8}"#,
            r#"{"type":"rectangle","x":1e999}"#,
        ] {
            assert_eq!(Element::parse(json), None, "{json}");
        }
    }

    #[test]
    fn sizes_below_zero_are_turned_round() {
        let element = parse(r#"{"type":"ellipse","x":10,"y":10,"width":-4,"height":-6}"#);
        assert_eq!((element.corner, element.width, element.height), (at(6.0, 4.0), 4.0, 6.0));
    }

    #[test]
    fn wrong_kinds_of_values_are_passed_over() {
        let element = parse(
            r#"{"type":"line","x":"a","points":[[0,0],[1],"x",[2,3,4],[null,1]],"seed":{},"opacity":900,"roundness":7}"#,
        );
        assert_eq!(element.points(), [at(0.0, 0.0), at(2.0, 3.0)]);
        assert_eq!((element.opacity, element.roundness), (1.0, None));
    }

    #[test]
    fn loops_are_known() {
        for (points, expected) in
            [("[[0,0],[50,0],[5,5]]", true), ("[[0,0],[50,0],[6,6]]", false), ("[[0,0],[1,1]]", false), ("[]", false)]
        {
            let element = parse(&format!(r#"{{"type":"line","points":{points}}}"#));
            assert_eq!(element.is_loop(), expected, "{points}");
        }
    }

    #[test]
    fn corners_are_rounded_by_kind() {
        for (roundness, side, expected) in [
            ("null", 100.0, 0.0),
            (r#"{"type":1}"#, 100.0, 25.0),
            (r#"{"type":2}"#, 400.0, 100.0),
            (r#"{"type":3}"#, 100.0, 25.0),
            (r#"{"type":3}"#, 400.0, 32.0),
            (r#"{"type":3,"value":10}"#, 400.0, 10.0),
        ] {
            let element = parse(&format!(r#"{{"type":"rectangle","roundness":{roundness}}}"#));
            assert_eq!(element.corner_radius(side), expected, "{roundness} {side}");
        }
    }

    #[test]
    fn arrowheads_old_and_new() {
        for (json, start, end) in [
            (r#"{"type":"arrow"}"#, None, Some(Arrowhead::Arrow)),
            (r#"{"type":"arrow","endArrowhead":null}"#, None, None),
            (
                r#"{"type":"arrow","startArrowhead":"dot","endArrowhead":"crowfoot_many"}"#,
                Some(Arrowhead::Circle { filled: true }),
                Some(Arrowhead::Crowfoot { bar: false, toes: true }),
            ),
        ] {
            let Kind::Arrow { start: found_start, end: found_end, .. } = parse(json).kind else { panic!() };
            assert_eq!((found_start, found_end), (start, end), "{json}");
        }
    }
}
