use super::*;
use crate::board::core::Limits;
use crate::limits::Rate;
use crate::limits::connections::Connections;
use crate::limits::space::Space;
use crate::metrics::Metrics;
use crate::protocol::classroom::{UndoEvents, encode};
use crate::protocol::engineio::Timing;
use crate::protocol::engineio::session::Common;
use crate::room::{Ground, Hub, Shared};
use crate::store::testing::Bench;

/// A registry, and a polling session in it.
fn session(bench: &Bench) -> (Registry, Arc<Session>) {
    let metrics = Arc::new(Metrics::default());
    let ground = Ground {
        store: bench.store.clone(),
        timing: crate::room::Timing::default(),
        limits: Limits::default(),
        epoch: "epoch".into(),
        space: Arc::new(Space::default()),
        metrics: metrics.clone(),
    };
    let encoder = Arc::new(|event: &_| encode(event, UndoEvents::PathsUpdate));
    let hub = Hub::new(Shared { ground, encoder });
    let timing = Timing { ping_timeout: Duration::from_millis(100), ..Timing::default() };
    let rate = Rate::with_burst_of(100, 1);
    let registry = Registry::new(Common { hub, timing, rate, metrics });
    let admission = Connections::new(1, 1).admit(None).unwrap();
    let session = Arc::new(Session::new(&registry.common, None, Stage::Polling, admission));
    registry.insert(&session);
    (registry, session)
}

#[tokio::test]
async fn small_packets_come_together_and_a_large_one_alone_and_shared() {
    let bench = Bench::new();
    let (registry, session) = session(&bench);
    let large = Frame::plain("4".repeat(ALONE + 1));
    for frame in [Frame::plain("4a"), Frame::plain("4b"), large.clone(), Frame::plain("4c")] {
        session.outbox.push(frame);
    }
    for expected in ["4a\u{1e}4b", large.text(), "4c"] {
        let answer = poll(&session, &registry).await.unwrap();
        assert!(answer.as_ref() == expected.as_bytes());
        let is_shared = answer.as_ref().as_ptr() == large.text().as_ptr();
        assert_eq!(is_shared, expected == large.text());
    }
}

#[tokio::test]
async fn who_keeps_an_answer_unread_gets_no_other_one() {
    let bench = Bench::new();
    let (registry, session) = session(&bench);
    session.outbox.push(Frame::plain("4a"));
    let unread = poll(&session, &registry).await.unwrap();
    session.outbox.push(Frame::plain("4b"));
    let begun = Instant::now();
    assert_eq!(poll(&session, &registry).await.unwrap_err(), Refused::Gone);
    assert!(begun.elapsed() >= registry.common.timing.ping_timeout);
    assert_eq!((session.stage(), session.outbox.closed()), (Stage::Ended, Some(Closed::SlowReader)));
    drop(unread);
}
