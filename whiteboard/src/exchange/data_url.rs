//! `data:` URLs (RFC 2397): images that are written inside a text.

use super::base64;

/// A `data:` URL, not decoded yet.
#[derive(Clone, Copy, Debug)]
pub struct DataUrl<'t> {
    /// What the URL says the bytes are, with its parameters; for example `image/png`. May be empty.
    pub mime: &'t str,
    body: &'t str,
    encoded: bool,
}

/// Why there are no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBytes {
    /// More than what was asked for at most.
    TooLong,
    Unreadable,
}

impl<'t> DataUrl<'t> {
    /// `None` if the text is no such URL.
    pub fn parse(text: &'t str) -> Option<Self> {
        let (scheme, rest) = text.split_at_checked(5)?;
        let (head, body) = rest.split_once(',').filter(|_| scheme.eq_ignore_ascii_case("data:"))?;
        let (mime, encoded) = head.strip_suffix(";base64").map_or((head, false), |mime| (mime, true));
        Some(Self { mime, body, encoded })
    }

    /// The bytes, at most `limit` of them.
    ///
    /// # Errors
    /// Where there are more, or the text does not say bytes.
    pub fn bytes(&self, limit: usize) -> Result<Vec<u8>, NoBytes> {
        // Before anything is decoded: three bytes are four characters, or up to nine.
        let fewest = if self.encoded { self.body.len() / 4 * 3 } else { self.body.len() / 3 };
        if fewest > limit.saturating_add(3) {
            return Err(NoBytes::TooLong);
        }
        let bytes = if self.encoded { base64::decode(self.body) } else { percent_decoded(self.body) };
        let bytes = bytes.ok_or(NoBytes::Unreadable)?;
        if bytes.len() > limit { Err(NoBytes::TooLong) } else { Ok(bytes) }
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_bounded() {
        let read = |text: &str, limit| DataUrl::parse(text).map(|url| (url.mime.to_owned(), url.bytes(limit)));
        for (text, limit, expected) in [
            ("data:image/png;base64,Zm9v", 3, Some(("image/png", Ok("foo")))),
            ("DATA:image/png;base64,Zm9v", 3, Some(("image/png", Ok("foo")))),
            ("data:image/png;base64,Zm9v", 2, Some(("image/png", Err(NoBytes::TooLong)))),
            ("data:image/png;base64,Zm9vZm9vZm9vZm9v", 2, Some(("image/png", Err(NoBytes::TooLong)))),
            ("data:image/png;base64,?", 9, Some(("image/png", Err(NoBytes::Unreadable)))),
            ("data:image/svg+xml;charset=utf-8,%3Csvg/>", 9, Some(("image/svg+xml;charset=utf-8", Ok("<svg/>")))),
            ("data:,%3", 9, Some(("", Err(NoBytes::Unreadable)))),
            ("data:,%+1", 9, Some(("", Err(NoBytes::Unreadable)))),
            ("data:,aaaaaaaaaaaaaaaaaaaa", 2, Some(("", Err(NoBytes::TooLong)))),
            ("data:image/png", 9, None),
            ("https://example.org/a.png,", 9, None),
            ("dätä:,", 9, None),
            ("", 9, None),
        ] {
            let expected =
                expected.map(|(mime, bytes)| (mime.to_owned(), bytes.map(|text: &str| text.as_bytes().to_vec())));
            assert_eq!(read(text, limit), expected, "{text}");
        }
    }
}
