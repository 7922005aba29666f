//! The board as it was, for those who want it back.

use crate::board::scene::element::Element;
use crate::board::scene::event::Code;
use crate::board::scene::state::State;
use crate::store::history::{HistoryError, When};
use crate::store::{BoardName, Store};

/// The elements that were not deleted after operation `seq`; an error is told to the client.
pub async fn elements(store: &Store, board: &BoardName, seq: u64) -> Result<Vec<Element>, (Code, String)> {
    let (reader, name) = (store.reader.clone(), board.clone());
    let read = tokio::task::spawn_blocking(move || reader.past::<State>(&name, When::Seq(seq))).await;
    match read {
        Ok(Ok(past)) => Ok(past.state.live()),
        Ok(Err(error @ (HistoryError::UnknownSeq(_) | HistoryError::Folded { .. }))) => {
            Err((Code::UnknownSeq, error.to_string()))
        }
        Ok(Err(error)) => Err(unreadable(board, &error)),
        Err(panic) => Err(unreadable(board, &panic)),
    }
}

fn unreadable(board: &BoardName, error: &dyn std::fmt::Display) -> (Code, String) {
    tracing::error!(board = %board.code, "the board's past cannot be read: {error}");
    (Code::Internal, "The board's past cannot be read at the moment. Ask the person who runs the server.".to_owned())
}
