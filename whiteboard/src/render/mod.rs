//! Drawings as pictures: SVG and PNG, as Excalidraw draws them.
//!
//! Elements (raw JSON) become sketches ([`shape`], after the algorithms of rough.js and perfect-freehand, see
//! `NOTICES.md`), sketches become SVG text ([`svg`]), and that becomes pixels ([`png`]). Everything follows from the
//! elements: the same drawing gives the same picture. Nothing here reads a file or the network; images are asked of the
//! caller. Rendering takes processor time and memory: call it from a thread that may block, few at a time.

// Geometry in floating numbers becomes pixels, bytes and counts; all of it is bounded where elements are read.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    clippy::many_single_char_names
)]

mod arrowhead;
mod clock;
mod colour;
mod element;
mod font;
mod freehand;
mod geometry;
pub mod halves;
mod harmless;
mod image;
mod number;
mod png;
mod rough;
mod scene;
mod shape;
mod subset;
mod svg;
mod text;
mod typeface;

#[cfg(test)]
mod tests;

pub use image::Image;

use clock::Clock;
use scene::Scene;
use std::time::Duration;

/// More elements than this are not drawn.
pub const MOST_ELEMENTS: usize = 50_000;

/// More strokes and points than this, of all elements together, are not drawn.
pub const MOST_STROKES: usize = 2_000_000;

/// More pixels of lines than this, of all elements together and at the size wanted, are not painted.
pub const MOST_LENGTH: usize = 100_000_000;

/// How a drawing is rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A colour of CSS; `None` for a picture one can see through.
    pub background: Option<String>,
    /// Colours as in Excalidraw's dark mode.
    pub dark: bool,
    /// Pixels of the picture for one of the drawing.
    pub scale: f64,
    /// Empty space around the drawing, in its pixels.
    pub padding: f64,
    /// The most pixels of a PNG; a drawing that would have more is scaled down. Each takes 4 bytes of memory.
    pub max_pixels: u64,
    /// How long a picture may take, looked at between elements; of a PNG some of them are painted together.
    pub time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            background: Some("#ffffff".to_owned()),
            dark: false,
            scale: 1.0,
            padding: 10.0,
            max_pixels: 16_000_000,
            time: Duration::from_secs(10),
        }
    }
}

/// Why there is no picture. Each is a sentence for the person who wanted it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RenderError {
    #[error("The drawing has more than {limit} elements. Export it as .excalidraw, or clear parts of it first.")]
    Elements { limit: usize },
    #[error("The drawing has more than {limit} strokes and points. Export it as .excalidraw, or clear parts of it.")]
    Strokes { limit: usize },
    #[error("The drawing has more than {limit} pixels of lines at this size. Try a smaller scale, or .excalidraw.")]
    Length { limit: usize },
    #[error("The drawing could not be drawn within {seconds} seconds. Try a smaller scale, or .excalidraw.")]
    Time { seconds: u64 },
    #[error("The drawing has a size that no picture can have. Delete what lies far outside and try again.")]
    Size,
    #[error("The picture could not be painted ({0}). Try SVG, or report this with the drawing.")]
    Paint(String),
}

/// A drawing as SVG text. Texts stay texts; their fonts come with them, cut down to the letters used. Links stay links.
///
/// `elements` are raw JSON, one object each, in any order (their `index` counts); deleted ones and what cannot be drawn
/// are left out. `files` gives an image by its id; for one that it does not have a box is drawn.
///
/// # Errors
/// Where the drawing is above the limits of this module or takes longer than `options.time`.
pub fn svg<'e, 'f>(
    elements: impl IntoIterator<Item = &'e str>,
    files: &'f dyn Fn(&str) -> Option<Image<'f>>,
    options: &Options,
) -> Result<String, RenderError> {
    let clock = Clock::start(options.time);
    let scene = Scene::new(elements, options, clock)?;
    svg::document(&scene, files, options, clock)
}

/// A drawing as a PNG file. As [`svg`], but with letters painted from the program's own fonts.
///
/// # Errors
/// Where the drawing is above the limits of this module or takes longer than `options.time`.
pub fn png<'e, 'f>(
    elements: impl IntoIterator<Item = &'e str>,
    files: &'f dyn Fn(&str) -> Option<Image<'f>>,
    options: &Options,
) -> Result<Vec<u8>, RenderError> {
    let clock = Clock::start(options.time);
    let scene = Scene::new(elements, options, clock)?;
    png::paint(&scene, files, options, clock)
}
