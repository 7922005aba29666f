//! What brings a client up to date: the last operations if memory still has them, else the whole board in parts.

use super::element::Element;
use super::event::{Changed, Event, Snapshot};
use crate::board::core::Tell;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// Operations kept in memory for clients that come back.
pub const OPERATIONS: usize = 1000;

/// Bytes of elements that those may hold.
pub const BYTES: usize = 1 << 20;

/// Bytes of one part of a snapshot, unless a single element is larger.
pub const PART_BYTES: usize = 64 << 10;

/// An operation, as far as somebody who comes back has to hear of it.
#[derive(Clone, Debug)]
pub enum Recent {
    Change(Arc<Changed>),
    /// From here on clients see other elements than before, which of them only the server knows: a client may also come
    /// back in another role.
    Quiz,
    /// What it changed is in the welcome.
    Other,
}

/// The newest operations of a board, without a gap.
#[derive(Debug, Default)]
pub struct Catchup {
    recent: VecDeque<Recent>,
    bytes: usize,
}

impl Recent {
    fn weight(&self) -> usize {
        match self {
            Self::Change(changed) => Event::Change(changed.clone()).weight(),
            Self::Quiz | Self::Other => 0,
        }
    }
}

impl Catchup {
    /// Notes the operation that follows the last one noted.
    pub fn push(&mut self, recent: Recent) {
        self.bytes += recent.weight();
        self.recent.push_back(recent);
        while self.recent.len() > OPERATIONS || self.bytes > BYTES {
            self.bytes -= self.recent.pop_front().map_or(0, |recent| recent.weight());
        }
    }

    /// What somebody who knows the board up to operation `known` has to hear, the board being at operation `seq`. None:
    /// only a snapshot helps.
    pub fn since(&self, known: u64, seq: u64) -> Option<Vec<Arc<Changed>>> {
        let missing = usize::try_from(seq.checked_sub(known)?).ok()?;
        let first = self.recent.len().checked_sub(missing)?;
        let mut changes = Vec::new();
        for recent in self.recent.range(first..) {
            match recent {
                Recent::Change(changed) => changes.push(changed.clone()),
                Recent::Quiz => return None,
                Recent::Other => {}
            }
        }
        Some(changes)
    }
}

/// A board as the parts of a snapshot. They share the elements with the board; their texts are put together where they
/// are needed, one part after the other.
pub fn parts<'a>(seq: u64, elements: impl Iterator<Item = &'a Element>) -> Vec<Snapshot> {
    let mut parts = Vec::new();
    let (mut part, mut bytes) = (Vec::new(), 0);
    for element in elements {
        let more = element.bytes() + 1;
        if !part.is_empty() && bytes + more > PART_BYTES {
            parts.push(Snapshot { seq, elements: std::mem::take(&mut part), more: true });
            bytes = 0;
        }
        bytes += more;
        part.push(element.clone());
    }
    parts.push(Snapshot { seq, elements: part, more: false });
    parts
}

/// The parts of the board that somebody who joined last was sent. They are kept as long as anybody has not read them all:
/// a crowd that joins together shares them, and nothing of them stays when everybody is there.
#[derive(Debug, Default)]
pub struct Shared {
    seq: u64,
    parts: Vec<Weak<Snapshot>>,
}

impl Shared {
    /// The parts of a board at operation `seq`: those of before, or new ones. What is seen at one number must always be
    /// the same.
    pub fn parts<'a>(&mut self, seq: u64, elements: impl Iterator<Item = &'a Element>) -> Vec<Arc<Snapshot>> {
        if self.seq == seq && !self.parts.is_empty() {
            let kept: Option<Vec<_>> = self.parts.iter().map(Weak::upgrade).collect();
            if let Some(kept) = kept {
                return kept;
            }
        }
        let parts: Vec<_> = parts(seq, elements).into_iter().map(Arc::new).collect();
        *self = Self { seq, parts: parts.iter().map(Arc::downgrade).collect() };
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::scene::identity::UserId;

    #[test]
    fn who_joins_at_the_same_number_shares_the_parts() {
        let elements: Vec<_> = (0..3).map(|n| element(&n.to_string(), PART_BYTES)).collect();
        let mut shared = Shared::default();
        let first = shared.parts(7, elements.iter());
        let second = shared.parts(7, std::iter::empty());
        assert!(first.len() == 3 && first.iter().zip(&second).all(|(one, other)| Arc::ptr_eq(one, other)));
        assert_eq!(shared.parts(8, elements[..1].iter()).len(), 1, "another number, another board");
        assert_eq!(shared.parts(7, elements.iter()).len(), 3);
        let mut left = shared.parts(9, elements.iter());
        left.pop();
        assert_eq!(shared.parts(9, elements[..2].iter()).len(), 2, "not all are there any more");
    }

    fn element(id: &str, bytes: usize) -> Element {
        let text = format!(r#"{{"id":"{id}","type":"t","version":1,"versionNonce":0,"x":"{}"}}"#, "x".repeat(bytes));
        Element::from_text(&text).unwrap()
    }

    fn change(seq: u64, bytes: usize) -> Recent {
        let changed = Changed { seq, by: UserId(1), elements: vec![element("a", bytes)], deleted: vec![] };
        Recent::Change(Arc::new(changed))
    }

    fn seqs(changes: Option<Vec<Arc<Changed>>>) -> Option<Vec<u64>> {
        Some(changes?.iter().map(|changed| changed.seq).collect())
    }

    #[test]
    fn what_came_since_is_told_if_memory_has_it() {
        let mut catchup = Catchup::default();
        assert_eq!(seqs(catchup.since(5, 5)), Some(vec![]));
        assert_eq!(catchup.since(4, 5), None, "older than the board's opening");
        assert_eq!(catchup.since(6, 5), None, "of another life of the board");
        catchup.push(change(6, 0));
        catchup.push(Recent::Other);
        catchup.push(change(8, 0));
        assert_eq!(seqs(catchup.since(5, 8)), Some(vec![6, 8]));
        assert_eq!(seqs(catchup.since(6, 8)), Some(vec![8]));
        assert_eq!(seqs(catchup.since(8, 8)), Some(vec![]));
        assert_eq!(catchup.since(4, 8), None);
    }

    #[test]
    fn quiz_between_takes_a_snapshot() {
        let mut catchup = Catchup::default();
        catchup.push(change(1, 0));
        catchup.push(Recent::Quiz);
        catchup.push(change(3, 0));
        assert_eq!(catchup.since(1, 3), None);
        assert_eq!(seqs(catchup.since(2, 3)), Some(vec![3]));
    }

    #[test]
    fn memory_is_bounded() {
        let mut catchup = Catchup::default();
        for seq in 1..=OPERATIONS as u64 + 10 {
            catchup.push(change(seq, 0));
        }
        let seq = OPERATIONS as u64 + 10;
        assert_eq!(catchup.since(9, seq), None);
        assert_eq!(catchup.since(10, seq).unwrap().len(), OPERATIONS);
        catchup.push(change(seq + 1, BYTES / 2));
        assert!(catchup.bytes <= BYTES);
        catchup.push(change(seq + 2, BYTES));
        assert_eq!((catchup.recent.len(), catchup.bytes), (0, 0));
    }

    #[test]
    fn a_snapshot_comes_in_parts() {
        let elements: Vec<_> = (0..10).map(|n| element(&n.to_string(), PART_BYTES / 4)).collect();
        let all = parts(7, elements.iter());
        assert_eq!(all.iter().map(|part| part.more).collect::<Vec<_>>(), [true, true, true, false]);
        for part in &all {
            let bytes: usize = part.elements.iter().map(|element| element.text().len()).sum();
            assert!(part.seq == 7 && bytes <= PART_BYTES, "{bytes}");
        }
        let whole: Vec<_> = all.iter().flat_map(|part| part.elements.clone()).collect();
        assert_eq!(whole, elements);
        let empty = parts(1, [].into_iter());
        assert_eq!((empty.len(), empty[0].elements.len(), empty[0].more), (1, 0, false));
        let large = [element("large", 3 * PART_BYTES), element("b", 0)];
        assert_eq!(parts(1, large.iter()).len(), 2);
    }
}
