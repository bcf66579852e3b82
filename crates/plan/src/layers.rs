//! What a step's result lies upon: its layers are its own and those of what it was made on, down to a base image.

use unstale_buildkit::llb::{FileAction, Graph, Op, Vertex};

/// The inputs that each vertex's result lies upon, in the graph's order.
pub fn layers(graph: &Graph) -> Vec<Vec<usize>> {
    let of = |vertex: &Vertex| {
        let numbers = below(vertex);
        let input = |number: i64| Some(vertex.inputs.get(usize::try_from(number).ok()?)?.vertex);
        let mut below: Vec<usize> = numbers.into_iter().filter_map(input).collect();
        below.dedup();
        below
    };
    graph.vertices.iter().map(of).collect()
}

/// The sources (base images, mostly) that each vertex's result lies upon in the end.
pub fn sources(graph: &Graph) -> Vec<Vec<usize>> {
    let layers = layers(graph);
    let mut sources: Vec<Vec<usize>> = Vec::with_capacity(layers.len());
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let mut found: Vec<usize> = match vertex.op {
            Op::Source { .. } => vec![number],
            _ => layers[number]
                .iter()
                .flat_map(|&below| sources[below].iter().copied())
                .collect(),
        };
        found.sort_unstable();
        found.dedup();
        sources.push(found);
    }
    sources
}

/// The numbers of the inputs that become part of the result.
fn below(vertex: &Vertex) -> Vec<i64> {
    match &vertex.op {
        Op::Exec(exec) => {
            let root = exec.mounts.iter().find(|mount| mount.dest == "/");
            root.map(|mount| mount.input).into_iter().collect()
        }
        // A number beyond the inputs is that of an earlier action.
        Op::File { actions } => actions.iter().filter_map(destination).collect(),
        Op::Merge { inputs } => inputs.clone(),
        Op::Diff { upper, .. } => upper.iter().copied().collect(),
        Op::Source { .. } | Op::Build { .. } | Op::Unknown => Vec::new(),
    }
}

/// What an action changes.
fn destination(action: &FileAction) -> Option<i64> {
    match action {
        FileAction::Copy { input, .. }
        | FileAction::MakeFile { input, .. }
        | FileAction::MakeDir { input, .. }
        | FileAction::Symlink { input, .. }
        | FileAction::Remove { input, .. } => Some(*input),
        FileAction::Unknown => None,
    }
}
