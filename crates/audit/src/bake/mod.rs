//! Bake files: `docker-bake.hcl`, `docker-bake.json` and their overrides. Targets, groups and variables with their places.
//!
//! Nothing is computed but plain references to variables: what bake makes of functions, conditions and matrices is kept
//! as the text that stands in the file, and said to be such ([`Form`]).

mod hcl;
mod inherit;
mod json;
mod model;
pub(crate) mod removal;
#[cfg(test)]
mod tests;
mod tree;

pub use model::{BakeFile, Field, Group, Item, Items, Named, Target, Variable, fields};
pub use tree::{Entry, Fault, Form, Value};
