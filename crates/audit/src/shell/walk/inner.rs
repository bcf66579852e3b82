//! Scripts that a command runs.

use super::{SCRIPTS, Scope, State, Walker};
use crate::shell::command::{Command, Place};
use crate::shell::dialect::Dialect;
use crate::shell::lexer;
use crate::shell::statement::{Kind, Statement};
use crate::shell::word::Word;
use crate::shell::wrapper::{self, How, Inner};
use crate::{MappedText, Span};
use std::sync::Arc;

impl Walker {
    /// Reads the scripts that the command runs.
    pub(super) fn inner(&mut self, command: &Command, scope: &Scope, state: &mut State) {
        if scope.depth >= SCRIPTS {
            return;
        }
        let words = &command.written;
        for inner in wrapper::inner(words) {
            match inner {
                Inner::Words { from, to, how } => {
                    let mut text = joined(&words[from..to], &scope.text);
                    // `ssh host <<EOF` with a command in front reads the command; the heredoc is its input.
                    if text.text().trim().is_empty() {
                        text = MappedText::default();
                    }
                    self.inner_text(text, &how, command, scope, state);
                }
                Inner::Input(how) => {
                    let own = command
                        .redirections
                        .iter()
                        .rev()
                        .find_map(|one| one.content.clone());
                    if let Some(text) = own.or_else(|| scope.input.clone()) {
                        self.inner_text(text, &how, command, scope, state);
                    }
                }
                Inner::Command { from, to } => self.inner_command(&words[from..to], command),
            }
        }
    }

    fn inner_text(
        &mut self,
        text: MappedText,
        how: &How,
        command: &Command,
        scope: &Scope,
        state: &mut State,
    ) {
        if text.text().is_empty() {
            return;
        }
        let mut own = scope.clone();
        own.swallowed.clone_from(&command.context.swallowed);
        own.next = None;
        own.before_and = false;
        own.depth += 1;
        own.pipeline = None;
        own.statement = None;
        own.input = None;
        let dialect = match how {
            How::Shell(line) => Dialect::of_command(line),
            _ => Dialect::default(),
        };
        match how {
            How::Remote { host } => {
                let word = command.written.get(*host);
                own.places.push(Place::Remote {
                    host: word.map_or_else(String::new, |word| word.text.clone()),
                    span: word.map_or(command.span, |word| word.span),
                });
            }
            How::Container => own.places.push(Place::Container),
            How::Trap => own.in_trap = true,
            How::Shell(_) | How::Same => {}
        }
        // A shell that is begun for it reads `#!` as a comment.
        own.text = Arc::new(text);
        match how {
            How::Same => self.text(&own, state),
            How::Trap => self.text(&own, &mut { *state }),
            _ => self.text(&own, &mut State::from(dialect)),
        }
    }

    /// A command that is given as words: `find … -exec`.
    fn inner_command(&mut self, words: &[Word], command: &Command) {
        let mut words = words.to_vec();
        let (wrappers, _) = wrapper::strip(&mut words, |_| false);
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return;
        };
        let span = Span::new(first.span.start, last.span.end.max(first.span.end));
        self.commands.push(Command {
            span,
            written: words.clone(),
            words,
            wrappers,
            assignments: Vec::new(),
            redirections: Vec::new(),
            ..command.clone()
        });
    }

    /// What a command writes into the pipe, if its words say so: `cat <<EOF`, `echo "…"`.
    pub(super) fn output(&self, statement: &Statement, text: &Arc<MappedText>) -> Option<MappedText> {
        let Kind::Simple(simple) = &statement.kind else {
            return None;
        };
        let mut tokens = simple.words.iter();
        match tokens.next()?.span.slice(text.text()) {
            "cat" if simple.words.len() == 1 => {
                let heredoc = statement
                    .redirects
                    .iter()
                    .rev()
                    .find_map(|redirect| redirect.heredoc.as_ref())?;
                Some(super::simple::heredoc_text(heredoc, text))
            }
            "echo" | "printf" => {
                let words: Vec<_> = tokens
                    .map(|token| lexer::word(text, token.span))
                    .skip_while(|word| {
                        matches!(word.text.as_str(), "-e" | "-n" | "-en" | "-ne" | "%s" | "%s\\n")
                    })
                    .collect();
                Some(joined(&words, text))
            }
            _ => None,
        }
    }
}

/// The words without their quotes, with a blank between two.
fn joined(words: &[Word], text: &Arc<MappedText>) -> MappedText {
    let mut result = MappedText::default();
    let mut before: Option<&Word> = None;
    for word in words {
        if let Some(before) = before {
            let gap =
                match Arc::ptr_eq(&before.site.text, &word.site.text) && Arc::ptr_eq(&word.site.text, text) {
                    true => text.span(Span::new(before.site.span.end, word.site.span.start)),
                    false => Span::new(before.span.end, before.span.end),
                };
            result.push_as(" ", gap);
        }
        let content = lexer::content(&word.site.text, word.site.span);
        lexer::append(&mut result, &content, Span::new(0, content.text().len()));
        before = Some(word);
    }
    result
}
