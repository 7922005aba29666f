//! What a board is, without any socket, file or clock.
//!
//! Requests go in, an [`Outcome`](core::Outcome) comes out: rows to write, and events that may leave only once those
//! rows are on disk. Whole lessons therefore run inside a unit test. One folder a dialect.

pub mod canvas;
pub mod classroom;
pub mod core;
pub mod scene;
