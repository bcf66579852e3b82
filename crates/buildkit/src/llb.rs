//! The build graph that a frontend made: steps, what they need, their names and their places in the
//! Dockerfile.
//!
//! A [`Graph`] is read from the definition that the daemon returns, never encoded again: a vertex's digest is
//! that of the daemon's own bytes, by which the status stream names the same vertex.

mod op;

pub use op::{Exec, FileAction, Identity, Mount, MountKind, Op, Owner};

use crate::Error;
use crate::proto::pb;
use prost::Message;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// A definition as the daemon made it, which can be given back to it: as another build's input, or to be
/// solved.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition(pub(crate) pb::Definition);

impl Definition {
    /// A definition that the daemon sent, made fit to be sent back. A vertex without a place in a Dockerfile has an
    /// empty entry, which our encoder writes as a key without a value; daemons read that as nil, which new ones refuse
    /// and old ones would follow.
    pub(crate) fn received(mut definition: pb::Definition) -> Definition {
        fn drop_empty_entries(definition: &mut pb::Definition) {
            let Some(source) = &mut definition.source else {
                return;
            };
            source.locations.retain(|_, places| !places.locations.is_empty());
            let nested = source
                .infos
                .iter_mut()
                .filter_map(|info| info.definition.as_mut());
            nested.for_each(drop_empty_entries);
        }
        drop_empty_entries(&mut definition);
        Definition(definition)
    }

    /// The digests of its operations.
    pub(crate) fn digests(&self) -> impl Iterator<Item = String> {
        self.0.def.iter().map(|bytes| op_digest(bytes))
    }
}

/// The name of a marshalled operation.
pub(crate) fn op_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A build graph. Every vertex comes after the vertices that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The vertices.
    pub vertices: Vec<Vertex>,
    /// Where the result comes from; `None` for an empty result (`FROM scratch` without a step).
    pub target: Option<Input>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertex {
    /// `sha256:…` of the marshalled operation; the status stream's name for the step.
    pub digest: String,
    /// `sha256:…` over the decoded operation and its inputs without what changes from session to session. The
    /// same step of an unchanged Dockerfile has the same one in every build, on every engine version that
    /// makes the same operation of it.
    pub stable_digest: String,
    /// The results that it needs, in the order of the operation's own references.
    pub inputs: Vec<Input>,
    /// What it does.
    pub op: Op,
    /// The platform that it is for, as `os/architecture[/variant]`.
    pub platform: Option<String>,
    /// BuildKit's name for the step, such as `[stage-1 2/3] COPY . /app`.
    pub name: String,
    /// Where it stands in the Dockerfile.
    pub location: Option<Location>,
    /// The step is to be run whether it is in the cache or not.
    pub ignore_cache: bool,
}

/// A reference to another vertex's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The index of the vertex in [`Graph::vertices`].
    pub vertex: usize,
    /// Which of its outputs.
    pub output: i64,
}

/// Lines of a Dockerfile, counted from 1, both included.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// The file's name as the frontend was told it.
    pub file: String,
    /// The first line.
    pub line: u32,
    /// The last line.
    pub end_line: u32,
}

impl Graph {
    /// Reads a definition.
    ///
    /// # Errors
    /// If the definition refers to vertices that it does not hold, or in a circle.
    pub fn read(definition: &Definition) -> Result<Graph, Error> {
        let Definition(definition) = definition;
        let malformed = |what: &str| Error::Protocol(format!("the build graph {what}"));
        let mut pending = HashMap::new();
        let mut written = Vec::new();
        let mut terminal = None;
        for bytes in &definition.def {
            let digest = op_digest(bytes);
            let op = pb::Op::decode(bytes.as_slice()).map_err(|_| malformed("cannot be decoded"))?;
            if op.op.is_none() {
                terminal = op.inputs.first().cloned();
            } else {
                written.push(digest.clone());
                pending.insert(digest, op);
            }
        }
        let order = topological(&pending, &written).ok_or_else(|| malformed("refers to itself"))?;
        let mut graph = Graph {
            vertices: Vec::with_capacity(order.len()),
            target: None,
        };
        let mut index = HashMap::new();
        for digest in order {
            let Some(op) = pending.remove(&digest) else {
                continue;
            };
            let input = |input: &pb::Input| {
                let vertex = *index.get(input.digest.as_str())?;
                Some(Input {
                    vertex,
                    output: input.index,
                })
            };
            let inputs = op.inputs.iter().map(input).collect::<Option<Vec<_>>>();
            let inputs = inputs.ok_or_else(|| malformed("refers to a step that it does not hold"))?;
            let vertex = vertex(definition, &digest, op, inputs, &graph.vertices);
            index.insert(digest, graph.vertices.len());
            graph.vertices.push(vertex);
        }
        if let Some(input) = terminal {
            let vertex = index.get(input.digest.as_str());
            let vertex = *vertex.ok_or_else(|| malformed("has a target that it does not hold"))?;
            graph.target = Some(Input {
                vertex,
                output: input.index,
            });
        }
        Ok(graph)
    }

    /// The vertex that the status stream calls `digest`.
    pub fn by_digest(&self, digest: &str) -> Option<&Vertex> {
        self.vertices.iter().find(|vertex| vertex.digest == digest)
    }
}

/// The digests in an order in which each comes after its inputs, and otherwise as they are `written`; `None` if there
/// is a circle. Inputs that are not in the map are left out.
fn topological(ops: &HashMap<String, pb::Op>, written: &[String]) -> Option<Vec<String>> {
    #[derive(PartialEq)]
    enum Mark {
        Open,
        Done,
    }
    let mut marks: HashMap<&str, Mark> = HashMap::new();
    let mut order = Vec::with_capacity(ops.len());
    // Depth first with a stack of its own: a graph may be as deep as its Dockerfile is long.
    for root in written.iter().map(String::as_str) {
        let mut stack = vec![(root, 0)];
        while let Some((digest, next)) = stack.pop() {
            if next == 0 {
                match marks.get(digest) {
                    Some(Mark::Done) => continue,
                    Some(Mark::Open) => return None,
                    None => marks.insert(digest, Mark::Open),
                };
            }
            let Some((key, op)) = ops.get_key_value(digest) else {
                continue;
            };
            match op.inputs.get(next) {
                Some(input) => {
                    stack.push((digest, next + 1));
                    if let Some((input, _)) = ops.get_key_value(&input.digest) {
                        stack.push((input, 0));
                    }
                }
                None => {
                    marks.insert(key, Mark::Done);
                    order.push(key.clone());
                }
            }
        }
    }
    Some(order)
}

fn vertex(
    definition: &pb::Definition,
    digest: &str,
    op: pb::Op,
    inputs: Vec<Input>,
    before: &[Vertex],
) -> Vertex {
    let metadata = definition.metadata.get(digest);
    let platform = op.platform.as_ref().map(|platform| {
        let parts = [&platform.os, &platform.architecture, &platform.variant];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join("/")
    });
    let op = op.op.map_or(Op::Unknown, Op::read);
    let name = metadata.and_then(|metadata| metadata.description.get("llb.customname").cloned());
    Vertex {
        digest: digest.to_owned(),
        stable_digest: stable_digest(&op, platform.as_deref(), &inputs, before),
        name: name.unwrap_or_else(|| op.describe()),
        location: location(definition.source.as_ref(), digest),
        ignore_cache: metadata.is_some_and(|metadata| metadata.ignore_cache),
        inputs,
        op,
        platform,
    }
}

/// `sha256:…` over the operation's decoded fields in a fixed order (JSON with sorted keys).
fn stable_digest(op: &Op, platform: Option<&str>, inputs: &[Input], before: &[Vertex]) -> String {
    let inputs: Vec<_> = inputs
        .iter()
        .map(|input| (before[input.vertex].stable_digest.as_str(), input.output))
        .collect();
    let canonical = serde_json::json!({ "op": op.normalised(), "platform": platform, "inputs": inputs });
    format!("sha256:{}", hex::encode(Sha256::digest(canonical.to_string())))
}

fn location(source: Option<&pb::Source>, digest: &str) -> Option<Location> {
    let source = source?;
    let location = source.locations.get(digest)?.locations.first()?;
    let file = source
        .infos
        .get(usize::try_from(location.source_index).ok()?)?
        .filename
        .clone();
    let line = |position: &Option<pb::Position>| position.as_ref().and_then(|at| u32::try_from(at.line).ok());
    let first = location
        .ranges
        .iter()
        .filter_map(|range| line(&range.start))
        .min()?;
    let last = location
        .ranges
        .iter()
        .filter_map(|range| line(&range.end))
        .max()
        .unwrap_or(first);
    Some(Location {
        file,
        line: first,
        end_line: last.max(first),
    })
}

/// Which folders of this machine a graph reads, and which part of them: the attributes of its `local://`
/// sources by name. The lists come as the frontend wrote them.
pub fn local_sources(graph: &Graph) -> BTreeMap<String, Vec<LocalSource>> {
    let mut sources: BTreeMap<String, Vec<LocalSource>> = BTreeMap::new();
    for (name, source) in graph.vertices.iter().filter_map(LocalSource::of) {
        sources.entry(name.to_owned()).or_default().push(source);
    }
    sources
}

impl LocalSource {
    /// The folder that a vertex reads, by its name, and which part of it; `None` for any other vertex.
    pub fn of(vertex: &Vertex) -> Option<(&str, LocalSource)> {
        let Op::Source { identifier, attrs } = &vertex.op else {
            return None;
        };
        let name = identifier.strip_prefix("local://")?;
        let list = |key: &str| -> Vec<String> {
            attrs
                .get(key)
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default()
        };
        let source = LocalSource {
            include: list("local.includepattern"),
            exclude: list("local.excludepatterns"),
            follow: list("local.followpaths"),
        };
        Some((name, source))
    }
}

/// What a graph selects of a local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSource {
    /// Patterns of which a path must match one, if there are any.
    pub include: Vec<String>,
    /// Ignore patterns.
    pub exclude: Vec<String>,
    /// Paths that are selected with what their links lead to, if there are any.
    pub follow: Vec<String>,
}

#[cfg(test)]
mod tests;
