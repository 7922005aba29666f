//! A drawing as a whole: its elements in order, its frames, labels and extent.

use super::clock::Clock;
use super::element::{Align, Element, Freedraw, Kind, Text};
use super::geometry::{Bounds, Point, at};
use super::rough::{self, Sketch};
use super::shape;
use super::text::{shortened, width};
use super::typeface::Typeface;
use super::{Options, RenderError, colour::Colour};
use std::collections::HashMap;

/// Of a frame's name, in pixels.
const NAME_SIZE: f64 = 14.0;
const NAME_LINE: f64 = 1.25;
const NAME_ABOVE: f64 = 3.0;

/// Frames' names are drawn in Helvetica.
const NAME_FAMILY: u32 = 2;

/// An element and where it is drawn. What it is drawn with is worked out when it is written: of all elements together
/// that would be much.
#[derive(Debug)]
pub struct Placed {
    pub element: Element,
    /// The middle it is turned around.
    pub centre: Point,
    /// Of the frame that clips it, its place among [`Scene::frames`].
    pub frame: Option<usize>,
    /// Where a label covers the line.
    pub gap: Option<Bounds>,
}

#[derive(Debug)]
pub struct Scene {
    /// The lowest first.
    pub placed: Vec<Placed>,
    pub frames: Vec<Element>,
    /// Everything, padding included.
    pub bounds: Bounds,
    pub board: Colour,
}

impl Scene {
    /// Reads the elements and works out what is drawn.
    pub fn new<'e>(
        elements: impl IntoIterator<Item = &'e str>,
        options: &Options,
        clock: Clock,
    ) -> Result<Self, RenderError> {
        let mut all = Vec::new();
        for json in elements {
            clock.check()?;
            if all.len() >= super::MOST_ELEMENTS {
                return Err(RenderError::Elements { limit: super::MOST_ELEMENTS });
            }
            all.extend(Element::parse(json));
        }
        let board = options.background.as_deref().and_then(Colour::parse).unwrap_or(Colour::TRANSPARENT);
        Self::of(ordered(all), board, options.padding.clamp(0.0, 10_000.0), clock)
    }

    fn of(elements: Vec<Element>, board: Colour, padding: f64, clock: Clock) -> Result<Self, RenderError> {
        let frames: Vec<Element> =
            elements.iter().filter(|element| matches!(element.kind, Kind::Frame { .. })).cloned().collect();
        let frame_places: HashMap<&str, usize> =
            frames.iter().enumerate().map(|(place, frame)| (&*frame.id, place)).collect();
        let gaps = label_boxes(&elements);
        let (mut placed, mut bounds) = (Vec::new(), Bounds::EMPTY);
        for element in elements.into_iter().flat_map(with_labels) {
            clock.check()?;
            let line = shape::line_of(&element);
            let centre = unturned_bounds(&element, line.as_ref()).centre();
            let frame = element.frame.as_deref().and_then(|frame| frame_places.get(frame)).copied();
            let gap = gaps.get(&element.id).copied();
            if frame.is_none() {
                bounds.join(&turned_bounds(&element, line.as_ref(), centre));
            }
            placed.push(Placed { element, centre, frame, gap });
        }
        if bounds.is_empty() {
            bounds = Bounds { least: Point::default(), most: Point::default() };
        }
        let bounds =
            Bounds { least: bounds.least.minus(at(padding, padding)), most: bounds.most.plus(at(padding, padding)) };
        Ok(Self { placed, frames, bounds, board })
    }
}

/// The elements as they lie above each other: by order key, those without one last; labels right after what they
/// belong to, pages on top.
fn ordered(mut elements: Vec<Element>) -> Vec<Element> {
    elements.sort_by(|a, b| match (&a.index, &b.index) {
        (Some(one), Some(other)) => one.cmp(other).then_with(|| a.id.cmp(&b.id)),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => std::cmp::Ordering::Equal,
    });
    let ids: HashMap<String, usize> =
        elements.iter().enumerate().map(|(place, element)| (element.id.clone(), place)).collect();
    let key = |place: usize, element: &Element| {
        let page = matches!(element.kind, Kind::Embed { .. });
        let container = container(element).and_then(|container| ids.get(container)).copied();
        (page, container.unwrap_or(place), container.is_some(), place)
    };
    let mut keyed: Vec<_> =
        elements.into_iter().enumerate().map(|(place, element)| (key(place, &element), element)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, element)| element).collect()
}

fn container(element: &Element) -> Option<&str> {
    match &element.kind {
        Kind::Text(Text { container, .. }) => container.as_deref(),
        _ => None,
    }
}

/// Where labels lie on arrows and lines, by the id of these.
fn label_boxes(elements: &[Element]) -> HashMap<String, Bounds> {
    let label = |element: &Element| {
        let bounds = Bounds { least: element.corner, most: element.corner.plus(at(element.width, element.height)) };
        Some((container(element)?.to_owned(), bounds))
    };
    elements.iter().filter_map(label).collect()
}

/// An element with the texts that Excalidraw draws with it: a frame's name below it, a page's address above it.
fn with_labels(element: Element) -> Vec<Element> {
    let plain = |text: Text, corner: Point, width: f64, stroke: Colour| Element {
        id: String::new(),
        kind: Kind::Text(text),
        corner,
        width,
        stroke,
        link: None,
        ..element.clone()
    };
    let text = |content: String, size: f64, align: Align| Text {
        content,
        size,
        family: NAME_FAMILY,
        align,
        line_height: NAME_LINE,
        container: None,
    };
    match &element.kind {
        Kind::Frame { name } => {
            let name = name.as_deref().unwrap_or("Frame").replace('\n', " ");
            let name = shortened(&name, Typeface::of(NAME_FAMILY), NAME_SIZE, element.width);
            let height = NAME_SIZE * NAME_LINE;
            let corner = at(element.corner.x, element.corner.y - NAME_ABOVE - height);
            let width = width(&name, Typeface::of(NAME_FAMILY), NAME_SIZE);
            let grey = Colour::parse("#999999").unwrap_or(Colour::BLACK);
            let label = plain(text(name, NAME_SIZE, Align::Left), corner, width, grey);
            vec![Element { height, angle: 0.0, opacity: 1.0, frame: None, ..label }, element]
        }
        Kind::Embed { iframe } => {
            let address = if *iframe { "IFrame element" } else { element.link.as_deref().unwrap_or("Empty Web-Embed") };
            let letters = address.chars().count().max(1) as f64;
            let size = (element.width / 2.0).min(element.width / letters).max(element.width / 30.0).min(1_000.0);
            let address = shortened(address, Typeface::of(NAME_FAMILY), size, (element.width - 20.0).max(0.0));
            let height = size * NAME_LINE;
            let corner = at(element.corner.x, element.middle().y - height / 2.0);
            let stroke = if element.stroke.is_transparent() { Colour::BLACK } else { element.stroke };
            let label = plain(text(address, size, Align::Centre), corner, element.width, stroke);
            vec![element, Element { height, ..label }]
        }
        _ => vec![element],
    }
}

/// The box of an element before it is turned: of lines as they are drawn, of others as their size says.
fn unturned_bounds(element: &Element, line: Option<&Sketch>) -> Bounds {
    let drawn = match &element.kind {
        Kind::Freedraw(Freedraw { points, .. }) => Bounds::of(points.iter().copied()).moved(element.corner),
        Kind::Line { .. } | Kind::Arrow { .. } => {
            line.map_or(Bounds::EMPTY, |line| rough::bounds(line.outline(), |point| point.plus(element.corner)))
        }
        _ => Bounds::EMPTY,
    };
    if drawn.is_empty() {
        Bounds { least: element.corner, most: element.corner.plus(at(element.width, element.height)) }
    } else {
        drawn
    }
}

/// The box of an element as it is drawn.
fn turned_bounds(element: &Element, line: Option<&Sketch>, centre: Point) -> Bounds {
    let turn = |point: Point| point.plus(element.corner).turned(centre, element.angle);
    match &element.kind {
        Kind::Freedraw(Freedraw { points, .. }) if !points.is_empty() => Bounds::of(points.iter().copied().map(turn)),
        Kind::Line { .. } | Kind::Arrow { .. } => {
            line.map_or(Bounds::EMPTY, |line| rough::bounds(line.outline(), turn))
        }
        Kind::Ellipse => {
            let (sin, cos) = element.angle.sin_cos();
            let (w, h) = (element.width / 2.0, element.height / 2.0);
            let reach = at((w * cos).hypot(h * sin), (h * cos).hypot(w * sin));
            Bounds { least: centre.minus(reach), most: centre.plus(reach) }
        }
        Kind::Diamond => {
            let (w, h) = (element.width, element.height);
            Bounds::of([at(w / 2.0, 0.0), at(w, h / 2.0), at(w / 2.0, h), at(0.0, h / 2.0)].map(turn))
        }
        _ => {
            let whole = Bounds { least: Point::default(), most: at(element.width, element.height) };
            Bounds::of(whole.corners().map(turn))
        }
    }
}
