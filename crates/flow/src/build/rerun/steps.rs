//! The steps of a graph as a Dockerfile's author counts them: by stage and number, which BuildKit writes into the names
//! of vertices. One instruction may be several vertices (`COPY --link`, `ADD` of a URL).

use super::single_spaced;
use crate::build::steps::{StepKind, kind};
use unstale_buildkit::llb::Graph;

/// How many characters of an instruction a message shows.
const SHOWN: usize = 72;

/// An instruction of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphStep {
    /// The stage's name in lower case, as BuildKit has it; `None` where the Dockerfile has one stage without a name.
    pub stage: Option<String>,
    /// The number in the stage, counted from 1, which is `FROM`.
    pub number: u32,
    /// The stage's number of steps.
    pub total: u32,
    /// The instruction, its words apart by one space.
    pub instruction: String,
    /// The vertices that can be run again, as indexes of the graph; none for a source.
    pub vertices: Vec<usize>,
}

impl GraphStep {
    /// Whether there is something to run, as opposed to fetch.
    pub fn is_run(&self) -> bool {
        !self.vertices.is_empty()
    }

    /// How the step is selected.
    pub fn selection(&self) -> String {
        match &self.stage {
            Some(stage) => format!("{stage}/{}", self.number),
            None => format!("{}/{}", self.number, self.total),
        }
    }

    /// The instruction for a message.
    pub fn shown(&self) -> String {
        match self.instruction.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &self.instruction[..end]),
            None => self.instruction.clone(),
        }
    }
}

/// The steps of the graph that have a number, without those of other builds.
pub(super) fn graph_steps(graph: &Graph, is_foreign: impl Fn(&str) -> bool) -> Vec<GraphStep> {
    let mut steps: Vec<GraphStep> = Vec::new();
    for (index, vertex) in graph.vertices.iter().enumerate() {
        let Some(step) = read(&vertex.name).filter(|_| !is_foreign(&vertex.digest)) else {
            continue;
        };
        let same = |other: &GraphStep| {
            (&other.stage, other.number, other.total) == (&step.stage, step.number, step.total)
                && other.instruction == step.instruction
        };
        let known = steps.iter().position(same).unwrap_or_else(|| {
            steps.push(step.clone());
            steps.len() - 1
        });
        if kind(vertex) == StepKind::Instruction {
            steps[known].vertices.push(index);
        }
    }
    steps
}

/// Reads `[PLATFORM STAGE 6/9] COPY . /app`, of which platform and stage may be missing.
fn read(name: &str) -> Option<GraphStep> {
    let (place, instruction) = name.strip_prefix('[')?.split_once("] ")?;
    let mut words = place.split_whitespace().rev();
    let (number, total) = words.next()?.split_once('/')?;
    // A stage has no '/' in its name, and a platform has one.
    let stage = words.next().filter(|word| !word.contains('/'));
    let instruction = single_spaced(instruction);
    Some(GraphStep {
        stage: stage.map(str::to_lowercase),
        number: number.parse().ok()?,
        total: total.parse().ok()?,
        // The second half of `COPY --link`.
        instruction: instruction
            .strip_prefix("LINK ")
            .map_or(instruction.clone(), str::to_owned),
        vertices: Vec::new(),
    })
}
