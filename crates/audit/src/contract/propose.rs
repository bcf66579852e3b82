//! A contract for a project, from what there is in it: what holds, and what would with its faults mended.

use super::check::{calls, is_given, prunes, unstale_clears};
use super::{ClearsOnlyIf, CommitArg, Contract, WorkflowRuns};
use crate::shell::{Check, Command};
use crate::{Content, FileId, FileKind, Project};
use std::fmt::Write;
use unstale_dockerfile::DeclarationKind;

impl Contract {
    /// What a project can promise. `commit_arg` is the build argument that carries the commit.
    pub fn of(project: &Project, commit_arg: &str) -> Contract {
        let path = |file: FileId| project.file(file).source.path().to_owned();
        let scripts = || {
            project
                .files()
                .filter(|(_, file)| file.kind == FileKind::Script)
                .map(|(id, _)| id)
        };
        let clearing: Vec<FileId> = scripts()
            .filter(|&file| {
                prunes(project, file).next().is_some() || unstale_clears(project, file).next().is_some()
            })
            .collect();
        Contract {
            no_inline_cache: project
                .files()
                .map(|(id, _)| id)
                .filter(|&file| builds(project, file))
                .map(path)
                .collect(),
            clears_builder_cache: clearing.iter().copied().map(path).collect(),
            clears_only_if: clearing.iter().filter_map(|&file| gate(project, file)).collect(),
            commit_arg: commit(project, commit_arg).into_iter().collect(),
            workflow_runs: clearing
                .iter()
                .flat_map(|&script| runs(project, &path(script)))
                .collect(),
            no_findings: Vec::new(),
        }
    }

    /// As text for `unstale.toml`.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# What must stay true. Each line is checked by: unstale check --contract\n[contract]\n",
        );
        let list = |items: &[String]| {
            items
                .iter()
                .map(|item| quoted(item))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut add = |key: &str, items: Vec<String>| match items.as_slice() {
            [] => {}
            [one] => drop(writeln!(text, "{key} = [{one}]")),
            many => drop(writeln!(text, "{key} = [\n    {},\n]", many.join(",\n    "))),
        };
        add(
            "no-inline-cache",
            self.no_inline_cache.iter().map(|path| quoted(path)).collect(),
        );
        add(
            "clears-builder-cache",
            self.clears_builder_cache
                .iter()
                .map(|path| quoted(path))
                .collect(),
        );
        add(
            "clears-only-if",
            self.clears_only_if
                .iter()
                .map(|only| {
                    let (script, variable, value) =
                        (quoted(&only.script), quoted(&only.variable), quoted(&only.value));
                    format!("{{ script = {script}, variable = {variable}, value = {value} }}")
                })
                .collect(),
        );
        add(
            "commit-arg",
            self.commit_arg
                .iter()
                .map(|arg| {
                    format!(
                        "{{ name = {}, dockerfiles = [{}] }}",
                        quoted(&arg.name),
                        list(&arg.dockerfiles)
                    )
                })
                .collect(),
        );
        add(
            "workflow-runs",
            self.workflow_runs
                .iter()
                .map(|runs| {
                    format!(
                        "{{ workflow = {}, script = {} }}",
                        quoted(&runs.workflow),
                        quoted(&runs.script)
                    )
                })
                .collect(),
        );
        add(
            "no-findings",
            self.no_findings.iter().map(|rule| quoted(rule)).collect(),
        );
        text
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a file builds images: a Compose file with build sections, a script with a command that builds.
fn builds(project: &Project, file: FileId) -> bool {
    let is_kind = matches!(project.file(file).kind, FileKind::Compose | FileKind::Script);
    is_kind && project.facts().builds.iter().any(|build| build.file == file)
}

/// The variable and value that all clearing of a script is behind.
fn gate(project: &Project, file: FileId) -> Option<ClearsOnlyIf> {
    let pruned = prunes(project, file).map(|(found, _)| found.command);
    let commands: Vec<&Command> = pruned.chain(unstale_clears(project, file)).collect();
    let tests = commands
        .first()?
        .context
        .guards
        .iter()
        .flat_map(|guard| &guard.tests);
    let mut candidates = tests.filter_map(|test| match &test.check {
        Check::OneOf(values) if values.len() == 1 => Some((&test.variable, values.first()?)),
        _ => None,
    });
    let (variable, value) = candidates.find(|(variable, value)| {
        let is_behind =
            |command: &&Command| command.context.values_of(variable) == Some(std::slice::from_ref(*value));
        commands.iter().all(is_behind)
    })?;
    Some(ClearsOnlyIf {
        script: project.file(file).source.path().to_owned(),
        variable: variable.clone(),
        value: value.clone(),
    })
}

fn commit(project: &Project, name: &str) -> Option<CommitArg> {
    let declares = |(id, file, dockerfile): (FileId, &crate::File, &unstale_dockerfile::Dockerfile)| {
        let declared = dockerfile
            .declarations()
            .iter()
            .any(|declaration| declaration.kind == DeclarationKind::Arg && declaration.name == name);
        (declared && is_given(project, id, name)).then(|| file.source.path().to_owned())
    };
    let dockerfiles: Vec<String> = project.dockerfiles().filter_map(declares).collect();
    (!dockerfiles.is_empty()).then(|| CommitArg {
        name: name.to_owned(),
        dockerfiles,
    })
}

/// The workflows that run a script.
fn runs(project: &Project, script: &str) -> Vec<WorkflowRuns> {
    let workflows = project.files().filter(|(_, file)| {
        matches!(
            file.content,
            Content::GithubWorkflow(_) | Content::GitlabPipeline(_)
        )
    });
    workflows
        .filter(|(id, _)| calls(project, *id, script))
        .map(|(_, file)| WorkflowRuns {
            workflow: file.source.path().to_owned(),
            script: script.to_owned(),
        })
        .collect()
}
