//! What is recorded and shown: the ledger, `unstale log`, and every form of output.

mod output;
mod record;
mod trouble;
