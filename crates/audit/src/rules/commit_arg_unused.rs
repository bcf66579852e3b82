//! A commit argument without effect: declared and used nowhere, used in a stage that does not declare it, or passed to a
//! Dockerfile that does not declare it.
//!
//! ## Why
//!
//! An argument that no Dockerfile declares is dropped by the builder; one that another stage declares, or that stands before
//! the first `FROM` alone, is empty. The image then says nothing of its commit, and no step depends on it: the mechanism
//! looks as if it worked. An argument that is declared and used by nothing is part of the environment of every `RUN` behind
//! it all the same, so that each commit runs these again, for nothing that could be seen in the file.
//!
//! ## Example
//!
//! ```dockerfile
//! ARG GIT_COMMIT_HASH
//! FROM alpine:3.20
//! COPY . /app
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM alpine:3.20
//! COPY . /app
//! ARG GIT_COMMIT_HASH
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! ```
//!
//! ## Fix safety
//!
//! Declaring the argument in the stage that uses it gives it the value that the build passes. What the step makes differs
//! from then on, so the fix is unsafe.
//!
//! ## References
//!
//! - [Scope of build arguments](https://docs.docker.com/build/building/variables/#scoping)

use super::Rule;
use crate::facts::{Build, BuildArg, CommitArg, Via, commit_args};
use crate::shell::Command;
use crate::{
    Applicability, Confidence, Content, Edit, FileId, Finding, Fix, Project, ScriptPlace, Severity, Span,
};
use std::collections::{BTreeMap, BTreeSet};
use unstale_dockerfile::{Dockerfile, Scope, Stage, base_chain};

pub(super) const RULE: Rule = Rule::new(
    "commit-arg-unused",
    "a commit argument without effect",
    Severity::Medium,
    check,
)
.fixable();

/// Programs that do not look at variables of their environment which they do not know.
const INDIFFERENT: &[&str] = &[
    "[",
    "addgroup",
    "adduser",
    "apk",
    "apt",
    "apt-get",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "command",
    "cp",
    "curl",
    "cut",
    "dnf",
    "dpkg",
    "echo",
    "exit",
    "export",
    "find",
    "grep",
    "groupadd",
    "head",
    "id",
    "install",
    "ldconfig",
    "ln",
    "locale-gen",
    "ls",
    "mkdir",
    "mv",
    "printf",
    "rm",
    "sed",
    "set",
    "sleep",
    "sort",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "unzip",
    "update-ca-certificates",
    "useradd",
    "usermod",
    "wget",
    "which",
    "yum",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, _, dockerfile) in project.dockerfiles() {
        let stages = dockerfile.stages();
        for arg in commit_args(project, id) {
            match arg.uses.is_empty() {
                true => findings.extend(never_used(project, id, &stages, &arg)),
                false => empty_uses(project, id, dockerfile, &stages, &arg, findings),
            }
        }
    }
    passed_to_none(project, findings);
}

/// An argument that no instruction uses.
fn never_used(project: &Project, id: FileId, stages: &[Stage], arg: &CommitArg) -> Option<Finding> {
    let first = arg.declarations.first()?;
    let mut reruns = None;
    for script in &project.file(id).scripts {
        let ScriptPlace::Run(run) = script.place else {
            continue;
        };
        if !is_behind(stages, arg, run) {
            continue;
        }
        let commands = script.script.commands();
        if script.script.is_broken() || commands.iter().any(may_read) {
            return None;
        }
        reruns = reruns.or_else(|| commands.first().map(|command| command.span));
    }
    // A `RUN` without a shell starts a program that may read it.
    let Content::Dockerfile(dockerfile) = &project.file(id).content else {
        return None;
    };
    let mut instructions = dockerfile.instructions.iter().enumerate();
    let is_opaque = |(index, instruction): (usize, &unstale_dockerfile::Instruction)| {
        let has_script = project
            .file(id)
            .scripts
            .iter()
            .any(|script| script.place == ScriptPlace::Run(index));
        instruction.keyword == "RUN" && !has_script && is_behind(stages, arg, index)
    };
    if instructions.any(is_opaque) {
        return None;
    }
    let message = match reruns {
        None => format!("`{}` is declared and used nowhere", arg.name),
        Some(_) => format!(
            "`{}` is used nowhere, and each commit runs the `RUN`s behind it again",
            arg.name
        ),
    };
    let mut finding =
        Finding::new(RULE.id, Severity::Low, Confidence::High, message, (id, first.name_span)).help(format!(
            "use it as the last thing of the stage, such as `LABEL org.opencontainers.image.revision=${}`, or remove it",
            arg.name
        ));
    if let Some(span) = reruns {
        finding = finding.also((id, span), "runs again with every commit");
    }
    Some(finding)
}

/// Whether an instruction has the argument in its environment.
fn is_behind(stages: &[Stage], arg: &CommitArg, instruction: usize) -> bool {
    let Some(own) = stages
        .iter()
        .find(|stage| stage.instructions.contains(&instruction))
    else {
        return false;
    };
    base_chain(stages, own.index).any(|stage| {
        arg.declarations_in(stage.index)
            .any(|declaration| declaration.instruction < instruction)
    })
}

fn may_read(command: &Command) -> bool {
    !INDIFFERENT.contains(&command.name())
}

/// Uses in stages that do not declare the argument.
fn empty_uses(
    project: &Project,
    id: FileId,
    dockerfile: &Dockerfile,
    stages: &[Stage],
    arg: &CommitArg,
    findings: &mut Vec<Finding>,
) {
    // The first instruction of each stage that gives the name a meaning; of those before the first stage, none.
    let mut declared: BTreeMap<usize, usize> = BTreeMap::new();
    for declaration in dockerfile
        .declarations()
        .into_iter()
        .filter(|one| one.name == arg.name)
    {
        if let Scope::Stage(stage) = declaration.scope {
            declared.entry(stage).or_insert(declaration.instruction);
        }
    }
    let mut told = BTreeSet::new();
    let source = &project.file(id).source;
    for one in &arg.uses {
        let instruction = &dockerfile.instructions[one.instruction];
        let is_built = matches!(
            instruction.keyword.as_str(),
            "RUN" | "LABEL" | "ENV" | "COPY" | "ADD" | "WORKDIR"
        );
        let Some(own) = stages
            .iter()
            .find(|stage| stage.instructions.contains(&one.instruction))
        else {
            continue;
        };
        let is_declared = base_chain(stages, own.index).any(|stage| {
            declared
                .get(&stage.index)
                .is_some_and(|first| *first < one.instruction)
        });
        let text = instruction.span.slice(source.text());
        // A step may give the name a value itself; only what a shell or the engine expands is empty.
        let sets = text.contains(&format!("{}=", arg.name)) && instruction.keyword == "RUN";
        let expands = text.contains(&format!("${}", arg.name)) || text.contains(&format!("${{{}", arg.name));
        let has_default = instruction.references.iter().any(|reference| {
            reference.name == arg.name
                && reference
                    .operator
                    .as_deref()
                    .is_some_and(|operator| operator.contains('-'))
        });
        if !is_built || is_declared || sets || !expands || has_default || !told.insert(own.index) {
            continue;
        }
        let elsewhere = match arg.declarations.first() {
            Some(first) if first.scope == Scope::Global => "declared before the first `FROM` alone",
            Some(first) if first.instruction > one.instruction => "declared behind it",
            _ => "declared in another stage",
        };
        let mut finding = Finding::new(
            RULE.id,
            Severity::Medium,
            Confidence::High,
            format!("`{}` is empty here: it is {elsewhere}", arg.name),
            (id, one.span),
        )
        .help(format!(
            "declare it in this stage: `ARG {}` before this instruction",
            arg.name
        ))
        .fix(declare(id, source, instruction.span, &arg.name));
        if let Some(first) = arg.declarations.first() {
            finding = finding.also((id, first.name_span), "declared here");
        }
        findings.push(finding);
    }
}

fn declare(file: FileId, source: &crate::Source, before: Span, name: &str) -> Option<Fix> {
    let start = source.whole_lines(Span::new(before.start, before.start)).start;
    let indentation = source.text().get(start..before.start)?;
    if !indentation.trim().is_empty() {
        return None;
    }
    let line_break = if source.text().contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    Some(Fix {
        title: format!("declare {name} in the stage that uses it"),
        change: format!("Declared {name} in the stage that uses it"),
        impact: "The commit reaches the step".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![Edit {
            file,
            span: Span::new(before.start, before.start),
            content: format!("ARG {name}{line_break}{indentation}"),
        }],
    })
}

/// Arguments that builds pass, and that no Dockerfile built with them declares.
fn passed_to_none(project: &Project, findings: &mut Vec<Finding>) {
    let builds = &project.facts().builds;
    let of_services: Vec<&Build> = builds
        .iter()
        .filter(|build| matches!(build.via, Via::Service(_)))
        .collect();
    // One argument can be that of several builds: of targets that inherit it, of services that share it.
    let mut passed: BTreeMap<(FileId, Span), (&BuildArg, Vec<&Build>)> = BTreeMap::new();
    for build in builds {
        for arg in build.args.iter().filter(|arg| project.is_commit_name(&arg.name)) {
            let entry = passed.entry((arg.file, arg.span)).or_insert((arg, Vec::new()));
            match build.is_of_compose() {
                true => entry.1.extend(&of_services),
                false => entry.1.push(build),
            }
        }
    }
    for ((file, span), (arg, builds)) in passed {
        let declares = |build: &&Build| match build.dockerfile {
            None => true,
            Some(id) => match &project.file(id).content {
                Content::Dockerfile(dockerfile) => {
                    dockerfile.declares_arg(&arg.name)
                        || has_own_frontend(dockerfile)
                        || project.file(id).problem().is_some()
                }
                _ => true,
            },
        };
        let (Some(first), false) = (builds.first(), builds.iter().any(declares)) else {
            continue;
        };
        let Some(dockerfile) = first.dockerfile else {
            continue;
        };
        let path = project.file(dockerfile).source.path();
        let many = builds.iter().any(|build| build.dockerfile != first.dockerfile);
        let message = match many {
            true => format!(
                "`{}` is passed, and none of the Dockerfiles declares it",
                arg.name
            ),
            false => format!("`{}` is passed, and `{path}` does not declare it", arg.name),
        };
        let confidence = match first.via {
            Via::Command(..) => Confidence::Medium,
            _ => Confidence::High,
        };
        findings.push(
            Finding::new(RULE.id, Severity::Medium, confidence, message, (file, span))
                .help(format!(
                    "declare it behind the install of dependencies: `ARG {}`, and use it there, or pass it no more",
                    arg.name
                ))
                .also((dockerfile, from_of(project, dockerfile)), "declares no such argument"),
        );
    }
}

fn has_own_frontend(dockerfile: &Dockerfile) -> bool {
    dockerfile.directive("syntax").is_some_and(|syntax| {
        !syntax.starts_with("docker/dockerfile") && !syntax.starts_with("docker.io/docker/dockerfile")
    })
}

/// The last `FROM`, that of the image.
fn from_of(project: &Project, id: FileId) -> Span {
    match &project.file(id).content {
        Content::Dockerfile(dockerfile) => dockerfile
            .stages()
            .last()
            .and_then(|stage| dockerfile.instructions.get(stage.instruction))
            .map_or(Span::default(), |from| from.span),
        _ => Span::default(),
    }
}
