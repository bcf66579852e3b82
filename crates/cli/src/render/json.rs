//! The JSON documents. Their shape is documented in docs/json.md; `schema` names it and its version.

use crate::failure::service_cause;
use crate::text::{is_hostile, timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};
use unstale_flow::build::explain::Origin;
use unstale_flow::build::{
    BuildReport, Note, PlanReport, PlannedService, PlannedStep, Predicted, ServiceReport, Step, StepKind,
};
use unstale_flow::clear::experiment::{ExperimentReport, Trial};
use unstale_flow::clear::{Amount, ClearReport, StoreReport};
use unstale_flow::event::{Outcome, ServiceOutcome};
use unstale_flow::why::{Later, Story, Told, is_shown};
use unstale_ledger::{BuildRecord, BuildSummary, StoredService};

/// `unstale.build/1`.
pub fn build(report: &BuildReport) -> String {
    let document = json!({
        "schema": "unstale.build/1",
        "build_id": report.build_id,
        "builder": report.builder,
        "commit": report.commit.as_ref().map(|commit| commit.hash.as_str()),
        "dirty": report.commit.as_ref().is_some_and(|commit| commit.is_dirty()),
        "interrupted": report.interrupted,
        "services": report.services.iter().map(service).collect::<Vec<_>>(),
    });
    pretty(&document)
}

fn service(report: &ServiceReport) -> Value {
    let revision = report.revision.as_ref();
    let work = report
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::Instruction);
    let built = report.outcome == ServiceOutcome::Built;
    json!({
        "service": report.build.service,
        "image": report.build.images.first(),
        "tags": report.build.images,
        "image_id": report.image_id,
        "outcome": report.outcome,
        "error": report.error.as_ref().map(|error| service_cause(&report.build, error)),
        "commit": revision.map(|revision| revision.commit.as_str()),
        "dirty": revision.is_some_and(|revision| revision.dirty),
        "up_to_date": built && work.clone().all(|step| step.outcome == Outcome::Cached),
        "started": timestamp(report.started),
        "completed": timestamp(report.completed),
        "violations": report.violations,
        "steps": report.steps.iter().filter(|step| step.kind != StepKind::Internal).map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &Step) -> Value {
    json!({
        "number": step.number,
        "name": step.name,
        "instruction": step.instruction,
        "location": step.location,
        "digest": step.digest,
        "stable_digest": step.stable_digest,
        "outcome": step.outcome,
        "started": step.started.map(timestamp),
        "completed": step.completed.map(timestamp),
        "duration_ms": step.duration().map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        "error": step.error,
        "kind": kind(step.kind),
        "cause": step.cause,
        "origin": step.origin.as_ref().map(origin),
        "note": step.note.map(Note::text),
    })
}

fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Instruction => "instruction",
        StepKind::Source => "source",
        StepKind::Internal => "internal",
    }
}

fn origin(origin: &Origin) -> Value {
    let created = origin.created_ms.and_then(|ms| u64::try_from(ms).ok());
    json!({
        "kind": origin.kind,
        "build": origin.build,
        "commit": origin.commit,
        "created": created.map(|ms| timestamp(UNIX_EPOCH + Duration::from_millis(ms))),
        "ref": origin.reference,
        "reason": origin.reason,
    })
}

/// `unstale.why/1`.
pub fn why(story: &Story) -> String {
    let service = |service: &StoredService| {
        let steps = service.steps.iter().filter(|step| is_shown(step)).map(Told::new);
        json!({
            "service": service.service,
            "image": service.image.first(),
            "image_id": service.image_id,
            "outcome": service.outcome,
            "error": service.error,
            "violations": service.violations,
            "steps": steps.map(|told| told_step(&told)).collect::<Vec<_>>(),
        })
    };
    let mut document = json!({
        "schema": "unstale.why/1",
        "build": summary(story),
        "services": story.services().iter().map(service).collect::<Vec<_>>(),
    });
    add_later(&mut document, &story.later);
    pretty(&document)
}

/// `unstale.why/1` with the steps that were asked for alone.
pub fn why_steps(story: &Story, steps: &[Told<'_>]) -> String {
    let mut document = json!({
        "schema": "unstale.why/1",
        "build": summary(story),
        "steps": steps.iter().map(told_step).collect::<Vec<_>>(),
    });
    add_later(&mut document, &story.later);
    pretty(&document)
}

fn summary(story: &Story) -> Option<&BuildSummary> {
    story.build.as_ref().map(|build| &build.summary)
}

/// Adds what the engine knows of a build that is not recorded.
fn add_later(document: &mut Value, later: &Later) {
    let (build, unknown) = match later {
        Later::None => (None, None),
        Later::Unknown(reason) => (None, Some(reason)),
        Later::Build(foreign) => (Some(foreign), None),
    };
    let build = build.map(|foreign| {
        json!({
            "ref": foreign.reference,
            "created": foreign.created.map(timestamp),
            "error": foreign.error,
            "steps": foreign.steps.iter().map(|step| told_step(&Told::new(step))).collect::<Vec<_>>(),
        })
    });
    document["later_build"] = json!(build);
    document["later_build_unknown"] = json!(unknown);
}

fn told_step(told: &Told<'_>) -> Value {
    json!({
        "name": told.step.name,
        "instruction": told.step.instruction,
        "kind": told.step.kind,
        "location": told.step.location,
        "digest": told.step.digest,
        "stable_digest": told.step.stable_digest,
        "outcome": told.step.outcome,
        "error": told.step.error,
        "output": told.step.explained.output,
        "cause": told.cause,
        "origin": told.origin.as_ref().map(origin),
        "note": told.step.explained.note,
        "key": told.step.explained.key,
        "record": told.made.as_ref().and_then(|made| made.record.as_deref()),
        "contents": told.contents(),
    })
}

/// `unstale.plan/1`.
pub fn plan(report: &PlanReport) -> String {
    pretty(&json!({
        "schema": "unstale.plan/1",
        "builder": report.builder,
        "commit": report.commit.as_ref().map(|commit| commit.hash.as_str()),
        "dirty": report.commit.as_ref().is_some_and(|commit| commit.is_dirty()),
        "up_to_date": report.is_up_to_date(),
        "services": report.services.iter().map(planned_service).collect::<Vec<_>>(),
        "summary": {
            "run": report.count(Predicted::Run),
            "cached": report.count(Predicted::Cached),
            "maybe": report.count(Predicted::Maybe),
        },
    }))
}

/// The document of `clear`.
pub fn clear(report: &ClearReport, dry_run: bool) -> String {
    let amount = |store: &StoreReport, amount: Amount| {
        store
            .is_known
            .then(|| json!({ "records": amount.records, "bytes": amount.bytes }))
    };
    let stores = report.stores.iter().map(|store| {
        let leftovers = store
            .leftovers
            .iter()
            .map(|left| json!({ "reason": left.reason, "hint": left.hint, "can_answer": left.can_answer }));
        json!({
            "store": store.store,
            "builder": store.builder,
            "before": amount(store, store.before),
            "after": amount(store, store.after),
            "shared_with_images": store.shared_with_images,
            "epoch": store.epoch.map(timestamp),
            "reason": store.leftovers.first().map(|left| left.reason.as_str()),
            "leftovers": leftovers.collect::<Vec<_>>(),
        })
    });
    pretty(&json!({
        "schema": "unstale.clear/1",
        "targets": report.targets.iter().map(|target| target.as_str()).collect::<Vec<_>>(),
        "dry_run": dry_run,
        "epoch": report.epoch().map(timestamp),
        "stores": stores.collect::<Vec<_>>(),
        "reclaimed_bytes": report.reclaimed_bytes(),
        "proven": !dry_run && report.proven(),
        "warnings": report.warnings,
    }))
}

/// `unstale.clear-experiment/1`.
pub fn experiment(report: &ExperimentReport) -> String {
    let way = |trial: &Trial| {
        json!({
            "way": trial.way.as_str(),
            "command": trial.command,
            "steps": trial.steps,
            "reused": trial.reused,
            "works": trial.works(),
        })
    };
    pretty(&json!({
        "schema": "unstale.clear-experiment/1",
        "builder": report.builder,
        "ways": report.trials.iter().map(way).collect::<Vec<_>>(),
        "warnings": report.warnings,
    }))
}

fn planned_service(service: &PlannedService) -> Value {
    let revision = service.revision.as_ref();
    let steps = service
        .steps
        .iter()
        .filter(|step| step.kind != StepKind::Internal);
    json!({
        "service": service.build.service,
        "image": service.build.images.first(),
        "commit": revision.map(|revision| revision.commit.as_str()),
        "dirty": revision.is_some_and(|revision| revision.dirty),
        "up_to_date": service.is_up_to_date(),
        "error": service.error.as_ref().map(|error| service_cause(&service.build, error)),
        "steps": steps.map(planned_step).collect::<Vec<_>>(),
    })
}

fn planned_step(step: &PlannedStep) -> Value {
    json!({
        "name": step.name,
        "instruction": step.instruction,
        "kind": kind(step.kind),
        "location": step.location,
        "digest": step.digest,
        "stable_digest": step.stable_digest,
        "outcome": step.outcome,
        "cause": step.cause,
        "origin": step.origin.as_ref().map(origin),
        "note": step.note.map(Note::text),
    })
}

/// `unstale.log/1`: the list of builds.
pub fn log(builds: &[BuildSummary]) -> String {
    pretty(&json!({ "schema": "unstale.log/1", "builds": builds }))
}

/// `unstale.log/1`: one build.
pub fn log_build(build: &BuildRecord) -> String {
    pretty(&json!({ "schema": "unstale.log/1", "build": build }))
}

/// JSON escapes the control characters of ASCII itself; the other characters that a terminal obeys, or that change
/// the order in which text is read, are escaped here. They stand in strings only.
pub(super) fn pretty(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_hostile(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_holds_no_character_that_a_terminal_obeys_and_means_the_same() {
        let name = "a\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{2028}\nb\u{e9}";
        let text = pretty(&json!({ "name": name }));
        assert!(text.chars().all(|c| c == '\n' || !is_hostile(c)), "{text:?}");
        assert!(text.contains('\u{e9}'));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["name"], name);
    }
}
