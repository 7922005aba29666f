//! What a board is, without any socket, file or clock.
//!
//! Commands go in, an [`Outcome`](classroom::Outcome) comes out: rows to write, and messages that may leave only
//! once those rows are on disk. Whole lessons therefore run inside a unit test.

pub mod action;
pub mod classroom;
pub mod core;
pub mod delta;
pub mod event;
pub mod lock;
pub mod merge;
pub mod record;
pub mod session_data;
pub mod snapshot;
pub mod state;
pub mod stroke;
pub mod view;
