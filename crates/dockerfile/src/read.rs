//! From text to instructions: joins continued lines, drops comments, takes heredocs.

use std::iter::Peekable;

use crate::directives::directive;
use crate::{Dockerfile, Flag, Heredoc, Instruction, heredoc};

/// One line of the file.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// From 1.
    number: usize,
    /// Without its line break.
    text: &'a str,
    /// With it.
    whole: &'a str,
    /// Where it begins in the file's text, in bytes.
    start: usize,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n').enumerate().map(move |(index, whole)| {
        let line = Line {
            number: index + 1,
            text: whole.trim_end_matches(['\r', '\n']),
            whole,
            start,
        };
        start += whole.len();
        line
    })
}

pub(crate) fn dockerfile(text: &str) -> Dockerfile {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = lines(text).peekable();
    let mut file = Dockerfile::default();
    while let Some(line) = lines.peek() {
        let Some(found) = directive(line.text, line.number) else {
            break;
        };
        file.directives.push(found);
        lines.next();
    }
    let escape = file.escape();
    while let Some(line) = lines.next() {
        if !is_comment(line.text) && !line.text.trim().is_empty() {
            file.instructions
                .push(instruction(text, line, &mut lines, escape));
        }
    }
    file
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Reads the instruction that begins at `first`, to its last line.
fn instruction<'a>(
    text: &'a str,
    first: Line<'a>,
    lines: &mut Peekable<impl Iterator<Item = Line<'a>>>,
    escape: char,
) -> Instruction {
    let mut last = first;
    let (mut joined, mut continued) = match continued(first.text.trim_start(), escape) {
        Some(part) => (part.to_owned(), true),
        None => (first.text.trim_start().to_owned(), false),
    };
    while continued {
        let Some(line) = lines.next() else { break };
        last = line;
        // Comments and empty lines do not end a continued instruction.
        if is_comment(line.text) || line.text.trim().is_empty() {
            continue;
        }
        match self::continued(line.text, escape) {
            Some(part) => joined.push_str(part),
            None => {
                joined.push_str(line.text);
                continued = false;
            }
        }
    }
    let (keyword, rest) = joined
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((joined.trim(), ""));
    let keyword = keyword.to_uppercase();
    let (flags, args) = flags(rest, escape);
    let mut heredocs = heredoc::opened(&keyword, args, &joined, escape);
    for heredoc in &mut heredocs {
        last = take_text(heredoc, lines).unwrap_or(last);
    }
    let end = last.start + last.text.len();
    Instruction {
        keyword,
        args: args.to_owned(),
        flags,
        heredocs,
        start_line: first.number,
        end_line: last.number,
        original: text[first.start..end].to_owned(),
    }
}

/// The line without its continuation: an escape character at the end, blanks after it allowed, that no other escape
/// character precedes.
fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!part.ends_with(escape)).then_some(part)
}

/// Splits off the flags in front.
fn flags(mut rest: &str, escape: char) -> (Vec<Flag>, &str) {
    let mut flags = Vec::new();
    loop {
        rest = rest.trim();
        if !rest.starts_with("--") {
            return (flags, rest);
        }
        let word = crate::words::first(rest, escape);
        rest = &rest[word.len()..];
        // A lone `--` ends the flags.
        if word == "--" {
            return (flags, rest.trim());
        }
        let (name, value) = match word[2..].split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&word[2..], None),
        };
        flags.push(Flag {
            name: name.to_owned(),
            value,
        });
    }
}

/// Reads a heredoc's text up to its end or the file's, and gives the last line read.
fn take_text<'a>(heredoc: &mut Heredoc, lines: &mut impl Iterator<Item = Line<'a>>) -> Option<Line<'a>> {
    let mut last = None;
    for line in lines {
        last = Some(line);
        let end = if heredoc.chomp {
            line.text.trim_start_matches('\t')
        } else {
            line.text
        };
        if end == heredoc.name {
            heredoc.terminated = true;
            break;
        }
        heredoc.content.push_str(line.whole);
    }
    last
}
