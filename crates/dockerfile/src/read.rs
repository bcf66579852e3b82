//! From text to instructions: joins continued lines, sets comments aside, takes heredocs.

use std::iter::Peekable;

use crate::arguments::{self, Read};
use crate::characters::{self, text};
use crate::command_text::command_text;
use crate::directives::directive;
use crate::heredoc::{self, Opened};
use crate::instruction::Heredoc;
use crate::joined::Joined;
use crate::lines::{Line, continuation, is_comment, lines};
use crate::problems::{Pass, Troubles};
use crate::references::{Rules, references};
use crate::{Comment, Directive, Dockerfile, Instruction, Span, interpreters, problems};

/// Reads a file.
pub(crate) fn dockerfile(bytes: &[u8]) -> Dockerfile {
    let mut reader = Reader {
        bytes,
        lines: lines(bytes).peekable(),
        file: Dockerfile::default(),
        troubles: Troubles::default(),
        escape: b'\\',
        last_line: 0,
    };
    reader.directives();
    while let Some(line) = reader.next() {
        reader.line(line);
    }
    let Reader {
        mut file,
        mut troubles,
        last_line,
        ..
    } = reader;
    if file.instructions.is_empty() {
        let end = Span::new(bytes.len(), bytes.len());
        troubles.add(
            Pass::Parser,
            end,
            last_line.max(1),
            "there are no instructions in the file",
        );
    }
    interpreters::set(&mut file);
    problems::options(bytes, &mut troubles);
    file.troubles = troubles;
    file
}

struct Reader<'a, L: Iterator<Item = Line<'a>>> {
    bytes: &'a [u8],
    lines: Peekable<L>,
    file: Dockerfile,
    troubles: Troubles,
    escape: u8,
    last_line: usize,
}

impl<'a, L: Iterator<Item = Line<'a>>> Reader<'a, L> {
    fn next(&mut self) -> Option<Line<'a>> {
        let line = self.lines.next()?;
        self.last_line = line.number;
        if line.is_too_long() {
            let message = "a line of more than 65535 bytes";
            self.troubles.add(Pass::Parser, line.span(), line.number, message);
        }
        Some(line)
    }

    /// Reads the directives at the top.
    fn directives(&mut self) {
        while let Some(&line) = self.lines.peek() {
            let text = characters::trim_start(line.text);
            let start = line.start + line.text.len() - text.len();
            let Some(found) = directive(text) else { return };
            self.next();
            let place = |range: std::ops::Range<usize>| Span::new(start + range.start, start + range.end);
            let value = characters::text(&text[found.value_range.clone()]);
            let span = Span::new(start, start + characters::trim_end(text).len());
            let mut complain = |message: String| self.troubles.add(Pass::Parser, span, line.number, message);
            if self.file.directive(&found.name).is_some() {
                complain(format!("only one {} parser directive can be used", found.name));
                self.comment(line);
                continue;
            }
            if found.name == "escape" {
                match value.as_str() {
                    "`" | "\\" => self.escape = value.as_bytes()[0],
                    _ => complain(format!("the escape character can be ` or \\, and not {value:?}")),
                }
            }
            self.file.directives.push(Directive {
                name: found.name,
                value,
                line: line.number,
                span,
                name_span: place(found.name_range),
                value_span: place(found.value_range),
            });
        }
    }

    fn comment(&mut self, line: Line<'_>) {
        let trimmed = characters::trim_start(line.text);
        let start = line.start + line.text.len() - trimmed.len();
        self.file.comments.push(Comment {
            text: text(trimmed),
            span: Span::new(start, start + trimmed.len()),
            line: line.number,
        });
    }

    /// Reads what begins at `line`: nothing, a comment, or an instruction to its last line.
    fn line(&mut self, line: Line<'a>) {
        if is_comment(line.text) {
            return self.comment(line);
        }
        let trimmed = characters::trim_start(line.text);
        let start = line.start + line.text.len() - trimmed.len();
        let (part, mut continued) = continuation(trimmed, self.escape);
        if part.is_empty() && !continued {
            return;
        }
        let mut joined = Joined::default();
        joined.push(part, start);
        let mut last = line;
        while continued {
            let Some(line) = self.next() else { break };
            last = line;
            // Comments and empty lines do not end a continued instruction.
            if is_comment(line.text) {
                self.comment(line);
            } else if !characters::trim_start(line.text).is_empty() {
                let (part, more) = continuation(line.text, self.escape);
                joined.push(part, line.start);
                continued = more;
            }
        }
        let Read {
            mut instruction,
            args,
            trouble,
        } = arguments::read(&joined, joined.trim(0..joined.bytes.len()), self.escape, false);
        if let Some((span, message)) = trouble {
            self.troubles.add(Pass::Parser, span, line.number, message);
        }
        if instruction.keyword.is_empty() {
            // Nothing but continuations: it begins with the first of them.
            let nothing = Span::new(start, start);
            (instruction.keyword_span, instruction.args_span) = (nothing, nothing);
        }
        let first = instruction.keyword_span.start;
        self.heredocs(&joined, &mut instruction, line.number, &mut last);
        instruction.span = Span::new(first, last.span().end);
        (instruction.start_line, instruction.end_line) = (line.number, last.number);
        self.inner_and_command(&joined, &mut instruction, args);
        self.file.instructions.push(instruction);
    }

    fn heredocs(&mut self, joined: &Joined, instruction: &mut Instruction, line: usize, last: &mut Line<'a>) {
        let holder = instruction.inner.as_deref().unwrap_or(instruction);
        if !matches!(holder.keyword.as_str(), "ADD" | "COPY" | "RUN") || holder.exec.is_some() {
            return;
        }
        let expands = holder.keyword != "RUN" && instruction.inner.is_none();
        let opened = heredoc::opened(&joined.bytes).unwrap_or_else(|why| {
            let message = format!("the name of a heredoc cannot be read: {why}");
            self.troubles
                .add(Pass::Parser, instruction.args_span, line, message);
            Vec::new()
        });
        for opened in opened {
            let heredoc = self.take_text(&opened, last);
            if !heredoc.terminated {
                let message = format!("the heredoc {:?} is not ended", heredoc.name);
                self.troubles
                    .add(Pass::Parser, instruction.args_span, line, message);
            }
            if expands && heredoc.expand {
                let mut body = Joined::default();
                body.push(
                    &self.bytes[heredoc.body.start..heredoc.body.end],
                    heredoc.body.start,
                );
                let rules = Rules {
                    escape: b'\\',
                    quotes: false,
                };
                references(
                    &body,
                    &(0..heredoc.body.len()),
                    rules,
                    &mut instruction.references,
                );
            }
            instruction.heredocs.push(heredoc);
        }
    }

    /// Reads a heredoc's text up to its end or the file's.
    fn take_text(&mut self, opened: &Opened, last: &mut Line<'a>) -> Heredoc {
        let end = self.bytes.len();
        let start = self.lines.peek().map_or(end, |line| line.start);
        let mut body = Span::new(start, end);
        let mut terminator = Span::new(end, end);
        let mut terminated = false;
        while let Some(line) = self.next() {
            *last = line;
            if heredoc::ends(line.text, opened) {
                body = Span::new(start, line.start);
                terminator = line.span();
                terminated = true;
                break;
            }
        }
        if !terminated {
            let end = last.span().end;
            body = Span::new(start.min(end), end);
            terminator = Span::new(end, end);
        }
        Heredoc {
            name: opened.name(),
            expand: opened.expand,
            chomp: opened.chomp,
            content: text(&self.bytes[body.start..body.end]),
            body,
            terminator,
            terminated,
        }
    }

    /// What a shell will run, and the same of the instruction within `ONBUILD`.
    fn inner_and_command(
        &self,
        joined: &Joined,
        instruction: &mut Instruction,
        args: std::ops::Range<usize>,
    ) {
        let (span, lines) = (instruction.span, (instruction.start_line, instruction.end_line));
        let heredocs = std::mem::take(&mut instruction.heredocs);
        let mut args = args;
        let target = match instruction.inner.as_deref_mut() {
            Some(inner) => {
                inner.span = Span::new(inner.keyword_span.start, span.end);
                (inner.start_line, inner.end_line) = lines;
                inner.heredocs = heredocs.clone();
                args = arguments::read(joined, args, self.escape, true).args;
                inner
            }
            None => &mut *instruction,
        };
        let shell_form = target.exec.is_none();
        let range = match target.keyword.as_str() {
            "RUN" | "CMD" | "ENTRYPOINT" => Some(args),
            "HEALTHCHECK" => Some(arguments::health_command(joined, &args)).filter(|_| {
                target
                    .words
                    .first()
                    .is_some_and(|word| word.raw.eq_ignore_ascii_case("CMD"))
            }),
            _ => None,
        };
        target.command = range
            .filter(|_| shell_form)
            .and_then(|range| command_text(self.bytes, joined, &range, &heredocs));
        instruction.heredocs = heredocs;
    }
}
