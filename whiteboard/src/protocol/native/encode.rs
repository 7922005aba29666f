//! What boards tell, written as JSON; once for all who receive it.

use crate::board::scene::action::List;
use crate::board::scene::element::{Deleted, Element, write_deleted, write_elements};
use crate::board::scene::event::{
    Ack, BoardFacts, Changed, DraftGrew, DraftSoFar, Event, Person, Refused, Snapshot, Welcome,
};
use crate::board::scene::identity::UserId;
use crate::board::scene::object::write_string;
use crate::store::BoardName;
use std::fmt::{Display, Write};

/// Writes one JSON object, member by member.
struct Writer<'a> {
    out: &'a mut String,
}

impl<'a> Writer<'a> {
    /// Begins a message with its name.
    fn message(out: &'a mut String, name: &str) -> Self {
        // Writing to a String cannot fail; names have nothing to escape.
        let _ = write!(out, "{{\"t\":\"{name}\"");
        Self { out }
    }

    fn key(&mut self, key: &str) -> &mut Self {
        let comma = if self.out.ends_with('{') { "" } else { "," };
        let _ = write!(self.out, "{comma}\"{key}\":");
        self
    }

    /// A number, a boolean or JSON text.
    fn plain(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.key(key);
        let _ = write!(self.out, "{value}");
        self
    }

    fn string(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        write_string(value, self.out);
        self
    }

    fn user(&mut self, key: &str, user: UserId) -> &mut Self {
        // Hexadecimal digits.
        self.plain(key, format_args!("\"{user}\""))
    }

    /// Nothing can be changed on this board by anybody who gets this.
    fn readonly(&mut self, readonly: bool) -> &mut Self {
        if readonly { self.plain("readonly", true) } else { self }
    }

    fn elements(&mut self, elements: &[Element]) -> &mut Self {
        if !elements.is_empty() {
            self.key("elements");
            write_elements(elements, self.out);
        }
        self
    }

    fn deleted(&mut self, deleted: &[Deleted]) -> &mut Self {
        if !deleted.is_empty() {
            self.key("deleted");
            write_deleted(deleted, self.out);
        }
        self
    }

    fn list(&mut self, key: &str, list: &List) -> &mut Self {
        self.plain(key, format_args!("[{}]", list.text))
    }

    /// A nested object.
    fn object(&mut self, key: &str, write: impl FnOnce(&mut Writer<'_>)) -> &mut Self {
        self.key(key);
        self.out.push('{');
        write(&mut Writer { out: self.out });
        self.out.push('}');
        self
    }

    /// An array of objects.
    fn objects<T>(&mut self, key: &str, items: &[T], write: impl Fn(&mut Writer<'_>, &T)) -> &mut Self {
        self.key(key).out.push('[');
        for (place, item) in items.iter().enumerate() {
            self.out.push_str(if place == 0 { "{" } else { ",{" });
            write(&mut Writer { out: self.out }, item);
            self.out.push('}');
        }
        self.out.push(']');
        self
    }

    fn end(&mut self) {
        self.out.push('}');
    }
}

/// Limits that the dialect has, beside those of the board.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a message.
    pub message: usize,
    /// Bytes of a file.
    pub file: u64,
}

/// Writes an event as the message that clients get.
pub fn write(event: &Event, limits: Limits, out: &mut String) {
    match event {
        Event::Welcome(welcome) => write_welcome(welcome, limits, out),
        Event::Snapshot(part) => {
            let Snapshot { seq, elements, more } = &**part;
            let mut writer = Writer::message(out, "snapshot");
            write_elements(elements, writer.plain("seq", seq).key("elements").out);
            writer.plain("more", more).end();
        }
        Event::Change(changed) => {
            let Changed { seq, by, elements, deleted } = &**changed;
            Writer::message(out, "change").plain("seq", seq).user("by", *by).elements(elements).deleted(deleted).end();
        }
        Event::Ack(Ack { id, seq, undo, redo, elements, deleted }) => Writer::message(out, "ack")
            .plain("id", id)
            .plain("seq", seq)
            .plain("undo", undo)
            .plain("redo", redo)
            .elements(elements)
            .deleted(deleted)
            .end(),
        Event::Lock { seq, by, on } => {
            Writer::message(out, "lock").plain("seq", seq).user("by", *by).plain("on", on).end();
        }
        Event::Quiz { seq, by, on } => {
            Writer::message(out, "quiz").plain("seq", seq).user("by", *by).plain("on", on).end();
        }
        Event::Title { seq, by, title } => {
            Writer::message(out, "title").plain("seq", seq).user("by", *by).string("title", title).end();
        }
        Event::Settings { seq, by, values } => Writer::message(out, "settings")
            .plain("seq", seq)
            .user("by", *by)
            .object("values", |writer| write_values(writer, values))
            .end(),
        Event::Reset { reason } => Writer::message(out, "reset").string("reason", reason).end(),
        Event::Join(person) => {
            let mut writer = Writer::message(out, "join");
            write_person(&mut writer, person);
            writer.end();
        }
        Event::Leave(client) => Writer::message(out, "leave").plain("client", client).end(),
        Event::Draft(draft) => write_draft(draft, out),
        Event::DraftCancelled { client, element } => {
            Writer::message(out, "draft").plain("c", client).string("el", element).plain("cancel", true).end();
        }
        Event::Volatile { client, kind, data } => {
            Writer::message(out, "v").plain("c", client).string("k", kind).plain("d", data).end();
        }
        Event::Error(refused) => write_error(refused, out),
    }
}

fn write_welcome(welcome: &Welcome, limits: Limits, out: &mut String) {
    let Welcome { client, user, role, epoch, seq, board, locked, quiz, undo, redo, last, .. } = welcome;
    let BoardFacts { id, title, kind, settings } = board;
    Writer::message(out, "welcome")
        .plain("v", super::message::VERSION)
        .plain("client", client)
        .user("user", *user)
        .string("role", role.name())
        .string("epoch", epoch)
        .plain("seq", seq)
        .object("board", |writer| {
            writer.string("id", id).string("title", title).string("kind", kind);
            writer.object("settings", |writer| write_values(writer, settings));
        })
        .readonly(&**kind != BoardName::BOARD)
        .plain("locked", locked)
        .plain("quiz", quiz)
        .plain("undo", undo)
        .plain("redo", redo)
        .plain("last", last)
        .object("limits", |writer| {
            writer.plain("message", limits.message).plain("file", limits.file);
            writer.plain("elements", welcome.limits.elements).plain("bytes", welcome.limits.bytes);
            writer.plain("element", welcome.limits.element);
        })
        .objects("people", &welcome.people, write_person)
        .objects("drafts", &welcome.drafts, write_draft_so_far)
        .plain("resume", welcome.resume)
        .end();
}

fn write_values(writer: &mut Writer<'_>, values: &[(std::sync::Arc<str>, std::sync::Arc<str>)]) {
    for (place, (key, value)) in values.iter().enumerate() {
        if place > 0 {
            writer.out.push(',');
        }
        write_string(key, writer.out);
        let _ = write!(writer.out, ":{value}");
    }
}

fn write_person(writer: &mut Writer<'_>, person: &Person) {
    writer.plain("client", person.client).user("user", person.user).string("name", &person.name);
    if let Some(color) = &person.color {
        writer.string("color", color);
    }
    writer.string("role", person.role.name());
}

fn write_draft_so_far(writer: &mut Writer<'_>, draft: &DraftSoFar) {
    writer.plain("c", draft.client).string("el", &draft.element).plain("from", 0).list("points", &draft.points);
    if let Some(pressures) = &draft.pressures {
        writer.list("pressures", pressures);
    }
    writer.plain("base", &draft.base);
}

fn write_draft(draft: &DraftGrew, out: &mut String) {
    let mut writer = Writer::message(out, "draft");
    writer.plain("c", draft.client).string("el", &draft.element).plain("from", draft.from);
    writer.list("points", &draft.points);
    if let Some(pressures) = &draft.pressures {
        writer.list("pressures", pressures);
    }
    if let Some(base) = &draft.base {
        writer.plain("base", base);
    }
    writer.end();
}

fn write_error(refused: &Refused, out: &mut String) {
    let mut writer = Writer::message(out, "error");
    writer.string("code", refused.code.name()).string("message", &refused.message);
    if let Some(id) = refused.id {
        writer.plain("id", id);
    }
    if let Some(retry) = refused.retry {
        writer.plain("retry", retry);
    }
    writer.elements(&refused.elements).deleted(&refused.deleted).end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::scene::element::Stamp;
    use crate::board::scene::event::{Code, LimitFacts};
    use crate::board::scene::identity::Role;
    use std::sync::Arc;

    const LIMITS: Limits = Limits { message: 16, file: 32 };
    const ELEMENT: &str = r#"{"id":"a","type":"t", "version":1,"versionNonce":0,"x":1e21}"#;

    fn text(event: &Event) -> String {
        let mut out = String::new();
        write(event, LIMITS, &mut out);
        serde_json::from_str::<serde_json::Value>(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        out
    }

    fn element() -> Element {
        Element::from_text(ELEMENT).unwrap()
    }

    fn deleted() -> Deleted {
        Deleted { id: "b\"".into(), stamp: Stamp { version: 3, nonce: 4 } }
    }

    fn list(text: &str, count: u32) -> List {
        List { text: text.into(), count }
    }

    fn person(color: Option<&str>) -> Person {
        Person { client: 4, user: UserId(1), name: "Ü \"x\"".into(), color: color.map(Into::into), role: Role::Pupil }
    }

    #[test]
    fn every_event_is_written_as_the_protocol_says() {
        let by = UserId(0xab);
        let grew = DraftGrew {
            client: 4,
            element: "s".into(),
            from: 0,
            points: list("[0,0],[1.50,2]", 2),
            pressures: Some(list("0.5", 1)),
            base: Some(r#"{"x": 1}"#.into()),
        };
        let more = DraftGrew { from: 2, pressures: None, base: None, ..grew.clone() };
        let changed = |elements, deleted| Event::Change(Arc::new(Changed { seq: 9, by, elements, deleted }));
        let ack = |elements, deleted| Event::Ack(Ack { id: 5, seq: 9, undo: 2, redo: 1, elements, deleted });
        let refused = Refused { retry: Some(50), ..Refused::new(Code::Locked, Some(5), "Locked.") };
        for (event, expected) in [
            (
                Event::Snapshot(Arc::new(Snapshot { seq: 3, elements: vec![element(), element()], more: true })),
                format!(r#"{{"t":"snapshot","seq":3,"elements":[{ELEMENT},{ELEMENT}],"more":true}}"#),
            ),
            (
                Event::Snapshot(Arc::new(Snapshot { seq: 0, elements: vec![], more: false })),
                r#"{"t":"snapshot","seq":0,"elements":[],"more":false}"#.to_owned(),
            ),
            (
                changed(vec![element(), element()], vec![]),
                format!(r#"{{"t":"change","seq":9,"by":"00000000000000ab","elements":[{ELEMENT},{ELEMENT}]}}"#),
            ),
            (
                changed(vec![], vec![deleted()]),
                r#"{"t":"change","seq":9,"by":"00000000000000ab","deleted":[["b\"",3,4]]}"#.to_owned(),
            ),
            (ack(vec![], vec![]), r#"{"t":"ack","id":5,"seq":9,"undo":2,"redo":1}"#.to_owned()),
            (
                ack(vec![element()], vec![deleted()]),
                format!(
                    r#"{{"t":"ack","id":5,"seq":9,"undo":2,"redo":1,"elements":[{ELEMENT}],"deleted":[["b\"",3,4]]}}"#
                ),
            ),
            (
                Event::Lock { seq: 1, by, on: true },
                r#"{"t":"lock","seq":1,"by":"00000000000000ab","on":true}"#.to_owned(),
            ),
            (
                Event::Quiz { seq: 1, by, on: false },
                r#"{"t":"quiz","seq":1,"by":"00000000000000ab","on":false}"#.to_owned(),
            ),
            (
                Event::Title { seq: 1, by, title: "a\"b".into() },
                r#"{"t":"title","seq":1,"by":"00000000000000ab","title":"a\"b"}"#.to_owned(),
            ),
            (
                Event::Settings { seq: 1, by, values: [("a".into(), "1e21".into()), ("b".into(), "{}".into())].into() },
                r#"{"t":"settings","seq":1,"by":"00000000000000ab","values":{"a":1e21,"b":{}}}"#.to_owned(),
            ),
            (
                Event::Settings { seq: 1, by, values: [].into() },
                r#"{"t":"settings","seq":1,"by":"00000000000000ab","values":{}}"#.to_owned(),
            ),
            (Event::Reset { reason: "quiz".into() }, r#"{"t":"reset","reason":"quiz"}"#.to_owned()),
            (
                Event::Join(person(Some("#f00"))),
                r##"{"t":"join","client":4,"user":"0000000000000001","name":"Ü \"x\"","color":"#f00","role":"pupil"}"##
                    .to_owned(),
            ),
            (Event::Leave(4), r#"{"t":"leave","client":4}"#.to_owned()),
            (
                Event::Draft(grew),
                r#"{"t":"draft","c":4,"el":"s","from":0,"points":[[0,0],[1.50,2]],"pressures":[0.5],"base":{"x": 1}}"#
                    .to_owned(),
            ),
            (Event::Draft(more), r#"{"t":"draft","c":4,"el":"s","from":2,"points":[[0,0],[1.50,2]]}"#.to_owned()),
            (
                Event::DraftCancelled { client: 4, element: "s".into() },
                r#"{"t":"draft","c":4,"el":"s","cancel":true}"#.to_owned(),
            ),
            (
                Event::Volatile { client: 4, kind: "cursor".into(), data: "[1.50,2]".into() },
                r#"{"t":"v","c":4,"k":"cursor","d":[1.50,2]}"#.to_owned(),
            ),
            (
                Event::Error(refused),
                r#"{"t":"error","code":"locked","message":"Locked.","id":5,"retry":50}"#.to_owned(),
            ),
            (
                Event::Error(Refused { elements: vec![element()], ..Refused::new(Code::Key, None, "No.") }),
                format!(r#"{{"t":"error","code":"key","message":"No.","elements":[{ELEMENT}]}}"#),
            ),
        ] {
            assert_eq!(text(&event), expected);
        }
    }

    #[test]
    fn the_welcome_tells_everything() {
        let board = BoardFacts {
            id: "physics".into(),
            title: "P".into(),
            kind: "board".into(),
            settings: [("a".into(), "1".into())].into(),
        };
        let draft = DraftSoFar {
            client: 8,
            element: "s".into(),
            base: "{}".into(),
            points: list("[1,2]", 1),
            pressures: Some(list("1", 1)),
        };
        let welcome = Welcome {
            client: 7,
            user: UserId(2),
            role: Role::Teacher,
            epoch: "e".into(),
            seq: 12,
            board,
            locked: true,
            quiz: false,
            undo: 3,
            redo: 4,
            last: 5,
            limits: LimitFacts { elements: 100, bytes: 200, element: 50 },
            people: vec![person(None), person(Some("red"))],
            drafts: vec![draft.clone(), DraftSoFar { pressures: None, ..draft }],
            resume: true,
        };
        assert_eq!(
            text(&Event::Welcome(Box::new(welcome))),
            [
                r#"{"t":"welcome","v":1,"client":7,"user":"0000000000000002","role":"teacher","epoch":"e","seq":12,"#,
                r#""board":{"id":"physics","title":"P","kind":"board","settings":{"a":1}},"locked":true,"quiz":false,"#,
                r#""undo":3,"redo":4,"last":5,"#,
                r#""limits":{"message":16,"file":32,"elements":100,"bytes":200,"element":50},"#,
                r#""people":[{"client":4,"user":"0000000000000001","name":"Ü \"x\"","role":"pupil"},"#,
                r#"{"client":4,"user":"0000000000000001","name":"Ü \"x\"","color":"red","role":"pupil"}],"#,
                r#""drafts":[{"c":8,"el":"s","from":0,"points":[[1,2]],"pressures":[1],"base":{}},"#,
                r#"{"c":8,"el":"s","from":0,"points":[[1,2]],"base":{}}],"resume":true}"#,
            ]
            .concat()
        );
    }
}
