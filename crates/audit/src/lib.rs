//! Finds cache and staleness hazards in the text of a project, and mends them: Dockerfiles, Compose files, shell scripts,
//! Makefiles, CI workflows and bake files.
//!
//! Text with spans → facts → findings → fixes. Every reader is tolerant: a broken file is one finding, and the rest goes on.
//! Pure: no engine, no network, no disk. What is read and written is the caller's business.

/// The invariants that tests share with the fuzz targets name this crate as those do.
#[cfg(test)]
extern crate self as unstale_audit;

pub mod bake;
pub mod baseline;
mod check;
pub mod compose;
mod content;
pub mod contract;
pub mod docker;
pub mod dockerignore;
pub mod edit;
pub mod facts;
mod finding;
pub mod fingerprint;
mod kind;
pub mod makefile;
mod mapped;
mod mend;
mod package;
mod project;
pub mod rules;
mod settings;
pub mod shell;
mod source;
pub mod suppress;
pub mod workflow;
pub mod yaml;

pub use check::{Checker, Report};
pub use content::{Content, EmbeddedScript, ScriptPlace};
pub use finding::{Applicability, Confidence, Edit, Finding, Fix, Location, Severity};
pub use kind::{CONTENT_HEAD, FileKind, is_aside};
pub use mapped::MappedText;
pub use mend::{Applied, Mended, Refused, mend};
pub use package::PackageManifest;
pub use project::{File, FileId, Problem, Project, Tree};
pub use settings::{Ignore, Level, Settings};
pub use source::{Position, Source};
pub use unstale_dockerfile::Span;
