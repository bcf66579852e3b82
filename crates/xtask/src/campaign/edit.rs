//! What happens to a project between two builds.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

use super::dockerfile::Instruction;
use super::files;
use super::judge::NoCache;
use super::project::{BASES, Cache, Saved, Work};
use super::recipe::ARGUMENTS;
use super::tree;

/// A kind of edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing was there before.
    FirstBuild,
    /// No edit at all.
    Nothing,
    /// A file's content.
    Content,
    /// A file's content; size and modification time stay.
    SilentContent,
    /// A file's mode.
    FileMode,
    /// A folder's mode.
    FolderMode,
    /// A file gets another name.
    Rename,
    /// A file's modification time alone.
    Touch,
    /// A file that is ignored.
    Ignored,
    /// A new file.
    Add,
    /// A file less.
    Remove,
    /// The value of an argument that steps may use.
    Argument,
    /// The value of an argument that no step uses.
    UnusedArgument,
    /// A RUN says something else.
    Instruction,
    /// The value of an ENV.
    Environment,
    /// A comment in the Dockerfile.
    Comment,
    /// A label in the Dockerfile.
    Label,
    /// What the secret says.
    Secret,
    /// The base image's tag stands for another image.
    Base,
    /// One record of the project is pruned, with those that stand on it.
    PruneRecord,
    /// `docker builder prune -f`
    Prune,
    /// `docker builder prune -af`
    PruneAll,
    /// `--no-cache`
    NoCache,
    /// Compose's `no_cache_filter`
    NoCacheStage,
    /// Another branch is checked out.
    Branch,
    /// A commit without a change.
    Commit,
    /// All is as it was some builds ago.
    Revert,
    /// An inline cache is exported (and pushed after the build).
    ExportInline,
    /// A cache is exported to the registry.
    ExportRegistry,
    /// The engine's cache is emptied, and an exported one imported.
    Import,
    /// The engine's cache is emptied, and none is imported any more.
    ImportLost,
}

/// All kinds that can be chosen, with how often, and their names.
const KINDS: [(Kind, u32, &str); 31] = [
    (Kind::FirstBuild, 0, "first build"),
    (Kind::Nothing, 2, "nothing"),
    (Kind::Content, 6, "content"),
    (Kind::SilentContent, 3, "content, same size and time"),
    (Kind::FileMode, 3, "chmod of a file"),
    (Kind::FolderMode, 3, "chmod of a folder"),
    (Kind::Rename, 3, "rename"),
    (Kind::Touch, 3, "touch only"),
    (Kind::Ignored, 3, "ignored file"),
    (Kind::Add, 3, "file added"),
    (Kind::Remove, 3, "file removed"),
    (Kind::Argument, 4, "argument"),
    (Kind::UnusedArgument, 3, "unused argument"),
    (Kind::Instruction, 5, "instruction"),
    (Kind::Environment, 5, "environment variable"),
    (Kind::Comment, 3, "comment"),
    (Kind::Label, 3, "label"),
    (Kind::Secret, 2, "secret"),
    (Kind::Base, 4, "base image retagged"),
    (Kind::PruneRecord, 6, "prune of one record"),
    (Kind::Prune, 3, "prune -f"),
    (Kind::PruneAll, 3, "prune -af"),
    (Kind::NoCache, 3, "--no-cache"),
    (Kind::NoCacheStage, 3, "no_cache_filter"),
    (Kind::Branch, 14, "switch of branch"),
    (Kind::Commit, 5, "commit without a change"),
    (Kind::Revert, 6, "revert"),
    (Kind::ExportInline, 3, "export of an inline cache"),
    (Kind::ExportRegistry, 6, "export to a registry"),
    (Kind::Import, 12, "empty cache, import"),
    (Kind::ImportLost, 6, "empty cache, import gone"),
];

impl Kind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        let found = KINDS.iter().find(|(kind, ..)| *kind == self);
        found.map_or("?", |(_, _, name)| name)
    }

    /// Whether records may be gone after it.
    pub fn prunes(self) -> bool {
        matches!(self, Self::PruneRecord | Self::Prune) || self.empties()
    }

    /// Whether no record of the engine is left after it.
    pub fn empties(self) -> bool {
        matches!(self, Self::PruneAll | Self::Import | Self::ImportLost)
    }
}

/// An edit that was made.
pub struct Edit {
    /// Its kind.
    pub kind: Kind,
    /// What it touched.
    pub what: String,
}

/// Makes a random edit that the project has a place for; the earlier states, the last one last, can be gone back to.
///
/// # Errors
/// When a file or the engine fails.
pub fn make(work: &mut Work, saved: &[Saved], random: &mut StdRng) -> Result<Edit, String> {
    work.no_cache = NoCache::Nothing;
    loop {
        // Who exports a cache wants to import it.
        let is_exported = work.export.is_some() && work.import.is_none() && random.random_bool(0.6);
        let (kind, ..) = match KINDS.choose_weighted(random, |(_, weight, _)| *weight) {
            _ if is_exported => (Kind::Import, 0, ""),
            Ok(chosen) => *chosen,
            Err(error) => return Err(error.to_string()),
        };
        if let Some(what) = apply(kind, work, saved, random)? {
            work.write();
            return Ok(Edit { kind, what });
        }
    }
}

fn apply(
    kind: Kind,
    work: &mut Work,
    saved: &[Saved],
    random: &mut StdRng,
) -> Result<Option<String>, String> {
    match kind {
        Kind::FirstBuild => Ok(None),
        Kind::Nothing => Ok(Some(String::new())),
        Kind::Content
        | Kind::SilentContent
        | Kind::FileMode
        | Kind::FolderMode
        | Kind::Rename
        | Kind::Touch
        | Kind::Ignored
        | Kind::Add
        | Kind::Remove => {
            let edited = files::edit(kind, work, random);
            edited.map_err(|error| format!("{}: {error}", kind.name()))
        }
        Kind::Argument => Ok(argument(work, ARGUMENTS[0], random)),
        Kind::UnusedArgument => Ok(argument(work, ARGUMENTS[1], random)),
        Kind::Instruction | Kind::Environment | Kind::Comment | Kind::Label => {
            Ok(dockerfile(kind, work, random))
        }
        Kind::Secret => {
            work.project.write("token", tree::content(random));
            Ok(Some("token".to_owned()))
        }
        Kind::Base => {
            work.base = (work.base + 1) % BASES.len();
            work.tag_base(work.base)?;
            Ok(Some(format!("{} is {}", work.base_tag(), BASES[work.base])))
        }
        Kind::PruneRecord => prune_record(work, random),
        Kind::Prune => Ok(Some(format!("{} records", work.prune("")?.len()))),
        Kind::PruneAll => Ok(Some(format!("{} records", work.prune("?all=1")?.len()))),
        Kind::NoCache => {
            work.no_cache = NoCache::All;
            Ok(Some(String::new()))
        }
        Kind::NoCacheStage => {
            let stage = random.random_range(0..work.dockerfile.stages.len());
            if work.is_bare || !work.features.no_cache_filter {
                return Ok(None);
            }
            work.no_cache = NoCache::Stage(stage);
            Ok(Some(work.dockerfile.stages[stage].name.clone()))
        }
        Kind::Branch => branch(work, random),
        Kind::Commit => Ok(work.branch.is_some().then(|| work.project.commit("another"))),
        Kind::Revert => {
            // The last one is what the project is now.
            let earlier = saved.len().saturating_sub(1);
            if earlier == 0 {
                return Ok(None);
            }
            let number = random.random_range(0..earlier);
            work.revert(saved[number].clone(), true)?;
            Ok(Some(format!("to build {number}")))
        }
        Kind::ExportInline => Ok(export(work, Cache::Inline)),
        Kind::ExportRegistry => Ok(export(work, Cache::Registry)),
        Kind::Import => import(work),
        Kind::ImportLost => {
            if work.import.take().is_none() {
                return Ok(None);
            }
            Ok(Some(format!("{} records", work.prune("?all=1")?.len())))
        }
    }
}

fn argument(work: &mut Work, name: &str, random: &mut StdRng) -> Option<String> {
    let is_declared = |what: &Instruction| matches!(what, Instruction::Arg(declared, _) if declared == name);
    work.dockerfile.lines().find(|line| is_declared(&line.what))?;
    let value = format!("{:x}", random.random_range(0..0x1000));
    let what = format!("{name}={value}");
    work.arguments.insert(name.to_owned(), value);
    Some(what)
}

fn dockerfile(kind: Kind, work: &mut Work, random: &mut StdRng) -> Option<String> {
    let fits = |what: &Instruction| match kind {
        Kind::Instruction => matches!(what, Instruction::Run(_)),
        Kind::Environment => matches!(what, Instruction::Env(..)),
        Kind::Label => matches!(what, Instruction::Label(..)),
        _ => true,
    };
    let fresh = format!("{:x}", random.random_range(0..0x1_0000));
    if kind == Kind::Comment && random.random_bool(0.5) {
        work.dockerfile.comments.push(fresh.clone());
        return Some(format!("# {fresh}"));
    }
    let ids: Vec<_> = work
        .dockerfile
        .lines()
        .filter(|line| fits(&line.what))
        .map(|line| line.id)
        .collect();
    let id = ids.choose(random)?;
    let line = work.dockerfile.lines_mut().find(|line| line.id == *id)?;
    match &mut line.what {
        _ if kind == Kind::Comment => line.comments.push(fresh.clone()),
        Instruction::Run(run) => run.script.push_str(&format!(" && : {fresh}")),
        Instruction::Env(_, value) | Instruction::Label(_, value) => value.clone_from(&fresh),
        _ => return None,
    }
    let what = line.what.clone();
    Some(format!("{fresh} in {}", work.dockerfile.instruction(&what)))
}

/// Prunes one of the project's records. One that others stand on is in use, and the engine does not tell by which: half
/// of the times another one is tried, else those that were made after it go first.
fn prune_record(work: &Work, random: &mut StdRng) -> Result<Option<String>, String> {
    let mut own = work.records()?;
    own.retain(|id| !work.foreign.contains(id));
    let count = own.len();
    let prune = |id: &str| work.prune(&format!("?all=1&filters=%7B%22id%22%3A%5B%22{id}%22%5D%7D"));
    let mut pruned = Vec::new();
    if random.random_bool(0.5) {
        own.shuffle(random);
        for id in &own {
            pruned = prune(id)?;
            if !pruned.is_empty() {
                break;
            }
        }
    } else if count > 0 {
        let chosen = random.random_range(0..count);
        let id = own[chosen].clone();
        for later in own[chosen..].iter().rev() {
            pruned.extend(prune(&id)?);
            if pruned.contains(&id) {
                break;
            }
            pruned.extend(prune(later)?);
        }
    }
    if pruned.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "{} of {count}: {}",
        pruned.len(),
        pruned.join(", ")
    )))
}

fn branch(work: &mut Work, random: &mut StdRng) -> Result<Option<String>, String> {
    let Some(present) = work.branch.clone() else {
        return Ok(None);
    };
    let other = if present == "main" { "feature" } else { "main" };
    // What is not committed would come along.
    if !work.project.git(&["status", "--porcelain"]).is_empty() {
        work.project.commit("so far");
    }
    let state = work.save()?;
    work.branches.insert(present, state);
    work.branch = Some(other.to_owned());
    let Some(state) = work.branches.get(other).cloned() else {
        work.project.git(&["checkout", "--quiet", "-b", other]);
        let mut edits = Vec::new();
        for kind in [
            Kind::Content,
            Kind::Content,
            Kind::Add,
            Kind::Remove,
            Kind::Rename,
        ] {
            if random.random_bool(0.7) {
                let edited = files::edit(kind, work, random).map_err(|error| error.to_string())?;
                edits.extend(edited);
            }
        }
        work.project.commit("on the branch");
        return Ok(Some(format!("new {other}: {}", edits.join(", "))));
    };
    work.project.git(&["checkout", "--quiet", other]);
    work.revert(state, false)?;
    Ok(Some(format!("back to {other}")))
}

fn export(work: &mut Work, cache: Cache) -> Option<String> {
    if work.is_bare || work.export.is_some() || work.import.is_some() || !work.can_export(cache) {
        return None;
    }
    work.export = Some(cache);
    Some(work.image())
}

fn import(work: &mut Work) -> Result<Option<String>, String> {
    let Some(cache) = work.export.take() else {
        return Ok(None);
    };
    work.import = Some(cache);
    let pruned = work.prune("?all=1")?;
    work.docker(&["image", "rm", "--force", &work.image()])?;
    Ok(Some(format!("{cache:?}, {} records", pruned.len())))
}
