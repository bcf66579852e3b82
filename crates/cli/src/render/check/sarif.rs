//! SARIF 2.1.0, as code scanning services and editors read it.
//!
//! The form is that of the standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0" of OASIS; a test
//! holds it against the standard's own schema.

use super::{CheckView, Place, RuleInfo, applicability, confidence, severity};
use crate::render::json::pretty;
use crate::text::clean_line;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use unstale_audit::fingerprint::fingerprints;
use unstale_audit::{Edit, FileId, Finding, Fix, Position, Project, Severity, Source, Span};

/// What paths are relative to: the checked folder.
const ROOT: &str = "%SRCROOT%";

/// The log of one run.
pub fn sarif(view: &CheckView<'_>) -> String {
    let mut rules: BTreeMap<&str, usize> = view.findings.iter().map(|finding| (finding.rule, 0)).collect();
    for (index, place) in rules.values_mut().enumerate() {
        *place = index;
    }
    let descriptors = rules.keys().map(|id| descriptor(&(view.rules)(id)));
    let fingerprints = fingerprints(view.project, view.findings);
    let results = view
        .findings
        .iter()
        .zip(&fingerprints)
        .map(|(finding, fingerprint)| result(view.project, finding, rules[finding.rule], fingerprint));
    let notes = view
        .notes
        .iter()
        .map(|note| json!({ "level": "warning", "message": text(note) }));
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "unstale",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": descriptors.collect::<Vec<_>>(),
                },
            },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { ROOT: { "description": { "text": "The folder that was checked." } } },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notes.collect::<Vec<_>>(),
            }],
            "results": results.collect::<Vec<_>>(),
            "properties": { "suppressed": view.suppressed, "unsure": view.unsure },
        }],
    }))
}

fn descriptor(rule: &RuleInfo) -> Value {
    let mut descriptor = json!({
        "id": rule.id,
        "shortDescription": { "text": sentence(&rule.summary) },
        "fullDescription": { "text": sentence(&rule.summary) },
        "help": { "text": rule.documentation, "markdown": rule.documentation },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "severity": severity(rule.severity), "fixable": rule.fixable },
    });
    if let Some(url) = &rule.url {
        descriptor["helpUri"] = json!(url);
    }
    descriptor
}

fn result(project: &Project, finding: &Finding, index: usize, fingerprint: &str) -> Value {
    let mut places = finding
        .locations
        .iter()
        .map(|of| (Place::new(project, of), of.label.as_deref()));
    let locations: Vec<_> = places
        .by_ref()
        .take(1)
        .map(|(place, label)| location(&place, label))
        .collect();
    let related = places.enumerate().map(|(index, (place, label))| {
        let mut location = location(&place, Some(label.unwrap_or("see here")));
        location["id"] = json!(index + 1);
        location
    });
    let mut words = finding.message.clone();
    if let Some(help) = &finding.help {
        words = format!("{words}: {help}");
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": text(&words),
        "locations": locations,
        "relatedLocations": related.collect::<Vec<_>>(),
        "partialFingerprints": { "unstaleLine/v1": fingerprint },
        "properties": {
            "severity": severity(finding.severity),
            "confidence": confidence(finding.confidence),
        },
    });
    if let Some(fix) = &finding.fix {
        result["fixes"] = json!([self::fix(project, fix)]);
    }
    result
}

fn fix(project: &Project, fix: &Fix) -> Value {
    let mut files: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for edit in &fix.edits {
        files.entry(edit.file).or_default().push(edit);
    }
    let changes = files.into_iter().map(|(file, mut edits)| {
        edits.sort();
        let source = &project.file(file).source;
        let replacements = edits.iter().map(|edit| {
            json!({ "deletedRegion": region(source, edit.span), "insertedContent": { "text": edit.content } })
        });
        json!({
            "artifactLocation": artifact(source.path()),
            "replacements": replacements.collect::<Vec<_>>(),
        })
    });
    json!({
        "description": text(&fix.title),
        "artifactChanges": changes.collect::<Vec<_>>(),
        "properties": { "applicability": applicability(fix.applicability) },
    })
}

fn location(place: &Place<'_>, label: Option<&str>) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": artifact(place.path()),
            "region": numbers(place.start, place.end),
        },
    });
    if let Some(label) = label {
        location["message"] = text(label);
    }
    location
}

fn artifact(path: &str) -> Value {
    json!({ "uri": uri(path), "uriBaseId": ROOT })
}

/// The exact region of an edit: the end of a line with its line break is the beginning of the next.
fn region(source: &Source, span: Span) -> Value {
    numbers(position(source, span.start), position(source, span.end))
}

/// After the last line break there is no line: the end of the text is on the last line, after the line break (3.30.2).
fn position(source: &Source, at: usize) -> Position {
    match at == source.text().len() && source.text().ends_with('\n') {
        true => {
            let last = source.position(at - 1);
            Position {
                line: last.line,
                column: last.column + 1,
            }
        }
        false => source.position(at),
    }
}

fn numbers(start: Position, end: Position) -> Value {
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

fn level(of: Severity) -> &'static str {
    match of {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// A message. `{0}` would be a placeholder (3.11.5), and `[words](target)` a link, of which a file could choose the
/// target (3.11.6).
fn text(words: &str) -> Value {
    let mut words = clean_line(words).replace('{', "{{").replace('}', "}}");
    if words.contains("](") {
        words = words
            .replace('\\', "\\\\")
            .replace('[', "\\[")
            .replace(']', "\\]");
    }
    json!({ "text": words })
}

fn sentence(words: &str) -> String {
    let words = clean_line(words);
    match words.ends_with('.') {
        true => words,
        false => format!("{words}."),
    }
}

/// A path as a relative reference of RFC 3986: what has a meaning of its own is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' | b'+' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::{Sample, shop};
    use super::*;
    use insta::assert_snapshot;
    use jsonschema::Validator;
    use std::sync::LazyLock;

    /// Errors of a log by the schema of the standard.
    pub fn errors(log: &str) -> Vec<String> {
        static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
            let schema = include_str!("../../../tests/fixtures/sarif-2.1.0/sarif-schema-2.1.0.json");
            // A lone `]` stands for itself in the standard's regular expressions, but not in those of this validator.
            let schema = schema.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$");
            let schema: Value = serde_json::from_str(&schema).unwrap();
            let options = jsonschema::options().should_validate_formats(true);
            options.build(&schema).unwrap()
        });
        let log: Value = serde_json::from_str(log).unwrap();
        SCHEMA.iter_errors(&log).map(|error| error.to_string()).collect()
    }

    #[test]
    fn the_log_is_as_expected() {
        let log = sarif(&shop().view()).replace(env!("CARGO_PKG_VERSION"), "[version]");
        assert_snapshot!(log);
    }

    #[test]
    fn the_schema_of_the_standard_takes_the_log() {
        assert_eq!(errors(&sarif(&shop().view())), [] as [&str; 0]);
        let nothing = Sample::new(&[], |_| Vec::new());
        assert_eq!(errors(&sarif(&nothing.view())), [] as [&str; 0]);
        let broken = sarif(&shop().view()).replace("\"startLine\": 7", "\"startLine\": 0");
        assert_ne!(errors(&broken), [] as [&str; 0]);
    }

    /// What a reader of SARIF does with a fix gives what the edits say.
    #[test]
    fn the_regions_of_fixes_are_exact() {
        let sample = shop();
        let log: Value = serde_json::from_str(&sarif(&sample.view())).unwrap();
        let replacement = &log["runs"][0]["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0];
        let number = |name: &str| replacement["deletedRegion"][name].as_u64().unwrap() as usize;
        assert_eq!(
            ["startLine", "startColumn", "endLine", "endColumn"].map(number),
            [7, 1, 8, 1]
        );
        assert_eq!(replacement["insertedContent"]["text"], "");
        // The standard's own example of a text's end (3.30.2, example 8).
        let source = Source::new("f", "abcd\r\nefg\r\nhijk\r\nlmn\r\n");
        assert_eq!(position(&source, 22), Position { line: 4, column: 6 });
        assert_eq!(position(&source, 17), Position { line: 4, column: 1 });
    }

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("a b/ü#?%:x.yml"), "a%20b/%C3%BC%23%3F%25%3Ax.yml");
        assert_eq!(text("see [x](http://y)")["text"], "see \\[x\\](http://y)");
        assert_eq!(text("${A} [1]")["text"], "${{A}} [1]");
    }
}
