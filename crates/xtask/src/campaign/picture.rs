//! What every step of a project directly depends on, as the generator knows it: the truth that causes are measured by.
//!
//! It does not say whether the engine will run a step; only what is different between two builds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;

use super::dockerfile::{Base, Dockerfile, Id, Instruction, Mount};
use super::recipe::COMMIT;
use super::tree::Tree;

/// A project at the moment of a build.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Its steps.
    pub steps: BTreeMap<Id, Seen>,
    places: BTreeMap<Id, RangeInclusive<u64>>,
}

/// One step and what it directly depends on.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The stage that it stands in.
    pub stage: usize,
    /// The instruction as it is written.
    pub written: String,
    /// The instruction with arguments put in, where BuildKit does that.
    pub expanded: String,
    /// The arguments that are environment to it.
    pub arguments: BTreeMap<String, String>,
    /// The variables that are environment to it.
    pub environment: BTreeMap<String, String>,
    /// What it takes from the context.
    pub files: Tree,
    /// The base image, if it stands right on it or reads from it.
    pub base: Option<String>,
    /// The steps whose results it takes.
    pub needs: Vec<Id>,
    /// Whether it runs with `--no-cache`: a WORKDIR does not.
    pub heeds_no_cache: bool,
    /// Equal for two states in which the step and all that it depends on are the same.
    pub key: u64,
}

/// What the instructions of a stage leave to the next one.
#[derive(Debug, Clone, Default)]
struct Scope {
    last: Option<Id>,
    base: Option<String>,
    arguments: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    user: String,
    folder: String,
}

impl Picture {
    /// Looks at a project: its Dockerfile, the name that stands for the base image's content, the values given to
    /// arguments, and its context without what is ignored.
    pub fn new(
        dockerfile: &Dockerfile,
        base: &str,
        base_content: &str,
        given: &BTreeMap<String, String>,
        context: &Tree,
    ) -> Self {
        let mut steps: BTreeMap<Id, Seen> = BTreeMap::new();
        let mut scopes: Vec<Scope> = Vec::new();
        for (number, stage) in dockerfile.stages.iter().enumerate() {
            let mut scope = match stage.base {
                Base::Image => Scope {
                    base: Some(base_content.to_owned()),
                    ..Scope::default()
                },
                Base::Stage(stage) => scopes[stage].clone(),
            };
            for line in &stage.lines {
                match &line.what {
                    Instruction::Arg(name, value) => {
                        let value = given.get(name).unwrap_or(value);
                        scope.arguments.insert(name.clone(), value.clone());
                    }
                    Instruction::Env(name, value) => {
                        scope.environment.insert(name.clone(), value.clone());
                    }
                    Instruction::User(name) => scope.user.clone_from(name),
                    Instruction::Workdir(path) => scope.folder.clone_from(path),
                    _ => {}
                }
                if !line.what.is_step() {
                    continue;
                }
                let written = dockerfile.instruction(&line.what);
                let mut expanded = written.clone();
                for (name, value) in &scope.arguments {
                    expanded = expanded.replace(&format!("${{{name}}}"), value);
                }
                let is_run = matches!(line.what, Instruction::Run(_));
                let (mut needs, mut bases) = (Vec::new(), Vec::new());
                for from in line
                    .what
                    .stages()
                    .into_iter()
                    .map(|stage| &scopes[stage])
                    .chain([&scope])
                {
                    match (from.last, &from.base) {
                        (Some(last), _) => needs.push(last),
                        (None, base) => bases.extend(base.clone()),
                    }
                }
                let mut seen = Seen {
                    stage: number,
                    expanded: if is_run { written.clone() } else { expanded },
                    written,
                    arguments: if is_run {
                        scope.arguments.clone()
                    } else {
                        BTreeMap::new()
                    },
                    environment: if is_run {
                        scope.environment.clone()
                    } else {
                        BTreeMap::new()
                    },
                    files: files(&line.what, context),
                    base: bases.pop(),
                    needs,
                    heeds_no_cache: !matches!(line.what, Instruction::Workdir(_)),
                    key: 0,
                };
                let parents: Vec<u64> = seen.needs.iter().map(|id| steps[id].key).collect();
                let mut hasher = DefaultHasher::new();
                (&seen.expanded, &seen.arguments, &seen.environment).hash(&mut hasher);
                (&seen.files, &seen.base, parents, &scope.user, &scope.folder).hash(&mut hasher);
                seen.key = hasher.finish();
                steps.insert(line.id, seen);
                scope.last = Some(line.id);
            }
            scopes.push(scope);
        }
        let (_, places) = dockerfile.render(base);
        Self { steps, places }
    }

    /// The step whose instruction has a line.
    pub fn at(&self, line: u64) -> Option<Id> {
        let found = self.places.iter().find(|(_, lines)| lines.contains(&line));
        found.map(|(id, _)| *id)
    }

    /// Whether a step depends on another one, at whatever distance.
    pub fn depends(&self, step: Id, on: Id) -> bool {
        let needs = self
            .steps
            .get(&step)
            .map(|seen| seen.needs.as_slice())
            .unwrap_or_default();
        needs.iter().any(|need| *need == on || self.depends(*need, on))
    }
}

impl Seen {
    /// The names of the arguments whose values are not the same.
    pub fn changed_arguments(&self, before: &Self) -> Vec<String> {
        let names = self.arguments.keys();
        let changed = names.filter(|name| self.arguments.get(*name) != before.arguments.get(*name));
        changed.cloned().collect()
    }
}

fn files(what: &Instruction, context: &Tree) -> Tree {
    match what {
        Instruction::Copy(copy) if copy.from.is_none() => {
            context.select(&copy.sources, copy.exclude.as_deref())
        }
        Instruction::Run(run) => {
            let sources = run.mounts.iter().filter_map(|mount| match mount {
                Mount::Context(source) => Some(source.unwrap_or(".").to_owned()),
                _ => None,
            });
            context.select(&sources.collect::<Vec<_>>(), None)
        }
        _ => Tree::default(),
    }
}

/// Whether the Dockerfile asks for the commit.
pub fn asks_for_commit(dockerfile: &Dockerfile) -> bool {
    let asks = |what: &Instruction| matches!(what, Instruction::Arg(name, _) if name == COMMIT);
    dockerfile.lines().any(|line| asks(&line.what))
}
