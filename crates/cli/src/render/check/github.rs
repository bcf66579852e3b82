//! Annotations of GitHub's workflow commands, and the summary of a job.
//!
//! The runner reads commands from the log: what comes from a file must never become one. How a command is escaped is said
//! by the runner's own reader (`ActionCommand` in actions/runner) and by `@actions/core`.

use super::{
    CheckView, ContractLine, Place, SEVERITIES, by_severity, markdown, message, primary, severity, text,
};
use crate::text::runner_line;
use std::cmp::Reverse;
use std::fmt::Write;
use unstale_audit::{Finding, Severity};

/// How many annotations of each level GitHub shows of a step.
const OF_LEVEL: usize = 10;
/// A summary's limit is 1 MiB; more findings than these are counted only.
const ROWS: usize = 1000;
/// And the rows together may have so many bytes.
const BYTES: usize = 900_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

/// What can be an annotation, or a line of the log.
struct Entry {
    severity: Severity,
    command: String,
    line: String,
}

/// The worst as annotations, the others as lines of the log, and a line that sums up.
pub fn github(view: &CheckView<'_>) -> String {
    let broken = view
        .contract
        .unwrap_or_default()
        .iter()
        .filter(|line| !line.holds);
    let mut entries: Vec<Entry> = broken.map(|line| contract(view, line)).collect();
    entries.extend(view.findings.iter().map(|of| finding(view, of)));
    // Stable: what is of one severity stays in its order, and the contract comes first.
    entries.sort_by_key(|entry| Reverse(entry.severity));
    let count = |of: Level| entries.iter().filter(|entry| level(entry.severity) == of).count();
    let levels = [Level::Error, Level::Warning, Level::Notice];
    let too_many = levels.iter().any(|&of| count(of) > OF_LEVEL);
    let mut room = levels.map(|of| match of {
        // The notice that counts the others takes a place.
        Level::Notice if too_many => OF_LEVEL - 1,
        _ => OF_LEVEL,
    });
    let mut text = String::new();
    let mut rest: Vec<&Entry> = Vec::new();
    for entry in &entries {
        let room = &mut room[level(entry.severity) as usize];
        match room.checked_sub(1) {
            Some(left) => {
                *room = left;
                text.push_str(&entry.command);
            }
            None => rest.push(entry),
        }
    }
    if !rest.is_empty() {
        let words = format!(
            "{} more in the log: {}",
            rest.len(),
            by_severity(rest.iter().map(|of| of.severity))
        );
        let _ = writeln!(text, "::notice title=unstale check::{}", data(&words));
    }
    for entry in rest {
        let _ = writeln!(text, "{}", entry.line);
    }
    for note in view.notes {
        let _ = writeln!(text, "note: {}", message(note));
    }
    let _ = writeln!(text, "{}", text::summary(view));
    text
}

fn finding(view: &CheckView<'_>, finding: &Finding) -> Entry {
    let place = primary(view, finding);
    let mut words = message(&finding.message);
    let name = format!("{}[{}]", severity(finding.severity), finding.rule);
    let line = log_line(place.as_ref(), &name, &words);
    if let Some(help) = &finding.help {
        words = format!("{words}\nhelp: {}", message(help));
    }
    Entry {
        severity: finding.severity,
        command: command(level(finding.severity), place.as_ref(), finding.rule, &words),
        line,
    }
}

fn contract(view: &CheckView<'_>, line: &ContractLine) -> Entry {
    let words = [Some(&line.name), line.detail.as_ref(), line.hint.as_ref()];
    let words: Vec<_> = words.into_iter().flatten().map(|words| message(words)).collect();
    let words = words.join(": ");
    let place = line.location.as_ref().map(|at| Place::new(view.project, at));
    Entry {
        severity: Severity::High,
        command: command(Level::Error, place.as_ref(), "contract", &words),
        line: log_line(place.as_ref(), "contract", &words),
    }
}

fn log_line(place: Option<&Place<'_>>, name: &str, words: &str) -> String {
    let place = place.map_or(String::new(), |place| {
        format!("{}:{}:{}: ", place.path(), place.start.line, place.start.column)
    });
    runner_line(&format!("{place}{name}: {words}"))
}

/// `::error file=…,line=…::…`. Columns are taken on one line only.
fn command(level: Level, place: Option<&Place<'_>>, title: &str, words: &str) -> String {
    let name = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let mut properties = String::new();
    if let Some(place) = place {
        let (start, end) = (place.start, place.end);
        let _ = write!(
            properties,
            "file={},line={},endLine={},",
            property(place.path()),
            start.line,
            end.line
        );
        if start.line == end.line {
            let _ = write!(
                properties,
                "col={},endColumn={},",
                start.column,
                end.column.max(start.column + 1)
            );
        }
    }
    format!(
        "::{name} {properties}title=unstale {}::{}\n",
        property(title),
        data(words)
    )
}

fn level(of: Severity) -> Level {
    match of {
        Severity::High => Level::Error,
        Severity::Medium => Level::Warning,
        Severity::Low | Severity::Info => Level::Notice,
    }
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command. What is hostile to a terminal would be in the log.
fn property(text: &str) -> String {
    let safe = |c: char| match c {
        '\r' | '\n' => c.to_string(),
        c if crate::text::is_hostile(c) => "\u{fffd}".to_owned(),
        c => c.to_string(),
    };
    let text: String = text.chars().map(safe).collect();
    data(&text).replace(':', "%3A").replace(',', "%2C")
}

/// What stands on a job's page (`$GITHUB_STEP_SUMMARY`), in Markdown.
pub fn job_summary(view: &CheckView<'_>) -> String {
    let mut page = format!("## unstale check\n\n{}\n", markdown::escape(&text::summary(view)));
    if let Some(lines) = view.contract {
        page.push('\n');
        for line in lines {
            let mark = if line.holds { "✅" } else { "❌" };
            let _ = write!(page, "- {mark} {}", markdown::escape(&message(&line.name)));
            if let (false, Some(detail)) = (line.holds, &line.detail) {
                let _ = write!(page, ": {}", markdown::escape(&message(detail)));
            }
            page.push('\n');
        }
    }
    if view.findings.is_empty() {
        return page;
    }
    page.push_str("\n| Severity | Rule | Place | What |\n|---|---|---|---|\n");
    let mut rows = 0;
    for of in SEVERITIES {
        for finding in view.findings.iter().filter(|finding| finding.severity == of) {
            let place = primary(view, finding).map_or(String::new(), |place| {
                markdown::code(&format!("{}:{}", message(place.path()), place.start.line))
            });
            let row = format!(
                "| {} | {} | {place} | {} |\n",
                severity(of),
                markdown::code(finding.rule),
                markdown::escape(&message(&finding.message)),
            );
            if rows == ROWS || page.len() + row.len() > BYTES {
                let _ = writeln!(page, "\nand {} more", view.findings.len() - rows);
                return page;
            }
            page.push_str(&row);
            rows += 1;
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, finding_at, shop};
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    #[test]
    fn findings_are_annotations() {
        assert_snapshot!(github(&shop().view()));
        assert_snapshot!(job_summary(&shop().view()));
    }

    #[test]
    fn no_more_than_github_shows() {
        let sample = Sample::new(&[("Dockerfile", &"FROM a\n".repeat(40))], |project| {
            let of = |index: usize| {
                let mut finding = finding_at(project, 0, index * 7..index * 7 + 4);
                finding.severity = [Severity::High, Severity::Low, Severity::Info][index % 3];
                finding
            };
            (0..40).map(of).collect()
        });
        let text = github(&sample.view());
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("::error "), 10);
        assert_eq!(count("::notice "), 10);
        assert_eq!(count("Dockerfile:"), 40 - 19);
        assert!(
            text.contains("::21 more in the log: 4 high, 4 low, 13 info\n"),
            "{text}"
        );
        // The worst come first: no notice for an info while there is a low one.
        assert!(!text.contains("::notice file=Dockerfile,line=3,"), "{text}");
        let page = job_summary(&sample.view());
        assert_eq!(page.matches("| `network-fetch-frozen` |").count(), 40);
    }

    #[test]
    fn a_summary_keeps_to_its_limit() {
        let sample = Sample::new(&[("Dockerfile", "FROM a\n")], |project| {
            let mut finding = finding_at(project, 0, 0..4);
            finding.message = "|".repeat(2000);
            vec![finding; 1500]
        });
        let page = job_summary(&sample.view());
        assert!(page.len() < 1 << 20, "{}", page.len());
        let shown = page.matches("| medium |").count();
        assert!(page.ends_with(&format!("\nand {} more\n", 1500 - shown)));
    }

    proptest! {
        /// As the runner reads it: what goes in comes out, and it is one command.
        #[test]
        fn a_value_comes_out_as_it_went_in(text in "[a:,%\r\n=;]{0,40}") {
            let value = property(&text);
            prop_assert!(!value.contains([':', ',', '\r', '\n']), "{value:?}");
            let read = value.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
            prop_assert_eq!(read.replace("%25", "%"), text);
        }
    }
}
