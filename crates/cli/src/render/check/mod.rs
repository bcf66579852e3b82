//! What `unstale check` writes, one file for each form.
//!
//! Every function here is pure: a [`CheckView`] in, text out. What is found, fixed and written is the business of the
//! command; which terminal there is, is told by [`text::Look`].

pub mod contract;
pub mod diff;
mod excerpt;
pub mod fixed;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod pages;
pub mod rules;
pub mod sarif;
pub mod text;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod sample;

use crate::text::runner_line;
use std::time::Duration;
pub use unstale_audit::contract::Line as ContractLine;
use unstale_audit::{
    Applicability, Confidence, Finding, Location, Position, Project, Severity, Source, Span,
};

/// How many characters of a message or a help are shown to people: some quote what a file says.
const MESSAGE: usize = 1000;

/// All that a check can say.
pub struct CheckView<'a> {
    /// The files that the findings are in.
    pub project: &'a Project,
    /// In the order in which they are shown. Suppressed ones are not among them.
    pub findings: &'a [Finding],
    /// What a person has to know of the check itself: a folder that could not be read.
    pub notes: &'a [String],
    /// The lines of the contract, if it was asked for.
    pub contract: Option<&'a [ContractLine]>,
    /// What `--fix` has done.
    pub fixed: &'a [Fixed],
    /// How many findings are suppressed by comments, configuration or the baseline.
    pub suppressed: usize,
    /// How many findings are not sure enough to be shown.
    pub unsure: usize,
    /// How many files were checked; manifests of packages are only read.
    pub files: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// What is known of a rule, by its id.
    pub rules: &'a dyn Fn(&str) -> RuleInfo,
}

/// What is known of a rule.
#[derive(Debug, Clone)]
pub struct RuleInfo {
    /// Its name.
    pub id: String,
    /// What it finds, in one line.
    pub summary: String,
    /// All about it, in Markdown.
    pub documentation: String,
    /// The highest severity that it gives.
    pub severity: Severity,
    /// Whether one of its findings can have a fix.
    pub fixable: bool,
    /// Where the documentation can be read.
    pub url: Option<String>,
}

/// One thing that `--fix` has done.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The file.
    pub path: String,
    /// [`unstale_audit::Fix::change`].
    pub change: String,
    /// [`unstale_audit::Fix::impact`].
    pub impact: String,
}

/// A file that a fix has changed, or would change.
#[derive(Debug, Clone, Copy)]
pub struct ChangedFile<'a> {
    /// Relative to the checked folder.
    pub path: &'a str,
    /// What it was; nothing for a new file.
    pub before: Option<&'a str>,
    /// What it becomes.
    pub after: &'a str,
}

/// A location in numbers, for people and for other programs.
struct Place<'a> {
    source: &'a Source,
    /// Without a line break at its end, and within the text.
    span: Span,
    start: Position,
    /// After the last character.
    end: Position,
}

impl<'a> Place<'a> {
    fn new(project: &'a Project, location: &Location) -> Place<'a> {
        let source = &project.file(location.file).source;
        let span = trimmed(source.text(), location.span);
        Place {
            source,
            span,
            start: source.position(span.start),
            end: source.position(span.end),
        }
    }

    fn path(&self) -> &'a str {
        self.source.path()
    }
}

/// Where a finding is, if it says so.
fn primary<'a>(view: &CheckView<'a>, finding: &Finding) -> Option<Place<'a>> {
    let first = finding.locations.first()?;
    Some(Place::new(view.project, first))
}

/// A span as it fits the text, at borders of characters, without the line break at its end.
fn trimmed(text: &str, span: Span) -> Span {
    let start = boundary(text, span.start);
    let end = boundary(text, span.end.max(span.start));
    let kept = Span::new(start, end).slice(text).trim_end_matches(['\n', '\r']);
    match kept.is_empty() {
        // Nothing but line breaks: the first of them.
        true => Span::new(start, start),
        false => Span::new(start, start + kept.len()),
    }
}

/// The border of a character at or before a byte.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The severities, the worst first.
const SEVERITIES: [Severity; 4] = [Severity::High, Severity::Medium, Severity::Low, Severity::Info];

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

fn applicability(applicability: Applicability) -> &'static str {
    match applicability {
        Applicability::Safe => "safe",
        Applicability::Unsafe => "unsafe",
    }
}

/// The option that applies a fix.
fn fix_option(of: Applicability) -> &'static str {
    match of {
        Applicability::Safe => "--fix",
        Applicability::Unsafe => "--fix --unsafe",
    }
}

fn count_of(findings: &[Finding], severity: Severity) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}

fn fixable(findings: &[Finding], of: Applicability) -> usize {
    let fixes = findings.iter().filter_map(|finding| finding.fix.as_ref());
    fixes.filter(|fix| fix.applicability == of).count()
}

/// `1 finding`, `2 findings`.
fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// `2 high, 1 low`: the severities that there are.
fn by_severity(severities: impl Iterator<Item = Severity> + Clone) -> String {
    let count = |of: Severity| severities.clone().filter(|&severity| severity == of).count();
    let counts = SEVERITIES.map(|of| (count(of), severity(of)));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    counts
        .map(|(count, name)| format!("{count} {name}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A message or help in one line that people can read and that no runner obeys.
fn message(text: &str) -> String {
    cut(text, MESSAGE)
}

/// As [`message`], with no more characters than that.
fn cut(text: &str, most: usize) -> String {
    let text = runner_line(text);
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text,
    }
}
