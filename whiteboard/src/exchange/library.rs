//! `.excalidrawlib` files: small drawings to put on boards.

use super::fields::Fields;
use super::scene::{document, members};
use super::{Element, ExchangeError, Reading, complete::Completion, fields};

/// What `type` says in these files.
const TYPE: &str = "excalidrawlib";

/// Room between items laid out on a board, in pixels.
const GAP: f64 = 60.0;

/// Items are laid out as if nothing of them lay farther out than this, in pixels; pictures leave such elements out.
const FAR: f64 = 1e7;

/// Numbers from here on are not read as numbers by everybody.
const UNREADABLE: f64 = 1e300;

/// How wide a row of items gets, in pixels, unless one item alone is wider.
const ROW: f64 = 1_600.0;

/// One small drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Version 1 of the form has no names.
    pub name: Option<String>,
    /// Where they were drawn; see [`Library::laid_out`].
    pub elements: Vec<Element>,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    pub items: Vec<Item>,
    /// Elements that were left out: deleted ones, and of types that no client can show.
    pub left_out: usize,
}

/// Reads an `.excalidrawlib` file, version 1 (`library`: a list of lists of elements) or 2 (`libraryItems`: a list of
/// items with a name). Each item's groups stay groups. Reading with [`super::Ids::Renew`] gives ids of their own even
/// to items that share some.
///
/// # Errors
/// Where the text is no such file, or above the limits (elements of all items together).
pub fn read_library(text: &str, reading: &mut Reading<'_>) -> Result<Library, ExchangeError> {
    let document = document(text, TYPE, reading)?;
    let limit = reading.limits.elements;
    let mut named = Vec::new();
    for text in members(&document, "libraryItems", "items", limit)? {
        let item = Fields::parse(text).map_err(|error| super::scene::not_json(&error))?;
        let name = item.text("name").filter(|name| !name.is_empty());
        named.push((name, item.get("elements").unwrap_or("[]").to_owned()));
    }
    for text in members(&document, "library", "items", limit)? {
        named.push((None, text.to_owned()));
    }
    let mut room = limit;
    let mut library = Library::default();
    let mut completion = Completion::new(reading);
    for (name, text) in named {
        let texts = fields::list(&text, room).map_err(|error| super::scene::not_json(&error))?;
        room = room.checked_sub(texts.len()).ok_or(ExchangeError::Count { what: "elements in its items", limit })?;
        let (elements, left_out) = completion.elements(&texts)?;
        library.left_out += left_out;
        if !elements.is_empty() {
            library.items.push(Item { name, elements });
        }
    }
    Ok(library)
}

impl Library {
    /// The items beside each other, in rows from a corner (x and y in pixels), so that none lies on another.
    pub fn laid_out(self, corner: (f64, f64)) -> Vec<Element> {
        let (mut x, mut y, mut row_height) = (corner.0, corner.1, 0.0_f64);
        let mut placed = Vec::new();
        for item in self.items {
            let Some(bounds) = Bounds::of(&item.elements) else { continue };
            if x > corner.0 && x + bounds.width() > corner.0 + ROW {
                x = corner.0;
                y += row_height + GAP;
                row_height = 0.0;
            }
            let (right, down) = (x - bounds.left, y - bounds.top);
            placed.extend(item.elements.into_iter().map(|element| moved(element, right, down)));
            x += bounds.width() + GAP;
            row_height = row_height.max(bounds.height());
        }
        placed
    }
}

/// A box around elements. Turned elements may reach a little over it.
#[derive(Clone, Copy)]
struct Bounds {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Bounds {
    fn of(elements: &[Element]) -> Option<Self> {
        let mut bounds: Option<Self> = None;
        for element in elements {
            let Ok(fields) = Fields::parse(&element.json) else { continue };
            let [x, y, width, height] =
                ["x", "y", "width", "height"].map(|key| fields.number(key).unwrap_or_default().clamp(-FAR, FAR));
            let one = Self { left: x, top: y, right: x + width.abs(), bottom: y + height.abs() };
            bounds = Some(bounds.map_or(one, |all| all.with(one)));
        }
        bounds
    }

    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn width(&self) -> f64 {
        self.right - self.left
    }

    fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

fn moved(element: Element, right: f64, down: f64) -> Element {
    let Ok(mut fields) = Fields::parse(&element.json) else { return element };
    for (key, by) in [("x", right), ("y", down)] {
        let place = fields.number(key).unwrap_or_default() + by;
        fields.set(key, if place.abs() < UNREADABLE { place.to_string() } else { "0".to_owned() });
    }
    let json = fields.to_json();
    Element { id: element.id, json }
}
