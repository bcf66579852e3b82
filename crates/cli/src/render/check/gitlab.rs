//! GitLab's Code Quality report: a list of issues in the form of Code Climate, of which GitLab reads these fields.

use super::{CheckView, message, primary};
use crate::render::json::pretty;
use serde_json::{Value, json};
use unstale_audit::Severity;
use unstale_audit::fingerprint::fingerprints;

/// The report. It has findings only: GitLab has no place for a contract.
pub fn gitlab(view: &CheckView<'_>) -> String {
    let fingerprints = fingerprints(view.project, view.findings);
    let issues = view
        .findings
        .iter()
        .zip(fingerprints)
        .map(|(finding, fingerprint)| {
            let place = primary(view, finding);
            let (start, end) = place
                .as_ref()
                .map_or((1, 1), |place| (place.start.line, place.end.line));
            let path = place.map_or("", |place| place.path());
            json!({
                "description": message(&finding.message),
                "check_name": finding.rule,
                "fingerprint": fingerprint,
                "severity": level(finding.severity),
                "location": { "path": path, "lines": { "begin": start, "end": end } },
            })
        });
    pretty(&issues.collect::<Vec<Value>>())
}

/// `blocker` is kept for what stops a pipeline by itself.
fn level(of: Severity) -> &'static str {
    match of {
        Severity::High => "critical",
        Severity::Medium => "major",
        Severity::Low => "minor",
        Severity::Info => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::shop;
    use super::*;
    use insta::assert_snapshot;
    use std::collections::HashSet;

    #[test]
    fn the_report_is_as_gitlab_reads_it() {
        assert_snapshot!(gitlab(&shop().view()));
    }

    #[test]
    fn equal_findings_have_fingerprints_of_their_own() {
        let mut sample = shop();
        sample.findings.push(sample.findings[0].clone());
        let report: Vec<Value> = serde_json::from_str(&gitlab(&sample.view())).unwrap();
        let names: HashSet<_> = report
            .iter()
            .map(|issue| issue["fingerprint"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), report.len());
    }
}
