//! One build, held by the client: the daemon's frontend makes the graph, the client decides what becomes of
//! it.
//!
//! The order of the calls is that of BuildKit's gateway: `Control.Solve` without a frontend opens the build
//! and stays open; the frontend is asked through `LLBBridge.Solve`; `LLBBridge.Return` gives the result back,
//! upon which the daemon runs the graph, exports the image and answers the first call.
//!
//! A `Return` that holds neither a result nor an error takes the whole engine down (measured on Docker 20.10
//! and 28.5). No such message can be made here: [`Job::finish`] takes a [`FrontendResult`], which only the daemon
//! can make, and [`Job::abandon`] always gives an error.

mod subrequest;

use crate::control::Client;
use crate::llb::{Definition, Graph};
use crate::proto::{control, frontend, pb, rpc};
use crate::status::{StatusEvent, events};
use crate::{Error, random_id};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

/// What a build is opened with.
#[derive(Debug, Clone, Default)]
pub struct JobRequest {
    /// The session that serves the build.
    pub session: String,
    /// What to do with the result; without one it is only evaluated.
    pub exporter: Option<Exporter>,
    /// Where to write the cache to.
    pub cache_exports: Vec<CacheEntry>,
    /// Privileges that the build may use (`network.host`, `security.insecure`).
    pub entitlements: Vec<String>,
    /// Keep the build out of the daemon's history (BuildKit 0.11 and later).
    pub internal: bool,
}

/// An exporter of BuildKit: `moby`, `image`, `docker`, `local`, …
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exporter {
    /// The exporter's type.
    pub kind: String,
    /// Its attributes.
    pub attrs: BTreeMap<String, String>,
}

/// An entry of `cache_from` or `cache_to`: `registry`, `local`, `gha`, `inline`, …
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheEntry {
    /// The cache backend's type.
    pub kind: String,
    /// Its attributes.
    pub attrs: BTreeMap<String, String>,
}

/// What the frontend is asked to make a graph of.
#[derive(Debug, Clone, Default)]
pub struct FrontendRequest {
    /// The frontend's options (`filename`, `target`, `build-arg:…`, …).
    pub options: BTreeMap<String, String>,
    /// Results of other builds that `context:NAME=input:NAME` options refer to.
    pub inputs: HashMap<String, Definition>,
}

/// A result of the frontend: a graph that was not run yet, and the image's configuration.
#[derive(Debug, Clone)]
pub struct FrontendResult {
    /// Always holds one of the message's alternatives.
    result: frontend::Result,
    definition: Option<Definition>,
    /// The vertices that came in with the request's inputs.
    inputs: HashSet<String>,
    /// What is run instead of the result as it came.
    changed: Option<Changed>,
}

/// A changed definition. The daemon knows a result by its reference, so that one is solved before it is given back.
#[derive(Debug, Clone)]
struct Changed {
    definition: pb::Definition,
    cache_imports: Vec<frontend::CacheOptionsEntry>,
}

/// A build that is open at the daemon. Dropping it cancels the build there.
pub struct Job {
    reference: String,
    session: String,
    client: Client,
    solve: JoinHandle<Result<control::SolveResponse, Status>>,
    status: JoinHandle<()>,
    capabilities: Capabilities,
}

/// What the daemon's gateway can do.
#[derive(Debug, Clone, Default)]
pub struct Capabilities {
    frontend: HashSet<String>,
    llb: HashSet<String>,
    worker_labels: HashMap<String, String>,
}

impl Capabilities {
    /// Whether the gateway has a capability, such as `frontend.inputs`.
    pub fn frontend(&self, id: &str) -> bool {
        self.frontend.contains(id)
    }

    /// Whether the solver has a capability, such as `source.local.differ`.
    pub fn llb(&self, id: &str) -> bool {
        self.llb.contains(id)
    }

    /// A label of the daemon's first worker.
    pub fn worker_label(&self, name: &str) -> Option<&str> {
        self.worker_labels.get(name).map(String::as_str)
    }
}

/// The metadata key that says which build a gateway call belongs to.
const BUILD_ID: &str = "buildkit-controlapi-buildid";
/// The key of the image configuration in a result's metadata.
const IMAGE_CONFIG: &str = "containerimage.config";
/// How often the daemon is asked whether it has registered a new build; it waits up to 3 s itself.
const PINGS: u32 = 20;
/// The pause between two such questions, for daemons that answer at once.
const PING_PAUSE: Duration = Duration::from_millis(25);
/// How long messages about a build are gathered before they are passed on together.
const BATCH: Duration = Duration::from_millis(50);
/// How many messages are gathered at most, which bounds their memory.
const BATCH_MESSAGES: usize = 64;
/// How long a cancelled build may take to end at the daemon.
const CANCEL: Duration = Duration::from_secs(30);

impl Client {
    /// Opens a build. Its events come through the receiver, which ends when the daemon has no more.
    pub async fn start(&self, request: JobRequest) -> Result<(Job, mpsc::Receiver<StatusEvent>), Error> {
        let reference = random_id();
        let session = request.session.clone();
        let mut control = self.control.clone();
        let solve = tokio::spawn({
            let request = solve_request(reference.clone(), request);
            async move { control.solve(request).await.map(tonic::Response::into_inner) }
        });
        let (events, receiver) = mpsc::channel(256);
        let status = tokio::spawn(follow(self.clone(), reference.clone(), events));
        let mut job = Job {
            reference,
            session,
            client: self.clone(),
            solve,
            status,
            capabilities: Capabilities::default(),
        };
        job.capabilities = job.ping().await?;
        Ok((job, receiver))
    }
}

pub(crate) fn solve_request(reference: String, request: JobRequest) -> control::SolveRequest {
    let entry = |entry: CacheEntry| control::CacheOptionsEntry {
        r#type: entry.kind,
        attrs: entry.attrs.into_iter().collect(),
    };
    let cache = control::CacheOptions {
        exports: request.cache_exports.into_iter().map(entry).collect(),
        ..Default::default()
    };
    let exporter = request.exporter.unwrap_or_default();
    let attrs: HashMap<_, _> = exporter.attrs.into_iter().collect();
    #[allow(deprecated)] // the only exporter fields that BuildKit before 0.13 reads
    control::SolveRequest {
        r#ref: reference,
        session: request.session,
        exporters: match exporter.kind.as_str() {
            "" => Vec::new(),
            kind => vec![control::Exporter {
                r#type: kind.to_owned(),
                attrs: attrs.clone(),
            }],
        },
        exporter_deprecated: exporter.kind,
        exporter_attrs_deprecated: attrs,
        cache: Some(cache),
        entitlements: request.entitlements,
        internal: request.internal,
        ..Default::default()
    }
}

/// Passes the build's events on until the daemon ends the stream.
async fn follow(client: Client, reference: String, sender: mpsc::Sender<StatusEvent>) {
    let mut control = client.control;
    let Ok(stream) = control.status(control::StatusRequest { r#ref: reference }).await else {
        return;
    };
    let mut stream = stream.into_inner();
    while let Some(Ok(mut message)) = stream.next().await {
        // The daemon tells of a step's end and of its last progress apart, in any order: taken together, they can be
        // told in theirs.
        let pause = tokio::time::sleep(BATCH);
        tokio::pin!(pause);
        for _ in 1..BATCH_MESSAGES {
            tokio::select! {
                () = &mut pause => break,
                next = stream.next() => match next {
                    Some(Ok(next)) => append(&mut message, next),
                    _ => break,
                },
            }
        }
        for event in events(message) {
            // Without a listener the stream is still read to its end, which is the end of the build.
            let _ = sender.send(event).await;
        }
    }
}

fn append(message: &mut control::StatusResponse, next: control::StatusResponse) {
    message.vertexes.extend(next.vertexes);
    message.statuses.extend(next.statuses);
    message.logs.extend(next.logs);
    message.warnings.extend(next.warnings);
}

/// Where an image is looked for by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In its registry.
    Registry,
    /// Among the images of the engine, and in its registry only if there is none.
    Engine,
}

impl Place {
    /// BuildKit's word for it.
    fn mode(self) -> &'static str {
        match self {
            Place::Registry => "pull",
            Place::Engine => "local",
        }
    }
}

impl Job {
    /// The build's reference at the daemon.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The session that serves the build.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// What the daemon can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn call<T>(&self, message: T) -> Result<Request<T>, Error> {
        let mut request = Request::new(message);
        let id = self
            .reference
            .parse()
            .map_err(|_| Error::Protocol("build reference".to_owned()))?;
        request.metadata_mut().insert(BUILD_ID, id);
        Ok(request)
    }

    /// Waits until the daemon knows the build's gateway.
    async fn ping(&mut self) -> Result<Capabilities, Error> {
        let mut bridge = self.client.bridge.clone();
        let mut attempt = 0;
        let pong = loop {
            let call = self.call(frontend::PingRequest {})?;
            let failure = tokio::select! {
                biased;
                // The build can end at once, for instance if its exporter does not exist.
                ended = &mut self.solve => return Err(match ended {
                    Ok(Err(status)) => Error::Daemon { call: "Control.Solve", status },
                    _ => Error::Protocol("the build ended before it began".to_owned()),
                }),
                pong = bridge.ping(call) => match pong {
                    Ok(pong) => break pong.into_inner(),
                    Err(status) => status,
                },
            };
            attempt += 1;
            if attempt == PINGS {
                return Err(Error::Daemon {
                    call: "LLBBridge.Ping",
                    status: failure,
                });
            }
            tokio::time::sleep(PING_PAUSE).await;
        };
        let enabled = |caps: Vec<crate::proto::control::apicaps::ApiCap>| {
            caps.into_iter()
                .filter(|cap| cap.enabled)
                .map(|cap| cap.id)
                .collect()
        };
        Ok(Capabilities {
            frontend: enabled(pong.frontend_api_caps),
            llb: enabled(pong.llb_caps),
            worker_labels: pong
                .workers
                .into_iter()
                .next()
                .map(|worker| worker.labels)
                .unwrap_or_default(),
        })
    }

    /// Lets the daemon's Dockerfile frontend make a graph. Nothing of it is run.
    pub async fn frontend(&mut self, request: FrontendRequest) -> Result<FrontendResult, Error> {
        let inputs = request.inputs.values().flat_map(Definition::digests).collect();
        let message = frontend::SolveRequest {
            frontend: "dockerfile.v0".to_owned(),
            frontend_opt: request.options.into_iter().collect(),
            frontend_inputs: request
                .inputs
                .into_iter()
                .map(|(name, input)| (name, input.0))
                .collect(),
            ..Default::default()
        };
        FrontendResult::new(self.gateway_solve(message).await?, inputs)
    }

    /// What an image's name stands for: the digest of its manifest, and its configuration.
    ///
    /// # Errors
    /// If there is no such image, or the registry does not answer.
    pub async fn resolve_image(&self, name: &str, place: Place) -> Result<(String, Vec<u8>), Error> {
        let call = self.call(frontend::ResolveImageConfigRequest {
            r#ref: name.to_owned(),
            resolve_mode: place.mode().to_owned(),
            ..Default::default()
        })?;
        let mut bridge = self.client.bridge.clone();
        let answer = bridge
            .resolve_image_config(call)
            .await
            .map_err(Error::daemon("LLBBridge.ResolveImageConfig"))?
            .into_inner();
        Ok((answer.digest, answer.config))
    }

    async fn gateway_solve(&mut self, message: frontend::SolveRequest) -> Result<frontend::Result, Error> {
        let call = self.call(frontend::SolveRequest {
            allow_result_return: true,
            allow_result_array_ref: true,
            ..message
        })?;
        let mut bridge = self.client.bridge.clone();
        let answer = tokio::select! {
            answer = bridge.solve(call) => answer.map_err(Error::daemon("LLBBridge.Solve"))?.into_inner(),
            ended = &mut self.solve => return Err(ended_early(ended)),
        };
        answer
            .result
            .ok_or_else(|| Error::Protocol("a frontend result without content".to_owned()))
    }

    /// Gives the result back: the daemon runs its graph and exports it. Returns the exporter's response, or
    /// [`Error::Cancelled`] once the build has ended at the daemon if `cancel` comes first.
    pub async fn finish(
        mut self,
        result: FrontendResult,
        cancel: CancellationToken,
    ) -> Result<HashMap<String, String>, Error> {
        let outcome = tokio::select! {
            outcome = self.give_back(result) => Some(outcome),
            () = cancel.cancelled() => None,
        };
        match outcome {
            Some(outcome) => outcome,
            None => {
                self.cancel().await;
                Err(Error::Cancelled)
            }
        }
    }

    async fn give_back(&mut self, mut result: FrontendResult) -> Result<HashMap<String, String>, Error> {
        if let Some(changed) = result.changed.take() {
            let message = frontend::SolveRequest {
                definition: Some(changed.definition),
                cache_imports: changed.cache_imports,
                ..Default::default()
            };
            let solved = self.gateway_solve(message).await?;
            result.replace_reference(solved)?;
        }
        let answer = frontend::ReturnRequest {
            result: Some(result.result),
            error: None,
        };
        self.answer(answer).await
    }

    /// Ends the build without running anything, giving a reason.
    pub async fn abandon(mut self, reason: String) -> Result<(), Error> {
        let error = rpc::Status {
            code: tonic::Code::Cancelled as i32,
            message: reason,
            details: Vec::new(),
        };
        let answer = frontend::ReturnRequest {
            result: None,
            error: Some(error),
        };
        match self.answer(answer).await {
            // The daemon repeats the reason.
            Ok(_)
            | Err(Error::Daemon {
                call: "Control.Solve",
                ..
            }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sends the one `Return` of the build and waits for the end of the build.
    async fn answer(&mut self, message: frontend::ReturnRequest) -> Result<HashMap<String, String>, Error> {
        let call = self.call(message)?;
        let mut bridge = self.client.bridge.clone();
        bridge
            .r#return(call)
            .await
            .map_err(Error::daemon("LLBBridge.Return"))?;
        let ended = (&mut self.solve).await;
        let outcome = match ended {
            Ok(Ok(response)) => Ok(response.exporter_response),
            Ok(Err(status)) => Err(Error::Daemon {
                call: "Control.Solve",
                status,
            }),
            Err(_) => Err(Error::Cancelled),
        };
        // The last events follow the answer.
        let _ = tokio::time::timeout(CANCEL, &mut self.status).await;
        outcome
    }

    /// Cancels the build at the daemon and waits until it has ended there, at most for a bound.
    pub async fn cancel(mut self) {
        self.solve.abort();
        let _ = tokio::time::timeout(CANCEL, &mut self.status).await;
    }
}

fn ended_early(ended: Result<Result<control::SolveResponse, Status>, tokio::task::JoinError>) -> Error {
    match ended {
        Ok(Err(status)) => Error::Daemon {
            call: "Control.Solve",
            status,
        },
        _ => Error::Protocol("the build ended before its graph was made".to_owned()),
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.solve.abort();
        self.status.abort();
    }
}

impl FrontendResult {
    fn new(mut result: frontend::Result, inputs: HashSet<String>) -> Result<FrontendResult, Error> {
        let definition = only_reference(&mut result)?.def.clone();
        Ok(FrontendResult {
            result,
            definition: definition.map(Definition::received),
            inputs,
            changed: None,
        })
    }

    /// The definition as the frontend made it; `None` for an empty result.
    pub fn definition(&self) -> Option<&Definition> {
        self.definition.as_ref()
    }

    /// The graph; empty for an empty result.
    pub fn graph(&self) -> Result<Graph, Error> {
        self.definition.as_ref().map_or_else(
            || {
                Ok(Graph {
                    vertices: Vec::new(),
                    target: None,
                })
            },
            Graph::read,
        )
    }

    /// Whether a vertex came in with one of the request's inputs: it is another build's.
    pub fn is_input(&self, digest: &str) -> bool {
        self.inputs.contains(digest)
    }

    /// Runs these vertices whether they are in the cache or not. The other ones stay as they are, to the byte, and so
    /// does [`FrontendResult::definition`]: who takes it as an input wants what these vertices make, which is the newest
    /// result in the cache then, and not to run them once more.
    ///
    /// `cache_imports` are the caches that the frontend was told to consult; a changed definition has to be told, too.
    pub fn ignore_cache<'a>(
        &mut self,
        digests: impl IntoIterator<Item = &'a str>,
        cache_imports: &[CacheEntry],
    ) {
        let mut digests = digests.into_iter().peekable();
        let (Some(definition), Some(_)) = (&self.definition, digests.peek()) else {
            return;
        };
        let changed = self.changed.get_or_insert_with(|| Changed {
            definition: definition.0.clone(),
            cache_imports: Vec::new(),
        });
        for digest in digests {
            let metadata = &mut changed.definition.metadata;
            metadata.entry(digest.to_owned()).or_default().ignore_cache = true;
        }
        let imports = cache_imports.iter().map(|entry| frontend::CacheOptionsEntry {
            r#type: entry.kind.clone(),
            attrs: entry.attrs.clone().into_iter().collect(),
        });
        changed.cache_imports = imports.collect();
    }

    /// Lets the result stand for another graph, with its image configuration kept.
    fn replace_reference(&mut self, mut solved: frontend::Result) -> Result<(), Error> {
        *only_reference(&mut self.result)? = std::mem::take(only_reference(&mut solved)?);
        Ok(())
    }

    /// The image configuration as the frontend wrote it, in the OCI form.
    pub fn image_config(&self) -> Option<&[u8]> {
        self.config_key()
            .and_then(|key| self.result.metadata.get(&key))
            .map(Vec::as_slice)
    }

    /// Replaces the image configuration. No step is changed by it.
    pub fn set_image_config(&mut self, config: Vec<u8>) {
        let key = self.config_key().unwrap_or_else(|| IMAGE_CONFIG.to_owned());
        self.result.metadata.insert(key, config);
    }

    /// `containerimage.config`, or `containerimage.config/PLATFORM` in a result by platform.
    fn config_key(&self) -> Option<String> {
        let keys = self.result.metadata.keys();
        let suffix = |key: &&String| {
            key.strip_prefix(IMAGE_CONFIG)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        keys.filter(suffix).min().cloned()
    }
}

/// The one reference that a result holds.
fn only_reference(result: &mut frontend::Result) -> Result<&mut frontend::Ref, Error> {
    use frontend::result::Result as Kind;
    let reference = match &mut result.result {
        Some(Kind::Ref(reference)) => Some(reference),
        Some(Kind::Refs(refs)) if refs.refs.len() > 1 => {
            return Err(Error::Protocol("a result for several platforms".to_owned()));
        }
        Some(Kind::Refs(refs)) => refs.refs.values_mut().next(),
        _ => None,
    };
    reference.ok_or_else(|| Error::Protocol("a frontend result without a reference".to_owned()))
}

#[cfg(test)]
mod tests;
