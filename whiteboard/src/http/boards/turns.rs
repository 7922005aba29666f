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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Uploads of images at a time. Each has a file on the disk.
pub const UPLOADS: usize = 16;

/// Drawings that are sent in at a time. Each is in memory until it is on its board.
pub const IMPORTS: usize = 2;

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
    pub imports: Arc<Semaphore>,
    /// Exports, reading of imports, looks at the past.
    pub heavy: Arc<Semaphore>,
    pub answers: Arc<Semaphore>,
}

impl Turns {
    /// All places free; those for heavy work are shared with who does such work elsewhere.
    pub fn new(heavy: Arc<Semaphore>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { uploads: places(UPLOADS), imports: places(IMPORTS), heavy, answers: places(ANSWERS) }
    }
}

/// A place, once there is one; an error after so much waiting.
pub async fn turn(places: &Arc<Semaphore>, patience: Duration) -> Result<OwnedSemaphorePermit, Refused> {
    match timeout(patience, places.clone().acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(closed)) => Err(Refused::internal(&closed)),
        Err(_) => {
            let sentence = "The server is busy with the same for others. Try again in a minute.";
            Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "too-many", sentence))
        }
    }
}

/// The body of a large answer, which keeps its place until the connection has taken all of it.
pub fn large(bytes: impl Into<Bytes>, place: OwnedSemaphorePermit) -> Body {
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
    async fn a_large_answer_keeps_its_place_until_it_is_taken() {
        let places = Arc::new(Semaphore::new(1));
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PIECE / 2).collect();
        let mut body = large(bytes.clone(), turn(&places, SENDING).await.unwrap()).into_data_stream();
        let mut taken = Vec::new();
        for left in [0, 0] {
            let piece = body.next().await.unwrap().unwrap();
            assert!(piece.len() <= PIECE);
            taken.extend_from_slice(&piece);
            assert_eq!(places.available_permits(), left);
        }
        assert!(body.next().await.is_none());
        assert_eq!((taken == bytes, places.available_permits()), (true, 1));
    }
}
