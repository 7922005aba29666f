//! People with accounts: who they are, that they are it, and what they may do on which canvas.
//!
//! | file | idea |
//! |---|---|
//! | `rules` | what an address, a name and a password may be |
//! | `password` | argon2id, a few at a time, away from those who draw |
//! | `token` | what a session is known by; only its hash is on disk |
//! | `color` | the colour of somebody who chose none |
//! | `live` | connections that end when a session or a role does |
//! | `service` | register, log in, log out, roles |

pub mod color;
pub mod live;
pub mod password;
pub mod rules;
pub mod service;
pub mod token;

pub use live::Live;
pub use service::{AccountError, Accounts, Session};
pub use token::Token;
