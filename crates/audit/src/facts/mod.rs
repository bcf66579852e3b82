//! What rules ask of a project as a whole, whatever kind of file says it: Docker's commands wherever they stand, and builds
//! whoever asks for them.
//!
//! Facts are gathered, not judged. They are computed once for a project.

mod builds;
pub(crate) mod caches;
mod commands;
mod compose;
pub(crate) mod environment;
pub mod flow;
pub(crate) mod names;
pub(crate) mod overrides;
mod paths;
pub(crate) mod units;

pub use builds::{Build, BuildArg, CacheUse, Setting, Via};
pub use commands::DockerUse;
pub use paths::resolve;

use crate::Project;
use crate::compose::project::ComposeProject;

/// What was gathered.
#[derive(Debug, Default)]
pub struct Facts {
    /// Every build that a file of the project asks for.
    pub builds: Vec<Build>,
    /// What the Compose files make together.
    pub compose: Vec<ComposeProject>,
    /// What runs one after another.
    pub flows: Vec<flow::Flow>,
}

impl Facts {
    pub(crate) fn of(project: &Project) -> Facts {
        let compose = compose::projects(project);
        Facts {
            builds: builds::of(project, &compose),
            compose,
            flows: flow::of(project),
        }
    }
}
