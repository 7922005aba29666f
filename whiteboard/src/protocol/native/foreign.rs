//! A board of another dialect, shown to a native client: its strokes and objects as elements, for reading [P7].
//!
//! What is on disk is shown, and looked at again each second while somebody watches: nobody of the other dialect sees
//! that somebody does.

use super::live::{Live, Place};
use super::message::{Hello, Message, Misunderstood};
use super::patience::{MISUNDERSTOOD, PONG, Patience};
use crate::board::core::{Closed, Durable};
use crate::board::scene::catchup::parts;
use crate::board::scene::element::Element;
use crate::board::scene::event::{BoardFacts, Changed, Code, Event, LimitFacts, Person, Refused, Snapshot, Welcome};
use crate::board::scene::foreign::{Background, from_classroom, from_objects};
use crate::board::scene::identity::{Role, UserId};
use crate::board::{canvas, classroom};
use crate::limits::Bucket;
use crate::store::history::{HistoryError, When};
use crate::store::{BoardName, Reader};
use crate::websocket::{Connection, Frame, Next};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Between two looks at the disk, at least.
const LOOK: Duration = Duration::from_secs(1);

/// And so many times as long as the last look took: who looks at large boards must not keep the server busy.
const REST: u32 = 10;

/// For how long somebody who comes waits until others have had their look.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long after a look of this length the next one comes.
fn rest(took: Duration) -> Duration {
    LOOK + took.saturating_mul(REST)
}

/// The board of an address' last part: `classroom:<session code>` or `canvas:<canvas id>`.
pub fn board_of(address: &str) -> Option<BoardName> {
    let (kind, code) = address.split_once(':')?;
    match kind {
        BoardName::CLASSROOM | BoardName::CANVAS if (1..=200).contains(&code.len()) => BoardName::of(kind, code),
        _ => None,
    }
}

/// A board as it was at an operation.
#[derive(Debug, Default)]
struct Picture {
    seq: u64,
    elements: Vec<Element>,
    parts: Vec<Arc<Snapshot>>,
}

/// Pictures that somebody is shown: all who look at a board share one, and the look at the disk.
#[derive(Debug, Default)]
pub struct Gallery(Mutex<HashMap<BoardName, (Weak<Picture>, Instant)>>);

impl Gallery {
    fn pictures(&self) -> MutexGuard<'_, HashMap<BoardName, (Weak<Picture>, Instant)>> {
        // Changed by single calls only: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A picture that will do for a board whose last operation is `last`: one of just that, however old, or one that was
    /// taken a moment ago and shows more than operation `known`.
    fn fresh(&self, board: &BoardName, known: Option<u64>, last: u64, now: Instant) -> Option<Arc<Picture>> {
        let pictures = self.pictures();
        let (picture, taken) = pictures.get(board)?;
        let new = |seq| known.is_none_or(|known| seq > known) && now < *taken + LOOK;
        picture.upgrade().filter(|picture| picture.seq == last || new(picture.seq))
    }

    /// Shares a picture that was taken just now; those that nobody is shown any more are forgotten.
    fn hang(&self, board: &BoardName, picture: Picture, taken: Instant) -> Arc<Picture> {
        let picture = Arc::new(picture);
        let mut pictures = self.pictures();
        pictures.retain(|_, (picture, _)| picture.strong_count() > 0);
        pictures.insert(board.clone(), (Arc::downgrade(&picture), taken));
        picture
    }
}

impl Picture {
    /// Blocks, and takes as long as the board is large.
    fn take(reader: &Reader, board: &BoardName) -> Result<Self, HistoryError> {
        fn past<S: Durable>(reader: &Reader, board: &BoardName) -> Result<(u64, S), HistoryError> {
            reader.past::<S>(board, When::Now).map(|past| (past.seq, past.state))
        }
        let (seq, elements) = if board.dialect == BoardName::CLASSROOM {
            let (seq, state) = past::<classroom::State>(reader, board)?;
            let background = Background::read(state.background());
            let strokes = state.strokes().iter().map(classroom::stroke::Stroke::text);
            (seq, from_classroom(strokes, background.as_ref()))
        } else {
            let (seq, state) = past::<canvas::State>(reader, board)?;
            (seq, from_objects(state.objects().map(|object| &**object.text())))
        };
        Ok(Self::new(seq, elements))
    }

    fn new(seq: u64, elements: Vec<Element>) -> Self {
        let parts = parts(seq, elements.iter()).into_iter().map(Arc::new).collect();
        Self { seq, elements, parts }
    }

    /// What shows this picture to somebody who has seen another: the new elements, if it only grew, else all.
    fn events_after(&self, before: &Self) -> Vec<Event> {
        let grew = self.elements.len() >= before.elements.len()
            && self.elements.iter().zip(&before.elements).all(|(now, then)| now == then);
        if grew {
            let elements = self.elements[before.elements.len()..].to_vec();
            let changed = Changed { seq: self.seq, by: UserId::SERVER, elements, deleted: Vec::new() };
            return vec![Event::Change(Arc::new(changed))];
        }
        self.snapshot()
    }

    fn snapshot(&self) -> Vec<Event> {
        self.parts.iter().cloned().map(Event::Snapshot).collect()
    }
}

/// Runs what reads the disk on a thread that may wait for it.
async fn reading<T: Send + 'static>(
    live: &Live,
    board: &BoardName,
    read: impl FnOnce(&Reader, &BoardName) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Closed> {
    let (reader, name) = (live.store.reader.clone(), board.clone());
    let done = tokio::task::spawn_blocking(move || {
        if reader.meta(&name)?.deleted.is_some() {
            return Ok(Err(Closed::Deleted));
        }
        read(&reader, &name).map(Ok)
    });
    let error = match done.await {
        Ok(Ok(done)) => return done,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic.to_string(),
    };
    tracing::error!(board = %board.code, "{error}");
    Err(Closed::Unreadable)
}

/// The board as it is, and how long the look took. None: nothing happened since operation `known`, or others look.
async fn picture(
    live: &Live,
    board: &BoardName,
    known: Option<u64>,
) -> Result<(Option<Arc<Picture>>, Duration), Closed> {
    let last = reading(live, board, Reader::last).await?;
    if known == Some(last) {
        return Ok((None, Duration::ZERO));
    }
    if let Some(picture) = live.gallery.fresh(board, known, last, Instant::now()) {
        return Ok((Some(picture), Duration::ZERO));
    }
    let turn = live.heavy.clone();
    let place = if known.is_some() {
        // There is something to see already; this connection is to be listened to meanwhile.
        let Ok(place) = turn.try_acquire_owned() else { return Ok((None, Duration::ZERO)) };
        place
    } else {
        let Ok(Ok(place)) = timeout(PATIENCE, turn.acquire_owned()).await else { return Err(Closed::Unreadable) };
        place
    };
    // Others may have looked meanwhile.
    let last = reading(live, board, Reader::last).await?;
    if let Some(picture) = live.gallery.fresh(board, known, last, Instant::now()) {
        return Ok((Some(picture), Duration::ZERO));
    }
    let begin = Instant::now();
    // Held by the thread: who goes away does not make room for one more.
    let taken = reading(live, board, move |reader, board| {
        let taken = Picture::take(reader, board);
        drop(place);
        taken
    });
    let picture = live.gallery.hang(board, taken.await?, Instant::now());
    Ok((Some(picture), begin.elapsed()))
}

fn welcome(hello: &Hello, user: UserId, board: &BoardName, live: &Live, seq: u64) -> Event {
    let person = Person { client: 1, user, name: hello.name.clone(), color: hello.color.clone(), role: Role::Viewer };
    let limits = live.hub.shared().ground.limits;
    Event::Welcome(Box::new(Welcome {
        client: 1,
        user,
        role: Role::Viewer,
        // Of no other connection: one never goes on from here.
        epoch: crate::protocol::id::random_id().into(),
        seq,
        board: BoardFacts {
            id: board.code.clone(),
            title: board.code.clone(),
            kind: board.dialect.into(),
            settings: [].into(),
        },
        locked: false,
        quiz: false,
        undo: 0,
        redo: 0,
        last: 0,
        limits: LimitFacts { elements: limits.elements, bytes: limits.bytes, element: limits.element_bytes },
        people: vec![person],
        drafts: Vec::new(),
        resume: false,
    }))
}

/// Shows the board until the connection is to be closed; none if the client just went.
pub async fn show(
    connection: &mut Connection,
    hello: &Hello,
    board: &BoardName,
    place: &Place,
    live: &Live,
) -> Option<Closed> {
    let closed = |closed| Some(live.closed(closed));
    let (mut shown, took) = match picture(live, board, None).await {
        Ok((picture, took)) => (picture.unwrap_or_default(), took),
        Err(why) => return closed(why),
    };
    let user = super::access::user_of(&hello.key);
    place.outbox.answer(live.frame(&welcome(hello, user, board, live, shown.seq)));
    shown.snapshot().into_iter().for_each(|event| live.answer_later(&place.outbox, event));
    let mut patience = Patience::new(live.timing);
    let (mut bucket, since) = (Bucket::new(live.rate), Instant::now());
    let mut look = since + rest(took);
    let mut wrong = 0;
    loop {
        let message = match connection.next(&*place.outbox, look.min(patience.deadline())).await {
            Next::Text(text) => Message::parse(text),
            Next::Binary(_) => return closed(Closed::Misuse),
            Next::Pong(_) => {
                patience.hear();
                continue;
            }
            Next::Sent(_) => continue,
            // Who has not read the last picture yet is not shown another: they would all be kept.
            Next::Deadline if Instant::now() >= look && !place.outbox.is_empty() => {
                look = Instant::now() + LOOK;
                continue;
            }
            Next::Deadline if Instant::now() >= look => {
                let (now, took) = match picture(live, board, Some(shown.seq)).await {
                    Ok(looked) => looked,
                    Err(why) => return closed(why),
                };
                if let Some(now) = now {
                    now.events_after(&shown).into_iter().for_each(|event| live.answer_later(&place.outbox, event));
                    shown = now;
                }
                look = Instant::now() + rest(took);
                continue;
            }
            Next::Deadline => {
                if patience.is_over() {
                    return closed(Closed::NoAnswer);
                }
                connection.queue(&Frame::ping(b""));
                continue;
            }
            Next::Closing => return place.outbox.closed(),
            Next::Ended(end) => return super::closing::ended(end).and_then(closed),
        };
        patience.hear();
        while let Err(wait) = bucket.take(since.elapsed()) {
            sleep(wait).await;
        }
        wrong = if message.is_ok() { 0 } else { wrong + 1 };
        if matches!(message, Ok(Message::Ping)) {
            place.outbox.answer(Frame::plain(PONG));
        } else if let Some(event) = answer(message) {
            place.outbox.answer(live.frame(&event));
        }
        if wrong >= MISUNDERSTOOD {
            return closed(Closed::Misuse);
        }
    }
}

/// What a message of a looker is answered by, if it is.
fn answer(message: Result<Message, Misunderstood>) -> Option<Event> {
    let sentence = "Boards of this kind can be looked at only. Open them with the program that they are for.";
    let refused = |code, id, sentence: String| Some(Event::Error(Refused::new(code, id, sentence)));
    match message {
        Ok(Message::Asked(asked)) => refused(Code::ReadOnly, Some(asked.id), sentence.to_owned()),
        Ok(Message::Restore { id, .. }) => refused(Code::ReadOnly, Some(id), sentence.to_owned()),
        Ok(Message::Hello(_)) => refused(Code::Hello, None, "hello is said once.".to_owned()),
        Ok(Message::Draft(_) | Message::Volatile(_) | Message::Ping) => None,
        Err(wrong) => refused(wrong.code, wrong.id, wrong.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_addresses_name_the_dialect() {
        for (address, expected) in [
            ("classroom:Physik 7b ü", Some(BoardName::classroom("Physik 7b ü"))),
            ("classroom:a:b", Some(BoardName::classroom("a:b"))),
            ("canvas:x", Some(BoardName::canvas("x"))),
            ("board:x", None),
            ("classroom:", None),
            ("classroom", None),
            ("other:x", None),
        ] {
            assert_eq!(board_of(address), expected, "{address}");
        }
    }

    #[test]
    fn p7_a_picture_that_grew_is_told_by_what_is_new() {
        let stroke = |n: u32| {
            format!(
                r##"{{"drawMode":true,"strokeColor":"#000","strokeWidth":4,"paths":[{{"x":{n},"y":1}},{{"x":2,"y":3}}]}}"##
            )
        };
        let picture = |seq, strokes: &[u32]| {
            let texts: Vec<String> = strokes.iter().map(|n| stroke(*n)).collect();
            Picture::new(seq, from_classroom(texts.iter().map(String::as_str), None))
        };
        let before = picture(1, &[1, 2]);
        let Event::Change(change) = &picture(2, &[1, 2, 3]).events_after(&before)[0] else { panic!() };
        assert_eq!((change.seq, change.elements.len()), (2, 1));
        for other in [picture(2, &[1]), picture(2, &[2, 1]), picture(2, &[])] {
            let Event::Snapshot(snapshot) = &other.events_after(&before)[0] else { panic!("{other:?}") };
            assert!(!snapshot.more);
        }
    }

    #[test]
    fn who_looks_at_a_large_board_looks_less_often() {
        for (took, next) in [(0, 1000), (20, 1200), (5000, 51_000)] {
            assert_eq!(rest(Duration::from_millis(took)), Duration::from_millis(next), "{took}");
        }
    }

    #[test]
    fn p7_lookers_are_told_that_they_look() {
        for (text, code) in [
            (r#"{"t":"undo","id":4}"#, Some(Code::ReadOnly)),
            (r#"{"t":"restore","id":4,"seq":1}"#, Some(Code::ReadOnly)),
            ("nonsense", Some(Code::Message)),
            (r#"{"t":"v","k":"cursor","d":1}"#, None),
        ] {
            let code_of = |event| if let Event::Error(refused) = event { Some(refused.code) } else { None };
            assert_eq!(answer(Message::parse(text)).and_then(code_of), code, "{text}");
        }
    }

    #[test]
    fn who_looks_at_the_same_time_shares_a_picture() {
        let (gallery, board, start) = (Gallery::default(), BoardName::classroom("ABC"), Instant::now());
        assert!(gallery.fresh(&board, None, 5, start).is_none());
        let picture = gallery.hang(&board, Picture::new(5, Vec::new()), start);
        for (known, last, later, found) in [
            (None, 6, Duration::ZERO, true),
            (Some(4), 6, LOOK / 2, true),
            (Some(5), 6, Duration::ZERO, false),
            (None, 6, LOOK, false),
            (None, 5, 100 * LOOK, true),
            (Some(4), 5, LOOK, true),
        ] {
            let fresh = gallery.fresh(&board, known, last, start + later);
            let same = fresh.is_some_and(|fresh| Arc::ptr_eq(&fresh, &picture));
            assert_eq!(same, found, "{known:?} {last} {later:?}");
        }
        assert!(gallery.fresh(&BoardName::classroom("D"), None, 5, start).is_none());
        drop(picture);
        assert!(gallery.fresh(&board, None, 5, start).is_none(), "nobody is shown it any more");
        let _other = gallery.hang(&BoardName::classroom("D"), Picture::new(1, Vec::new()), start);
        assert_eq!(gallery.pictures().len(), 1);
    }
}
