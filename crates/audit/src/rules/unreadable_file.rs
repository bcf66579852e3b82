//! A file that cannot be read as what it is: the engine, Compose, the shell or the CI would refuse it, or it is a template
//! that becomes a file later. What cannot be read is not checked, so that no finding in it means nothing.
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
use crate::{Finding, Project, Severity};

pub(super) const RULE: Rule = Rule::new(
    "unreadable-file",
    "a file that cannot be read as what it is",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file) in project.files() {
        if let Some(problem) = file.problem() {
            findings.push(
                Finding::new(
                    RULE.id,
                    match is_meant(file.source.path(), problem.span.slice(file.source.text())) {
                        true => Severity::Info,
                        false => RULE.severity,
                    },
                    problem.confidence,
                    format!("not readable as {}: {}", file.kind.name(), problem.message),
                    (id, problem.span),
                )
                .help("correct the place: what cannot be read is not checked"),
            );
        }
    }
}

/// Folders of files that something is tried out with, broken ones among them.
const TRIALS: &[&str] = &["testdata", "test-data", "test_data", "fixtures", "__fixtures__", "__snapshots__"];

/// Whether a file is meant to be as it is: a template from which another is made, or one that a reader must refuse.
fn is_meant(path: &str, place: &str) -> bool {
    let is_template = |text: &str| text.contains("{{") && text.contains("}}") || text.contains("{%") || text.contains("<%");
    is_template(path) || is_template(place) || path.split('/').any(|part| TRIALS.contains(&part))
}
