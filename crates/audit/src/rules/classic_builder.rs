//! The classic builder is asked for: `DOCKER_BUILDKIT=0`, or an old `docker-compose` that knows no BuildKit.
//!
//! ## Why
//!
//! The classic builder has no cache of its own: it reuses the layers of images that are there. Neither `docker builder prune -af`
//! nor `docker buildx prune` reaches them, only the removal of the images does. It ignores `cache_to`, secrets and cache mounts, and
//! is deprecated (`docker/cli` warns of it since 23.0).
//!
//! `docker-compose` before 1.28 builds so too, and later ones of version 1 where `COMPOSE_DOCKER_CLI_BUILD=0`. (From 1.28 on they
//! build as `docker build` does: with BuildKit, unless Docker is older than 23.)
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
//! - Docker Compose, release notes of 1.28.0: builds go through the `docker` command

use super::Rule;
use crate::docker::{Action, Tool};
use crate::facts::caches::is_true;
use crate::facts::environment::{EnvSetting, settings};
use crate::facts::{DockerUse, Machine, machine_of_job};
use crate::shell::Command;
use crate::{Confidence, Content, FileId, Finding, Project, ScriptPlace, Severity, Span};

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
        let mut finding = switched_off(setting, "DOCKER_BUILDKIT");
        if !builds_in(project, setting.file) {
            finding.confidence = Confidence::Low;
        }
        // A machine that is new each time has no images from before.
        if is_for_new_machines(project, setting.file) {
            finding.severity = Severity::Info;
        }
        findings.push(finding);
    }
    let Some(used) = project.docker_commands().find(builds_standalone) else {
        return;
    };
    let through_docker = settings(project, "COMPOSE_DOCKER_CLI_BUILD");
    let is_on = |list: &[EnvSetting]| list.iter().any(|setting| is_true(&setting.value));
    if is_on(&through_docker) && is_on(&buildkit) {
        return;
    }
    let off = through_docker.iter().filter(|setting| is_off(&setting.value));
    let off = off.map(|setting| ((setting.file, setting.span), "with `COMPOSE_DOCKER_CLI_BUILD=0`, `docker-compose`".to_owned()));
    for (place, how) in off.chain(old_versions(project)) {
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Medium,
                Confidence::Medium,
                format!("{how} builds without BuildKit: its cache is the images"),
                place,
            )
            .help("install the plugin of version 2 (`docker-compose-plugin`) and call `docker compose`")
            .also(used.place(), "images are built with it here"),
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

/// Whether all jobs of a workflow run on runners of GitHub's.
fn is_for_new_machines(project: &Project, file: FileId) -> bool {
    match &project.file(file).content {
        Content::GithubWorkflow(workflow) => {
            !workflow.jobs.is_empty() && workflow.jobs.iter().all(|job| machine_of_job(job) == Machine::New)
        }
        _ => false,
    }
}

/// Whether a file builds images itself: what else a setting of it reaches, no file says.
fn builds_in(project: &Project, file: FileId) -> bool {
    let mut own = project.docker_commands().filter(|used| used.file == file);
    !matches!(project.file(file).content, Content::Script)
        || own.any(|used| matches!(used.docker.action, Action::Build(_) | Action::ComposeBuild(_) | Action::ComposeUp(_)))
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

/// What installs a `docker-compose` that builds by itself.
fn old_versions(project: &Project) -> Vec<((FileId, Span), String)> {
    let mut found = Vec::new();
    for (file, script) in project.scripts() {
        if matches!(script.place, ScriptPlace::Run(_)) {
            continue;
        }
        for command in script.script.commands() {
            if let Some(version) = installed(command).filter(|version| is_before_cli(version)) {
                found.push(((file, command.span), format!("`docker-compose` {version}")));
            }
        }
    }
    found
}

/// The version of Compose that a command installs.
fn installed(command: &Command) -> Option<&str> {
    let words = || command.words.iter().map(|word| word.text.as_str());
    match command.name() {
        "pip" | "pip3" | "pipx" => words().find_map(|word| word.strip_prefix("docker-compose==")),
        "curl" | "wget" => {
            let rest = words().find_map(|word| word.split_once("docker/compose/releases/download/"))?.1;
            rest.split('/').next()
        }
        _ => None,
    }
}

/// Whether a version is before 1.28, from which on the `docker` command builds.
fn is_before_cli(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(Some(1)), Some(Some(minor))) if minor < 28)
}

#[cfg(test)]
mod tests {
    use super::is_before_cli;

    #[test]
    fn only_versions_before_1_28_build_by_themselves() {
        for version in ["1.27.4", "1.8"] {
            assert!(is_before_cli(version), "{version}");
        }
        for version in ["1.28.0", "1.29.2", "v2.35.1", "$VERSION", "1", "1.x"] {
            assert!(!is_before_cli(version), "{version}");
        }
    }
}
