//! JUnit's XML: a suite for each file, a failed case for each finding; the contract is a suite of its own.

use super::{CheckView, ContractLine, Place, message, primary, severity};
use crate::text::clean_line;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::HashMap;
use std::fmt::Write;
use unstale_audit::Finding;

/// The report. Readers complain of one without any case: where nothing is found, that is the case.
pub fn junit(view: &CheckView<'_>) -> String {
    let mut report = Report::new("unstale check");
    report.set_time(view.elapsed);
    let mut suites: Vec<TestSuite> = Vec::new();
    let mut by_path: HashMap<&str, usize> = HashMap::new();
    for finding in view.findings {
        let path = primary(view, finding).map_or("", |place| place.path());
        let index = *by_path.entry(path).or_insert_with(|| {
            suites.push(TestSuite::new(clean(path)));
            suites.len() - 1
        });
        suites[index].add_test_case(case(view, finding));
    }
    if suites.is_empty() {
        let mut suite = TestSuite::new("unstale check");
        suite.add_test_case(TestCase::new("no findings", TestCaseStatus::success()));
        suites.push(suite);
    }
    report.add_test_suites(suites);
    if let Some(lines) = view.contract {
        let mut suite = TestSuite::new("contract");
        suite.add_test_cases(lines.iter().map(|line| contract(view, line)));
        report.add_test_suite(suite);
    }
    report.to_string().unwrap_or_default()
}

fn case(view: &CheckView<'_>, finding: &Finding) -> TestCase {
    let places: Vec<_> = finding
        .locations
        .iter()
        .map(|location| (Place::new(view.project, location), location.label.as_deref()))
        .collect();
    let name = places.first().map_or(finding.rule.to_owned(), |(place, _)| {
        format!("{} {}:{}", finding.rule, place.start.line, place.start.column)
    });
    let mut more = String::new();
    for (place, label) in &places {
        let _ = writeln!(more, "{}", at(place, *label));
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(more, "help: {}", message(help));
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(format!("{}[{}]", severity(finding.severity), finding.rule));
    status.set_message(clean(&message(&finding.message)));
    status.set_description(clean_lines(&more));
    let mut case = TestCase::new(name, status);
    case.set_classname(clean(places.first().map_or("", |(place, _)| place.path())));
    case
}

fn contract(view: &CheckView<'_>, line: &ContractLine) -> TestCase {
    let status = match line.holds {
        true => TestCaseStatus::success(),
        false => {
            let mut more = String::new();
            if let Some(location) = &line.location {
                let _ = writeln!(more, "{}", at(&Place::new(view.project, location), None));
            }
            if let Some(hint) = &line.hint {
                let _ = writeln!(more, "hint: {}", message(hint));
            }
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("contract");
            status.set_message(clean(&message(line.detail.as_deref().unwrap_or("does not hold"))));
            status.set_description(clean_lines(&more));
            status
        }
    };
    let mut case = TestCase::new(clean(&message(&line.name)), status);
    case.set_classname("contract");
    case
}

fn at(place: &Place<'_>, label: Option<&str>) -> String {
    let label = label.map_or(String::new(), |label| format!(": {}", message(label)));
    let path = clean_line(place.path());
    format!("{path}:{}:{}{label}", place.start.line, place.start.column)
}

/// What XML can hold. The writer takes out what else it cannot.
fn clean(text: &str) -> String {
    clean_line(text).replace(is_no_xml, "\u{fffd}")
}

fn clean_lines(text: &str) -> String {
    text.trim_end().replace(is_no_xml, "\u{fffd}")
}

/// Characters that are no characters of XML 1.0, whatever escape they are written with.
fn is_no_xml(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, shop};
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn findings_are_failures() {
        assert_snapshot!(junit(&shop().view()));
    }

    #[test]
    fn nothing_found_is_a_case_that_passes() {
        let text = junit(&Sample::new(&[], |_| Vec::new()).view());
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(
            (root.attribute("tests"), root.attribute("failures")),
            (Some("1"), Some("0"))
        );
    }
}
