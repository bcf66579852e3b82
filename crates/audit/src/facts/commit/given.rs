//! Which builds give an argument to a Dockerfile, whoever asks for them and however.

use super::mentions;
use crate::docker::Action;
use crate::facts::{Build, Via};
use crate::{Content, FileId, Project};

/// Whether builds of a Dockerfile give an argument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The builds of the Dockerfile, as indexes of [`Facts::builds`](super::Facts::builds).
    pub builds: Vec<usize>,
    /// Those of them that give it, or may.
    pub giving: Vec<usize>,
    /// Whether something gives an argument of that name and does not say to which Dockerfile.
    pub elsewhere: bool,
}

impl Given {
    /// Whether the builds are known, and none gives it.
    pub fn by_none(&self) -> bool {
        !self.builds.is_empty() && self.giving.is_empty() && !self.elsewhere
    }
}

/// Which builds of a Dockerfile give an argument.
pub fn given(project: &Project, dockerfile: FileId, name: &str) -> Given {
    let builds = &project.facts().builds;
    let mut given = Given::default();
    let names_it = |build: &Build| {
        build.is_open
            || build
                .args
                .iter()
                .any(|arg| arg.name == name || !is_name(&arg.name))
    };
    let by_compose = builds
        .iter()
        .any(|build| build.is_of_compose() && names_it(build));
    let by_bake = project.docker_commands().any(|found| match &found.docker.action {
        Action::Bake(bake) => bake.set.iter().any(|set| mentions(set, name)),
        _ => false,
    });
    for (index, build) in builds.iter().enumerate() {
        if build.dockerfile != Some(dockerfile) {
            // It may be of this Dockerfile, if it says not of which it is.
            given.elsewhere |= build.dockerfile.is_none()
                && !build.is_of_compose()
                && build.args.iter().any(|arg| arg.name == name);
            continue;
        }
        given.builds.push(index);
        let gives = names_it(build)
            || matches!(build.via, Via::Service(_)) && by_compose
            || matches!(build.via, Via::Target(_) | Via::Service(_)) && by_bake;
        if gives {
            given.giving.push(index);
        }
    }
    // All files are looked through only where it decides something.
    if given.by_none() {
        given.elsewhere = project.files().any(|(id, file)| {
            let is_read = builds
                .iter()
                .any(|build| build.file == id && build.arg(name).is_some());
            !is_read && gives_elsewhere(&file.content, file.source.text(), name)
        });
    }
    given
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a file gives an argument to a build that is not among those that are known: another action's input, a script
/// that puts options together.
fn gives_elsewhere(content: &Content, text: &str, name: &str) -> bool {
    let speaks_of_args = |text: &str| {
        let lower = text.to_ascii_lowercase().replace(['-', '_'], "");
        lower.contains("buildarg") || lower.contains("dockerargs")
    };
    match content {
        Content::GithubWorkflow(workflow) => workflow.steps().any(|(_, step)| {
            !step.builds_image()
                && step
                    .with
                    .iter()
                    .any(|pair| speaks_of_args(&pair.name) && mentions(pair.text(), name))
        }),
        Content::Script | Content::Makefile(_) | Content::GitlabPipeline(_) => text
            .lines()
            .any(|line| speaks_of_args(line) && mentions(line, name)),
        _ => false,
    }
}
