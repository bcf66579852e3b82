//! The image copies its whole context, and the ignore file leaves files in it that no image needs: the Dockerfile, Compose
//! files, the CI's workflows, documentation.
//!
//! Confidence is low where the build reads the repository: with `.git` in the context every commit makes the layer anew anyway.
//!
//! ## Why
//!
//! Every file of the context is a part of the cache key of the `COPY`. An edit of the README then makes the layer anew, and
//! every step behind it; and what the image holds cannot be told from what it should hold.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM python:3.13-slim
//! WORKDIR /app
//! COPY . .
//! RUN python -m compileall .
//! ```
//!
//! ```dockerignore
//! .git
//! ```
//!
//! `README.md`:
//! ```text
//! How to use it.
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM python:3.13-slim
//! WORKDIR /app
//! COPY . .
//! RUN python -m compileall .
//! ```
//!
//! ```dockerignore
//! .git
//! .dockerignore
//! Dockerfile
//! *.md
//! ```
//!
//! `README.md`:
//! ```text
//! How to use it.
//! ```

use super::{Rule, words};
use crate::facts::{reads_repository, BuildContext, ContextIgnore, context_copies};
use crate::{Confidence, Finding, Project, Severity};
use std::collections::BTreeSet;
use unstale_dockerfile::{Dockerfile, base_chain};

pub(super) const RULE: Rule = Rule::new(
    "broad-copy",
    "a copy of the whole context with files that no image needs",
    Severity::Low,
    check,
);

/// How many files a message names.
const NAMED: usize = 3;

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut told = BTreeSet::new();
    for (id, _, dockerfile) in project.dockerfiles() {
        for context in project
            .facts()
            .contexts
            .iter()
            .filter(|context| context.dockerfile == id)
        {
            // Without an ignore file it is `missing-dockerignore`.
            let ContextIgnore::File(ignore) = context.ignore else {
                continue;
            };
            let Some((copy, source)) = copy_of_image(dockerfile) else {
                continue;
            };
            if told.contains(&(ignore, context.folder.as_str())) {
                continue;
            }
            let idle = idle_files(project, context);
            if idle.iter().all(|name| goes_along(name)) || !told.insert((ignore, context.folder.as_str())) {
                continue;
            }
            let reruns = dockerfile
                .instructions
                .iter()
                .enumerate()
                .skip(copy + 1)
                .take_while(|(_, instruction)| instruction.keyword != "FROM")
                .find(|(_, instruction)| instruction.keyword == "RUN");
            let path = project.file(ignore).source.path();
            let mut finding = Finding::new(
                RULE.id,
                if reruns.is_some() {
                    Severity::Low
                } else {
                    Severity::Info
                },
                match takes_repository(project, context) {
                    true => Confidence::Low,
                    false => context.confidence(),
                },
                format!(
                    "`{}` copies {}, and an edit of {} makes the layer anew",
                    source.text,
                    listed(&idle),
                    match idle.len() {
                        1 => "it",
                        _ => "any of them",
                    }
                ),
                (id, source.span),
            )
            .help(match project.tree().links.contains(path) {
                true => format!("copy the folders that the image needs by name, or make `{path}`, which is a link, a file of its own"),
                false => format!(
                    "add to `{path}` what the image does not need, or copy the folders that it needs by name"
                ),
            });
            if let Some((_, run)) = reruns {
                finding = finding.also((id, run.keyword_span), "runs again with it");
            }
            findings.push(finding);
        }
    }
}

/// Whether the build reads the repository that the context holds: every commit makes the layer anew then, whatever else it copies.
fn takes_repository(project: &Project, context: &BuildContext) -> bool {
    reads_repository(project, context) && !context.ignores(project, ".git", true)
}

/// The copy of the whole context that the image itself has: in the last stage, or in a stage that it is made from.
fn copy_of_image(dockerfile: &Dockerfile) -> Option<(usize, crate::facts::ContextSource)> {
    let stages = dockerfile.stages();
    let last = stages.len().checked_sub(1)?;
    let chain: BTreeSet<usize> = base_chain(&stages, last).map(|stage| stage.index).collect();
    context_copies(dockerfile)
        .into_iter()
        .filter(|copy| chain.contains(&copy.stage) && !copy.excludes)
        .find_map(|copy| Some((copy.instruction, copy.whole()?.clone())))
}

/// What is in a context and no image needs, at its top.
fn idle_files(project: &Project, context: &BuildContext) -> Vec<String> {
    let mut idle = BTreeSet::new();
    // Python's build of a package reads the file that `readme` names.
    let needs_readme = context.kind(project, "pyproject.toml").is_some();
    for path in context.files_below(project, "") {
        let (top, is_folder) = match path.split_once('/') {
            Some((top, _)) => (top, true),
            None => (path, false),
        };
        let is_idle = match is_folder {
            true => matches!(top, ".github" | ".gitlab" | ".circleci"),
            false => is_idle_file(top) && !(needs_readme && top.to_ascii_lowercase().starts_with("readme")),
        };
        if is_idle && !context.ignores(project, path, false) {
            idle.insert(top.to_owned());
        }
    }
    idle.into_iter().collect()
}

/// What changes with the build itself as a rule: alone it is not worth a word.
fn goes_along(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.contains("dockerfile")
        || matches!(lower.as_str(), ".dockerignore" | ".gitignore" | ".gitattributes")
}

fn is_idle_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "dockerfile"
            | ".dockerignore"
            | ".gitignore"
            | ".gitattributes"
            | ".gitlab-ci.yml"
            | ".travis.yml"
            | "jenkinsfile"
            | "docker-bake.hcl"
            | ".pre-commit-config.yaml"
    ) || lower.starts_with("dockerfile.")
        || lower.ends_with(".dockerfile")
        || (lower.starts_with("docker-compose") || lower.starts_with("compose."))
            && (lower.ends_with(".yml") || lower.ends_with(".yaml"))
        || lower.starts_with("readme") && !lower.ends_with(".rst")
        || matches!(
            lower.as_str(),
            "changelog.md" | "contributing.md" | "code_of_conduct.md" | "security.md"
        )
}

/// Names for a message.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => words::listed(&shown),
        // What is known to be idle is not all that is.
        _ => format!("{} and others", shown.join(", ")),
    }
}
