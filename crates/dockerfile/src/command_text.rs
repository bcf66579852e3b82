//! What a shell runs, as a text that stands byte for byte where its span says.

use std::ops::Range;
use std::sync::Arc;

use crate::joined::Joined;
use crate::{Heredoc, Span, characters};

/// The command of an instruction in shell form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandText {
    /// The command, exactly as many bytes as [`Self::span`]: continuation characters, comments between continued lines
    /// and their line breaks are blanks (and bytes that are no UTF-8 are question marks), so that byte n of it is byte `span.start + n` of the file.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Who reads it.
    pub interpreter: Interpreter,
}

/// What reads a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interpreter {
    /// The shell of the image: `/bin/sh -c`, unless the base image says otherwise.
    Default,
    /// The one of a `SHELL` instruction: program and arguments.
    Shell(Arc<[String]>),
    /// The one that the heredoc's first line names: `#!/usr/bin/env python3`, without the `#!`.
    Shebang(String),
}

/// The command that stands in a range of a joined line, with the heredocs that follow it. `file` is the whole file.
pub(crate) fn command_text(
    file: &[u8],
    joined: &Joined,
    range: &Range<usize>,
    heredocs: &[Heredoc],
) -> Option<CommandText> {
    if let [only, ..] = heredocs {
        // Nothing but a heredoc: what is in it is the command.
        if crate::heredoc::is_heredoc(&joined.bytes[range.clone()]) {
            let body = only.body;
            let first = only.content.lines().next().unwrap_or_default();
            let interpreter = match first.strip_prefix("#!") {
                Some(program) => Interpreter::Shebang(program.trim().to_owned()),
                None => Interpreter::Default,
            };
            let text = characters::text_of_length(file.get(body.start..body.end)?);
            return Some(CommandText {
                text,
                span: body,
                interpreter,
            });
        }
    }
    let line = joined.span(range);
    if line.is_empty() {
        return None;
    }
    let end = heredocs.last().map_or(line.end, |last| last.terminator.end);
    let mut text = Vec::with_capacity(end - line.start);
    for part in joined.parts(range) {
        text.resize(part.start.saturating_sub(line.start), b' ');
        text.extend_from_slice(file.get(part.start..part.end)?);
    }
    // A character that BuildKit cuts in two at the end belongs to what follows.
    text.resize(line.len(), b' ');
    if let Some(first) = heredocs.first() {
        // Between the line and the first heredoc there is a line break, and nothing that the shell should see.
        text.resize(first.body.start.saturating_sub(line.start), b' ');
        if let Some(last) = text.get_mut(line.len()..).and_then(<[u8]>::last_mut) {
            *last = b'\n';
        }
        text.extend_from_slice(file.get(first.body.start..end)?);
    }
    let text = characters::text_of_length(&text);
    let span = Span::new(line.start, end);
    Some(CommandText {
        text,
        span,
        interpreter: Interpreter::Default,
    })
}
