//! `unstale plan`: what a build would do. The engine's frontend makes the graphs, and nothing of them is run.

use super::explain::Origin;
use super::project::{self, BuildError, BuildRequest, Purpose};
use super::request::Target;
use super::rerun::reruns::Reruns;
use super::service::{self, Shared};
use super::spec::ServiceBuild;
use super::steps::{StepKind, instruction, kind};
use super::{ServiceError, schedule};
use crate::event::{Commit, Event};
use crate::git::Revision;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::llb::{Graph, Location};
use unstale_plan::{Cause, CauseKind, Note, Outcome};

/// What a build would do.
pub struct PlanReport {
    /// The builder, for people.
    pub builder: String,
    /// The commit that would be built.
    pub commit: Option<Commit>,
    /// The services in the order of their names.
    pub services: Vec<PlannedService>,
}

/// What a build would do for one service.
pub struct PlannedService {
    /// What would be built.
    pub build: ServiceBuild,
    /// The commit that the image's label would name.
    pub revision: Option<Revision>,
    /// The steps in the order of the graph.
    pub steps: Vec<PlannedStep>,
    /// Why it cannot be planned.
    pub error: Option<ServiceError>,
}

/// What would become of one step.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// BuildKit's name for it.
    pub name: String,
    /// The instruction: the name without BuildKit's counter.
    pub instruction: String,
    /// Its place in the Dockerfile.
    pub location: Option<Location>,
    /// BuildKit's digest of the vertex.
    pub digest: String,
    /// The digest without what differs between sessions.
    pub stable_digest: String,
    /// What sort of step it is.
    pub kind: StepKind,
    /// What would become of it.
    pub outcome: Outcome,
    /// Why it would run.
    pub cause: Option<Cause>,
    /// Where the result is from that would be reused.
    pub origin: Option<Origin>,
    /// What a person might not expect of its reuse.
    pub note: Option<Note>,
    /// How its results are found: see [`unstale_plan::Key::id`].
    pub key: String,
    /// A `--rerun` selects it.
    pub is_selected: bool,
    /// The steps that it needs, by their places among those of the service.
    pub inputs: Vec<usize>,
    /// The records of its results, if [`held`] was asked for them.
    pub held: Vec<UsageRecord>,
}

impl PlanReport {
    /// How many instructions have this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        let steps = self.services.iter().flat_map(|service| &service.steps);
        steps
            .filter(|step| step.kind == StepKind::Instruction && step.outcome == outcome)
            .count()
    }

    /// True if a build would run nothing.
    pub fn is_up_to_date(&self) -> bool {
        self.services.iter().all(PlannedService::is_up_to_date)
    }
}

impl PlannedService {
    /// True if a build would run nothing.
    pub fn is_up_to_date(&self) -> bool {
        let mut work = self
            .steps
            .iter()
            .filter(|step| step.kind == StepKind::Instruction);
        self.error.is_none() && work.all(|step| step.outcome == Outcome::Cached)
    }
}

/// Plans. Warnings come as events.
///
/// # Errors
/// As for a build that cannot begin. What is wrong with one service is in its report.
pub async fn plan(
    environment: &unstale_docker::Environment,
    request: BuildRequest,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<PlanReport, BuildError> {
    planned(environment, request, false, events, cancel).await
}

/// As [`plan`], with the records that the cache holds of each step.
///
/// # Errors
/// As [`plan`].
pub(crate) async fn held(
    environment: &unstale_docker::Environment,
    request: BuildRequest,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<PlanReport, BuildError> {
    planned(environment, request, true, events, cancel).await
}

async fn planned(
    environment: &unstale_docker::Environment,
    request: BuildRequest,
    with_records: bool,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<PlanReport, BuildError> {
    let begun = tokio::select! {
        begun = project::begin(environment, &request, Purpose::Look) => begun?,
        () = cancel.cancelled() => return Err(BuildError::Cancelled),
    };
    let plan = schedule::Plan::new(begun.builds())?;
    let reruns = Reruns::new(&request.reruns, &plan.services(), &plan.first())?;
    let (_, shared) = begun.share(environment, &request, reruns, &events).await;
    let mut done: BTreeMap<String, PlannedService> = BTreeMap::new();
    let mut waiting = plan.into_builds();
    while !waiting.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, needs)| needs.iter().all(|need| done.contains_key(&need.service)));
        waiting = rest;
        let planned = ready.into_iter().map(|(build, needs)| {
            let changed = needs.iter().find(|need| {
                done.get(&need.service)
                    .is_none_or(|service| !service.is_up_to_date())
            });
            let changed = changed.map(|need| need.service.clone());
            // As in a build: the engine finds a base image by its name.
            let by_name = matches!(shared.builder.target, Target::Engine(_)) && !build.pull;
            let given = needs.into_iter().filter(|need| !(need.is_base && by_name));
            let contexts = given.map(|need| (need.context, done[&need.service].build.images.clone()));
            let contexts =
                contexts.filter_map(|(context, images)| Some((context, images.into_iter().next()?)));
            one(&shared, build, contexts.collect(), changed, with_records, &cancel)
        });
        for service in futures_util::future::join_all(planned).await {
            done.insert(service.build.service.clone(), service);
        }
    }
    if cancel.is_cancelled() {
        return Err(BuildError::Cancelled);
    }
    Ok(PlanReport {
        builder: shared.builder.describe(),
        commit: shared.repository.as_ref().map(crate::git::Repository::commit),
        services: done.into_values().collect(),
    })
}

/// Plans one service. `images` are those of the services that it is built from, of which `changed` would be built first.
async fn one(
    shared: &Shared,
    mut build: ServiceBuild,
    images: BTreeMap<String, String>,
    changed: Option<String>,
    with_records: bool,
    cancel: &CancellationToken,
) -> PlannedService {
    let looked = service::look(shared, &mut build, images, cancel).await;
    shared.reruns.settle(&build.service);
    let (revision, steps, error) = match looked {
        Ok((graph, evidence, revision)) => {
            let mut steps = steps(&build, &graph, &evidence, changed.as_deref());
            if with_records {
                for (step, held) in steps.iter_mut().zip(evidence.held(shared, &graph)) {
                    step.held = held;
                }
            }
            (revision, steps, None)
        }
        Err(_) if changed.is_some() => {
            let service = changed.unwrap_or_default();
            (None, Vec::new(), Some(ServiceError::UnknownBase(service)))
        }
        Err(error) => (None, Vec::new(), Some(error)),
    };
    PlannedService {
        build,
        revision,
        steps,
        error,
    }
}

fn steps(
    build: &ServiceBuild,
    graph: &Graph,
    evidence: &super::explain::Evidence,
    changed: Option<&str>,
) -> Vec<PlannedStep> {
    let mask = build.mask();
    let vertices = graph.vertices.iter().enumerate();
    vertices
        .map(|(number, vertex)| {
            let prediction = &evidence.predictions[number];
            let kind = kind(vertex);
            let name = mask.text(&vertex.name).into_owned();
            // The images of other services are what the graph was made of; the new ones may be others.
            let (outcome, cause) = match changed {
                Some(service) if prediction.outcome == Outcome::Cached && kind == StepKind::Instruction => {
                    (Outcome::Maybe, Some(built_from(service)))
                }
                _ => (prediction.outcome, evidence.causes[number].clone()),
            };
            let is_reused = outcome == Outcome::Cached;
            PlannedStep {
                instruction: instruction(&name).to_owned(),
                name,
                location: vertex.location.clone(),
                digest: vertex.digest.clone(),
                stable_digest: vertex.stable_digest.clone(),
                kind,
                outcome,
                cause: cause.filter(|_| !is_reused),
                origin: Origin::expected(&prediction.reason).filter(|_| is_reused),
                note: evidence.notes[number].filter(|_| is_reused),
                key: evidence.keys[number].id.clone(),
                is_selected: vertex.ignore_cache && !build.no_cache && build.no_cache_filter.is_empty(),
                inputs: vertex.inputs.iter().map(|input| input.vertex).collect(),
                held: Vec::new(),
            }
        })
        .collect()
}

fn built_from(service: &str) -> Cause {
    Cause {
        kind: CauseKind::ParentRan,
        summary: format!("is built from {service}, which changes"),
        changes: Vec::new(),
        more_changes: 0,
        step: Some(service.to_owned()),
    }
}
