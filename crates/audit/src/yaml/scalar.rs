//! A scalar's text as a reader of YAML gets it, and which bytes of the file each part of it comes from.

use crate::{MappedText, Span};

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'`.
    SingleQuoted,
    /// In `"`.
    DoubleQuoted,
    /// After `|`: lines as they are.
    Literal,
    /// After `>`: lines that are joined.
    Folded,
}

/// A scalar.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<'y> {
    style: Style,
    text: &'y MappedText,
}

impl<'y> Scalar<'y> {
    pub(super) fn new(style: Style, text: &'y MappedText) -> Scalar<'y> {
        Scalar { style, text }
    }

    /// How it is written.
    pub fn style(self) -> Style {
        self.style
    }

    /// Its text without quotes, escapes and indentation; empty for a null that is not written.
    pub fn text(self) -> &'y str {
        self.text.text()
    }

    /// Its text with the places in the file that it comes from.
    pub fn mapped(self) -> &'y MappedText {
        self.text
    }

    /// Whether it is a plain null: nothing, `~` or `null`.
    pub fn is_null(self) -> bool {
        self.style == Style::Plain && matches!(self.text(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// A part of a scalar's text: bytes of the file, and what they say if it is something else.
pub(super) type Piece = (Span, Option<String>);

/// Puts pieces together.
pub(super) fn assemble(pieces: &[Piece], text: &str) -> MappedText {
    let mut mapped = MappedText::default();
    for (span, said) in pieces {
        match said {
            Some(said) => mapped.push_as(said, *span),
            None => mapped.push(span.slice(text), span.start),
        }
    }
    mapped
}

/// The pieces of a scalar that is no block: `raw` is its place with quotes.
pub(super) fn flow_pieces(text: &str, raw: Span, style: Style) -> Vec<Piece> {
    let quote = usize::from(style != Style::Plain);
    let end = raw.end.saturating_sub(quote).max(raw.start);
    let mut walk = Walk {
        text,
        at: (raw.start + quote).min(end),
        end,
        pieces: Vec::new(),
    };
    while walk.at < walk.end && walk.step(style) {}
    walk.pieces
}

struct Walk<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    pieces: Vec<Piece>,
}

impl<'t> Walk<'t> {
    fn rest(&self) -> &'t str {
        Span::new(self.at, self.end).slice(self.text)
    }

    fn say(&mut self, span: Span, said: impl Into<String>) {
        self.pieces.push((span, Some(said.into())));
    }

    /// Takes words, and what stands after them. Whether there can be more.
    fn step(&mut self, style: Style) -> bool {
        let rest = self.rest();
        let special = |c: char| match c {
            '\n' | '\r' => true,
            '\\' => style == Style::DoubleQuoted,
            '\'' => style == Style::SingleQuoted,
            _ => false,
        };
        let run = rest.find(special).unwrap_or(rest.len());
        let next = rest[run..].chars().next();
        let is_break = matches!(next, Some('\n' | '\r'));
        let words = match is_break {
            true => rest[..run].trim_end_matches([' ', '\t']).len(),
            false => run,
        };
        if words > 0 {
            self.pieces.push((Span::new(self.at, self.at + words), None));
        }
        let from = self.at + words;
        self.at += run;
        match next {
            None => return false,
            Some('\\') => self.escape(),
            Some('\'') => {
                let pair = if self.rest().starts_with("''") { 2 } else { 1 };
                self.say(Span::new(self.at, self.at + pair), "'");
                self.at += pair;
            }
            Some(_) => {
                let said = match self.skip_breaks() {
                    1 => " ".to_owned(),
                    more => "\n".repeat(more - 1),
                };
                self.say(Span::new(from, self.at), said);
            }
        }
        true
    }

    /// Skips line breaks, empty lines, and the white space before the next words. How many breaks there are.
    fn skip_breaks(&mut self) -> usize {
        let rest = self.rest();
        let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += skipped;
        count_breaks(&rest[..skipped]).max(1)
    }

    fn escape(&mut self) {
        let rest = self.rest();
        let from = self.at;
        let Some(kind) = rest[1..].chars().next() else {
            self.at = self.end;
            return;
        };
        if matches!(kind, '\n' | '\r') {
            // The line break is not there; empty lines after it are.
            self.at += 1;
            let breaks = self.skip_breaks();
            let said = "\n".repeat(breaks - 1);
            self.say(Span::new(from, self.at), said);
            return;
        }
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let mut length = 1 + kind.len_utf8() + digits;
        let number = |at: usize, digits: usize| {
            let hex = rest.get(at..at + digits)?;
            u32::from_str_radix(hex, 16).ok()
        };
        let character = match (kind, number(2, digits)) {
            ('x' | 'u' | 'U', Some(high @ 0xD800..=0xDBFF)) => {
                let low = match rest.get(length..length + 2) {
                    Some("\\u") => number(length + 2, 4).filter(|low| (0xDC00..=0xDFFF).contains(low)),
                    _ => None,
                };
                length += if low.is_some() { 6 } else { 0 };
                low.and_then(|low| char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)))
            }
            ('x' | 'u' | 'U', number) => number.and_then(char::from_u32),
            ('0', _) => Some('\0'),
            ('a', _) => Some('\x07'),
            ('b', _) => Some('\x08'),
            ('t' | '\t', _) => Some('\t'),
            ('n', _) => Some('\n'),
            ('v', _) => Some('\x0B'),
            ('f', _) => Some('\x0C'),
            ('r', _) => Some('\r'),
            ('e', _) => Some('\x1B'),
            ('N', _) => Some('\u{85}'),
            ('_', _) => Some('\u{A0}'),
            ('L', _) => Some('\u{2028}'),
            ('P', _) => Some('\u{2029}'),
            (other, _) => Some(other),
        };
        let to = (from + length).min(self.end);
        self.say(
            Span::new(from, to),
            character.unwrap_or(char::REPLACEMENT_CHARACTER),
        );
        self.at = to;
    }
}

/// The pieces of a block scalar: `cooked` is what it says, `lines` the bytes after its header, `indent` the number of
/// spaces that are taken off each line.
pub(super) fn block_pieces(text: &str, lines: Span, indent: usize, cooked: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut left = cooked;
    // The line breaks since the last words.
    let mut breaks: Vec<Span> = Vec::new();
    for line in lines_of(text, lines) {
        let words = line.content.slice(text);
        let spaces = words
            .bytes()
            .take(indent)
            .take_while(|&byte| byte == b' ')
            .count();
        let words = &words[spaces..];
        let start = line.content.start + spaces;
        if !words.is_empty() {
            let is_space = left.starts_with(' ') && !left.starts_with(words);
            let count = match left.bytes().take_while(|&byte| byte == b'\n').count() {
                0 => usize::from(is_space),
                count => count,
            };
            push_breaks(&mut pieces, &left[..count], &breaks, Some(start));
            breaks.clear();
            left = &left[count..];
            // What does not agree is left out, and the caller sees that.
            let Some(rest) = left.strip_prefix(words) else {
                return pieces;
            };
            left = rest;
            pieces.push((Span::new(start, start + words.len()), None));
        }
        breaks.push(Span::new(line.content.end, line.end));
    }
    push_breaks(&mut pieces, left, &breaks, None);
    pieces
}

/// Adds what a block scalar says for line breaks: one for each, or, of lines that were joined before words at `to`, the
/// last for all that are left.
fn push_breaks(pieces: &mut Vec<Piece>, said: &str, breaks: &[Span], to: Option<usize>) {
    let end = breaks.last().map_or(0, |last| last.end);
    for (index, character) in said.char_indices() {
        let span = match (breaks.get(index), to) {
            (Some(span), Some(to)) if index + 1 == said.len() && said.len() < breaks.len() => {
                Span::new(span.start, to)
            }
            (Some(span), _) if character == '\n' => *span,
            (Some(span), to) => Span::new(span.start, to.unwrap_or(span.end)),
            (None, _) => Span::new(end, end),
        };
        pieces.push((span, Some(character.to_string())));
    }
}

struct Line {
    content: Span,
    /// With its break.
    end: usize,
}

fn lines_of(text: &str, span: Span) -> impl Iterator<Item = Line> {
    let mut at = span.start;
    std::iter::from_fn(move || {
        if at >= span.end {
            return None;
        }
        let rest = Span::new(at, span.end).slice(text);
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let broken = match &rest[length..] {
            rest if rest.starts_with("\r\n") => 2,
            "" => 0,
            _ => 1,
        };
        let content = Span::new(at, at + length);
        at = content.end + broken;
        (length + broken > 0).then_some(Line { content, end: at })
    })
}

fn count_breaks(text: &str) -> usize {
    let mut before = ' ';
    let mut count = 0;
    for c in text.chars() {
        if c == '\r' || (c == '\n' && before != '\r') {
            count += 1;
        }
        before = c;
    }
    count
}
