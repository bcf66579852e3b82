//! A baseline: the findings that an old project had when it began to be checked. Only new ones are shown.

use crate::{Finding, Project, fingerprint};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What `--write-baseline` writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Its form and version.
    pub schema: String,
    /// Findings by fingerprint.
    pub findings: BTreeMap<String, Known>,
}

/// A finding that is known, in words, for whoever reads the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The rule's id.
    pub rule: String,
    /// The file.
    pub path: String,
    /// What was wrong.
    pub message: String,
}

const SCHEMA: &str = "unstale.baseline/1";

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no JSON of this form.
    #[error("not a baseline")]
    Form(#[from] serde_json::Error),
    /// It is of a version that this program does not know.
    #[error("a baseline of the form {0:?}, and only {SCHEMA:?} is known")]
    Version(String),
}

impl Baseline {
    /// The baseline that knows all of the findings.
    pub fn of(project: &Project, findings: &[Finding]) -> Baseline {
        let names = fingerprint::fingerprints(project, findings);
        let known = findings.iter().zip(names).map(|(finding, name)| {
            let known = Known {
                rule: finding.rule.to_owned(),
                path: project.file(finding.place().0).source.path().to_owned(),
                message: finding.message.clone(),
            };
            (name, known)
        });
        Baseline {
            schema: SCHEMA.to_owned(),
            findings: known.collect(),
        }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// If the text is none, or one of a later version.
    pub fn parse(text: &str) -> Result<Baseline, BaselineError> {
        let baseline: Baseline = serde_json::from_str(text)?;
        match baseline.schema == SCHEMA {
            true => Ok(baseline),
            false => Err(BaselineError::Version(baseline.schema)),
        }
    }

    /// The text to write, the same for the same findings.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Takes the known findings out, also of those that are not told. Gives how many of the told ones were, and how many are known
    /// and were not found any more.
    pub fn apply(
        &self,
        project: &Project,
        told: &mut Vec<Finding>,
        unsure: &mut Vec<Finding>,
    ) -> (usize, usize) {
        let mut gone: BTreeSet<&str> = self.findings.keys().map(String::as_str).collect();
        let before = told.len();
        // Names count findings that are alike, so that all of them have to be named together.
        let all: Vec<Finding> = told.iter().chain(unsure.iter()).cloned().collect();
        let names = fingerprint::fingerprints(project, &all);
        let mut names = names.iter();
        let mut is_new = |_: &Finding| {
            let name = names.next().map_or("", String::as_str);
            gone.remove(name);
            !self.findings.contains_key(name)
        };
        told.retain(&mut is_new);
        unsure.retain(&mut is_new);
        (before - told.len(), gone.len())
    }
}
