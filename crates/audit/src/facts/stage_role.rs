//! What a stage is to the images that are made of its Dockerfile.

use crate::{FileId, Project};
use std::collections::BTreeSet;
use unstale_dockerfile::{Dockerfile, Scope, Stage, base_chain};

/// What a stage is to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageRole {
    /// No build of the project makes it.
    Unused,
    /// An image takes results from it: its history is not the image's.
    Build,
    /// An image is it, or is based on it.
    Image,
}

/// What the stage of a declaration is. What stands before the first stage is for all of them.
pub fn stage_role(project: &Project, id: FileId, dockerfile: &Dockerfile, scope: Scope) -> StageRole {
    let stages = dockerfile.stages();
    let (Scope::Stage(stage), Some(last)) = (scope, stages.len().checked_sub(1)) else {
        return StageRole::Image;
    };
    let targets: Option<BTreeSet<usize>> = match targets(project, id) {
        targets if targets.is_empty() => Some(BTreeSet::from([last])),
        targets => targets
            .into_iter()
            .map(|target| target.map_or(Some(last), |name| index_of(&stages, name)))
            .collect(),
    };
    // A target that a variable names can be any.
    let Some(targets) = targets else {
        return StageRole::Image;
    };
    let role = |target: &usize| {
        if base_chain(&stages, *target).any(|one| one.index == stage) {
            StageRole::Image
        } else if dockerfile.needed_stages(*target).contains(&stage) {
            StageRole::Build
        } else {
            StageRole::Unused
        }
    };
    targets.iter().map(role).max().unwrap_or(StageRole::Image)
}

/// The targets of the builds of a Dockerfile.
fn targets(project: &Project, id: FileId) -> BTreeSet<Option<&str>> {
    let builds = project.facts().builds.iter();
    let own = builds.filter(|build| build.dockerfile == Some(id));
    own.map(|build| build.target.as_deref()).collect()
}

fn index_of(stages: &[Stage], name: &str) -> Option<usize> {
    let named = stages
        .iter()
        .rev()
        .find(|stage| stage.name.as_deref() == Some(name.to_lowercase().as_str()));
    named
        .map(|stage| stage.index)
        .or_else(|| name.parse().ok().filter(|index| *index < stages.len()))
}
