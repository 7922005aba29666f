//! What boards of each dialect are made of: the one place where the store knows more than rows of text.

use super::BoardName;
use crate::board::core::Durable;
use crate::board::{canvas, classroom, scene};

/// Something to do with a board's state, whatever its dialect.
pub trait Visit {
    type Output;
    fn visit<S: Durable>(self) -> Self::Output;
}

/// Does it with the state of `dialect`; none for a dialect that this release does not know.
pub fn visit<V: Visit>(dialect: &str, visit: V) -> Option<V::Output> {
    match dialect {
        BoardName::CLASSROOM => Some(visit.visit::<classroom::state::State>()),
        BoardName::CANVAS => Some(visit.visit::<canvas::State>()),
        BoardName::BOARD => Some(visit.visit::<scene::state::State>()),
        _ => None,
    }
}

/// The title that a record gives its board, for the list of boards. It is looked for in each row, so what cannot be one
/// is told apart by its first letters.
pub(super) fn title_of(dialect: &str, record: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Row {
        title: String,
    }
    if dialect != BoardName::BOARD || !record.starts_with(r#"{"op":"title""#) {
        return None;
    }
    serde_json::from_str::<Row>(record).ok().map(|row| row.title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::scene::elements::Owner;
    use crate::board::scene::identity::UserId;
    use crate::board::scene::operation::{Done, Operation, Rules};

    struct Empty;

    impl Visit for Empty {
        type Output = String;
        fn visit<S: Durable>(self) -> String {
            S::default().encode()
        }
    }

    #[test]
    fn every_dialect_has_a_state_that_comes_back() {
        for dialect in BoardName::DIALECTS {
            let text = visit(dialect, Empty).unwrap();
            assert!(text.starts_with(['{', '[']), "{dialect}: {text}");
        }
        assert_eq!(visit("of a later release", Empty), None);
    }

    #[test]
    fn the_record_of_a_title_tells_it() {
        let operation = |done| Operation {
            by: Owner { user: UserId(1), teacher: true },
            session: "session1".into(),
            id: 1,
            at: 5,
            done,
            rules: Rules::NOW,
            owners: std::collections::BTreeMap::new(),
        };
        let title = operation(Done::Title("Opt\"ics".into())).encode();
        assert_eq!(title_of(BoardName::BOARD, &title).as_deref(), Some("Opt\"ics"), "{title}");
        assert_eq!(title_of(BoardName::CLASSROOM, &title), None);
        assert_eq!(title_of(BoardName::BOARD, &operation(Done::Lock(true)).encode()), None);
        assert_eq!(title_of(BoardName::BOARD, r#"{"op":"title""#), None);
    }
}
