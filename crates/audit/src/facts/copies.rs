//! What a Dockerfile copies from its build context, and where to.

use super::{BuildContext, PathKind, is_code, resolve};
use crate::{Project, Span};
use unstale_dockerfile::{Dockerfile, Stage};

/// A `COPY` or `ADD` of files of the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextCopy {
    /// The instruction's index in the file.
    pub instruction: usize,
    /// The stage.
    pub stage: usize,
    /// What is copied: neither heredocs nor addresses.
    pub sources: Vec<ContextSource>,
    /// Where to, as an absolute path; [`None`] where the file does not say which folder it is relative to.
    pub destination: Option<String>,
    /// The whole instruction.
    pub span: Span,
    /// Whether the instruction itself leaves something out: `--exclude`.
    pub excludes: bool,
}

/// A source of a [`ContextCopy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextSource {
    /// The path relative to the context, cleaned; empty for the whole context. [`None`] if it depends on a variable.
    pub path: Option<String>,
    /// As written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl ContextSource {
    /// Whether it is the whole context: `.`, `./`, `/`, `*`.
    pub fn is_whole(&self) -> bool {
        matches!(self.path.as_deref(), Some("" | "*" | "**"))
    }

    /// Whether it is a pattern rather than a path.
    pub fn is_pattern(&self) -> bool {
        self.text.contains(['*', '?', '['])
    }
}

impl ContextCopy {
    /// The source that is the whole context.
    pub fn whole(&self) -> Option<&ContextSource> {
        self.sources.iter().find(|source| source.is_whole())
    }
}

/// What a Dockerfile copies from its context, in order. What `ONBUILD` copies is copied by another build, and left out.
pub fn context_copies(dockerfile: &Dockerfile) -> Vec<ContextCopy> {
    let stages = dockerfile.stages();
    let folders = working_folders(dockerfile, &stages);
    let mut copies = Vec::new();
    for stage in &stages {
        for index in stage.instructions.clone() {
            let instruction = &dockerfile.instructions[index];
            let (Some(arguments), None) = (instruction.copy_arguments(), instruction.copy_from()) else {
                continue;
            };
            if instruction.flag("from").is_some() {
                continue;
            }
            let is_address = |text: &str| text.contains("://") || text.starts_with("git@");
            let sources: Vec<ContextSource> = arguments
                .sources
                .iter()
                .filter(|source| {
                    !source.heredoc && (instruction.keyword != "ADD" || !is_address(&source.text))
                })
                .map(|source| ContextSource {
                    path: context_path(&source.text),
                    text: source.text.clone(),
                    span: source.span,
                })
                .collect();
            if !sources.is_empty() {
                let folder = folders.get(index).cloned().flatten();
                copies.push(ContextCopy {
                    instruction: index,
                    stage: stage.index,
                    sources,
                    destination: absolute(folder.as_deref(), &arguments.destination),
                    span: instruction.span,
                    excludes: instruction.flags.iter().any(|flag| flag.name == "exclude"),
                });
            }
        }
    }
    copies
}

/// The source that brings code: the whole context, or a folder of it that has some.
pub fn brings_code<'c>(
    project: &Project,
    context: &BuildContext,
    copy: &'c ContextCopy,
) -> Option<&'c ContextSource> {
    let has_code = |folder: &str| {
        context.kind(project, folder) == Some(PathKind::Folder)
            && context.files_below(project, folder).any(is_code)
    };
    copy.sources
        .iter()
        .find(|source| source.is_whole() || source.path.as_deref().is_some_and(has_code))
}

/// A source as a path of the context: the engine takes `/x` for `x`, and does not go above the context.
fn context_path(text: &str) -> Option<String> {
    let text = text.trim_matches(['"', '\'']);
    if text.contains('$') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// For each instruction the folder that relative paths in it start from; [`None`] where the base image decides, or a
/// variable.
pub fn working_folders(dockerfile: &Dockerfile, stages: &[Stage]) -> Vec<Option<String>> {
    let mut folders: Vec<Option<String>> = vec![None; dockerfile.instructions.len()];
    let mut last: Vec<Option<String>> = Vec::with_capacity(stages.len());
    for stage in stages {
        let mut folder = stage
            .base_stage
            .and_then(|base| last.get(base).cloned().flatten());
        for index in stage.instructions.clone() {
            let instruction = &dockerfile.instructions[index];
            if instruction.keyword == "WORKDIR" {
                folder = absolute(folder.as_deref(), instruction.args.trim_matches(['"', '\'']));
            }
            if let Some(own) = folders.get_mut(index) {
                own.clone_from(&folder);
            }
        }
        last.push(folder);
    }
    folders
}

/// A path in an image as an absolute one without a slash at its end.
fn absolute(folder: Option<&str>, path: &str) -> Option<String> {
    let path = path.trim_matches(['"', '\'']);
    if path.contains('$') {
        return None;
    }
    let (base, rest) = match path.strip_prefix('/') {
        Some(rest) => ("", rest),
        None => (folder?, path),
    };
    let inner = resolve(base.trim_start_matches('/'), rest.trim_start_matches('/'))?;
    Some(format!("/{inner}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(text: &str) -> Vec<ContextCopy> {
        context_copies(&Dockerfile::parse(text))
    }

    #[test]
    fn sources_are_paths_of_the_context_and_destinations_absolute() {
        let found = copies(
            "FROM a AS x\nWORKDIR /app\nWORKDIR sub\nCOPY ./src/ /lib/a b/\nFROM x\nCOPY . .\nADD https://x/y /z/\nCOPY --from=x /app /app\nCOPY $A ./a\nFROM b\nCOPY . .\n",
        );
        let shown: Vec<String> = found
            .iter()
            .map(|copy| {
                let sources: Vec<&str> = copy
                    .sources
                    .iter()
                    .map(|source| source.path.as_deref().unwrap_or("?"))
                    .collect();
                format!(
                    "{}: {} -> {}",
                    copy.stage,
                    sources.join(","),
                    copy.destination.as_deref().unwrap_or("?")
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "0: src,lib/a -> /app/sub/b",
                "1:  -> /app/sub",
                "1: ? -> /app/sub/a",
                "2:  -> ?"
            ]
        );
        assert!(found[1].whole().is_some() && found[0].whole().is_none());
    }
}
