//! Bodies that are kept whole in memory until they are served: bounded each, and all together with the messages of
//! WebSockets that are on their way.

use crate::websocket::Held;
use axum::body::Body;
use futures_util::StreamExt;

/// Why a body is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unposted {
    /// It has more bytes than it may have, or broke off.
    TooLarge,
    /// There is more on its way than there is memory for.
    Busy,
}

/// A body, which counts until it is dropped.
#[derive(Debug)]
pub struct Posted {
    pub bytes: Vec<u8>,
    _held: Held,
}

/// Takes a body of at most `most` bytes, counted in `held`.
pub async fn receive(body: Body, most: usize, mut held: Held) -> Result<Posted, Unposted> {
    let (mut bytes, mut pieces) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Unposted::TooLarge)?;
        if bytes.len() + piece.len() > most {
            return Err(Unposted::TooLarge);
        }
        bytes.extend_from_slice(&piece);
        held.set(bytes.capacity());
        if held.is_too_much() {
            return Err(Unposted::Busy);
        }
    }
    Ok(Posted { bytes, _held: held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LARGE: usize = 1_000_000;

    #[tokio::test]
    async fn a_body_is_bounded_alone_and_with_all_others() {
        static ALL: AtomicUsize = AtomicUsize::new(0);
        for (bytes, others, expected) in [
            (LARGE, 0, None),
            (LARGE + 1, 0, Some(Unposted::TooLarge)),
            (LARGE, 1 << 30, Some(Unposted::Busy)),
            // Whoever sends little is heard, however much the others hold.
            (10_000, 1 << 30, None),
            (0, 1 << 30, None),
        ] {
            let mut rest = Held::of(&ALL);
            rest.set(others);
            let outcome = receive(Body::from(vec![b'x'; bytes]), LARGE, Held::of(&ALL)).await;
            match &outcome {
                Ok(posted) => assert_eq!((expected, posted.bytes.len()), (None, bytes), "{bytes} {others}"),
                Err(refused) => assert_eq!(Some(*refused), expected, "{bytes} {others}"),
            }
            if expected.is_none() && bytes > 9_999 {
                assert!(ALL.load(Ordering::Relaxed) >= others + bytes, "it counts while it is served");
            }
            drop(outcome);
            assert_eq!(ALL.load(Ordering::Relaxed), others);
        }
    }
}
