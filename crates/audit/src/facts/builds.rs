//! Builds, whoever asks for them: a service of a Compose file, a command, a bake target, an action in a workflow.

mod action;
mod bake;
mod command;
mod service;

use crate::compose::project::ComposeProject;
use crate::docker::Cache;
use crate::{Content, Edit, FileId, Project, Span};

/// A build.
#[derive(Debug, Clone)]
pub struct Build {
    /// Who asks for it.
    pub via: Via,
    /// The file that asks for it.
    pub file: FileId,
    /// What a finding about the build as a whole points at: the service's name, the command, the step's `uses`.
    pub span: Span,
    /// What people call it: ``service `backend` ``, `` `docker build` ``.
    pub name: String,
    /// The context folder, relative to the checked folder; [`None`] if it is elsewhere or not known.
    pub context: Option<String>,
    /// The Dockerfile, if it was read.
    pub dockerfile: Option<FileId>,
    /// The stage.
    pub target: Option<String>,
    /// Its build arguments.
    pub args: Vec<BuildArg>,
    /// Where it takes cached results from.
    pub cache_from: Vec<CacheUse>,
    /// Where it puts them.
    pub cache_to: Vec<CacheUse>,
    /// The names of its image, as written.
    pub tags: Vec<Setting>,
    /// Whether it can have other tags: a target that is made from one that `docker/metadata-action` writes, or whose tag is a
    /// variable that the environment can set; a step whose image is pushed by its digest.
    pub has_open_tag: bool,
    /// Its platforms, as written.
    pub platforms: Vec<String>,
    /// Whether it asks for newer base images.
    pub pull: bool,
    /// Where it says that nothing cached is used.
    pub no_cache: Option<Span>,
    /// Whether the image is loaded into the engine explicitly.
    pub load: bool,
    /// Whether the image is pushed.
    pub push: bool,
    /// What else becomes of the result: `type=local,dest=…`.
    pub outputs: Vec<String>,
    /// The builder that is named.
    pub builder: Option<String>,
    /// Secrets, as written.
    pub secrets: Vec<Setting>,
    /// Whether something that is not known may say more: a variable of the script that can hold options.
    pub is_open: bool,
}

/// Who asks for a build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// A service of a Compose file.
    Service(String),
    /// A command of a script: the index of the script among the file's, and of the command among the script's.
    Command(usize, usize),
    /// A command that builds services of a Compose project: as [`Via::Command`].
    ComposeCommand(usize, usize),
    /// A target of a bake file.
    Target(String),
    /// A step of a workflow: the index of its job, and of the step.
    Step(usize, usize),
}

/// Something written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A build argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildArg {
    /// Its name.
    pub name: String,
    /// Its value as written; [`None`] if it is that of the environment.
    pub value: Option<String>,
    /// The file in which it stands: not that of the build if it is inherited.
    pub file: FileId,
    /// Where it stands.
    pub span: Span,
    /// What to edit to remove it; empty where that is not known.
    pub removal: Vec<Edit>,
}

/// A cache that is imported or exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheUse {
    /// What it says.
    pub cache: Cache,
    /// As written.
    pub text: String,
    /// The file in which it stands.
    pub file: FileId,
    /// Where it stands.
    pub span: Span,
    /// What to edit to remove it; empty where that is not known.
    pub removal: Vec<Edit>,
}

impl CacheUse {
    pub(super) fn new(text: &str, file: FileId, span: Span, removal: Vec<Edit>) -> CacheUse {
        CacheUse {
            cache: Cache::parse(text, 0..0, span),
            text: text.to_owned(),
            file,
            span,
            removal,
        }
    }
}

impl Build {
    fn new(via: Via, file: FileId, span: Span, name: String) -> Build {
        Build {
            via,
            file,
            span,
            name,
            context: None,
            dockerfile: None,
            target: None,
            args: Vec::new(),
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            tags: Vec::new(),
            has_open_tag: false,
            platforms: Vec::new(),
            pull: false,
            no_cache: None,
            load: false,
            push: false,
            outputs: Vec::new(),
            builder: None,
            secrets: Vec::new(),
            is_open: false,
        }
    }

    /// Where a finding about the build as a whole points at.
    pub fn place(&self) -> (FileId, Span) {
        (self.file, self.span)
    }

    /// The names of images that its outputs give: `type=image,name=…`.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        let fields = self.outputs.iter().flat_map(|output| output.split(','));
        fields.filter_map(|field| field.trim().strip_prefix("name="))
    }

    /// Whether it makes an image, and not files alone.
    pub fn makes_image(&self) -> bool {
        let is_of_files = |output: &String| {
            ["type=local", "type=tar"]
                .iter()
                .any(|kind| output.contains(kind))
                || !output.contains('=') && !output.is_empty()
        };
        self.outputs.is_empty() || !self.outputs.iter().all(is_of_files)
    }

    /// Whether it builds services of a Compose project, whose Dockerfiles only the project knows.
    pub fn is_of_compose(&self) -> bool {
        matches!(self.via, Via::ComposeCommand(..))
    }

    /// An argument by its name; of several, the last.
    pub fn arg(&self, name: &str) -> Option<&BuildArg> {
        self.args.iter().rev().find(|arg| arg.name == name)
    }
}

/// All builds of a project.
pub(super) fn of(project: &Project, compose: &[ComposeProject]) -> Vec<Build> {
    let mut builds = Vec::new();
    for compose in compose {
        service::builds(project, compose, &mut builds);
    }
    for (id, file) in project.files() {
        match &file.content {
            Content::GithubWorkflow(workflow) => action::builds(project, id, workflow, &mut builds),
            Content::Bake(bake) => bake::builds(project, id, bake, &mut builds),
            _ => {}
        }
    }
    command::builds(project, &mut builds);
    builds
}

/// The context folder of a build and its Dockerfile. `folder` is where relative paths start, `dockerfile` starts from
/// `dockerfile_folder`.
fn set_paths(
    build: &mut Build,
    project: &Project,
    folder: &str,
    context: &str,
    dockerfile: Option<&str>,
    in_context: bool,
) {
    build.context = super::resolve(folder, context);
    let name = dockerfile.unwrap_or("Dockerfile");
    let from = match in_context || dockerfile.is_none() {
        true => build.context.as_deref(),
        false => Some(folder),
    };
    let path = from.and_then(|from| super::resolve(from, name));
    build.dockerfile = path.and_then(|path| project.find(&path));
}
