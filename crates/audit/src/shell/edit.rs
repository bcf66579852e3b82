//! Edits of commands: as small as a careful person's, and none where the text around is not what it seems.
//!
//! Decided in the text that the shell reads, and then found in the file, so that the same edit works in a script, in a
//! YAML block and in quotes. Where the characters to be replaced do not stand side by side in the file (but for blanks:
//! the indentation of a block), there is no edit.

use super::command::Command;
use super::word::{Site, Word};
use crate::{Edit, FileId, MappedText, Source, Span};
use std::ops::Range;
use std::sync::Arc;

/// Makes edits of one file.
#[derive(Debug, Clone, Copy)]
pub struct Editor<'a> {
    file: FileId,
    source: &'a Source,
}

/// What stands behind the last removed word on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing, or a comment: the command ends here.
    Nothing,
    /// A backslash, and perhaps a comment that somebody left there.
    Continuation,
    /// More of the command.
    More,
}

impl<'a> Editor<'a> {
    /// Of this file.
    pub fn new(file: FileId, source: &'a Source) -> Editor<'a> {
        Editor { file, source }
    }

    /// Removes words. Lines that hold nothing else go with the comment that stands on them; the continuation of the line
    /// before goes if the command ends there then. Words that a variable brings are removed from its assignment.
    pub fn remove_words(&self, command: &Command, words: Range<usize>) -> Option<Edit> {
        let words = command.words.get(words)?;
        let sites: Vec<&Site> = words.iter().map(|word| &word.site).collect();
        // An option and the variable that is its value stand side by side.
        let used: Vec<&Site> = words
            .iter()
            .map(|word| word.used.as_ref().unwrap_or(&word.site))
            .collect();
        self.remove(&sites).or_else(|| self.remove(&used))
    }

    fn remove(&self, sites: &[&Site]) -> Option<Edit> {
        let (first, last) = (sites.first()?, sites.last()?);
        let text = &first.text;
        for pair in sites.windows(2) {
            let (before, after) = (pair[0].span.end, pair[1].span.start);
            let gap = Span::new(before, after);
            if !Arc::ptr_eq(text, &pair[1].text) || before > after || !is_blank(gap.slice(text.text())) {
                return None;
            }
        }
        let removals = removals(text.text(), Span::new(first.span.start, last.span.end));
        removals
            .into_iter()
            .find_map(|removal| self.edit(text, removal, ""))
    }

    /// Replaces a word. The content is written as it is: quotes and escapes are the caller's business, and within quotes
    /// only plain characters are taken.
    pub fn replace_word(&self, command: &Command, index: usize, content: &str) -> Option<Edit> {
        let word = command.words.get(index)?;
        self.accepts(command, word, content)?;
        self.edit(&word.site.text, word.site.span, content)
    }

    /// Inserts words behind a word, with a blank between.
    pub fn insert_words_after(&self, command: &Command, index: usize, content: &str) -> Option<Edit> {
        let word = command.words.get(index)?;
        self.accepts(command, word, content)?;
        self.insert(&word.site.text, word.site.span, &format!(" {content}"))
    }

    /// Takes the `|| true`, `|| :` or `|| echo …` off a command whose failure it hides.
    pub fn remove_or_true(&self, command: &Command) -> Option<Edit> {
        let site = command.context.swallowed.as_ref()?.removal.as_ref()?;
        self.edit(&site.text, site.span, "")
    }

    /// Inserts words before the name of a command: a wrapper, or what is set for it.
    pub fn insert_words_before(&self, command: &Command, content: &str) -> Option<Edit> {
        let word = command.written.first()?;
        self.accepts(command, word, content)?;
        let at = word.site.text.span(word.site.span).start;
        Some(Edit {
            file: self.file,
            span: Span::new(at, at),
            content: format!("{content} "),
        })
    }

    /// Whether the content keeps its meaning where the word stands.
    fn accepts(&self, command: &Command, word: &Word, content: &str) -> Option<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || " -_=./:,@+%".contains(c);
        let quoted = command.context.depth > 0 || !Arc::ptr_eq(&word.site.text, &command.text);
        (content.chars().all(plain) || (!quoted && !content.contains(['\n', '\r']))).then_some(())
    }

    fn insert(&self, text: &MappedText, after: Span, content: &str) -> Option<Edit> {
        let at = self.file_span(text, after)?.end;
        Some(Edit {
            file: self.file,
            span: Span::new(at, at),
            content: content.to_owned(),
        })
    }

    fn edit(&self, text: &MappedText, span: Span, content: &str) -> Option<Edit> {
        Some(Edit {
            file: self.file,
            span: self.file_span(text, span)?,
            content: content.to_owned(),
        })
    }

    /// Where characters stand in the file, if they stand side by side but for blanks, and all of them whole.
    fn file_span(&self, text: &MappedText, span: Span) -> Option<Span> {
        let inner = text.text();
        let slice = inner.get(span.start..span.end)?;
        let place = |at: usize, character: char| text.span(Span::new(at, at + character.len_utf8()));
        let mut whole: Option<Span> = None;
        for (at, character) in slice.char_indices() {
            let own = place(span.start + at, character);
            whole = Some(match whole {
                None => own,
                // More than one character in the place of another text: an expression.
                Some(before) if own.start < before.end && own.end == before.end => before,
                Some(before) => {
                    let gap = self.source.text().get(before.end..own.start)?;
                    gap.chars().all(char::is_whitespace).then_some(())?;
                    Span::new(before.start, own.end)
                }
            });
        }
        let whole = whole?;
        // An expression is removed as a whole, or not at all.
        let before = inner.get(..span.start)?.char_indices().next_back();
        let after = inner.get(span.end..)?.chars().next();
        let overlaps = before.is_some_and(|(at, character)| place(at, character).end > whole.start)
            || after.is_some_and(|character| place(span.end, character).start < whole.end);
        (!overlaps && self.source.text().get(whole.start..whole.end).is_some()).then_some(whole)
    }
}

/// Whether nothing but blanks, continuations and comments stands there.
fn is_blank(gap: &str) -> bool {
    let mut lines = gap.split('\n');
    lines.all(|line| {
        let line = line.trim();
        let line = line.strip_prefix('\\').map_or(line, str::trim_start);
        line.is_empty() || line.starts_with('#')
    })
}

/// What is taken out of the text so that the words are gone as if they had never been there; what is best first.
fn removals(text: &str, words: Span) -> Vec<Span> {
    let before = text.get(..words.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let prefix = &before[line_start..];
    let after = text.get(words.end..).unwrap_or_default();
    let line = after.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line_end = words.end + line.len();
    let rest = rest(line);
    if rest != Rest::More && is_indentation(prefix) && line_start > 0 {
        let above = before[..line_start - 1].trim_end_matches('\r');
        return match (rest, above.strip_suffix('\\')) {
            (Rest::Nothing, Some(continued)) => {
                vec![Span::new(continued.trim_end_matches([' ', '\t']).len(), line_end)]
            }
            _ => vec![Span::new(above.len(), line_end)],
        };
    }
    let blanks_before = prefix.len() - prefix.trim_end_matches([' ', '\t']).len();
    let blanks_after = line.len() - line.trim_start_matches([' ', '\t']).len();
    let with_blanks_before = Span::new(words.start - blanks_before, words.end);
    let with_blanks_after = Span::new(words.start, words.end + blanks_after);
    match (blanks_before > 0 && !is_indentation(prefix), blanks_after > 0) {
        (true, true) => vec![with_blanks_before, with_blanks_after],
        (true, false) => vec![with_blanks_before],
        (false, _) => vec![with_blanks_after],
    }
}

fn is_indentation(prefix: &str) -> bool {
    prefix.chars().all(|c| c == ' ' || c == '\t')
}

fn rest(line: &str) -> Rest {
    let is_comment =
        |text: &str, behind: &str| text.is_empty() || (text.starts_with('#') && text.len() < behind.len());
    let trimmed = line.trim_start();
    if is_comment(trimmed, line) {
        return Rest::Nothing;
    }
    match trimmed.strip_prefix('\\') {
        Some(behind) if is_comment(behind.trim_start(), behind) => Rest::Continuation,
        _ => Rest::More,
    }
}
