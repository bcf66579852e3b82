//! A deployment that builds on a machine that keeps its images, from a base image whose tag moves, and never asks for a newer one.
//!
//! Only where the files say so: the build runs on a server or by a script that starts the result, the Dockerfile's base has
//! a tag that moves (`latest`, `stable`, or a version without its last number, such as `node:22`), and neither the command
//! (`--pull`) nor the Compose file (`pull: true`) asks. Machines of a CI that are new each time pull anyway, a base that the
//! project itself makes is in no registry, and builders in containers ask the registry for every build.
//!
//! Confidence is medium where the files say that the machine has the base under its name, because a service or a `docker run` of
//! the project uses the same image; else it is low.
//!
//! ## Why
//!
//! A builder of the engine takes the local image of that name, and asks no registry. The base stays the one that was pulled
//! first on that machine: its security fixes never arrive, and a machine that is set up later builds something else from the
//! same commit (moby/moby#46280). Everything above it is cached upon that old base.
//!
//! Tried on Docker 20.10, 28.5 and 29, with the classic store and containerd's (a test of unstale does it again): a base that only builds
//! have pulled has no name in the engine, and BuildKit asks the registry for it at each build. Once `docker pull`, a container or
//! the classic builder has given it one, builds take that without asking.
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
//! docker run --rm -v shop:/data node:22 node /data/migrate.js
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
//! docker run --rm -v shop:/data node:22 node /data/migrate.js
//! docker rm -f shop
//! docker run -d --name shop shop
//! ```
//!
//! ## Fix safety
//!
//! With `--pull` the build needs the registry, and may be built on a newer base: the fix is unsafe.

use super::Rule;
use super::by_place::ByPlace;
use crate::compose::Service;
use crate::compose::project::{ComposeProject, dockerfile_of};
use crate::docker::{Action, DockerCommand, ImageTransfer, PruneScope, Tool};
use crate::facts::flow::{Item, Start};
use crate::facts::{DockerUse, ImageName, Machine, Maker, Via, starts_service};
use crate::shell::Editor;
use crate::{Applicability, Confidence, Content, FileId, Finding, Fix, Project, Severity, Span};
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
    /// What gives the machine an image of that name.
    kept: Option<(FileId, Span)>,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries().filter(|flow| !is_trial(project, &flow.start)) {
        let items = flow.items(project);
        let docker: Vec<(&Item<'_>, &DockerCommand)> = items
            .iter()
            .filter_map(|item| Some((item, item.docker()?)))
            .collect();
        if docker.iter().any(|(_, command)| brings_bases(&command.action)) {
            continue;
        }
        for (item, command) in docker.iter().filter(|(_, command)| is_candidate(command)) {
            let is_started = docker.iter().any(|(other, command)| {
                starts(&command.action) && other.index >= item.index && !item.excludes(other)
            });
            if is_started
                && let Some(one) = use_of(item, command)
                && let bases = bases(project, one)
                && !bases.is_empty()
                && machine(project, item, one) == Machine::Kept
            {
                found.extend(of(project, one, &bases));
            }
        }
    }
    findings.extend(found.into_findings());
}

/// Whether something is started to try it out, by its name: what it builds is not kept.
fn is_trial(project: &Project, start: &Start) -> bool {
    let file = project.file(start.file());
    let mut names = vec![file.source.name().to_owned()];
    match (start, &file.content) {
        (Start::Target(_, recipe), Content::Makefile(makefile)) => {
            names.extend(
                makefile
                    .recipes
                    .get(*recipe)
                    .into_iter()
                    .flat_map(|recipe| recipe.targets.clone()),
            );
        }
        (Start::Function(_, function), _) => names.push(function.clone()),
        _ => {}
    }
    let is_trial = |part: &str| {
        let trials = [
            "test",
            "tests",
            "e2e",
            "perf",
            "bench",
            "benchmark",
            "dev",
            "local",
            "demo",
            "example",
            "lint",
            "integration",
            "dind",
            "check",
            "ci",
        ];
        trials.contains(&part) || part.starts_with("test") || part.ends_with("test")
    };
    let names = names.iter().map(|name| name.to_ascii_lowercase());
    names
        .into_iter()
        .any(|name| name.split(['-', '_', '.', '/', ':']).any(is_trial))
}

/// Whether a command builds with the engine's own builder, and asks for no newer bases.
fn is_candidate(command: &DockerCommand) -> bool {
    let builds = match &command.action {
        Action::Build(build) => !build.pull && build.builder.is_none() && build.context.is_some(),
        Action::ComposeBuild(build) => !build.pull && build.builder.is_none(),
        Action::ComposeUp(up) => up.build,
        _ => false,
    };
    let is_docker = matches!(
        command.tool,
        Tool::Docker | Tool::Buildx | Tool::Compose | Tool::ComposeStandalone
    );
    builds && is_docker && !command.is_open
}

/// Whether a command starts something that stays.
fn starts(action: &Action) -> bool {
    match action {
        Action::ComposeUp(up) => up.detach && !up.no_start,
        Action::Run(run) => run.detach && !run.remove,
        Action::StackDeploy(_) | Action::ServiceUpdate(_) => true,
        _ => false,
    }
}

/// Whether a command brings newer bases in another way, or another builder.
fn brings_bases(action: &Action) -> bool {
    match action {
        Action::Builder(_) | Action::Transfer(ImageTransfer::Pull, _) => true,
        Action::Prune(prune) => prune.all && matches!(prune.scope, PruneScope::System | PruneScope::Image),
        _ => false,
    }
}

fn use_of<'a>(item: &Item<'a>, docker: &'a DockerCommand) -> Option<DockerUse<'a>> {
    let script = item.script()?;
    let (index, _) = script.docker.iter().find(|(_, own)| std::ptr::eq(own, docker))?;
    Some(DockerUse {
        file: item.file(),
        script,
        index: *index,
        command: item.command()?,
        docker,
    })
}

/// What the machine keeps that the flow runs on.
fn machine(project: &Project, item: &Item<'_>, found: DockerUse<'_>) -> Machine {
    match item.start {
        _ if item.host().is_some() => Machine::Kept,
        Start::Job(file, _) | Start::AfterJob(file, _) if *file != found.file => Machine::Unknown,
        _ => project.machine_of(found),
    }
}

/// The bases of what the command builds that it does not ask for.
fn bases(project: &Project, found: DockerUse<'_>) -> Vec<Base> {
    let mut files: Vec<(FileId, BTreeMap<String, String>)> = Vec::new();
    match &found.docker.action {
        Action::Build(_) => {
            let number = project
                .file(found.file)
                .scripts
                .iter()
                .position(|script| std::ptr::eq(script, found.script));
            let via = number.map(|number| Via::Command(number, found.index));
            let builds = project.facts().builds.iter();
            let mut own = builds.filter(|build| build.file == found.file && Some(&build.via) == via.as_ref());
            if let Some((build, file)) = own.next().and_then(|build| Some((build, build.dockerfile?))) {
                let args = build
                    .args
                    .iter()
                    .filter_map(|arg| Some((arg.name.clone(), arg.value.clone()?)));
                files.push((file, args.collect()));
            }
        }
        Action::ComposeBuild(_) | Action::ComposeUp(_) => {
            let is_built = |compose: &ComposeProject, service: &Service| match &found.docker.action {
                Action::ComposeBuild(build) if !build.services.is_empty() => {
                    build.services.iter().any(|named| named.text == service.name || named.text.contains('$'))
                }
                _ => starts_service(compose, found.docker, service),
            };
            let projects = project.compose_projects_of(found).into_iter();
            let services = projects.flat_map(|compose| compose.services.iter().map(move |service| (compose, service)));
            for (_, service) in services.filter(|(compose, service)| is_built(compose, service)) {
                let is_pulled =
                    |build: &crate::compose::Build| build.pull.as_ref().is_some_and(|pull| pull.value);
                let Some(build) = service.build.as_ref().filter(|build| !is_pulled(build)) else {
                    continue;
                };
                if service
                    .pull_policy
                    .as_ref()
                    .is_some_and(|policy| policy.value == "always")
                {
                    continue;
                }
                if let Some(file) = dockerfile_of(build).and_then(|path| project.find(&path)) {
                    let args = build
                        .args
                        .iter()
                        .filter_map(|arg| Some((arg.name.clone(), arg.value.clone()?)));
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
    let Content::Dockerfile(dockerfile) = &project.file(file).content else {
        return Vec::new();
    };
    let images = &project.facts().images;
    let uses = dockerfile.stage_uses(args).into_iter();
    uses.filter_map(|one| {
        let Uses::Image(text) = one.uses else { return None };
        let name = ImageName::parse(&text)?;
        let is_unversioned = name.moving_tag().is_some();
        let moves =
            is_unversioned || (!name.has_digest && name.tag.as_deref().is_some_and(is_partial_version));
        let is_own =
            !name.is_pullable() || images.maker(&name) == Some(Maker::Here) || images.is_context(&text);
        (moves && !is_own && !name.has_ended()).then_some(Base {
            kept: kept(project, &name),
            text,
            file,
            span: one.span,
            is_unversioned,
        })
    })
    .collect()
}

/// A service or a `docker run` that uses an image of a base's name.
fn kept(project: &Project, base: &ImageName) -> Option<(FileId, Span)> {
    let is_it = |text: &str| ImageName::parse(text).as_ref() == Some(base);
    let services = project.facts().compose.iter().flat_map(|compose| &compose.services);
    let mut images = services.filter(|service| service.build.is_none()).filter_map(|service| service.image.as_ref());
    let image = images.find(|image| is_it(&image.value));
    let of_service = image.and_then(|image| Some((project.find(&image.place.path)?, image.place.value)));
    of_service.or_else(|| {
        let runs = |found: &DockerUse<'_>| matches!(&found.docker.action, Action::Run(run) if run.image.as_ref().is_some_and(|image| is_it(&image.text)));
        project.docker_commands().find(runs).map(|found| found.place())
    })
}

/// Whether a tag names a version without its last number: `22`, `3.12-slim`. `3.12.4` is left alone.
fn is_partial_version(tag: &str) -> bool {
    let version = tag.split('-').next().unwrap_or(tag);
    let version = version.strip_prefix('v').unwrap_or(version);
    let parts: Vec<&str> = version.split('.').collect();
    let is_number =
        |part: &&str| !part.is_empty() && part.len() < 4 && part.chars().all(|c| c.is_ascii_digit());
    parts.len() < 3 && parts.iter().all(is_number) && !tag.split('-').skip(1).any(is_of_one_build)
}

/// Whether a part of a tag names one build: `build3`, `r7`, `20260131`, a commit.
fn is_of_one_build(part: &str) -> bool {
    let digits = part.trim_start_matches("build").trim_start_matches(['b', 'r']);
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_named = is_number && digits.len() < part.len();
    let is_commit = part.len() >= 7 && part.chars().all(|c| c.is_ascii_hexdigit());
    is_named || is_commit || is_number && digits.len() >= 6
}

fn of(project: &Project, found: DockerUse<'_>, bases: &[Base]) -> Option<Finding> {
    let known: Vec<&Base> = bases.iter().filter(|base| base.kept.is_some()).collect();
    let (bases, confidence) = match known.is_empty() {
        true => (bases.iter().collect(), Confidence::Low),
        false => (known, Confidence::Medium),
    };
    let worst = bases.iter().find(|base| base.is_unversioned).or(bases.first())?;
    let severity = if worst.is_unversioned {
        Severity::Medium
    } else {
        Severity::Low
    };
    let name = found.name(project);
    let others = match bases.len() {
        1 => String::new(),
        2 => " or the other base".to_owned(),
        many => format!(" or {} other bases", many - 1),
    };
    let message = format!(
        "`{name}` never asks for a newer `{}`{others}: the base stays what this machine pulled first",
        worst.text
    );
    let is_up = matches!(found.docker.action, Action::ComposeUp(_));
    let help = match is_up {
        true => {
            "build with `docker compose build --pull` before, or set `pull: true` in the services' `build`"
        }
        false => "add `--pull`: where the registry has nothing newer, every step stays cached",
    };
    let mut finding = Finding::new(RULE.id, severity, confidence, message, found.place()).help(help);
    for base in bases.iter().take(5) {
        finding = finding.also((base.file, base.span), "the base whose tag moves");
        if let Some(place) = base.kept {
            finding = finding.also(place, "gives the machine an image of that name");
        }
    }
    let editor = Editor::new(found.file, &project.file(found.file).source);
    let edit = match is_up {
        true => None,
        false => editor.insert_words_after(found.command, found.docker.verb, "--pull"),
    };
    Some(finding.fix(edit.map(|edit| Fix {
        title: "ask for newer base images".to_owned(),
        change: format!("Added --pull to `{name}`"),
        impact: "Updates of base images arrive".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })))
}
