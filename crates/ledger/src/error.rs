//! What can go wrong with the ledger, and the one place where SQLite's codes become our words.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// A failure of the ledger. None of them is a reason to stop a build.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// No place for the ledger is known: neither a state directory nor a home is set.
    #[error(
        "no place for the ledger: none of UNSTALE_STATE_DIR, XDG_STATE_HOME and HOME is an absolute path"
    )]
    NoStateDirectory,
    /// `UNSTALE_STATE_DIR` is relative.
    #[error("UNSTALE_STATE_DIR is not an absolute path: {}", path.display())]
    RelativeStateDirectory {
        /// Its value.
        path: PathBuf,
    },
    /// A directory, lock or file could not be made, opened or moved.
    #[error("cannot {action} {}", path.display())]
    Filesystem {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The path exists and is no regular file.
    #[error("the ledger {} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A SQLite database stands there that unstale did not make.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
    },
    /// A later version of unstale wrote the ledger.
    #[error("the ledger {} has schema {found}, this unstale knows up to {known}", path.display())]
    NewerSchema {
        /// The path.
        path: PathBuf,
        /// The schema of the file.
        found: i64,
        /// The highest schema that this version reads.
        known: i64,
    },
    /// Another process holds the ledger for longer than we wait.
    #[error("the ledger {} is in use by another process", path.display())]
    Busy {
        /// The path.
        path: PathBuf,
        /// SQLite's answer, absent when another process was opening the ledger.
        #[source]
        source: Option<rusqlite::Error>,
    },
    /// The file system has no room.
    #[error("no space left to write the ledger {}", path.display())]
    Full {
        /// The path.
        path: PathBuf,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// The file, or its directory, cannot be written.
    #[error("the ledger {} cannot be written", path.display())]
    NotWritable {
        /// The path.
        path: PathBuf,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// What is in the file is not what was written.
    #[error("the ledger {} is damaged: {detail}", path.display())]
    Damaged {
        /// The path.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Any other failure of SQLite.
    #[error("cannot {action} in the ledger {}", path.display())]
    Sqlite {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// No build's identifier begins so.
    #[error("no build `{prefix}` in the ledger")]
    UnknownBuild {
        /// What was asked for.
        prefix: String,
    },
    /// Several builds' identifiers begin so.
    #[error("build `{prefix}` is ambiguous")]
    AmbiguousBuild {
        /// What was asked for.
        prefix: String,
        /// The first few identifiers that begin so.
        candidates: Vec<String>,
    },
    /// The list of files is not, or no longer, in the ledger.
    #[error("no context manifest {digest} in the ledger")]
    UnknownManifest {
        /// What was asked for.
        digest: String,
    },
}

impl LedgerError {
    /// A way forward, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStateDirectory | Self::RelativeStateDirectory { .. } => {
                Some("set UNSTALE_STATE_DIR to an absolute path".to_owned())
            }
            Self::Filesystem { .. } | Self::NotWritable { .. } => Some(
                "make it writable for this user, or set UNSTALE_STATE_DIR to a directory that is".to_owned(),
            ),
            Self::NotAFile { .. } | Self::Foreign { .. } => {
                Some("move it away, or set UNSTALE_STATE_DIR to another directory".to_owned())
            }
            Self::NewerSchema { .. } => Some(
                "use the newer unstale that wrote it, or set UNSTALE_STATE_DIR to another directory"
                    .to_owned(),
            ),
            Self::Busy { .. } => Some("try again when the other unstale has finished".to_owned()),
            Self::Full { .. } => Some(
                "free some space, or set UNSTALE_STATE_DIR to a directory on another file system".to_owned(),
            ),
            Self::Damaged { .. } => {
                Some("the next command sets it aside and begins a new ledger, or move it away".to_owned())
            }
            Self::UnknownBuild { .. } => Some("`unstale log` lists the builds".to_owned()),
            Self::AmbiguousBuild { candidates, .. } => {
                Some(format!("give more of the identifier: {}", candidates.join(", ")))
            }
            Self::Sqlite { .. } | Self::UnknownManifest { .. } => None,
        }
    }

    /// The error for a failed SQLite call: `action` is a verb phrase.
    pub(crate) fn sqlite(path: &Path, action: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy {
                path,
                source: Some(source),
            },
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            // Growing the shared-memory file of the write-ahead log reports a full disk as an I/O error.
            Some(ErrorCode::SystemIoFailure) if out_of_space(&path) => Self::Full { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::NotWritable { path, source }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path,
                detail: source.to_string(),
            },
            _ => Self::Sqlite { action, path, source },
        }
    }

    pub(crate) fn filesystem(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Filesystem {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Whether the file system that holds `path` has less than a page of SQLite's left for this user.
fn out_of_space(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(path);
    rustix::fs::statvfs(directory).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < 64 * 1024)
}
