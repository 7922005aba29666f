//! Drawings as files: reading and writing `.excalidraw`, reading `.excalidrawlib`.
//!
//! Elements stay raw JSON text, digit by digit. Only what must change is changed: what a file of an old Excalidraw
//! lacks is added, what its successors renamed is renamed ([`complete`]), and the order keys are made anew so that
//! what comes in lies above what a board already has ([`index`]).
//!
//! Nothing here reads a clock, a file or a source of chance: times come in as numbers, chance as a [`Seeds`].

pub mod base64;
mod complete;
mod data_url;
mod fields;
pub mod index;
mod library;
mod limits;
mod scene;
mod seeds;

pub use data_url::{DataUrl, NoBytes};
pub use library::{Item, Library, read_library};
pub use limits::Limits;
pub use scene::{File, Outgoing, OutgoingFile, Scene, read_scene, write_scene};
pub use seeds::Seeds;

/// What `source` says in files written here.
pub const SOURCE: &str = "whiteboard";

/// The types of elements that clients can show; others are left out when a file is read.
pub const ELEMENT_TYPES: [&str; 12] = [
    "rectangle",
    "diamond",
    "ellipse",
    "line",
    "arrow",
    "freedraw",
    "text",
    "image",
    "frame",
    "magicframe",
    "embeddable",
    "iframe",
];

/// An element as it comes out of a file: ready for a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// 1-64 characters.
    pub id: String,
    /// The whole element, one JSON object.
    pub json: String,
}

/// How ids of elements are treated when a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// As they are, so that reading a board's own export brings back the same elements.
    Keep,
    /// New ones, so that a drawing can be put on a board that has it already. What refers to an element (groups,
    /// frames, arrows, labels) follows.
    Renew,
}

/// What a file is read with.
pub struct Reading<'a> {
    pub limits: &'a Limits,
    pub ids: Ids,
    /// The highest order key on the board that the elements are meant for, if it has elements.
    pub above: Option<&'a str>,
    /// What elements without a time get as `updated`, in milliseconds since 1970.
    pub now_ms: i64,
    pub seeds: &'a mut Seeds,
}

/// Why a file was not read. Each is a sentence for the person who sent it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExchangeError {
    #[error("The file is not readable as JSON ({reason}). Save it again from Excalidraw and try once more.")]
    Json { reason: String },
    #[error("The file says it is of type \"{found}\", not \"{wanted}\". Choose a file that Excalidraw saved.")]
    Type { found: String, wanted: &'static str },
    #[error("The file has {bytes} bytes; at most {limit} are read. Split the drawing, or make its images smaller.")]
    Bytes { bytes: usize, limit: usize },
    #[error("The file has more than {limit} {what}. Split the drawing into several files.")]
    Count { what: &'static str, limit: usize },
    #[error("The file nests its data more than {limit} levels deep, which no drawing does. Save it again.")]
    Depth { limit: usize },
    #[error("Element {place} of the file {reason}. Delete it in Excalidraw and save again.")]
    Element { place: usize, reason: String },
    #[error("The image {id} of the file {reason}. Insert it into the drawing again.")]
    File { id: String, reason: String },
}

#[cfg(test)]
mod tests;
