//! What an image is, judged by its first bytes: what the sender says does not count.

/// Bytes from the beginning of a file that are enough to know.
pub const HEAD: usize = 4096;

/// The media type of an image that clients can show; none if it is something else.
pub fn image(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, mark: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    if at(0, b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if at(0, b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        Some("image/gif")
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Some("image/webp")
    } else if at(4, b"ftypavif") || at(4, b"ftypavis") {
        Some("image/avif")
    } else if at(0, b"BM") && head.len() >= 26 {
        Some("image/bmp")
    } else if at(0, b"\0\0\x01\0") && head.len() >= 22 {
        Some("image/x-icon")
    } else if is_svg(head) {
        Some("image/svg+xml")
    } else {
        None
    }
}

/// Whether a text begins as SVG: white space, a declaration, comments and a document type may come before.
fn is_svg(head: &[u8]) -> bool {
    // A letter cut in two at the end of what was read does not matter.
    let text = String::from_utf8_lossy(head);
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!DOCTYPE svg") {
            ">"
        } else {
            break;
        };
        let Some((_, behind)) = rest.split_once(end) else { return false };
        rest = behind;
    }
    rest.strip_prefix("<svg").is_some_and(|rest| rest.starts_with([' ', '>', '\n', '\r', '\t', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_beginning() {
        for (head, expected) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0..", Some("image/jpeg")),
            (b"GIF89a..", Some("image/gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"\0\0\0\x1cftypavif....", Some("image/avif")),
            (b"BM\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Some("image/bmp")),
            (b"\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Some("image/x-icon")),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Some("image/svg+xml")),
            (
                b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- a > b -->\n<!DOCTYPE svg PUBLIC 'x'>\n<svg>",
                Some("image/svg+xml"),
            ),
            (b"", None),
            (b"\x89PNG", None),
            (b"RIFF\x10\0\0\0WAVE", None),
            (b"BM", None),
            (b"<html><svg>", None),
            (b"<svgx>", None),
            (b"<!DOCTYPE html><svg>", None),
            (b"<!-- never closed <svg>", None),
            (b"%PDF-1.7", None),
            (b"PK\x03\x04", None),
        ] {
            assert_eq!(image(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(head in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            image(&head);
        }
    }
}
