//! A board of the native dialect (PROTOCOL.md): Excalidraw's elements, merged one by one, with an undo of one's own.

pub mod action;
pub mod board;
pub mod catchup;
pub mod change;
pub mod drafts;
pub mod element;
pub mod elements;
pub mod event;
pub mod foreign;
pub mod identity;
pub mod object;
pub mod operation;
pub mod sessions;
pub mod snapshot;
pub mod state;
pub mod step;
pub mod undo;
pub mod visibility;

pub use action::Action;
pub use board::Scene;
pub use event::Event;
pub use state::State;
