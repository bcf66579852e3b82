//! What rules ask of a project as a whole, whatever kind of file says it: Docker's commands wherever they stand, and builds
//! whoever asks for them.
//!
//! Facts are gathered, not judged. They are computed once for a project.

mod artifacts;
mod builds;
mod built_services;
pub(crate) mod caches;
mod choice;
mod commands;
mod commit;
mod compose;
mod contexts;
mod copies;
mod deploys;
pub(crate) mod environment;
mod fetches;
pub mod flow;
mod image_paths;
mod images;
mod installs;
pub(crate) mod names;
pub(crate) mod overrides;
mod packages;
mod paths;
mod purpose;
mod secret_names;
mod stage_role;
mod started;
pub(crate) mod units;

pub use artifacts::{Artifact, ArtifactKind, Manifests, reads_repository};
pub use builds::{Build, BuildArg, CacheUse, Setting, Via};
pub use built_services::{
    BuiltService, built_services, has_ports, is_code, is_ignored, mount_place, mount_target,
};
pub use choice::is_by_choice;
pub use commands::DockerUse;
pub use commit::{CommitArg, CommitUse, DEFAULT_COMMIT_ARG, Given, commit_args, given};
pub use contexts::{BuildContext, ContextIgnore, ContextOrigin, PathKind};
pub use copies::{ContextCopy, ContextSource, brings_code, context_copies, working_folders};
pub use deploys::{Machine, machine_of_job};
pub use fetches::{Fetch, FetchKind, checks_content, fetch_of, git_verb, pins_clone};
pub use image_paths::{DeclaredVolume, Filled, Filling, ImagePaths, below, clean, files_below, image_paths};
pub use images::{ImageName, MadeImages, Maker};
pub use installs::{
    DependencyInstall, Installs, Manager, dependency_installs, package_manifests, workspace_manifests,
};
pub use packages::PackageLists;
pub use paths::resolve;
pub use purpose::{
    Purpose, is_for_development, is_named_for_development, is_named_for_tests, is_of_tests, purpose_within,
};
pub use secret_names::{SecretValue, is_secret_name, secret_value};
pub use stage_role::{StageRole, stage_role};
pub use started::starts_service;

use crate::Project;
use crate::compose::project::ComposeProject;

/// What was gathered.
#[derive(Debug, Default)]
pub struct Facts {
    /// Every build that a file of the project asks for.
    pub builds: Vec<Build>,
    /// What the Compose files make together.
    pub compose: Vec<ComposeProject>,
    /// The context, or contexts, of every Dockerfile.
    pub contexts: Vec<BuildContext>,
    /// What runs one after another.
    pub flows: Vec<flow::Flow>,
    /// The images that the project makes.
    pub images: MadeImages,
}

impl Facts {
    pub(crate) fn of(project: &Project) -> Facts {
        let compose = compose::projects(project);
        let builds = builds::of(project, &compose);
        let images = MadeImages::of(project, &builds, &compose);
        let contexts = contexts::of(project, &builds);
        Facts {
            builds,
            compose,
            contexts,
            flows: flow::of(project),
            images,
        }
    }
}
