//! Builds one service: opens its session, lets the engine make the graph, runs it, follows its steps.

use super::kept::Kept;
use super::request::{CONTEXT, DOCKERFILE, Facts, ServiceImage, Target};
use super::rerun::RerunError;
use super::rerun::reruns::Reruns;
use super::revision::{REVISION_LABEL, ServiceInputs, folders, with_label};
use super::spec::{Context, DockerfileSource, SecretSource, ServiceBuild, SpecError};
use super::ssh::{Agents, SshError};
use super::steps::{Counter, Step, Steps};
use super::{cache_key, explain, request};
use crate::builder::Builder;
use crate::config::{CommitScope, Config};
use crate::event::{Event, ServiceOutcome};
use crate::git::{GitError, Repository, Revision};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::gateway::{FrontendRequest, FrontendResult, Job, JobRequest};
use unstale_buildkit::llb::{Definition, Graph, Op};
use unstale_buildkit::session::{
    Credentials, Failure, Folder, ImageStream, Secret, Services, Session, Transfer,
};
use unstale_context::{ContextError, HashIndex};
use unstale_docker::EngineError;
use unstale_ledger::Ledger;

/// The label by which the engine's own worker says what `host-gateway` is (moby, `builder-next`).
const HOST_GATEWAY_LABEL: &str = "org.mobyproject.buildkit.worker.moby.host-gateway-ip";

/// What all services of a build share.
pub(super) struct Shared {
    pub builder: Builder,
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
}

/// Why a service was not built.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The build cannot be done as it is described.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Something on this machine that the build needs cannot be had.
    #[error(transparent)]
    Session(Failure),
    /// An ssh agent or key cannot be used.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The builder refused the build or a step failed.
    #[error(transparent)]
    BuildKit(#[from] unstale_buildkit::Error),
    /// The image could not be loaded into the engine, or not be found there.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image that was built is not in the engine.
    #[error("the image {0} is not in the engine after the build")]
    NoImage(String),
    /// git could not be asked for the commit.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The context's patterns cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A file for the build could not be written.
    #[error("cannot write a temporary file for the build")]
    Temporary(#[source] std::io::Error),
    /// A `--rerun` selects no step, or several.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// A service that this one is built from failed.
    #[error("service {0}, which it is built from, was not built")]
    Dependency(String),
    /// A plan needs the image of a service that is not built yet.
    #[error("it is built from service {0}, which has to be built first")]
    UnknownBase(String),
    /// The build was stopped.
    #[error("cancelled")]
    Cancelled,
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
    let (record, result) = loop {
        let mut record = Record::default();
        let folders = (&kept, token.as_str());
        let result = run(shared, &mut build, needs.clone(), folders, &cancel, &mut record).await;
        match record.other_folders.take() {
            Some(other) => token = other,
            None => break (record, result),
        }
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
        started,
        completed,
        result,
    }
}

/// What is known of a build so far, whether it succeeds or not.
#[derive(Default)]
struct Record {
    revision: Option<Revision>,
    steps: Vec<Step>,
    bases: Vec<(String, Option<String>)>,
    transfers: Vec<Transfer>,
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
        let prepared = tokio::select! {
            prepared = prepare(shared, build, &mut job, commit_arg, &needs, record) => prepared,
            () = cancel.cancelled() => Err(ServiceError::Cancelled),
        };
        let prepared = match prepared {
            Ok(mut result) => explained(shared, build, &mut result, &folders, cancel)
                .await
                .map(|rest| (result, rest)),
            Err(error) => Err(error),
        };
        let mut result = match prepared {
            Ok((result, (graph_of_result, found))) => {
                if let Err(right) = kept.check(shared, token, &found.headers) {
                    job.cancel().await;
                    record.other_folders = Some(right);
                    return Err(ServiceError::Cancelled);
                }
                graph = graph_of_result;
                evidence = Some(found);
                result
            }
            Err(error) => {
                job.cancel().await;
                return Err(error);
            }
        };
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
        finish(shared, job, result, archive, cancel).await?;
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
    Ok((image.id, built))
}

/// Has the graph of a build made and looks at what is known of its steps; nothing is run, and no folder is sent but the
/// Dockerfile's. `images` are those of other services, by the context that each stands for.
pub(super) async fn look(
    shared: &Shared,
    build: &mut ServiceBuild,
    images: BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<(Graph, explain::Evidence, Option<Revision>), ServiceError> {
    let commit_arg = commit_arg(shared, build)?;
    let builder = &shared.builder;
    let inline = InlineDockerfile::write(build).map_err(ServiceError::Temporary)?;
    let folders = session_folders(build, inline.as_ref(), shared.index.as_ref());
    let services = Services {
        folders: folders.clone(),
        credentials: Some(shared.credentials.clone()),
        ..Services::default()
    };
    let session = Session::open(&builder.transport, &cache_key::shared_key(build), services).await?;
    let job = JobRequest {
        session: session.id().to_owned(),
        entitlements: request::entitlements(build).into_keys().collect(),
        internal: true,
        ..JobRequest::default()
    };
    let session = Arc::new(session);
    let built = |image: String| BuiltService {
        image,
        definition: None,
        config: String::new(),
        _session: session.clone(),
    };
    let needs = images
        .into_iter()
        .map(|(context, image)| (context, built(image)))
        .collect();
    let work = async {
        let (mut job, mut events) = builder.client.start(job).await?;
        let drain = tokio::spawn(async move { while events.recv().await.is_some() {} });
        let mut record = Record::default();
        let looked = async {
            let mut result = prepare(shared, build, &mut job, commit_arg, &needs, &mut record).await?;
            explained(shared, build, &mut result, &folders, cancel).await
        };
        let looked = looked.await;
        job.abandon("nothing is to be run".to_owned()).await?;
        let _ = drain.await;
        let (graph, evidence) = looked?;
        Ok((graph, evidence, record.revision))
    };
    let looked = tokio::select! {
        looked = work => looked,
        () = cancel.cancelled() => Err(ServiceError::Cancelled),
    };
    looked.map_err(|error| match session.take_failure() {
        Some(failure) if !matches!(error, ServiceError::Cancelled) => ServiceError::Session(failure),
        _ => error,
    })
}

/// The graph, and what is known of its steps before they are run.
async fn explained(
    shared: &Shared,
    build: &ServiceBuild,
    result: &mut FrontendResult,
    folders: &HashMap<String, Folder>,
    cancel: &CancellationToken,
) -> Result<(Graph, explain::Evidence), ServiceError> {
    let graph = shared.reruns.apply(build, result, cancel).await?;
    let evidence = tokio::select! {
        evidence = explain::gather(shared, build, &graph, folders) => evidence?,
        () = cancel.cancelled() => return Err(ServiceError::Cancelled),
    };
    Ok((graph, evidence))
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

/// What the commit argument will be: nothing, the tree's commit, or the service's own, which needs the graph.
enum CommitArg {
    None,
    Known,
    OfService,
}

/// Sets the commit argument if the Dockerfile declares it and the user does not set it.
fn commit_arg(shared: &Shared, build: &mut ServiceBuild) -> Result<CommitArg, ServiceError> {
    let Some(text) = build.read_dockerfile()? else {
        return Ok(CommitArg::None);
    };
    let name = &shared.config.commit.arg;
    let Some(repository) = &shared.repository else {
        return Ok(CommitArg::None);
    };
    let declares = unstale_dockerfile::Dockerfile::parse(&text).declares_arg(name);
    if !declares || build.args.contains_key(name) {
        return Ok(CommitArg::None);
    }
    match shared.config.commit.scope {
        CommitScope::Head => {
            build.args.insert(name.clone(), repository.commit().value());
            Ok(CommitArg::Known)
        }
        CommitScope::Service => Ok(CommitArg::OfService),
    }
}

/// Asks the frontend for the graph, and git for the commit of the inputs that the graph names.
async fn prepare(
    shared: &Shared,
    build: &mut ServiceBuild,
    job: &mut Job,
    commit_arg: CommitArg,
    needs: &Needs,
    record: &mut Record,
) -> Result<FrontendResult, ServiceError> {
    let result = job.frontend(frontend_request(shared, build, job, needs)?).await?;
    let Some(repository) = &shared.repository else {
        return Ok(result);
    };
    let inputs = ServiceInputs::new(build, &result.graph()?)?;
    record.revision = repository.revision(&inputs).await?;
    if let (CommitArg::OfService, Some(revision)) = (commit_arg, &record.revision) {
        build
            .args
            .insert(shared.config.commit.arg.clone(), revision.value());
        return Ok(job.frontend(frontend_request(shared, build, job, needs)?).await?);
    }
    Ok(result)
}

fn frontend_request(
    shared: &Shared,
    build: &ServiceBuild,
    job: &Job,
    needs: &Needs,
) -> Result<FrontendRequest, SpecError> {
    // The engine's BuildKit finds the very image that was just built, unless it is told to ask a registry; any other
    // builder gets the graph, which is in its cache.
    let from_store = matches!(shared.builder.target, Target::Engine(_)) && !build.pull;
    let mut inputs = HashMap::new();
    let mut service_images = BTreeMap::new();
    for (number, (context, built)) in needs.iter().enumerate() {
        let image = match &built.definition {
            Some(definition) if !from_store => {
                let input = format!("service{number}");
                inputs.insert(input.clone(), definition.clone());
                ServiceImage::Input(input, built.config.clone())
            }
            _ => ServiceImage::Image(built.image.clone()),
        };
        service_images.insert(context.clone(), image);
    }
    let capabilities = job.capabilities();
    let facts = Facts {
        capabilities,
        target: shared.builder.target,
        host_gateway: capabilities.worker_label(HOST_GATEWAY_LABEL),
        service_images: &service_images,
    };
    let options = request::frontend_options(build, &facts)?;
    Ok(FrontendRequest { options, inputs })
}

/// Runs the graph, and loads the archive that a stand-alone builder sends.
async fn finish(
    shared: &Shared,
    job: Job,
    result: FrontendResult,
    archive: Option<mpsc::Receiver<Result<bytes::Bytes, std::io::Error>>>,
    cancel: &CancellationToken,
) -> Result<(), ServiceError> {
    let finish = job.finish(result, cancel.clone());
    let Some(archive) = archive else {
        finish.await.map_err(cancelled)?;
        return Ok(());
    };
    let archive = tokio_stream::wrappers::ReceiverStream::new(archive);
    let load = shared.builder.engine.load(archive);
    tokio::pin!(finish, load);
    // Whichever fails first ends the other: a build that failed sends no archive, and an archive that cannot be loaded
    // is not worth building for.
    tokio::select! {
        finished = &mut finish => {
            finished.map_err(cancelled)?;
            load.await?;
        }
        loaded = &mut load => {
            loaded?;
            finish.await.map_err(cancelled)?;
        }
    }
    Ok(())
}

fn cancelled(error: unstale_buildkit::Error) -> ServiceError {
    match error {
        unstale_buildkit::Error::Cancelled => ServiceError::Cancelled,
        error => ServiceError::BuildKit(error),
    }
}

/// The folders that a session offers, by the graph's names.
fn session_folders(
    build: &ServiceBuild,
    inline: Option<&InlineDockerfile>,
    index: Option<&Arc<HashIndex>>,
) -> HashMap<String, Folder> {
    let folder = |root: PathBuf| Folder::new(root, index.cloned());
    let mut offered: HashMap<_, _> = folders(build)
        .into_iter()
        .map(|(name, root)| (name, folder(root)))
        .collect();
    let dockerfile = match (&build.dockerfile, inline) {
        (_, Some(inline)) => Some(inline.0.path().to_path_buf()),
        (DockerfileSource::File(path), None) => path.parent().map(PathBuf::from),
        (DockerfileSource::Inline(_), None) => None,
    };
    let is_remote = matches!(build.context, Context::Remote(_)) && inline.is_none();
    if let Some(root) = dockerfile.filter(|_| !is_remote) {
        offered.insert(DOCKERFILE.to_owned(), folder(root));
    }
    debug_assert!(offered.contains_key(CONTEXT) || matches!(build.context, Context::Remote(_)));
    offered
}

/// The text of `dockerfile_inline` as a file, for as long as the build runs.
struct InlineDockerfile(tempfile::TempDir);

impl InlineDockerfile {
    fn write(build: &ServiceBuild) -> std::io::Result<Option<InlineDockerfile>> {
        let DockerfileSource::Inline(text) = &build.dockerfile else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("unstale-").tempdir()?;
        std::fs::write(folder.path().join("Dockerfile"), text)?;
        Ok(Some(InlineDockerfile(folder)))
    }
}

fn secret(source: &SecretSource) -> Secret {
    match source {
        SecretSource::File(path) => Secret::File(path.clone()),
        SecretSource::Value(value) => Secret::Value(value.clone().into_bytes()),
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
