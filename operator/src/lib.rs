//! Turns a Whiteboard into Kubernetes objects and tells in its status how that went.
//!
//! One resource's way through it, once, from left to right:
//! [`observe`] → [`validate`] → [`plan`] → [`build`] → [`apply`] → [`report`]; [`controller`] drives it,
//! [`watch`] keeps the caches that it reads.

pub mod apply;
pub mod build;
pub mod cert_manager;
pub mod class;
pub mod cli;
pub mod controller;
pub mod hex;
pub mod http;
pub mod leader;
pub mod logging;
pub mod metrics;
pub mod names;
pub mod observe;
pub mod plan;
pub mod presence;
pub mod report;
pub mod run;
pub mod validate;
pub mod watch;
