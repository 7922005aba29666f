//! The product on a real cluster, each test as a person meets it. Tests have namespaces and hosts of their own and run side
//! by side; those in `alone` and `browser` run by themselves.
// The helpers of tests are not marked as tests, and may fail as loudly.
#![allow(clippy::unwrap_used)]

#[path = "cluster/alone.rs"]
mod alone;
#[path = "cluster/backup.rs"]
mod backup;
#[path = "cluster/browser.rs"]
mod browser;
#[path = "cluster/children.rs"]
mod children;
#[path = "cluster/deletion.rs"]
mod deletion;
#[path = "cluster/fields.rs"]
mod fields;
#[path = "cluster/install.rs"]
mod install;
#[path = "cluster/lesson.rs"]
mod lesson;
#[path = "cluster/refusals.rs"]
mod refusals;
#[path = "cluster/release.rs"]
mod release;
#[path = "cluster/site.rs"]
mod site;
