//! The same messages in a binary form: a byte of kind, variable length numbers, points as differences.

const CURSOR: u8 = 1;
const DRAFT: u8 = 2;
const CHANGE: u8 = 3;

/// Seven bits a byte, the lowest first.
fn put(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn get(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

/// Small numbers of either sign in few bytes.
fn put_signed(value: i32, out: &mut Vec<u8>) {
    put(u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()), out);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn skip<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

fn put_points(points: &[(i32, i32)], out: &mut Vec<u8>) {
    put(points.len() as u64, out);
    let mut last = (0, 0);
    for (x, y) in points {
        put_signed(x - last.0, out);
        put_signed(y - last.1, out);
        last = (*x, *y);
    }
}

pub fn cursor(x: i32, y: i32) -> Vec<u8> {
    let mut out = vec![CURSOR];
    put_signed(x, &mut out);
    put_signed(y, &mut out);
    put(7, &mut out);
    out
}

pub fn draft(points: &[(i32, i32)]) -> Vec<u8> {
    let mut out = vec![DRAFT];
    put_text("oDVXy8D6rom3H1-LLH2-f", &mut out);
    put(120, &mut out);
    put_points(points, &mut out);
    out
}

pub fn stroke(points: &[(i32, i32)]) -> Vec<u8> {
    let mut out = vec![CHANGE];
    put(17, &mut out);
    put(3, &mut out);
    put_text("oDVXy8D6rom3H1-LLH2-f", &mut out);
    put(4, &mut out);
    put(453, &mut out);
    // What else an element has, as packed as it can be: numbers, two colours, flags.
    for value in [81_250, 12_025, 87_500, 28_000, 0, 2, 1, 100] {
        put_signed(value, &mut out);
    }
    put(1_278_240_551, &mut out);
    put(1_763_737_000_000, &mut out);
    put_text("#1e1e1e", &mut out);
    put_text("a1", &mut out);
    out.extend([0; 4]);
    put_points(points, &mut out);
    out
}

/// Reads a message and writes what the others get; the bytes written.
pub fn pass_on(mut bytes: &[u8], client: u64, out: &mut Vec<u8>) -> usize {
    out.clear();
    understand(&mut bytes, client, out).unwrap_or(0)
}

fn understand(bytes: &mut &[u8], client: u64, out: &mut Vec<u8>) -> Option<usize> {
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    out.push(kind);
    put(client, out);
    match kind {
        CURSOR => {}
        DRAFT => {
            let length = get(bytes)?;
            let id = skip(bytes, length)?;
            put(length, out);
            out.extend_from_slice(id);
            put(get(bytes)?, out);
        }
        _ => {
            let (request, gesture, length) = (get(bytes)?, get(bytes)?, get(bytes)?);
            let id = skip(bytes, length)?;
            std::hint::black_box((request, gesture));
            put(length, out);
            out.extend_from_slice(id);
            let (version, nonce) = (get(bytes)?, get(bytes)?);
            put(version, out);
            put(nonce, out);
        }
    }
    out.extend_from_slice(bytes);
    Some(out.len())
}
