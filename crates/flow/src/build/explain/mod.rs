//! Why steps run and where reused results come from: gathers what `unstale_plan` decides upon before the graph is run,
//! and holds the decisions against what happened after it.
//!
//! Before: the folders' contents, the base images, the cache's records, what the ledger remembers. After: the outcomes,
//! and, where something ran or came from elsewhere, the records again.

mod after;
mod age;
mod assign;
mod imports;
mod memory;
mod origin;
mod witness;

pub(super) use after::conclude;
pub(crate) use age::CACHE_CONFIG;
pub(super) use imports::admit;
pub(crate) use imports::has_cache;
pub use origin::{Origin, OriginKind};
pub(super) use witness::Witnesses;

use super::request::Target;
use super::service::{ServiceError, Shared};
use super::spec::ServiceBuild;
use memory::{LedgerMemory, previous};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::gateway::Job;
use unstale_buildkit::llb::{Definition, Graph, LocalSource, Op, Vertex};
use unstale_buildkit::session::Folder;
use unstale_context::digest::Rules;
use unstale_context::{Selector, Snapshot};
use unstale_dockerfile::Dockerfile;
use unstale_ledger::{ArgRecord, ArgValue, FileKind, LastService};
use unstale_plan::{
    Cause, CauseKind, Change, Current, Describe, EnvValue, FactPart, Facts, FileChange, FileState, Inputs,
    Key, Memory as _, Note, Prediction, Previous, Records, causes, facts, keys, note, predict,
};

/// What is known of a service's steps before they are run. The lists are in the graph's order.
pub struct Evidence {
    /// The steps' keys.
    pub keys: Vec<Key>,
    /// What is expected of them.
    pub predictions: Vec<Prediction>,
    /// Why they run, if they do.
    pub causes: Vec<Option<Cause>>,
    /// What later builds compare them by.
    pub facts: Vec<Facts>,
    /// What might surprise about their reuse.
    pub notes: Vec<Option<Note>>,
    /// The steps whose results were cleared and are there still, by their digests without what differs between sessions.
    pub cleared: Vec<String>,
    /// The permissions and attributes of the folders' folders.
    pub headers: String,
    /// The records of the cache.
    records: Arc<Vec<UsageRecord>>,
    /// When they were asked for.
    asked: SystemTime,
    differences: Differences,
}

/// What is different from the previous build.
struct Differences {
    previous: Option<Previous>,
    buildkit_minor: u32,
    files: HashMap<usize, Vec<(String, FileChange)>>,
    args: Vec<Change>,
    arg_sources: BTreeMap<String, String>,
}

/// The base images that the engine has, by the vertex of their source.
type Bases = HashMap<usize, Base>;

/// A base image that the engine has.
struct Base {
    /// The digests of its layers.
    layers: String,
    /// Its identity at the engine.
    id: String,
    /// When it was built, in nanoseconds since 1970; 0 if it does not say.
    created: i64,
}

/// What is to be explained.
pub(super) struct Subject<'a> {
    pub build: &'a ServiceBuild,
    /// The build at the daemon, by which registries can be asked.
    pub job: &'a Job,
    pub definition: Option<&'a Definition>,
    pub graph: &'a Graph,
    /// Those that the session offers.
    pub folders: &'a HashMap<String, Folder>,
    /// It will be run.
    pub will_run: bool,
}

/// Gathers and decides.
pub(super) async fn gather(shared: &Shared, subject: &Subject<'_>) -> Result<Evidence, ServiceError> {
    let Subject {
        build,
        job,
        definition,
        graph,
        folders,
        will_run,
    } = *subject;
    let asked = SystemTime::now();
    let (records, lost_before, snapshots, bases, imports) = tokio::join!(
        shared.records(),
        witness::lost_before(shared, definition, graph, job, will_run),
        snapshots(graph, folders),
        bases(shared, graph),
        imports::imports(shared, build, job),
    );
    let (records, snapshots) = (records?, snapshots?);
    let minor = shared.builder.buildkit_minor();
    let text = build.read_dockerfile()?.unwrap_or_default();
    let rules = Rules::of_buildkit(minor);
    let digests = snapshots
        .iter()
        .map(|(vertex, snapshot)| (*vertex, snapshot.content_digests(rules)));
    let inputs = Inputs {
        buildkit_minor: minor,
        folders: digests.collect(),
        bases: bases
            .iter()
            .map(|(vertex, base)| (*vertex, base.layers.clone()))
            .collect(),
    };
    let keys = keys(graph, &inputs);
    drop(inputs);
    let memory = LedgerMemory::new(shared);
    let before = memory.last_service(&build.service);
    let kept = match &shared.epochs.builder {
        // A plan does not delete them as a build does.
        Some(epoch) => {
            let old: HashSet<&str> = epoch
                .old(&records)
                .iter()
                .map(|record| record.id.as_str())
                .collect();
            let new = records.iter().filter(|record| !old.contains(record.id.as_str()));
            Cow::Owned(new.cloned().collect::<Vec<_>>())
        }
        None => Cow::Borrowed(records.as_slice()),
    };
    let found = known_records(&kept, before.as_ref(), &bases)
        .with_imports(imports)
        .cleared(memory.cleared(graph, &keys))
        .lost_before(lost_before);
    let predictions = predict(graph, &keys, &memory, &found);
    let steps = graph.vertices.iter().zip(&keys);
    let cleared = steps
        .filter(|(vertex, key)| !vertex.ignore_cache && found.holds_only_cleared(&memory, &key.id, vertex))
        .map(|(vertex, _)| vertex.stable_digest.clone())
        .collect();
    let mask = build.mask();
    let lines: Vec<&str> = text.lines().collect();
    let describe = Describe {
        text: &|vertex| mask.text(&written(vertex, &lines)).into_owned(),
        env: &|name, value| memory.env(name, &mask.text(value)),
        base: &|vertex| bases.get(&vertex).map(|base| base.id.clone()),
    };
    let facts = facts(graph, &keys, &describe);
    let differences = Differences {
        previous: before.as_ref().and_then(previous),
        buildkit_minor: minor,
        files: changed_files(&memory, graph, &snapshots, &facts, before.as_ref()),
        args: changed_args(&memory, build, before.as_ref()),
        arg_sources: arg_sources(shared, build, &Dockerfile::parse(&text)),
    };
    let named = snapshots.iter().filter_map(|(vertex, snapshot)| {
        let (name, _) = LocalSource::of(&graph.vertices[*vertex])?;
        Some((name, snapshot))
    });
    let mut evidence = Evidence {
        cleared,
        headers: super::kept::headers(named),
        notes: graph.vertices.iter().map(note).collect(),
        keys,
        predictions,
        causes: Vec::new(),
        facts,
        records,
        asked,
        differences,
    };
    evidence.causes = evidence.causes(shared, build, graph, &evidence.predictions);
    Ok(evidence)
}

impl Evidence {
    /// The records of each step's results, of whatever build, that the cache holds.
    pub(super) fn held(&self, shared: &Shared, graph: &Graph) -> Vec<Vec<UsageRecord>> {
        let records = Records::new(&self.records);
        let memory = LedgerMemory::new(shared);
        let steps = graph.vertices.iter().zip(&self.keys);
        let held = steps.map(|(vertex, key)| {
            let pasts = memory.past(&key.id);
            let made = pasts.iter().filter_map(|past| past.made.as_ref());
            let found: BTreeMap<&str, &UsageRecord> = made
                .filter_map(|made| records.of(made, vertex))
                .map(|record| (record.id.as_str(), record))
                .collect();
            found.into_values().cloned().collect()
        });
        held.collect()
    }

    /// Why each step runs, if it does, with what is known of the others.
    fn causes(
        &self,
        shared: &Shared,
        build: &ServiceBuild,
        graph: &Graph,
        predictions: &[Prediction],
    ) -> Vec<Option<Cause>> {
        let differences = &self.differences;
        let current = Current {
            graph,
            keys: &self.keys,
            predictions,
            facts: &self.facts,
            buildkit_minor: differences.buildkit_minor,
            files: &differences.files,
            args: &differences.args,
            arg_sources: &differences.arg_sources,
            cleared: shared
                .epochs
                .last()
                .map(|epoch| (epoch.nanoseconds(), epoch.describe())),
            no_cache: &|digest| {
                shared
                    .reruns
                    .asked_by(digest)
                    .unwrap_or_else(|| who_asks(shared, build))
            },
        };
        let mut causes = causes(&current, differences.previous.as_ref());
        let forced = graph.vertices.iter().zip(&mut causes);
        for (vertex, cause) in forced.filter(|(vertex, _)| shared.reruns.is_forced(&vertex.digest)) {
            if let Some(cause) = cause.as_mut().filter(|_| vertex.ignore_cache) {
                cause.kind = CauseKind::Cleared;
            }
        }
        causes
    }

    /// What a step is called with its reason while it goes by: the cause if it runs, the origin if it is reused.
    pub(super) fn words(&self, graph: &Graph) -> HashMap<String, super::steps::Words> {
        let steps = graph.vertices.iter().enumerate();
        steps
            .map(|(number, vertex)| {
                let words = super::steps::Words {
                    ran: self.causes[number].as_ref().map(|cause| cause.summary.clone()),
                    cached: Origin::expected(&self.predictions[number].reason).map(|origin| origin.summary()),
                };
                (vertex.digest.clone(), words)
            })
            .collect()
    }
}

/// The instruction as it is written, or the step's name where it has no place in the Dockerfile.
fn written(vertex: &Vertex, lines: &[&str]) -> String {
    let place = vertex.location.as_ref().and_then(|location| {
        let (first, last) = (
            usize::try_from(location.line).ok()?,
            usize::try_from(location.end_line).ok()?,
        );
        lines.get(first.checked_sub(1)?..last.min(lines.len()))
    });
    match place {
        Some(lines) if !lines.is_empty() => lines.join("\n"),
        _ => super::steps::instruction(&vertex.name).to_owned(),
    }
}

/// What the graph selects of the folders, by the vertices of the sources.
async fn snapshots(
    graph: &Graph,
    folders: &HashMap<String, Folder>,
) -> Result<HashMap<usize, Arc<Snapshot>>, ServiceError> {
    let mut wanted = Vec::new();
    for (number, vertex) in graph.vertices.iter().enumerate() {
        if let Some((name, source)) = LocalSource::of(vertex)
            && let Some(folder) = folders.get(name)
        {
            let selector = Selector::new(source.include, source.exclude, source.follow);
            wanted.push((number, name.to_owned(), folder.clone(), selector));
        }
    }
    let take = move || {
        let stop = AtomicBool::new(false);
        let mut taken = HashMap::new();
        for (number, name, folder, selector) in wanted {
            let snapshot = folder
                .snapshot(&selector, &stop)
                .map_err(|source| (name, source))?;
            taken.insert(number, snapshot);
        }
        Ok(taken)
    };
    match tokio::task::spawn_blocking(take).await {
        Ok(Ok(taken)) => Ok(taken),
        Ok(Err((folder, source))) => {
            let failure = unstale_buildkit::session::Failure::Context { folder, source };
            Err(ServiceError::Session(failure))
        }
        Err(_) => Err(ServiceError::Cancelled),
    }
}

/// The engine's own BuildKit takes base images from the engine's store, where they can be looked at. What cannot be is
/// known by its name and digest alone.
async fn bases(shared: &Shared, graph: &Graph) -> Bases {
    let mut bases = HashMap::new();
    if !matches!(shared.builder.target, Target::Engine(_)) {
        return bases;
    }
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let Op::Source { identifier, .. } = &vertex.op else {
            continue;
        };
        let Some(reference) = identifier.strip_prefix("docker-image://") else {
            continue;
        };
        if let Ok(Some(image)) = shared.builder.engine.inspect_image(reference).await
            && !image.root_fs.layers.is_empty()
        {
            let created = image
                .created
                .as_deref()
                .and_then(|text| humantime::parse_rfc3339(text).ok());
            let since = created.and_then(|created| created.duration_since(SystemTime::UNIX_EPOCH).ok());
            let base = Base {
                layers: image.root_fs.layers.join(" "),
                id: image.id,
                created: since
                    .and_then(|since| i64::try_from(since.as_nanos()).ok())
                    .unwrap_or(0),
            };
            bases.insert(number, base);
        }
    }
    bases
}

/// The records with what is known of the build they are asked for.
fn known_records<'r>(records: &'r [UsageRecord], before: Option<&LastService>, bases: &Bases) -> Records<'r> {
    let ours = before.map(|last| last.build.started_ms.saturating_mul(1_000_000));
    let based = bases.values().map(|base| base.created).min();
    Records::new(records).foreign_since(ours.max(based).unwrap_or(0))
}

/// The names of build arguments, and where their values come from.
fn arg_sources(shared: &Shared, build: &ServiceBuild, dockerfile: &Dockerfile) -> BTreeMap<String, String> {
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let declared = dockerfile
        .instructions
        .iter()
        .filter(|instruction| instruction.keyword == "ARG");
    for word in declared.flat_map(|instruction| instruction.args.split_whitespace()) {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        sources.insert(name.to_owned(), "the Dockerfile".to_owned());
    }
    for name in build.args.keys() {
        let source = if shared.arg_overrides.contains(name) {
            "--build-arg"
        } else if *name == shared.config.commit.arg && shared.repository.is_some() {
            "the commit"
        } else if build.field_prefix.is_empty() {
            "the environment"
        } else {
            "the Compose file"
        };
        sources.insert(name.clone(), source.to_owned());
    }
    sources
}

fn who_asks(shared: &Shared, build: &ServiceBuild) -> String {
    if shared.no_cache_flag {
        "--no-cache".to_owned()
    } else if build.no_cache {
        format!("{}no_cache", build.field_prefix)
    } else if !build.no_cache_filter.is_empty() {
        format!("{}no_cache_filter", build.field_prefix)
    } else {
        "the build".to_owned()
    }
}

fn changed_args(
    memory: &LedgerMemory<'_>,
    build: &ServiceBuild,
    before: Option<&LastService>,
) -> Vec<Change> {
    let old: BTreeMap<&str, &ArgValue> = before
        .iter()
        .flat_map(|before| &before.service.args)
        .map(|arg: &ArgRecord| (arg.name(), arg.value()))
        .collect();
    let shown = |value: Option<&EnvValue>| match value {
        Some(EnvValue::Plain(value)) => Some(value.clone()),
        _ => None,
    };
    let mut changes = Vec::new();
    for (name, value) in &build.args {
        let new = memory.env(name, value);
        let old = old.get(name.as_str()).map(|old| match old {
            ArgValue::Plain(value) => EnvValue::Plain(value.clone()),
            ArgValue::Salted(value) => EnvValue::Salted(value.clone()),
        });
        if old.as_ref() != Some(&new) {
            changes.push(Change::Arg {
                arg: name.clone(),
                old: shown(old.as_ref()),
                new: shown(Some(&new)),
                source: None,
            });
        }
    }
    changes
}

/// The differences of the folders from those of the previous build; looked for only if some step's content is another.
fn changed_files(
    memory: &LedgerMemory<'_>,
    graph: &Graph,
    snapshots: &HashMap<usize, Arc<Snapshot>>,
    facts: &[Facts],
    before: Option<&LastService>,
) -> HashMap<usize, Vec<(String, FileChange)>> {
    let mut changes = HashMap::new();
    let Some(before) = before else { return changes };
    let contents = |facts: &[Facts]| -> Vec<FactPart> {
        let parts = facts.iter().flat_map(|facts| facts.parts.clone());
        parts
            .filter(|part| matches!(part, FactPart::Content(_)))
            .collect()
    };
    let old = previous(before).map(|previous| {
        previous
            .steps
            .into_iter()
            .map(|step| step.facts)
            .collect::<Vec<_>>()
    });
    let old = contents(&old.unwrap_or_default());
    if contents(facts).iter().all(|part| old.contains(part)) {
        return changes;
    }
    for (&vertex, snapshot) in snapshots {
        let Some((name, _)) = LocalSource::of(&graph.vertices[vertex]) else {
            continue;
        };
        // The engine reads the ignore file from the same folder, apart.
        let stored = before
            .service
            .manifests
            .iter()
            .filter(|stored| stored.context == name);
        let Some(stored) = stored.max_by_key(|stored| stored.files) else {
            continue;
        };
        if let Some(found) = memory.changes(&stored.digest, states(snapshot)) {
            changes.insert(vertex, found);
        }
    }
    changes
}

fn states(snapshot: &Snapshot) -> impl Iterator<Item = FileState> {
    super::record::files(snapshot).map(state)
}

/// A file of the ledger as it is compared.
fn state(file: unstale_ledger::FileRecord) -> FileState {
    FileState {
        path: file.path,
        kind: match file.kind {
            FileKind::HardLink => FileKind::File.as_str(),
            kind => kind.as_str(),
        },
        mode: file.mode,
        content: file.content,
    }
}
