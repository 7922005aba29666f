//! The native dialect: PROTOCOL.md, whose rules are cited as `[R1]`.
//!
//! [`message`] reads what clients say, [`encode`] writes what boards tell.

pub mod access;
pub mod closing;
pub mod encode;
pub mod message;
