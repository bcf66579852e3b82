//! From BuildKit's status stream to the outcome of every step. Pure: events in, events and steps out.
//!
//! # When is a step `cached`?
//! The daemon marks a vertex as cached in two ways. Either it loaded the vertex's result, which takes a moment,
//! or it concludes that a vertex was not needed because a later one has begun; the two times are then exactly
//! equal. The second is a conclusion, and a wrong one if the later vertex then fails. So it is believed only
//! once a vertex that depends on it has ended well. What is left when the build has failed was not reached.
//!
//! A source (a base image, the context) is reported twice: first when its cache key is asked for, then when its
//! content is really fetched or loaded. If the second never comes, nobody needed the content.

use super::explain::Origin;
use crate::event::{Event, Outcome, StepRef};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, SystemTime};
use unstale_buildkit::llb::{Graph, Location, Op, Vertex};
use unstale_buildkit::status::{StatusEvent, VertexState};
use unstale_ledger::secret::Mask;
use unstale_plan::{Cause, Facts, Made, Note};

/// A step of a finished build.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The number that the step had in the output.
    pub number: u32,
    /// BuildKit's name for it.
    pub name: String,
    /// The instruction: the name without BuildKit's counter.
    pub instruction: String,
    /// Its place in the Dockerfile, for steps that have one.
    pub location: Option<Location>,
    /// BuildKit's digest of the vertex.
    pub digest: String,
    /// The digest without what differs between sessions; empty for steps outside the graph.
    pub stable_digest: String,
    /// The digests of the vertices that it needs.
    pub inputs: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// When it began, by the daemon's clock.
    pub started: Option<SystemTime>,
    /// When it ended, by the daemon's clock.
    pub completed: Option<SystemTime>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// The end of its output, if it failed: at most [`TAIL`] bytes, control characters included.
    pub tail: Vec<u8>,
    /// What sort of step it is.
    pub kind: StepKind,
    /// Why it ran.
    pub cause: Option<Cause>,
    /// Where its reused result came from.
    pub origin: Option<Origin>,
    /// What a person might not expect of its reuse.
    pub note: Option<Note>,
    /// How later builds find its result.
    pub result: Option<StepResult>,
}

/// How later builds find a step's result, and what they compare the step by.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult {
    /// See [`unstale_plan::Key::id`].
    pub key: String,
    /// See [`unstale_plan::Key::loose`].
    pub loose_key: Option<String>,
    /// Its record in the builder's cache.
    pub made: Option<Made>,
    /// What the step is compared by.
    pub facts: Facts,
}

/// How much of the output of a failed step is kept, in bytes.
pub const TAIL: usize = 4 << 10;

/// What a step is to the person who wrote the Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// An instruction that makes a layer: RUN, COPY, ADD, WORKDIR.
    Instruction,
    /// A base image or another source from elsewhere.
    Source,
    /// Work of BuildKit itself: loading the context, exporting the image.
    Internal,
}

impl Step {
    /// Whether it was stopped while it ran: another one failed, or the build was cancelled.
    pub fn is_stopped(&self) -> bool {
        self.error.as_deref().is_some_and(is_cancellation)
    }

    /// How long it ran.
    pub fn duration(&self) -> Option<Duration> {
        self.completed?.duration_since(self.started?).ok()
    }
}

/// True for the error of a step that was stopped from outside. The words are those of Go's `context.Canceled`, by
/// which the daemon ends what runs beside a failed step.
pub fn is_cancellation(error: &str) -> bool {
    error.ends_with("context canceled")
}

/// Gives out the numbers of a build's steps.
pub type Counter = std::sync::Arc<std::sync::atomic::AtomicU32>;

/// The steps of one service's build, as far as they are known.
pub struct Steps {
    service: String,
    counter: Counter,
    /// Hides secret arguments, whose values BuildKit writes into names.
    mask: Mask,
    order: Vec<String>,
    vertices: HashMap<String, Known>,
    /// The graph's vertices that need no other.
    sources: HashSet<String>,
    /// Where each vertex stands in the graph.
    positions: HashMap<String, usize>,
    /// The vertices of the graph that need one, by its digest.
    consumers: HashMap<String, Vec<String>>,
    /// The graph's names by digest. A vertex that another build shares carries that build's name.
    names: HashMap<String, String>,
    /// What is said of the graph's vertices when they end.
    words: HashMap<String, Words>,
}

/// What is said of a step when it ends.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Why it ran, if it did.
    pub ran: Option<String>,
    /// Where its result came from, if it was reused.
    pub cached: Option<String>,
}

struct Known {
    number: u32,
    state: VertexState,
    /// The outcome that was announced.
    outcome: Option<Outcome>,
    announced_start: bool,
    /// How many times it began to work, as opposed to being loaded.
    runs: u32,
    /// What the daemon concluded of it is true of a step that needs it, and may not be of another one.
    is_believed: bool,
    /// The end of its output.
    tail: VecDeque<u8>,
}

impl Steps {
    /// No steps yet.
    pub fn new(service: &str, counter: Counter, mask: Mask) -> Steps {
        Steps {
            service: service.to_owned(),
            counter,
            mask,
            order: Vec::new(),
            vertices: HashMap::new(),
            sources: HashSet::new(),
            positions: HashMap::new(),
            consumers: HashMap::new(),
            names: HashMap::new(),
            words: HashMap::new(),
        }
    }

    /// Takes the graph in, once it is known and before anything of it is run.
    pub fn expect(&mut self, graph: &Graph) {
        let sources = graph.vertices.iter().filter(|vertex| vertex.inputs.is_empty());
        self.sources = sources.map(|vertex| vertex.digest.clone()).collect();
        for (position, vertex) in graph.vertices.iter().enumerate() {
            self.positions.insert(vertex.digest.clone(), position);
            for input in &vertex.inputs {
                let needed = graph.vertices[input.vertex].digest.clone();
                self.consumers
                    .entry(needed)
                    .or_default()
                    .push(vertex.digest.clone());
            }
        }
        let names = graph
            .vertices
            .iter()
            .map(|vertex| (vertex.digest.clone(), vertex.name.clone()));
        self.names = names.collect();
    }

    /// Takes in what is to be said of the graph's vertices when they end.
    pub fn explain(&mut self, words: HashMap<String, Words>) {
        self.words = words;
    }

    /// Takes an event of the daemon in, and gives what follows from it.
    pub fn apply(&mut self, event: StatusEvent) -> Vec<Event> {
        match event {
            StatusEvent::Vertex(mut state) => {
                state.name = self.mask.text(&state.name).into_owned();
                state.error = state.error.map(|error| self.mask.text(&error).into_owned());
                self.vertex(state)
            }
            StatusEvent::Log(mut log) => {
                log.data = self.mask.bytes(log.data);
                let Some(known) = self.vertices.get_mut(&log.vertex) else {
                    return Vec::new();
                };
                known.tail.extend(&log.data);
                known.tail.drain(..known.tail.len().saturating_sub(TAIL));
                let since = |start: SystemTime| log.timestamp?.duration_since(start).ok();
                let offset = known.state.started.and_then(since).unwrap_or_default();
                let number = known.number;
                vec![Event::StepLog {
                    step: self.step(number),
                    offset,
                    data: log.data,
                }]
            }
            StatusEvent::Progress(progress) => {
                let Some(known) = self.vertices.get(&progress.vertex) else {
                    return Vec::new();
                };
                vec![Event::StepProgress {
                    step: self.step(known.number),
                    what: progress.id,
                    current: progress.current,
                    total: progress.total,
                    done: progress.completed.is_some(),
                }]
            }
            StatusEvent::Warning(warning) => {
                let place = warning
                    .line
                    .map(|line| format!(" (line {line})"))
                    .unwrap_or_default();
                let message = format!("{}{place}", warning.short);
                vec![Event::Warning {
                    service: Some(self.service.clone()),
                    message,
                }]
            }
        }
    }

    fn step(&self, number: u32) -> StepRef {
        StepRef {
            service: self.service.clone(),
            number,
        }
    }

    fn vertex(&mut self, state: VertexState) -> Vec<Event> {
        let mut events = Vec::new();
        let digest = state.digest.clone();
        if !self.vertices.contains_key(&digest) {
            let number = 1 + self.counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            events.push(Event::StepFound {
                step: self.step(number),
                name: state.name.clone(),
            });
            self.order.push(digest.clone());
            let known = Known {
                number,
                state: state.clone(),
                outcome: None,
                announced_start: false,
                runs: 0,
                is_believed: false,
                tail: VecDeque::new(),
            };
            self.vertices.insert(digest.clone(), known);
        }
        let Some(known) = self.vertices.get_mut(&digest) else {
            return events;
        };
        let number = known.number;
        let fresh_start = known.runs == 0 || state.started != known.state.started;
        if state.started.is_some() && !state.cached && fresh_start {
            known.runs += 1;
        }
        known.state = state;
        let begins = known.state.started.is_some() && !known.state.cached && !known.announced_start;
        if begins {
            known.announced_start = true;
            events.push(Event::StepStarted {
                step: StepRef {
                    service: self.service.clone(),
                    number,
                },
            });
        }
        let ended = known.state.completed.is_some() && known.outcome.is_none();
        if ended && let Some(error) = &known.state.error {
            // A step that was stopped before it began is left to `finish`, and so is a source whose content nobody got.
            let is_stopped_source = is_cancellation(error) && self.is_only_resolved(&digest);
            if self.vertices[&digest].announced_start && !is_stopped_source {
                events.extend(self.settle(&digest, Outcome::Ran));
            }
        } else if ended && !known.state.is_inferred() && !self.is_only_resolved(&digest) {
            let known = &self.vertices[&digest];
            let outcome = if known.state.cached {
                Outcome::Cached
            } else {
                Outcome::Ran
            };
            events.extend(self.believe_inputs(&digest));
            events.extend(self.settle(&digest, outcome));
        }
        events
    }

    /// True for a source of which only the cache key was asked for so far.
    fn is_only_resolved(&self, digest: &str) -> bool {
        let known = self.vertices.get(digest);
        self.sources.contains(digest) && known.is_some_and(|known| known.runs == 1 && !known.state.cached)
    }

    /// A vertex has ended well: what the daemon concluded of its inputs is true, unless another step needs them yet.
    fn believe_inputs(&mut self, digest: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let inputs = |steps: &Steps, digest: &str| {
            steps
                .vertices
                .get(digest)
                .map(|known| known.state.inputs.clone())
                .unwrap_or_default()
        };
        let mut pending = inputs(self, digest);
        let mut concluded: Vec<String> = Vec::new();
        while let Some(input) = pending.pop() {
            if !self.is_concluded(&input) || concluded.contains(&input) {
                continue;
            }
            pending.extend(inputs(self, &input));
            concluded.push(input);
        }
        // Every step after those that need it.
        concluded.sort_by_key(|digest| std::cmp::Reverse(self.positions.get(digest).copied()));
        for input in concluded {
            let consumers = self.consumers.get(&input);
            let has_ended = |consumer: &String| consumer == digest || self.is_settled(consumer);
            if consumers.is_none_or(|consumers| consumers.iter().all(has_ended)) {
                events.extend(self.settle(&input, Outcome::Cached));
            } else if let Some(known) = self.vertices.get_mut(&input) {
                known.is_believed = true;
            }
        }
        events
    }

    /// True for a vertex without an end of its own.
    fn is_concluded(&self, digest: &str) -> bool {
        let is_inferred = |known: &Known| known.state.is_inferred();
        !self.is_settled(digest)
            && (self.vertices.get(digest).is_some_and(is_inferred) || self.is_only_resolved(digest))
    }

    fn is_settled(&self, digest: &str) -> bool {
        self.vertices
            .get(digest)
            .is_some_and(|known| known.outcome.is_some())
    }

    fn settle(&mut self, digest: &str, outcome: Outcome) -> Option<Event> {
        let known = self.vertices.get_mut(digest)?;
        known.outcome = Some(outcome);
        let (duration, error) = match outcome {
            Outcome::Ran => (known.state.duration(), known.state.error.clone()),
            Outcome::Cached | Outcome::NotReached => (None, None),
        };
        let step = StepRef {
            service: self.service.clone(),
            number: known.number,
        };
        let words = self.words.get(digest);
        let why = words.and_then(|words| match outcome {
            Outcome::Ran => words.ran.clone(),
            Outcome::Cached => words.cached.clone(),
            Outcome::NotReached => None,
        });
        Some(Event::StepFinished {
            step,
            outcome,
            duration,
            error,
            why: why.map(|why| self.mask.text(&why).into_owned()),
        })
    }

    /// The build has ended: settles what is open, and gives the steps in the order of the graph, with
    /// BuildKit's own work after them.
    pub fn finish(mut self, graph: &Graph, succeeded: bool) -> (Vec<Step>, Vec<Event>) {
        let rest = if succeeded {
            Outcome::Cached
        } else {
            Outcome::NotReached
        };
        let mut events = Vec::new();
        for digest in self.order.clone() {
            if !self.is_settled(&digest) {
                let began = self
                    .vertices
                    .get(&digest)
                    .is_some_and(|known| known.announced_start)
                    && !self.is_only_resolved(&digest);
                let is_believed = self.is_concluded(&digest) && self.vertices[&digest].is_believed;
                let outcome = match (began, is_believed) {
                    (true, _) => Outcome::Ran,
                    (false, true) => Outcome::Cached,
                    (false, false) => rest,
                };
                events.extend(self.settle(&digest, outcome));
            }
        }
        let mut steps = Vec::new();
        for vertex in &graph.vertices {
            let known = self.vertices.remove(&vertex.digest).or_else(|| {
                // The same operation with its cache ignored runs under a digest of its own.
                self.vertices.remove(&ignored_cache_digest(&vertex.digest))
            });
            steps.push(self.graph_step(graph, vertex, known, rest));
        }
        let internal = self
            .order
            .iter()
            .filter_map(|digest| self.vertices.remove(digest));
        steps.extend(internal.collect::<Vec<_>>().into_iter().map(internal_step));
        (steps, events)
    }

    fn graph_step(&self, graph: &Graph, vertex: &Vertex, known: Option<Known>, rest: Outcome) -> Step {
        let name = self.mask.text(&vertex.name).into_owned();
        let state = known.as_ref().map(|known| &known.state);
        let outcome = known.as_ref().and_then(|known| known.outcome).unwrap_or(rest);
        // An inferred vertex has times that are not its own.
        let own = |time: Option<SystemTime>| if outcome == Outcome::Ran { time } else { None };
        Step {
            number: known.as_ref().map_or(0, |known| known.number),
            instruction: instruction(&name).to_owned(),
            name,
            location: vertex.location.clone(),
            digest: vertex.digest.clone(),
            stable_digest: vertex.stable_digest.clone(),
            inputs: vertex
                .inputs
                .iter()
                .map(|input| graph.vertices[input.vertex].digest.clone())
                .collect(),
            outcome,
            started: own(state.and_then(|state| state.started)),
            completed: own(state.and_then(|state| state.completed)),
            error: state
                .and_then(|state| state.error.clone())
                .filter(|_| outcome == Outcome::Ran),
            tail: match known {
                Some(known) if known.state.error.is_some() => known.tail.into(),
                _ => Vec::new(),
            },
            kind: kind(vertex),
            cause: None,
            origin: None,
            note: None,
            result: None,
        }
    }
}

/// The steps of a build that is known by its events only, each after those that it needs; without BuildKit's own work.
pub(crate) fn steps_of_replay(events: Vec<StatusEvent>, mask: Mask, succeeded: bool) -> Vec<Step> {
    let mut steps = Steps::new("", Counter::default(), mask);
    let sources = events.iter().filter_map(|event| match event {
        StatusEvent::Vertex(vertex) if vertex.inputs.is_empty() => Some(vertex.digest.clone()),
        _ => None,
    });
    steps.sources = sources.collect();
    for event in events {
        steps.apply(event);
    }
    let empty = Graph {
        vertices: Vec::new(),
        target: None,
    };
    let (steps, _) = steps.finish(&empty, succeeded);
    let shown = in_order(steps)
        .into_iter()
        .filter(|step| step.name.starts_with('['));
    shown
        .filter(|step| !step.name.starts_with("[internal]"))
        .map(|mut step| {
            step.kind = if step.inputs.is_empty() {
                StepKind::Source
            } else {
                StepKind::Instruction
            };
            step.error = step.error.filter(|_| step.outcome == Outcome::Ran);
            step
        })
        .collect()
}

/// Each step after its inputs, from the targets on, these by name.
fn in_order(steps: Vec<Step>) -> Vec<Step> {
    let numbers: HashMap<String, usize> = steps
        .iter()
        .enumerate()
        .map(|(number, step)| (step.digest.clone(), number))
        .collect();
    let inputs = |step: &Step| -> Vec<usize> {
        let known = step.inputs.iter().filter_map(|digest| numbers.get(digest));
        known.copied().collect()
    };
    let needed: HashSet<usize> = steps.iter().flat_map(inputs).collect();
    let mut open: Vec<(usize, bool)> = (0..steps.len())
        .filter(|number| !needed.contains(number))
        .map(|target| (target, false))
        .collect();
    open.sort_by(|(one, _), (other, _)| steps[*other].name.cmp(&steps[*one].name));
    let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let (mut seen, mut ordered) = (HashSet::new(), Vec::new());
    while let Some((number, is_complete)) = open.pop() {
        if is_complete {
            ordered.extend(steps[number].take());
        } else if let Some(step) = &steps[number]
            && seen.insert(number)
        {
            open.push((number, true));
            open.extend(inputs(step).into_iter().rev().map(|input| (input, false)));
        }
    }
    ordered
}

/// The digest under which BuildKit runs a vertex whose cache is to be ignored while another vertex of the
/// same digest is not (`solver/jobs.go`).
fn ignored_cache_digest(digest: &str) -> String {
    use sha2::Digest;
    format!(
        "sha256:{}",
        hex::encode(sha2::Sha256::digest(format!("{digest}-ignorecache")))
    )
}

fn internal_step(known: Known) -> Step {
    let state = known.state;
    Step {
        number: known.number,
        instruction: instruction(&state.name).to_owned(),
        name: state.name,
        location: None,
        digest: state.digest,
        stable_digest: String::new(),
        inputs: state.inputs,
        outcome: known.outcome.unwrap_or(Outcome::NotReached),
        started: state.started,
        completed: state.completed,
        tail: match state.error {
            Some(_) => known.tail.into(),
            None => Vec::new(),
        },
        error: state.error,
        kind: StepKind::Internal,
        cause: None,
        origin: None,
        note: None,
        result: None,
    }
}

/// What sort of step a vertex is.
pub(super) fn kind(vertex: &Vertex) -> StepKind {
    match &vertex.op {
        Op::Source { identifier, .. } if identifier.starts_with("local://") => StepKind::Internal,
        Op::Source { .. } => StepKind::Source,
        _ if vertex.name.starts_with("[internal]") => StepKind::Internal,
        _ => StepKind::Instruction,
    }
}

/// `COPY . /app/` of `[backend stage-1 6/9] COPY . /app/`.
pub fn instruction(name: &str) -> &str {
    match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, instruction)) => instruction,
        None => name,
    }
}

/// BuildKit's step name with the service in it: `[stage-1 6/9] COPY .` of `backend` becomes
/// `[backend stage-1 6/9] COPY .`, the form in which Compose prints it.
pub fn name_in_service(service: &str, name: &str) -> String {
    match name.strip_prefix('[') {
        Some(rest) => format!("[{service} {rest}"),
        None => format!("[{service}] {name}"),
    }
}

#[cfg(test)]
mod tests;
