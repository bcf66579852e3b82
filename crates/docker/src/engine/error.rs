//! What can go wrong between us and the Engine API.

use bollard::errors::Error as ApiError;

use super::{ApiVersion, MINIMUM_API};
use crate::{DialError, Endpoint};

/// A request to the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Something answers there, but no Docker engine.
    #[error("what answers at {endpoint} is not a Docker engine")]
    NotAnEngine {
        /// The address.
        endpoint: Box<Endpoint>,
        /// What it answers instead.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The engine speaks only versions that we no longer do.
    #[error("the Docker engine at {endpoint} is too old: its API is {engine}, {MINIMUM_API} is needed")]
    TooOld {
        /// The engine.
        endpoint: Box<Endpoint>,
        /// The newest API that it speaks.
        engine: ApiVersion,
    },
    /// The engine speaks only versions that we do not know yet.
    #[error("the Docker engine at {endpoint} is too new: it needs API {engine}, unstale speaks {ours}")]
    TooNew {
        /// The engine.
        endpoint: Box<Endpoint>,
        /// The oldest API that it speaks.
        engine: ApiVersion,
        /// The newest API that we speak.
        ours: ApiVersion,
    },
    /// The engine refused.
    #[error("cannot {what}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The engine's own words.
        message: String,
    },
    /// No answer in time.
    #[error("cannot {what}: the engine does not answer")]
    Timeout {
        /// What was asked for.
        what: String,
    },
    /// The connection broke, or the answer makes no sense.
    #[error("cannot {what}")]
    Broken {
        /// What was asked for.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl EngineError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dial(error) => error.hint(),
            Self::NotAnEngine { .. } => Some("check DOCKER_HOST, the Docker context or --host".to_owned()),
            Self::TooOld { .. } => Some("upgrade Docker to 20.10 or later".to_owned()),
            Self::TooNew { .. } => Some("upgrade unstale".to_owned()),
            Self::Timeout { .. } => Some("look at the engine: docker info".to_owned()),
            Self::Refused { .. } | Self::Broken { .. } => None,
        }
    }

    /// Sorts an error of the API client; `what` completes "cannot …".
    pub(super) fn from_api(what: impl Into<String>, error: ApiError) -> Self {
        let what = what.into();
        match error {
            ApiError::DockerResponseServerError {
                status_code: status,
                message,
            } => Self::Refused {
                what,
                status,
                message: message.trim().to_owned(),
            },
            ApiError::DockerStreamError { error } => Self::Refused {
                what,
                status: 200,
                message: error.trim().to_owned(),
            },
            ApiError::RequestTimeoutError => Self::Timeout { what },
            // The transport hands its own errors through the client as I/O errors.
            ApiError::IOError { err } => match err.downcast::<DialError>() {
                Ok(dial) => Self::Dial(dial),
                Err(err) => Self::Broken {
                    what,
                    source: err.into(),
                },
            },
            other => Self::Broken {
                what,
                source: other.into(),
            },
        }
    }
}
