//! Finds cache and staleness hazards in the text of a project, and mends them: Dockerfiles, Compose files, shell scripts,
//! Makefiles, CI workflows and bake files.
//!
//! Text with spans → facts → findings → fixes. Every reader is tolerant: a broken file is one finding, and the rest goes on.
//! Pure: no engine, no network, no disk. What is read and written is the caller's business.

pub mod compose;
pub mod edit;
mod finding;
mod kind;
mod mapped;
mod project;
pub mod rules;
mod source;
mod span;
pub mod yaml;

pub use finding::{Applicability, Confidence, Edit, Finding, Fix, Location, Severity};
pub use kind::FileKind;
pub use mapped::MappedText;
pub use project::{File, FileId, Project};
pub use source::{Position, Source};
pub use span::Span;
