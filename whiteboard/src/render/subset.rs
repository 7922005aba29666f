//! Fonts made smaller: a file with the outlines of some letters only, to be put into an SVG.
//!
//! Letters keep their numbers, so nothing that names letters has to change.

use super::font::{Font, Parts};
use std::collections::BTreeSet;

/// Tables that go into the smaller file. The others are names and layout that browsers do without.
const KEPT: [[u8; 4]; 10] =
    [*b"OS/2", *b"cmap", *b"glyf", *b"head", *b"hhea", *b"hmtx", *b"loca", *b"maxp", *b"name", *b"post"];

/// A font file with the outlines of these characters; the others are there, but empty.
pub fn subset(font: &Font<'_>, characters: &BTreeSet<char>) -> Vec<u8> {
    let mut glyphs: BTreeSet<u16> = characters.iter().filter_map(|&character| font.glyph(character)).collect();
    glyphs.insert(0);
    let mut open: Vec<u16> = glyphs.iter().copied().collect();
    while let Some(glyph) = open.pop() {
        for part in Parts::of(font.glyph_data(glyph).unwrap_or_default()) {
            if glyphs.insert(part.glyph) {
                open.push(part.glyph);
            }
        }
    }
    let (mut glyf, mut loca) = (Vec::new(), Vec::new());
    for glyph in 0..=font.glyph_count() {
        let from = u32::try_from(glyf.len()).unwrap_or(0);
        if font.long_offsets() {
            loca.extend(from.to_be_bytes());
        } else {
            loca.extend(u16::try_from(from / 2).unwrap_or(0).to_be_bytes());
        }
        if glyph < font.glyph_count() && glyphs.contains(&glyph) {
            glyf.extend(font.glyph_data(glyph).unwrap_or_default());
            glyf.resize(glyf.len().next_multiple_of(4), 0);
        }
    }
    let kern = font.table(*b"kern").map(|table| (*b"kern", kerning(table, &glyphs)));
    let mut tables: Vec<([u8; 4], Vec<u8>)> = KEPT
        .into_iter()
        .filter_map(|tag| {
            let data = match &tag {
                b"glyf" => std::mem::take(&mut glyf),
                b"loca" => std::mem::take(&mut loca),
                _ => font.table(tag)?.to_vec(),
            };
            Some((tag, data))
        })
        .chain(kern)
        .collect();
    tables.sort_by_key(|(tag, _)| *tag);
    assembled(&tables)
}

/// The kerning table with only the pairs of these letters.
fn kerning(table: &[u8], glyphs: &BTreeSet<u16>) -> Vec<u8> {
    let pairs: Vec<&[u8]> = table
        .get(18..)
        .unwrap_or_default()
        .chunks_exact(6)
        .filter(|pair| {
            [&pair[..2], &pair[2..4]].iter().all(|glyph| glyphs.contains(&u16::from_be_bytes([glyph[0], glyph[1]])))
        })
        .collect();
    let count = u16::try_from(pairs.len()).unwrap_or(u16::MAX);
    let log = count.checked_ilog2().unwrap_or(0);
    let range = 6u16.wrapping_shl(0).wrapping_mul(1 << log.min(13));
    let length = 14 + 6 * usize::from(count);
    let mut out = Vec::with_capacity(4 + length);
    for number in [0, 1, 0, u16::try_from(length).unwrap_or(u16::MAX), 1, count, range] {
        out.extend(number.to_be_bytes());
    }
    out.extend(u16::try_from(log).unwrap_or(0).to_be_bytes());
    out.extend((count.wrapping_mul(6)).wrapping_sub(range).to_be_bytes());
    for pair in pairs.into_iter().take(usize::from(count)) {
        out.extend(pair);
    }
    out
}

/// A font file of tables, which come sorted by name.
fn assembled(tables: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let count = u16::try_from(tables.len()).unwrap_or(0);
    let log = count.checked_ilog2().unwrap_or(0);
    let range = 16u16 << log.min(11);
    let mut file = vec![0, 1, 0, 0];
    for number in [count, range, u16::try_from(log).unwrap_or(0), count * 16 - range] {
        file.extend(number.to_be_bytes());
    }
    let mut place = 12 + tables.len() * 16;
    for (tag, data) in tables {
        file.extend(tag);
        for number in [checksum(data), u32::try_from(place).unwrap_or(0), u32::try_from(data.len()).unwrap_or(0)] {
            file.extend(number.to_be_bytes());
        }
        place += data.len().next_multiple_of(4);
    }
    for (_, data) in tables {
        file.extend(data);
        file.resize(file.len().next_multiple_of(4), 0);
    }
    file
}

fn checksum(data: &[u8]) -> u32 {
    data.chunks(4)
        .map(|chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            u32::from_be_bytes(word)
        })
        .fold(0, u32::wrapping_add)
}
