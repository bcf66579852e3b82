//! The verbs of unstale as code. The only place where the rooms below meet: Compose and the engine from `docker`, the
//! build from `buildkit`, the files from `context`, the record in `ledger`.
//!
//! Nothing here prints: what happens is told as [`event::Event`]s, and what came of it as a report.

pub mod build;
pub mod builder;
pub mod check;
pub mod clear;
pub mod config;
pub mod event;
pub mod git;
pub mod init;
pub mod log;
mod registry;
mod shared_cache;
pub mod why;
