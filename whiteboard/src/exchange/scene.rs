//! `.excalidraw` files: a whole drawing with its look and its images.

use super::data_url::{DataUrl, NoBytes};
use super::fields::{Fields, list, quoted};
use super::{Element, ExchangeError, Reading, SOURCE, base64, complete::Completion};
use std::io::{self, Write};

/// What `type` says in these files.
const TYPE: &str = "excalidraw";

/// An image of a drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As elements name it in `fileId`.
    pub id: String,
    /// For example `image/png`.
    pub mime: String,
    pub bytes: Vec<u8>,
    /// Milliseconds since 1970, if the file says it.
    pub created: Option<i64>,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// In the order in which they lie above each other.
    pub elements: Vec<Element>,
    /// The board's look (`appState`): keys and raw JSON, for example `viewBackgroundColor`.
    pub look: Vec<(String, String)>,
    pub files: Vec<File>,
    /// Elements that were left out: deleted ones, and of types that no client can show.
    pub left_out: usize,
}

/// Reads an `.excalidraw` file. Memory: about twice the text.
///
/// # Errors
/// Where the text is no such file, or above the limits. Nothing is taken over then.
pub fn read_scene(text: &str, reading: &mut Reading<'_>) -> Result<Scene, ExchangeError> {
    let document = document(text, TYPE, reading)?;
    let limits = *reading.limits;
    let texts = members(&document, "elements", "elements", limits.elements)?;
    let (elements, left_out) = Completion::new(reading).elements(&texts)?;
    let look = match document.get("appState") {
        None => Vec::new(),
        Some(text) => {
            let look = Fields::parse(text).map_err(|error| not_json(&error))?;
            look.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        }
    };
    let mut files = Vec::new();
    if let Some(text) = document.get("files") {
        let members = Fields::parse(text).map_err(|error| not_json(&error))?;
        if members.iter().count() > limits.files {
            return Err(ExchangeError::Count { what: "images", limit: limits.files });
        }
        for (id, text) in members.iter() {
            files.push(file(id, text, limits.file_bytes)?);
        }
    }
    Ok(Scene { elements, look, files, left_out })
}

/// The outermost object, of the type wanted.
pub(super) fn document<'t>(
    text: &'t str,
    wanted: &'static str,
    reading: &Reading<'_>,
) -> Result<Fields<'t>, ExchangeError> {
    reading.limits.check(text.as_bytes())?;
    let document = Fields::parse(text.trim_start_matches('\u{feff}')).map_err(|error| not_json(&error))?;
    let found = document.text("type").unwrap_or_default();
    if found == wanted {
        Ok(document)
    } else {
        let found = found.chars().take(40).collect();
        Err(ExchangeError::Type { found, wanted })
    }
}

/// A list of the document, empty if it is missing.
pub(super) fn members<'d>(
    document: &'d Fields<'_>,
    key: &str,
    what: &'static str,
    limit: usize,
) -> Result<Vec<&'d str>, ExchangeError> {
    let texts = document.get(key).map_or(Ok(Vec::new()), |text| list(text, limit)).map_err(|error| not_json(&error))?;
    if texts.len() > limit { Err(ExchangeError::Count { what, limit }) } else { Ok(texts) }
}

pub(super) fn not_json(error: &serde_json::Error) -> ExchangeError {
    ExchangeError::Json { reason: error.to_string() }
}

fn file(id: &str, text: &str, limit: usize) -> Result<File, ExchangeError> {
    let refused = |reason: &str| ExchangeError::File { id: id.chars().take(64).collect(), reason: reason.to_owned() };
    let fields = Fields::parse(text).map_err(|_| refused("is not an object"))?;
    let url = fields.text("dataURL").ok_or_else(|| refused("has no dataURL"))?;
    let url = DataUrl::parse(&url).ok_or_else(|| refused("is not written as a data: URL"))?;
    let bytes = url.bytes(limit).map_err(|why| match why {
        NoBytes::TooLong => refused(&format!("is larger than {limit} bytes")),
        NoBytes::Unreadable => refused("is not readable as base64"),
    })?;
    let said = fields.text("mimeType").filter(|mime| is_image(mime));
    let mime = said.unwrap_or_else(|| url.mime.split(';').next().unwrap_or_default().to_owned());
    if !is_image(&mime) {
        return Err(refused("is not an image"));
    }
    let created = fields.get("created").and_then(|text| text.parse().ok());
    Ok(File { id: id.to_owned(), mime, bytes, created })
}

/// Whether a text names a kind of image (RFC 6838, section 4.2), in 64 characters at most; nothing else may come into the
/// head of a `data:` URL.
fn is_image(mime: &str) -> bool {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    mime.len() <= 64 && mime.strip_prefix("image/").is_some_and(|kind| !kind.is_empty() && kind.bytes().all(named))
}

/// An image to be written.
pub struct OutgoingFile<'a> {
    pub id: &'a str,
    pub mime: &'a str,
    pub bytes: &'a [u8],
    /// Milliseconds since 1970.
    pub created: i64,
}

/// What is written to a file.
pub struct Outgoing<'a, E, F> {
    /// The raw JSON of elements that are not deleted, in their order.
    pub elements: E,
    /// The board's look: keys and raw JSON.
    pub look: &'a [(&'a str, &'a str)],
    pub files: F,
}

/// Writes an `.excalidraw` file: elements as they are, digit by digit, one a line. One element and one image are in
/// memory at a time.
///
/// # Errors
/// Those of the writer.
pub fn write_scene<'a, E, F, W>(drawing: Outgoing<'a, E, F>, out: &mut W) -> io::Result<()>
where
    E: IntoIterator<Item = &'a str>,
    F: IntoIterator<Item = OutgoingFile<'a>>,
    W: Write,
{
    write!(out, "{{\n  \"type\": \"{TYPE}\",\n  \"version\": 2,\n  \"source\": \"{SOURCE}\",\n  \"elements\": [")?;
    for (place, element) in drawing.elements.into_iter().enumerate() {
        write!(out, "{}\n    {element}", if place > 0 { "," } else { "" })?;
    }
    write!(out, "\n  ],\n  \"appState\": {{")?;
    for (place, (key, value)) in drawing.look.iter().enumerate() {
        write!(out, "{}\n    {}: {value}", if place > 0 { "," } else { "" }, quoted(key))?;
    }
    write!(out, "\n  }},\n  \"files\": {{")?;
    for (place, file) in drawing.files.into_iter().enumerate() {
        let mut url = format!("data:{};base64,", file.mime);
        base64::encode_into(file.bytes, &mut url);
        let (id, mime, url) = (quoted(file.id), quoted(file.mime), quoted(&url));
        let comma = if place > 0 { "," } else { "" };
        let created = file.created;
        write!(
            out,
            "{comma}\n    {id}: {{\"mimeType\": {mime}, \"id\": {id}, \"dataURL\": {url}, \"created\": {created}}}"
        )?;
    }
    writeln!(out, "\n  }}\n}}")
}
