//! Why a service was not built.

use super::super::rerun::RerunError;
use super::super::spec::SpecError;
use super::super::ssh::SshError;
use crate::git::GitError;
use unstale_buildkit::session::Failure;
use unstale_context::ContextError;
use unstale_docker::EngineError;

/// Why a service was not built.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The build cannot be done as it is described.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Something on this machine that the build needs cannot be had.
    #[error(transparent)]
    Session(Failure),
    /// An ssh agent or key cannot be used.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The builder refused the build or a step failed.
    #[error(transparent)]
    BuildKit(#[from] unstale_buildkit::Error),
    /// The image could not be loaded into the engine, or not be found there.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image that was built is not in the engine.
    #[error("the image {0} is not in the engine after the build")]
    NoImage(String),
    /// git could not be asked for the commit.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The context's patterns cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A file for the build could not be written.
    #[error("cannot write a temporary file for the build")]
    Temporary(#[source] std::io::Error),
    /// A `--rerun` selects no step, or several.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// A service that this one is built from failed.
    #[error("service {0}, which it is built from, was not built")]
    Dependency(String),
    /// A plan needs the image of a service that is not built yet.
    #[error("it is built from service {0}, which has to be built first")]
    UnknownBase(String),
    /// The build was stopped.
    #[error("cancelled")]
    Cancelled,
}

impl ServiceError {
    /// A layer was gone that the engine was about to unpack the image on (containerd's store of 28.5, three times in some
    /// 2000 builds; why is not known). The steps are done, and those that may be reused will be.
    pub(super) fn is_lost_snapshot(&self) -> bool {
        let text = self.to_string();
        text.contains("failed to prepare extraction snapshot") && text.contains("does not exist")
    }
}
