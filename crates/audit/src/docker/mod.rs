//! The command lines of Docker and its like, as the programs read them.
//!
//! For rules that ask what a command builds, starts, clears or moves. Which options take a value is from the sources of
//! docker/cli 28.5, docker/compose 2.40 and docker/buildx 0.38, and from the manuals of podman, buildah and buildctl. What
//! is not known is kept, and nothing is looked up outside of the words.

mod action;
mod build;
mod cache;
mod compose;
mod flags;
mod option;
mod recognise;

#[cfg(test)]
mod tests;

pub use action::{Action, BuilderAction, ContainerVerb, ImageTransfer, Prune, PruneScope, Run};
pub use build::{Bake, Build, BuildArg};
pub use cache::Cache;
pub use compose::{ComposeBuild, ComposeRun, ComposeUp, ComposeVerb, Project as ComposeProject};
pub use option::{Argument, Flag, Flags};
pub use recognise::{DockerCommand, Tool};
