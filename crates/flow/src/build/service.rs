//! Builds one service: opens its session, lets the engine make the graph, runs it, follows its steps.

mod error;
mod folders;
mod graph;
mod look;

pub use error::ServiceError;
pub(super) use look::look;

use super::epoch::{Epoch, Epochs};
use super::kept::Kept;
use super::project::Records;
use super::request::Target;
use super::rerun::reruns::Reruns;
use super::revision::{REVISION_LABEL, with_label};
use super::sharing::Sharing;
use super::spec::ServiceBuild;
use super::ssh::Agents;
use super::steps::{Counter, Step, Steps, instruction};
use super::{cache_key, explain, request};
use crate::builder::Builder;
use crate::config::Config;
use crate::event::{Event, ServiceOutcome};
use crate::git::{Repository, Revision};
use folders::{InlineDockerfile, secret, session_folders};
use graph::{Preparation, Prepared, commit_arg};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::gateway::{FrontendResult, Job, JobRequest};
use unstale_buildkit::llb::{Definition, Graph, Op};
use unstale_buildkit::session::{Credentials, ImageStream, Services, Session, Transfer};
use unstale_context::HashIndex;
use unstale_docker::EngineError;
use unstale_ledger::{Ledger, ViolationRecord};

/// What all services of a build share.
pub(super) struct Shared {
    pub builder: Builder,
    /// What the builder's cache holds, if nothing changes that.
    pub records: Option<Records>,
    pub config: Config,
    pub repository: Option<Repository>,
    pub index: Option<Arc<HashIndex>>,
    pub credentials: Arc<dyn Credentials>,
    pub events: mpsc::Sender<Event>,
    pub counter: Counter,
    /// The ledger's name for the project.
    pub project: String,
    /// The project's folder.
    pub folder: PathBuf,
    pub ledger: Option<Arc<Mutex<Ledger>>>,
    /// The names of the arguments that the command line sets.
    pub arg_overrides: BTreeSet<String>,
    /// The command line asks to run every step.
    pub no_cache_flag: bool,
    pub reruns: Reruns,
    /// What is from before a clear may be reused.
    pub allow_old: bool,
    /// The last clears, of which nothing is to be reused that is from before them.
    pub epochs: Epochs,
    /// The cache that machines share, if there is one.
    pub sharing: Option<Sharing>,
    pub witnesses: explain::Witnesses,
}

impl Shared {
    /// What the builder's cache holds now.
    pub async fn records(&self) -> Result<Arc<Vec<UsageRecord>>, ServiceError> {
        if let Some(records) = &self.records
            && let Some(records) = records.clone().await
        {
            return Ok(records);
        }
        Ok(Arc::new(self.builder.client.disk_usage().await?))
    }

    /// The login for a registry: user name and password.
    pub async fn login(&self, host: &str) -> Option<(String, String)> {
        let login = self
            .credentials
            .credentials(host.to_owned())
            .await
            .ok()
            .flatten()?;
        Some((login.username, login.secret))
    }

    /// The digest that a name has in its registry, as the engine sees it.
    pub async fn registry_digest(&self, name: &str) -> Result<Option<String>, EngineError> {
        let login = self.login(unstale_docker::registry_host(name)).await;
        self.builder.engine.registry_digest(name, login).await
    }
}

/// What came of one service.
pub struct ServiceReport {
    /// What was to be built.
    pub build: ServiceBuild,
    /// How it ended.
    pub outcome: ServiceOutcome,
    /// Why it was not built.
    pub error: Option<ServiceError>,
    /// The image's identity at the engine.
    pub image_id: Option<String>,
    /// The commit that the image's label names.
    pub revision: Option<Revision>,
    /// The steps in the order of the graph.
    pub steps: Vec<Step>,
    /// The base images: reference, and digest as far as the engine resolved it.
    pub bases: Vec<(String, Option<String>)>,
    /// The folders as they were sent.
    pub transfers: Vec<Transfer>,
    /// The cache that was exported: the digest of its manifest in the registry, and its mode (`min` or `max`); or the
    /// image that it is in, and `inline`.
    pub cache_export: Option<(String, String)>,
    /// What was reused though it is from before the last clear. These steps were run again.
    pub violations: Vec<ViolationRecord>,
    /// When it began, by this machine's clock.
    pub started: SystemTime,
    /// When it ended.
    pub completed: SystemTime,
    /// What other services need of it.
    pub(super) result: Option<BuiltService>,
}

/// A built service as the input of another one's build.
#[derive(Clone)]
pub(super) struct BuiltService {
    image: String,
    definition: Option<Definition>,
    config: String,
    /// The definition's folders are read through it.
    _session: Arc<Session>,
}

/// The services that a build needs, by the name of the context that each stands for.
pub(super) type Needs = BTreeMap<String, BuiltService>;

/// Builds one service. Always gives a report; its error says what went wrong.
pub(super) async fn build(
    shared: &Shared,
    mut build: ServiceBuild,
    needs: Needs,
    cancel: CancellationToken,
) -> ServiceReport {
    let started = SystemTime::now();
    let service = build.service.clone();
    let _ = shared
        .events
        .send(Event::ServiceStarted {
            service: service.clone(),
        })
        .await;
    let kept = Kept::recall(shared, cache_key::shared_key(&build));
    let mut token = kept.guess();
    // What ran in a build whose image the engine lost while it unpacked it.
    let mut lost: Option<Record> = None;
    let mut violations: Vec<ViolationRecord> = Vec::new();
    let (record, result) = loop {
        let mut record = Record::default();
        let folders = (&kept, token.as_str());
        let result = run(shared, &mut build, needs.clone(), folders, &cancel, &mut record).await;
        if let Some(other) = record.other_folders.take() {
            token = other;
            continue;
        }
        // Once: what is run again is new.
        if let (Ok(_), Some(epoch), true) = (&result, shared.epochs.last(), violations.is_empty()) {
            violations = epoch.violations(&record.steps);
            if !violations.is_empty() {
                let digests = violations.iter().map(|violation| violation.stable_digest.clone());
                shared
                    .reruns
                    .force(&digests.collect::<Vec<_>>(), &epoch.describe());
                let message = old_results(&violations, epoch);
                let service = Some(service.clone());
                let _ = shared.events.send(Event::Warning { service, message }).await;
                continue;
            }
        }
        match lost.take() {
            None if result.as_ref().is_err_and(ServiceError::is_lost_snapshot) => lost = Some(record),
            Some(first) if result.is_ok() => {
                let steps = first.steps;
                break (Record { steps, ..record }, result);
            }
            _ => break (record, result),
        }
        let message = "the engine lost a layer while it unpacked the image: building it once more".to_owned();
        let service = Some(service.clone());
        let _ = shared.events.send(Event::Warning { service, message }).await;
    };
    let completed = SystemTime::now();
    let (outcome, error, image_id, result) = match result {
        Ok((image_id, result)) => (ServiceOutcome::Built, None, Some(image_id), Some(result)),
        Err(ServiceError::Cancelled) => (
            ServiceOutcome::Cancelled,
            Some(ServiceError::Cancelled),
            None,
            None,
        ),
        Err(error) => (ServiceOutcome::Failed, Some(error), None, None),
    };
    let event = Event::ServiceFinished {
        service,
        outcome,
        image: image_id
            .is_some()
            .then(|| build.images.first().cloned().unwrap_or_default()),
        image_id: image_id.clone(),
        duration: completed.duration_since(started).unwrap_or_default(),
    };
    let _ = shared.events.send(event).await;
    let Record {
        revision,
        steps,
        bases,
        transfers,
        cache_export,
        other_folders: _,
    } = record;
    ServiceReport {
        build,
        outcome,
        error,
        image_id,
        revision,
        steps,
        bases,
        transfers,
        cache_export,
        violations,
        started,
        completed,
        result,
    }
}

fn old_results(violations: &[ViolationRecord], epoch: &Epoch) -> String {
    let steps: Vec<&str> = violations
        .iter()
        .map(|violation| instruction(&violation.step))
        .collect();
    format!(
        "reused though from before {}, and run again now: {}",
        epoch.describe(),
        steps.join("; ")
    )
}

/// What is known of a build so far, whether it succeeds or not.
#[derive(Default)]
struct Record {
    revision: Option<Revision>,
    steps: Vec<Step>,
    bases: Vec<(String, Option<String>)>,
    transfers: Vec<Transfer>,
    cache_export: Option<(String, String)>,
    /// The build was given up before anything ran: what the daemon keeps under this token is what it has to build on.
    other_folders: Option<String>,
}

async fn run(
    shared: &Shared,
    build: &mut ServiceBuild,
    needs: Needs,
    (kept, token): (&Kept, &str),
    cancel: &CancellationToken,
    record: &mut Record,
) -> Result<(String, BuiltService), ServiceError> {
    let commit_arg = commit_arg(shared, build)?;
    let builder = &shared.builder;
    let inline = InlineDockerfile::write(build).map_err(ServiceError::Temporary)?;
    let agents = Agents::start(&build.ssh).await?;
    let (image_stream, archive) = match builder.target {
        Target::BuildKit => {
            let (sink, archive) = ImageStream::new();
            (Some(sink), Some(archive))
        }
        Target::Engine(_) => (None, None),
    };
    let folders = session_folders(build, inline.as_ref(), shared.index.as_ref());
    let services = Services {
        folders: folders.clone(),
        secrets: build
            .secrets
            .iter()
            .map(|(id, source)| (id.clone(), secret(source)))
            .collect(),
        agents: agents.sockets(),
        credentials: Some(shared.credentials.clone()),
        image: image_stream,
    };
    let session = Session::open(&builder.transport, &kept.session_key(token), services).await?;
    let session = Arc::new(session);
    let job = JobRequest {
        session: session.id().to_owned(),
        exporter: Some(request::exporter(build, builder.target)),
        cache_exports: request::cache_exports(build, builder.target)?,
        entitlements: request::entitlements(build).into_keys().collect(),
        internal: false,
    };
    let steps = Arc::new(Mutex::new(Steps::new(
        &build.service,
        shared.counter.clone(),
        build.mask(),
    )));
    let mut graph = Graph {
        vertices: Vec::new(),
        target: None,
    };
    let mut follow = None;
    let mut evidence = None;
    let mut is_shared = true;
    let outcome = async {
        let (mut job, receiver) = tokio::select! {
            started = builder.client.start(job) => started?,
            () = cancel.cancelled() => return Err(ServiceError::Cancelled),
        };
        follow = Some(tokio::spawn(follow_steps(
            receiver,
            steps.clone(),
            shared.events.clone(),
        )));
        let preparation = Preparation {
            shared,
            commit_arg,
            needs: &needs,
            folders: &folders,
            will_run: true,
            cancel,
        };
        let prepared = tokio::select! {
            prepared = preparation.run(build, &mut job) => prepared,
            () = cancel.cancelled() => Err(ServiceError::Cancelled),
        };
        let Prepared {
            mut result,
            graph: prepared_graph,
            evidence: found,
            revision,
        } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                job.cancel().await;
                return Err(error);
            }
        };
        if let Err(right) = kept.check(shared, token, &found.headers) {
            job.cancel().await;
            record.other_folders = Some(right);
            return Err(ServiceError::Cancelled);
        }
        if !found.cleared.is_empty() && shared.reruns.force(&found.cleared, "the clear of its result") {
            job.cancel().await;
            record.other_folders = Some(token.to_owned());
            return Err(ServiceError::Cancelled);
        }
        graph = prepared_graph;
        evidence = Some(found);
        record.revision = revision;
        record.bases = bases(&graph);
        if let Ok(mut steps) = steps.lock() {
            steps.expect(&graph);
            if let Some(evidence) = &evidence {
                steps.explain(evidence.words(&graph));
            }
        }
        if let Some(revision) = &record.revision
            && shared.config.commit.label
            && let Some(config) = result.image_config()
        {
            let labelled = with_label(config, REVISION_LABEL, &revision.value());
            result.set_image_config(labelled);
        }
        let built = BuiltService {
            image: build.images.first().cloned().unwrap_or_default(),
            definition: result.definition().cloned(),
            config: String::from_utf8_lossy(result.image_config().unwrap_or_default()).into_owned(),
            _session: session.clone(),
        };
        let response = finish(shared, job, result, archive, cancel).await?;
        record.cache_export = cache_export(build, &response);
        is_shared = shared
            .sharing
            .as_ref()
            .is_none_or(|sharing| sharing.is_exported(builder, &response));
        Ok(built)
    }
    .await;
    if let Some(follow) = follow {
        // Ends with the daemon's stream, which `finish` and `cancel` have waited for within a bound.
        let _ = follow.await;
    }
    record.transfers = session.transfers();
    let steps = Arc::try_unwrap(steps)
        .ok()
        .and_then(|steps| steps.into_inner().ok());
    if let Some(steps) = steps {
        let (mut steps, events) = steps.finish(&graph, outcome.is_ok());
        if let Some(evidence) = evidence {
            explain::conclude(shared, build, evidence, &graph, &mut steps).await;
        }
        record.steps = steps;
        for event in events {
            let _ = shared.events.send(event).await;
        }
    }
    let built = outcome.map_err(|error| match session.take_failure() {
        // What went wrong here is the cause of what the daemon says.
        Some(failure) if !matches!(error, ServiceError::Cancelled) => ServiceError::Session(failure),
        _ => {
            let refused = request::refused_entitlement(build, &error.to_string());
            refused.map_or(error, ServiceError::Spec)
        }
    })?;
    let image = builder.engine.inspect_image(&built.image).await?;
    let image = image.ok_or_else(|| ServiceError::NoImage(built.image.clone()))?;
    if let Some(sharing) = &shared.sharing {
        share(shared, sharing, build, is_shared).await;
    }
    let exports = request::cache_exports(build, builder.target)?;
    if record.cache_export.is_none() && exports.iter().any(|entry| entry.kind == "inline") {
        record.cache_export = Some((image.id.clone(), "inline".to_owned()));
    }
    Ok((image.id, built))
}

/// Brings the cache to where the other machines find it. That it fails is no failure of the build.
async fn share(shared: &Shared, sharing: &Sharing, build: &ServiceBuild, is_exported: bool) {
    let image = build.images.first().map(String::as_str).unwrap_or_default();
    let problem = match is_exported {
        true => {
            let pushed = sharing.push(&shared.builder, &build.service, image).await;
            pushed.err().map(|error| error.to_string())
        }
        false => Some("the builder could not export it".to_owned()),
    };
    if let Some(problem) = problem {
        let message = format!("the shared cache was not written: {problem}");
        let service = Some(build.service.clone());
        let _ = shared.events.send(Event::Warning { service, message }).await;
    }
}

/// Passes the build's events on as they come, until the daemon has no more.
async fn follow_steps(
    mut receiver: mpsc::Receiver<unstale_buildkit::status::StatusEvent>,
    steps: Arc<Mutex<Steps>>,
    sender: mpsc::Sender<Event>,
) {
    while let Some(event) = receiver.recv().await {
        let events = steps
            .lock()
            .map(|mut steps| steps.apply(event))
            .unwrap_or_default();
        for event in events {
            let _ = sender.send(event).await;
        }
    }
}

/// Runs the graph, and loads the archive that a stand-alone builder sends.
async fn finish(
    shared: &Shared,
    job: Job,
    result: FrontendResult,
    archive: Option<mpsc::Receiver<Result<bytes::Bytes, std::io::Error>>>,
    cancel: &CancellationToken,
) -> Result<HashMap<String, String>, ServiceError> {
    let finish = job.finish(result, cancel.clone());
    let Some(archive) = archive else {
        return finish.await.map_err(cancelled);
    };
    let archive = tokio_stream::wrappers::ReceiverStream::new(archive);
    let load = shared.builder.engine.load(archive);
    tokio::pin!(finish, load);
    // Whichever fails first ends the other: a build that failed sends no archive, and an archive that cannot be loaded
    // is not worth building for.
    tokio::select! {
        finished = &mut finish => {
            let response = finished.map_err(cancelled)?;
            load.await?;
            Ok(response)
        }
        loaded = &mut load => {
            loaded?;
            finish.await.map_err(cancelled)
        }
    }
}

/// The cache that the builder says it exported.
fn cache_export(build: &ServiceBuild, response: &HashMap<String, String>) -> Option<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Descriptor {
        digest: String,
    }
    // Of several ones the answer holds the last.
    let [entry] = build.cache_to.as_slice() else {
        return None;
    };
    let descriptor: Descriptor = serde_json::from_str(response.get("cache.manifest")?).ok()?;
    let mode = entry.attrs.get("mode").map_or("min", String::as_str);
    Some((descriptor.digest, mode.to_owned()))
}

fn cancelled(error: unstale_buildkit::Error) -> ServiceError {
    match error {
        unstale_buildkit::Error::Cancelled => ServiceError::Cancelled,
        error => ServiceError::BuildKit(error),
    }
}

/// The images that the graph starts from.
fn bases(graph: &Graph) -> Vec<(String, Option<String>)> {
    let images = graph.vertices.iter().filter_map(|vertex| match &vertex.op {
        Op::Source { identifier, .. } => identifier.strip_prefix("docker-image://"),
        _ => None,
    });
    let split = |image: &str| match image.split_once('@') {
        Some((name, digest)) => (name.to_owned(), Some(digest.to_owned())),
        None => (image.to_owned(), None),
    };
    images.map(split).collect()
}
