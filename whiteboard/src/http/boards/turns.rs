//! What few may do at a time, because it takes memory, a file on the disk or a processor for a while. The others wait
//! for their turn, but not for ever: a queue without an end would be one more thing to fill.

use super::answer::Refused;
use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Images at a time that have come and go to the database.
pub const UPLOADS: usize = 16;

/// Bytes of the disk for images and drawings that are being sent in.
pub const SPOOL: usize = 256 << 20;

/// What is shared out in bytes goes in pieces of so many.
const UNIT: usize = 64 << 10;

/// Large answers that are being sent at a time. Each is in memory until its reader has it.
pub const ANSWERS: usize = 8;

/// For how long somebody waits for a place to send something to.
pub const SENDING: Duration = Duration::from_secs(20);

/// For how long somebody waits for work that takes long.
pub const WORKING: Duration = Duration::from_secs(30);

/// Bytes of a large answer that the connection takes at a time.
const PIECE: usize = 64 << 10;

/// The places.
#[derive(Clone, Debug)]
pub struct Turns {
    pub uploads: Arc<Semaphore>,
    /// Disk for what is being sent in.
    pub spool: Bytewise,
    /// Memory for drawings that have come: each counts until it is on its board.
    pub imports: Bytewise,
    /// Exports, reading of imports, looks at the past.
    pub heavy: Arc<Semaphore>,
    pub answers: Arc<Semaphore>,
    /// Memory for large answers that their readers have not taken yet.
    pub unread: Bytewise,
}

impl Turns {
    /// All places free; those for heavy work are shared with who does such work elsewhere. `imports`: bytes of drawings
    /// that may be in memory; `unread`: bytes of large answers.
    pub fn new(heavy: Arc<Semaphore>, imports: usize, unread: usize) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        let (spool, imports) = (Bytewise::new(SPOOL), Bytewise::new(imports));
        Self {
            uploads: places(UPLOADS),
            spool,
            imports,
            heavy,
            answers: places(ANSWERS),
            unread: Bytewise::new(unread),
        }
    }
}

/// Bytes, of memory or of the disk, that are shared out.
#[derive(Clone, Debug)]
pub struct Bytewise {
    units: Arc<Semaphore>,
    all: usize,
}

/// What somebody has of a [`Bytewise`]; given back when dropped.
#[derive(Debug, Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Bytewise {
    pub fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new(bytes / UNIT)), all: bytes }
    }

    /// All that there is, in bytes.
    pub fn all(&self) -> usize {
        self.all
    }

    /// So many bytes (at most all), once they are free; an error after so much waiting.
    pub async fn take(&self, bytes: u64, patience: Duration) -> Result<Held, Refused> {
        let mut held = Held::default();
        self.extend(&mut held, bytes, patience).await?;
        Ok(held)
    }

    /// Makes what somebody holds at least so many bytes, as [`Self::take`].
    pub async fn extend(&self, held: &mut Held, bytes: u64, patience: Duration) -> Result<(), Refused> {
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.all) / UNIT;
        let has = held.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(missing) = wanted.checked_sub(has).and_then(|missing| u32::try_from(missing).ok()) else {
            return Ok(());
        };
        if missing == 0 {
            return Ok(());
        }
        let more = waited(self.units.clone().acquire_many_owned(missing), patience).await?;
        match &mut held.0 {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Bytes that nobody holds.
    pub fn free(&self) -> usize {
        self.units.available_permits() * UNIT
    }
}

/// A place, once there is one; an error after so much waiting.
pub async fn turn(places: &Arc<Semaphore>, patience: Duration) -> Result<OwnedSemaphorePermit, Refused> {
    waited(places.clone().acquire_owned(), patience).await
}

async fn waited(
    place: impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>>,
    patience: Duration,
) -> Result<OwnedSemaphorePermit, Refused> {
    match timeout(patience, place).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(closed)) => Err(Refused::internal(&closed)),
        Err(_) => {
            let sentence = "The server is busy with the same for others. Try again in a minute.";
            Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "too-many", sentence))
        }
    }
}

/// The places of an answer of so many bytes that has just been made: that of its making, and its memory. If there is none,
/// it is not kept: waiting with it would take the memory that there is not.
pub async fn unread(turns: &Turns, bytes: usize, place: OwnedSemaphorePermit) -> Result<Unread, Refused> {
    let memory = turns.unread.take(bytes as u64, Duration::ZERO).await?;
    Ok(Unread { _place: place, _memory: memory })
}

/// What a large answer holds until its reader has it.
#[derive(Debug)]
pub struct Unread {
    _place: OwnedSemaphorePermit,
    _memory: Held,
}

/// The body of a large answer, which keeps its place until the connection has taken all of it.
pub fn large(bytes: impl Into<Bytes>, place: Unread) -> Body {
    Body::from_stream(stream::unfold((bytes.into(), place), async |(mut rest, place)| {
        let piece = rest.split_to(rest.len().min(PIECE));
        (!piece.is_empty()).then(|| (Ok::<_, Infallible>(piece), (rest, place)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn who_waits_too_long_is_told_to_come_back() {
        let places = Arc::new(Semaphore::new(1));
        let held = turn(&places, SENDING).await.unwrap();
        let refused = turn(&places, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (503, "too-many"));
        drop(held);
        assert!(turn(&places, SENDING).await.is_ok());
    }

    #[tokio::test]
    async fn bytes_are_shared_out_and_come_back() {
        let bytes = Bytewise::new(10 * UNIT);
        let mut held = Held::default();
        for (wanted, free) in
            [(1, 10), (UNIT, 9), (UNIT, 9), (3 * UNIT + 5, 7), (UNIT, 7), (10 * UNIT, 0), (99 * UNIT, 0)]
        {
            bytes.extend(&mut held, wanted as u64, SENDING).await.unwrap();
            assert_eq!(bytes.free(), free * UNIT, "{wanted}");
        }
        let refused = bytes.take(UNIT as u64, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (503, "too-many"));
        drop(held);
        let all = bytes.take(u64::MAX, SENDING).await.unwrap();
        assert_eq!((bytes.free(), bytes.all()), (0, 10 * UNIT), "nobody can want more than there is");
        drop(all);
        assert_eq!(bytes.free(), bytes.all());
    }

    #[tokio::test]
    async fn a_large_answer_keeps_its_place_until_it_is_taken() {
        let turns = Turns::new(Arc::new(Semaphore::new(1)), UNIT, 2 * UNIT);
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PIECE / 2).collect();
        let place = turn(&turns.answers, SENDING).await.unwrap();
        let mut body = large(bytes.clone(), unread(&turns, bytes.len(), place).await.unwrap()).into_data_stream();
        let place = turn(&turns.answers, SENDING).await.unwrap();
        let refused = unread(&turns, 2 * UNIT, place).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (503, "too-many"), "more than there is memory for");
        let mut taken = Vec::new();
        for _ in 0..2 {
            let piece = body.next().await.unwrap().unwrap();
            assert!(piece.len() <= PIECE);
            taken.extend_from_slice(&piece);
            assert_eq!((turns.answers.available_permits(), turns.unread.free()), (ANSWERS - 1, UNIT));
        }
        assert!(body.next().await.is_none());
        assert_eq!((taken == bytes, turns.answers.available_permits()), (true, ANSWERS));
        assert_eq!(turns.unread.free(), turns.unread.all());
    }
}
