//! What travels between clients and boards: one file a dialect, on the transports it needs. Nothing here holds the
//! state of a board.

pub mod classroom;
pub mod collabcanvas;
pub mod engineio;
mod id;
pub mod native;
pub mod socket;
pub mod socketio;
