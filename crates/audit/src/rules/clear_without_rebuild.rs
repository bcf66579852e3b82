//! A script that clears the build cache and then starts or restarts what is there, without a build or a pull.
//!
//! ## Why
//!
//! Clearing a cache changes no image. `docker compose up -d` starts the images that are there; `docker compose restart` and
//! `docker start` go on with the containers that are there. The cache is gone, the old code runs, and everything looks as if it
//! had been made anew.
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
//! `reset.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker compose down
//! docker builder prune -af
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
//! `reset.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker compose down
//! docker builder prune -af
//! docker compose up -d --build
//! ```

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::{Action, ComposeVerb, ContainerVerb, PruneScope};
use crate::facts::flow::{Item, Purpose};
use crate::{Confidence, Finding, Project, Severity};

pub(super) const RULE: Rule = Rule::new(
    "clear-without-rebuild",
    "the build cache is cleared and nothing is built before the start",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries() {
        let items = flow.items(project);
        for start in &items {
            if let Some(clear) = clear_before(start, &items) {
                found.add(finding(start, clear));
            }
        }
    }
    findings.extend(found.into_findings());
}

fn finding(start: &Item<'_>, clear: &Item<'_>) -> Finding {
    let is_up = matches!(
        start.docker().map(|docker| &docker.action),
        Some(Action::ComposeUp(_))
    );
    let what = match is_up {
        true => "the images",
        false => "the containers",
    };
    Finding::new(
        RULE.id,
        Severity::Medium,
        Confidence::Medium,
        format!("`{}` starts {what} from before the clear", start.shown()),
        start.place(),
    )
    .help(match is_up {
        true => "build before the start, or with it: `--build`",
        false => "build, and make the containers anew: `docker compose up -d --build`",
    })
    .also(
        clear.place(),
        "the build cache is cleared here; no image changes by that",
    )
}

/// The clear that a start pretends to follow up: there is nothing in the flow that makes or brings an image before the start.
/// `up-without-build` leaves such a start to this rule.
pub(super) fn clear_before<'i, 'a>(start: &Item<'a>, items: &'i [Item<'a>]) -> Option<&'i Item<'a>> {
    if !starts_what_is_built(start) || start.is_on_new_machine() {
        return None;
    }
    let before = &items[..start.index];
    let makes =
        |item: &Item<'_>| item.builds() || item.fetches() || item.may_build() || item.removes_images();
    if before.iter().any(|item| makes(item) && !item.excludes(start)) {
        return None;
    }
    let recreated = items
        .iter()
        .skip(start.index + 1)
        .any(|after| after.builds() && !after.excludes(start));
    if recreated {
        return None;
    }
    before.iter().rev().find(|item| {
        let is_clear = item.clears_cache().is_some_and(|prune| {
            let whole = prune.filters.is_empty() && prune.keeps.is_none();
            whole
                && match prune.scope {
                    // That only makes room, unless the script is made to clear.
                    PruneScope::System => item.is_meant_to(Purpose::Clear),
                    _ => true,
                }
        });
        is_clear && item.host() == start.host() && !item.excludes(start)
    })
}

/// Whether it starts what the project builds, without building it.
fn starts_what_is_built(item: &Item<'_>) -> bool {
    let Some(docker) = item.docker() else {
        return false;
    };
    match &docker.action {
        Action::ComposeUp(up) if up.build || docker.is_open => false,
        Action::ComposeUp(_) | Action::Compose(ComposeVerb::Restart | ComposeVerb::Start, _) => {
            super::up_without_build::built_services(item).is_some_and(|services| !services.is_empty())
        }
        Action::Container(ContainerVerb::Restart | ContainerVerb::Start, _) => {
            item.is_meant_to(Purpose::Clear)
        }
        _ => false,
    }
}
