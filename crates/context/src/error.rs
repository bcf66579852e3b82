//! Errors of this room. Each names the path or pattern that failed, and a way forward where there is one.

use std::io;
use std::path::PathBuf;

/// Why a context could not be described or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The context folder does not exist.
    #[error("context folder {path:?} does not exist")]
    RootMissing {
        /// The folder as it was asked for.
        path: PathBuf,
    },
    /// The context path is something else than a folder.
    #[error("context {path:?} is not a folder")]
    RootNotDirectory {
        /// The path as it was asked for.
        path: PathBuf,
    },
    /// The context folder itself could not be opened.
    #[error("cannot open context folder {path:?}")]
    RootUnreadable {
        /// The folder as it was asked for.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A selected file, folder or link could not be read.
    #[error("cannot read {path:?} in the build context")]
    Unreadable {
        /// Path below the context root.
        path: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A selected name, or the target of a selected symbolic link, is not UTF-8 and cannot be sent to an engine.
    #[error("{what} in the build context is not valid UTF-8: \"{escaped}\"")]
    NotUtf8 {
        /// What carries the name: `file name` or `link target`.
        what: &'static str,
        /// The path below the context root, bytes outside of UTF-8 written as `\xNN`.
        escaped: String,
    },
    /// A pattern does not follow the pattern language.
    #[error("invalid {list} pattern {pattern:?}: {reason}")]
    Pattern {
        /// Which list the pattern is from: `include`, `exclude` or `copy`.
        list: &'static str,
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An ignore file holds a line longer than the 64 KiB that the engine's reader accepts.
    #[error("line {line} of {path:?} is longer than 65535 bytes")]
    IgnoreLineTooLong {
        /// Path below the context root.
        path: String,
        /// Line number, from 1.
        line: usize,
    },
    /// A file is not what it was when the snapshot was taken.
    #[error("{path:?} changed during the build")]
    ChangedDuringBuild {
        /// Path below the context root.
        path: String,
    },
    /// The entry has no content of its own to read (a folder, a link, a device).
    #[error("{path:?} is not a regular file")]
    NotAFile {
        /// Path below the context root.
        path: String,
    },
    /// The content digest was asked for a path that is not in the snapshot.
    #[error("{path:?} is not in the build context")]
    NotFound {
        /// The path as it was asked for.
        path: String,
    },
    /// A path runs through more than 255 symbolic links.
    #[error("{path:?} runs through more than 255 symbolic links")]
    TooManyLinks {
        /// The path as it was asked for.
        path: String,
    },
    /// The caller raised the cancel flag.
    #[error("reading the build context was cancelled")]
    Cancelled,
}

impl ContextError {
    /// A way forward for the person who reads the error, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::RootMissing { .. } => Some("check the path of the build context".into()),
            Self::RootNotDirectory { .. } => {
                Some("a build context is a folder; name the Dockerfile with --file instead".into())
            }
            Self::RootUnreadable { .. } => Some("make the folder readable (chmod u+rx)".into()),
            Self::Unreadable { path, source } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                format!("make it readable (chmod u+rX), or add {path:?} to .dockerignore"),
            ),
            Self::Unreadable { path, .. } => Some(format!(
                "repair it, or add {path:?} to .dockerignore if the build does not need it"
            )),
            Self::NotUtf8 { .. } => Some(
                "rename it, or add its folder or a pattern with `?` for the odd bytes to .dockerignore"
                    .into(),
            ),
            Self::Pattern { .. } => {
                Some("see the pattern rules of .dockerignore; escape a literal `[` as `\\[`".into())
            }
            Self::ChangedDuringBuild { path } => Some(format!(
                "build again once {path:?} is at rest, or add it to .dockerignore"
            )),
            Self::IgnoreLineTooLong { .. } => Some("split the line".into()),
            Self::TooManyLinks { .. } => Some("look for symbolic links that point at each other".into()),
            Self::NotAFile { .. } | Self::NotFound { .. } | Self::Cancelled => None,
        }
    }
}

/// Why the hash index could not be opened. A damaged index is no error: it is replaced by an empty one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The folder of the index file could not be created, or a damaged file not be removed.
    #[error("cannot prepare the hash index {path:?}")]
    Io {
        /// The index file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// SQLite could not open or create the file.
    #[error("cannot open the hash index {path:?}")]
    Sqlite {
        /// The index file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

impl IndexError {
    /// A way forward for the person who reads the error.
    pub fn hint(&self) -> Option<String> {
        Some("the build goes on without the index and reads every file; make its folder writable".into())
    }
}

/// Bytes of a path as text for an error message: what is not UTF-8 becomes `\xNN`.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
