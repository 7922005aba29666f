use super::super::unfinished;
use super::*;
use proptest::prelude::*;
use std::sync::atomic::AtomicUsize;

/// A frame as a client sends it.
fn frame(fin: bool, opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![if fin { FIN | opcode } else { opcode }];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..65_536 => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0xff);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn text(fin: bool, opcode: u8, payload: &str) -> Vec<u8> {
    frame(fin, opcode, payload.as_bytes(), [0x37, 0xfa, 0x21, 0x3d])
}

/// Everything that comes of these chunks: messages as Rust shows them, and the violation that ended it.
fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, max: usize) -> (Vec<String>, Option<Violation>) {
    let mut decoder = Decoder::new(max);
    let mut messages = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        loop {
            match decoder.decode() {
                Ok(Some(message)) => messages.push(format!("{message:?}")),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}

#[test]
fn the_examples_of_the_rfc_are_understood() {
    // Section 5.7.
    let masked_hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(decode([&masked_hello[..]], 100), (vec!["Text(\"Hello\")".to_owned()], None));
    let masked_pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(decode([&masked_pong[..]], 100).0, ["Pong([72, 101, 108, 108, 111])"]);
    for length in [256, 65_536] {
        let bytes = frame(true, BINARY, &vec![9; length], [1, 2, 3, 4]);
        assert_eq!(decode([&bytes[..]], 65_536), (vec![format!("Binary({:?})", vec![9; length])], None));
    }
}

#[test]
fn fragments_are_put_together_and_control_frames_come_between() {
    let bytes = [
        text(false, TEXT, "Hel"),
        text(true, PING, "now"),
        text(false, CONTINUATION, ""),
        text(true, CONTINUATION, "lo é"),
        text(true, TEXT, ""),
        frame(false, BINARY, &[1], [0; 4]),
        frame(true, CONTINUATION, &[2], [0; 4]),
        text(true, TEXT, "end"),
    ]
    .concat();
    let expected = ["Ping([110, 111, 119])", "Text(\"Hello é\")", "Text(\"\")", "Binary([1, 2])", "Text(\"end\")"];
    assert_eq!(decode([&bytes[..]], 100), (expected.map(str::to_owned).to_vec(), None));
}

#[test]
fn nothing_is_read_after_a_closing_frame() {
    for (payload, expected) in [
        (&b""[..], Ok("Close(None)")),
        (b"\x03\xe8bye", Ok("Close(Some(1000))")),
        (b"\x0f\xa0", Ok("Close(Some(4000))")),
        (b"\x03", Err(1002)),
        (b"\x03\xed", Err(1002)),
        (b"\x03\xee", Err(1002)),
        (b"\x00\x00", Err(1002)),
        (b"\x13\x88", Err(1002)),
        (b"\x03\xe8\xff", Err(1007)),
    ] {
        let mut bytes = frame(true, CLOSE, payload, [5; 4]);
        bytes.extend(text(true, TEXT, "too late"));
        let (messages, violation) = decode([&bytes[..]], 100);
        match expected {
            Ok(message) => assert_eq!((messages, violation), (vec![message.to_owned()], None)),
            Err(code) => assert_eq!((messages.len(), violation.map(Violation::code)), (0, Some(code)), "{payload:?}"),
        }
    }
}

#[test]
fn what_breaks_the_rules_ends_the_connection() {
    let hello = text(true, TEXT, "Hello");
    for (name, bytes, code) in [
        ("reserved bit", [&[0xc1][..], &hello[1..]].concat(), 1002),
        ("not masked", b"\x81\x05Hello".to_vec(), 1002),
        ("unknown data frame", text(true, 3, ""), 1002),
        ("unknown control frame", text(true, 11, ""), 1002),
        ("ping in fragments", text(false, PING, ""), 1002),
        ("long ping", frame(true, PING, &[0; 126], [0; 4]), 1002),
        ("nothing to continue", text(true, CONTINUATION, "x"), 1002),
        ("message in a message", [text(false, TEXT, "x"), text(true, TEXT, "y")].concat(), 1002),
        ("impossible length", b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), 1002),
        ("not UTF-8", frame(true, TEXT, b"\xff", [0; 4]), 1007),
        ("surrogate", frame(true, TEXT, b"\xed\xa0\x80", [0; 4]), 1007),
        ("character cut at the end", [frame(false, TEXT, b"\xc3", [0; 4]), frame(true, 0, b"", [0; 4])].concat(), 1007),
        ("too large", frame(true, TEXT, &[b'x'; 101], [0; 4]), 1009),
        ("too large, told by its header", b"\x82\xff\0\0\0\0\0\x0f\xff\xff".to_vec(), 1009),
        (
            "too large in fragments",
            [frame(false, TEXT, &[b'x'; 60], [0; 4]), frame(true, 0, &[b'x'; 41], [0; 4])].concat(),
            1009,
        ),
    ] {
        let (messages, violation) = decode([&bytes[..]], 100);
        assert_eq!((messages.len(), violation.map(Violation::code)), (0, Some(code)), "{name}");
    }
    let whole = [frame(false, TEXT, &[b'x'; 60], [0; 4]), frame(true, 0, &[b'x'; 40], [0; 4])].concat();
    assert_eq!(decode([&whole[..]], 100).0.len(), 1, "the limit itself is allowed");
}

#[test]
fn a_waiting_decoder_owns_no_memory() {
    let mut decoder = Decoder::new(1 << 20);
    let message = [frame(false, TEXT, &vec![b'x'; 300_000], [7; 4]), text(true, CONTINUATION, "end")].concat();
    decoder.feed(&message);
    assert!(matches!(decoder.decode(), Ok(Some(Message::Text(text))) if text.len() == 300_003));
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!((decoder.buffer.capacity(), decoder.assembled.capacity()), (0, 0));
    decoder.feed(&message[..200_000]);
    assert_eq!(decoder.decode(), Ok(None));
    decoder.feed(&message[200_000..300_010]);
    decoder.feed(&message[300_010..]);
    assert!(matches!(decoder.decode(), Ok(Some(Message::Text(_)))));
}

/// A message as a client may send it, its fragments with a ping after each of them but the last.
fn sent() -> impl Strategy<Value = (Vec<u8>, Vec<String>)> {
    let payload = prop_oneof![
        "\\PC{0,200}".prop_map(|text| (TEXT, text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..70_000).prop_map(|bytes| (BINARY, bytes)),
    ];
    (payload, proptest::collection::vec(any::<prop::sample::Index>(), 0..3), any::<[u8; 4]>()).prop_map(
        |((opcode, payload), cuts, mask)| {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
            cuts.sort_unstable();
            let (mut wire, mut messages, mut start) = (Vec::new(), Vec::new(), 0);
            for (n, end) in cuts.iter().copied().chain([payload.len()]).enumerate() {
                let last = n == cuts.len();
                wire.extend(frame(last, if n == 0 { opcode } else { CONTINUATION }, &payload[start..end], mask));
                if !last {
                    wire.extend(frame(true, PING, &[1], mask));
                    messages.push("Ping([1])".to_owned());
                }
                start = end;
            }
            messages.push(match opcode {
                TEXT => format!("Text({:?})", std::str::from_utf8(&payload).unwrap()),
                _ => format!("Binary({payload:?})"),
            });
            (wire, messages)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunks_give_the_same_messages(
        sent in proptest::collection::vec(sent(), 1..4),
        sizes in proptest::collection::vec(1usize..9000, 1..20),
    ) {
        let (wire, expected): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
        let (wire, expected) = (wire.concat(), expected.concat());
        let (mut rest, mut chunks) = (&wire[..], Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, more) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = more;
        }
        prop_assert_eq!(decode(chunks, 1 << 20), (expected.clone(), None));
        prop_assert_eq!(decode([&wire[..]], 1 << 20), (expected, None));
    }

    #[test]
    fn nothing_makes_it_panic_or_exceed_its_limit(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = Decoder::new(64);
        for byte in bytes {
            decoder.feed(&[byte]);
            while let Ok(Some(message)) = decoder.decode() {
                match message {
                    Message::Text(text) => prop_assert!(text.len() <= 64),
                    Message::Binary(bytes) => prop_assert!(bytes.len() <= 64),
                    Message::Ping(bytes) | Message::Pong(bytes) => prop_assert!(bytes.len() <= 125),
                    Message::Close(_) => {}
                }
            }
            prop_assert!(decoder.buffer.len() + decoder.assembled.len() <= 300);
        }
    }
}

#[test]
fn a_large_message_is_given_up_when_all_together_take_too_much() {
    static ALL: AtomicUsize = AtomicUsize::new(0);
    let piece = text(false, TEXT, &"x".repeat(unfinished::SHARE));
    let more = text(false, CONTINUATION, "x");
    let end = text(true, CONTINUATION, "x");
    for (others, expected) in [(0, None), (unfinished::ALL, Some(Violation::Busy))] {
        let mut rest = Held::of(&ALL);
        rest.set(others);
        let mut decoder = Decoder::counted(1 << 20, Held::of(&ALL));
        // Whoever sends something small is heard, however much the others hold.
        decoder.feed(&text(true, TEXT, "small"));
        assert_eq!(decoder.decode(), Ok(Some(Message::Text("small"))));
        decoder.feed(&piece);
        let held = decoder.decode().err();
        decoder.feed(&more);
        assert_eq!(held.or(decoder.decode().err()), expected, "{others}");
        if expected.is_some() {
            assert!(ALL.load(std::sync::atomic::Ordering::Relaxed) == others, "nothing of it is kept");
        } else {
            decoder.feed(&end);
            assert!(matches!(decoder.decode(), Ok(Some(Message::Text(_)))));
        }
        drop(decoder);
        drop(rest);
        assert_eq!(ALL.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}

#[test]
fn what_has_not_come_whole_is_known() {
    let mut decoder = Decoder::new(100);
    for (bytes, unfinished) in [
        (&text(true, TEXT, "whole")[..], None),
        (&text(true, TEXT, "part")[..7], Some(7)),
        (&text(true, TEXT, "part")[7..], None),
        (&text(false, TEXT, "ab"), Some(2)),
        (&text(true, PONG, ""), Some(2)),
        (&text(false, CONTINUATION, "c"), Some(3)),
        (&text(true, CONTINUATION, ""), None),
        (&text(false, TEXT, ""), Some(0)),
    ] {
        decoder.feed(bytes);
        while decoder.advance().unwrap().is_some() {}
        assert_eq!(decoder.unfinished(), unfinished);
    }
}

#[test]
fn a_client_that_is_known_may_send_more() {
    let mut decoder = Decoder::new(5);
    decoder.feed(&[text(true, TEXT, "hello"), text(true, TEXT, "longer")].concat());
    assert_eq!(decoder.decode(), Ok(Some(Message::Text("hello"))));
    decoder.set_max_message(6);
    assert_eq!(decoder.decode(), Ok(Some(Message::Text("longer"))));
}
