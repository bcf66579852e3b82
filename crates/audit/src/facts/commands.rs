//! Docker's commands, wherever they stand.

use crate::docker::DockerCommand;
use crate::shell::{Command, Word};
use crate::{EmbeddedScript, FileId, Project, Span};

/// A command of Docker, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct DockerUse<'a> {
    /// The file.
    pub file: FileId,
    /// The script that it is in.
    pub script: &'a EmbeddedScript,
    /// Its index among the script's commands.
    pub index: usize,
    /// The command as the shell sees it.
    pub command: &'a Command,
    /// What it does.
    pub docker: &'a DockerCommand,
}

impl DockerUse<'_> {
    /// Where it stands.
    pub fn place(&self) -> (FileId, Span) {
        (self.file, self.command.span)
    }

    /// Its words up to the verb, with expressions of a workflow as they are written.
    pub fn name(&self, project: &Project) -> String {
        let text = project.file(self.file).source.text();
        let words = self.command.words.get(..=self.docker.verb).unwrap_or_default();
        let word = |word: &Word| match word.text.contains("${__") {
            true => word.span.slice(text).to_owned(),
            false => word.text.clone(),
        };
        words.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

impl Project {
    /// All shell scripts with the files that they stand in.
    pub fn scripts(&self) -> impl Iterator<Item = (FileId, &EmbeddedScript)> {
        self.files()
            .flat_map(|(id, file)| file.scripts.iter().map(move |script| (id, script)))
    }

    /// All commands of Docker, in the order of the files.
    pub fn docker_commands(&self) -> impl Iterator<Item = DockerUse<'_>> {
        self.scripts().flat_map(|(file, script)| {
            script.docker.iter().filter_map(move |(index, docker)| {
                let command = script.script.commands().get(*index)?;
                Some(DockerUse {
                    file,
                    script,
                    index: *index,
                    command,
                    docker,
                })
            })
        })
    }
}
