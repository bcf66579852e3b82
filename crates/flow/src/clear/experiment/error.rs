//! Why an experiment has no answer.

use crate::builder::BuilderError;
use crate::config::ConfigError;
use unstale_docker::EngineError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// There is no builder.
    #[error(transparent)]
    Builder(#[from] BuilderError),
    /// `unstale.toml` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// BuildKit cannot do it.
    #[error("the experiment's own image cannot be built and cleared")]
    BuildKit(#[from] unstale_buildkit::Error),
    /// The engine does not remove an image.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Without a clear nothing is reused either.
    #[error(
        "the builder ran {ran} of {} steps again although nothing was cleared",
        super::STEPS
    )]
    NoReuse {
        /// How many.
        ran: usize,
    },
    /// The experiment's records cannot be told from those of somebody else.
    #[error(
        "another build ran beside the experiment, and this builder does not tell whose records are whose: a few small ones may be left"
    )]
    NotAlone,
    /// A build uses the experiment's records.
    #[error("the records of the experiment are still in use {} s after its build", super::SETTLE.as_secs())]
    InUse,
    /// The user has stopped it.
    #[error("interrupted")]
    Interrupted,
    /// Something went wrong, and then the experiment could not tidy up either.
    #[error("{0}; then {1}")]
    Untidy(Box<ExperimentError>, String),
}

impl ExperimentError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExperimentError::Builder(error) => error.hint(),
            ExperimentError::Config(error) => error.hint(),
            ExperimentError::Engine(error) => error.hint(),
            ExperimentError::NoReuse { .. } | ExperimentError::NotAlone | ExperimentError::InUse => {
                Some("try again when nobody else builds or prunes on it".to_owned())
            }
            ExperimentError::Untidy(error, _) => error.hint(),
            ExperimentError::BuildKit(_) | ExperimentError::Interrupted => None,
        }
    }
}
