//! Boards that come back from their texts, of this format and the one before, and texts that are refused.

use super::*;
use crate::board::core::Durable;
use crate::board::scene::operation::{Done, Edit, Operation, Owners, Pairs, Rules};

fn element(id: &str, version: u64, x: &str) -> Element {
    let text = format!(r#"{{"id":"{id}","type":"t","version":{version},"versionNonce":3,"x":{x}}}"#);
    Element::from_text(&text).unwrap()
}

fn apply(state: &mut State, user: u64, done: Done) {
    let by = Owner { user: UserId(user), teacher: user == 9 };
    let id = state.last(by.user, &"tab\"".into()) + 1;
    let (session, rules, owners) = ("tab\"".into(), Rules::NOW, Owners::default());
    state.apply(&Operation { by, session, id, at: 1000, done, rules, owners }).unwrap();
}

fn put(id: &str, version: u64, x: &str) -> Done {
    Done::Change { gesture: Some(4), edit: Edit { elements: vec![element(id, version, x)], deleted: vec![] } }
}

fn board() -> State {
    let mut state = State::default();
    apply(&mut state, 1, put("a", 1, "123456789012345678901234567890"));
    apply(&mut state, 9, put("b", 1, "1.50"));
    apply(&mut state, 9, put("a", 2, "\"\\ud800\""));
    let deleted = vec![Deleted { id: "b".into(), stamp: Stamp { version: 2, nonce: 1 } }];
    apply(&mut state, 1, Done::Change { gesture: None, edit: Edit { elements: vec![], deleted } });
    let edit = Edit { elements: vec![element("b", 3, "1.50")], deleted: vec![] };
    apply(&mut state, 1, Done::Undo { popped: 1, edit });
    apply(&mut state, 1, put("c", 7, "{}"));
    let deleted = vec![Deleted { id: "c".into(), stamp: Stamp { version: 8, nonce: 1 } }];
    apply(&mut state, 9, Done::Change { gesture: None, edit: Edit { elements: vec![], deleted } });
    apply(&mut state, 9, Done::Lock(true));
    apply(&mut state, 9, Done::Title("T\"".into()));
    let pairs: Pairs = vec![("z".into(), "[1, 2]".into()), ("a".into(), "1.0".into())];
    apply(&mut state, 9, Done::Settings(pairs));
    state
}

#[test]
fn a_board_comes_back_from_its_text() {
    let state = board();
    let text = encode(&state);
    let values = serde_json::Deserializer::from_str(&text).into_iter::<serde::de::IgnoredAny>();
    assert_eq!(values.map(Result::unwrap).count(), 1 + state.elements.count(), "the object, and each element: {text}");
    let back = decode(text.clone()).unwrap();
    assert_eq!(encode(&back), text);
    assert_eq!(back.stacks, state.stacks);
    assert_eq!((back.elements.count(), back.elements.bytes()), (2, state.elements.bytes()));
    assert_eq!(back.live(), state.live());
    back.inspect().unwrap();
    let empty = encode(&State::default());
    assert_eq!(encode(&decode(empty.clone()).unwrap()), empty);
}

#[test]
fn a_board_that_came_back_goes_on_like_the_first() {
    let (mut one, mut other) = (board(), decode(encode(&board())).unwrap());
    for state in [&mut one, &mut other] {
        apply(state, 9, put("a", 3, "0"));
        apply(state, 9, Done::Clear { nonce: 4 });
        apply(state, 1, Done::Quiz(true));
    }
    assert_eq!(encode(&one), encode(&other));
}

/// A board as format 1 wrote it, and as it is written now: somebody made `a` and `b` (which then moved) and deleted `c`.
const FORMER: &str = r#"{"format":1,"owners":[["0000000000000001",false],["0000000000000009",true]],"elements":[[0,{"id":"a","type":"t","version":1,"versionNonce":3}],[1,{"id":"b","type":"t","version":2,"versionNonce":3,"x":"é"}]],"deleted":[["c",8,1,1,"0000000000000001",1000]],"sessions":[["0000000000000001","tab\"",4]],"steps":[["0000000000000001",[[0,null,[["=","a"]]],[1,["tab\"",4],[["+",{"id":"b","type":"t","version":1,"versionNonce":3}],["-",{"id":"c","type":"t","version":7,"versionNonce":3}]]]],[[2,null,[["~","b",[["x",[],["1.50"]]]]]]]]],"next":3,"locked":true,"quiz":false,"title":"T","settings":{"z":[1, 2]}}"#;
const LATTER: &str = r#"{"format":2,"owners":[["0000000000000001",false],["0000000000000009",true]],"elements":[[0,"a",1,3,50],[1,"b",2,3,59]],"deleted":[["c",8,1,1,"0000000000000001",1000]],"sessions":[["0000000000000001","tab\"",4]],"steps":[["0000000000000001",[[0,null,[0]],[1,["tab\"",4],[["+",{"id":"b","type":"t","version":1,"versionNonce":3}],["-",{"id":"c","type":"t","version":7,"versionNonce":3}]]]],[[2,null,[["~","b",[["x",[],["1.50"]]]]]]]]],"next":3,"locked":true,"quiz":false,"title":"T","settings":{"z":[1, 2]}}
{"id":"a","type":"t","version":1,"versionNonce":3}
{"id":"b","type":"t","version":2,"versionNonce":3,"x":"é"}"#;

#[test]
fn the_format_before_is_read_and_not_written() {
    for forgotten in ["", ",\"forgotten\":7"] {
        let known = |text: &str| text.replace(",\"locked\"", &format!("{forgotten},\"locked\""));
        for text in [FORMER, LATTER] {
            let state = decode(known(text)).unwrap();
            assert_eq!(encode(&state), known(LATTER));
            state.inspect().unwrap();
        }
    }
}

#[test]
fn whose_a_deleted_element_was_comes_back_if_it_was_noted() {
    let gone = r#""type":"t","version":7,"versionNonce":3}]"#;
    let noted = gone.replace("}]", "},[\"0000000000000009\",true]]");
    assert!(LATTER.contains(gone));
    let text = LATTER.replace(gone, &noted);
    assert_eq!(encode(&decode(text.clone()).unwrap()), text);
    assert!(decode(text.replace("},[\"0000000000000009\",true]", "},[true]")).is_err());
    assert!(decode(text.replace("},[\"0000000000000009\",true]", "},[],[]")).is_err());
}

#[test]
fn what_is_no_board_is_refused() {
    for (good, from, to, sentence) in [
        (FORMER, "{\"format\":1,", "{\"format\":1,,", "not readable"),
        (FORMER, "\"elements\":[[0,", "\"elements\":[[7,", "owner 7 is missing"),
        (FORMER, "[\"=\",\"a\"]", "[\"=\",\"z\"]", "element z is missing"),
        (FORMER, "\"versionNonce\":3", "\"versionNonce\":-3", "not understood"),
        (LATTER, LATTER, "", "empty"),
        (LATTER, "{\"format\":2", "{\"format\":3", "in format 3, this server reads 2"),
        (LATTER, "{\"format\":2", "", "not readable"),
        (LATTER, "\"elements\":[[0,", "\"elements\":[[7,", "owner 7 is missing"),
        (LATTER, "[0,null,[0]]", "[0,null,[2]]", "element 2 is missing"),
        (LATTER, "[0,null,[0]]", "[0,null,[-1]]", "not readable"),
        (LATTER, "[\"+\",", "[\"?\",", "not understood"),
        (LATTER, "[\"c\",8,", "[\"c\",0,", "c has a stamp out of range"),
        (LATTER, "\"next\":", "\"next\":9007199254740992", "numbered out of range"),
        (LATTER, "\"locked\"", "\"forgotten\":9007199254740992,\"locked\"", "forgotten deletion is out of range"),
        (LATTER, "[0,\"a\",1,", "[0,\"a\",0,", "the text of element a"),
        (LATTER, "1,3,50]", "1,3,51]", "the text of element a"),
        (LATTER, "1,3,50]", "1,3,18446744073709551615]", "the text of element a"),
        (LATTER, "2,3,59]", "2,3,58]", "the text of element b"),
        (LATTER, "\"x\":\"é\"}", "\"x\":\"é\"}\n", "not as many bytes"),
        (LATTER, ",[1,\"b\",2,3,59]", "", "not as many bytes"),
    ] {
        assert!(good.contains(from), "{from} is not in {good}");
        let error = decode(good.replacen(from, to, 1)).map(|state| encode(&state)).unwrap_err().to_string();
        assert!(error.contains(sentence), "{from}, {to}: {error}");
    }
}

#[test]
fn an_element_that_is_another_than_its_text_says_is_found_when_it_is_looked_for() {
    for (from, to) in [
        ("[0,\"a\",1,3,", "[0,\"a\",2,3,"),
        ("[0,\"a\",1,3,", "[0,\"a0\",1,3,"),
        ("{\"id\":\"a\",\"type\":\"t\"", "{\"id\":\"a\",\"type\":,t,"),
    ] {
        let state = decode(LATTER.replacen(from, to, 1)).unwrap();
        assert!(state.inspect().is_err(), "{to}");
    }
}
