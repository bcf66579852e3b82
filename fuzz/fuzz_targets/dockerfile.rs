//! Any bytes read as a Dockerfile: the invariants of the reader's property tests hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/dockerfile/tests/invariants/mod.rs"]
mod invariants;

fuzz_target!(|bytes: &[u8]| invariants::hold(bytes));
