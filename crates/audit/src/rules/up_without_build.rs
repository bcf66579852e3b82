//! A deploy that brings new sources and then runs `docker compose up` without a build, though services of the project are built
//! from these sources.
//!
//! ## Why
//!
//! `docker compose up` builds an image only if there is none. After the first deploy there is one, and from then on every `up`
//! starts that: the sources are new, the image is old, nothing says so. Found in scripts that update the sources first (`git
//! pull`, `rsync`: high), and in those that are named for a deploy (medium). Starting a project for work (`make up`) is not.
//!
//! Not found where something before it builds or brings images (`docker compose build`, `pull`, `docker load`), in the scripts,
//! prerequisites and steps around it as well; where old images are removed; with `--no-build`; and on runners that are new for each
//! run, where there is no image from before.
//!
//! ## Example
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//! ```
//!
//! `deploy.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! git pull
//! docker compose up -d
//! ```
//!
//! ## Instead
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//! ```
//!
//! `deploy.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! git pull
//! docker compose up -d --build
//! ```
//!
//! ## Fix safety
//!
//! The fix adds `--build`. The deploy then takes as long as a build, and runs code that it did not run before: it is unsafe.
//!
//! ## References
//!
//! - <https://docs.docker.com/reference/cli/docker/compose/up/>

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::{Action, Argument, ComposeUp, ComposeVerb};
use crate::facts::flow::{Item, Purpose};
use crate::shell::{Command, Editor};
use crate::{Applicability, Confidence, Edit, FileId, Finding, Fix, Project, Severity, Span};

pub(super) const RULE: Rule = Rule::new(
    "up-without-build",
    "a deploy starts images that are older than the sources",
    Severity::High,
    check,
)
.fixable();

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries() {
        let items = flow.items(project);
        for item in &items {
            if let Some(Action::ComposeUp(up)) = item.docker().map(|docker| &docker.action)
                && super::clear_without_rebuild::clear_before(item, &items).is_none()
            {
                found.extend(judge(project, item, up, &items));
            }
        }
    }
    findings.extend(found.into_findings());
}

fn judge(project: &Project, item: &Item<'_>, up: &ComposeUp, items: &[Item<'_>]) -> Option<Finding> {
    let docker = item.docker()?;
    let command = item.command()?;
    let decided =
        up.build || up.no_build || up.no_recreate || up.pull.as_deref().is_some_and(|pull| pull != "never");
    if decided || docker.is_open || item.is_on_new_machine() {
        return None;
    }
    let built = built_services(item)?;
    let (first, place) = built.first()?;
    let is_other = |other: &&Item<'_>| other.index != item.index && !other.excludes(item);
    let makes =
        |other: &Item<'_>| other.builds() || other.fetches() || other.may_build() || other.removes_images();
    // What builds afterwards makes the containers anew, or is made for that.
    if items
        .iter()
        .filter(is_other)
        .any(|other| makes(other) || removes_service_images(other))
    {
        return None;
    }
    let before = &items[..item.index];
    let sources = before.iter().rev().find(|other| {
        let same = other.host() == item.host() || is_copy(other, item);
        other.brings_sources() && same && is_other(other)
    });
    let deploys = item.is_meant_to(Purpose::Deploy);
    let (severity, confidence) = match (sources, deploys) {
        (Some(_), _) => (Severity::High, Confidence::High),
        (None, true) => (Severity::Medium, Confidence::Medium),
        (None, false) => return None,
    };
    let services = match built.len() {
        1 => format!("the image of `{first}`"),
        count => format!("the images of {count} services"),
    };
    let mut finding = Finding::new(
        RULE.id,
        severity,
        confidence,
        format!("`{}` starts {services} without a build", item.shown()),
        item.place(),
    )
    .help("add `--build`, or build before it: without, an image that is there is started however old it is");
    if let Some(sources) = sources {
        finding = finding.also(sources.place(), "the sources are new from here on");
    }
    let label = match sources {
        Some(_) => format!("`{first}` is built from them"),
        None => format!("`{first}` is built by the project"),
    };
    finding = finding.also(*place, label);
    Some(finding.fix(fix(project, item, command, docker.verb)))
}

/// Whether what is brought goes to the machine that `item` runs on: `rsync` to a host, from here.
fn is_copy(other: &Item<'_>, item: &Item<'_>) -> bool {
    let copies = other.command().is_some_and(|command| command.name() == "rsync");
    copies && other.host().is_none() && item.host().is_some()
}

fn removes_service_images(item: &Item<'_>) -> bool {
    let docker = item.docker();
    docker.is_some_and(|docker| {
        matches!(docker.action, Action::Compose(ComposeVerb::Down, _)) && docker.flags.get("rmi").is_some()
    })
}

/// The services that a command of Compose is about and that are built, each with its place; none if its project is not known.
pub(super) fn built_services(item: &Item<'_>) -> Option<Vec<(String, (FileId, Span))>> {
    let compose = item.compose_project()?;
    let named: &[Argument] = match &item.docker()?.action {
        Action::ComposeUp(up) => &up.services,
        Action::Compose(_, services) => services,
        _ => &[],
    };
    // A name that is not known can be any.
    let is_meant = |name: &str| named.is_empty() || named.iter().any(|one| one.text == name || !one.known);
    let built = compose.services.iter().filter(|service| {
        let pulled = service
            .pull_policy
            .as_ref()
            .is_some_and(|policy| ["always", "build"].contains(&policy.value.as_str()));
        service.build.is_some()
            && !pulled
            && (is_meant(&service.name) || is_needed(&compose.services, named, &service.name))
    });
    let place = |service: &crate::compose::Service| {
        Some((
            service.name.clone(),
            (item.file_of(&service.place.path)?, service.name_span),
        ))
    };
    Some(built.filter_map(place).collect())
}

/// Whether a service that is named depends on this one.
fn is_needed(services: &[crate::compose::Service], named: &[Argument], name: &str) -> bool {
    let named = services
        .iter()
        .filter(|service| named.iter().any(|one| one.text == service.name));
    named
        .flat_map(|service| &service.depends_on)
        .any(|dependency| dependency.service == name)
}

fn fix(project: &Project, item: &Item<'_>, command: &Command, verb: usize) -> Option<Fix> {
    let editor = Editor::new(item.file(), &project.file(item.file()).source);
    // Where people write it: `up -d --build`.
    let detach = command
        .words
        .get(verb + 1)
        .is_some_and(|word| word.literal && ["-d", "--detach"].contains(&word.text.as_str()));
    let edit: Edit = editor.insert_words_after(command, verb + usize::from(detach), "--build")?;
    Some(Fix {
        title: "build before the start".to_owned(),
        change: "Added --build to docker compose up".to_owned(),
        impact: "A deploy starts what it has brought".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })
}
