//! The native dialect: PROTOCOL.md, whose rules are cited as `[R1]`.
//!
//! A message's way in: `session` (one connection) → `message` (reads it) → the board's room; and out: `encode` (writes an
//! event, once for all) → the connections' outboxes. `access` says who may come in, `closing` how a connection ends,
//! `live` is what all connections share, `patience` ends what is silent or nonsense, `past` fetches a board as it was, `foreign` shows boards of
//! other dialects.

pub mod access;
pub mod closing;
pub mod encode;
pub mod foreign;
pub mod live;
pub mod message;
mod past;
mod patience;
pub mod session;
