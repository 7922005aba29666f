//! The board as it was, for those who want it back.

use super::live::Live;
use crate::board::scene::action::RestoreTo;
use crate::board::scene::event::Code;
use crate::board::scene::state::State;
use crate::store::BoardName;
use crate::store::history::{HistoryError, When};
use std::time::Duration;
use tokio::time::timeout;

/// For how long somebody waits until others are done with theirs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The board after operation `seq`; an error is told to the client.
pub async fn moment(live: &Live, board: &BoardName, seq: u64) -> Result<RestoreTo, (Code, String)> {
    let (store, name) = (live.store.clone(), board.clone());
    let Ok(Ok(place)) = timeout(PATIENCE, live.heavy.clone().acquire_owned()).await else {
        let sentence = "The server is busy with the past of other boards. Try again in a minute.";
        return Err((Code::TooMany, sentence.to_owned()));
    };
    // Held by the thread: who goes away does not make room for one more.
    let read = tokio::task::spawn_blocking(move || {
        let past = store.past_to_bring_back::<State>(&name, When::Seq(seq));
        drop(place);
        past
    })
    .await;
    match read {
        Ok(Ok(past)) => Ok(RestoreTo::of(seq, &past.state)),
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
