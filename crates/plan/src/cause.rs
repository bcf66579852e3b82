//! Why a step runs: its difference from the same step of the previous build, or that of the first step before it that
//! is different.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use unstale_buildkit::llb::{Graph, Op};
use unstale_context::digest::Selection;

use crate::align::{Mark, align};
use crate::change::{Change, FileChange};
use crate::facts::{EnvValue, FactPart, Facts};
use crate::held::Past;
use crate::key::{Key, Part, selections};
use crate::predict::{Outcome, Prediction, Reason};

/// Why a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The kind of reason.
    pub kind: CauseKind,
    /// One line for people, without a period.
    pub summary: String,
    /// What is different: at most [`CHANGES`] of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How many more differences there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_changes: usize,
    /// For [`CauseKind::ParentRan`]: the first step in the chain that is different, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// The ledger has no earlier build of the service on this builder.
    FirstBuild,
    /// The instruction, or a setting that an instruction before it makes.
    InstructionChanged,
    /// A build argument that the step sees.
    ArgChanged,
    /// Files that the step uses.
    FilesChanged,
    /// The base image.
    BaseChanged,
    /// A step that it builds on.
    ParentRan,
    /// The platform.
    PlatformChanged,
    /// The cache does not hold the result any more.
    RecordPruned,
    /// The cache was cleared by us.
    Cleared,
    /// Somebody asked to run it.
    NoCache,
    /// The result was imported before, and the import does not have it any more.
    ImportLost,
    /// It is not known, and the summary says why not.
    Unknown,
}

impl CauseKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            CauseKind::FirstBuild => "first-build",
            CauseKind::InstructionChanged => "instruction-changed",
            CauseKind::ArgChanged => "arg-changed",
            CauseKind::FilesChanged => "files-changed",
            CauseKind::BaseChanged => "base-changed",
            CauseKind::ParentRan => "parent-ran",
            CauseKind::PlatformChanged => "platform-changed",
            CauseKind::RecordPruned => "record-pruned",
            CauseKind::Cleared => "cleared",
            CauseKind::NoCache => "no-cache",
            CauseKind::ImportLost => "import-lost",
            CauseKind::Unknown => "unknown",
        }
    }
}

/// A build as it is about to be, or was.
pub struct Current<'a> {
    /// Its graph.
    pub graph: &'a Graph,
    /// The keys of the graph's steps.
    pub keys: &'a [Key],
    /// What was predicted of them.
    pub predictions: &'a [Prediction],
    /// What they are compared by.
    pub facts: &'a [Facts],
    /// The minor version of BuildKit.
    pub buildkit_minor: u32,
    /// The differences of each folder from the previous build's, by the vertex of its source.
    pub files: &'a HashMap<usize, Vec<(String, FileChange)>>,
    /// The build arguments that are different ([`Change::Arg`]).
    pub args: &'a [Change],
    /// The names of the build arguments, and where each value comes from.
    pub arg_sources: &'a BTreeMap<String, String>,
    /// The last clear of the builder: what was made before that, in nanoseconds since 1970, was cleared by what is called so.
    pub cleared: Option<(i64, String)>,
    /// Who asked for a step to be run, by its digest: `--no-cache`, say.
    pub no_cache: &'a dyn Fn(&str) -> String,
}

/// The build that is compared with.
pub struct Previous {
    /// Its name in the ledger.
    pub build: String,
    /// The steps in the order of its graph.
    pub steps: Vec<PreviousStep>,
}

/// A step of the previous build.
pub struct PreviousStep {
    /// BuildKit's name for it.
    pub name: String,
    /// What it is compared by.
    pub facts: Facts,
}

/// How many differences a cause holds at most: what a person may want to read, in bounded memory.
pub const CHANGES: usize = 1000;

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How many names a summary lists.
const LISTED: usize = 3;

/// Why each step runs, if it does; `None` where there is no reason to.
pub fn causes(current: &Current<'_>, previous: Option<&Previous>) -> Vec<Option<Cause>> {
    let vertices = &current.graph.vertices;
    let mark = |name: &str, facts: &Facts| Mark::new(name, &facts.text);
    let new: Vec<Mark> = vertices
        .iter()
        .zip(current.facts)
        .map(|(vertex, facts)| mark(&vertex.name, facts))
        .collect();
    let old: Vec<Mark> = previous
        .iter()
        .flat_map(|previous| &previous.steps)
        .map(|step| mark(&step.name, &step.facts))
        .collect();
    let counterparts = align(&old, &new);
    let counterpart = |number: usize| {
        let old = counterparts[number]?;
        previous?.steps.get(old).map(|step| &step.facts)
    };
    let mut causes: Vec<Option<Cause>> = Vec::with_capacity(vertices.len());
    // The first different step at or before each step.
    let mut first: Vec<Option<usize>> = Vec::with_capacity(vertices.len());
    for number in 0..vertices.len() {
        let inputs = || {
            current.keys[number].parts.iter().filter_map(|part| match part {
                Part::Step { vertex, .. } => Some(*vertex),
                Part::Content(_) => None,
            })
        };
        // What runs above it is the reason; else what is another result now, though reused.
        let is_builders_own = |input: usize| vertices[input].name.starts_with("[internal]");
        let runs = |input: &usize| {
            current.predictions[*input].outcome != Outcome::Cached && !is_builders_own(*input)
        };
        let above = inputs()
            .filter(runs)
            .find_map(|input| first[input].or(Some(input)));
        let above = above.or_else(|| inputs().find_map(|input| first[input]));
        let prediction = &current.predictions[number];
        let own = match (&prediction.reason, previous) {
            _ if matches!(vertices[number].op, Op::Source { .. }) || is_builders_own(number) => None,
            _ if vertices[number].ignore_cache => {
                Some(no_cache(&(current.no_cache)(&vertices[number].digest)))
            }
            (_, None) => Some(first_build()),
            (reason, Some(previous)) => {
                let bases = inputs().filter(|&input| matches!(vertices[input].op, Op::Source { .. }));
                let base = bases
                    .filter_map(|input| {
                        // Stages on one base share its vertex, which is called after any of them.
                        let same = same_image(previous, &current.facts[input]);
                        base_change(current, input, same.or_else(|| counterpart(input)))
                    })
                    .next();
                let change = || own_change(current, number, counterpart(number), &previous.build);
                base.or_else(change).or_else(|| match reason {
                    // It was not needed, or was there after all.
                    _ if prediction.outcome == Outcome::Cached => None,
                    Reason::Gone(past)
                    | Reason::Unclear(past)
                    | Reason::Import(Some(past))
                    | Reason::AsLater(Some(past)) => Some(gone(current, past)),
                    _ => None,
                })
            }
        };
        let is_changed = own.is_some() && !matches!((&own, previous), (Some(_), None));
        first.push(above.or_else(|| is_changed.then_some(number)));
        causes.push(own.or_else(|| {
            above.map(|above| {
                let is_reused = current.predictions[above].outcome == Outcome::Cached;
                parent_ran(&vertices[above].name, causes[above].as_ref(), is_reused)
            })
        }));
        if causes[number].is_none() && prediction.outcome == Outcome::Run {
            causes[number] = Some(Cause::unknown(
                "no earlier build that the ledger knows of had this step on these results",
            ));
        }
    }
    causes
}

impl Cause {
    fn new(kind: CauseKind, summary: impl Into<String>, changes: Vec<Change>) -> Cause {
        Cause {
            kind,
            summary: summary.into(),
            changes,
            more_changes: 0,
            step: None,
        }
    }

    /// A step that ran for a reason that is not known, which `why` tells.
    pub fn unknown(why: impl Into<String>) -> Cause {
        Cause::new(CauseKind::Unknown, why, Vec::new())
    }
}

fn first_build() -> Cause {
    Cause::new(
        CauseKind::FirstBuild,
        "first build of this service here",
        Vec::new(),
    )
}

fn no_cache(who: &str) -> Cause {
    Cause::new(CauseKind::NoCache, format!("{who} asks for it"), Vec::new())
}

fn gone(current: &Current<'_>, past: &Past) -> Cause {
    let made = past.made.as_ref().filter(|_| past.imported.is_none());
    let time = made.map_or(past.build_ms.saturating_mul(1_000_000), |made| made.to);
    match &current.cleared {
        Some((epoch, clear)) if time < *epoch => {
            let result = match past.build.as_str() {
                "" => "the imported result".to_owned(),
                build => format!("the result of build {build}"),
            };
            let summary = format!("{result} is from before {clear}");
            Cause::new(CauseKind::Cleared, summary, Vec::new())
        }
        _ => pruned(past),
    }
}

fn pruned(past: &Past) -> Cause {
    if let Some(reference) = &past.imported {
        let summary = format!(
            "the result that build {} imported from {reference} is gone",
            past.build
        );
        return Cause::new(CauseKind::ImportLost, summary, Vec::new());
    }
    let summary = format!(
        "the cache does not hold the result of build {} any more",
        past.build
    );
    Cause::new(CauseKind::RecordPruned, summary, Vec::new())
}

fn parent_ran(name: &str, cause: Option<&Cause>, is_reused: bool) -> Cause {
    let step = name
        .rsplit_once("] ")
        .map_or(name, |(_, instruction)| instruction);
    let because = cause.map_or(String::new(), |cause| format!(" ({})", cause.kind.as_str()));
    // A change was taken back in part: what the step makes now was made once before.
    let earlier = if is_reused { "an earlier result of " } else { "" };
    Cause {
        step: Some(name.to_owned()),
        ..Cause::new(
            CauseKind::ParentRan,
            format!("builds on {earlier}{step}{because}"),
            Vec::new(),
        )
    }
}

/// `debian:13` of `FROM --platform=… debian:13 AS build`.
fn image(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace();
    let is_from = words.next()?.eq_ignore_ascii_case("from");
    words.find(|word| is_from && !word.starts_with("--"))
}

/// What the previous build knew of an image of this name.
fn same_image<'p>(previous: &'p Previous, new: &Facts) -> Option<&'p Facts> {
    let name = image(&new.text)?;
    let mut steps = previous.steps.iter().map(|step| &step.facts);
    steps.find(|facts| image(&facts.text) == Some(name))
}

fn base_change(current: &Current<'_>, source: usize, old: Option<&Facts>) -> Option<Cause> {
    let Op::Source { identifier, .. } = &current.graph.vertices[source].op else {
        return None;
    };
    let name = identifier.strip_prefix("docker-image://")?;
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    let new = &current.facts[source];
    let old = old?;
    if old.form == new.form {
        return None;
    }
    if image(&old.text) != image(&new.text) {
        return Some(instruction_changed(Some(&old.text), &new.text));
    }
    let change = Change::Base {
        base: name.to_owned(),
        old: old.base.clone(),
        new: new.base.clone(),
    };
    Some(Cause::new(
        CauseKind::BaseChanged,
        format!("{name} is another image now"),
        vec![change],
    ))
}

fn instruction_changed(old: Option<&str>, new: &str) -> Cause {
    let summary = if old.is_some() {
        "the instruction is another one"
    } else {
        "the instruction is new"
    };
    let change = Change::Instruction {
        old: old.map(str::to_owned),
        instruction: new.to_owned(),
    };
    Cause::new(CauseKind::InstructionChanged, summary, vec![change])
}

/// The difference of a step from its counterpart, its inputs' steps left aside.
fn own_change(current: &Current<'_>, number: usize, old: Option<&Facts>, build: &str) -> Option<Cause> {
    let new = &current.facts[number];
    let Some(old) = old else {
        return Some(instruction_changed(None, &new.text));
    };
    let is_same_form = old.form == new.form;
    if is_same_form {
        // The text of a heredoc is a step of the builder's own.
        let mut inputs = current.graph.vertices[number].inputs.iter();
        let has_own = inputs.any(|input| {
            current.graph.vertices[input.vertex]
                .name
                .starts_with("[internal] preparing")
        });
        let heredoc = has_own && old.text != new.text;
        let heredoc = heredoc.then(|| instruction_changed(Some(&old.text), &new.text));
        return files_changed(current, number, old, build).or(heredoc);
    }
    if old.platform != new.platform {
        let (old, new) = (old.platform.as_deref(), new.platform.as_deref());
        let summary = format!("{} → {}", old.unwrap_or("default"), new.unwrap_or("default"));
        return Some(Cause::new(CauseKind::PlatformChanged, summary, Vec::new()));
    }
    if old.text != new.text {
        return Some(instruction_changed(Some(&old.text), &new.text));
    }
    let (args, env) = environment(current, old, new);
    if !args.is_empty() {
        return Some(arg_changed(args));
    }
    let used: Vec<Change> = current
        .args
        .iter()
        .filter(|change| is_used(change, &new.text))
        .cloned()
        .collect();
    if env.is_empty() && !used.is_empty() {
        return Some(arg_changed(used));
    }
    let names = new.settings.keys().chain(old.settings.keys());
    let mut changed: Vec<&String> = names
        .filter(|name| old.settings.get(*name) != new.settings.get(*name))
        .collect();
    changed.sort_unstable();
    changed.dedup();
    let settings = changed.into_iter().map(|name| Change::Setting {
        setting: name.clone(),
    });
    let changes: Vec<Change> = env.into_iter().chain(settings).collect();
    let what = match changes.first() {
        Some(Change::Env { env, .. }) => format!("the variable {env}"),
        Some(Change::Setting { setting }) => format!("the {setting}"),
        _ => {
            return files_changed(current, number, old, build)
                .or_else(|| Some(instruction_changed(Some(&old.text), &new.text)));
        }
    };
    Some(Cause::new(
        CauseKind::InstructionChanged,
        format!("{what} is set to something else"),
        changes,
    ))
}

/// The variables that are different: build arguments, and others.
fn environment(current: &Current<'_>, old: &Facts, new: &Facts) -> (Vec<Change>, Vec<Change>) {
    let mut names: Vec<&String> = old.env.keys().chain(new.env.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let (mut args, mut env) = (Vec::new(), Vec::new());
    for name in names {
        let (old, new) = (old.env.get(name), new.env.get(name));
        if old == new {
            continue;
        }
        let (old, new) = (old.and_then(EnvValue::shown), new.and_then(EnvValue::shown));
        match current.arg_sources.get(name) {
            Some(source) => args.push(Change::Arg {
                arg: name.clone(),
                old,
                new,
                source: Some(source.clone()),
            }),
            None => env.push(Change::Env {
                env: name.clone(),
                old,
                new,
            }),
        }
    }
    (args, env)
}

/// Whether an instruction's text refers to the argument.
fn is_used(change: &Change, text: &str) -> bool {
    let Change::Arg { arg, .. } = change else {
        return false;
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(arg.as_str()).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + arg.len()..]);
        (before.ends_with('$') || before.ends_with("${")) && !after.starts_with(is_word)
    })
}

fn arg_changed(changes: Vec<Change>) -> Cause {
    let names = changes.iter().filter_map(|change| match change {
        Change::Arg { arg, old, new, .. } => Some(match (old, new) {
            (Some(old), Some(new)) => format!("{arg}: {} → {}", short(old), short(new)),
            _ => arg.clone(),
        }),
        _ => None,
    });
    let names: Vec<String> = names.collect();
    let summary = list(&names, names.len());
    Cause::new(CauseKind::ArgChanged, summary, changes)
}

/// A value as a line shows it.
fn short(value: &str) -> String {
    const SHOWN: usize = 12;
    let mut chars = value.chars();
    let start: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        format!("{start}…")
    } else {
        start
    }
}

fn files_changed(current: &Current<'_>, number: usize, old: &Facts, build: &str) -> Option<Cause> {
    let mut changes: Vec<&(String, FileChange)> = Vec::new();
    let mut is_changed = false;
    let vertex = &current.graph.vertices[number];
    for (index, part) in current.keys[number].parts.iter().enumerate() {
        let Part::Content(digest) = part else { continue };
        if old.parts.get(index) == Some(&FactPart::Content(digest.clone())) {
            continue;
        }
        is_changed = true;
        let source = vertex.inputs[index].vertex;
        let all = current.files.get(&source).map_or(&[][..], Vec::as_slice);
        let selections = selections(vertex, index, current.buildkit_minor).unwrap_or_default();
        let before = changes.len();
        let is_selected = |(path, _): &&(String, FileChange)| {
            let mut selections = selections.iter();
            selections.len() == 0 || selections.any(|selection: &Selection| selection.may_select(path))
        };
        changes.extend(all.iter().filter(is_selected));
        if changes.len() == before {
            // A link may lead out of what was named.
            changes.extend(all);
        }
    }
    if !is_changed {
        return None;
    }
    let named = changes.iter().take(LISTED);
    let names: Vec<String> = named
        .map(|(path, change)| format!("{path} ({})", change.as_str()))
        .collect();
    let summary = if names.is_empty() {
        format!("other files than in build {build}")
    } else {
        list(&names, changes.len())
    };
    let kept = changes.iter().take(CHANGES);
    let kept = kept.map(|(path, change)| Change::File {
        path: path.clone(),
        change: *change,
    });
    Some(Cause {
        more_changes: changes.len().saturating_sub(CHANGES),
        ..Cause::new(CauseKind::FilesChanged, summary, kept.collect())
    })
}

/// The first names of `count`.
fn list(names: &[String], count: usize) -> String {
    let rest = count.saturating_sub(LISTED);
    let mut text = names
        .iter()
        .take(LISTED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}
