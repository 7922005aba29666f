use super::*;
use proptest::prelude::*;

const HELLO: &str = r#"{"t":"hello","v":1,"key":"0123456789abcdef","session":"tab-0001","name":"Ümit"}"#;

fn element(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"freedraw","version":1,"versionNonce":2,"x":1e21}}"#)
}

fn refused(text: &str) -> (Code, Option<u64>, String) {
    let error = Message::parse(text).expect_err(text);
    (error.code, error.id, error.message)
}

#[test]
fn h1_hello_says_who_comes() {
    let Message::Hello(hello) = Message::parse(HELLO).unwrap() else { panic!() };
    assert_eq!((&*hello.key, &*hello.session, &*hello.name), ("0123456789abcdef", "tab-0001", "Ümit"));
    assert_eq!((hello.color, hello.access, hello.look, hello.since), (None, None, false, None));
    let more = HELLO.replace('}', r##","color":"#f00","access":"abc","look":true,"epoch":"e","seq":7,"later":[]}"##);
    let Message::Hello(hello) = Message::parse(&more).unwrap() else { panic!() };
    assert_eq!((hello.color.as_deref(), hello.access.as_deref(), hello.look), (Some("#f00"), Some("abc"), true));
    assert_eq!(hello.since, Some(("e".into(), 7)));
    let look = HELLO.replace('}', r#","look":"secret"}"#);
    let Message::Hello(hello) = Message::parse(&look).unwrap() else { panic!() };
    assert_eq!((hello.look, hello.access.as_deref()), (true, Some("secret")));
}

#[test]
fn h2_another_version_is_told_before_all_else() {
    for text in [r#"{"t":"hello","v":2,"key":5}"#, r#"{"t":"hello"}"#, r#"{"t":"hello","v":"1"}"#] {
        assert_eq!(refused(text).0, Code::Version, "{text}");
    }
}

#[test]
fn h3_what_is_wrong_in_a_hello_is_said() {
    for (part, instead, code, sentence) in [
        (r#""key":"0123456789abcdef""#, r#""key":"short""#, Code::Key, "16 to 128"),
        (r#""key":"0123456789abcdef""#, r#""key":"0123456789 abcde""#, Code::Key, "without blanks"),
        (r#""key":"0123456789abcdef""#, r#""key":5"#, Code::Hello, "expected a string"),
        (r#""key":"0123456789abcdef","#, "", Code::Key, "16 to 128"),
        ("tab-0001", "tab 0001", Code::Hello, "session must be"),
        ("tab-0001", "tab", Code::Hello, "session must be"),
        ("Ümit", "a\\nb", Code::Hello, "name must have 0 to 80"),
        (r#""v":1"#, r#""v":1,"color":"""#, Code::Hello, "color must have 1 to 32"),
        (r#""v":1"#, r#""v":1,"access":"""#, Code::Hello, "access must have 1 to 128"),
        (r#""v":1"#, r#""v":1,"look":7"#, Code::Hello, "look must be true"),
        (r#""v":1"#, r#""v":1,"look":"""#, Code::Hello, "access must have 1 to 128"),
        (r#""v":1"#, r#""v":1,"seq":-1"#, Code::Hello, "invalid value"),
    ] {
        let (found, id, message) = refused(&HELLO.replace(part, instead));
        assert!((found, id) == (code, None) && message.contains(sentence), "{instead}: {found:?} {message}");
    }
    let name = "é".repeat(80);
    assert!(Message::parse(&HELLO.replace("Ümit", &name)).is_ok(), "characters are counted, not bytes");
    assert!(Message::parse(&HELLO.replace("Ümit", &(name + "x"))).is_err());
}

#[test]
fn requests_are_read() {
    for (text, expected) in [
        (r#"{"t":"undo","id":1}"#, "Asked(Asked { id: 1, what: Undo })"),
        (r#"{"t":"redo","id":2}"#, "Asked(Asked { id: 2, what: Redo })"),
        (r#"{"t":"clear","id":9007199254740991}"#, "Asked(Asked { id: 9007199254740991, what: Clear })"),
        (r#"{"t":"lock","id":1,"on":true}"#, "Asked(Asked { id: 1, what: Lock(true) })"),
        (r#"{"t":"quiz","id":1,"on":false}"#, "Asked(Asked { id: 1, what: Quiz(false) })"),
        (r#"{"t":"title","id":1,"title":" A b "}"#, r#"Asked(Asked { id: 1, what: Title("A b") })"#),
        (
            r#"{"t":"settings","id":1,"values":{"a":1e21,"b":null,"a":2}}"#,
            r#"Asked(Asked { id: 1, what: Settings([("a", "2"), ("b", "null"), ("a", "2")]) })"#,
        ),
        (r#"{"t":"restore","id":1,"seq":0}"#, "Restore { id: 1, seq: 0 }"),
        (r#"{"t":"ping"}"#, "Ping"),
        (r#"{"t":"v","k":"cursor","d":[1.50, 2]}"#, r#"Volatile(Volatile { kind: "cursor", data: "[1.50, 2]" })"#),
        (r#"{"t":"v","k":"gone"}"#, r#"Volatile(Volatile { kind: "gone", data: "null" })"#),
        (r#"{"t":"draft","el":"a","cancel":true}"#, r#"Draft(Draft { element: "a", what: Cancel })"#),
    ] {
        assert_eq!(format!("{:?}", Message::parse(text).unwrap()), expected);
    }
}

#[test]
fn elements_keep_their_digits() {
    let text = format!(r#"{{"t":"change","id":1,"gesture":3,"elements":[{}, {}]}}"#, element("a"), element("b"));
    let Message::Asked(Asked { what: What::Change(change), .. }) = Message::parse(&text).unwrap() else { panic!() };
    assert_eq!(change.gesture, Some(3));
    assert_eq!(change.elements.iter().map(Element::text).collect::<Vec<_>>(), [element("a"), element("b")]);
    let text = r#"{"t":"change","id":1,"drafts":[{"id":"a", "count":2}]}"#;
    let Message::Asked(Asked { what: What::Change(change), .. }) = Message::parse(text).unwrap() else { panic!() };
    assert_eq!(change.drafts[0].text.get(), r#"{"id":"a", "count":2}"#);
}

#[test]
fn d1_parts_of_strokes_are_read() {
    let text = r#"{"t":"draft","el":"a","from":0,"points":[[0,0],[1.50,2]],"pressures":[0.5],"base":{"x": 1}}"#;
    let Message::Draft(Draft { what: Grow::Points { from, points, pressures, base }, .. }) =
        Message::parse(text).unwrap()
    else {
        panic!()
    };
    assert_eq!((from, &*points.text, points.count), (0, "[0,0],[1.50,2]", 2));
    assert_eq!((pressures.unwrap().count, base.as_deref()), (1, Some(r#"{"x": 1}"#)));
}

#[test]
fn e1_what_is_wrong_is_answered_by_code_and_with_the_number() {
    let large = "x".repeat(VOLATILE_BYTES);
    for (text, code, id, sentence) in [
        (r#"{"t":"draw","id":3}"#, Code::Message, Some(3), "no message of this name"),
        (r#"{"t":"draw","id":[]}"#, Code::Message, None, "no message of this name"),
        (r#"{"t":"undo"}"#, Code::Message, None, "undo: id must be a whole number"),
        (r#"{"t":"undo","id":0}"#, Code::Message, Some(0), "undo: id must be a whole number"),
        (r#"{"t":"undo","id":1.5}"#, Code::Message, None, "undo: invalid type"),
        (r#"{"t":"undo","id":9007199254740992}"#, Code::Message, Some(9_007_199_254_740_992), "undo: id must be"),
        (r#"{"t":"lock","id":4}"#, Code::Message, Some(4), "lock: on must be true or false"),
        (r#"{"t":"lock","id":4,"on":"yes"}"#, Code::Message, Some(4), "lock: invalid type"),
        (r#"{"t":"title","id":4,"title":" "}"#, Code::Message, Some(4), "1 to 200 characters"),
        (r#"{"t":"settings","id":4,"values":[]}"#, Code::Message, Some(4), "values must be an object"),
        (r#"{"t":"restore","id":4}"#, Code::Message, Some(4), "restore: seq must be"),
        (r#"{"t":"change","id":4,"elements":{}}"#, Code::Message, Some(4), "change: invalid type"),
        (r#"{"t":"change","id":4,"elements":[{"id":"a"}]}"#, Code::Element, Some(4), "missing field `type`"),
        (r#"{"t":"draft","el":""}"#, Code::Message, None, "el must be the element's id"),
        (r#"{"t":"draft","el":"a"}"#, Code::Message, None, "from must be"),
        (r#"{"t":"draft","el":"a","from":3,"points":[[1]]}"#, Code::Message, None, "pairs of numbers"),
        (r#"{"t":"draft","el":"a","from":3,"points":[],"pressures":[""]}"#, Code::Message, None, "list of numbers"),
        (r#"{"t":"draft","el":"a","from":0,"points":[]}"#, Code::Message, None, "base comes with from 0"),
        (r#"{"t":"draft","el":"a","from":0,"points":[],"base":[]}"#, Code::Message, None, "an object"),
        (r#"{"t":"v","k":"","d":1}"#, Code::Message, None, "1 to 16 characters"),
        (&format!(r#"{{"t":"v","k":"a","d":"{large}"}}"#), Code::TooLarge, None, "1024 bytes"),
        (r#"["undo",1]"#, Code::Message, None, "JSON object"),
        ("7", Code::Message, None, "JSON object"),
        ("", Code::Message, None, "JSON object"),
        (r#"{"t":"undo","id":1,"id":2}"#, Code::Message, None, "JSON object"),
    ] {
        let found = refused(text);
        assert!((found.0, found.1) == (code, id) && found.2.contains(sentence), "{text}: {found:?}");
        assert!(found.2.ends_with('.') || found.2.ends_with("md."), "{}", found.2);
    }
    let settings = format!(r#"{{"t":"settings","id":1,"values":{{"a":"{}"}}}}"#, "x".repeat(SETTINGS_BYTES));
    assert_eq!(refused(&settings).0, Code::TooLarge);
}

proptest! {
    /// No text makes the reader fail otherwise than with a sentence.
    #[test]
    fn never_panics(text in any::<String>(), name in "[a-z]{1,8}", key in "[a-z]{1,9}", value in any::<String>()) {
        let _ = Message::parse(&text);
        let message = serde_json::json!({"t": name, key: value, "id": 1}).to_string();
        let _ = Message::parse(&message);
    }
}
