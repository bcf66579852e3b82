//! What a build reads from disk, content-exact.
//!
//! A [`Snapshot`] describes the files that one [`Selector`] picks from one folder: names, modes, links and the
//! SHA-256 of every file, in the order in which BuildKit's file sync sends them. Whatever is later read through
//! [`Snapshot::open`] is compared with that description, so that an image can never hold a mixture of two trees.
//!
//! The rules of selection are those of the engine's own client: the pattern language of moby's `patternmatcher`, the
//! walk of `fsutil`, and the `.dockerignore` reading of BuildKit's Dockerfile frontend.
//!
//! This room talks to the file system and to its hash index only: no network, no engine, no async runtime. It never
//! writes into a context, never follows a symbolic link out of it, and never opens a file that the selection excludes.

pub mod digest;
mod error;
mod filter;
mod follow;
mod glob;
mod gopath;
mod hashing;
mod ignorefile;
mod index;
mod pattern;
mod root;
mod selector;
mod snapshot;
mod tarsum;
mod verified;
mod walk;

pub use error::{ContextError, IndexError};
pub use ignorefile::{DockerIgnore, IgnoreLine, dockerignore, ignore_lines};
pub use index::HashIndex;
pub use selector::{Decision, Matcher, Selector};
pub use snapshot::{Counters, Entry, Kind, Snapshot, snapshot};
pub use verified::VerifiedFile;
