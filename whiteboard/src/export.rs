//! Pictures of drawing files, from the command line.

use crate::exchange::{self, ExchangeError, Ids, Limits, Reading, Seeds};
use crate::render::{self, Image, RenderError};
use clap::{ArgGroup, Args};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What is exported, and how.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("picture").required(true).multiple(true).args(["svg", "png"])))]
pub struct Order {
    /// A drawing (.excalidraw) or a library (.excalidrawlib)
    file: PathBuf,
    /// SVG file to write
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// PNG file to write
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Pixels of the picture for one of the drawing
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// Empty space around the drawing
    #[arg(long, value_name = "PIXELS", default_value_t = 10.0)]
    padding: f64,
    /// Colours for dark surroundings
    #[arg(long)]
    dark: bool,
    /// Leave the background out
    #[arg(long)]
    transparent: bool,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{path} cannot be read: {error}. Check its name and who may read it.")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{path} cannot be written: {error}. Check that its directory exists and has room.")]
    Write { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// Reads a drawing and writes the pictures wanted.
pub fn export(order: &Order) -> Result<(), ExportError> {
    let text =
        std::fs::read_to_string(&order.file).map_err(|error| ExportError::Read { path: order.file.clone(), error })?;
    let limits = Limits::default();
    // Ids are not in pictures: any seed will do.
    let mut seeds = Seeds::new(1);
    let mut reading = Reading { limits: &limits, ids: Ids::Keep, above: None, now_ms: 0, seeds: &mut seeds };
    let scene = if order.file.extension().is_some_and(|extension| extension == "excalidrawlib") {
        reading.ids = Ids::Renew;
        let library = exchange::read_library(&text, &mut reading)?;
        exchange::Scene { elements: library.laid_out((0.0, 0.0)), ..exchange::Scene::default() }
    } else {
        exchange::read_scene(&text, &mut reading)?
    };
    let background = scene.look.iter().find(|(key, _)| key == "viewBackgroundColor");
    let background = background.and_then(|(_, value)| serde_json::from_str::<String>(value).ok());
    let options = render::Options {
        background: (!order.transparent).then(|| background.unwrap_or_else(|| "#ffffff".to_owned())),
        dark: order.dark,
        scale: order.scale,
        padding: order.padding,
        ..render::Options::default()
    };
    let files: HashMap<&str, Image<'_>> =
        scene.files.iter().map(|file| (&*file.id, Image { mime: &file.mime, bytes: &file.bytes })).collect();
    let files = |id: &str| files.get(id).copied();
    let elements = || scene.elements.iter().map(|element| &*element.json);
    if let Some(path) = &order.svg {
        write(path, render::svg(elements(), &files, &options)?.as_bytes())?;
    }
    if let Some(path) = &order.png {
        write(path, &render::png(elements(), &files, &options)?)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    std::fs::write(path, bytes).map_err(|error| ExportError::Write { path: path.to_owned(), error })
}
