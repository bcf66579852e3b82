//! `docker builder prune`, `docker buildx prune` or `docker system prune` without `--all`.
//!
//! ## Why
//!
//! Without `--all`, the engine keeps every record of the build cache whose layer an image has. On the classic image store (the
//! default before Docker 29) that is the whole cache of the images that were just built: after `docker builder prune -f`, all
//! steps of the next build are `CACHED`, with and without `BUILDKIT_INLINE_CACHE`. Measured on Docker 20.10 and 28.5 with the
//! classic store; with containerd's store the steps run again (`docs/clearing.md`). The command says `Total: 0B` or a little, and
//! ends without an error: the clear looks done.
//!
//! The severity is high where the script is made to clear (`clear-caches.sh`, `rebuild`), medium where a build follows or it
//! tidies up, low where it only makes room. A prune that keeps something on purpose (`--filter`, `--keep-storage`,
//! `--max-used-space` …) is not found.
//!
//! ## Example
//!
//! `clear-caches.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker builder prune -f
//! ```
//!
//! ## Instead
//!
//! `clear-caches.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker builder prune -af
//! ```
//!
//! ## Fix safety
//!
//! The build cache holds nothing that a build does not make again: adding `-a` to `builder prune` and `buildx prune` is safe; the
//! next build takes longer. `docker system prune -a` also deletes all images that no container uses: there the fix is unsafe,
//! and `docker builder prune -af` beside it is the better way.
//!
//! ## References
//!
//! - <https://docs.docker.com/reference/cli/docker/builder/prune/>
//! - `docs/clearing.md`

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::{Action, BuilderAction, DockerCommand, Prune, PruneScope};
use crate::facts::flow::{Item, Purpose};
use crate::shell::Editor;
use crate::{Applicability, Confidence, Edit, Finding, Fix, Project, ScriptPlace, Severity};

pub(super) const RULE: Rule = Rule::new(
    "prune-keeps-shared",
    "clearing the build cache without --all keeps what images share",
    Severity::High,
    check,
)
.fixable();

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries() {
        let items = flow.items(project);
        for item in &items {
            if let (Some(prune), Some(docker)) = (item.clears_cache(), item.docker())
                && keeps_shared(prune, docker)
                && !item.is_on_new_machine()
                && let Some(finding) = judge(project, item, prune, docker, &items)
            {
                found.add(finding);
            }
        }
    }
    findings.extend(found.into_findings());
}

/// Whether the prune leaves what images share, and nobody asked for that.
fn keeps_shared(prune: &Prune, docker: &DockerCommand) -> bool {
    let on_purpose =
        !prune.filters.is_empty() || prune.keeps.is_some() || docker.flags.get("keep-storage").is_some();
    // Of a builder of its own, no image of the engine has a layer.
    let of_other_builder = prune
        .builder
        .as_deref()
        .is_some_and(|builder| builder != "default");
    let is_engine = prune.scope != PruneScope::Buildctl;
    is_engine && !prune.all && !on_purpose && !of_other_builder && !docker.is_open
}

fn judge(
    project: &Project,
    item: &Item<'_>,
    prune: &Prune,
    docker: &DockerCommand,
    items: &[Item<'_>],
) -> Option<Finding> {
    if prune.scope == PruneScope::Buildx && items.iter().any(uses_other_builder) {
        return None;
    }
    // Where the project makes a builder of its own, an engine's cache may hold nothing of its builds.
    if prune.scope == PruneScope::System && makes_builder(project) {
        return None;
    }
    let rebuild = items.iter().skip(item.index + 1).find(|after| {
        after.builds() && after.host() == item.host() && !after.excludes(item) && !is_again(after, item)
    });
    let (clears, tidies) = (item.is_meant_to(Purpose::Clear), item.is_meant_to(Purpose::Tidy));
    let is_system = prune.scope == PruneScope::System;
    let near = rebuild.is_some_and(|rebuild| rebuild.file() == item.file());
    // Behind the builds it makes room, whatever it is named.
    let is_last = rebuild.is_none() && items[..item.index].iter().any(Item::builds);
    let severity = match is_system {
        false if clears && !is_last => Severity::High,
        false if rebuild.is_some() || tidies && !is_last => Severity::Medium,
        false => Severity::Low,
        true if clears && !is_last => Severity::Medium,
        true if near => Severity::Low,
        true => return None,
    };
    let shown = item.shown();
    let help = match is_system {
        true => {
            "clear the build cache with `docker builder prune -af` as well; `docker system prune -a` would also delete images"
        }
        false => "add `-a`: the build cache holds nothing that the next build does not make again",
    };
    let mut finding = Finding::new(
        RULE.id,
        severity,
        Confidence::Medium,
        match is_system {
            true => format!("`{shown}` keeps the build cache that images share"),
            false => format!("`{shown}` keeps what images share"),
        },
        item.place(),
    )
    .help(help)
    .fix(fix(project, item, docker, is_system));
    if let Some(rebuild) = rebuild {
        finding = finding.also(rebuild.place(), "this build finds its steps in what was kept");
    }
    Some(finding)
}

/// Whether the build is that of another run of the same script. A target of a Makefile may stand anywhere.
fn is_again(build: &Item<'_>, item: &Item<'_>) -> bool {
    let in_script = item
        .script()
        .is_some_and(|script| script.place == ScriptPlace::Whole);
    in_script && build.is_written_before(item) && build.function() == item.function()
}

/// Whether some command makes a builder and builds with it from then on.
fn makes_builder(project: &Project) -> bool {
    project
        .docker_commands()
        .any(|used| matches!(used.docker.action, Action::Builder(BuilderAction::Create { is_used: true, .. })))
}

fn uses_other_builder(item: &Item<'_>) -> bool {
    if let Some(step) = item.action() {
        return step.is_action("docker/setup-buildx-action");
    }
    match item.docker().map(|docker| &docker.action) {
        Some(Action::Builder(BuilderAction::Create { is_used, .. })) => *is_used,
        // The engine's own builder on the classic store builds for one platform alone.
        Some(Action::Build(build)) => build.platforms.len() > 1,
        Some(Action::Builder(BuilderAction::Use(names))) => {
            names.first().is_none_or(|name| name.text != "default")
        }
        _ => false,
    }
}

fn fix(project: &Project, item: &Item<'_>, docker: &DockerCommand, is_system: bool) -> Option<Fix> {
    let command = item.command()?;
    let name: Vec<&str> = command
        .words
        .get(..=docker.verb)?
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let name = name.join(" ");
    Some(Fix {
        title: format!("add -a to {name}"),
        change: format!("Added -a to {name}"),
        impact: "Cache clearing now clears what images share".to_owned(),
        applicability: match is_system {
            true => Applicability::Unsafe,
            false => Applicability::Safe,
        },
        edits: vec![edit(project, item, docker)?],
    })
}

/// `-f` becomes `-af`; a long `--force` gets an `--all` before it.
fn edit(project: &Project, item: &Item<'_>, docker: &DockerCommand) -> Option<Edit> {
    let command = item.command()?;
    let editor = Editor::new(item.file(), &project.file(item.file()).source);
    let verb = docker.verb;
    let first = command.words.get(verb + 1);
    let short =
        first.filter(|word| word.literal && word.text.starts_with('-') && !word.text.starts_with("--"));
    if let Some(letters) = short.and_then(|word| word.text.strip_prefix('-')) {
        return editor.replace_word(command, verb + 1, &format!("-a{letters}"));
    }
    let content = match first {
        Some(word) if word.text.starts_with("--") => "--all",
        _ => "-a",
    };
    editor.insert_words_after(command, verb, content)
}
