//! Findings for people: the place, the lines, what is wrong, and what to do.

use super::excerpt::{Excerpt, Mark, excerpts};
use super::{
    CheckView, Place, by_severity, confidence, contract, counted, cut, fix_option, fixable, message, severity,
};
use crate::render::data_has_colour;
use crate::text::runner_line;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Padding, Renderer, Snippet};
use std::fmt::Write;
use unstale_audit::{Applicability, Confidence, FileId, Finding, Severity};

/// How many characters of a label are shown.
const LABEL: usize = 120;
/// Lines are never cut to less than this, in columns.
const NARROW: usize = 30;

/// What the reader's terminal is like.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether there are colours.
    pub colour: bool,
    /// In columns.
    pub width: usize,
}

impl Look {
    /// What standard output is.
    pub fn of_stdout() -> Look {
        let width = console::Term::stdout()
            .size_checked()
            .map(|(_, columns)| usize::from(columns));
        Look {
            colour: data_has_colour(),
            width: width.unwrap_or(Look::default().width),
        }
    }
}

impl Default for Look {
    /// No terminal.
    fn default() -> Look {
        Look {
            colour: false,
            width: 120,
        }
    }
}

/// All findings, the lines of the contract, the notes, and a line that sums up.
pub fn text(view: &CheckView<'_>, look: Look) -> String {
    let mut text = String::new();
    for finding in view.findings {
        text.push_str(&self::finding(view, finding, look));
        text.push_str("\n\n");
    }
    if let Some(lines) = view.contract {
        text.push_str(&contract::text(view.project, lines));
        text.push('\n');
    }
    for note in view.notes {
        let _ = writeln!(text, "note: {}", message(note));
    }
    text.push_str(&summary(view));
    text.push('\n');
    text
}

/// `3 findings: 2 high, 1 low (1 can be fixed with --fix); 2 suppressed; 1 less sure (--min-confidence low); 37 files`.
pub fn summary(view: &CheckView<'_>) -> String {
    let findings = view.findings;
    let mut text = match findings.len() {
        0 => "no findings".to_owned(),
        count => format!(
            "{}: {}",
            counted(count, "finding"),
            by_severity(findings.iter().map(|finding| finding.severity))
        ),
    };
    let (safe, more) = (
        fixable(findings, Applicability::Safe),
        fixable(findings, Applicability::Unsafe),
    );
    let _ = match (safe, more) {
        (0, 0) => Ok(()),
        (safe, 0) => write!(text, " ({safe} can be fixed with --fix)"),
        (0, more) => write!(text, " ({more} can be fixed with --fix --unsafe)"),
        (safe, more) => write!(
            text,
            " ({safe} can be fixed with --fix, {more} more with --unsafe)"
        ),
    };
    if view.suppressed > 0 {
        let _ = write!(text, "; {} suppressed", view.suppressed);
    }
    if view.unsure > 0 {
        let _ = write!(text, "; {} less sure (--min-confidence low)", view.unsure);
    }
    let _ = write!(text, "; {}", counted(view.files, "file"));
    text
}

fn finding(view: &CheckView<'_>, finding: &Finding, look: Look) -> String {
    let title = match finding.confidence {
        Confidence::High => message(&finding.message),
        of => format!("{} ({} confidence)", message(&finding.message), confidence(of)),
    };
    let mut group = Group::with_title(level(finding.severity).primary_title(title).id(finding.rule));
    let places: Vec<_> = finding
        .locations
        .iter()
        .map(|location| (location, Place::new(view.project, location)))
        .collect();
    // The file of what the finding is about comes first.
    let mut files: Vec<FileId> = Vec::new();
    for (location, _) in &places {
        if !files.contains(&location.file) {
            files.push(location.file);
        }
    }
    let last = places.iter().map(|(_, place)| place.end.line).max().unwrap_or(1);
    let gutter = last.to_string().len() + 4;
    let mut is_next = false;
    for file in files {
        let mut marks = Vec::new();
        for (index, (location, place)) in places.iter().enumerate() {
            if location.file == file {
                let label = location.label.as_deref().map(|label| cut(label, LABEL));
                marks.push(Mark::new(place, label, index == 0));
            }
        }
        let source = &view.project.file(file).source;
        let width = look.width.saturating_sub(gutter).max(NARROW);
        let mut excerpts = excerpts(source, marks, width);
        // The excerpt with what the finding is about comes first.
        excerpts.sort_by_key(|excerpt| !excerpt.marks.iter().any(|mark| mark.is_primary));
        for excerpt in excerpts {
            let is_here = |place: &Place<'_>| {
                let lines = excerpt.first_line..=excerpt.first_line + excerpt.text.matches('\n').count();
                lines.contains(&place.start.line)
            };
            let mut here = places
                .iter()
                .filter(|(location, place)| location.file == file && is_here(place));
            let mut origin = Origin::path(runner_line(source.path()));
            if let Some((_, place)) = here.next() {
                origin = origin.line(place.start.line).char_column(place.start.column);
            }
            if is_next {
                group = group.element(Padding);
            }
            is_next = true;
            group = group.element(origin).element(snippet(excerpt));
        }
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(message(help)));
    }
    if let Some(fix) = &finding.fix {
        let option = format!("fixable with {}", fix_option(fix.applicability));
        group = group.element(Level::NOTE.with_name(option).message(message(&fix.title)));
    }
    without_nameless(&renderer(look).render(&[group]))
}

/// The library names the file above each snippet, with a column of the line as it is shown. Ours have been cut, so the
/// place is named by an element of its own, and the line for a name that there is not is taken out.
fn without_nameless(text: &str) -> String {
    let is_nameless = |line: &&str| {
        let mut plain = String::new();
        let mut parts = line.split('\u{1b}');
        plain.push_str(parts.next().unwrap_or_default());
        for part in parts {
            plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
        }
        plain.trim() == ":::"
    };
    let lines: Vec<&str> = text.split('\n').filter(|line| !is_nameless(line)).collect();
    lines.join("\n")
}

fn snippet(excerpt: Excerpt) -> Element<'static> {
    let annotations = excerpt.marks.into_iter().map(|mark| {
        let kind = match mark.is_primary {
            true => AnnotationKind::Primary,
            false => AnnotationKind::Context,
        };
        kind.span(mark.span.start..mark.span.end).label(mark.label)
    });
    let annotations: Vec<_> = annotations.collect();
    Snippet::source(excerpt.text)
        .line_start(excerpt.first_line)
        .annotations(annotations)
        .into()
}

fn level(of: Severity) -> Level<'static> {
    let level = match of {
        Severity::High => Level::ERROR,
        Severity::Medium => Level::WARNING,
        Severity::Low => Level::NOTE,
        Severity::Info => Level::INFO,
    };
    level.with_name(severity(of))
}

/// The lines are cut already; the library only shifts those with much white space before them.
fn renderer(look: Look) -> Renderer {
    let renderer = match look.colour {
        true => Renderer::styled().hyperlink(false),
        false => Renderer::plain(),
    };
    renderer.term_width(10 * look.width.max(NARROW))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, finding_at, shop};
    use super::*;
    use crate::text::is_hostile;
    use insta::assert_snapshot;

    #[test]
    fn findings_show_their_lines() {
        assert_snapshot!(text(&shop().view(), Look::default()));
    }

    #[test]
    fn colours_are_only_colours() {
        let sample = shop();
        let coloured = text(
            &sample.view(),
            Look {
                colour: true,
                width: 120,
            },
        );
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, text(&sample.view(), Look::default()));
        assert!(coloured.contains("\u{1b}["));
    }

    #[test]
    fn marks_stand_under_what_they_mean() {
        let line = "\tRUN \u{1b}[31m日本 curl http://x/latest\r";
        let content = format!("FROM a\n{line}\n");
        let at = content.find("curl").unwrap();
        let sample = Sample::new(&[("Dockerfile", &content)], |project| {
            vec![finding_at(project, 0, at..at + 4)]
        });
        let shown = text(&sample.view(), Look::default());
        assert!(shown.chars().all(|c| c == '\n' || !is_hostile(c)), "{shown:?}");
        let lines: Vec<_> = shown.lines().collect();
        let index = lines.iter().position(|line| line.contains("curl")).unwrap();
        let column = crate::text::width(&lines[index][..lines[index].find("curl").unwrap()]);
        assert_eq!(lines[index + 1].find('^'), Some(column), "{shown}");
        assert!(shown.contains("Dockerfile:2:14"), "{shown}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let content = format!("{} x {}\n", "a ".repeat(30_000), "b ".repeat(30_000));
        let sample = Sample::new(&[("Dockerfile", &content)], |project| {
            vec![
                finding_at(project, 0, 60_001..60_002),
                finding_at(project, 0, 3..100_000),
            ]
        });
        let look = Look {
            colour: false,
            width: 80,
        };
        for line in text(&sample.view(), look).lines() {
            assert!(crate::text::width(line) <= 80, "{line}");
        }
    }

    #[test]
    fn nothing_found_is_said() {
        let sample = Sample::new(&[("Dockerfile", "FROM a\n")], |_| Vec::new());
        assert_eq!(text(&sample.view(), Look::default()), "no findings; 1 file\n");
    }
}
