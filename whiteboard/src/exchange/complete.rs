//! What a file's elements lack is added, as Excalidraw's own restoring does: files written by hand, by old versions
//! and by other programs leave much out.

use super::fields::{Fields, quoted};
use super::{ELEMENT_TYPES, ExchangeError, Ids, Reading, index::Above};
use std::collections::{HashMap, HashSet};

/// The highest version taken over from a file. A board refuses jumps that are larger.
const HIGHEST_VERSION: u64 = 1_000_000;

/// What every element has, as raw JSON, unless the file says otherwise.
const DEFAULTS: [(&str, &str); 19] = [
    ("x", "0"),
    ("y", "0"),
    ("width", "0"),
    ("height", "0"),
    ("angle", "0"),
    ("strokeColor", "\"#1e1e1e\""),
    ("backgroundColor", "\"transparent\""),
    ("fillStyle", "\"solid\""),
    ("strokeWidth", "2"),
    ("strokeStyle", "\"solid\""),
    ("roughness", "1"),
    ("opacity", "100"),
    ("groupIds", "[]"),
    ("boundElements", "[]"),
    ("locked", "false"),
    ("isDeleted", "false"),
    ("frameId", "null"),
    ("roundness", "null"),
    ("link", "null"),
];

/// The defaults that must be numbers, else nothing can be drawn.
const NUMBERS: [&str; 8] = ["x", "y", "width", "height", "angle", "strokeWidth", "roughness", "opacity"];

/// Turns the elements of one file, in order, into elements of a board.
pub(super) struct Completion<'r, 'a> {
    reading: &'r mut Reading<'a>,
    keys: Above,
    ids: HashMap<String, String>,
    groups: HashMap<String, String>,
    taken: HashSet<String>,
}

impl<'r, 'a> Completion<'r, 'a> {
    pub fn new(reading: &'r mut Reading<'a>) -> Self {
        let keys = Above::new(reading.above);
        Self { reading, keys, ids: HashMap::new(), groups: HashMap::new(), taken: HashSet::new() }
    }

    /// Reads the elements of a list that clients can show; the second number says how many were left out.
    pub fn elements(&mut self, texts: &[&str]) -> Result<(Vec<super::Element>, usize), ExchangeError> {
        let mut all = Vec::with_capacity(texts.len());
        let mut left_out = 0;
        for (place, text) in texts.iter().enumerate() {
            let refused = |reason: String| ExchangeError::Element { place: place + 1, reason };
            if text.len() > self.reading.limits.element_bytes {
                let limit = self.reading.limits.element_bytes;
                return Err(refused(format!("has {} bytes; at most {limit} are read", text.len())));
            }
            let fields = Fields::parse(text).map_err(|_| refused("is not an object".to_owned()))?;
            let kind = fields.text("type").unwrap_or_default();
            let kind = if kind == "draw" { "line" } else { &kind };
            if fields.get("isDeleted") == Some("true") || !ELEMENT_TYPES.contains(&kind) {
                left_out += 1;
                continue;
            }
            let kind = kind.to_owned();
            all.push((fields, kind));
        }
        // Ids first: what refers to an element may come before it.
        self.ids.clear();
        self.groups.clear();
        let ids: Vec<String> = all.iter().map(|(fields, _)| self.id(fields)).collect();
        let elements = all
            .into_iter()
            .zip(ids)
            .map(|((mut fields, kind), id)| {
                self.complete(&mut fields, &kind, &id);
                super::Element { id, json: fields.to_json() }
            })
            .collect();
        Ok((elements, left_out))
    }

    /// The id an element gets. One that comes twice is given to the first.
    fn id(&mut self, fields: &Fields<'_>) -> String {
        let old = fields.text("id").unwrap_or_default();
        let usable = (1..=64).contains(&old.chars().count()) && !self.taken.contains(&old);
        let id = if usable && self.reading.ids == Ids::Keep { old.clone() } else { self.reading.seeds.id() };
        self.taken.insert(id.clone());
        if !old.is_empty() {
            self.ids.entry(old).or_insert_with(|| id.clone());
        }
        id
    }

    fn complete(&mut self, fields: &mut Fields<'_>, kind: &str, id: &str) {
        fields.set("id", quoted(id));
        fields.set("type", quoted(kind));
        modernise(fields, kind);
        for key in NUMBERS {
            if fields.get(key).is_some() && fields.number(key).is_none() {
                fields.remove(key);
            }
        }
        // What is deleted was left out.
        if fields.get("isDeleted").is_some() {
            fields.set("isDeleted", "false");
        }
        for (key, value) in DEFAULTS {
            fields.set_missing(key, value);
        }
        self.number(fields);
        self.refer(fields);
        of_its_kind(fields, kind);
    }

    /// Version, nonce, seed, time and order.
    fn number(&mut self, fields: &mut Fields<'_>) {
        let whole = |fields: &Fields<'_>, key: &str| fields.get(key).and_then(|text| text.parse::<u64>().ok());
        match whole(fields, "version") {
            Some(1..=HIGHEST_VERSION) => {}
            Some(0) | None => fields.set("version", "1"),
            Some(_) => fields.set("version", HIGHEST_VERSION.to_string()),
        }
        if whole(fields, "versionNonce").is_none_or(|nonce| nonce >= 1 << 53) {
            fields.set("versionNonce", self.reading.seeds.nonce().to_string());
        }
        if fields.number("seed").is_none() {
            fields.set("seed", self.reading.seeds.nonce().to_string());
        }
        if fields.number("updated").is_none() {
            fields.set("updated", self.reading.now_ms.to_string());
        }
        fields.set("index", quoted(&self.keys.next_key()));
    }

    /// Lets what refers to other elements follow their new ids. What refers to nothing in the file is let go.
    fn refer(&mut self, fields: &mut Fields<'_>) {
        for key in ["frameId", "containerId"] {
            if let Some(old) = fields.text(key) {
                let new = self.ids.get(&old).map_or_else(|| "null".to_owned(), |id| quoted(id));
                fields.set(key, new);
            }
        }
        for key in ["startBinding", "endBinding"] {
            let Some(binding) = fields.get(key).map(str::to_owned) else { continue };
            fields.set(key, self.with_id(&binding, "elementId").unwrap_or_else(|| "null".to_owned()));
        }
        let bound = fields.get("boundElements").and_then(|text| super::fields::list(text, usize::MAX).ok());
        let bound: Vec<String> =
            bound.unwrap_or_default().iter().filter_map(|bound| self.with_id(bound, "id")).collect();
        fields.set("boundElements", format!("[{}]", bound.join(",")));
        let groups = fields.get("groupIds").and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
        let groups: Vec<String> = groups.unwrap_or_default().into_iter().map(|group| self.group(group)).collect();
        fields.set("groupIds", serde_json::json!(groups).to_string());
    }

    /// An object whose `key` names an element, with that element's id now.
    fn with_id(&self, object: &str, key: &'static str) -> Option<String> {
        let mut object = Fields::parse(object).ok()?;
        let id = self.ids.get(&object.text(key)?)?;
        object.set(key, quoted(id));
        Some(object.to_json())
    }

    fn group(&mut self, old: String) -> String {
        if self.reading.ids == Ids::Keep {
            return old;
        }
        let seeds = &mut *self.reading.seeds;
        self.groups.entry(old).or_insert_with(|| seeds.id()).clone()
    }
}

/// Old names of things become the present ones.
fn modernise(fields: &mut Fields<'_>, kind: &str) {
    if let Some(sharpness) = fields.text("strokeSharpness") {
        if sharpness == "round" {
            let adaptive = ["rectangle", "embeddable", "iframe", "image"].contains(&kind);
            fields.set_missing("roundness", if adaptive { r#"{"type":1}"# } else { r#"{"type":2}"# });
        }
        fields.remove("strokeSharpness");
    }
    let ids = fields.get("boundElementIds").and_then(|ids| serde_json::from_str::<Vec<String>>(ids).ok());
    if let Some(ids) = ids {
        let arrows: Vec<_> = ids.iter().map(|id| serde_json::json!({ "type": "arrow", "id": id })).collect();
        fields.set_missing("boundElements", serde_json::json!(arrows).to_string());
    }
    fields.remove("boundElementIds");
    if let Some(font) = fields.text("font") {
        let mut parts = font.split(' ');
        let size = parts.next().and_then(|size| size.trim_end_matches("px").parse::<f64>().ok());
        if let Some(size) = size.filter(|size| size.is_finite() && *size > 0.0) {
            fields.set_missing("fontSize", size.to_string());
        }
        let family = match parts.next() {
            Some("Helvetica") => "2",
            Some("Cascadia") => "3",
            _ => "1",
        };
        fields.set_missing("fontFamily", family);
        fields.remove("font");
    }
}

/// What only elements of one type have.
fn of_its_kind(fields: &mut Fields<'_>, kind: &str) {
    match kind {
        "line" | "arrow" => {
            let points = fields.get("points").and_then(|points| super::fields::list(points, 1).ok());
            if points.is_none_or(|points| points.len() < 2) {
                let (width, height) = (fields.get("width").unwrap_or("0"), fields.get("height").unwrap_or("0"));
                let line = format!("[[0,0],[{width},{height}]]");
                fields.set("points", line);
            }
            for key in ["startBinding", "endBinding", "startArrowhead"] {
                fields.set_missing(key, "null");
            }
            if kind == "line" {
                fields.set_missing("endArrowhead", "null");
            } else {
                fields.set_absent("endArrowhead", "\"arrow\"");
                fields.set_missing("elbowed", "false");
            }
        }
        "freedraw" => {
            let has_pressures = fields.get("pressures").is_some_and(|list| list.len() > 2);
            fields.set_missing("points", "[]");
            fields.set_missing("pressures", "[]");
            fields.set_missing("simulatePressure", if has_pressures { "false" } else { "true" });
        }
        "text" => text(fields),
        "image" => {
            for (key, value) in [("status", "\"saved\""), ("fileId", "null"), ("scale", "[1,1]"), ("crop", "null")] {
                fields.set_missing(key, value);
            }
        }
        "frame" | "magicframe" => fields.set_missing("name", "null"),
        _ => {}
    }
}

fn text(fields: &mut Fields<'_>) {
    // As it was written: half a surrogate pair, which an editor may leave behind, is a text too.
    let written = fields.get("text").filter(|text| text.starts_with('"')).unwrap_or("\"\"").to_owned();
    let text = fields.text("text").unwrap_or_default();
    fields.set("text", written.clone());
    if fields.get("originalText").is_none_or(|text| !text.starts_with('"')) {
        fields.set("originalText", written);
    }
    for (key, value) in [
        ("fontSize", "20"),
        ("fontFamily", "5"),
        ("textAlign", "\"left\""),
        ("verticalAlign", "\"top\""),
        ("containerId", "null"),
        ("autoResize", "true"),
    ] {
        fields.set_missing(key, value);
    }
    if fields.number("lineHeight").is_none_or(|height| height <= 0.0) {
        // Files older than line heights: it follows from the height that the text has.
        let lines = f64::from(u32::try_from(text.replace("\r\n", "\n").split('\n').count()).unwrap_or(1));
        let (height, size) = (fields.number("height").unwrap_or(0.0), fields.number("fontSize").unwrap_or(20.0));
        let found = height / lines / size;
        let found = if found.is_finite() && found > 0.0 { found } else { 1.25 };
        fields.set("lineHeight", found.to_string());
    }
}
