//! What is recorded and shown: the ledger, `unstale log`, and every form of output.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is missing")]

mod output;
mod record;
mod trouble;
