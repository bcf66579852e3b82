//! `--rerun [SERVICE:]STEP`: which steps of a graph are to run whether they are in the cache or not.
//!
//! Pure: a selection is read from text, and marks the vertices of a graph. What is marked is given to the builder by
//! [`reruns`]. Nothing here runs a step or foretells what else will run because of it.

pub(super) mod reruns;
mod steps;

use self::steps::{GraphStep, graph_steps};
use std::collections::BTreeMap;
use std::str::FromStr;
use unstale_buildkit::llb::Graph;

/// How many steps a hint lists.
const LISTED: usize = 30;

/// One `--rerun`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun {
    /// As it was given.
    text: String,
    /// The service; `None` for the only one that is built.
    service: Option<String>,
    step: StepSelector,
}

/// Which step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StepSelector {
    /// `6`, `6/9` or `stage-1/6`: the number in the step's name.
    Number {
        stage: Option<String>,
        number: u32,
        total: Option<u32>,
    },
    /// The name of a stage, or the beginning of an instruction, with single spaces.
    Words(String),
}

/// Why a selection cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RerunError {
    /// The text selects nothing.
    #[error("{0:?} names no step")]
    Malformed(String),
    /// The service is not built.
    #[error("{rerun}: no service {service} is built")]
    NoService {
        /// The selection.
        rerun: String,
        /// The service that it names.
        service: String,
        /// The services that are built.
        services: Vec<String>,
    },
    /// Several services are built, and the selection names none.
    #[error("{rerun}: several services are built, and it names none")]
    WhichService {
        /// The selection.
        rerun: String,
        /// The services that are built.
        services: Vec<String>,
    },
    /// No step is selected.
    #[error("{rerun}: {service} has no such step")]
    NoStep {
        /// The selection.
        rerun: String,
        /// The service.
        service: String,
        /// The steps that may be selected, each as a selection and its instruction.
        steps: Vec<(String, String)>,
    },
    /// What is selected is fetched and not run.
    #[error("{rerun}: {instruction} is fetched, not run")]
    NotRun {
        /// The selection.
        rerun: String,
        /// What it selects.
        instruction: String,
    },
    /// Several steps are selected where one is meant.
    #[error("{rerun}: {} steps of {service} are meant by it", steps.len())]
    Ambiguous {
        /// The selection.
        rerun: String,
        /// The service.
        service: String,
        /// These, each as a selection and its instruction.
        steps: Vec<(String, String)>,
    },
}

impl RerunError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            RerunError::Malformed(_) => {
                Some("name it as SERVICE:6, SERVICE:STAGE/6, SERVICE:STAGE or SERVICE:\"RUN make\"".into())
            }
            RerunError::NoService { services, .. } => Some(format!(
                "built here: {}; a step of a stage is named SERVICE:STAGE/NUMBER",
                services.join(", ")
            )),
            RerunError::WhichService { services, .. } => {
                Some(format!("write SERVICE:STEP with one of {}", services.join(", ")))
            }
            RerunError::NoStep { steps, .. } if steps.is_empty() => Some("it has no step that runs".into()),
            RerunError::NoStep { steps, .. } | RerunError::Ambiguous { steps, .. } => Some(listed(steps)),
            RerunError::NotRun { .. } => Some("--pull asks the registry for newer base images".into()),
        }
    }
}

fn listed(steps: &[(String, String)]) -> String {
    let mut text = "name one of these:".to_owned();
    for (selection, instruction) in steps.iter().take(LISTED) {
        text.push_str(&format!("\n  {selection}  {instruction}"));
    }
    if let Some(more) = steps.len().checked_sub(LISTED).filter(|&more| more > 0) {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

impl std::fmt::Display for Rerun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Rerun {
    type Err = RerunError;

    /// A service's name has no space and no `/`, and no step has a `:` after such a word, so that the two can be told
    /// apart without knowing the services.
    fn from_str(text: &str) -> Result<Rerun, RerunError> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let (service, step) = match text.split_once(':') {
            Some((service, step)) if is_name(service) => (Some(service.to_owned()), step),
            _ => (None, text),
        };
        let step = StepSelector::read(step).ok_or_else(|| RerunError::Malformed(text.to_owned()))?;
        let text = text.to_owned();
        Ok(Rerun { text, service, step })
    }
}

impl StepSelector {
    fn read(text: &str) -> Option<StepSelector> {
        let text = single_spaced(text);
        if text.is_empty() || text.starts_with(':') {
            return None;
        }
        let by_number = |stage: Option<&str>, number: &str, total: Option<u32>| {
            let stage = stage.map(str::to_lowercase);
            let number = number.parse().ok()?;
            Some(StepSelector::Number { stage, number, total })
        };
        let selector = match text.split_once('/') {
            None => by_number(None, &text, None),
            Some((number, total)) if number.parse::<u32>().is_ok() => {
                by_number(None, number, total.parse().ok())
            }
            Some((stage, number)) if !stage.contains(' ') => by_number(Some(stage), number, None),
            Some(_) => None,
        };
        Some(selector.unwrap_or(StepSelector::Words(text)))
    }
}

/// Text with its words apart by one space, and the first one, which is a Dockerfile's keyword, as BuildKit writes it.
fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks what the selections mean in the graph of their service: sets [`ignore_cache`] of these vertices. Gives the
/// vertices that were marked, by their digests, with the selection that asked for each.
///
/// Vertices for which `is_foreign` holds are another build's, and cannot be selected.
///
/// # Errors
/// If a selection means no step, or several where one is meant. The graph is unchanged then.
///
/// [`ignore_cache`]: unstale_buildkit::llb::Vertex::ignore_cache
pub fn mark<'a>(
    graph: &mut Graph,
    service: &str,
    reruns: impl IntoIterator<Item = &'a Rerun>,
    is_foreign: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, RerunError> {
    let steps = graph_steps(graph, is_foreign);
    let mut marked = Vec::new();
    for rerun in reruns {
        for step in select(&steps, service, rerun)? {
            marked.extend(step.vertices.iter().map(|&vertex| (vertex, rerun.to_string())));
        }
    }
    let mut asked = BTreeMap::new();
    for (vertex, rerun) in marked {
        let vertex = &mut graph.vertices[vertex];
        vertex.ignore_cache = true;
        asked.entry(vertex.digest.clone()).or_insert(rerun);
    }
    Ok(asked)
}

/// Marks the steps that build on what ran again in another build whose definition is this one's input. They would be
/// reused with the results of before: a step's cache key names the step that it builds on, and not what that made. Gives
/// the vertices that were marked as [`mark`] does.
///
/// `reran` is what was marked in other builds.
pub fn mark_consumers(
    graph: &mut Graph,
    reran: &BTreeMap<String, String>,
    is_foreign: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    let mut asked = BTreeMap::new();
    // For each foreign vertex, the selection by which its result is a new one.
    let mut renewed: Vec<Option<&String>> = Vec::with_capacity(graph.vertices.len());
    for vertex in &mut graph.vertices {
        let below = vertex.inputs.iter().find_map(|input| renewed[input.vertex]);
        if is_foreign(&vertex.digest) {
            renewed.push(reran.get(&vertex.digest).or(below));
            continue;
        }
        renewed.push(None);
        if let Some(rerun) = below {
            vertex.ignore_cache = true;
            asked.insert(vertex.digest.clone(), rerun.clone());
        }
    }
    asked
}

/// The steps that a selection means: one, or those of a stage.
fn select<'a>(
    steps: &'a [GraphStep],
    service: &str,
    rerun: &Rerun,
) -> Result<Vec<&'a GraphStep>, RerunError> {
    let with = |fits: &dyn Fn(&GraphStep) -> bool| -> Vec<&'a GraphStep> {
        steps.iter().filter(|step| fits(step)).collect()
    };
    let fitting = match &rerun.step {
        StepSelector::Number { stage, number, total } => with(&|step| {
            step.number == *number
                && stage
                    .as_ref()
                    .is_none_or(|stage| step.stage.as_ref() == Some(stage))
                && total.is_none_or(|total| step.total == total)
        }),
        StepSelector::Words(words) => {
            let of_stage = with(&|step| step.is_run() && step.stage.as_ref() == Some(&words.to_lowercase()));
            if !of_stage.is_empty() {
                return Ok(of_stage);
            }
            let words = with_keyword(words);
            let whole = with(&|step| step.instruction == words);
            if whole.is_empty() {
                with(&|step| step.instruction.starts_with(&words))
            } else {
                whole
            }
        }
    };
    let listed = |steps: &[&GraphStep]| -> Vec<(String, String)> {
        let steps = steps.iter().filter(|step| step.is_run());
        steps
            .map(|step| (format!("{service}:{}", step.selection()), step.shown()))
            .collect()
    };
    let (rerun, service) = (rerun.to_string(), service.to_owned());
    match fitting.as_slice() {
        [] => {
            let steps = listed(&with(&|_| true));
            Err(RerunError::NoStep {
                rerun,
                service,
                steps,
            })
        }
        [step] if step.is_run() => Ok(fitting),
        [step] => {
            let instruction = step.shown();
            Err(RerunError::NotRun { rerun, instruction })
        }
        several => {
            let steps = listed(several);
            Err(RerunError::Ambiguous {
                rerun,
                service,
                steps,
            })
        }
    }
}

/// An instruction's text with its keyword in capitals, as BuildKit writes it.
fn with_keyword(text: &str) -> String {
    match text.split_once(' ') {
        Some((keyword, rest)) => format!("{} {rest}", keyword.to_uppercase()),
        None => text.to_uppercase(),
    }
}

#[cfg(test)]
mod tests;
