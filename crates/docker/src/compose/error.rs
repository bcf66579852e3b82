//! What can go wrong between us and the Compose CLI.

use crate::child::ChildError;

/// The Compose CLI has no answer, or one that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// Neither the plugin nor the stand-alone program is there.
    #[error("the Docker Compose CLI is missing: {tried}")]
    Missing {
        /// What was looked for, and what came of it.
        tried: String,
    },
    /// The program could not be run to its end.
    #[error("cannot run {command}")]
    Run {
        /// The command line's beginning.
        command: String,
        /// Why.
        #[source]
        source: ChildError,
    },
    /// Compose refused the project. The message is its own.
    #[error("Compose cannot resolve the project: {message}")]
    Refused {
        /// What Compose printed.
        message: String,
        /// Its exit status; [`None`] if a signal ended it.
        exit_code: Option<i32>,
    },
    /// Compose printed something that is no project.
    #[error("cannot understand what {command} printed")]
    Output {
        /// The command line's beginning.
        command: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A field of the project that cannot be built.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl ComposeError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "install it: sudo apt-get install docker-compose-plugin (Docker's packages), \
                 docker-compose-v2 (Ubuntu) or docker-compose (Debian)"
                    .to_owned(),
            ),
            Self::Run {
                source: ChildError::Timeout(_),
                ..
            } => Some("a remote include may be slow; try: docker compose config".to_owned()),
            Self::Refused { message, .. } if message.starts_with("no configuration file provided") => Some(
                "run it in a folder with a compose.yaml, name the file with --file, or build a folder: unstale build ."
                    .to_owned(),
            ),
            Self::Refused { message, .. } if message.starts_with("no such service") => {
                Some("list the services with: docker compose config --services".to_owned())
            }
            Self::Refused { .. } => Some("Compose says the same on: docker compose config".to_owned()),
            _ => None,
        }
    }
}

/// A field of a resolved project that is unknown or ill-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct FieldError {
    /// Where it is, `services.web.build.shm_size` for example.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}
