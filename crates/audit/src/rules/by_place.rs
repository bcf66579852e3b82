//! One finding at each place: a command that several flows reach is found once, as bad as the worst of them makes it.

use crate::{FileId, Finding, Span};
use std::collections::BTreeMap;

/// Findings by their places.
#[derive(Debug, Default)]
pub(super) struct ByPlace(BTreeMap<(FileId, Span), Finding>);

impl ByPlace {
    /// Adds a finding, unless one at its place is as bad.
    pub fn add(&mut self, finding: Finding) {
        let weight = |finding: &Finding| (finding.severity, finding.confidence);
        match self.0.get(&finding.place()) {
            Some(before) if weight(before) >= weight(&finding) => {}
            _ => drop(self.0.insert(finding.place(), finding)),
        }
    }

    /// Adds a finding if there is one.
    pub fn extend(&mut self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.add(finding);
        }
    }

    /// The findings, in order of their places.
    pub fn into_findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_values()
    }
}
