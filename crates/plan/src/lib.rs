//! What a build will do and why, decided from values that were gathered first: the engine's graph, the folders'
//! content digests, what the ledger remembers, and the records that the engine's cache holds now.
//!
//! 1. [`keys`] gives every step the identity under which BuildKit looks for its result.
//! 2. [`predict`] says which steps have a result that the engine still holds.
//! 3. [`causes`] compares the steps with those of the previous build and says why a step runs.
//!
//! Must not: do I/O, wait, or know where its values come from.

mod align;
mod cause;
mod change;
mod facts;
mod held;
mod import;
mod key;
mod layers;
mod note;
mod predict;

pub use cause::{CHANGES, Cause, CauseKind, Current, Previous, PreviousStep, causes};
pub use change::{Change, FileChange, FileState, files};
pub use facts::{Describe, EnvValue, FactPart, Facts, facts};
pub use held::{Held, Made, Memory, Past, Records, describes};
pub use import::Imports;
pub use key::{Inputs, Key, Part, keys};
pub use layers::{layers, sources};
pub use note::{Note, note};
pub use predict::{Outcome, Prediction, Reason, predict};
