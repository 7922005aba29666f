use super::super::batch::Builder;
use super::*;
use crate::websocket::{Config, Connection, Next};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

fn outbox() -> Outbox {
    Outbox::new(Arc::new(Metrics::default()))
}

fn board(version: u64, bytes: usize) -> Frame {
    Frame::plain("x".repeat(bytes)).carrying(Some(version), true)
}

fn everything(outbox: &Outbox) -> Vec<Frame> {
    outbox.take_frames(usize::MAX, usize::MAX)
}

fn versions(frames: &[Frame]) -> Vec<Option<u64>> {
    frames.iter().map(|frame| frame.version).collect()
}

fn texts(outbox: &Outbox) -> Vec<String> {
    everything(outbox).iter().map(|frame| frame.text().chars().take(8).collect()).collect()
}

/// One message of `bytes` that begins with a text.
fn tick(text: &str, bytes: usize, from: ClientId, slot: u64) -> Arc<Batch> {
    let mut builder = Builder::default();
    builder.add(Frame::plain(format!("{text:8}{}", " ".repeat(bytes))).wire(), Some(from), Some(slot));
    Arc::new(builder.finish())
}

#[test]
fn a_quick_reader_gets_everything_in_order() {
    let outbox = outbox();
    for version in 0..10 {
        outbox.push(board(version, 1000));
        outbox.push(Frame::plain("between"));
    }
    assert_eq!(outbox.take_frames(3, usize::MAX).len(), 3);
    assert_eq!(outbox.take_frames(usize::MAX, 1500).len(), 4, "7, 1000 and 7 stay below, the next reaches it");
    assert_eq!(everything(&outbox).len(), 13);
    assert!(outbox.is_empty() && outbox.closed().is_none());
}

#[test]
fn what_is_large_comes_alone() {
    let outbox = Outbox::new(Arc::default());
    for bytes in [1, 2, 100, 100, 3, 101, 4] {
        outbox.push(Frame::plain("x".repeat(bytes)));
    }
    // A header has two bytes.
    for expected in [&[1, 2][..], &[100], &[100], &[3], &[101], &[4], &[]] {
        let lengths: Vec<usize> = outbox.take_small_or_one(16, 1000, 101).iter().map(|f| f.text().len()).collect();
        assert_eq!(lengths, expected);
    }
}

#[test]
fn a_slow_reader_gets_the_newest_board_and_everything_else() {
    let outbox = outbox();
    for version in 0..1000 {
        outbox.push(board(version, 200_000));
    }
    outbox.push(Frame::plain("lock"));
    outbox.push(board(1000, 200_000));
    assert_eq!(versions(&everything(&outbox)), [None, Some(1000)]);
    assert_eq!(outbox.closed(), None);
}

#[test]
fn a_reader_that_never_reads_is_closed_and_costs_nothing() {
    let outbox = outbox();
    let frame = Frame::plain("x".repeat(1 << 20));
    for _ in 0..8 {
        assert_eq!(outbox.closed(), None);
        outbox.push(frame.clone());
    }
    assert_eq!(outbox.closed(), Some(Closed::SlowReader));
    outbox.push(frame.clone());
    outbox.answer(frame.clone());
    outbox.push_volatile(&tick("v", 1, 1, 1), None);
    outbox.close(Closed::Shutdown);
    assert_eq!(outbox.closed(), Some(Closed::SlowReader), "the first reason stays");
    assert!(outbox.is_empty());
}

#[test]
fn a_large_board_is_no_reason_to_close() {
    let outbox = outbox();
    outbox.push(Frame::plain("x".repeat(CAPACITY + 1)));
    assert_eq!(outbox.closed(), None);
    assert_eq!(outbox.take_frames(1, 1).len(), 1);
    let part = Frame::plain("x".repeat(256 << 10));
    for _ in 0..300 {
        outbox.answer(part.clone());
    }
    outbox.push(Frame::plain("change"));
    assert_eq!((outbox.closed(), everything(&outbox).len()), (None, 301));
    for _ in 0..500 {
        outbox.answer(part.clone());
    }
    assert_eq!(outbox.closed(), Some(Closed::SlowReader), "but not without end");
}

#[test]
fn who_is_behind_gives_way_when_all_together_have_too_much() {
    let (some, much) = (allowed(), allowed() + 1);
    // Bytes waiting in so many frames, and for all: whether the client is closed, and gets volatile messages no more.
    for (frames, bytes, live, closed, refused) in [
        (0, 0, much, false, false),
        (1, SHARE + 1, much, false, true),
        (2, SHARE, much, false, true),
        (2, SHARE + 1, some, false, false),
        (2, SHARE + 1, much, true, true),
        (2, CAPACITY + 1, 0, true, false),
    ] {
        let mut queue = Queue::default();
        for _ in 0..frames {
            queue.push(Waiting::Frame { frame: Frame::plain("x"), answer: false });
        }
        queue.bytes.frames = bytes;
        let case = format!("{frames} frames, {bytes} of {live} bytes");
        assert_eq!((queue.is_too_long(live), queue.refuses_volatile(live)), (closed, refused), "{case}");
    }
}

#[test]
fn who_joins_does_not_pay_for_those_who_read_slowly() {
    let most = allowed().saturating_mul(2) + 1;
    for (answers, later, live, closed) in [
        (0, ANSWERS, most, false),
        (SHARE, ANSWERS - SHARE, most, false),
        (SHARE + 1, 0, most, true),
        (SHARE + 1, 0, allowed() + 1, false),
        (0, ANSWERS + 1, 0, true),
    ] {
        let mut queue = Queue::default();
        for _ in 0..2 {
            queue.push(Waiting::Frame { frame: Frame::plain("x"), answer: true });
        }
        (queue.bytes.answers, queue.bytes.later) = (answers, later);
        assert_eq!(queue.is_too_long(live), closed, "{answers} and {later} of {live} bytes");
    }
}

#[test]
fn a_slow_reader_keeps_the_newest_volatile_message_of_each_slot_in_its_place() {
    let outbox = outbox();
    outbox.push_volatile(&tick("draft", 10, 1, 100), Some(9));
    outbox.push(Frame::plain("stroke"));
    for round in 0..1000 {
        for sender in 1..=5 {
            outbox.push_volatile(&tick(&format!("{round}.{sender}"), 300, sender, sender), Some(9));
        }
    }
    outbox.push_volatile(&tick("own", 10, 9, 9), Some(9));
    let taken = texts(&outbox);
    assert!(taken.len() < 2 * VOLATILE_ABOVE / 300, "{} messages waited", taken.len());
    assert_eq!(taken[0].trim(), "draft", "before the stroke, where it was");
    assert_eq!(taken[1], "stroke");
    let last: Vec<&str> = taken[taken.len() - 5..].iter().map(|text| text.trim()).collect();
    assert_eq!(last, ["999.1", "999.2", "999.3", "999.4", "999.5"]);
    let dropped = outbox.metrics.volatile_dropped.get();
    assert_eq!(dropped + taken.len() as u64, 1 + 1 + 5000, "each is either sent or counted");
    assert_eq!(outbox.queue().bytes.volatile, 0);
}

#[test]
fn volatile_messages_never_fill_the_memory_and_never_close_anybody() {
    let outbox = outbox();
    outbox.push(Frame::plain("stroke"));
    for slot in 0..100_000 {
        outbox.push_volatile(&tick("v", 1000, 1, slot), None);
        assert!(outbox.queue().bytes.volatile <= 2 * VOLATILE_CAPACITY + 4096);
    }
    assert_eq!(outbox.closed(), None);
    assert_eq!(texts(&outbox)[0], "stroke");
}

#[test]
fn a_websocket_takes_pieces_and_learns_the_newest_version() {
    let outbox = outbox();
    outbox.push(board(3, 10));
    outbox.push(board(4, 10));
    let mut builder = Builder::default();
    for from in [1, 2, 3] {
        builder.add(Frame::plain(from.to_string()).wire(), Some(from), None);
    }
    let batch = Arc::new(builder.finish());
    outbox.push_volatile(&batch, Some(3));
    let mut chunks = VecDeque::new();
    let taken = outbox.take(&mut chunks, 1 << 20);
    assert_eq!((taken.version, taken.more, taken.closed), (Some(4), false, false));
    assert_eq!(chunks.len(), 3);
    assert_eq!(&chunks[2][..], b"\x81\x011\x81\x012", "two messages in one piece");
    outbox.push_volatile(&batch, Some(2));
    outbox.push(Frame::plain("more"));
    outbox.close(Closed::Shutdown);
    assert!(outbox.take(&mut chunks, 1).more);
    let taken = outbox.take(&mut chunks, 1);
    assert!(taken.closed && !taken.more);
}

#[test]
fn polling_gets_single_messages_in_order() {
    let outbox = outbox();
    let mut builder = Builder::default();
    for n in 0..20 {
        builder.add(Frame::plain(n.to_string()).wire(), Some(n % 2), None);
    }
    outbox.push_volatile(&Arc::new(builder.finish()), Some(1));
    outbox.push(Frame::plain("last"));
    let first: Vec<String> = outbox.take_frames(4, 1000).iter().map(|frame| frame.text().to_owned()).collect();
    assert_eq!(first, ["0", "2", "4", "6"]);
    assert_eq!(texts(&outbox), ["8", "10", "12", "14", "16", "18", "last"]);
}

#[tokio::test]
async fn closing_and_pushing_wake_the_connection() {
    let outbox = outbox();
    outbox.push(Frame::plain("x"));
    outbox.changed().await;
    outbox.close(Closed::Shutdown);
    outbox.changed().await;
    assert_eq!(outbox.closed(), Some(Closed::Shutdown));
}

/// A connection with its outbox attached, and its peer.
async fn attached() -> (Outbox, Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let peer = socket.connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = listener.accept().await.unwrap().0;
    stream.writable().await.unwrap();
    let connection = Connection::new(stream, &[], Config::default());
    let outbox = outbox();
    outbox.attach(connection.line());
    (outbox, connection, peer)
}

/// What the peer reads next, which is expected to be these texts, one frame each.
async fn reads(peer: &mut TcpStream, texts: &[&str]) {
    let expected: Vec<u8> = texts.iter().flat_map(|text| Frame::plain(text).wire().to_vec()).collect();
    let mut found = vec![0; expected.len()];
    peer.read_exact(&mut found).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
}

fn volatile(texts: &[&str]) -> Arc<Batch> {
    let mut builder = Builder::default();
    for (from, text) in (1..).zip(texts) {
        builder.add(Frame::plain(text).wire(), Some(from), None);
    }
    Arc::new(builder.finish())
}

#[tokio::test]
async fn what_nothing_waits_before_is_written_at_once() {
    let (outbox, _connection, mut peer) = attached().await;
    outbox.write_volatile(&volatile(&["a", "b", "c"]), Some(2));
    outbox.write_volatile(&volatile(&["own"]), Some(1));
    outbox.write_volatile(&volatile(&["d"]), None);
    assert!(outbox.is_empty());
    reads(&mut peer, &["a", "c", "d"]).await;
    let text = outbox.metrics.render(crate::metrics::Sampled::default()).unwrap();
    assert!(text.contains("whiteboard_deliveries_total 3\n"), "{text}");
    assert!(text.contains("whiteboard_sent_bytes_total 9\n"), "{text}");
}

#[tokio::test]
async fn what_waits_is_not_overtaken() {
    let (outbox, mut connection, mut peer) = attached().await;
    outbox.push(Frame::plain("change"));
    outbox.write_volatile(&volatile(&["cursor"]), None);
    assert!(!outbox.is_empty(), "it waits behind what waits");
    connection.queue(&Frame::plain("ping"));
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(matches!(connection.next(&outbox, soon).await, Next::Deadline));
    reads(&mut peer, &["ping", "change", "cursor"]).await;
    connection.queue(&Frame::plain("ping"));
    outbox.write_volatile(&volatile(&["cursor"]), None);
    assert!(!outbox.is_empty(), "and behind what the connection is about to send");
}

#[tokio::test]
async fn a_slow_peer_gets_whole_frames_in_order() {
    let (outbox, mut connection, mut peer) = attached().await;
    let large = "x".repeat(60_000);
    let texts: Vec<&str> = std::iter::repeat_n(large.as_str(), 200).collect();
    outbox.write_volatile(&volatile(&texts), None);
    assert!(outbox.is_empty(), "the rest of it is the connection's");
    outbox.write_volatile(&volatile(&["cursor"]), None);
    outbox.push(Frame::plain("change"));
    assert!(!outbox.is_empty());
    let until = Instant::now() + Duration::from_secs(20);
    let sending = async { while !matches!(connection.next(&outbox, until).await, Next::Deadline | Next::Ended(_)) {} };
    let reading = async {
        reads(&mut peer, &texts).await;
        reads(&mut peer, &["cursor", "change"]).await;
    };
    // Woken by nothing but what the outbox did.
    tokio::select! {
        () = sending => panic!("the peer did not get everything"),
        () = reading => {}
    }
}

#[tokio::test]
async fn who_is_closed_or_gone_is_not_written_to() {
    let (outbox, connection, mut peer) = attached().await;
    outbox.close(Closed::Deleted);
    outbox.write_volatile(&volatile(&["late"]), None);
    connection.close(1000, "").await;
    outbox.write_volatile(&volatile(&["later"]), None);
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap();
    assert_eq!(
        all, b"\x88\x02\x03\xe8",
        "nothing but goodbye, and the socket is closed though the outbox is still here"
    );
}
