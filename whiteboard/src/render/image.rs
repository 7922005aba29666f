//! Images of drawings: how large they are, judged by their first bytes, before anybody decodes them.

use super::harmless;

/// An image of a drawing, by its file id.
#[derive(Clone, Copy, Debug)]
pub struct Image<'f> {
    /// For example `image/png`.
    pub mime: &'f str,
    pub bytes: &'f [u8],
}

/// The kinds of images that drawings have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
    Svg,
}

impl Image<'_> {
    /// What the bytes are; what the mime type says does not count.
    pub fn format(&self) -> Option<Format> {
        let bytes = self.bytes;
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Format::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Format::Jpeg)
        } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
            Some(Format::Gif)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Format::WebP)
        } else {
            let start = bytes.get(..bytes.len().min(1_024))?;
            let start = String::from_utf8_lossy(start);
            let start = start.trim_start_matches('\u{feff}').trim_start();
            (start.starts_with("<svg") || (start.starts_with('<') && start.contains("<svg"))).then_some(Format::Svg)
        }
    }

    /// Width and height as the image says them, of which only the ratio counts for an SVG; `None` if it does not say them.
    pub fn size(&self) -> Option<(f64, f64)> {
        if self.format()? == Format::Svg {
            return harmless::size(self.bytes);
        }
        let (width, height) = self.pixels()?;
        (width > 0 && height > 0).then_some((f64::from(width), f64::from(height)))
    }

    /// Width and height of an image made of pixels; `None` if its first bytes do not say it.
    pub fn pixels(&self) -> Option<(u32, u32)> {
        let bytes = self.bytes;
        let big = |place: usize| Some(u32::from(u16::from_be_bytes(bytes.get(place..place + 2)?.try_into().ok()?)));
        let little = |place: usize| Some(u32::from(u16::from_le_bytes(bytes.get(place..place + 2)?.try_into().ok()?)));
        match self.format()? {
            Format::Png => {
                let number = |place: usize| Some(u32::from_be_bytes(bytes.get(place..place + 4)?.try_into().ok()?));
                Some((number(16)?, number(20)?))
            }
            Format::Gif => Some((little(6)?, little(8)?)),
            Format::Jpeg => {
                let mut place = 2;
                loop {
                    // Markers; those of frames (SOF0 to SOF15, without three of other use) tell the size.
                    match bytes.get(place..place + 2)? {
                        [0xff, 0xff] => place += 1,
                        [0xff, 0x01 | 0xd0..=0xd8] => place += 2,
                        [0xff, 0xc4 | 0xc8 | 0xcc] => place += 2 + big(place + 2)? as usize,
                        [0xff, 0xc0..=0xcf] => return Some((big(place + 7)?, big(place + 5)?)),
                        [0xff, 0xda | 0xd9 | 0x00] => return None,
                        [0xff, _] => place += 2 + big(place + 2)? as usize,
                        _ => return None,
                    }
                }
            }
            Format::WebP => match bytes.get(12..16)? {
                b"VP8 " => Some((little(26)? & 0x3fff, little(28)? & 0x3fff)),
                b"VP8L" => {
                    let bits = u32::from_le_bytes(bytes.get(21..25)?.try_into().ok()?);
                    Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
                }
                b"VP8X" => {
                    let number = |place: usize| Some(little(place)? + (u32::from(*bytes.get(place + 2)?) << 16) + 1);
                    Some((number(24)?, number(27)?))
                }
                _ => None,
            },
            Format::Svg => None,
        }
    }
}

impl Format {
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Svg => "image/svg+xml",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> (Option<Format>, Option<(u32, u32)>) {
        let image = Image { mime: "", bytes };
        (image.format(), image.pixels())
    }

    #[test]
    fn sizes_are_read_from_first_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\x02\0\0\x03\x04";
        assert_eq!(of(png), (Some(Format::Png), Some((0x102, 0x304))));
        assert_eq!(of(b"GIF89a\x05\0\x06\x01"), (Some(Format::Gif), Some((5, 0x106))));
        assert_eq!(of(b"GIF8\xff\xff\x05\0\x06\x01"), (None, None), "no browser shows it");
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x03x\xff\xc2\0\x11\x08\x01\x02\x03\x04";
        assert_eq!(of(jpeg), (Some(Format::Jpeg), Some((0x304, 0x102))));
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\x27\0\x01\0\0";
        assert_eq!(of(extended), (Some(Format::WebP), Some((10_000, 2))));
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x09\xc0\x04\x00";
        assert_eq!(of(lossless), (Some(Format::WebP), Some((10, 20))));
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x10\x40\x20\0";
        assert_eq!(of(lossy), (Some(Format::WebP), Some((16, 32))));
    }

    #[test]
    fn what_is_cut_off_or_unknown_has_no_size() {
        for bytes in
            [&b""[..], b"abc", b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", b"RIFF", b"<html>"]
        {
            assert_eq!(of(bytes).1, None, "{bytes:?}");
        }
        assert_eq!(of(b"\xff\xd8\xff\xd9").1, None);
        assert_eq!(of(b"<?xml version=\"1.0\"?>\n<svg>").0, Some(Format::Svg));
        assert_eq!(of(b" <svg/>").0, Some(Format::Svg));
        assert_eq!(of(b"<!doctype html>").0, None);
    }

    #[test]
    fn images_of_lines_say_their_size_too() {
        let svg = |attributes: &str| {
            let text = format!("<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' {attributes}><g/></svg>");
            Image { mime: "", bytes: text.as_bytes() }.size()
        };
        for (attributes, expected) in [
            ("width='40' height='30'", Some((40.0, 30.0))),
            ("width='40px' height=' 30.5px '", Some((40.0, 30.5))),
            ("width='100%' height='100%' viewBox='0 0 16 9'", Some((16.0, 9.0))),
            ("width='40' viewBox='-1,-2, 16  9'", Some((16.0, 9.0))),
            ("width='0' height='30'", None),
            ("width='1e999' height='30'", None),
            ("width='-3' height='30'", None),
            ("width='3cm' height='4cm'", None),
            ("viewBox='0 0 16'", None),
            ("", None),
        ] {
            assert_eq!(svg(attributes), expected, "{attributes}");
        }
        assert_eq!(Image { mime: "", bytes: b"<svg" }.size(), None);
        assert_eq!(Image { mime: "", bytes: b"GIF89a\x05\0\x06\0" }.size(), Some((5.0, 6.0)));
        assert_eq!(Image { mime: "", bytes: b"GIF89a\x05\0\0\0" }.size(), None);
    }
}
