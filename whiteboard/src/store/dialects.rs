//! What boards of each dialect are made of: the one place where the store knows more than rows of text.

use super::BoardName;
use crate::board::canvas;
use crate::board::classroom;
use crate::board::core::Durable;

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
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Empty;

    impl Visit for Empty {
        type Output = String;
        fn visit<S: Durable>(self) -> String {
            S::default().encode()
        }
    }

    #[test]
    fn every_dialect_has_a_state_that_comes_back() {
        for dialect in [BoardName::CLASSROOM, BoardName::CANVAS] {
            let text = visit(dialect, Empty).unwrap();
            assert!(text.starts_with('{'), "{dialect}: {text}");
        }
        assert_eq!(visit("of a later release", Empty), None);
    }
}
