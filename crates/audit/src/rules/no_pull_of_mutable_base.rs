//! A deployment that builds on a machine that keeps its images, from a base image whose tag moves, and never asks for a newer one.
//!
//! Only where the files say so: the build runs on a server or by a script that starts the result, the Dockerfile's base has
//! a tag that moves (`latest`, `stable`, or a version without its last number, such as `node:22`), and neither the command
//! (`--pull`) nor the Compose file (`pull: true`) asks. Machines of a CI that are new each time pull anyway, a base that the
//! project itself makes is in no registry, and builders in containers ask the registry for every build.
//!
//! ## Why
//!
//! With the classic image store the engine's builder takes the local image of that name, and asks no registry. The base
//! stays the one of the first build on that machine: its security fixes never arrive, and a machine that is set up later
//! builds something else from the same commit (moby/moby#46280). Everything above it is cached upon that old base.
//!
//! ## Example
//!
//! `Dockerfile`:
//! ```dockerfile
//! FROM node:22
//! COPY . /app
//! ```
//! `deploy.sh`:
//! ```sh
//! docker build -t shop .
//! docker rm -f shop
//! docker run -d --name shop shop
//! ```
//!
//! ## Instead
//!
//! Ask for the newest image of that tag. If there is none, every step stays cached:
//!
//! `Dockerfile`:
//! ```dockerfile
//! FROM node:22
//! COPY . /app
//! ```
//! `deploy.sh`:
//! ```sh
//! docker build --pull -t shop .
//! docker rm -f shop
//! docker run -d --name shop shop
//! ```
//!
//! ## Fix safety
//!
//! With `--pull` the build needs the registry, and may be built on a newer base: the fix is unsafe.

use super::Rule;
use crate::compose::project::dockerfile_of;
use crate::docker::{Action, ImageTransfer, PruneScope, Tool};
use crate::facts::{DockerUse, ImageName, Machine, Maker, Via};
use crate::shell::Editor;
use crate::{Applicability, Confidence, FileId, Finding, Fix, Project, Severity, Span};
use std::collections::BTreeMap;
use unstale_dockerfile::Uses;

pub(super) const RULE: Rule = Rule::new(
    "no-pull-of-mutable-base",
    "a deployment that never asks for newer base images",
    Severity::Medium,
    check,
)
.fixable();

/// A base whose tag moves, and where it is written.
struct Base {
    text: String,
    file: FileId,
    span: Span,
    /// Whether the tag names no version at all.
    is_unversioned: bool,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for found in project.docker_commands() {
        let is_candidate = match &found.docker.action {
            Action::Build(build) => !build.pull && build.builder.is_none() && build.context.is_some(),
            Action::ComposeBuild(build) => !build.pull && build.builder.is_none(),
            Action::ComposeUp(up) => up.build,
            _ => false,
        };
        if is_candidate
            && !found.docker.is_open
            && matches!(found.docker.tool, Tool::Docker | Tool::Buildx | Tool::Compose | Tool::ComposeStandalone)
            && is_deployed(found)
            && let bases = bases(project, found)
            && !bases.is_empty()
            && project.machine_of(found) == Machine::Kept
        {
            findings.extend(of(project, found, &bases));
        }
    }
}

/// Whether the script starts what it builds, and nothing in it brings newer bases in another way.
fn is_deployed(found: DockerUse<'_>) -> bool {
    let mut starts = false;
    for (index, command) in &found.script.docker {
        match &command.action {
            Action::ComposeUp(up) => starts |= up.detach && *index >= found.index,
            Action::Run(run) => starts |= run.detach && *index > found.index,
            Action::StackDeploy(_) | Action::ServiceUpdate(_) => starts = true,
            Action::Builder(_) => return false,
            Action::Transfer(ImageTransfer::Pull, _) => return false,
            Action::Prune(prune) if prune.all && matches!(prune.scope, PruneScope::System | PruneScope::Image) => return false,
            _ => {}
        }
    }
    starts
}

/// The bases of what the command builds that it does not ask for.
fn bases(project: &Project, found: DockerUse<'_>) -> Vec<Base> {
    let mut files: Vec<(FileId, BTreeMap<String, String>)> = Vec::new();
    match &found.docker.action {
        Action::Build(_) => {
            let number = project.file(found.file).scripts.iter().position(|script| std::ptr::eq(script, found.script));
            let via = number.map(|number| Via::Command(number, found.index));
            let builds = project.facts().builds.iter();
            let mut own = builds.filter(|build| build.file == found.file && Some(&build.via) == via.as_ref());
            if let Some((build, file)) = own.next().and_then(|build| Some((build, build.dockerfile?))) {
                let args = build.args.iter().filter_map(|arg| Some((arg.name.clone(), arg.value.clone()?)));
                files.push((file, args.collect()));
            }
        }
        Action::ComposeBuild(_) | Action::ComposeUp(_) => {
            for service in project.compose_projects_of(found).iter().flat_map(|compose| &compose.services) {
                let is_pulled = |build: &crate::compose::Build| build.pull.as_ref().is_some_and(|pull| pull.value);
                let Some(build) = service.build.as_ref().filter(|build| !is_pulled(build)) else {
                    continue;
                };
                if service.pull_policy.as_ref().is_some_and(|policy| policy.value == "always") {
                    continue;
                }
                if let Some(file) = dockerfile_of(build).and_then(|path| project.find(&path)) {
                    let args = build.args.iter().filter_map(|arg| Some((arg.name.clone(), arg.value.clone()?)));
                    files.push((file, args.collect()));
                }
            }
        }
        _ => {}
    }
    let mut bases: Vec<Base> = Vec::new();
    for (file, args) in files {
        for base in bases_of(project, file, &args) {
            if !bases.iter().any(|known| known.text == base.text) {
                bases.push(base);
            }
        }
    }
    bases
}

fn bases_of(project: &Project, file: FileId, args: &BTreeMap<String, String>) -> Vec<Base> {
    let crate::Content::Dockerfile(dockerfile) = &project.file(file).content else {
        return Vec::new();
    };
    let images = &project.facts().images;
    let uses = dockerfile.stage_uses(args).into_iter();
    uses.filter_map(|one| {
        let Uses::Image(text) = one.uses else { return None };
        let name = ImageName::parse(&text)?;
        let is_unversioned = name.moving_tag().is_some();
        let moves = is_unversioned || (!name.has_digest && name.tag.as_deref().is_some_and(is_partial_version));
        let is_own = images.maker(&name) == Some(Maker::Here) || images.is_context(&text);
        (moves && !is_own).then_some(Base { text, file, span: one.span, is_unversioned })
    })
    .collect()
}

/// Whether a tag names a version without its last number: `22`, `3.12-slim`. `3.12.4` is left alone.
fn is_partial_version(tag: &str) -> bool {
    let version = tag.split('-').next().unwrap_or(tag);
    let version = version.strip_prefix('v').unwrap_or(version);
    let parts: Vec<&str> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() < 4 && part.chars().all(|c| c.is_ascii_digit());
    parts.len() < 3 && parts.iter().all(is_number)
}

fn of(project: &Project, found: DockerUse<'_>, bases: &[Base]) -> Option<Finding> {
    let worst = bases.iter().find(|base| base.is_unversioned).or(bases.first())?;
    let severity = if worst.is_unversioned { Severity::Medium } else { Severity::Low };
    let words = found.command.words.get(..=found.docker.verb).unwrap_or_default();
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let others = match bases.len() {
        1 => String::new(),
        2 => " and of another base".to_owned(),
        many => format!(" and of {} other bases", many - 1),
    };
    let message = format!(
        "`{}` never asks for a newer `{}`{others}: the base stays what this machine pulled first",
        words.join(" "),
        worst.text
    );
    let is_up = matches!(found.docker.action, Action::ComposeUp(_));
    let help = match is_up {
        true => "build with `docker compose build --pull` before, or set `pull: true` in the services' `build`",
        false => "add `--pull`: where the registry has nothing newer, every step stays cached",
    };
    let mut finding = Finding::new(RULE.id, severity, Confidence::Medium, message, found.place()).help(help);
    for base in bases.iter().take(5) {
        finding = finding.also((base.file, base.span), "the base whose tag moves");
    }
    let editor = Editor::new(found.file, &project.file(found.file).source);
    let edit = match is_up {
        true => None,
        false => editor.insert_words_after(found.command, found.docker.verb, "--pull"),
    };
    Some(finding.fix(edit.map(|edit| Fix {
        title: "ask for newer base images".to_owned(),
        change: format!("Added --pull to `{}`", words.join(" ")),
        impact: "Updates of base images arrive".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })))
}
