//! Tests on an API server alone: no nodes, no pods, each with a fresh pair of etcd and API server.
// The helpers of tests are not marked as tests, and may fail as loudly.
#![allow(clippy::unwrap_used)]

#[path = "apiserver/itself.rs"]
mod itself;
#[path = "apiserver/operator.rs"]
mod operator;
#[path = "apiserver/schema.rs"]
mod schema;
