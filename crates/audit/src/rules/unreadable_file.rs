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
                    RULE.severity,
                    problem.confidence,
                    format!("not readable as {}: {}", file.kind.name(), problem.message),
                    (id, problem.span),
                )
                .help("correct the place: what cannot be read is not checked"),
            );
        }
    }
}
