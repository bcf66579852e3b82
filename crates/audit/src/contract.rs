//! What a project states must stay true: `[contract]` in `unstale.toml`.
//!
//! A finding says that something is wrong; a line of the contract says that something is right, and goes on being right.

mod check;
mod propose;
#[cfg(test)]
mod tests;

use crate::Location;
use serde::Deserialize;

/// `[contract]`. Paths start from the file's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Contract {
    /// Files that ask for no inline cache.
    pub no_inline_cache: Vec<String>,
    /// Scripts that clear the builder's cache: all of it.
    pub clears_builder_cache: Vec<String>,
    /// Scripts that clear only where a variable has a value.
    pub clears_only_if: Vec<ClearsOnlyIf>,
    /// Build arguments that carry the commit: Dockerfiles declare and run something with them before the code is copied, and
    /// builds give them.
    pub commit_arg: Vec<CommitArg>,
    /// Workflows that run a script.
    pub workflow_runs: Vec<WorkflowRuns>,
    /// Rules that find nothing in the whole project.
    pub no_findings: Vec<String>,
}

/// `{ script = "clear.sh", variable = "TARGET", value = "all" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearsOnlyIf {
    /// The script.
    pub script: String,
    /// The variable that it looks at.
    pub variable: String,
    /// The value that the variable must have.
    pub value: String,
}

/// `{ name = "GIT_COMMIT_HASH", dockerfiles = ["app/Dockerfile"] }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitArg {
    /// The build argument.
    pub name: String,
    /// The Dockerfiles that declare it.
    pub dockerfiles: Vec<String>,
}

/// `{ workflow = ".github/workflows/clear.yml", script = "clear.sh" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowRuns {
    /// The workflow.
    pub workflow: String,
    /// The script.
    pub script: String,
}

/// One line of the contract, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it states.
    pub name: String,
    /// Whether that is so.
    pub holds: bool,
    /// What is wrong, if it does not.
    pub detail: Option<String>,
    /// Where.
    pub location: Option<Location>,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Contract {
    /// Whether it states nothing.
    pub fn is_empty(&self) -> bool {
        *self == Contract::default()
    }
}
