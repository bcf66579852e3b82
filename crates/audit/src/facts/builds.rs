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
    /// Of a Dockerfile whose path has variables or expressions in it: the path with `*` for each of them.
    pub dockerfile_like: Option<String>,
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
    /// Whether it builds a Dockerfile, or one of several that its path can name.
    pub fn may_build(&self, project: &Project, dockerfile: FileId) -> bool {
        match (&self.dockerfile, &self.dockerfile_like) {
            (Some(own), _) => *own == dockerfile,
            (None, Some(like)) => is_like(project.file(dockerfile).source.path(), like),
            (None, None) => false,
        }
    }

    fn new(via: Via, file: FileId, span: Span, name: String) -> Build {
        Build {
            via,
            file,
            span,
            name,
            context: None,
            dockerfile: None,
            dockerfile_like: None,
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
    let like = match in_context || dockerfile.is_none() {
        true => format!("{context}/{name}"),
        false => name.to_owned(),
    };
    build.dockerfile_like = (build.dockerfile.is_none() && like.contains('$')).then(|| with_stars(&like));
}

/// Whether a path is what a path with stars can be. One of stars alone says nothing.
fn is_like(path: &str, like: &str) -> bool {
    let parts: Vec<&str> = like.split('*').collect();
    let (Some((first, others)), true) = (parts.split_first(), parts.iter().any(|part| part.len() > 4)) else {
        return false;
    };
    let Some((last, between)) = others.split_last() else {
        return path == like;
    };
    let inner = path.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let inner = inner.or_else(|| path.strip_prefix(first)?.strip_suffix(last.strip_prefix('/')?));
    let mut rest = match inner {
        Some(inner) => inner,
        None => return false,
    };
    between.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// A path with a star for each variable and expression.
fn with_stars(path: &str) -> String {
    let mut stars = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        stars.push_str(&rest[..at]);
        stars.push('*');
        let behind = &rest[at + 1..];
        let end = match behind.as_bytes() {
            [b'{', b'{', ..] => behind.find("}}").map(|end| end + 2),
            [b'{', ..] => behind.find('}').map(|end| end + 1),
            [b'(', ..] => behind.find(')').map(|end| end + 1),
            _ => behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_'),
        };
        rest = end.and_then(|end| behind.get(end..)).unwrap_or_default();
    }
    stars.push_str(rest);
    stars.trim_start_matches("./").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_expressions_can_be_several() {
        let like = with_stars("./images/${{ matrix.name }}/${KIND}/Dockerfile");
        assert_eq!(like, "images/*/*/Dockerfile");
        assert!(is_like("images/web/stable/Dockerfile", &like));
        assert!(!is_like("images/web/Dockerfile", &like));
        assert!(!is_like("images/web/stable/Dockerfile.dev", &like));
        assert_eq!(with_stars("$DIR/Dockerfile.$(arch)"), "*/Dockerfile.*");
        assert!(is_like("a/b/Dockerfile.arm", "*/Dockerfile.*"));
        assert!(is_like(
            "Dockerfile",
            &with_stars("${{ inputs.folder }}/Dockerfile")
        ));
        assert!(!is_like("Dockerfile", "*"));
    }
}
