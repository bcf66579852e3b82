//! Whether each line of a contract holds.

use super::{ClearsOnlyIf, CommitArg, Contract, Line, WorkflowRuns};
use crate::docker::{Action, Prune, PruneScope};
use crate::facts::DockerUse;
use crate::rules;
use crate::shell::Command;
use crate::{Content, FileId, Location, Project, Settings, Span};
use unstale_dockerfile::{DeclarationKind, Dockerfile};

/// The build argument that asks for an inline cache.
const INLINE_CACHE: &str = "BUILDKIT_INLINE_CACHE";

/// Why a line does not hold.
struct Broken {
    detail: String,
    location: Option<Location>,
    hint: String,
}

type Held = Result<(), Broken>;

impl Contract {
    /// Its lines, in the order of the fields, and whether each holds.
    pub fn check(&self, project: &Project) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut add = |name: String, held: Held| lines.push(line(name, held));
        for path in &self.no_inline_cache {
            let same = self
                .no_inline_cache
                .iter()
                .filter(|other| base(other) == base(path))
                .count();
            let shown = if same > 1 { path } else { base(path) };
            add(
                format!("{INLINE_CACHE} removed from {shown}"),
                no_inline_cache(project, path),
            );
        }
        let many = self.clears_builder_cache.len() > 1;
        for path in &self.clears_builder_cache {
            let name = "Cache clearing script still prunes Docker builder cache";
            add(with(name, path, many), clears(project, path));
        }
        let many = self.clears_only_if.len() > 1;
        for only in &self.clears_only_if {
            let name = format!(
                "Docker cache clearing is properly gated by {}={}",
                only.variable, only.value
            );
            add(with(&name, &only.script, many), clears_only_if(project, only));
        }
        for arg in &self.commit_arg {
            let name = format!("{} cache busting mechanism still in place", arg.name);
            add(name, commit_arg(project, arg));
        }
        let many = self.workflow_runs.len() > 1;
        for runs in &self.workflow_runs {
            let name = "Workflow still calls cache clearing script";
            add(with(name, &runs.workflow, many), workflow_runs(project, runs));
        }
        for rule in &self.no_findings {
            add(format!("Nothing is found by {rule}"), no_findings(project, rule));
        }
        lines
    }
}

fn line(name: String, held: Held) -> Line {
    let broken = held.err();
    Line {
        name,
        holds: broken.is_none(),
        detail: broken.as_ref().map(|broken| broken.detail.clone()),
        location: broken.as_ref().and_then(|broken| broken.location.clone()),
        hint: broken.map(|broken| broken.hint),
    }
}

fn with(name: &str, path: &str, many: bool) -> String {
    match many {
        true => format!("{name} ({path})"),
        false => name.to_owned(),
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn at(file: FileId, span: Span) -> Option<Location> {
    Some(Location {
        file,
        span,
        label: None,
    })
}

fn broken(detail: impl Into<String>, location: Option<Location>, hint: impl Into<String>) -> Held {
    Err(Broken {
        detail: detail.into(),
        location,
        hint: hint.into(),
    })
}

/// The file that a line is about.
fn file(project: &Project, path: &str) -> Result<FileId, Broken> {
    project.find(path).ok_or_else(|| Broken {
        detail: format!("{path} is not there, or it is nothing that unstale reads"),
        location: None,
        hint: "bring it back, or take the line out of [contract] in unstale.toml".to_owned(),
    })
}

fn no_inline_cache(project: &Project, path: &str) -> Held {
    let file = file(project, path)?;
    let builds = &project.facts().builds;
    let mut args = builds
        .iter()
        .flat_map(|build| build.args.iter().map(move |arg| (build, arg)));
    let found =
        args.find(|(_, arg)| arg.file == file && arg.name == INLINE_CACHE && is_on(arg.value.as_deref()));
    match found {
        None => Ok(()),
        Some((build, arg)) => broken(
            format!("{} sets {INLINE_CACHE}", build.name),
            at(file, arg.span),
            "remove it: unstale check --fix",
        ),
    }
}

/// Whether BuildKit takes a value for a yes; the environment's may be one.
fn is_on(value: Option<&str>) -> bool {
    !matches!(value, Some("" | "0" | "false" | "FALSE" | "False" | "f" | "F"))
}

/// Whether a prune is one of a builder's cache.
pub(super) fn is_of_cache(prune: &Prune) -> bool {
    matches!(
        prune.scope,
        PruneScope::Builder | PruneScope::Buildx | PruneScope::Buildctl | PruneScope::System
    )
}

/// The prunes of a builder's cache in a file.
pub(super) fn prunes(project: &Project, file: FileId) -> impl Iterator<Item = (DockerUse<'_>, &Prune)> {
    project
        .docker_commands()
        .filter(move |found| found.file == file)
        .filter_map(|found| match &found.docker.action {
            Action::Prune(prune) if is_of_cache(prune) => Some((found, prune)),
            _ => None,
        })
}

/// The commands of a file that let unstale clear.
pub(super) fn unstale_clears(project: &Project, file: FileId) -> impl Iterator<Item = &Command> {
    let scripts = project.file(file).scripts.iter();
    scripts
        .flat_map(|script| script.script.commands())
        .filter(|command| {
            let verb = command.arguments().first().map(|word| word.text.as_str());
            command.name() == "unstale" && verb == Some("clear")
        })
}

fn clears(project: &Project, path: &str) -> Held {
    let file = file(project, path)?;
    let is_whole = |prune: &Prune| {
        let all = prune.all || prune.scope == PruneScope::Buildctl;
        all && prune.filters.is_empty() && prune.keeps.is_none()
    };
    if unstale_clears(project, file).next().is_some()
        || prunes(project, file).any(|(_, prune)| is_whole(prune))
    {
        return Ok(());
    }
    match prunes(project, file).next() {
        Some((found, _)) => broken(
            "what it prunes is not all of the cache: without -a, what images share stays",
            at(file, found.command.span),
            "unstale check --fix adds -a",
        ),
        None => broken(
            format!("{path} prunes no builder cache"),
            at(file, Span::default()),
            "add: docker builder prune -af, or: unstale clear --yes",
        ),
    }
}

fn clears_only_if(project: &Project, only: &ClearsOnlyIf) -> Held {
    let file = file(project, &only.script)?;
    let pruned = prunes(project, file).map(|(found, _)| found.command);
    for command in pruned.chain(unstale_clears(project, file)) {
        let values = command.context.values_of(&only.variable).unwrap_or_default();
        if values != [only.value.as_str()] {
            return broken(
                format!("it clears whatever {} is", only.variable),
                at(file, command.span),
                format!("put it behind: if [ \"${}\" = {} ]", only.variable, only.value),
            );
        }
    }
    Ok(())
}

fn commit_arg(project: &Project, arg: &CommitArg) -> Held {
    for path in &arg.dockerfiles {
        let file = file(project, path)?;
        let Content::Dockerfile(dockerfile) = &project.file(file).content else {
            return broken(
                format!("{path} is no Dockerfile"),
                None,
                "correct [contract] in unstale.toml",
            );
        };
        busts(dockerfile, &arg.name, file, path)?;
        if !is_given(project, file, &arg.name) {
            return broken(
                format!("no build of {path} passes {}", arg.name),
                at(file, Span::default()),
                format!(
                    "build with --build-arg {}=\"$(git rev-parse HEAD)\", or with unstale build",
                    arg.name
                ),
            );
        }
    }
    Ok(())
}

/// Whether a Dockerfile declares an argument and runs something with it before the code is copied.
fn busts(dockerfile: &Dockerfile, name: &str, file: FileId, path: &str) -> Held {
    let declarations = dockerfile.declarations();
    let declared: Vec<_> = declarations
        .iter()
        .filter(|declaration| declaration.kind == DeclarationKind::Arg && declaration.name == name)
        .collect();
    let Some(first) = declared.first() else {
        return broken(
            format!("{path} declares no ARG {name}"),
            at(file, Span::default()),
            format!("before the code is copied: ARG {name}, and RUN echo \"${name}\""),
        );
    };
    let holds = dockerfile.stages().iter().any(|stage| {
        let mut seen = (false, false);
        stage.instructions.clone().any(|index| {
            let Some(instruction) = dockerfile.instructions.get(index) else {
                return false;
            };
            seen.0 |= declared
                .iter()
                .any(|declaration| declaration.instruction == index);
            let uses = instruction.keyword == "RUN"
                && instruction
                    .command_text()
                    .is_some_and(|command| command.text.contains(name));
            seen.1 |= seen.0 && uses;
            let copies =
                matches!(instruction.keyword.as_str(), "COPY" | "ADD") && instruction.flag("from").is_none();
            seen.1 && copies
        })
    });
    match holds {
        true => Ok(()),
        false => broken(
            format!("{path} copies its code without running something with {name} before"),
            at(file, first.name_span),
            format!("put before the COPY: RUN echo \"Building from commit: ${{{name}}}\""),
        ),
    }
}

/// Whether a build passes an argument to a Dockerfile, or unstale builds, which passes it by itself.
pub(super) fn is_given(project: &Project, dockerfile: FileId, name: &str) -> bool {
    let facts = project.facts();
    let by_build = facts
        .builds
        .iter()
        .filter(|build| build.dockerfile == Some(dockerfile) || build.is_of_compose())
        .any(|build| build.arg(name).is_some());
    by_build
        || project
            .scripts()
            .flat_map(|(_, script)| script.script.commands())
            .any(|command| {
                let verb = command.arguments().first().map(|word| word.text.as_str());
                command.name() == "unstale" && matches!(verb, Some("build" | "deploy"))
            })
}

fn workflow_runs(project: &Project, runs: &WorkflowRuns) -> Held {
    let file = file(project, &runs.workflow)?;
    self::file(project, &runs.script)?;
    match calls(project, file, &runs.script) {
        true => Ok(()),
        false => broken(
            format!("{} does not run {}", runs.workflow, runs.script),
            at(file, Span::default()),
            format!("add a step: run: bash {}", runs.script),
        ),
    }
}

/// Whether a script of a file names another one as its command or as what a shell runs.
pub(super) fn calls(project: &Project, file: FileId, script: &str) -> bool {
    let scripts = project.file(file).scripts.iter();
    let mut commands = scripts.flat_map(|script| script.script.commands());
    commands.any(|command| {
        let mut words = command.words.iter().take(4);
        let is_shell = ["bash", "sh", "source", "."].contains(&command.name());
        let names = |text: &str| crate::facts::resolve("", text).is_some_and(|path| path == script);
        match is_shell {
            true => words.any(|word| names(&word.text)),
            false => words.next().is_some_and(|word| names(&word.text)),
        }
    })
}

fn no_findings(project: &Project, id: &str) -> Held {
    let Some(rule) = rules::find(id) else {
        return broken(
            format!("no rule is called {id:?}"),
            None,
            "the rules are listed by: unstale check --list-rules",
        );
    };
    let Ok(checker) = crate::Checker::new(Settings::default(), &[rule]) else {
        return Ok(());
    };
    match checker.check(project).findings.into_iter().next() {
        None => Ok(()),
        Some(finding) => {
            let location = finding.locations.first().cloned();
            broken(finding.message, location, finding.help.unwrap_or_default())
        }
    }
}
