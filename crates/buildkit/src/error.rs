//! What can go wrong between this client and a BuildKit daemon.

use std::io;

pub use excerpt::Excerpt;

mod excerpt;

/// An error of the BuildKit client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection to the daemon could not be made or broke.
    #[error("no connection to BuildKit")]
    Connect(#[source] io::Error),
    /// The gRPC channel over the connection could not be made.
    #[error("no gRPC channel to BuildKit")]
    Channel(#[source] tonic::transport::Error),
    /// The engine refused to hand its socket over for `path` (`/grpc` or `/session`).
    #[error("the engine does not upgrade {path} to gRPC: {answer}")]
    Upgrade {
        /// The HTTP path that was asked for.
        path: &'static str,
        /// The first line of the engine's answer.
        answer: String,
    },
    /// The daemon answered a call with an error.
    #[error("{}", .status.message())]
    Daemon {
        /// The call that failed, for messages that need it.
        call: &'static str,
        /// The daemon's status.
        status: tonic::Status,
    },
    /// The daemon answered in a way that its protocol does not allow.
    #[error("unexpected answer from BuildKit: {0}")]
    Protocol(String),
    /// The daemon did not answer within the bound.
    #[error("BuildKit did not answer {call} within {seconds} s")]
    Timeout {
        /// The call that was not answered.
        call: &'static str,
        /// The bound, in seconds.
        seconds: u64,
    },
    /// The build was cancelled by the caller.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    pub(crate) fn daemon(call: &'static str) -> impl FnOnce(tonic::Status) -> Error {
        move |status| Error::Daemon { call, status }
    }

    /// The places in the Dockerfile that the daemon's error is about, with the lines themselves.
    pub fn excerpts(&self) -> Vec<Excerpt> {
        match self {
            Error::Daemon { status, .. } => excerpt::read(status.details()),
            _ => Vec::new(),
        }
    }

    /// True if the connection to the daemon is gone, as opposed to an answer that the daemon gave.
    pub fn is_disconnect(&self) -> bool {
        match self {
            Error::Connect(_) | Error::Channel(_) | Error::Timeout { .. } => true,
            Error::Daemon { status, .. } => {
                use tonic::Code;
                // A daemon's own answer never carries a transport error as its source.
                matches!(
                    status.code(),
                    Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
                ) && std::error::Error::source(status).is_some()
            }
            _ => false,
        }
    }
}
