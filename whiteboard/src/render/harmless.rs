//! SVG images, which anybody may have made: whether painting one is a bounded amount of work. Little text can be very much.

use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};

/// Bytes of an image's text.
const MOST_BYTES: usize = 1 << 20;

/// Elements of an image. Each may cover the whole picture.
const MOST_ELEMENTS: usize = 5_000;

/// Layers above each other: each takes memory like the whole picture.
const MOST_LAYERS: usize = 4;

/// Elements times the bytes of style sheets: each rule is compared with each element.
const MOST_STYLE: usize = 50_000_000;

/// Elements times those within clips: a clip may be made anew for each element that it clips.
const MOST_CLIPPED: usize = 1_000_000;

/// Elements that show others again and again, or reach out of the image.
const COSTLY: [&str; 7] = ["use", "pattern", "filter", "mask", "marker", "image", "feImage"];

/// What makes a layer of an element, as an attribute or in a style.
const LAYERED: [&str; 4] = ["opacity", "clip-path", "mix-blend-mode", "isolation"];

/// An SVG image within the limits, as a tree.
fn read(text: &str) -> Option<Document<'_>> {
    // Elements, and white space between them. Entities are for texts that grow.
    let nodes_limit = u32::try_from(3 * MOST_ELEMENTS).unwrap_or(u32::MAX);
    let options = ParsingOptions { allow_dtd: true, nodes_limit, ..ParsingOptions::default() };
    if text.len() > MOST_BYTES || text.contains("<!ENTITY") {
        return None;
    }
    Document::parse_with_options(text, options).ok()
}

/// Width and height of an SVG image, as it says them or by its `viewBox`; `None` if it says neither in plain numbers.
pub fn size(image: &[u8]) -> Option<(f64, f64)> {
    let document = read(std::str::from_utf8(image).ok()?)?;
    let root = document.root_element();
    let length = |name| {
        let text: &str = root.attribute(name)?.trim();
        text.strip_suffix("px").unwrap_or(text).parse::<f64>().ok()
    };
    let said = || Some((length("width")?, length("height")?));
    let boxed = || {
        let text = root.attribute("viewBox")?.replace(',', " ");
        let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        if let [_, _, width, height] = numbers[..] { Some((width, height)) } else { None }
    };
    let sound = |(width, height): &(f64, f64)| [width, height].into_iter().all(|side| (1e-3..=1e9).contains(side));
    said().or_else(boxed).filter(sound)
}

/// Whether an SVG image may be painted.
pub fn is_harmless(image: &[u8]) -> bool {
    let Some(document) = std::str::from_utf8(image).ok().and_then(read) else { return false };
    // By their names without prefixes: `<a:use>` is the same as `<use>`.
    let named = |name: &'static str| {
        document.root_element().descendants().filter(move |node| node.is_element() && node.tag_name().name() == name)
    };
    let elements = document.root_element().descendants().filter(Node::is_element).count();
    let style: usize = named("style").map(|style| style.text().unwrap_or_default().len()).sum();
    let clipped: usize = named("clipPath").map(|clip| clip.descendants().count()).sum();
    elements <= MOST_ELEMENTS
        && COSTLY.iter().all(|name| named(name).next().is_none())
        && !document.descendants().any(|node| filters(&node))
        && style * elements <= MOST_STYLE
        && clipped * elements <= MOST_CLIPPED
        && layers(&document, named("style").any(|style| style.text().is_some_and(makes_layers))) <= MOST_LAYERS
}

/// Whether style declarations may make a layer of what they are for. Comments may stand anywhere in them, so they are not
/// taken apart.
fn makes_layers(declarations: &str) -> bool {
    let plain = ["fill", "stroke", "stop", "flood"];
    let text =
        plain.iter().fold(declarations.to_ascii_lowercase(), |text, of| text.replace(&format!("{of}-opacity"), ""));
    LAYERED.iter().any(|name| text.contains(name))
}

/// Whether an element has a filter of its own, without an element for it: `blur(9)`.
fn filters(node: &Node<'_, '_>) -> bool {
    let style = |text: &str| text.to_ascii_lowercase().contains("filter");
    node.attribute("filter").is_some()
        || node.attribute("style").is_some_and(style)
        || (node.tag_name().name() == "style" && node.text().is_some_and(style))
}

/// How many layers lie above each other at most. `all`: every element may be one.
fn layers(document: &Document<'_>, all: bool) -> usize {
    let mut above: Vec<usize> = Vec::new();
    for node in document.descendants() {
        // Parents come before their children.
        let parent = node.parent().and_then(|parent| above.get(parent.id().get_usize())).copied().unwrap_or(0);
        let layered = |node: &Node<'_, '_>| {
            node.attributes().any(|attribute| {
                LAYERED.contains(&attribute.name()) || (attribute.name() == "style" && makes_layers(attribute.value()))
            })
        };
        above.push(parent + usize::from(node.is_element() && (all || layered(&node))));
    }
    above.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(body: &str) -> String {
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:s=\"http://www.w3.org/2000/svg\">{body}</svg>")
    }

    fn nested(count: usize, attribute: &str) -> String {
        svg(&format!("{}<path d=\"M0 0\"/>{}", format!("<g {attribute}>").repeat(count), "</g>".repeat(count)))
    }

    #[test]
    fn images_are_painted_unless_they_can_grow() {
        for (body, harmless) in [
            ("<rect width=\"1\" height=\"1\"/>", true),
            ("<style>.a{fill:red;fill-opacity:.5}</style><clipPath id=\"c\"><path d=\"M0 0\"/></clipPath>", true),
            ("<text>use, image and mask</text><!-- <use/> -->", true),
            ("<use href=\"#a\"/>", false),
            ("<s:use href=\"#a\"/>", false),
            ("<g><s:image href=\"a.png\"/></g>", false),
            ("<marker><path/></marker>", false),
            ("<defs><s:mask/></defs>", false),
            ("<g filter=\"blur(9)\"/>", false),
            ("<g style=\"Filter:blur(9)\"/>", false),
            ("<style>g{/**/filter:blur(9)}</style>", false),
            ("<g>", false),
        ] {
            assert_eq!(is_harmless(svg(body).as_bytes()), harmless, "{body}");
        }
        let declared = format!("<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"a\" \"b\">{}", svg("<g/>"));
        assert!(is_harmless(declared.as_bytes()), "as editors write it");
        let entity = format!("<!DOCTYPE svg [<!ENTITY a \"aa\">]>{}", svg("<text>&a;</text>"));
        assert!(!is_harmless(entity.as_bytes()) && !is_harmless(b"\xff<svg/>"));
    }

    #[test]
    fn what_is_many_times_something_is_bounded() {
        let many = |count: usize, one: &str| svg(&one.repeat(count));
        let style = |rules: usize, count: usize| {
            svg(&format!("<style>{}</style>{}", ".abcdef{fill:red}\n".repeat(rules), "<g/>".repeat(count)))
        };
        let clips = |inside: usize, count: usize| {
            svg(&format!("<clipPath>{}</clipPath>{}", "<g/>".repeat(inside), "<g/>".repeat(count)))
        };
        for (image, harmless) in [
            (many(MOST_ELEMENTS - 1, "<g/>\n"), true),
            (many(MOST_ELEMENTS, "<g/>\n"), false),
            (style(500, 4_000), true),
            (style(1_000, 4_000), false),
            (clips(100, 4_000), true),
            (clips(1_000, 3_000), false),
            (nested(MOST_LAYERS, "opacity=\".5\""), true),
            (nested(MOST_LAYERS + 1, "opacity=\".5\""), false),
            (nested(MOST_LAYERS + 1, "style=\"fill:red; Opacity : .5\""), false),
            (nested(MOST_LAYERS + 1, "fill-opacity=\".5\" style=\"stroke-opacity:1\""), true),
            (nested(MOST_LAYERS, "").replace("<path", "<style>g{/**/Clip-path:url(#a)}</style><path"), false),
            (format!("{}{}", svg(""), " ".repeat(MOST_BYTES)), false),
        ] {
            assert_eq!(is_harmless(image.as_bytes()), harmless, "{}", &image[..image.len().min(300)]);
        }
    }
}
