//! Any text read as YAML: the invariants of the module's property tests hold, those of edits among them.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/audit/src/yaml/invariants.rs"]
mod invariants;

fuzz_target!(|text: &str| invariants::hold(text));
