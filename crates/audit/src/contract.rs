//! What a project states must stay true: `[contract]` in `unstale.toml`.
//!
//! A finding says that something is wrong; a line of the contract says that something is right, and goes on being right.

use crate::{Location, Project};
use serde::{Deserialize, Serialize};

/// `[contract]`. Paths start from the file's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Contract {
    /// Files that ask for no inline cache.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_inline_cache: Vec<String>,
    /// Scripts that clear the builder's cache: all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clears_builder_cache: Vec<String>,
    /// Scripts that clear only where a variable has a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clears_only_if: Vec<ClearsOnlyIf>,
    /// A build argument that carries the commit: declared and used before the code is copied, and given by every build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_arg: Option<String>,
    /// Workflows that run a script.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflow_runs: Vec<WorkflowRuns>,
    /// Rules that find nothing in the whole project.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_findings: Vec<String>,
}

/// `{ script = "clear.sh", variable = "TARGET", value = "all" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearsOnlyIf {
    /// The script.
    pub script: String,
    /// The variable that it looks at.
    pub variable: String,
    /// The value that the variable must have.
    pub value: String,
}

/// `{ workflow = ".github/workflows/clear.yml", script = "clear.sh" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Its lines, in the order of the fields, and whether each holds.
    pub fn check(&self, _project: &Project) -> Vec<Line> {
        Vec::new()
    }

    /// What a project can promise, from what there is in it.
    pub fn of(_project: &Project, _commit_arg: &str) -> Contract {
        Contract::default()
    }
}
