//! Any text read as a shell script: the invariants of the reader's property tests hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/audit/src/shell/invariants.rs"]
mod invariants;

fuzz_target!(|text: &str| invariants::hold(text));
