//! Where commands run, and which Compose project they are about.

use super::commands::DockerUse;
use super::started::{Variable, files_of_variable};
use super::{Build, Via, resolve};
use crate::compose::project::ComposeProject;
use crate::docker::{Action, BuilderAction};
use crate::shell::Place;
use crate::workflow::{Job, Text};
use crate::{Content, FileId, Project, ScriptPlace};

/// What is on a machine before a command runs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// It keeps images and containers from run to run: a server, somebody's own.
    Kept,
    /// It is new each time: a runner of GitHub's.
    New,
    /// The files do not say.
    Unknown,
}

/// Parts of paths of scripts that a CI runs, or that try something out.
const CI_FOLDERS: &[&str] = &[
    ".github",
    ".gitlab",
    ".circleci",
    ".ci",
    "ci",
    "test",
    "tests",
    "e2e",
];

/// What the machine of a job of GitHub's keeps.
pub fn machine_of_job(job: &Job) -> Machine {
    let labels = runners(job);
    let has = |part: &str| labels.iter().any(|label| label.contains(part));
    match labels.as_slice() {
        [] => Machine::Unknown,
        _ if has("self-hosted") => Machine::Kept,
        _ if has("{{") => Machine::Unknown,
        _ => Machine::New,
    }
}

/// The labels of the runners of a job, for every job of its matrix.
fn runners(job: &Job) -> Vec<&str> {
    let values = |label: &'_ Text| {
        let name = label.value.trim().strip_prefix("${{")?.strip_suffix("}}")?;
        let name = name.trim().strip_prefix("matrix.")?;
        let values = job.matrix.as_ref()?.values(name);
        (!values.is_empty()).then_some(values)
    };
    let labels = job
        .runs_on
        .iter()
        .flat_map(|label| values(label).unwrap_or_else(|| vec![label]));
    labels.map(|label| label.value.as_str()).collect()
}

impl Project {
    /// What the machine of a command keeps.
    pub fn machine_of(&self, found: DockerUse<'_>) -> Machine {
        match found.command.context.places.last() {
            Some(Place::Remote { .. }) => return Machine::Kept,
            Some(Place::Container) => return Machine::Unknown,
            None => {}
        }
        let file = self.file(found.file);
        match (&file.content, found.script.place) {
            (Content::GithubWorkflow(workflow), ScriptPlace::Step(job, _)) => {
                workflow.jobs.get(job).map_or(Machine::Unknown, machine_of_job)
            }
            (Content::Script, _) if installs_docker(found) => Machine::New,
            (Content::Script | Content::Makefile(_), _) => {
                let in_ci = file
                    .source
                    .folder()
                    .split('/')
                    .any(|part| CI_FOLDERS.contains(&part));
                match in_ci || self.is_run_by_ci(found) {
                    true => Machine::Unknown,
                    false => Machine::Kept,
                }
            }
            _ => Machine::Unknown,
        }
    }

    /// Whether a build runs on a machine that is new each time.
    pub fn is_on_new_runner(&self, build: &Build) -> bool {
        let file = self.file(build.file);
        let job = match &build.via {
            Via::Step(job, _) => *job,
            Via::Command(script, _) => match file.scripts.get(*script).map(|script| script.place) {
                Some(ScriptPlace::Step(job, _)) => job,
                _ => return false,
            },
            _ => return false,
        };
        match &file.content {
            Content::GithubWorkflow(workflow) if workflow.is_action() => {
                self.is_used_on_new_runners(build.file)
            }
            Content::GithubWorkflow(workflow) => workflow
                .jobs
                .get(job)
                .is_some_and(|job| machine_of_job(job) == Machine::New),
            _ => false,
        }
    }

    /// Whether every job that uses an action of the project runs on a machine that is new each time.
    fn is_used_on_new_runners(&self, action: FileId) -> bool {
        let folder = self.file(action).source.folder();
        let workflows = self.files().filter_map(|(_, file)| match &file.content {
            Content::GithubWorkflow(workflow) => Some(workflow),
            _ => None,
        });
        let uses_it = |job: &&Job| {
            let mut uses = job.steps.iter().filter_map(|step| step.uses.as_ref());
            // Checked out below another folder its path is longer.
            uses.any(|uses| uses.text.starts_with("./") && uses.text.trim_end_matches('/').ends_with(folder))
        };
        let mut jobs = workflows
            .flat_map(|workflow| &workflow.jobs)
            .filter(uses_it)
            .peekable();
        jobs.peek().is_some() && jobs.all(|job| machine_of_job(job) == Machine::New)
    }

    /// Whether no build of a Dockerfile finds anything in a cache: each is without, or on a runner that is new each time and
    /// imports none, or by a builder that is removed afterwards. Not where nothing builds it.
    pub fn never_reuses(&self, dockerfile: FileId) -> bool {
        let mut builds = self
            .facts()
            .builds
            .iter()
            .filter(|build| build.may_build(self, dockerfile))
            .peekable();
        builds.peek().is_some() && builds.all(|build| self.finds_no_cache(build))
    }

    /// Whether a build finds nothing in a cache.
    pub fn finds_no_cache(&self, build: &Build) -> bool {
        let is_new = || {
            !build.is_open && self.is_on_new_runner(build)
                || self.has_builder_of_its_own(build.file)
                || is_on_travis(build)
        };
        build.no_cache.is_some() || build.cache_from.is_empty() && is_new()
    }

    /// Whether a job of a CI runs a script of this name, or makes the target that it stands in.
    fn is_run_by_ci(&self, found: DockerUse<'_>) -> bool {
        let file = self.file(found.file);
        let name = file.source.name();
        let targets = match (&file.content, found.script.place) {
            (Content::Makefile(makefile), ScriptPlace::Recipe(recipe, _)) => makefile
                .recipes
                .get(recipe)
                .map_or(&[][..], |recipe| &recipe.targets),
            _ => &[],
        };
        let ci = self.files().filter(|(_, file)| {
            matches!(
                file.content,
                Content::GithubWorkflow(_) | Content::GitlabPipeline(_)
            )
        });
        let mut scripts = ci.flat_map(|(_, file)| &file.scripts);
        scripts.any(|script| {
            script.script.commands().iter().any(|command| {
                let makes = command.name() == "make";
                command.words.iter().any(|word| {
                    word.text.rsplit('/').next() == Some(name) || makes && targets.contains(&word.text)
                })
            })
        })
    }

    /// Whether a file makes a builder, uses it and removes it again: there are no old results in it, and none stay.
    pub fn has_builder_of_its_own(&self, file: FileId) -> bool {
        let (mut made, mut used, mut removed) = (false, false, false);
        for own in self.docker_commands().filter(|own| own.file == file) {
            match &own.docker.action {
                Action::Builder(BuilderAction::Create { is_used, .. }) => {
                    (made, used) = (true, used | is_used)
                }
                Action::Builder(BuilderAction::Use(_)) => used = true,
                Action::Builder(BuilderAction::Rm(_)) => removed = true,
                _ => {}
            }
        }
        made && used && removed
    }

    /// The Compose projects that a command is about; empty if that is not known.
    pub fn compose_projects_of(&self, found: DockerUse<'_>) -> Vec<&ComposeProject> {
        let Some(named) = &found.docker.project else {
            return Vec::new();
        };
        let folders = self.folders_of(found, named.directory.as_deref());
        let all = &self.facts().compose;
        if !named.files.is_empty() {
            let paths = |folder: &String| -> Option<Vec<String>> {
                named.files.iter().map(|file| resolve(folder, file)).collect()
            };
            let holds = |paths: &Vec<String>| {
                let all_of =
                    |compose: &&ComposeProject| paths.iter().all(|path| compose.files.contains(path));
                let found: Vec<&ComposeProject> = all.iter().filter(all_of).collect();
                (!found.is_empty()).then_some(found)
            };
            return folders
                .iter()
                .filter_map(paths)
                .find_map(|paths| holds(&paths))
                .unwrap_or_default();
        }
        // A variable of the file can name others.
        match files_of_variable(self.file(found.file).source.text()) {
            Variable::Unset => {}
            Variable::Unknown => return Vec::new(),
            Variable::Files(files) => {
                let paths = |folder: &String| -> Option<Vec<String>> {
                    files.iter().map(|file| resolve(folder, file)).collect()
                };
                let of = |paths: Vec<String>| {
                    all.iter()
                        .find(|compose| paths.iter().all(|path| compose.files.contains(path)))
                };
                return folders
                    .iter()
                    .filter_map(paths)
                    .find_map(of)
                    .into_iter()
                    .collect();
            }
        }
        let is_default = |compose: &&ComposeProject| {
            let first = compose.files.first().and_then(|path| path.rsplit('/').next());
            first.is_some_and(|name| name.starts_with("compose.y") || name.starts_with("docker-compose.y"))
        };
        let within = |folder: &String| {
            let of_folder = all
                .iter()
                .filter(|compose| compose.folder == *folder)
                .find(is_default);
            of_folder.map(|compose| vec![compose])
        };
        folders.iter().find_map(within).unwrap_or_default()
    }

    /// The folders that a command can run in, the most likely first.
    fn folders_of(&self, found: DockerUse<'_>, directory: Option<&str>) -> Vec<String> {
        let source = &self.file(found.file).source;
        let mut folders = Vec::new();
        // The nearest `cd` before it.
        let before = found.script.script.commands().iter().take(found.index).rev();
        let to = before
            .filter(|command| command.name() == "cd" || command.name() == "pushd")
            .filter_map(|command| command.arguments().last())
            .map(|word| word.text.as_str())
            .next();
        let own = source.folder().to_owned();
        for path in [directory, to].into_iter().flatten() {
            // `cd "$(dirname "$0")/.."`, `cd $SCRIPT_DIR`: from the script's own folder.
            let tail = path
                .rsplit_once([')', '}'])
                .map_or(path, |(_, tail)| tail.trim_start_matches('/'));
            let tail = if tail.starts_with('$') {
                tail.split_once('/').map_or("", |(_, tail)| tail)
            } else {
                tail
            };
            let from_own = resolve(&own, tail);
            let from_root = (tail == path).then(|| resolve("", tail)).flatten();
            folders.extend(from_root.into_iter().chain(from_own));
        }
        if let (Content::GithubWorkflow(workflow), ScriptPlace::Step(job, step)) =
            (&self.file(found.file).content, found.script.place)
        {
            let step = workflow.jobs.get(job).and_then(|job| job.steps.get(step));
            let folder = step.and_then(|step| step.run.as_ref()?.working_directory.as_ref());
            folders.extend(folder.and_then(|folder| resolve("", &folder.value)));
            folders.push(String::new());
            return folders;
        }
        let mut folder = own.as_str();
        loop {
            folders.push(folder.to_owned());
            if folder.is_empty() {
                return folders;
            }
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
}

/// Whether a script installs Docker before a command: it makes a machine ready that has no images yet.
fn installs_docker(found: DockerUse<'_>) -> bool {
    let before = found.script.script.commands().iter().take(found.index);
    before.into_iter().any(|command| {
        let is_of = |names: &[&str]| {
            command
                .words
                .iter()
                .any(|word| names.contains(&word.text.as_str()))
        };
        matches!(command.name(), "apt-get" | "apt" | "yum" | "dnf" | "apk")
            && is_of(&["install", "add"])
            && is_of(&["docker-ce", "docker.io", "docker", "docker-engine"])
    })
}

/// Whether a build takes a value of Travis, whose machines are new for each run.
fn is_on_travis(build: &Build) -> bool {
    let values = build.args.iter().filter_map(|arg| arg.value.as_deref());
    values.into_iter().any(|value| value.contains("TRAVIS_"))
}
