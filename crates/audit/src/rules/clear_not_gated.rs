//! A clear that runs whatever the caller chose, in a script or workflow that lets choose what is cleared; and a deploy that clears
//! everything each time.
//!
//! ## Why
//!
//! A script with a choice (`TARGET=backend clear-caches.sh`) promises that the rest stays. A clear outside of the conditions takes
//! the cache of all others, and whoever chose one service waits for the builds of all. A deploy that clears without a condition
//! never reuses anything: it is as slow as the first build, every time, and it hides that something keeps old results. Pruning
//! named volumes after `down` deletes data: there is no container that holds them then.
//!
//! ## Example
//!
//! `clear-caches.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! if [ "$TARGET" = all ] || [ "$TARGET" = backend ]; then
//!   rm -rf backend/.cache
//! fi
//! docker builder prune -af
//! ```
//!
//! ## Instead
//!
//! `clear-caches.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! if [ "$TARGET" = all ] || [ "$TARGET" = backend ]; then
//!   rm -rf backend/.cache
//! fi
//! if [ "$TARGET" = all ]; then
//!   docker builder prune -af
//! fi
//! ```

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::{Action, ComposeVerb, PruneScope};
use crate::facts::flow::{Item, Purpose};
use crate::shell::{Check, Guard, GuardKind};
use crate::{Confidence, FileId, Finding, Project, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULE: Rule = Rule::new(
    "clear-not-gated",
    "a clear runs whatever was chosen, or at every deploy",
    Severity::High,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries() {
        let items = flow.items(project);
        let clears: Vec<&Item<'_>> = items.iter().filter(|item| clears(item)).collect();
        if clears.is_empty() {
            continue;
        }
        let choices = choices(project, &clears);
        let mut every = false;
        for item in clears {
            let chosen = beside_choice(project, item, &choices);
            if chosen.is_some() {
                found.extend(chosen);
                continue;
            }
            // Several clears one after another are one fault.
            if let Some(finding) = at_every_deploy(item, &items)
                && !(std::mem::replace(&mut every, true) && finding.severity == Severity::Low)
            {
                found.add(finding);
            }
        }
    }
    findings.extend(found.into_findings());
}

/// Whether it takes caches, images or volumes away.
fn clears(item: &Item<'_>) -> bool {
    if let Some(docker) = item.docker() {
        return match &docker.action {
            Action::Prune(prune) => {
                item.clears_cache().is_some()
                    || matches!(prune.scope, PruneScope::Volume)
                    || prune.scope == PruneScope::Image && prune.all
            }
            Action::RemoveVolumes(_) => true,
            Action::Compose(ComposeVerb::Down, _) => {
                docker.flags.is_on("volumes") || docker.flags.get("rmi").is_some()
            }
            _ => false,
        };
    }
    item.command().is_some_and(|command| {
        let recursive = command.arguments().iter().any(|word| {
            word.text
                .strip_prefix('-')
                .is_some_and(|letters| !letters.starts_with('-') && letters.contains(['r', 'R']))
        });
        command.name() == "rm"
            && recursive
            && command.arguments().iter().any(|word| word.text.contains("cache"))
    })
}

/// A variable whose value decides what is cleared.
#[derive(Debug)]
struct Choice {
    name: String,
    /// Where a clear asks for it.
    place: (FileId, Span),
    values: BTreeSet<String>,
    /// The clears that it decides about.
    count: usize,
}

/// The choices that clears are behind, by what is tested: a variable of a file, or an input of a workflow.
fn choices(project: &Project, clears: &[&Item<'_>]) -> BTreeMap<(FileId, String), Choice> {
    let mut choices: BTreeMap<(FileId, String), Choice> = BTreeMap::new();
    for item in clears {
        let mut seen = BTreeSet::new();
        for (file, guard) in item.guards().into_iter().filter(|(_, guard)| is_gate(guard)) {
            for test in &guard.tests {
                let name = name_of(project, file, &test.variable, test.span);
                let choice = choices.entry((file, name.clone())).or_insert_with(|| Choice {
                    name: name.clone(),
                    place: (file, guard.span),
                    values: BTreeSet::new(),
                    count: 0,
                });
                if let Check::OneOf(values) = &test.check {
                    choice
                        .values
                        .extend(values.iter().filter(|value| !is_switch(value)).cloned());
                }
                choice.count += usize::from(seen.insert(name));
            }
        }
    }
    choices.retain(|_, choice| choice.values.len() > 1);
    choices
}

/// A variable's name; what the expression says for one that is masked.
fn name_of(project: &Project, file: FileId, variable: &str, span: Span) -> String {
    match variable.chars().all(|c| c == '_') {
        true => span.slice(project.file(file).source.text()).to_owned(),
        false => variable.to_owned(),
    }
}

/// Whether a guard lets some values pass and others not. A check that the value is one of those that there are does not.
fn is_gate(guard: &Guard) -> bool {
    let validates = guard.kind == GuardKind::EarlyExit
        && guard
            .tests
            .iter()
            .all(|test| matches!(test.check, Check::OneOf(_) | Check::NotEmpty));
    !validates
}

fn is_switch(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["", "true", "false", "yes", "no", "y", "n", "1", "0", "on", "off"].contains(&value.as_str())
}

/// A clear that no choice decides about, where others are decided about.
fn beside_choice(
    project: &Project,
    item: &Item<'_>,
    choices: &BTreeMap<(FileId, String), Choice>,
) -> Option<Finding> {
    let own: BTreeSet<(FileId, String)> = item
        .guards()
        .into_iter()
        .filter(|(_, guard)| is_gate(guard))
        .flat_map(|(file, guard)| guard.tests.iter().map(move |test| (file, test)))
        .map(|(file, test)| (file, name_of(project, file, &test.variable, test.span)))
        .collect();
    let conditional = item.guards().iter().any(|(_, guard)| is_gate(guard));
    let by_step = item.steps().iter().any(|step| step.condition.is_some());
    if conditional || by_step {
        return None;
    }
    let (_, choice) = choices.iter().find(|((file, _), _)| *file == item.file())?;
    if !own.is_empty() || item.docker().is_none() {
        return None;
    }
    let shown = item.shown();
    let name = match choice.name.contains('$') {
        true => choice.name.replace('`', "'"),
        false => format!("${}", choice.name),
    };
    Some(
        Finding::new(
            RULE.id,
            Severity::Medium,
            Confidence::Medium,
            format!("`{shown}` runs whatever `{name}` says"),
            item.place(),
        )
        .help(format!(
            "run it only for the values of `{name}` that are meant to clear this"
        ))
        .also(choice.place, "other clears are decided about here"),
    )
}

/// A clear that a deploy does each time.
fn at_every_deploy(item: &Item<'_>, items: &[Item<'_>]) -> Option<Finding> {
    let docker = item.docker()?;
    let Action::Prune(prune) = &docker.action else {
        return None;
    };
    let conditional = item.guards().iter().any(|(_, guard)| is_gate(guard))
        || item.steps().iter().any(|step| step.condition.is_some());
    let meant = item.is_meant_to(Purpose::Clear) || item.is_meant_to(Purpose::Tidy);
    if conditional || meant || item.is_on_new_machine() || !prune.filters.is_empty() || prune.keeps.is_some()
    {
        return None;
    }
    let same = |other: &&Item<'_>| other.host() == item.host() && !other.excludes(item);
    if prune.scope == PruneScope::Volume && prune.all {
        let down = items[..item.index].iter().rev().filter(same).find(|other| {
            matches!(
                other.docker().map(|docker| &docker.action),
                Some(Action::Compose(ComposeVerb::Down, _))
            )
        })?;
        return Some(
            Finding::new(
                RULE.id,
                Severity::High,
                Confidence::Medium,
                format!(
                    "`{}` deletes the volumes of what was stopped, with their data",
                    item.shown()
                ),
                item.place(),
            )
            .help("name the volumes that are meant: `docker volume rm NAME`")
            .also(down.place(), "from here on no container holds them"),
        );
    }
    let whole = prune.all
        && matches!(
            prune.scope,
            PruneScope::Builder | PruneScope::Buildx | PruneScope::System
        );
    // Behind the build it makes room for something else.
    let build = items
        .iter()
        .skip(item.index)
        .filter(same)
        .find(|other| other.builds() && !other.is_written_before(item))?;
    let is_deploy = |other: &Item<'_>| match other.docker().map(|docker| &docker.action) {
        Some(Action::ComposeUp(_) | Action::StackDeploy(_) | Action::ServiceUpdate(_)) => true,
        Some(Action::Run(run)) => run.detach,
        _ => false,
    };
    let deploys = items.iter().filter(same).any(is_deploy);
    // What takes data away too begins anew, which no deploy does.
    let begins_anew = |other: &Item<'_>| match other.docker().map(|docker| (docker, &docker.action)) {
        Some((_, Action::RemoveVolumes(_))) => true,
        Some((docker, Action::Compose(ComposeVerb::Down, _))) => docker.flags.is_on("volumes"),
        _ => false,
    };
    let is_reset = items.iter().filter(same).any(begins_anew);
    (whole && deploys && !is_reset).then(|| {
        Finding::new(
            RULE.id,
            Severity::Low,
            Confidence::Medium,
            format!("`{}` throws the build cache away at every deploy", item.shown()),
            item.place(),
        )
        .help("clear on demand, in a script of its own; to make room keep what is young: `docker builder prune -af --filter until=168h`")
        .also(build.place(), "this build never finds a result of an earlier one")
    })
}
