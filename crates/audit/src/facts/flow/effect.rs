//! What something in a flow does to images and containers, as far as rules about what comes before and after ask.

use super::{Item, Start};
use crate::Content;
use crate::compose::project::{ComposeProject, default_files, load};
use crate::docker::{Action, ComposeVerb, ImageTransfer, Prune, PruneScope, Tool};
use crate::shell::{Assignment, AssignmentKind, Script, Value, Word};

/// What stands in the labels of runners that are made for each run: GitHub's own, and those of services.
const HOSTED: &[&str] = &[
    "ubuntu",
    "windows",
    "macos",
    "runs-on=",
    "blacksmith",
    "buildjet",
    "depot",
    "namespace-",
    "nscloud",
    "warp-",
    "ubicloud",
];

/// How long a command is shown, in characters.
const SHOWN: usize = 72;

impl Item<'_> {
    /// The command as people write it, shortened.
    pub fn shown(&self) -> String {
        if let Some(step) = self.action() {
            return step
                .uses
                .as_ref()
                .map_or_else(String::new, |uses| uses.text.clone());
        }
        let words = self.command().map_or(&[][..], |command| &command.words);
        let source = self.project.file(self.file()).source.text();
        let word = |word: &'_ Word| match word.text.contains("${__") {
            true => word.span.slice(source).to_owned(),
            false => word.text.clone(),
        };
        let text = words.iter().map(word).collect::<Vec<_>>().join(" ");
        let text = text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('`', "'");
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    /// Whether it builds images, and nothing else: `docker build`, `docker compose build`, `docker buildx bake`, or an action.
    pub fn only_builds(&self) -> bool {
        if let Some(step) = self.action() {
            let is_bake = step
                .uses
                .as_ref()
                .is_some_and(|uses| uses.is_named("bake-action"));
            return step.builds_image() || is_bake;
        }
        match self.docker().map(|docker| &docker.action) {
            Some(Action::Build(_) | Action::ComposeBuild(_)) => true,
            Some(Action::Bake(bake)) => !bake.only_prints,
            _ => false,
        }
    }

    /// Whether it builds images: also `docker compose up --build`.
    pub fn builds(&self) -> bool {
        let with_build = match self.docker().map(|docker| &docker.action) {
            Some(Action::ComposeUp(up)) => up.build,
            Some(Action::ComposeRun(run)) => run.build,
            _ => false,
        };
        with_build || self.only_builds()
    }

    /// Whether it brings images from elsewhere: `docker pull`, `docker compose pull`, `docker load`.
    pub fn fetches(&self) -> bool {
        match self.docker().map(|docker| &docker.action) {
            Some(Action::Compose(ComposeVerb::Pull, _)) => true,
            Some(Action::Transfer(kind, _)) => {
                matches!(
                    kind,
                    ImageTransfer::Pull | ImageTransfer::Load | ImageTransfer::Import
                )
            }
            Some(Action::ComposeUp(up)) => up.pull.as_deref() == Some("always"),
            _ => false,
        }
    }

    /// Whether it may build images although nobody can tell: `make images`, a script that is not there, another tool.
    pub fn may_build(&self) -> bool {
        if self.action().is_some() {
            return self.only_builds();
        }
        let Some(command) = self.command() else {
            return false;
        };
        match self.docker() {
            Some(docker) => {
                matches!(
                    docker.action,
                    Action::Other(_) | Action::Tag(_) | Action::Commit(_)
                ) && {
                    let says = |word: &str| {
                        word.contains("build") || word.contains("image") || word.contains("bake")
                    };
                    !matches!(docker.action, Action::Other(_))
                        || command.words.iter().any(|word| says(&word.text))
                }
            }
            None => {
                let silent = [
                    "echo", "printf", "test", "[", "[[", "cd", "rm", "mkdir", "cat", "grep", "export", "git",
                ];
                let says = |text: &str| {
                    let text = text.to_ascii_lowercase();
                    ["build", "bake", "image", "skaffold", "earthly", "kaniko", "nix"]
                        .iter()
                        .any(|word| text.contains(word))
                };
                !silent.contains(&command.name()) && command.words.iter().any(|word| says(&word.text))
            }
        }
    }

    /// Whether it makes containers of the images that are there: `docker compose up`, `docker run`, `docker stack deploy`.
    pub fn creates_containers(&self) -> bool {
        match self.docker().map(|docker| &docker.action) {
            Some(Action::ComposeUp(up)) => !up.no_recreate,
            Some(Action::Run(_) | Action::StackDeploy(_) | Action::ServiceUpdate(_)) => true,
            _ => false,
        }
    }

    /// Whether it removes images, so that what runs next builds or pulls: `docker rmi`, `down --rmi`, `image prune -a`.
    pub fn removes_images(&self) -> bool {
        let Some(docker) = self.docker() else {
            return false;
        };
        match &docker.action {
            Action::RemoveImages(_) => true,
            Action::Compose(ComposeVerb::Down, _) => docker.flags.get("rmi").is_some(),
            Action::Prune(prune) => {
                prune.all && matches!(prune.scope, PruneScope::Image | PruneScope::System)
            }
            _ => false,
        }
    }

    /// The clearing of a builder's cache, by Docker's own tools.
    pub fn clears_cache(&self) -> Option<&Prune> {
        let docker = self.docker()?;
        let is_docker = matches!(docker.tool, Tool::Docker | Tool::Buildx | Tool::Buildctl);
        match &docker.action {
            Action::Prune(prune) if is_docker => matches!(
                prune.scope,
                PruneScope::Builder | PruneScope::Buildx | PruneScope::Buildctl | PruneScope::System
            )
            .then_some(prune),
            _ => None,
        }
    }

    /// Whether it brings another version of the sources: `git pull`, `git checkout`, `rsync`, `actions/checkout`.
    pub fn brings_sources(&self) -> bool {
        if let Some(step) = self.action() {
            return step.is_action("actions/checkout");
        }
        let Some(command) = self.command() else {
            return false;
        };
        match command.name() {
            "git" => {
                let mut words = command.arguments().iter().map(|word| word.text.as_str());
                let verb = loop {
                    match words.next() {
                        Some("-C" | "-c" | "--git-dir" | "--work-tree") => drop(words.next()),
                        Some(option) if option.starts_with('-') => {}
                        verb => break verb,
                    }
                };
                match verb {
                    Some("pull" | "merge" | "clone") => true,
                    Some("reset") => command.words.iter().any(|word| word.text == "--hard"),
                    Some("checkout" | "switch") => !command.words.iter().any(|word| word.text == "--"),
                    _ => false,
                }
            }
            "rsync" | "svn" => true,
            _ => false,
        }
    }

    /// Whether it runs on a machine that is new for each run, and knows nothing of earlier builds: a runner of GitHub's own, or
    /// an engine that GitLab starts beside the job.
    pub fn is_on_new_machine(&self) -> bool {
        if self.host().is_some() {
            return false;
        }
        if let Some(job) = self.job() {
            let labels = job.runs_on.iter().map(|label| label.value.to_ascii_lowercase());
            let labels: Vec<String> = labels.collect();
            let is_known = |label: &String| HOSTED.iter().any(|name| label.contains(name));
            // Of an expression nobody knows what it is.
            let is_hosted = labels
                .iter()
                .any(|label| is_known(label) || label.contains("${{"));
            return is_hosted && !labels.iter().any(|label| label.contains("self-hosted"));
        }
        let (Start::Job(file, job) | Start::AfterJob(file, job)) = self.start else {
            return false;
        };
        match &self.project.file(*file).content {
            Content::GitlabPipeline(pipeline) => pipeline
                .jobs
                .get(*job)
                .is_some_and(|job| job.services.iter().any(|image| image.name.value.contains("dind"))),
            _ => false,
        }
    }

    /// The Compose project that a command of Compose is about; none if its files are not known or not there.
    pub fn compose_project(&self) -> Option<ComposeProject> {
        let docker = self.docker()?;
        let own = docker.project.as_ref()?;
        if docker.is_open {
            return None;
        }
        let named = match own.files.is_empty() {
            true => files_of_variable(&self.script()?.script)?,
            false => own.files.clone(),
        };
        let lookup = |path: &str| self.project.compose_file(path);
        let known: Vec<&str> = self
            .project
            .files()
            .filter(|(_, file)| matches!(file.content, Content::Compose(_)))
            .map(|(_, file)| file.source.path())
            .collect();
        let mut folders = self.folders();
        if let Some(directory) = &own.directory {
            let inner = |folder: &String| crate::facts::resolve(folder, directory);
            let more: Vec<String> = folders.iter().filter_map(inner).collect();
            folders.splice(0..0, more);
        }
        for folder in &folders {
            if named.is_empty() {
                let within = known
                    .iter()
                    .copied()
                    .filter(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder);
                if let Some(files) = default_files(within).first() {
                    return Some(load(files, &lookup));
                }
                continue;
            }
            let files: Option<Vec<String>> = named
                .iter()
                .map(|file| crate::facts::resolve(folder, file).filter(|path| known.contains(&path.as_str())))
                .collect();
            if let Some(files) = files {
                return Some(load(&files, &lookup));
            }
        }
        None
    }
}

/// The files that a script's `COMPOSE_FILE` names; none if nothing sets it, [`None`] if it may be several things.
fn files_of_variable(script: &Script) -> Option<Vec<String>> {
    let all: Vec<&Assignment> = script.assignments_of("COMPOSE_FILE").collect();
    match all.as_slice() {
        [] => Some(Vec::new()),
        [
            Assignment {
                value: Value::Scalar(word),
                kind: AssignmentKind::Set,
                ..
            },
        ] if word.is_known() => Some(word.text.split(':').map(str::to_owned).collect()),
        _ => None,
    }
}
