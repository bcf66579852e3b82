//! Why nothing could be cleared at all.

use super::target::Target;
use crate::build::{BuildError, RerunError};
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
    /// The steps of the project are not known.
    #[error(transparent)]
    Graph(Box<BuildError>),
    /// A service is not one of those that are built.
    #[error("no service {service} is built")]
    NoService {
        /// The service.
        service: String,
        /// Those that are.
        services: Vec<String>,
    },
    /// A service has no such step.
    #[error(transparent)]
    Step(RerunError),
    /// A service's graph cannot be made.
    #[error("the steps of {service} are not known: {reason}")]
    NoGraph {
        /// The service.
        service: String,
        /// Why.
        reason: String,
    },
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
            ClearError::Graph(error) => error.hint(),
            ClearError::NoService { services, .. } => {
                Some(format!("built are: {}; {}", services.join(", "), Target::known()))
            }
            ClearError::Step(error) => error.hint(),
            ClearError::NoGraph { service, .. } => Some(format!("see: unstale plan {service}")),
            ClearError::Builder(error) => error.hint(),
            ClearError::Engine(error) => error.hint(),
            ClearError::Config(error) => error.hint(),
        }
    }
}
