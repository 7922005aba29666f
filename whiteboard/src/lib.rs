//! The realtime whiteboard server: keeps what people draw, tells everybody at once.
//!
//! A stroke's way: socket → [`protocol`] (dialect) → [`room`] → [`store`] (commit) → room → sockets. What a board *is*
//! lives in [`board`], which owns no socket, file or clock.

pub mod accounts;
pub mod backup;
pub mod board;
pub mod cli;
pub mod exchange;
pub mod export;
pub mod http;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod protocol;
pub mod render;
pub mod room;
pub mod serve;
pub mod settings;
pub mod shutdown;
pub mod store;
pub mod websocket;
