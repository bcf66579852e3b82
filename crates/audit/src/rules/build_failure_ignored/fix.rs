//! Lets a script end where a build fails: `set -e` at its head, or without what hides the failure.

use super::{Hidden, has_head};
use crate::shell::{Editor, SwallowKind};
use crate::{Applicability, Edit, FileId, Fix, Project, Span};

pub(super) fn of(project: &Project, hidden: &Hidden<'_>) -> Option<Fix> {
    let (file, kind) = (hidden.file, hidden.swallow.kind);
    let source = &project.file(file).source;
    let is_script = has_head(project, hidden);
    let (edit, title, change) = match kind {
        SwallowKind::OrTrue | SwallowKind::OrMessage => (
            Editor::new(file, source).remove_or_true(hidden.command)?,
            "let a failed build end the script",
            "Removed what hid that the build failed",
        ),
        SwallowKind::NoErrexit if is_script => (
            insertion(file, source.text(), "set -e")?,
            "end the script at the first error",
            "Added set -e",
        ),
        SwallowKind::Pipe if is_script && is_bash(source.text()) => (
            insertion(file, source.text(), "set -o pipefail")?,
            "let a pipe fail with any of its commands",
            "Added set -o pipefail",
        ),
        _ => return None,
    };
    Some(Fix {
        title: title.to_owned(),
        change: change.to_owned(),
        impact: "A failed build stops the deploy".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })
}

fn is_bash(text: &str) -> bool {
    let head = text.trim_start_matches(['\n', '\r']).lines().next();
    head.is_some_and(|line| line.starts_with("#!") && line.contains("bash"))
}

/// A line of its own behind the `#!` and the comment that follows it.
fn insertion(file: FileId, text: &str, line: &str) -> Option<Edit> {
    // A `#!` behind empty lines is none for the kernel, and meant as one all the same.
    let head = text.trim_start_matches(['\n', '\r']);
    let mut at = if head.starts_with("#!") { text.len() - head.len() } else { 0 };
    for own in text[at..].split_inclusive('\n') {
        if !own.starts_with('#') {
            break;
        }
        at += own.len();
    }
    // A head without a line break behind it is a script without commands.
    if at > 0 && !text.get(..at)?.ends_with('\n') {
        return None;
    }
    let line_break = match text.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    };
    Some(Edit {
        file,
        span: Span::new(at, at),
        content: format!("{line}{line_break}"),
    })
}
