//! What runs together, one after the other, on one machine: a script, a recipe, a job.

use super::{Build, Via};
use crate::{EmbeddedScript, FileId, Project, ScriptPlace};

/// A sequence of commands and steps. Within it, what stands first in the file runs first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// A script that is a file.
    Script(FileId),
    /// A recipe of a Makefile.
    Recipe(FileId, usize),
    /// A job of a workflow or a pipeline.
    Job(FileId, usize),
    /// A `RUN` of a Dockerfile.
    Run(FileId, usize),
}

impl Unit {
    /// That of a script.
    pub fn of_script(file: FileId, script: &EmbeddedScript) -> Unit {
        match script.place {
            ScriptPlace::Whole => Unit::Script(file),
            ScriptPlace::Recipe(recipe, _) => Unit::Recipe(file, recipe),
            ScriptPlace::Step(job, _) | ScriptPlace::Job(job) | ScriptPlace::AfterJob(job) => {
                Unit::Job(file, job)
            }
            ScriptPlace::Run(instruction) => Unit::Run(file, instruction),
        }
    }

    /// That of a build; none where a file declares it and something else runs it.
    pub fn of_build(project: &Project, build: &Build) -> Option<Unit> {
        match build.via {
            Via::Command(script, _) | Via::ComposeCommand(script, _) => {
                let script = project.file(build.file).scripts.get(script)?;
                Some(Unit::of_script(build.file, script))
            }
            Via::Step(job, _) => Some(Unit::Job(build.file, job)),
            Via::Service(_) | Via::Target(_) => None,
        }
    }
}
