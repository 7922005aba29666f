//! A board of the classroom dialect: one list of strokes that clients send whole, kept as what changed in it.

pub mod action;
pub mod board;
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

pub use action::Action;
pub use board::Classroom;
pub use event::Event;
pub use state::State;
