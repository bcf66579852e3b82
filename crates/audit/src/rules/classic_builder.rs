//! The classic builder is asked for: `DOCKER_BUILDKIT=0`, or version 1 of `docker-compose` without BuildKit.
//!
//! ## Why
//!
//! The classic builder has no cache of its own: it reuses the layers of images that are there. Neither `docker builder prune -af`
//! nor `docker buildx prune` reaches them, only the removal of the images does. It ignores `cache_to`, secrets and cache mounts, and
//! is deprecated (`docker/cli` warns of it since 23.0).
//!
//! `docker-compose` is version 1 or a name for version 2. Nothing is said where the project shows that it is version 2: it is
//! downloaded, the Compose file or a Dockerfile has what version 1 cannot build, or a new runner of GitHub's runs it, which has
//! no version 1.
//!
//! ## Example
//!
//! ```sh
//! export DOCKER_BUILDKIT=0
//! docker build -t web .
//! ```
//!
//! ## Instead
//!
//! ```sh
//! docker build -t web .
//! ```
//!
//! ## References
//!
//! - <https://docs.docker.com/engine/deprecated/#legacy-builder-for-linux-images>

use super::Rule;
use crate::docker::{Action, Tool};
use crate::facts::caches::is_true;
use crate::facts::environment::{EnvSetting, settings};
use crate::facts::{DockerUse, Machine};
use crate::shell::Command;
use crate::{Confidence, Content, FileId, Finding, Project, ScriptPlace, Severity, Span};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "classic-builder",
    "a builder whose cache is the images, which no prune of a builder reaches",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let buildkit = settings(project, "DOCKER_BUILDKIT");
    for setting in buildkit.iter().filter(|setting| is_off(&setting.value)) {
        if is_for_windows(project, setting.file) {
            continue;
        }
        findings.push(switched_off(setting, "DOCKER_BUILDKIT"));
    }
    let through_docker = settings(project, "COMPOSE_DOCKER_CLI_BUILD");
    let installs = version_one(project);
    let builds = project.docker_commands().filter(|used| builds_standalone(used));
    let mut files: BTreeSet<FileId> = BTreeSet::new();
    let first: Vec<DockerUse<'_>> = builds.filter(|used| files.insert(used.file)).collect();
    let is_on = |list: &[EnvSetting]| list.iter().any(|setting| is_true(&setting.value));
    if is_on(&through_docker) && is_on(&buildkit) {
        return;
    }
    for (place, how) in &installs {
        let Some(used) = first.first() else { break };
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Medium,
                Confidence::Medium,
                format!("{how} is version 1, which builds without BuildKit: its cache is the images"),
                *place,
            )
            .help("install the plugin of version 2 (`docker-compose-plugin`) and call `docker compose`")
            .also(used.place(), "images are built with it here"),
        );
    }
    if !installs.is_empty() || downloads_version_two(project) {
        return;
    }
    for used in first.iter().filter(|used| may_be_version_one(project, **used)) {
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Low,
                Confidence::Low,
                "`docker-compose` may be version 1, which builds without BuildKit: its cache is the images",
                used.place(),
            )
            .help("call `docker compose`, which is version 2 wherever it is there"),
        );
    }
}

/// What Go's `strconv.ParseBool` takes for false.
fn is_off(value: &str) -> bool {
    matches!(value.trim(), "0" | "f" | "F" | "false" | "FALSE" | "False")
}

/// Images of Windows are built by the classic builder alone.
fn is_for_windows(project: &Project, file: FileId) -> bool {
    let read = project.file(file);
    let names_it = read.source.path().to_ascii_lowercase().contains("windows");
    names_it
        || match &read.content {
            Content::GithubWorkflow(workflow) => {
                let labels = workflow.jobs.iter().flat_map(|job| &job.runs_on);
                labels.clone().count() > 0 && labels.clone().all(|label| label.value.contains("windows"))
            }
            _ => false,
        }
}

fn switched_off(setting: &EnvSetting, name: &str) -> Finding {
    Finding::new(
        RULE.id,
        Severity::Medium,
        Confidence::High,
        format!("`{name}={}` asks for the classic builder: its cache is the images, and no `builder prune` reaches it", setting.value),
        (setting.file, setting.span),
    )
    .help("remove it: BuildKit is the default since Docker 23. While the classic builder builds, only the removal of its images clears its cache")
}

/// `docker-compose build` and `up --build`; not podman's.
fn builds_standalone(used: &DockerUse<'_>) -> bool {
    let builds = match &used.docker.action {
        Action::ComposeBuild(_) => true,
        Action::ComposeUp(up) => up.build,
        _ => false,
    };
    builds
        && used.docker.tool == Tool::ComposeStandalone
        && used.command.name() == "docker-compose"
        && !matches!(used.script.place, ScriptPlace::Run(_))
}

/// Whether a command may build with version 1: nothing that it builds needs more, and its machine can have it.
fn may_be_version_one(project: &Project, used: DockerUse<'_>) -> bool {
    let named = project.compose_projects_of(used);
    let services = || named.iter().flat_map(|compose| &compose.services);
    let builds_nothing = !named.is_empty() && services().all(|service| service.build.is_none());
    let includes = named
        .iter()
        .flat_map(|compose| &compose.files)
        .filter_map(|path| project.compose_file(path))
        .any(|file| !file.include.is_empty());
    let needs_more = services().any(|service| {
        let build = service.build.as_ref();
        !service.watch.is_empty()
            || build.is_some_and(|build| {
                build.dockerfile_inline.is_some()
                    || !build.additional_contexts.is_empty()
                    || !build.secrets.is_empty()
            })
    });
    let of_services = project.facts().builds.iter().filter(|build| {
        let is_named = |path: &String| project.find(path) == Some(build.file);
        named.iter().any(|compose| compose.files.iter().any(is_named))
    });
    let dockerfiles = of_services.filter_map(|build| match &project.file(build.dockerfile?).content {
        Content::Dockerfile(dockerfile) => Some(dockerfile),
        _ => None,
    });
    let needs_buildkit = dockerfiles.flat_map(|dockerfile| &dockerfile.instructions).any(|instruction| {
        let has = |name: &str| instruction.flags.iter().any(|flag| flag.name == name);
        has("mount") || has("link") || has("chmod") || !instruction.heredocs.is_empty()
    });
    let is_new = project.machine_of(used) == Machine::New;
    !(builds_nothing || includes || needs_more || needs_buildkit || is_new)
}

/// Whether a script of the project brings version 2 of Compose.
fn downloads_version_two(project: &Project) -> bool {
    let addresses = ["docker/compose/releases/download/v", "docker/compose/releases/latest/"];
    let brings = |command: &Command| {
        let mut words = command.words.iter();
        words.any(|word| addresses.iter().any(|address| word.text.contains(address)))
    };
    project.scripts().any(|(_, script)| script.script.commands().iter().any(brings))
}

/// What installs version 1 of Compose.
fn version_one(project: &Project) -> Vec<((FileId, Span), String)> {
    let mut found = Vec::new();
    for (file, script) in project.scripts() {
        if matches!(script.place, ScriptPlace::Run(_))
            || matches!(project.file(file).content, Content::Dockerfile(_))
        {
            continue;
        }
        for command in script.script.commands() {
            if let Some(how) = installs(command) {
                found.push(((file, command.span), how));
            }
        }
    }
    found
}

fn installs(command: &Command) -> Option<String> {
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let has = |wanted: &str| words.contains(&wanted);
    match command.name() {
        "pip" | "pip3" | "pipx" if has("install") => {
            let package = words.iter().find(|word| {
                let name = word.split(['=', '<', '>', '~', '[']).next().unwrap_or_default();
                name == "docker-compose"
            })?;
            Some(format!("`{package}` of PyPI"))
        }
        "curl" | "wget" => {
            let address = words
                .iter()
                .find(|word| word.contains("docker/compose/releases/download/1."))?;
            let version = address.split("/download/").nth(1)?.split('/').next()?;
            Some(format!("`docker-compose` {version}"))
        }
        _ => None,
    }
}
