//! `unstale.check/1` and `unstale.rules/1`, as docs/json.md has them.

use super::{
    CheckView, ContractLine, Place, RuleInfo, SEVERITIES, applicability, confidence, count_of, fixable,
    severity,
};
use crate::render::json::pretty;
use serde_json::{Map, Value, json};
use unstale_audit::{Applicability, Finding, Location, Project};

/// `unstale.check/1`.
pub fn json(view: &CheckView<'_>) -> String {
    let findings = view.findings;
    let counts: Map<String, Value> = SEVERITIES
        .iter()
        .map(|&of| (severity(of).to_owned(), json!(count_of(findings, of))))
        .collect();
    let fixed = view
        .fixed
        .iter()
        .map(|fixed| json!({ "path": fixed.path, "change": fixed.change, "impact": fixed.impact }));
    let contract = |lines: &[ContractLine]| {
        let lines = lines.iter().map(|line| contract_line(view.project, line));
        lines.collect::<Vec<_>>()
    };
    pretty(&json!({
        "schema": "unstale.check/1",
        "findings": findings.iter().map(|of| finding(view.project, of)).collect::<Vec<_>>(),
        "contract": view.contract.map(contract),
        "fixed": fixed.collect::<Vec<_>>(),
        "notes": view.notes,
        "summary": {
            "findings": findings.len(),
            "by_severity": counts,
            "fixable": {
                "safe": fixable(findings, Applicability::Safe),
                "unsafe": fixable(findings, Applicability::Unsafe),
            },
            "suppressed": view.suppressed,
            "unsure": view.unsure,
            "files": view.files,
            "duration_ms": u64::try_from(view.elapsed.as_millis()).unwrap_or(u64::MAX),
        },
    }))
}

/// `unstale.rules/1`.
pub fn rules(rules: &[RuleInfo]) -> String {
    let rule = |rule: &RuleInfo| {
        json!({
            "id": rule.id,
            "severity": severity(rule.severity),
            "fixable": rule.fixable,
            "summary": rule.summary,
            "url": rule.url,
        })
    };
    pretty(&json!({
        "schema": "unstale.rules/1",
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
    }))
}

fn finding(project: &Project, finding: &Finding) -> Value {
    let locations = finding.locations.iter().enumerate().map(|(index, location)| {
        let mut value = place(project, location);
        value["primary"] = json!(index == 0);
        value["label"] = json!(location.label);
        value
    });
    let fix = finding
        .fix
        .as_ref()
        .map(|fix| json!({ "title": fix.title, "applicability": applicability(fix.applicability) }));
    json!({
        "rule": finding.rule,
        "severity": severity(finding.severity),
        "confidence": confidence(finding.confidence),
        "message": finding.message,
        "help": finding.help,
        "locations": locations.collect::<Vec<_>>(),
        "fix": fix,
    })
}

fn contract_line(project: &Project, line: &ContractLine) -> Value {
    json!({
        "name": line.name,
        "holds": line.holds,
        "detail": line.detail,
        "location": line.location.as_ref().map(|location| place(project, location)),
        "hint": line.hint,
    })
}

fn place(project: &Project, location: &Location) -> Value {
    let place = Place::new(project, location);
    json!({
        "path": place.path(),
        "line": place.start.line,
        "column": place.start.column,
        "end_line": place.end.line,
        "end_column": place.end.column,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{rule, shop};
    use insta::assert_snapshot;

    #[test]
    fn the_documents_are_as_documented() {
        assert_snapshot!(super::json(&shop().view()));
        assert_snapshot!(super::rules(&[rule("inline-cache"), rule("broad-copy")]));
    }
}
