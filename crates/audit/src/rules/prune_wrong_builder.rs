//! A build cache is cleared that the builds do not use: `docker builder prune` clears the engine's own builder, while the images
//! are built by another one, or on another machine.
//!
//! ## Why
//!
//! Each builder has a cache of its own. `docker builder prune` and `docker build` speak to the engine's builder, whatever `docker
//! buildx use` says; `docker buildx build`, `docker buildx bake` and `docker compose build` use the chosen one (`docker buildx create
//! --use`, `--builder`, `BUILDX_BUILDER`). The prune ends well, reclaims nothing that matters, and the next build reuses everything.
//!
//! ## Example
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker buildx create --name ci --driver docker-container --use
//! docker builder prune -af
//! docker buildx build --load -t app .
//! ```
//!
//! ## Instead
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker buildx create --name ci --driver docker-container --use
//! docker buildx prune -af --builder ci
//! docker buildx build --load -t app .
//! ```
//!
//! ## References
//!
//! - <https://docs.docker.com/build/builders/>

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::{Action, BuilderAction, PruneScope, Tool};
use crate::facts::flow::Item;
use crate::{Confidence, FileId, Finding, Project, Severity, Span};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "prune-wrong-builder",
    "a builder is cleared that the builds do not use",
    Severity::Medium,
    check,
);

/// The engine's own builder, or one that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Builder {
    Default,
    Named(String),
    /// One that was chosen, and whose name nobody says.
    Chosen,
}

/// A build, and the builder that does it.
struct Built<'a> {
    builder: Builder,
    host: Option<&'a str>,
    context: Option<&'a str>,
    item: Item<'a>,
    /// Where the builder is chosen.
    chosen: Option<(FileId, Span)>,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    let mut elsewhere: Vec<(Builder, (FileId, Span))> = Vec::new();
    let mut alone: Vec<Item<'_>> = Vec::new();
    let chosen = chosen_anywhere(project);
    for flow in project.entries() {
        let items = flow.items(project);
        if items.first().is_some_and(Item::is_on_new_machine) {
            continue;
        }
        let builds = builds(&items);
        for item in items.iter().filter(|item| is_compared(item, &chosen)) {
            match builds.is_empty() {
                true => alone.push(*item),
                false => found.extend(judge(item, &builds)),
            }
        }
        elsewhere.extend(
            builds
                .into_iter()
                .map(|built| (built.builder, built.chosen.unwrap_or(built.item.place()))),
        );
    }
    // A script that only clears is for the builds of the others.
    for item in alone {
        found.extend(judge_alone(&item, &elsewhere));
    }
    findings.extend(found.into_findings());
}

/// The builders that some command chooses. Other scripts may build with them, though they do not say so.
fn chosen_anywhere(project: &Project) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for found in project.docker_commands() {
        match &found.docker.action {
            Action::Builder(BuilderAction::Create { name, .. }) => names.extend(name.clone()),
            Action::Builder(BuilderAction::Use(own)) => {
                names.extend(own.iter().map(|name| name.text.clone()))
            }
            _ => {}
        }
    }
    names
}

/// Whether it clears a builder of which the files say who uses it.
fn is_compared(item: &Item<'_>, chosen: &BTreeSet<String>) -> bool {
    match cleared(item) {
        Some(Builder::Named(name)) => !chosen.contains(&name),
        Some(_) => true,
        None => false,
    }
}

/// The builds of a flow with their builders.
fn builds<'a>(items: &[Item<'a>]) -> Vec<Built<'a>> {
    let mut builds = Vec::new();
    let mut current: Option<(Builder, (FileId, Span))> = None;
    for item in items {
        let Some(docker) = item.docker() else {
            if item
                .action()
                .is_some_and(|step| step.is_action("docker/setup-buildx-action"))
            {
                current = Some((Builder::Chosen, item.place()));
            }
            continue;
        };
        let named = match &docker.action {
            Action::Builder(BuilderAction::Create {
                name, is_used: true, ..
            }) => {
                let builder = name.clone().map_or(Builder::Chosen, Builder::Named);
                current = Some((builder, item.place()));
                continue;
            }
            Action::Builder(BuilderAction::Use(names)) => {
                current = names.first().map(|name| match name.text.as_str() {
                    "default" => (Builder::Default, item.place()),
                    name => (Builder::Named(name.to_owned()), item.place()),
                });
                continue;
            }
            _ if !item.only_builds() => continue,
            Action::Build(build) => build.builder.clone(),
            Action::Bake(bake) => bake.builder.clone(),
            Action::ComposeBuild(build) => build.builder.clone(),
            _ => None,
        };
        let takes_chosen = matches!(
            docker.tool,
            Tool::Buildx | Tool::Compose | Tool::ComposeStandalone
        );
        let (builder, chosen) = match (named, &current) {
            (Some(name), _) if name == "default" => (Builder::Default, None),
            (Some(name), _) => (Builder::Named(name), None),
            (None, Some((builder, place))) if takes_chosen => (builder.clone(), Some(*place)),
            (None, _) => (Builder::Default, None),
        };
        builds.push(Built {
            builder,
            host: item.host(),
            context: docker.globals.value("context").or(docker.globals.value("host")),
            item: *item,
            chosen,
        });
    }
    builds
}

/// The builder that a prune clears; none if that is not known.
fn cleared(item: &Item<'_>) -> Option<Builder> {
    let prune = item.clears_cache()?;
    match (prune.scope, prune.builder.as_deref()) {
        (PruneScope::Builder | PruneScope::Buildx, Some(name)) if name.contains('$') => None,
        (PruneScope::Builder | PruneScope::Buildx, Some("default")) => Some(Builder::Default),
        (PruneScope::Builder | PruneScope::Buildx, Some(name)) => Some(Builder::Named(name.to_owned())),
        // `docker builder` becomes buildx with the engine's builder, unless the environment says another.
        (PruneScope::Builder, None) if !sets_builder(item) => Some(Builder::Default),
        _ => None,
    }
}

fn sets_builder(item: &Item<'_>) -> bool {
    let script = item.script().map(|script| &script.script);
    let is_it = |name: &str| name == "BUILDX_BUILDER";
    let assigned = script.is_some_and(|script| script.assignments().iter().any(|one| is_it(&one.name)));
    let own = item
        .command()
        .is_some_and(|command| command.assignments.iter().any(|one| is_it(&one.name)));
    let of_steps = item
        .steps()
        .iter()
        .any(|step| step.env.iter().any(|pair| is_it(&pair.name)));
    let of_job = item
        .job()
        .is_some_and(|job| job.env.iter().any(|pair| is_it(&pair.name)));
    assigned || own || of_steps || of_job
}

fn judge(item: &Item<'_>, builds: &[Built<'_>]) -> Option<Finding> {
    let builder = cleared(item)?;
    let docker = item.docker()?;
    let context = docker.globals.value("context").or(docker.globals.value("host"));
    let here = |built: &&Built<'_>| built.host == item.host() && built.context == context;
    let first = builds.first()?;
    if !builds.iter().any(|built| here(&built)) {
        // All of it is built on other machines, and one of them is not cleared.
        let host = first.host.or(first.context);
        let place = host.map_or("this machine".to_owned(), |host| {
            format!("`{}`", host.replace('`', "'"))
        });
        return Some(
            finding(
                item,
                format!(
                    "`{}` clears the cache of another machine than the one that builds",
                    item.shown()
                ),
            )
            .help(format!("run the prune where the build runs: on {place}"))
            .also(first.item.place(), "the build runs elsewhere"),
        );
    }
    let others: Vec<&Built<'_>> = builds.iter().filter(here).collect();
    if others.iter().any(|built| built.builder == builder) {
        return None;
    }
    let first = others.first()?;
    // The script may choose a builder elsewhere, and the name is then nobody's to compare.
    if matches!(builder, Builder::Named(_)) && first.builder == Builder::Chosen {
        return None;
    }
    Some(of_builder(
        item,
        &builder,
        &first.builder,
        first.chosen.unwrap_or(first.item.place()),
    ))
}

fn judge_alone(item: &Item<'_>, elsewhere: &[(Builder, (FileId, Span))]) -> Option<Finding> {
    let builder = cleared(item)?;
    if item.host().is_some()
        || elsewhere
            .iter()
            .any(|(other, _)| *other == builder || *other == Builder::Chosen && builder != Builder::Default)
    {
        return None;
    }
    let (other, place) = elsewhere.first()?;
    Some(of_builder(item, &builder, other, *place))
}

fn of_builder(item: &Item<'_>, cleared: &Builder, used: &Builder, place: (FileId, Span)) -> Finding {
    let name = |builder: &Builder| match builder {
        Builder::Default => "the engine's own builder".to_owned(),
        Builder::Named(name) => format!("the builder `{}`", name.replace('`', "'")),
        Builder::Chosen => "another builder".to_owned(),
    };
    let help = match used {
        Builder::Named(name) if !name.contains('$') => format!(
            "clear it: `docker buildx prune -af --builder {}`",
            name.replace('`', "'")
        ),
        Builder::Named(_) | Builder::Chosen => {
            "clear the builder in use: `docker buildx prune -af`".to_owned()
        }
        Builder::Default => "clear the engine's builder: `docker builder prune -af`".to_owned(),
    };
    finding(
        item,
        format!(
            "`{}` clears {}, and {} builds",
            item.shown(),
            name(cleared),
            name(used)
        ),
    )
    .help(help)
    .also(place, format!("{} builds", name(used)))
}

fn finding(item: &Item<'_>, message: String) -> Finding {
    Finding::new(
        RULE.id,
        Severity::Medium,
        Confidence::Medium,
        message,
        item.place(),
    )
}
