//! The identity of a step's result: what BuildKit's solver compares when it looks for it in its cache.
//!
//! A step's key is its operation in the form that counts for the cache, and one part for each input: the content digest
//! of what the step selects of it, where the solver goes by content and the content is known here (folders), else the
//! key of the step that makes the input. Sources: BuildKit's `solver/llbsolver/ops/{exec,file,source}.go` (`CacheMap`),
//! each rule tried on engines by the plan campaign (docs/benchmarks/plan.md).

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use unstale_buildkit::llb::{FileAction, Graph, Identity, MountKind, Op, Owner, Vertex};
use unstale_context::digest::{ContentDigests, Selection};

/// What keys depend on beside the graph.
pub struct Inputs<'a> {
    /// The minor version of BuildKit (`0.<minor>`).
    pub buildkit_minor: u32,
    /// The content of each folder, by the vertex of its `local://` source.
    pub folders: HashMap<usize, ContentDigests<'a>>,
    /// The layers' identity of each base image that is known, by the vertex of its source.
    pub bases: HashMap<usize, String>,
}

/// The key of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The operation alone.
    pub form: String,
    /// One part for each input.
    pub parts: Vec<Part>,
    /// The whole key.
    pub id: String,
    /// The key without the inputs that the solver may compare by content once they are there; `None` if there are none.
    pub loose: Option<String>,
}

/// What an input contributes to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The digest of the selected content; `None` if something that must be there is not.
    Content(Option<String>),
    /// The result of another step.
    Step {
        /// The step.
        vertex: usize,
        /// Which of its outputs.
        output: i64,
        /// What is selected of it, as far as it counts for a match by key.
        selector: String,
        /// The solver compares the selected content when the key does not match: early cut-off.
        by_content: bool,
    },
}

/// The keys of all vertices, in the graph's order.
pub fn keys(graph: &Graph, inputs: &Inputs<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(graph.vertices.len());
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let form = sha256(&form(vertex, inputs.buildkit_minor).to_string());
        let form = match inputs.bases.get(&number) {
            Some(layers) => sha256(&format!("layers {layers}")),
            None => form,
        };
        let parts: Vec<Part> = vertex
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let selections = selections(vertex, index, inputs.buildkit_minor);
                match (inputs.folders.get(&input.vertex), &selections) {
                    (Some(folder), Some(selections)) => {
                        Part::Content(folder.of(selections).ok().map(hex::encode))
                    }
                    _ => Part::Step {
                        vertex: input.vertex,
                        output: input.output,
                        selector: selections.as_deref().map(selector).unwrap_or_default(),
                        by_content: selections.is_some(),
                    },
                }
            })
            .collect();
        let id = identity(&form, &parts, |vertex| keys[vertex].id.as_str(), false);
        let is_loose = |part: &Part| matches!(part, Part::Step { by_content: true, .. });
        let loose = parts
            .iter()
            .any(is_loose)
            .then(|| identity(&form, &parts, |vertex| keys[vertex].id.as_str(), true));
        keys.push(Key {
            form,
            parts,
            id,
            loose,
        });
    }
    keys
}

/// A key from its parts, with `id` naming the steps' keys; `loose` leaves out what is compared by content.
pub(crate) fn identity<'k>(form: &str, parts: &[Part], id: impl Fn(usize) -> &'k str, loose: bool) -> String {
    let mut text = form.to_owned();
    for part in parts {
        text.push('\n');
        match part {
            Part::Content(digest) => {
                text.push_str("content ");
                text.push_str(digest.as_deref().unwrap_or("missing"));
            }
            Part::Step { by_content: true, .. } if loose => text.push_str("any"),
            Part::Step {
                vertex,
                output,
                selector,
                ..
            } => text.push_str(&format!("step {} {output} {selector}", id(*vertex))),
        }
    }
    sha256(&text)
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// The operation as it counts for the cache.
fn form(vertex: &Vertex, buildkit_minor: u32) -> Value {
    match &vertex.op {
        Op::Exec(exec) => {
            let mut exec = exec.clone();
            for (_, address) in &mut exec.extra_hosts {
                address.clear();
            }
            for mount in &mut exec.mounts {
                mount.selector.clear();
                // Since 0.13 the name of a cache mount does not count.
                if let MountKind::Cache { id, sharing } = &mut mount.kind
                    && buildkit_minor >= 13
                {
                    id.clear();
                    sharing.clear();
                }
            }
            json!({ "exec": exec, "platform": vertex.platform })
        }
        Op::File { actions } => {
            let inputs = i64::try_from(vertex.inputs.len()).unwrap_or(i64::MAX);
            let mut actions = actions.clone();
            for action in &mut actions {
                if let FileAction::Copy {
                    src, secondary_input, ..
                } = action
                    && (0..inputs).contains(secondary_input)
                {
                    // The rest of the path is told by the content.
                    *src = src
                        .trim_end_matches('/')
                        .rsplit('/')
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                }
            }
            json!({ "file": actions })
        }
        Op::Source { identifier, attrs } if identifier.starts_with("docker-image://") => {
            json!({ "image": identifier, "platform": vertex.platform, "attrs": layer_attrs(attrs) })
        }
        op => json!({ "op": op, "platform": vertex.platform }),
    }
}

/// How an image is looked for does not count for what it is.
fn layer_attrs(attrs: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    attrs
        .iter()
        .filter(|(name, _)| *name != "image.resolvemode")
        .collect()
}

/// What a step selects of an input by content; `None` if the solver goes by the input's key alone.
pub(crate) fn selections(vertex: &Vertex, input: usize, buildkit_minor: u32) -> Option<Vec<Selection>> {
    let number = i64::try_from(input).ok()?;
    match &vertex.op {
        Op::Exec(exec) => {
            let mounts: Vec<_> = exec
                .mounts
                .iter()
                .filter(|mount| {
                    mount.input == number && matches!(mount.kind, MountKind::Bind | MountKind::Cache { .. })
                })
                .collect();
            let is_exact = |mount: &&unstale_buildkit::llb::Mount| {
                let whole = buildkit_minor >= 9 && matches!(mount.selector.trim_matches('/'), "" | ".");
                mount.dest != "/" && (mount.output == -1 || mount.readonly || whole)
            };
            if !mounts.last().is_some_and(is_exact) {
                return None;
            }
            let paths: Vec<&str> = mounts.iter().map(|mount| mount.selector.as_str()).collect();
            Some(Selection::mounts(&paths))
        }
        Op::File { actions } => file_selections(actions, number),
        _ => None,
    }
}

fn file_selections(actions: &[FileAction], input: i64) -> Option<Vec<Selection>> {
    let mut selections = Vec::new();
    for action in actions {
        let (destination, owner) = match action {
            FileAction::Copy { input, owner, .. }
            | FileAction::MakeFile { input, owner, .. }
            | FileAction::MakeDir { input, owner, .. } => (*input, owner.as_ref()),
            FileAction::Symlink { input, .. } | FileAction::Remove { input, .. } => (*input, None),
            FileAction::Unknown => return None,
        };
        if destination == input {
            return None;
        }
        selections.extend(owner_files(owner, input));
        if let FileAction::Copy {
            secondary_input,
            src,
            allow_wildcard,
            follow_symlink,
            include,
            exclude,
            required,
            ..
        } = action
            && *secondary_input == input
        {
            selections.push(Selection {
                include: include.clone(),
                exclude: exclude.clone(),
                required: required.clone(),
                ..Selection::copy(src, *allow_wildcard, *follow_symlink)
            });
        }
    }
    (!selections.is_empty()).then(|| Selection::file_op(selections))
}

/// The files in which the names of an owner are looked up.
fn owner_files(owner: Option<&Owner>, input: i64) -> Vec<Selection> {
    let named = |identity: Option<&Identity>, file: &str| match identity {
        Some(Identity::Name { input: of, .. }) if *of == input => Some(Selection::copy(file, false, true)),
        _ => None,
    };
    let Some(owner) = owner else { return Vec::new() };
    let user = named(owner.user.as_ref(), "/etc/passwd");
    user.into_iter()
        .chain(named(owner.group.as_ref(), "/etc/group"))
        .collect()
}

fn selector(selections: &[Selection]) -> String {
    let paths: Vec<&str> = selections
        .iter()
        .map(|selection| selection.path.as_str())
        .collect();
    paths.join("\0")
}
