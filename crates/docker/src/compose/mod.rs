//! Compose projects, as the Compose CLI resolves them. Compose's own files are never read here: its `config` command
//! is the only truth. What Compose's `build` adds to a project by itself is in [`rules`].

mod cli;
mod error;
mod fields;
mod order;
mod parse;
mod project;
pub mod rules;
mod units;
mod v1;
mod yaml;

pub use cli::{Compose, ProjectOptions, Resolved, Version};
pub use error::{ComposeError, FieldError};
pub use order::{CycleError, build_order, build_selection};
pub use project::{BuildSpec, Project, ProjectSecret, SecretMount, Service, Ssh, Ulimit};
