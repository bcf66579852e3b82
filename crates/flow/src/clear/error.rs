//! Why nothing could be cleared at all.

use crate::builder::BuilderError;
use crate::config::ConfigError;
use unstale_docker::{ComposeError, EngineError};

/// Why a clear could not begin. What goes wrong later is in the report.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// Compose cannot resolve the project.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// There is no engine.
    #[error(transparent)]
    Builder(#[from] BuilderError),
    /// The engine does not say what it has.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// `unstale.toml` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ClearError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClearError::Compose(ComposeError::Refused { .. }) => Some(
                "run it in the project's folder, or clear what belongs to no project: --target builder"
                    .into(),
            ),
            ClearError::Compose(error) => error.hint(),
            ClearError::Builder(error) => error.hint(),
            ClearError::Engine(error) => error.hint(),
            ClearError::Config(error) => error.hint(),
        }
    }
}
