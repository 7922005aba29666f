//! What the server knows about what a client has on its screen.
//!
//! A classroom client sends its whole list without saying which board it started from. That board is one of few: the
//! list that the client itself sent last, or one of those sent to it since, as long as they may still be on their way.
//! The right one is found by how little the user must have done ([`View::base`]); what a client is known to have
//! received ([`View::seen`]) rules out everything older.

use super::merge::{Incoming, Match};
use super::stroke::Stroke;
use std::collections::VecDeque;
use std::time::Duration;

/// Number of a board's list: grows by one with each change of the list.
pub type Version = u64;

/// Lists a client may have; older ones are forgotten. More than this are in flight only for a client that has long
/// stopped reading.
const CANDIDATES: usize = 64;

/// After this time a list that was sent is taken as received, whatever the transport could tell.
const SURELY_SEEN: Duration = Duration::from_secs(30);

#[derive(Debug)]
enum Source {
    /// The board's list of that version.
    Board(Version),
    /// A list of the client's own that the board never had, because it was merged with what others did.
    Own(Vec<Stroke>),
}

#[derive(Debug)]
struct Candidate {
    source: Source,
    sent: Duration,
    /// The client is known to have it, or to have had it.
    received: bool,
    /// Something newer was received: from this time on the client cannot be working on this list any more.
    expires: Option<Duration>,
}

/// The lists that one client may be working on, oldest first.
#[derive(Debug, Default)]
pub struct View(VecDeque<Candidate>);

/// The list from which an update was most probably made.
#[derive(Debug)]
pub struct Base {
    pub list: Vec<Stroke>,
    pub matched: Match,
    /// The client has seen the board as it is, and has drawn on that: nothing is on its way that would replace what
    /// it shows now.
    pub is_certain: bool,
}

/// A user does one thing at a time: a list that is farther from an update than this is not what it was made from, if
/// another one is closer.
const ONE_THING: usize = 1;

/// The lists that a board had, as far as they are still known.
pub trait Boards {
    /// Number of elements at a version.
    fn length_at(&self, version: Version) -> Option<usize>;
    /// The elements at a version.
    fn list_at(&self, version: Version) -> Option<Vec<Stroke>>;
}

impl View {
    /// The board of this version is on its way to the client.
    pub fn sent(&mut self, version: Version, now: Duration) {
        if self.0.len() == CANDIDATES {
            self.0.pop_front();
        }
        self.0.push_back(Candidate { source: Source::Board(version), sent: now, received: false, expires: None });
    }

    /// The client has received the board of this version. `grace`: for how long a message made before that may still
    /// be under way (the evidence comes from the transport, which is a little ahead of the program behind it).
    pub fn seen(&mut self, version: Version, now: Duration, grace: Duration) {
        let newest = self.0.iter().rposition(|candidate| matches!(candidate.source, Source::Board(v) if v <= version));
        let Some(newest) = newest else { return };
        self.0[newest].received = true;
        for candidate in self.0.iter_mut().take(newest) {
            let expires = now + grace;
            candidate.expires = Some(candidate.expires.map_or(expires, |earlier| earlier.min(expires)));
        }
    }

    /// Finds the list that an update was made from: the one with the smallest difference, the oldest of equals (then
    /// whatever others did since stays). A list that the client has already seen
    /// replaced counts, for the time of grace, only if the update would have drawn on it and removed nothing.
    pub fn base(&mut self, incoming: &Incoming<'_>, now: Duration, boards: &impl Boards) -> Option<Base> {
        if let Some(seen) = self.0.iter().rposition(|candidate| candidate.sent + SURELY_SEEN <= now) {
            self.0.drain(..seen);
        }
        self.0.retain(|candidate| candidate.expires.is_none_or(|expires| now < expires));

        let mut best: Option<Base> = None;
        let mut doubtful = false;
        for (place, candidate) in self.0.iter().enumerate().rev() {
            let length = match &candidate.source {
                Source::Board(version) => boards.length_at(*version),
                Source::Own(list) => Some(list.len()),
            };
            let Some(length) = length else { continue };
            // A difference in length costs at least as much: most lists are ruled out without a look at them.
            let least = length.abs_diff(incoming.len());
            if least > ONE_THING && best.as_ref().is_some_and(|best| least > best.matched.cost()) {
                continue;
            }
            let list = match &candidate.source {
                Source::Board(version) => boards.list_at(*version),
                Source::Own(list) => Some(list.clone()),
            };
            let Some(list) = list else { continue };
            let matched = Match::of(&list, incoming);
            let current = candidate.expires.is_none();
            let closer = best.as_ref().is_none_or(|best| {
                matched.cost() < best.matched.cost() || (current && matched.cost() == best.matched.cost())
            });
            let is_newest = place + 1 == self.0.len();
            if current && !is_newest && matched.cost() <= ONE_THING {
                doubtful = true;
            }
            if closer && (current || matched.only_draws_on(&list)) {
                best = Some(Base { list, matched, is_certain: is_newest });
            }
        }
        if let Some(best) = &mut best {
            best.is_certain &= !doubtful;
        }
        best
    }

    /// The client's update has become this version of the board, and nothing else is on its way: it shows that.
    pub fn agreed(&mut self, version: Version, now: Duration) {
        self.0.clear();
        self.sent(version, now);
        if let Some(shown) = self.0.back_mut() {
            shown.received = true;
        }
    }

    /// The client shows its `own` list, until what is on its way to it arrives.
    pub fn differs(&mut self, own: Vec<Stroke>, now: Duration) {
        // What the client had received is now replaced by its own list.
        self.0.retain(|candidate| !candidate.received || candidate.expires.is_some());
        let place = self.0.iter().take_while(|candidate| candidate.expires.is_some()).count();
        let own = Candidate { source: Source::Own(own), sent: now, received: true, expires: None };
        self.0.insert(place, own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Boards for Vec<Vec<Stroke>> {
        fn length_at(&self, version: Version) -> Option<usize> {
            self.list_at(version).map(|list| list.len())
        }

        fn list_at(&self, version: Version) -> Option<Vec<Stroke>> {
            self.get(usize::try_from(version).unwrap()).cloned()
        }
    }

    const NOW: Duration = Duration::from_secs(100);
    const GRACE: Duration = Duration::from_millis(30);

    fn boards(texts: &[&[&str]]) -> Vec<Vec<Stroke>> {
        texts.iter().map(|list| list.iter().map(|text| Stroke::new(text)).collect()).collect()
    }

    /// Which of the boards sent (all at NOW, those up to `seen` received at NOW) an update at `at` is based on.
    fn chosen(texts: &[&[&str]], seen: Option<u64>, incoming: &[&str], at: Duration) -> Option<usize> {
        let boards = boards(texts);
        let mut view = View::default();
        for version in 0..boards.len() {
            view.sent(version as u64, NOW);
        }
        if let Some(seen) = seen {
            view.seen(seen, NOW, GRACE);
        }
        let incoming = Incoming::new(incoming.to_vec());
        let base = view.base(&incoming, at, &boards)?;
        boards
            .iter()
            .position(|board| board.len() == base.list.len() && board.iter().zip(&base.list).all(|(a, b)| a.is(b)))
    }

    #[test]
    fn the_smallest_difference_wins_among_what_may_be_on_screen() {
        let after = NOW + GRACE;
        for (case, sent, seen, incoming, at, expected) in [
            ("drawn on the newest", &[&["1"][..], &["1", "2"]][..], None, &["1", "2", "3"][..], NOW, Some(1)),
            ("drawn before the newest came", &[&["1"], &["1", "2"]], None, &["1", "3"], NOW, Some(0)),
            ("drawn on a board that was cleared meanwhile", &[&["1", "2"], &[]], None, &["1", "2", "3"], NOW, Some(0)),
            ("sent again while something was on its way", &[&["1"], &["1", "2"]], None, &["1"], NOW, Some(0)),
            ("erased what has been seen", &[&["1"], &["1", "2"]], Some(1), &["1"], NOW, Some(1)),
            ("replaced what has been seen", &[&[], &["1"], &["1", "2"]], Some(2), &["9"], NOW, Some(2)),
            ("replaced at once, first board empty", &[&[], &["1"]], Some(1), &["9"], NOW, Some(1)),
            ("drawn in the moment of receiving", &[&["1"], &["1", "2"]], Some(1), &["1", "3"], NOW, Some(0)),
            ("the same a little later means erased", &[&["1"], &["1", "2"]], Some(1), &["1", "3"], after, Some(1)),
            ("unknown for long, so received", &[&["1"], &["1", "2"]], None, &["1"], NOW + SURELY_SEEN, Some(1)),
            ("nothing sent", &[], None, &["1"], NOW, None),
        ] {
            assert_eq!(chosen(sent, seen, incoming, at), expected, "{case}");
        }
    }

    #[test]
    fn a_merged_client_goes_on_from_its_own_list() {
        let boards = boards(&[&["1"], &["1", "2"], &["1", "2", "3"]]);
        let mut view = View::default();
        view.sent(0, NOW);
        view.sent(1, NOW);
        // Drew 3 on [1] while 2 was under way: its own list is [1,3], the board [1,2,3] goes to it.
        let first = Incoming::new(vec!["1", "3"]);
        let base = view.base(&first, NOW, &boards).unwrap();
        assert!(!base.is_certain);
        view.differs(vec![boards[0][0].clone(), boards[2][2].clone()], NOW);
        view.sent(2, NOW);
        let next = view.base(&Incoming::new(vec!["1", "3", "4"]), NOW, &boards).unwrap();
        assert_eq!((next.matched.added, next.matched.removed), (1, 0));
        assert_eq!(next.list[1].text(), "3");
        // Having seen the merged board it draws on that.
        view.seen(2, NOW, Duration::ZERO);
        let last = view.base(&Incoming::new(vec!["1", "2", "3", "4"]), NOW, &boards).unwrap();
        assert_eq!(last.list.len(), 3);
        assert_eq!(last.matched.cost(), 1);
    }

    #[test]
    fn only_so_many_lists_are_kept() {
        let mut view = View::default();
        for version in 0..1000 {
            view.sent(version, NOW);
        }
        assert_eq!(view.0.len(), CANDIDATES);
    }
}
