//! What is given to bake beside its files: `--set target.key=value`, and the `set` of `docker/bake-action`.

use crate::docker::Action;
use crate::shell::Editor;
use crate::{Content, Edit, FileId, Project, Span};

/// A value that replaces one of a bake file's targets.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    /// The target's name or a pattern: `*`.
    pub target: String,
    /// `cache-to`, `args.NAME`, `no-cache` …
    pub key: String,
    /// The value.
    pub value: String,
    /// The file.
    pub file: FileId,
    /// Where.
    pub span: Span,
    /// What to edit so that it is gone; empty where that is not known.
    pub removal: Vec<Edit>,
}

impl Override {
    fn of(text: &str, file: FileId, span: Span, removal: Vec<Edit>) -> Option<Override> {
        let (place, value) = text.split_once('=')?;
        let (target, key) = place.trim_end_matches('+').split_once('.')?;
        Some(Override {
            target: target.trim().to_owned(),
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            file,
            span,
            removal,
        })
    }

    /// Whether it is about a target.
    pub fn concerns(&self, target: &str) -> bool {
        match self.target.split_once('*') {
            Some((before, after)) => target.starts_with(before) && target.ends_with(after),
            None => self.target == target,
        }
    }
}

/// All of them, in the order of the files.
pub(crate) fn overrides(project: &Project) -> Vec<Override> {
    let mut found = Vec::new();
    for used in project.docker_commands() {
        if !matches!(used.docker.action, Action::Bake(_)) {
            continue;
        }
        let editor = Editor::new(used.file, &project.file(used.file).source);
        for flag in used.docker.flags.all("set") {
            let removal = editor.remove_words(used.command, flag.words.clone());
            let value = flag.value.as_deref().unwrap_or_default();
            found.extend(Override::of(value, used.file, flag.span, removal.into_iter().collect()));
        }
    }
    for (file, read) in project.files() {
        let Content::GithubWorkflow(workflow) = &read.content else {
            continue;
        };
        for (_, step) in workflow.steps().filter(|(_, step)| step.is_action("docker/bake-action")) {
            for item in step.with("set").map_or(Vec::new(), |pair| pair.lines()) {
                let removal = vec![Edit {
                    file,
                    span: item.removal,
                    content: String::new(),
                }];
                found.extend(Override::of(item.as_str(), file, item.span, removal));
            }
        }
    }
    found
}
