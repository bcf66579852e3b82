//! Which steps will run: the solver's search for results, repeated on what is known.
//!
//! The solver goes from the target backwards. A step whose key it finds is loaded, and nothing before it is looked at;
//! a step that it does not find makes it look at the inputs, whose content may still lead to a match (early cut-off).

use unstale_buildkit::llb::{Graph, Op, Vertex};

use crate::held::{Held, Memory, Past, Records};
use crate::key::{Key, Part, identity};

/// What will become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its result will be reused, or not be needed.
    Cached,
    /// It will be run.
    Run,
    /// It cannot be known before.
    Maybe,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Cached => "cached",
            Outcome::Run => "run",
            Outcome::Maybe => "maybe",
        }
    }
}

/// A step's outcome and what it follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// What will become of it.
    pub outcome: Outcome,
    /// What that follows from.
    pub reason: Reason,
    /// Other keys under which the step may turn out to be held.
    pub others: Vec<String>,
}

/// What a prediction follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The cache holds the step's result.
    Held(Past),
    /// A later step's result is held; this one's was, or is, if it is known.
    NotNeeded(Option<Past>),
    /// The graph says to run the step in any case.
    IgnoreCache,
    /// The cache held the result.
    Gone(Past),
    /// No build had it.
    New,
    /// A result is held that differs only in inputs which are not known before they are made.
    CutOff,
    /// The step runs only if a later one does, and that is not known. What is gone of it, if anything was there.
    AsLater(Option<Past>),
    /// The build consults an imported cache, and nobody knows what it holds.
    Import(Option<Past>),
    /// A record is held that may be the result, and that no build of ours made.
    Foreign,
    /// The result was there; which record it is cannot be told.
    Unclear(Past),
    /// A base image, a folder, a repository: always looked at.
    Source,
}

/// How many alternative keys of one step are followed. More of them than one are rare already.
const ALTERNATIVES: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    No,
    Maybe,
    Yes,
}

/// What is known of one vertex before it is asked whether it is needed.
struct Search {
    held: Held,
    /// Its key can be told without running anything.
    is_known: bool,
    /// Other keys that it may turn out to have, all of which earlier builds had.
    others: Vec<String>,
    /// One of them leads to a result.
    may_match: bool,
    /// One of them leads to a result with the very inputs that are compared by content as well.
    may_match_by_key: bool,
    /// An imported cache may have it.
    may_be_imported: bool,
    is_source: bool,
    /// The record of its result, ours or not.
    record: Option<String>,
}

impl Search {
    fn is_there(&self) -> bool {
        self.is_known && matches!(self.held, Held::Yes(_))
    }
}

/// The outcome of every vertex, in the graph's order.
pub fn predict(graph: &Graph, keys: &[Key], memory: &impl Memory, records: &Records<'_>) -> Vec<Prediction> {
    let mut searches: Vec<Search> = Vec::with_capacity(keys.len());
    for (vertex, key) in graph.vertices.iter().zip(keys) {
        let found = search(vertex, key, keys, &searches, memory, records);
        searches.push(found);
    }
    let mut needs = vec![Need::No; keys.len()];
    if let Some(target) = &graph.target {
        needs[target.vertex] = Need::Yes;
    }
    let mut predictions = vec![None; keys.len()];
    // The imported result that makes a step needless.
    let mut imported: Vec<Option<Past>> = vec![None; keys.len()];
    for number in (0..keys.len()).rev() {
        let (vertex, search, need) = (&graph.vertices[number], &searches[number], needs[number]);
        let prediction = judge(
            vertex.ignore_cache,
            matches!(vertex.op, Op::Source { .. }),
            search,
            need,
            imported[number].as_ref(),
        );
        if let Reason::Held(past) | Reason::NotNeeded(Some(past)) = &prediction.reason
            && past.imported.is_some()
        {
            for input in &vertex.inputs {
                imported[input.vertex].get_or_insert_with(|| past.clone());
            }
        }
        if prediction.outcome != Outcome::Cached {
            for part in &keys[number].parts {
                if let Part::Step {
                    vertex: input,
                    by_content,
                    ..
                } = part
                {
                    // What is compared by content must be there before the step's own fate is known; but not if its key
                    // is known, and may lead to the result with what else may turn out.
                    let asked = match (by_content, prediction.outcome) {
                        (_, Outcome::Run) => Need::Yes,
                        (true, _) if !search.may_match_by_key => Need::Yes,
                        _ => Need::Maybe,
                    };
                    needs[*input] = needs[*input].max(asked);
                }
            }
        }
        predictions[number] = Some(prediction);
    }
    let mut predictions: Vec<Prediction> = predictions.into_iter().flatten().collect();
    begun_ahead(graph, keys, &searches, &mut predictions);
    predictions
}

/// Marks the steps that the solver may begin before it finds that a later result makes them needless. A copy that lies
/// upon nothing (`COPY --from --link`) is looked for by what it copies alone, and until that key is known the solver goes
/// on with the stage if that stage's results are gone.
fn begun_ahead(graph: &Graph, keys: &[Key], searches: &[Search], predictions: &mut [Prediction]) {
    let is_copy = |number: usize| {
        let parts = &keys[number].parts;
        let by_content = |part: &Part| matches!(part, Part::Step { by_content: true, .. });
        matches!(graph.vertices[number].op, Op::File { .. })
            && !parts.is_empty()
            && parts.iter().all(by_content)
            && matches!(predictions[number].reason, Reason::Held(_))
    };
    let inputs = |number: usize| keys[number].parts.iter().filter_map(step).map(|(input, _)| input);
    let mut pending: Vec<usize> = (0..keys.len())
        .filter(|&number| is_copy(number))
        .flat_map(inputs)
        .collect();
    let mut seen = vec![false; keys.len()];
    while let Some(number) = pending.pop() {
        if std::mem::replace(&mut seen[number], true) {
            continue;
        }
        pending.extend(inputs(number));
        let is_ready = |input: usize| {
            searches[input].is_source
                || searches[input].is_there()
                || predictions[input].outcome != Outcome::Cached
        };
        if let (Reason::NotNeeded(_), Held::Gone(past)) =
            (&predictions[number].reason, &searches[number].held)
            && inputs(number).all(is_ready)
        {
            predictions[number].outcome = Outcome::Maybe;
            predictions[number].reason = Reason::AsLater(Some(past.clone()));
        }
    }
}

fn judge(
    ignore_cache: bool,
    is_source: bool,
    search: &Search,
    need: Need,
    imported: Option<&Past>,
) -> Prediction {
    let past = || match &search.held {
        Held::Yes(past) | Held::Gone(past) | Held::Unclear(past) => Some(past.clone()),
        Held::Never => None,
    };
    let (outcome, reason) = match (need, &search.held) {
        _ if is_source => (Outcome::Cached, Reason::Source),
        (Need::No, Held::Yes(past)) => (Outcome::Cached, Reason::NotNeeded(Some(past.clone()))),
        (Need::No, _) => (
            Outcome::Cached,
            Reason::NotNeeded(imported.cloned().or_else(past)),
        ),
        _ if ignore_cache => (Outcome::Run, Reason::IgnoreCache),
        (_, Held::Yes(past)) if search.is_known => (Outcome::Cached, Reason::Held(past.clone())),
        (_, Held::Unclear(past)) if search.is_known => (Outcome::Maybe, Reason::Unclear(past.clone())),
        _ if search.may_match => (Outcome::Maybe, Reason::CutOff),
        _ if search.may_be_imported => (Outcome::Maybe, Reason::Import(past())),
        (Need::Maybe, _) => (Outcome::Maybe, Reason::AsLater(past())),
        (Need::Yes, Held::Gone(past)) if search.is_known => (Outcome::Run, Reason::Gone(past.clone())),
        (Need::Yes, _) if search.record.is_some() => (Outcome::Maybe, Reason::Foreign),
        (Need::Yes, _) => (Outcome::Run, Reason::New),
    };
    Prediction {
        outcome,
        reason,
        others: search.others.clone(),
    }
}

fn search(
    vertex: &Vertex,
    key: &Key,
    keys: &[Key],
    before: &[Search],
    memory: &impl Memory,
    records: &Records<'_>,
) -> Search {
    let held = records.held(memory, &key.id, vertex);
    if vertex.ignore_cache {
        return Search {
            record: None,
            is_source: false,
            held,
            is_known: false,
            others: Vec::new(),
            may_match: false,
            may_match_by_key: false,
            may_be_imported: false,
        };
    }
    let inputs = || key.parts.iter().filter_map(step);
    let is_known = inputs().all(|(vertex, _)| before[vertex].is_known);
    let is_found = is_known && matches!(held, Held::Yes(_));
    // A result that was there for these very inputs: another one would have another content.
    let is_same =
        is_known && matches!(held, Held::Gone(_)) && inputs().all(|(vertex, _)| before[vertex].is_there());
    let found = if is_found || is_same {
        Vec::new()
    } else {
        others(key, keys, before, memory)
    };
    let leads = |id: &String| matches!(records.held(memory, id, vertex), Held::Yes(_) | Held::Unclear(_));
    let may_match_by_key = found.iter().any(|other| other.by_key && leads(&other.id));
    let others: Vec<String> = found.into_iter().map(|other| other.id).collect();
    let record = match &held {
        Held::Yes(past) => past
            .made
            .as_ref()
            .and_then(|made| Some(records.of(made, vertex)?.id.clone())),
        Held::Never if is_known && others.is_empty() && !matches!(vertex.op, Op::Source { .. }) => {
            let below = key
                .parts
                .iter()
                .find_map(step)
                .map(|(below, _)| (below, &before[below].record));
            match below {
                // A step on a result that is not there cannot have one.
                Some((below, None)) if !before[below].is_source => None,
                Some((_, record)) => records
                    .foreign(memory, vertex, record.as_deref())
                    .map(|record| record.id.clone()),
                None => records
                    .foreign(memory, vertex, None)
                    .map(|record| record.id.clone()),
            }
        }
        _ => None,
    };
    Search {
        may_match: others.iter().any(leads),
        may_match_by_key,
        may_be_imported: std::iter::once(&key.id)
            .chain(&others)
            .any(|id| records.imports.may_hold(id)),
        held,
        is_known,
        others,
        record,
        is_source: matches!(vertex.op, Op::Source { .. }),
    }
}

fn step(part: &Part) -> Option<(usize, bool)> {
    match part {
        Part::Step {
            vertex, by_content, ..
        } => Some((*vertex, *by_content)),
        Part::Content(_) => None,
    }
}

/// A key that a step may turn out to have.
struct Other {
    id: String,
    /// The inputs that are compared by content count with their keys.
    by_key: bool,
}

/// The keys that a step may turn out to have: with inputs that turn out to be earlier results, or whose content does.
fn others(key: &Key, keys: &[Key], before: &[Search], memory: &impl Memory) -> Vec<Other> {
    // For each input that counts by key: the keys it may have. None at all: the step cannot match anything.
    let mut combinations: Vec<Vec<(usize, &str)>> = vec![Vec::new()];
    for (vertex, by_content) in key.parts.iter().filter_map(step) {
        let own = before[vertex].is_known.then_some(keys[vertex].id.as_str());
        let mut options: Vec<&str> = own.into_iter().collect();
        options.extend(before[vertex].others.iter().map(String::as_str));
        if by_content && options.is_empty() {
            // Not named in the loose key, by which it is looked for.
            options.push("");
        }
        combinations = combinations
            .iter()
            .flat_map(|chosen| {
                options.iter().map(move |option| {
                    let mut chosen = chosen.clone();
                    chosen.push((vertex, *option));
                    chosen
                })
            })
            .take(ALTERNATIVES)
            .collect();
    }
    let mut found: Vec<Other> = Vec::new();
    for chosen in &combinations {
        let id = |vertex: usize| {
            chosen
                .iter()
                .find(|(of, _)| *of == vertex)
                .map_or("", |(_, id)| *id)
        };
        let has_own = |(vertex, by_content): (usize, bool)| !by_content || id(vertex) == keys[vertex].id;
        let by_key = key.parts.iter().filter_map(step).all(has_own);
        let mut candidates = vec![(identity(&key.form, &key.parts, id, false), by_key)];
        if key.loose.is_some() {
            let alike = memory.alike(&identity(&key.form, &key.parts, id, true));
            candidates.extend(alike.into_iter().map(|candidate| (candidate, false)));
        }
        for (candidate, by_key) in candidates {
            let is_new = candidate != key.id
                || !key
                    .parts
                    .iter()
                    .filter_map(step)
                    .all(|(vertex, _)| before[vertex].is_known);
            if found.len() < ALTERNATIVES
                && is_new
                && !found.iter().any(|other| other.id == candidate)
                && !memory.past(&candidate).is_empty()
            {
                found.push(Other {
                    id: candidate,
                    by_key,
                });
            }
        }
    }
    found
}
