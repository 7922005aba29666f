//! Drawings as pixels.

use super::clock::Clock;
use super::harmless::is_harmless;
use super::image::{Format, Image};
use super::scene::{Placed, Scene};
use super::svg::{Letters, Writer};
use super::{MOST_LENGTH, Options, RenderError};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{self, ImageHrefResolver, Tree};
use std::collections::BTreeSet;

/// So much SVG text is painted at once; between such pieces the clock is looked at.
const PIECE: usize = 128 << 10;

/// So many elements are painted at once, for the same reason.
const PIECE_ELEMENTS: usize = 100;

/// So many pixels of lines are painted at once, likewise.
const PIECE_LENGTH: f64 = 10e6;

/// Images with more pixels than this are not decoded; a box stands in their place.
const MOST_IMAGE_PIXELS: u64 = 40_000_000;

/// Paints a drawing.
pub fn paint<'f>(
    scene: &Scene,
    files: &'f dyn Fn(&str) -> Option<Image<'f>>,
    options: &Options,
    clock: Clock,
) -> Result<Vec<u8>, RenderError> {
    let (width, height, scale) = size(scene, options)?;
    let mut pixmap = Pixmap::new(width, height).ok_or(RenderError::Size)?;
    let [red, green, blue, alpha] = scene.board.shown(options.dark).parts();
    pixmap.fill(Color::from_rgba8(red, green, blue, alpha));
    let paintable = |file: &str| files(file).filter(is_paintable);
    let mut writer = Writer::new(scene, &paintable, options.dark, Letters::Outlines, clock);
    let (mut piece, mut painted) = (Piece::default(), 0.0);
    for placed in &scene.placed {
        piece.add(placed, &mut writer)?;
        let length = writer.length * scale;
        if length > MOST_LENGTH as f64 {
            return Err(RenderError::Length { limit: MOST_LENGTH });
        }
        if piece.body.len() >= PIECE || piece.elements >= PIECE_ELEMENTS || length - painted >= PIECE_LENGTH {
            painted = length;
            piece.paint(&mut writer, scale, &mut pixmap)?;
            clock.check()?;
        }
    }
    piece.paint(&mut writer, scale, &mut pixmap)?;
    pixmap.encode_png().map_err(|error| RenderError::Paint(error.to_string()))
}

/// The picture's size in pixels, and its scale: lower than asked for where that would be too many pixels.
fn size(scene: &Scene, options: &Options) -> Result<(u32, u32, f64), RenderError> {
    let (width, height) = (scene.bounds.width().max(1.0), scene.bounds.height().max(1.0));
    let most = options.max_pixels.max(1) as f64;
    let wanted = options.scale.clamp(0.01, 100.0);
    let fitting = (most / (width * height)).sqrt();
    // A very long and flat drawing must not be longer than what pictures can be.
    let longest = 32_000.0 / width.max(height);
    let scale = wanted.min(fitting).min(longest);
    let pixels = |length: f64| ((length * scale).round().max(1.0)) as u32;
    if scale.is_finite() { Ok((pixels(width), pixels(height), scale)) } else { Err(RenderError::Size) }
}

/// Whether an image may be decoded: not too large, and nothing that reaches out or explodes.
fn is_paintable(image: &Image<'_>) -> bool {
    match image.format() {
        Some(Format::Svg) => is_harmless(image.bytes),
        Some(_) => {
            image.pixels().is_some_and(|(width, height)| u64::from(width) * u64::from(height) <= MOST_IMAGE_PIXELS)
        }
        None => false,
    }
}

/// Fragments that are painted at once.
#[derive(Default)]
struct Piece {
    body: String,
    elements: usize,
    frames: BTreeSet<usize>,
}

impl Piece {
    fn add(&mut self, placed: &Placed, writer: &mut Writer<'_, '_>) -> Result<(), RenderError> {
        self.elements += 1;
        self.frames.extend(placed.frame);
        writer.element(placed, &mut self.body)
    }

    fn paint(&mut self, writer: &mut Writer<'_, '_>, scale: f64, pixmap: &mut Pixmap) -> Result<(), RenderError> {
        self.elements = 0;
        if self.body.is_empty() {
            return Ok(());
        }
        let bounds = &writer.scene.bounds;
        let (width, height) = (bounds.width().max(1.0), bounds.height().max(1.0));
        let mut text =
            format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\"><defs>");
        for number in std::mem::take(&mut self.frames) {
            if let Some(frame) = writer.scene.frames.get(number) {
                writer.frame_clip(number, frame, &mut text);
            }
        }
        for met in std::mem::take(&mut writer.images).values() {
            Writer::image_definition(met, &mut text);
        }
        text.push_str("</defs>");
        text.push_str(&std::mem::take(&mut self.body));
        text.push_str("</svg>");
        let tree = Tree::from_str(&text, &reading()).map_err(|error| RenderError::Paint(error.to_string()))?;
        let scale = scale as f32;
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
        Ok(())
    }
}

/// How SVG is read: images come from within the text only, never from files or the network.
fn reading() -> usvg::Options<'static> {
    usvg::Options {
        resources_dir: None,
        image_href_resolver: ImageHrefResolver {
            resolve_data: ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    }
}
