//! After the build: which record of the cache each step's result is, and where the reused ones came from.
//!
//! No API of BuildKit says either. A record is told to be a step's by the time at which it was made, by its description,
//! and by the record that it lies upon; one that was not there before the build, and is older than it, was imported.

use super::super::service::Shared;
use super::super::spec::ServiceBuild;
use super::super::steps::{Step, StepResult};
use super::Evidence;
use super::assign::{Window, assign};
use super::memory::LedgerMemory;
use super::origin::{Origin, OriginKind};
use crate::event::Outcome;
use std::time::SystemTime;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::llb::{Graph, Op, Vertex};
use unstale_plan::{Cause, Made, Memory, Outcome as Predicted, Past, Prediction, Reason, Records, describes};

/// Adds causes, origins and results to the steps of a build; the graph's steps come first among them.
pub(in super::super) async fn conclude(
    shared: &Shared,
    build: &ServiceBuild,
    mut evidence: Evidence,
    graph: &Graph,
    steps: &mut [Step],
) {
    let mut causes = causes(shared, build, &mut evidence, graph, steps);
    let is_new = |(number, step): (usize, &Step)| match step.outcome {
        Outcome::Ran => true,
        // What was expected, by a result whose record is known.
        Outcome::Cached => {
            let prediction = &evidence.predictions[number];
            let is_known = past(&prediction.reason).is_some_and(|past| past.made.is_some());
            prediction.outcome != Predicted::Cached || !is_known
        }
        Outcome::NotReached => false,
    };
    let work = steps
        .iter()
        .zip(&graph.vertices)
        .map(|(step, _)| step)
        .enumerate();
    let mut work = work.filter(|(number, _)| !is_source(&graph.vertices[*number]));
    let records = match work.any(is_new) {
        true => shared.builder.client.disk_usage().await.unwrap_or_default(),
        false => Vec::new(),
    };
    let search = Search {
        before: Records::new(&evidence.records),
        asked: evidence.asked,
        all: &records,
        records: Records::new(&records),
        imports: imports(build),
        any_ran: steps.iter().any(|step| step.outcome == Outcome::Ran),
    };
    let windows = steps.iter().zip(&graph.vertices).enumerate();
    let windows = windows.filter(|(_, (step, _))| step.outcome == Outcome::Ran && step.error.is_none());
    let windows = windows.filter_map(|(number, (step, vertex))| Some((number, Window::of(vertex, step)?)));
    let mut ran = assign(windows, &graph.vertices, &search.records);
    let memory = LedgerMemory::new(shared);
    let mut made: Vec<Option<Made>> = Vec::with_capacity(graph.vertices.len());
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let Some(step) = steps.get_mut(number) else { break };
        let below = vertex
            .inputs
            .first()
            .and_then(|input| made.get(input.vertex)?.as_ref());
        let key = &evidence.keys[number];
        let own = match step.outcome {
            Outcome::Ran if step.error.is_none() => {
                step.cause = Some(cause(&mut causes, &evidence.predictions[number].reason, number));
                ran.remove(&number)
            }
            Outcome::Ran => {
                step.cause = Some(cause(&mut causes, &evidence.predictions[number].reason, number));
                None
            }
            Outcome::Cached if is_source(vertex) => {
                step.origin = Some(Origin::new(OriginKind::Base));
                None
            }
            Outcome::Cached => {
                let prediction = &evidence.predictions[number];
                let others = prediction.others.iter().flat_map(|key| memory.past(key));
                let pasts = past(&prediction.reason).cloned().into_iter().chain(others);
                let is_there = |past: &Past| {
                    past.made
                        .as_ref()
                        .is_some_and(|made| search.before.of(made, vertex).is_some())
                };
                let pasts: Vec<Past> = pasts.collect();
                // A result that no later step needed is not looked for. The one that may have been it was it.
                let is_believed = matches!(
                    prediction.reason,
                    Reason::NotNeeded(_) | Reason::Unclear(_) | Reason::AsLater(_)
                );
                let past = pasts.iter().find(|past| is_believed || is_there(past));
                let (origin, made) = search.reused(vertex, past, &pasts, below);
                step.origin = Some(origin);
                step.note = evidence.notes[number];
                made
            }
            Outcome::NotReached => None,
        };
        step.result = Some(StepResult {
            key: key.id.clone(),
            loose_key: key.loose.clone(),
            made: own.clone(),
            facts: evidence.facts[number].clone(),
        });
        made.push(own);
    }
}

/// Why the steps run, with what has become of those that nobody could know before.
fn causes(
    shared: &Shared,
    build: &ServiceBuild,
    evidence: &mut Evidence,
    graph: &Graph,
    steps: &[Step],
) -> Vec<Option<Cause>> {
    let was_open = |prediction: &Prediction| prediction.outcome == Predicted::Maybe;
    if !evidence.predictions.iter().any(was_open) {
        return std::mem::take(&mut evidence.causes);
    }
    let mut known = evidence.predictions.clone();
    let work = known.iter_mut().zip(&graph.vertices).zip(steps);
    for ((prediction, _), step) in work.filter(|((_, vertex), _)| !is_source(vertex)) {
        prediction.outcome = match step.outcome {
            Outcome::Ran => Predicted::Run,
            Outcome::Cached => Predicted::Cached,
            Outcome::NotReached => prediction.outcome,
        };
    }
    evidence.causes(shared, build, graph, &known)
}

fn is_source(vertex: &Vertex) -> bool {
    matches!(vertex.op, Op::Source { .. })
}

fn past(reason: &Reason) -> Option<&Past> {
    match reason {
        Reason::Held(past)
        | Reason::Gone(past)
        | Reason::Unclear(past)
        | Reason::NotNeeded(Some(past))
        | Reason::AsLater(Some(past)) => Some(past),
        _ => None,
    }
}

/// Why a step ran that did run.
fn cause(causes: &mut [Option<Cause>], expected: &Reason, number: usize) -> Cause {
    match causes[number].take() {
        Some(cause) => cause,
        None => Cause::unknown(match expected {
            Reason::Held(past) => format!(
                "the cache holds the result of build {}, and the engine did not use it",
                past.build
            ),
            _ => "nothing that is recorded of the previous build is different".to_owned(),
        }),
    }
}

/// The names of the caches that the build may import from.
fn imports(build: &ServiceBuild) -> Vec<String> {
    build.cache_from.iter().map(super::imports::reference).collect()
}

struct Search<'a> {
    /// The records that were there before the build.
    before: Records<'a>,
    /// When the builder was asked for them.
    asked: SystemTime,
    all: &'a [UsageRecord],
    records: Records<'a>,
    imports: Vec<String>,
    /// A step of the build ran.
    any_ran: bool,
}

impl Search<'_> {
    /// Where the result of a reused step came from, and its record.
    fn reused(
        &self,
        vertex: &Vertex,
        past: Option<&Past>,
        pasts: &[Past],
        below: Option<&Made>,
    ) -> (Origin, Option<Made>) {
        if let Some(past) = past {
            let made = past
                .made
                .clone()
                .or_else(|| Made::seen(self.find(vertex, below)?));
            return (Origin::of(past), made);
        }
        let imported = pasts
            .iter()
            .find(|past| past.imported.is_some() && past.made.is_none());
        let Some(record) = self.find(vertex, below) else {
            return (imported.map_or_else(|| self.unseen(), Origin::of), None);
        };
        // A result of ours that was not believed to be usable, and was.
        let is_its = |made: &Made| made.record.as_deref() == Some(&record.id) || made.covers(record);
        let was_there = self.before.by_id(&record.id).is_some();
        let ours = pasts.iter().find(|past| past.made.as_ref().is_some_and(is_its));
        if let Some(ours) = ours.filter(|_| was_there) {
            return (Origin::of(ours), Made::seen(record));
        }
        let is_older = record.created.is_some_and(|created| created < self.asked);
        let kind = match (is_older, was_there) {
            (false, _) => OriginKind::SameBuild,
            (true, true) => OriginKind::Local,
            (true, false) => OriginKind::Imported,
        };
        if let Some(imported) = imported.filter(|_| kind != OriginKind::SameBuild) {
            return (Origin::of(imported), Made::seen(record));
        }
        let created = record
            .created
            .and_then(|created| created.duration_since(SystemTime::UNIX_EPOCH).ok());
        let origin = Origin {
            created_ms: created.and_then(|since| i64::try_from(since.as_millis()).ok()),
            reference: Some(self.imports.join(", "))
                .filter(|names| kind == OriginKind::Imported && !names.is_empty()),
            ..Origin::new(kind)
        };
        (origin, Made::seen(record))
    }

    /// Of a result whose record is not among the cache's.
    fn unseen(&self) -> Origin {
        if !self.imports.is_empty() {
            // Not fetched, because nothing that ran needed it: the import's own description was enough.
            return Origin {
                reference: Some(self.imports.join(", ")),
                ..Origin::new(OriginKind::Imported)
            };
        }
        Origin {
            reason: Some("the engine does not say which record it used".to_owned()),
            ..Origin::new(OriginKind::Unknown)
        }
    }

    /// The record that a step's reused result most likely is.
    fn find(&self, vertex: &Vertex, below: Option<&Made>) -> Option<&UsageRecord> {
        let parent = below.and_then(|made| made.record.as_deref());
        let fits = |record: &&UsageRecord| {
            let lies_on = |parent: &str| record.parents.iter().any(|id| id == parent);
            // Of imported records the engine names no parents.
            let on_parent = record.parents.is_empty() || parent.is_none_or(lies_on);
            describes(record, vertex) && on_parent
        };
        // Another project may have a step that is called the same. What can be imported is not taken for its result.
        let since = |time: Option<SystemTime>| time.is_some_and(|time| time >= self.asked);
        let may_be_it = |record: &&UsageRecord| {
            let is_new = self.before.by_id(&record.id).is_none();
            self.imports.is_empty()
                || is_new && (self.any_ran || !since(record.created))
                || !is_new && since(record.last_used)
        };
        let fitting = self.all.iter().filter(fits).filter(may_be_it);
        fitting.max_by_key(|record| record.last_used)
    }
}
