//! A canvas of the CollabCanvas dialect: rectangles, circles and texts by id, kept as they were sent.
//!
//! | file | idea |
//! |---|---|
//! | `members` | a JSON object as its members, each value's text untouched |
//! | `rules` | what a value may be: coordinates, sizes, colours |
//! | `object`, `delta` | an object that fits the rules, and a change of some of its members |
//! | `state`, `record` | what is on disk: objects, snapshot, rows of the log |
//! | `people`, `cursors` | who is there (one entry a user), and where they point (batched) |
//! | `action`, `event`, `canvas` | requests in, events out |

pub mod action;
#[expect(clippy::module_inception, reason = "the canvas itself is the main noun of this folder")]
pub mod canvas;
pub mod cursors;
pub mod delta;
pub mod event;
pub mod members;
pub mod object;
pub mod people;
pub mod record;
pub mod rules;
pub mod state;

pub use action::{Action, Mend, Role, User};
pub use canvas::Canvas;
pub use event::Event;
pub use state::State;
