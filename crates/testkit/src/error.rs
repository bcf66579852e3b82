//! What can go wrong between a test and its engines.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the testkit itself, or the reason why an engine is left out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or socket operation failed.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// The verb: `read`, `create` …
        what: &'static str,
        /// The file, folder or socket.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A program could not be run, or ended with a failure.
    #[error("`{command}` failed: {output}")]
    Command {
        /// Program and arguments.
        command: String,
        /// The last lines that it printed.
        output: String,
    },
    /// An engine answered a request with an error.
    #[error("{method} {path} answered {status}: {body}")]
    Http {
        /// The request's method.
        method: String,
        /// The request's path and query.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The answer's text.
        body: String,
    },
    /// Something is missing on this machine, or an answer was not understood.
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// For `map_err`: names the verb and the path of a failed I/O operation.
    pub(crate) fn io(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// The message with all its causes, on one line.
    pub fn full(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// The testkit's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
