//! Images that nothing shows any more, so that a board that is used for years does not fill up with them.
//!
//! A board forgets an image that was last sent long ago and that no text names from which the board can be shown: its
//! base, its snapshot, its operations, its versions. Steps of undo stand in the base, or follow from operations. What
//! somebody may be about to put on the board is safe by the time in the image's row:
//!
//! * Whoever sends an image that is there already makes its row new ([`Store::keep_file`]), and so does whoever is about
//!   to bring a moment back ([`Store::past_to_bring_back`]) before reading it.
//! * A row goes in the transaction that finds it old still, and nothing recorded that was not looked through.
//! * A moment gets a name only while it is kept ([`Store::name_version`]), so its images are named by what is kept.
//!
//! The bytes go with [`Store::purge_files`], once no other board has the image.

use super::{BoardName, Store, StoreError, clock};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// Rows that one transaction deletes at most.
const ROWS: usize = 200;

/// How often a run looks through what was recorded meanwhile, before it leaves the board to a later one.
const TRIES: u32 = 8;

/// Bytes of the longest id of an image.
const LONGEST: usize = 64;

/// A row is not made new again within this time, in milliseconds: the same image sent again and again writes nothing.
const RENEWED: i64 = clock::HOUR;

/// What hold whole boards.
const WHOLE: [&str; 3] = [
    "SELECT body FROM bases WHERE board = ?1",
    "SELECT body FROM snapshots WHERE board = ?1",
    "SELECT body FROM versions WHERE board = ?1",
];

/// What is known of a board's old images.
struct Look {
    /// Those that no text names.
    unused: HashSet<String>,
    /// The last operation that was looked through.
    seq: u64,
}

impl Store {
    /// Lets a native board forget the images that were last sent before `before` (milliseconds since 1970) and that
    /// nothing shows. Blocks: it reads all texts of the board if it has images that old. Returns how many it forgot; 0
    /// as well if people draw so much that this must wait for another run.
    pub(super) fn forget_files(&self, board: i64, before: i64) -> Result<u64, StoreError> {
        let failed = StoreError::database(self.reader.path());
        let found = self.reader.at_one_moment(|connection| look(connection, board, before).map_err(&failed))?;
        let Some(mut look) = found else { return Ok(0) };
        let (mut forgotten, mut tries) = (0, 0);
        while !look.unused.is_empty() {
            let (some, seq): (Vec<String>, u64) = (look.unused.iter().take(ROWS).cloned().collect(), look.seq);
            let names = some.clone();
            let gone =
                self.writer.transact_blocking(move |connection| forget(connection, board, before, seq, &names))?;
            if let Some(gone) = gone {
                forgotten += gone;
                for name in &some {
                    look.unused.remove(name);
                }
                super::maintenance::breathe();
            } else if tries == TRIES {
                break;
            } else {
                tries += 1;
                let is_there =
                    self.reader.at_one_moment(|connection| look.go_on(connection, board).map_err(&failed))?;
                if !is_there {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    /// Makes the rows of all images of a board new: some of them may be about to come back.
    pub(super) fn renew_files(&self, board: &BoardName) -> Result<(), StoreError> {
        let board = board.clone();
        self.writer.transact_blocking(move |connection| {
            let now = clock::now();
            connection
                .prepare_cached(
                    "UPDATE board_files SET created = ?3 WHERE created < ?4
                     AND board = (SELECT id FROM boards WHERE dialect = ?1 AND code = ?2)",
                )?
                .execute(params![board.dialect, &*board.code, now, now - RENEWED])?;
            Ok(())
        })
    }
}

/// Makes the row of one image new.
pub(super) fn renew(connection: &Connection, board: i64, name: &str) -> rusqlite::Result<()> {
    let now = clock::now();
    connection
        .prepare_cached("UPDATE board_files SET created = ?3 WHERE board = ?1 AND name = ?2 AND created < ?4")?
        .execute(params![board, name, now, now - RENEWED])?;
    Ok(())
}

/// Number of a native board's last operation; none if it is deleted, or of another dialect.
fn reached(connection: &Connection, board: i64) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(seq) FROM operations WHERE board = ?1), 0),
                        coalesce((SELECT seq FROM bases WHERE board = ?1), 0))
             FROM boards WHERE id = ?1 AND dialect = ?2 AND deleted IS NULL",
        )?
        .query_row(params![board, BoardName::BOARD], |row| row.get(0))
        .optional()
}

/// Looks through everything from which a board can be shown. Call it inside one read transaction.
fn look(connection: &Connection, board: i64, before: i64) -> rusqlite::Result<Option<Look>> {
    let mut unused: HashSet<String> = connection
        .prepare_cached("SELECT name FROM board_files WHERE board = ?1 AND created < ?2")?
        .query_map([board, before], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // Most boards have none: their texts are not read.
    if unused.is_empty() || reached(connection, board)?.is_none() {
        return Ok(None);
    }
    for sql in WHOLE {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([board])?;
        while let Some(row) = rows.next()? {
            strike(row.get_ref(0)?.as_bytes()?, &mut unused);
            if unused.is_empty() {
                return Ok(None);
            }
        }
    }
    let mut look = Look { unused, seq: 0 };
    let is_there = look.go_on(connection, board)?;
    Ok(is_there.then_some(look))
}

impl Look {
    /// Looks through the operations behind those it knows. False: the board is not there any more.
    fn go_on(&mut self, connection: &Connection, board: i64) -> rusqlite::Result<bool> {
        let Some(last) = reached(connection, board)? else { return Ok(false) };
        let mut statement = connection.prepare_cached("SELECT body FROM operations WHERE board = ?1 AND seq > ?2")?;
        let mut rows = statement.query(params![board, self.seq])?;
        while let Some(row) = rows.next()? {
            strike(row.get_ref(0)?.as_bytes()?, &mut self.unused);
        }
        self.seq = last;
        Ok(true)
    }
}

/// Forgets images if nothing was recorded since operation `seq`; none: something was.
fn forget(
    connection: &Connection,
    board: i64,
    before: i64,
    seq: u64,
    names: &[String],
) -> rusqlite::Result<Option<u64>> {
    if reached(connection, board)? != Some(seq) {
        return Ok(None);
    }
    let mut statement =
        connection.prepare_cached("DELETE FROM board_files WHERE board = ?1 AND name = ?2 AND created < ?3")?;
    let mut gone = 0;
    for name in names {
        gone += statement.execute(params![board, name, before])? as u64;
    }
    Ok(Some(gone))
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
}

/// Takes out of `names` the ids that a text may name: each that stands in it with nothing around that could belong to
/// an id, as the text of a key, of a value, or inside another text. So it does not matter where elements, steps of undo
/// and releases to come put them, nor whether the text can be read to its end. Escapes count as what they mean; at those
/// whose meaning is not plain, every id counts as named.
fn strike(text: &[u8], names: &mut HashSet<String>) {
    let lengths = names.iter().fold(0_u128, |all, name| all | 1 << name.len().min(127));
    let close = |run: &mut String, names: &mut HashSet<String>| {
        // Numbers are runs too, millions of them: few have the length of an id.
        if lengths & 1 << run.len() != 0 {
            names.remove(run.as_str());
        }
        run.clear();
    };
    let mut run = String::with_capacity(LONGEST + 1);
    let mut place = 0;
    while let Some(byte) = text.get(place).copied() {
        place += 1;
        let mut letter = byte;
        if byte == b'\\' {
            // JSON inside of JSON has more of them.
            let strokes = 1 + text[place..].iter().take_while(|byte| **byte == b'\\').count();
            place += strokes - 1;
            if text.get(place) == Some(&b'u') {
                match escaped(&text[place + 1..]) {
                    // A stroke that was escaped so may begin an escape itself.
                    Escaped::Unclear | Escaped::Letter(b'\\') => return names.clear(),
                    // No JSON; of an even number of strokes it is a stroke and the letter u.
                    Escaped::None if strokes % 2 == 1 => return names.clear(),
                    Escaped::None => {}
                    Escaped::Letter(meant) => {
                        letter = meant;
                        place += 5;
                    }
                }
            }
        }
        if is_letter(letter) {
            // What is longer than any id stays so.
            if run.len() <= LONGEST {
                run.push(char::from(letter));
            }
        } else {
            close(&mut run, names);
        }
    }
    close(&mut run, names);
}

/// What stands behind `\u`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaped {
    /// This letter; 0 for any that is not ASCII.
    Letter(u8),
    /// Digits that are escaped themselves.
    Unclear,
    /// No four digits.
    None,
}

fn escaped(text: &[u8]) -> Escaped {
    let mut code = 0;
    for place in 0..4 {
        match text.get(place).map(|byte| (*byte, char::from(*byte).to_digit(16))) {
            Some((_, Some(digit))) => code = code << 4 | digit,
            Some((b'\\', None)) => return Escaped::Unclear,
            _ => return Escaped::None,
        }
    }
    Escaped::Letter(u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(0))
}

#[cfg(test)]
mod tests;
