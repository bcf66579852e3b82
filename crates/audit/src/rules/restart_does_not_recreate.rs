//! `docker compose restart`, `docker restart` or `start` after a build, a pull, or a change of the environment.
//!
//! ## Why
//!
//! A container keeps the image, the environment and the command that it was made with. `restart` stops it and starts the same
//! container again: the new image stays unused, a changed `.env` or Compose file unread. `docker compose up -d` compares, and makes
//! containers anew whose image or configuration has changed.
//!
//! ## Example
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker compose build
//! docker compose restart
//! ```
//!
//! ## Instead
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker compose build
//! docker compose up -d
//! ```
//!
//! ## Fix safety
//!
//! `up -d` also starts services that do not run, and makes every container anew whose configuration has changed since: the fix is
//! unsafe. There is none where `restart` has options.
//!
//! ## References
//!
//! - <https://docs.docker.com/reference/cli/docker/compose/restart/>: "changes … are not reflected after running this command".

use super::Rule;
use super::by_place::ByPlace;
use crate::compose::project::ComposeProject;
use crate::docker::{Action, Argument, ComposeVerb, ContainerVerb, ImageTransfer};
use crate::facts::flow::Item;
use crate::shell::Editor;
use crate::{Applicability, Confidence, Finding, Fix, Project, Severity};

pub(super) const RULE: Rule = Rule::new(
    "restart-does-not-recreate",
    "a restart after a build, a pull or a new environment goes on with the old container",
    Severity::High,
    check,
)
.fixable();

/// What a restart does not take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Image,
    Environment,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries() {
        let items = flow.items(project);
        for item in &items {
            if let Some((verb, names)) = restarted(item) {
                found.extend(judge(project, item, verb, names, &items));
            }
        }
    }
    findings.extend(found.into_findings());
}

/// The verb of a restart, and what it names.
fn restarted<'a>(item: &Item<'a>) -> Option<(&'static str, &'a [Argument])> {
    match &item.docker()?.action {
        Action::Compose(ComposeVerb::Restart, names) | Action::Container(ContainerVerb::Restart, names) => {
            Some(("restart", names))
        }
        Action::Compose(ComposeVerb::Start, names) | Action::Container(ContainerVerb::Start, names) => {
            Some(("start", names))
        }
        _ => None,
    }
}

fn judge(
    project: &Project,
    item: &Item<'_>,
    verb: &str,
    names: &[Argument],
    items: &[Item<'_>],
) -> Option<Finding> {
    let together = |other: &Item<'_>| other.host() == item.host() && !other.excludes(item);
    let compose = item.compose_project();
    let (before, after) = (
        &items[..item.index],
        items.get(item.index + 1..).unwrap_or_default(),
    );
    let mut found = None;
    for other in before.iter().rev().filter(|other| together(other)) {
        if recreates(other) {
            break;
        }
        if let Some(change) = change(other, item, names, compose.as_ref()) {
            found = Some((other, change));
            break;
        }
    }
    let (other, change) = found?;
    if after.iter().any(|later| together(later) && recreates(later)) {
        return None;
    }
    let (severity, confidence, what) = match change {
        Change::Image => (Severity::High, Confidence::High, "image"),
        Change::Environment => (Severity::Medium, Confidence::Medium, "environment"),
    };
    let label = match change {
        Change::Image => "the new image is not used by it",
        Change::Environment => "what is written here is not read by it",
    };
    Some(
        Finding::new(
            RULE.id,
            severity,
            confidence,
            format!("`{}` goes on with the old container and its {what}", item.shown()),
            item.place(),
        )
        .help(match is_compose(item) {
            true => {
                format!("use `up -d` instead of `{verb}`: it makes the containers anew that have changed")
            }
            false => "remove the container and run it again from the new image".to_owned(),
        })
        .also(other.place(), label)
        .fix(fix(project, item, verb)),
    )
}

fn is_compose(item: &Item<'_>) -> bool {
    item.docker().is_some_and(|docker| docker.project.is_some())
}

/// Whether it makes containers anew, or takes them away.
fn recreates(item: &Item<'_>) -> bool {
    let removes = matches!(
        item.docker().map(|docker| &docker.action),
        Some(
            Action::Compose(ComposeVerb::Down | ComposeVerb::Rm, _) | Action::Container(ContainerVerb::Rm, _)
        )
    );
    let tears = item
        .command()
        .is_some_and(|command| ["kubectl", "helm", "systemctl"].contains(&command.name()));
    removes || item.creates_containers() || tears
}

/// What `other` changes that the restart does not take up.
fn change(
    other: &Item<'_>,
    item: &Item<'_>,
    names: &[Argument],
    compose: Option<&ComposeProject>,
) -> Option<Change> {
    let texts: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
    let all_known = names.iter().all(|name| name.known);
    // Whether a container of the restart is one of these services.
    let is_of = |services: &[Argument]| {
        let meets = |name: &str| {
            services
                .iter()
                .any(|service| is_same(name, &service.text, compose))
        };
        services.is_empty()
            || texts.is_empty()
            || !all_known
            || services.iter().any(|one| !one.known)
            || texts.iter().any(|name| meets(name))
    };
    if let Some(docker) = other.docker() {
        return match &docker.action {
            Action::ComposeBuild(build) => {
                let built = |name: &str| {
                    let service = compose.and_then(|compose| {
                        compose
                            .services
                            .iter()
                            .find(|service| is_same(name, &service.name, Some(compose)))
                    });
                    service.is_none_or(|service| service.build.is_some())
                        && (is_compose(item) || service.is_some())
                };
                let meant =
                    is_of(&build.services) && (texts.is_empty() || texts.iter().any(|name| built(name)));
                meant.then_some(Change::Image)
            }
            Action::Compose(ComposeVerb::Pull, services) => {
                (is_compose(item) && is_of(services)).then_some(Change::Image)
            }
            Action::Build(build) => build
                .tags
                .iter()
                .any(|tag| is_image_of(tag, &texts, item, compose))
                .then_some(Change::Image),
            Action::Transfer(ImageTransfer::Pull, images) => images
                .iter()
                .any(|image| is_image_of(&image.text, &texts, item, compose))
                .then_some(Change::Image),
            _ => None,
        };
    }
    let command = other.command()?;
    let is_environment = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name == ".env"
            || name.starts_with(".env.") && name != ".env.example"
            || compose.is_some_and(|compose| {
                compose
                    .files
                    .iter()
                    .any(|file| file.ends_with(name) && !name.is_empty())
            })
    };
    let written = command
        .redirections
        .iter()
        .any(|redirection| redirection.operator.ends_with('>') && is_environment(&redirection.target));
    let last = command
        .arguments()
        .last()
        .is_some_and(|word| is_environment(&word.text));
    let edits = match command.name() {
        "sed" => {
            last && command
                .words
                .iter()
                .any(|word| word.text.starts_with("-i") || word.text == "--in-place")
        }
        "cp" | "mv" | "install" | "tee" => last,
        _ => false,
    };
    ((written || edits) && is_compose(item)).then_some(Change::Environment)
}

/// Whether a name of a container or service is that of a service.
fn is_same(name: &str, service: &str, compose: Option<&ComposeProject>) -> bool {
    let container = compose
        .and_then(|compose| compose.services.iter().find(|one| one.name == service))
        .and_then(|service| service.container_name.as_ref());
    name == service || container.is_some_and(|container| container.value == name)
}

/// Whether an image is that of a container that is restarted: the Compose file says so, or it has its name.
fn is_image_of(image: &str, names: &[&str], item: &Item<'_>, compose: Option<&ComposeProject>) -> bool {
    let own = repository(image);
    if own.is_empty() || own.contains('$') && compose.is_none() {
        return false;
    }
    if let Some(compose) = compose {
        return compose.services.iter().any(|service| {
            let same = service
                .image
                .as_ref()
                .is_some_and(|text| repository(&text.value) == own);
            same && (names.is_empty()
                || names
                    .iter()
                    .any(|name| is_same(name, &service.name, Some(compose))))
        });
    }
    let base = own.rsplit('/').next().unwrap_or(own);
    !is_compose(item) && names.contains(&base)
}

/// The name of an image without its tag.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

fn fix(project: &Project, item: &Item<'_>, verb: &str) -> Option<Fix> {
    let docker = item.docker()?;
    if !is_compose(item) || docker.is_open || docker.flags.iter().next().is_some() {
        return None;
    }
    let editor = Editor::new(item.file(), &project.file(item.file()).source);
    let edit = editor.replace_word(item.command()?, docker.verb, "up -d")?;
    Some(Fix {
        title: format!("use up -d instead of {verb}"),
        change: format!("Replaced docker compose {verb} by up -d"),
        impact: "New images and settings are taken up".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })
}
