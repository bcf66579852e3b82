//! Reads shell: which commands a script runs, with which words, and under which circumstances.
//!
//! For rules that ask what a script does to images and caches. A script is taken as text that stands anywhere in a file
//! (a [`MappedText`](crate::MappedText)), and every span that is given out is one of the file. Scripts within scripts
//! (`ssh host "…"`, `bash -c`, heredocs) are read as well, and their commands stand in the same list.
//!
//! Tolerant: what cannot be read is left out, and the rest is read. It runs nothing, and it does not know what is on
//! a machine: what is not written in the script is unknown.

mod command;
mod condition;
mod dialect;
mod edit;
mod expand;
mod functions;
#[cfg(test)]
mod invariants;
mod lexer;
mod mask;
mod prepare;
mod read;
mod statement;
mod tree;
mod variables;
mod walk;
mod word;
mod wrapper;

#[cfg(test)]
mod tests;

pub use command::{Command, Redirection, Wrapper};
pub use command::{Context, Errexit, Place, Swallow, SwallowKind};
pub use condition::{Check, Guard, GuardKind, Test};
pub use dialect::Dialect;
pub use edit::Editor;
pub use functions::Function;
pub use mask::mask;
pub use read::Script;
pub use variables::{Assignment, AssignmentKind, Value};
pub use word::{Certainty, Part, PartKind, Word};
