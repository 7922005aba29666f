//! Volatile messages of one tick: put together once, shared by every client of the room.
//!
//! A client that sent some of them itself gets the rest, in as few pieces as there are gaps. Measured against a queue of
//! single frames a client, see BENCHMARKS.md.

use crate::board::core::ClientId;
use crate::websocket::{Frame, counted};
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::Range;

/// One message in a batch.
#[derive(Clone, Copy, Debug)]
struct Part {
    end: u32,
    /// Who sent it, and does not get it.
    from: Option<ClientId>,
    /// Of each slot only the newest counts.
    slot: Option<u64>,
}

/// Messages in a row, encoded.
#[derive(Debug)]
pub struct Batch {
    wire: Bytes,
    parts: Box<[Part]>,
}

/// A batch that is being put together.
#[derive(Debug, Default)]
pub struct Builder {
    wire: Vec<u8>,
    parts: Vec<Part>,
}

impl Builder {
    /// Appends a message.
    pub fn add(&mut self, wire: &[u8], from: Option<ClientId>, slot: Option<u64>) {
        self.wire.extend_from_slice(wire);
        // A message has 16 MiB at most, and a batch is finished long before four gigabytes.
        self.parts.push(Part { end: u32::try_from(self.wire.len()).unwrap_or(u32::MAX), from, slot });
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.wire.len()
    }

    /// Who sent something in it.
    pub fn authors(&self) -> HashSet<ClientId> {
        self.parts.iter().filter_map(|part| part.from).collect()
    }

    /// The batch; the builder is empty again.
    pub fn finish(&mut self) -> Batch {
        let wire = counted(std::mem::take(&mut self.wire));
        Batch { wire, parts: std::mem::take(&mut self.parts).into_boxed_slice() }
    }
}

impl Batch {
    /// A batch of one message for one client.
    pub fn of(frame: &Frame, slot: Option<u64>) -> Self {
        let end = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        Self { wire: frame.wire().clone(), parts: Box::new([Part { end, from: None, slot }]) }
    }

    fn parts(&self) -> impl DoubleEndedIterator<Item = (Part, Range<usize>)> {
        (0..self.parts.len()).map(|n| {
            let start = if n == 0 { 0 } else { self.parts[n - 1].end as usize };
            (self.parts[n], start..self.parts[n].end as usize)
        })
    }

    /// Number and bytes of the messages for a client: all, but those it sent.
    pub fn size(&self, but: Option<ClientId>) -> (usize, usize) {
        if but.is_none() {
            return (self.parts.len(), self.wire.len());
        }
        let theirs = self.parts().filter(|(part, _)| part.from != but);
        theirs.fold((0, 0), |(count, bytes), (_, range)| (count + 1, bytes + range.len()))
    }

    /// The bytes for a client, in as few pieces as possible.
    pub fn pieces(&self, but: Option<ClientId>, mut each: impl FnMut(Bytes)) {
        if but.is_none() {
            return each(self.wire.clone());
        }
        let mut piece: Option<Range<usize>> = None;
        for (part, range) in self.parts() {
            if part.from == but {
                if let Some(piece) = piece.take() {
                    each(self.wire.slice(piece));
                }
            } else {
                piece = Some(piece.map_or(range.start, |piece| piece.start)..range.end);
            }
        }
        if let Some(piece) = piece {
            each(self.wire.slice(piece));
        }
    }

    /// The messages for a client, one by one.
    pub fn frames(&self, but: Option<ClientId>) -> impl Iterator<Item = Frame> {
        self.parts().filter(move |(part, _)| part.from != but || but.is_none()).map(|(_, range)| {
            // Only as long as the frame is not sent the rest of the batch is kept in memory by it.
            Frame::of_wire(self.wire.slice(range))
        })
    }

    /// A copy with only the messages of slots that `newer` does not hold yet; those slots are added. Messages without a
    /// slot are left out. None if nothing is left.
    pub fn newest(&self, but: Option<ClientId>, newer: &mut HashSet<u64>) -> Option<Self> {
        let kept: Vec<(Part, Range<usize>)> = self
            .parts()
            .rev()
            .filter(|(part, _)| but.is_none() || part.from != but)
            .filter(|(part, _)| part.slot.is_some_and(|slot| newer.insert(slot)))
            .collect();
        let mut copy = Builder::default();
        for (part, range) in kept.into_iter().rev() {
            copy.add(&self.wire[range], None, part.slot);
        }
        (!copy.is_empty()).then(|| copy.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as (text, author, slot).
    fn batch(messages: &[(&str, Option<ClientId>, Option<u64>)]) -> Batch {
        let mut builder = Builder::default();
        for (text, from, slot) in messages {
            builder.add(Frame::plain(text).wire(), *from, *slot);
        }
        assert_eq!(builder.len(), messages.iter().map(|(text, ..)| text.len() + 2).sum::<usize>());
        let batch = builder.finish();
        assert!(builder.is_empty());
        batch
    }

    fn texts(batch: &Batch, but: Option<ClientId>) -> Vec<String> {
        batch.frames(but).map(|frame| frame.text().to_owned()).collect()
    }

    fn pieces(batch: &Batch, but: Option<ClientId>) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        batch.pieces(but, |piece| pieces.push(piece));
        pieces
    }

    #[test]
    fn everybody_gets_what_others_sent() {
        let batch = batch(&[
            ("a", Some(1), None),
            ("b", Some(2), None),
            ("c", Some(1), None),
            ("d", None, None),
            ("e", Some(2), None),
        ]);
        for (but, expected, count) in [
            (None, vec!["a", "b", "c", "d", "e"], 1),
            (Some(1), vec!["b", "d", "e"], 2),
            (Some(2), vec!["a", "c", "d"], 2),
            (Some(3), vec!["a", "b", "c", "d", "e"], 1),
        ] {
            assert_eq!(texts(&batch, but), expected, "{but:?}");
            let pieces = pieces(&batch, but);
            assert_eq!(pieces.len(), count, "{but:?}: neighbours go out in one piece");
            let wire: Vec<u8> = batch.frames(but).flat_map(|frame| frame.wire().to_vec()).collect();
            assert_eq!(pieces.concat(), wire);
            assert_eq!(batch.size(but), (expected.len(), wire.len()));
        }
    }

    #[test]
    fn a_client_that_sent_all_gets_nothing() {
        let batch = batch(&[("a", Some(1), None), ("b", Some(1), None)]);
        assert_eq!((texts(&batch, Some(1)).len(), pieces(&batch, Some(1)).len()), (0, 0));
        assert_eq!(batch.size(Some(1)), (0, 0));
    }

    #[test]
    fn of_each_slot_the_newest_is_kept() {
        let older = batch(&[("a", Some(1), Some(10)), ("b", Some(2), Some(20)), ("c", Some(3), None)]);
        let newer = batch(&[("d", Some(1), Some(10)), ("e", Some(1), Some(10)), ("f", Some(4), Some(40))]);
        let mut seen = HashSet::new();
        let kept = newer.newest(Some(4), &mut seen).unwrap();
        assert_eq!(texts(&kept, None), ["e"], "its own f is left out");
        let kept = older.newest(Some(4), &mut seen).unwrap();
        assert_eq!(texts(&kept, None), ["b"]);
        assert!(older.newest(None, &mut seen).is_none());
    }

    #[test]
    fn authors_are_those_who_sent_something() {
        let mut builder = Builder::default();
        builder.add(b"\x81\x00", Some(3), None);
        builder.add(b"\x81\x00", None, None);
        builder.add(b"\x81\x00", Some(3), None);
        assert_eq!(builder.authors(), HashSet::from([3]));
    }
}
