//! A Dockerfile declares an argument that carries the commit, and no build of it passes one.
//!
//! ## Why
//!
//! The argument is there so that the image says which commit it is made of, and so that a new commit runs the steps behind
//! it again. Without a value it says `unknown` for every image, and busts nothing: an old image cannot be told from a new
//! one, and a step whose result is wrong in the cache stays there.
//!
//! `unstale build` passes the commit by itself to every Dockerfile that declares the argument (`docs/build.md`).
//!
//! ## Example
//!
//! ```dockerfile
//! FROM alpine:3.20
//! ARG GIT_COMMIT_HASH=unknown
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! COPY . /app
//! ```
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//! ```
//!
//! ```sh
//! docker compose build
//! docker compose up -d
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM alpine:3.20
//! ARG GIT_COMMIT_HASH=unknown
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! COPY . /app
//! ```
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//! ```
//!
//! ```sh
//! docker compose build --build-arg GIT_COMMIT_HASH="$(git rev-parse HEAD)"
//! docker compose up -d
//! ```

use super::Rule;
use crate::facts::{Build, CommitArg, Via, commit_args, given};
use crate::{Confidence, Finding, Project, Severity};
use std::collections::BTreeSet;
use unstale_dockerfile::{Dockerfile, Scope};

pub(super) const RULE: Rule = Rule::new(
    "commit-arg-not-passed",
    "a commit argument that no build of its Dockerfile passes",
    Severity::Medium,
    check,
);

/// How many builds are shown.
const SHOWN: usize = 3;

/// Files of CI services and build tools that are not read, and may pass it.
const OTHER_BUILDERS: &[&str] = &[
    ".appveyor.yml",
    ".circleci/config.yml",
    ".drone.yml",
    ".goreleaser.yaml",
    ".goreleaser.yml",
    ".travis.yml",
    ".woodpecker.yml",
    "Earthfile",
    "Jenkinsfile",
    "Taskfile.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "buildspec.yml",
    "cloudbuild.yaml",
    "fly.toml",
    "hooks/build",
    "justfile",
    "render.yaml",
    "skaffold.yaml",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let builds = &project.facts().builds;
    for (id, _, dockerfile) in project.dockerfiles() {
        for arg in commit_args(project, id) {
            // What nothing uses is `commit-arg-unused`; what another argument sets may be passed by that.
            let is_set_inside = arg.declarations.iter().any(|declaration| {
                declaration
                    .value
                    .as_ref()
                    .is_some_and(|value| value.raw.contains('$'))
            });
            if arg.uses.is_empty() || is_set_inside {
                continue;
            }
            let given = given(project, id, &arg.name);
            if !given.by_none() {
                continue;
            }
            let concerned: Vec<&Build> = given
                .builds
                .iter()
                .filter_map(|index| builds.get(*index))
                .filter(|build| is_needed(dockerfile, &arg, build.target.as_deref()))
                .collect();
            let (Some(first), Some(declaration)) = (concerned.first(), arg.declarations.first()) else {
                continue;
            };
            let all_local = concerned.iter().all(|build| is_local(project, build));
            let mut finding = Finding::new(
                RULE.id,
                if all_local {
                    Severity::Low
                } else {
                    Severity::Medium
                },
                confidence(project, &concerned),
                format!("`{}` is declared, and no build that is read here passes it", arg.name),
                (id, declaration.name_span),
            )
            .help(help(first, &arg.name));
            for build in concerned.iter().take(SHOWN) {
                finding = finding.also(build.place(), format!("{} builds without it", build.name));
            }
            findings.push(finding);
        }
    }
}

/// Whether a build of a target comes to a stage that declares the argument.
fn is_needed(dockerfile: &Dockerfile, arg: &CommitArg, target: Option<&str>) -> bool {
    let stages = dockerfile.stages();
    let declaring: BTreeSet<usize> = arg
        .declarations
        .iter()
        .filter_map(|declaration| match declaration.scope {
            Scope::Stage(stage) => Some(stage),
            Scope::Global => None,
        })
        .collect();
    if declaring.is_empty() {
        return true;
    }
    let wanted = match target {
        Some(target) => stages
            .iter()
            .find(|stage| stage.name.as_deref() == Some(&target.to_lowercase())),
        None => stages.last(),
    };
    wanted.is_none_or(|stage| !dockerfile.needed_stages(stage.index).is_disjoint(&declaring))
}

/// Whether a build is one for people who develop or test, by the name of its file.
fn is_local(project: &Project, build: &Build) -> bool {
    let name = project.file(build.file).source.name().to_ascii_lowercase();
    ["dev", "local", "test", "override", "debug"]
        .iter()
        .any(|word| name.contains(word))
}

fn confidence(project: &Project, builds: &[&Build]) -> Confidence {
    let files = &project.tree().files;
    if OTHER_BUILDERS.iter().any(|path| files.contains(*path)) {
        return Confidence::Low;
    }
    match builds.iter().all(|build| matches!(build.via, Via::Service(_))) {
        true => Confidence::Medium,
        false => Confidence::High,
    }
}

fn help(build: &Build, name: &str) -> String {
    match build.via {
        Via::Service(_) => format!(
            "pass it: `docker compose build --build-arg {name}=\"$(git rev-parse HEAD)\"`, or build with `unstale build`, which passes it by itself"
        ),
        Via::Target(_) => {
            format!(
                "give the target `args = {{ {name} = {name} }}` with a `variable \"{name}\" {{}}`, and set it in the environment of the build"
            )
        }
        Via::Step(..) => format!("add `build-args: {name}=${{{{ github.sha }}}}` to the step"),
        Via::Command(..) | Via::ComposeCommand(..) => {
            format!("pass it: `--build-arg {name}=\"$(git rev-parse HEAD)\"`")
        }
    }
}
