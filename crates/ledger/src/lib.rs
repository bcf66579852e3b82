//! The ledger: what unstale remembers of the builds it ran.
//!
//! One SQLite file holds, per build, the services, their steps with outcome and digests, build arguments, base
//! images and the exact files of every context. It is for explaining a build afterwards and for telling where a
//! reused result came from. It must never break a build: every failure is a [`LedgerError`] that the caller can warn
//! about and go on. It must never hold a secret: see [`Ledger::arg`] and the [`secret`] module.
//!
//! All calls block (on the disk, and up to [`BUSY_TIMEOUT`] on another process that is writing). A [`Ledger`] can be
//! shared between threads.

mod clear;
mod database;
mod error;
mod folders;
mod location;
mod manifest;
mod process;
mod read;
mod record;
mod retention;
mod schema;
pub mod secret;
mod witness;
mod write;

pub use clear::Clear;
pub use database::{BUSY_TIMEOUT, Ledger, Opened};
pub use error::LedgerError;
pub use location::{StateEnvironment, default_path};
pub use manifest::ManifestFiles;
pub use process::ProcessIdentity;
pub use read::Filter;
pub use record::{
    ArgRecord, ArgValue, BaseRecord, BuildOutcome, BuildRecord, BuildState, BuildSummary, ContextManifest,
    EngineIdentity, Explained, ExportedCache, FileKind, FileRecord, LastService, Location, NewBuild,
    PastResult, ServiceOutcome, ServiceRecord, ServiceSummary, StepKind, StepOutcome, StepRecord,
    StoredContext, StoredService, ViolationRecord,
};
pub use retention::DEFAULT_RETENTION;
pub use witness::Witness;
