//! The API's way into boards that are in use: it changes a board as one of its clients does, so that everybody sees it
//! at once and it stands in the log.

use super::answer::Refused;
use crate::board::canvas;
use crate::board::classroom::stroke::Stroke;
use crate::board::core::{Closed, Refusal};
use crate::board::scene::action::What;
use crate::limits::address::Household;
use crate::store::BoardName;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// A moment of a board of another dialect.
#[derive(Debug)]
pub enum Past {
    Classroom {
        strokes: Vec<Stroke>,
        /// The image behind the strokes: JSON text.
        background: Arc<str>,
    },
    Canvas(canvas::State),
}

/// What the API needs of the rooms.
pub trait Rooms: Send + Sync + 'static {
    /// Has a native board changed, in order. The number of the board's last operation, once all of it is on disk; at
    /// the first refusal the rest is not tried.
    fn change(&self, board: BoardName, what: Vec<What>) -> BoxFuture<'_, Result<u64, Refused>>;
    /// Makes a moment of a board of another dialect the present, as operations that everybody sees. Resolves once they are
    /// on disk.
    fn replace(&self, board: BoardName, past: Past) -> BoxFuture<'_, Result<(), Refused>>;
    /// Disconnects everybody from a board.
    fn close(&self, board: &BoardName, reason: Closed);
    /// Whether one more board may begin, while there are `boards`; it counts for `from`.
    fn may_begin_board(&self, boards: u64, from: Option<Household>) -> Result<(), Refusal>;

    /// No board came of what [`Self::may_begin_board`] allowed: it does not count.
    fn no_board_begun(&self, from: Option<Household>);

    /// Whether changes are refused because the disk is full.
    fn is_full(&self) -> bool;
}
