//! The image under a classroom's strokes.
//!
//! Clients send it as a `data:` URL and stretch it over their canvas, whose size they tell nobody. Here it lies on a paper
//! as large as a usual canvas, or as the strokes need, from its upper left corner and in its own proportions: as this
//! server's page shows it. An address somewhere else is no image: nothing is fetched.

use crate::exchange::DataUrl;
use crate::render::Image;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Bytes of an image at most, decoded: no message of a classroom has more.
const MOST_BYTES: usize = 1 << 20;

/// The paper in pixels, if the strokes need no more.
const PAPER: (f64, f64) = (1280.0, 720.0);

/// Papers grow by this share of [`PAPER`]: not with each stroke that goes a little further.
const STEP: f64 = 0.25;

/// The largest paper, in [`PAPER`]s: a stroke far outside does not blow up the image beyond all measure.
const MOST: f64 = 16.0;

/// An image that clients can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Background {
    /// The id as elements name it in `fileId`: another one for other bytes.
    pub id: String,
    /// What the bytes are, whatever the URL says: PNG, JPEG, GIF, WebP or SVG.
    pub mime: &'static str,
    pub bytes: Vec<u8>,
}

impl Background {
    /// Reads the JSON text that a client sent; `None` if it is no `data:` URL of an image.
    pub fn read(json: &str) -> Option<Self> {
        let url: String = serde_json::from_str(json).ok()?;
        let bytes = DataUrl::parse(&url)?.bytes(MOST_BYTES).ok()?;
        let mime = Image { mime: "", bytes: &bytes }.format()?.mime();
        let mut id = String::from("background-");
        for byte in &Sha256::digest(&bytes)[..20] {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        Some(Self { id, mime, bytes })
    }

    /// Width and height on a paper with strokes as far as `reach` from its upper left corner.
    pub(super) fn size(&self, reach: (f64, f64)) -> (f64, f64) {
        let needed = (reach.0 / PAPER.0).max(reach.1 / PAPER.1);
        let scale = ((needed / STEP).ceil() * STEP).clamp(1.0, MOST);
        let (across, down) = (PAPER.0 * scale, PAPER.1 * scale);
        let Some((width, height)) = (Image { mime: self.mime, bytes: &self.bytes }).size() else {
            return (across, down);
        };
        let fitting = (across / width).min(down / height);
        // An image of one line is to be seen as well.
        ((width * fitting).max(1.0), (height * fitting).max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A GIF's first bytes, of this size.
    fn gif(width: u16, height: u16) -> Vec<u8> {
        [b"GIF89a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes()].concat()
    }

    #[test]
    fn images_are_read_by_their_bytes_and_nothing_is_fetched() {
        for (json, mime) in [
            (r#""data:image/gif;base64,R0lGODlhBQAGAA==""#, Some("image/gif")),
            (r#""data:text/html;base64,R0lGODlhBQAGAA==""#, Some("image/gif")),
            (r#""data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>""#, Some("image/svg+xml")),
            (r#""data:image/png;base64,aGVsbG8=""#, None),
            (r#""data:image/png;base64,?""#, None),
            (r#""https://example.org/page.png""#, None),
            (r#""R0lGODlhBQAGAA==""#, None),
            (r#""""#, None),
            (r#""\ud800""#, None),
            ("7", None),
        ] {
            assert_eq!(Background::read(json).map(|image| image.mime), mime, "{json}");
        }
        let long = format!("\"data:image/gif,GIF89a{}\"", "x".repeat(MOST_BYTES));
        assert_eq!(Background::read(&long), None);
        let id = |url: &str| Background::read(url).unwrap().id;
        assert_eq!(id(r#""data:image/gif,GIF89a%05""#), id(r#""data:,GIF89a\u0005""#), "of the bytes alone");
        assert_ne!(id(r#""data:image/gif,GIF89a%05""#), id(r#""data:image/gif,GIF89a%06""#));
    }

    #[test]
    fn the_paper_grows_in_steps_and_the_image_keeps_its_proportions() {
        let size = |bytes, reach| Background { id: String::new(), mime: "", bytes }.size(reach);
        for (bytes, reach, expected) in [
            (gif(1600, 900), (0.0, 0.0), (1280.0, 720.0)),
            (gif(400, 300), (1280.0, 720.0), (960.0, 720.0)),
            (gif(3000, 10), (500.0, 500.0), (1280.0, 1280.0 / 300.0)),
            (gif(400, 300), (1281.0, 720.0), (1200.0, 900.0)),
            (gif(400, 300), (0.0, 1440.0), (1920.0, 1440.0)),
            (gif(400, 300), (1e300, f64::INFINITY), (15_360.0, 11_520.0)),
            (gif(60_000, 1), (0.0, 0.0), (1280.0, 1.0)),
            (gif(0, 0), (0.0, 0.0), (1280.0, 720.0)),
        ] {
            let (width, height) = size(bytes, reach);
            assert!((width - expected.0).abs() + (height - expected.1).abs() < 1e-9, "{reach:?}: {width} {height}");
        }
    }
}
