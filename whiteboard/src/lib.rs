//! The realtime whiteboard server: keeps what people draw, tells everybody at once.
//!
//! A stroke's way: socket → [`protocol`] (dialect) → [`room`] → [`store`] (commit) → room → sockets. What a board *is*
//! lives in [`board`], which owns no socket, file or clock.

pub mod board;
pub mod store;
