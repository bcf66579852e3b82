//! Suppressions: comments in the files, and paths in the settings.
//!
//! ```text
//! # unstale: ignore[rule] why            at the end of a line, or alone on the line before what it is about
//! # unstale: ignore-file[rule] why       anywhere: for the whole file
//! ```
//!
//! Several rules are separated by commas. A comment that suppresses nothing is a finding of its own.

use crate::rules::{self, SUPPRESSION};
use crate::{Applicability, Confidence, Edit, FileId, Finding, Fix, Project, Source, Span};
use std::collections::HashMap;

/// A suppression comment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comment {
    rules: Vec<String>,
    reason: String,
    whole_file: bool,
    /// From its `#` to the end of the line.
    span: Span,
    /// The line that it stands on, from 1.
    line: usize,
    /// Whether nothing else stands on that line.
    alone: bool,
}

/// Takes the findings out that a comment of their file suppresses, and adds those about such comments. Gives how many were
/// taken out. With `rules`, only these rules ran: comments about others cannot be judged.
pub fn by_comments(project: &Project, findings: &mut Vec<Finding>, ran: &dyn Fn(&str) -> bool) -> usize {
    let mut comments: HashMap<FileId, Vec<(Comment, Vec<bool>)>> = HashMap::new();
    for (id, file) in project.files() {
        let found = read(&file.source);
        if !found.is_empty() {
            let with_use = found.into_iter().map(|comment| {
                let used = vec![false; comment.rules.len()];
                (comment, used)
            });
            comments.insert(id, with_use.collect());
        }
    }
    if comments.is_empty() {
        return 0;
    }
    let before = findings.len();
    findings.retain(|finding| {
        let (file, span) = finding.place();
        let Some(of_file) = comments.get_mut(&file) else {
            return true;
        };
        let source = &project.file(file).source;
        let first = source.position(span.start).line;
        let last = source.position(span.end.saturating_sub(1).max(span.start)).line;
        let mut kept = true;
        for (comment, used) in of_file {
            if !covers(source, comment, first, last) {
                continue;
            }
            for (rule, used) in comment.rules.iter().zip(used) {
                if rule == finding.rule {
                    *used = true;
                    kept = false;
                }
            }
        }
        kept
    });
    let suppressed = before - findings.len();
    let mut ids: Vec<_> = comments.keys().copied().collect();
    ids.sort();
    for id in ids {
        for (comment, used) in &comments[&id] {
            judge(&project.file(id).source, id, comment, used, ran, findings);
        }
    }
    suppressed
}

/// What is wrong with a comment itself.
fn judge(
    source: &Source,
    file: FileId,
    comment: &Comment,
    used: &[bool],
    ran: &dyn Fn(&str) -> bool,
    findings: &mut Vec<Finding>,
) {
    let finding = |message: String| {
        let place = (file, comment.span);
        Finding::new(
            SUPPRESSION.id,
            SUPPRESSION.severity,
            Confidence::High,
            message,
            place,
        )
    };
    if !ran(SUPPRESSION.id) {
        return;
    }
    for (rule, used) in comment.rules.iter().zip(used) {
        if rules::find(rule).is_none() {
            let help = "the rules are listed by: unstale check --list-rules";
            findings.push(finding(format!("no rule is called {rule:?}")).help(help));
        } else if !used && ran(rule) && rule != SUPPRESSION.id {
            let unused = finding(format!("nothing here is found by {rule}")).help("take the comment out");
            let fix = (comment.rules.len() == 1).then(|| removal(source, file, comment, rule));
            findings.push(unused.fix(fix));
        }
    }
    if comment.reason.is_empty() && used.contains(&true) {
        findings.push(
            finding("a suppression without a reason".to_owned())
                .help("say behind the bracket why the finding does not matter here"),
        );
    }
}

fn removal(source: &Source, file: FileId, comment: &Comment, rule: &str) -> Fix {
    let span = if comment.alone {
        source.whole_lines(comment.span)
    } else {
        let before = &source.text()[..comment.span.start];
        Span::new(before.trim_end_matches([' ', '\t']).len(), comment.span.end)
    };
    Fix {
        title: format!("remove the suppression of {rule}"),
        change: format!("Removed a suppression of {rule}"),
        impact: "A new finding at this place will be shown".to_owned(),
        applicability: Applicability::Safe,
        edits: vec![Edit {
            file,
            span,
            content: String::new(),
        }],
    }
}

/// Whether a comment is about what stands on the lines `first` to `last`.
fn covers(source: &Source, comment: &Comment, first: usize, last: usize) -> bool {
    if comment.whole_file || (first..=last).contains(&comment.line) {
        return true;
    }
    // Alone, it is about the first line after it that is no comment.
    comment.alone
        && comment.line < first
        && (comment.line + 1..first).all(|line| {
            let text = source.line(line).unwrap_or_default().slice(source.text());
            text.trim_start().starts_with('#')
        })
}

fn read(source: &Source) -> Vec<Comment> {
    let text = source.text();
    let mut comments = Vec::new();
    for (at, _) in text.match_indices("unstale:") {
        let position = source.position(at);
        let Some(line) = source.line(position.line) else {
            continue;
        };
        let before = text.get(line.start..at).unwrap_or_default();
        let trimmed = before.trim_end();
        if !trimmed.ends_with('#') {
            continue;
        }
        let start = line.start + trimmed.trim_end_matches('#').len();
        let alone = text.get(line.start..start).unwrap_or_default().trim().is_empty();
        let rest = text
            .get(at + "unstale:".len()..line.end)
            .unwrap_or_default()
            .trim_start();
        let (whole_file, rest) = match rest.strip_prefix("ignore-file") {
            Some(rest) => (true, rest),
            None => match rest.strip_prefix("ignore") {
                Some(rest) => (false, rest),
                None => continue,
            },
        };
        let Some((rules, reason)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
            continue;
        };
        comments.push(Comment {
            rules: rules
                .split(',')
                .map(|rule| rule.trim().to_owned())
                .filter(|rule| !rule.is_empty())
                .collect(),
            reason: reason.trim_start_matches([':', '-', ' ']).trim().to_owned(),
            whole_file,
            span: Span::new(start, line.end),
            line: position.line,
            alone,
        });
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_with_their_place() {
        let source = Source::new(
            "Dockerfile",
            "# unstale: ignore[a-b, c] because\nFROM x # unstale: ignore-file[d]\necho unstale: ignore[e]\n",
        );
        let comments = read(&source);
        assert_eq!(comments.len(), 2);
        assert_eq!(
            (comments[0].rules.clone(), comments[0].alone),
            (vec!["a-b".to_owned(), "c".to_owned()], true)
        );
        assert_eq!(comments[0].reason, "because");
        assert_eq!((comments[1].whole_file, comments[1].alone), (true, false));
        assert_eq!(comments[1].span.slice(source.text()), "# unstale: ignore-file[d]");
    }

    #[test]
    fn a_comment_alone_is_about_the_next_line_that_is_none() {
        let source = Source::new("x", "# unstale: ignore[a] b\n# more\nRUN x\nRUN y\n");
        let comment = &read(&source)[0];
        assert!(covers(&source, comment, 3, 3));
        assert!(!covers(&source, comment, 4, 4));
    }
}
