//! A file that cannot be read as what it is: the engine, Compose, the shell or the CI would refuse it, or it is a template
//! that becomes a file later. What cannot be read is not checked, so that no finding in it means nothing.
//!
//! Templates, excerpts and files that something is tested with are told as info. A file whose name is like that of a Dockerfile
//! and that no build names is no finding if it begins with none of its instructions, or is a part that a script puts behind
//! another file: it begins with an instruction that needs a base, and has no `FROM`.
//!
//! ## Why
//!
//! A file that no tool can read deploys nothing: the version from before stays live. A deploy script that does not look at
//! the error of the build carries on with the old image (see `build-failure-ignored`).
//!
//! ## Example
//!
//! ```dockerfile
//! FROM debian:12
//! COPPY . /app
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM debian:12
//! COPY . /app
//! ```
//!
//! ## References
//!
//! - Dockerfiles are read as BuildKit's own frontend reads them (`docs/benchmarks/dockerfiles.md`).

use super::Rule;
use crate::facts::is_of_tests;
use crate::{Confidence, Content, File, FileId, FileKind, Finding, Project, Severity};

pub(super) const RULE: Rule = Rule::new(
    "unreadable-file",
    "a file that cannot be read as what it is",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file) in project.files() {
        if let Some(problem) = file.problem().filter(|_| !is_something_else(project, id, file)) {
            findings.push(
                Finding::new(
                    RULE.id,
                    match problem.confidence == Confidence::Low || is_made_for_it(file) {
                        true => Severity::Info,
                        false => RULE.severity,
                    },
                    problem.confidence,
                    format!("not readable as {}: {}", kind_name(file), problem.message),
                    (id, problem.span),
                )
                .help(match is_made_for_it(file) {
                    true => "if that is meant, nothing has to be done: it is not checked",
                    false => "correct the place: what cannot be read is not checked",
                }),
            );
        }
    }
}

/// What people call what the file is.
fn kind_name(file: &File) -> &'static str {
    match (file.kind, file.source.name()) {
        (FileKind::GithubWorkflow, "action.yml" | "action.yaml") => "a GitHub action",
        _ => file.kind.name(),
    }
}

/// Whether a file is a template by its path, one that a reader must refuse, or an excerpt: nothing at all, or `...` where an
/// instruction would be.
fn is_made_for_it(file: &File) -> bool {
    let has_gap = match &file.content {
        Content::Dockerfile(dockerfile) => {
            let mut all = dockerfile.instructions.iter();
            dockerfile.instructions.is_empty() || all.any(|one| matches!(one.keyword.as_str(), "..." | "…"))
        }
        _ => false,
    };
    let path = file.source.path();
    let mut words = path.split(['/', '.', '-', '_']);
    has_gap || path.contains("{{") || words.any(|word| word.starts_with("template")) || is_of_tests(path)
}

/// Whether a file only has a name like that of a Dockerfile (`about-dockerfile.mdx`, `Dockerfile.nanorc`) or is a part of one
/// (`Dockerfile.append`): it begins with something else, and no build names it.
fn is_something_else(project: &Project, id: FileId, file: &File) -> bool {
    let Content::Dockerfile(dockerfile) = &file.content else {
        return false;
    };
    let is_plain = matches!(file.source.name(), "Dockerfile" | "Containerfile");
    let begins = dockerfile.instructions.first().is_some_and(|first| {
        matches!(first.keyword.as_str(), "ARG" | "FROM")
            || first.is_known() && dockerfile.instructions.iter().any(|one| one.keyword == "FROM")
    });
    let is_named = || project.facts().builds.iter().any(|build| build.dockerfile == Some(id));
    !is_plain && !begins && !is_named()
}
