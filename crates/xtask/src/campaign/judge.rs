//! Plan against build, and both against what the generator knows.

use std::collections::{BTreeMap, BTreeSet};

use super::dockerfile::Id;
use super::picture::{Picture, Seen};
use super::steps::{Cause, Report, Step};

/// What can be wrong with one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Planned as cached, and it ran.
    FalseHit,
    /// Planned to run, and it was cached.
    FalseRun,
    /// The cause is not one that the generator knows to be true.
    Cause,
    /// The origin is unknown, or not true.
    Origin,
    /// Plan and build do not have the same steps.
    Shape,
}

/// One mistake.
#[derive(Debug, Clone)]
pub struct Mistake {
    /// Of which sort.
    pub wrong: Wrong,
    /// BuildKit's name of the step.
    pub step: String,
    /// What was said, and what is true.
    pub detail: String,
}

/// How much of the cache a build was told not to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoCache {
    /// All of it may be used.
    #[default]
    Nothing,
    /// None may be used.
    All,
    /// None may be used for one stage.
    Stage(usize),
}

/// A build that was done before.
#[derive(Debug)]
pub struct Past {
    /// Its name in the ledger.
    pub build: Option<String>,
    /// What the project was.
    pub picture: Picture,
    /// The steps that ran.
    pub ran: BTreeSet<Id>,
}

/// All that is known when a build is judged.
#[derive(Debug)]
pub struct Known<'a> {
    /// The builds before, the last one last.
    pub past: &'a [Past],
    /// What the project is.
    pub now: &'a Picture,
    /// What the build was told.
    pub no_cache: NoCache,
    /// Some of the project's records were pruned once.
    pub pruned: bool,
    /// Nothing of the engine's own could be left.
    pub emptied: bool,
    /// A cache is imported, or was once.
    pub imports: bool,
}

/// Compares the outcomes. Steps are told apart by their names, which are unique in a campaign's project: 20.10 does not
/// put stages that do not depend on each other in the same order every time.
pub fn outcomes(plan: &Report, build: &Report) -> Vec<Mistake> {
    let by_name = |report: &Report| -> BTreeMap<String, Step> {
        let steps = report.steps.iter();
        steps.map(|step| (step.name.clone(), step.clone())).collect()
    };
    let (planned, built) = (by_name(plan), by_name(build));
    if !planned.keys().eq(built.keys()) || planned.len() != plan.steps.len() {
        return vec![Mistake {
            wrong: Wrong::Shape,
            step: String::new(),
            detail: format!("planned {:?}, built {:?}", planned.keys(), built.keys()),
        }];
    }
    let pairs = planned.values().zip(built.values());
    let mistakes = pairs.filter_map(|(planned, built)| {
        let wrong = match (planned.outcome.as_str(), built.outcome.as_str()) {
            ("maybe", _) | ("cached", "cached" | "not-reached") | ("run", "ran") => return None,
            ("cached", _) => Wrong::FalseHit,
            _ => Wrong::FalseRun,
        };
        Some(Mistake {
            wrong,
            step: planned.name.clone(),
            detail: format!(
                "planned {:?} ({}), was {:?} ({})",
                planned.outcome,
                reason(planned),
                built.outcome,
                reason(built)
            ),
        })
    });
    mistakes.collect()
}

/// Judges the causes and origins of a plan or a build.
pub fn reasons(report: &Report, known: &Known) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for step in &report.steps {
        let (wrong, judged) = if runs(step) {
            (Wrong::Cause, cause(step, &report.steps, known))
        } else if step.outcome == "cached" {
            (Wrong::Origin, origin(step, known))
        } else {
            continue;
        };
        if let Err(detail) = judged {
            mistakes.push(Mistake {
                wrong,
                step: step.name.clone(),
                detail: format!(
                    "{} said {}: {detail}",
                    if report.build.is_some() { "build" } else { "plan" },
                    reason(step)
                ),
            });
        }
    }
    mistakes
}

/// The steps that ran.
pub fn ran(report: &Report, now: &Picture) -> BTreeSet<Id> {
    let ran = report.steps.iter().filter(|step| runs(step));
    ran.filter_map(|step| now.at(step.line)).collect()
}

/// The steps that ran although the generator knows of no reason.
pub fn unexplained(report: &Report, known: &Known) -> Vec<String> {
    let Some(before) = known.past.last() else {
        return Vec::new();
    };
    let ran = ran(report, known.now);
    let is_explained = |id: &Id, seen: &Seen| {
        let before = before.picture.steps.get(id);
        let told = is_told(seen, known.no_cache);
        let is_same = before.is_some_and(|before| truth(seen, before) == NOTHING);
        told || known.pruned || !is_same || ran.iter().any(|other| known.now.depends(*id, *other))
    };
    let steps = report.steps.iter().filter(|step| runs(step));
    let unexplained = steps.filter(|step| find(step, known).is_ok_and(|(id, seen)| !is_explained(&id, seen)));
    unexplained.map(|step| step.name.clone()).collect()
}

fn runs(step: &Step) -> bool {
    matches!(step.outcome.as_str(), "run" | "ran")
}

fn reason(step: &Step) -> String {
    let cause = step.cause.as_ref().map(|cause| {
        let parent = cause
            .step
            .as_ref()
            .map(|step| format!(" of {step:?}"))
            .unwrap_or_default();
        format!("{}{parent} {:?}", cause.kind, cause.changes)
    });
    let origin = step
        .origin
        .as_ref()
        .map(|origin| format!("from {} {}", origin.kind, origin.build.as_deref().unwrap_or("")));
    cause.or(origin).unwrap_or_else(|| "without a reason".to_owned())
}

fn cause(step: &Step, all: &[Step], known: &Known) -> Result<(), String> {
    let cause = step.cause.as_ref().ok_or("it needs a cause")?;
    let (id, seen) = find(step, known)?;
    let Some(before) = known.past.last() else {
        return right(cause.kind == "first-build", || "it is the first build".to_owned());
    };
    let before = before
        .picture
        .steps
        .get(&id)
        .ok_or_else(|| "the campaign adds no steps".to_owned())?;
    if is_told(seen, known.no_cache) {
        return right(cause.kind == "no-cache", || {
            "it was told not to use the cache".to_owned()
        });
    }
    match cause.kind.as_str() {
        "instruction-changed" => right(
            seen.expanded != before.expanded || seen.environment != before.environment,
            || {
                format!(
                    "the instruction and its variables are the same; {}",
                    truth(seen, before)
                )
            },
        ),
        "arg-changed" => {
            let changed = seen.changed_arguments(before);
            let expanded = seen.written == before.written && seen.expanded != before.expanded;
            let named = cause.named("arg");
            right(expanded || !changed.is_empty() && named == changed, || {
                format!("arguments that changed: {changed:?}; {}", truth(seen, before))
            })
        }
        "files-changed" => {
            let changed: Vec<String> = seen.files.differences(&before.files).into_iter().collect();
            right(!changed.is_empty() && cause.named("path") == changed, || {
                format!("files that changed: {changed:?}; {}", truth(seen, before))
            })
        }
        "base-changed" => right(seen.base != before.base, || truth(seen, before)),
        "parent-ran" => parent(cause, id, all, known),
        "record-pruned" | "cleared" => {
            let was_built = known.past.iter().any(|past| {
                past.picture
                    .steps
                    .get(&id)
                    .is_some_and(|past| past.key == seen.key)
            });
            right(known.pruned && was_built, || {
                format!(
                    "pruned: {}, built before in this state: {was_built}; {}",
                    known.pruned,
                    truth(seen, before)
                )
            })
        }
        "import-lost" => right(known.imports && known.pruned, || truth(seen, before)),
        _ => Err(truth(seen, before)),
    }
}

/// Whether a step was told not to use the cache.
fn is_told(seen: &Seen, no_cache: NoCache) -> bool {
    seen.heeds_no_cache
        && match no_cache {
            NoCache::Nothing => false,
            NoCache::All => true,
            NoCache::Stage(stage) => stage == seen.stage,
        }
}

fn parent(cause: &Cause, id: Id, all: &[Step], known: &Known) -> Result<(), String> {
    let name = cause
        .step
        .as_deref()
        .ok_or("parent-ran needs the name of a step")?;
    let parent = all
        .iter()
        .find(|step| step.name == name)
        .ok_or("there is no step of that name")?;
    let (parent_id, seen) = find(parent, known)?;
    // One instruction can be two steps: with `--link`, the copy and the laying on top.
    right(parent_id == id || known.now.depends(id, parent_id), || {
        "it does not depend on the step that is named".to_owned()
    })?;
    if parent.outcome == "cached" {
        // An earlier result of it is reused, another one than that of the last build.
        let before = known
            .past
            .last()
            .and_then(|past| past.picture.steps.get(&parent_id));
        let is_other = before.is_some_and(|before| truth(seen, before) != NOTHING);
        return right(is_other, || {
            "the step that it names did not run, and is the same".to_owned()
        });
    }
    let is_first = parent
        .cause
        .as_ref()
        .is_some_and(|cause| cause.kind != "parent-ran");
    right(is_first, || {
        "the step that is named is not the first of the chain".to_owned()
    })
}

fn origin(step: &Step, known: &Known) -> Result<(), String> {
    let origin = step.origin.as_ref().ok_or("it needs an origin")?;
    let (id, _) = find(step, known)?;
    match origin.kind.as_str() {
        "local" => {
            right(!known.emptied, || {
                "the engine's own cache was emptied right before".to_owned()
            })?;
            let build = origin.build.as_deref().ok_or("a local origin needs a build")?;
            let past = known
                .past
                .iter()
                .find(|past| past.build.as_deref() == Some(build));
            let past = past.ok_or("this project has no such build")?;
            right(past.ran.contains(&id), || {
                "the step did not run in that build".to_owned()
            })
        }
        "imported" => right(known.imports, || "nothing was ever imported".to_owned()),
        "same-build" | "base" => Ok(()),
        _ => Err("that is no origin".to_owned()),
    }
}

fn find<'a>(step: &Step, known: &'a Known) -> Result<(Id, &'a Seen), String> {
    let id = known.now.at(step.line);
    let found = id.and_then(|id| Some((id, known.now.steps.get(&id)?)));
    found.ok_or_else(|| format!("no instruction stands at line {}", step.line))
}

fn right(right: bool, truth: impl FnOnce() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(truth()) }
}

const NOTHING: &str = "nothing of its own is different";

/// What is different of a step itself.
fn truth(seen: &Seen, before: &Seen) -> String {
    let mut truth = Vec::new();
    if seen.expanded != before.expanded {
        truth.push(format!("instruction {:?} → {:?}", before.expanded, seen.expanded));
    }
    if seen.environment != before.environment {
        truth.push("environment".to_owned());
    }
    truth.extend(
        seen.changed_arguments(before)
            .into_iter()
            .map(|name| format!("argument {name}")),
    );
    truth.extend(
        seen.files
            .differences(&before.files)
            .into_iter()
            .map(|path| format!("file {path}")),
    );
    if seen.base != before.base {
        truth.push("base image".to_owned());
    }
    if truth.is_empty() {
        return NOTHING.to_owned();
    }
    format!("different: {}", truth.join(", "))
}

#[cfg(test)]
mod tests;
