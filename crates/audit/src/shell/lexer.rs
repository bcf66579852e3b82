//! Takes quotes and escapes off a word, and finds the expansions in it.
//!
//! Where a word begins and ends is the parser's business; what is in it is found here, as the parser tells too little
//! about escapes.

use super::word::{Certainty, Part, PartKind, Site, Word};
use crate::{MappedText, Span};
use std::sync::Arc;

/// A piece of a word: one quoting, one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub kind: PartKind,
    /// Without quotes and escapes.
    pub text: String,
    /// In the text that the word stands in, with the escape, without quotes.
    pub span: Span,
    pub quoted: bool,
}

/// The pieces of the word at `span`.
pub(super) fn pieces(text: &str, span: Span) -> Vec<Piece> {
    let mut lexer = Lexer {
        text: span.slice(text),
        offset: span.start,
        at: 0,
        pieces: Vec::new(),
    };
    lexer.bare();
    lexer.pieces
}

/// The word at `span`.
pub(super) fn word(text: &Arc<MappedText>, span: Span) -> Word {
    let pieces = pieces(text.text(), span);
    let mut parts: Vec<Part> = Vec::new();
    for piece in &pieces {
        let place = text.span(piece.span);
        match parts.last_mut() {
            Some(last)
                if last.kind == PartKind::Literal
                    && piece.kind == PartKind::Literal
                    && last.quoted == piece.quoted =>
            {
                last.text.push_str(&piece.text);
                last.span.end = place.end.max(last.span.end);
            }
            _ => parts.push(Part {
                kind: piece.kind.clone(),
                text: piece.text.clone(),
                span: place,
                quoted: piece.quoted,
            }),
        }
    }
    Word {
        text: parts.iter().map(|part| part.text.as_str()).collect(),
        span: text.span(span),
        literal: parts.iter().all(|part| part.kind == PartKind::Literal),
        parts,
        certainty: Certainty::Certain,
        variable: None,
        used: None,
        site: Site {
            text: Arc::clone(text),
            span,
        },
    }
}

/// The word's text without quotes and escapes, with the places of all of its characters.
pub(super) fn content(text: &MappedText, span: Span) -> MappedText {
    let mut content = MappedText::default();
    for piece in pieces(text.text(), span) {
        push(&mut content, &piece, text);
    }
    content
}

pub(super) fn push(content: &mut MappedText, piece: &Piece, text: &MappedText) {
    if piece.span.slice(text.text()) == piece.text {
        append(content, text, piece.span);
    } else {
        content.push_as(&piece.text, text.span(piece.span));
    }
}

/// Adds a part of a mapped text to another one.
pub(super) fn append(content: &mut MappedText, text: &MappedText, span: Span) {
    for (at, character) in span.slice(text.text()).char_indices() {
        let start = span.start + at;
        let place = text.span(Span::new(start, start + character.len_utf8()));
        content.push_as(character.encode_utf8(&mut [0; 4]), place);
    }
}

/// The spans of the words that blanks separate.
pub(super) fn split(text: &str, span: Span) -> Vec<Span> {
    let slice = span.slice(text);
    let mut found = Vec::new();
    let mut start = None;
    let mut at = 0;
    while let Some(character) = slice.get(at..).and_then(|rest| rest.chars().next()) {
        let continued = slice[at..].starts_with("\\\n");
        if character.is_ascii_whitespace() || continued {
            if let Some(start) = start.take() {
                found.push(Span::new(span.start + start, span.start + at));
            }
            at += if continued { 2 } else { 1 };
            continue;
        }
        start.get_or_insert(at);
        at = skip(slice, at);
    }
    if let Some(start) = start {
        found.push(Span::new(
            span.start + start,
            span.end.min(span.start + slice.len()),
        ));
    }
    found
}

/// The byte after what begins at `at`: a character, an escape, a quoted text or an expansion.
fn skip(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let mut characters = rest.chars();
    match characters.next() {
        Some('\\') => at + 1 + characters.next().map_or(0, char::len_utf8),
        Some('\'') => rest[1..].find('\'').map_or(text.len(), |end| at + 1 + end + 1),
        Some(quote @ ('"' | '`')) => balanced(text, at + 1, quote),
        Some('$') if rest.starts_with("$(") => balanced(text, at + 2, ')'),
        Some('$') if rest.starts_with("${") => balanced(text, at + 2, '}'),
        Some(other) => at + other.len_utf8(),
        None => text.len(),
    }
}

/// The byte after the `close` that ends what begins at `at`; the end of the text if nothing does.
pub(super) fn balanced(text: &str, at: usize, close: char) -> usize {
    let bytes = text.as_bytes();
    let mut open = vec![close as u8];
    let mut quotes = usize::from(close == '"');
    let mut at = at;
    while let (Some(&top), Some(&byte)) = (open.last(), bytes.get(at)) {
        let next = bytes.get(at + 1).copied();
        match byte {
            b'\\' => at += 1,
            _ if byte == top => {
                open.pop();
                quotes -= usize::from(byte == b'"');
            }
            b'$' if next == Some(b'(') => {
                open.push(b')');
                at += 1;
            }
            b'$' if next == Some(b'{') => {
                open.push(b'}');
                at += 1;
            }
            b'`' => open.push(b'`'),
            _ if top == b'"' || top == b'`' => {}
            b'"' => {
                open.push(b'"');
                quotes += 1;
            }
            b'(' if top == b')' => open.push(b')'),
            b'\'' if quotes == 0 => {
                at = text
                    .get(at + 1..)
                    .and_then(|rest| rest.find('\''))
                    .map_or(bytes.len(), |end| at + 1 + end);
            }
            b'#' if top == b')' && at > 0 && bytes[at - 1].is_ascii_whitespace() => {
                at = text
                    .get(at..)
                    .and_then(|rest| rest.find('\n'))
                    .map_or(bytes.len(), |end| at + end);
            }
            _ => {}
        }
        at += 1;
    }
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    end
}

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    at: usize,
    pieces: Vec<Piece>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Adds what stands from `self.at` up to `end`, and goes on behind it.
    fn add(&mut self, kind: PartKind, text: &str, end: usize, quoted: bool) {
        let span = Span::new(self.offset + self.at, self.offset + end);
        self.at = end;
        if text.is_empty() && kind == PartKind::Literal {
            return;
        }
        if let Some(last) = self.pieces.last_mut()
            && last.kind == PartKind::Literal
            && kind == PartKind::Literal
            && last.quoted == quoted
            && last.span.end == span.start
            && last.text.len() == last.span.len()
            && text.len() == span.len()
        {
            last.text.push_str(text);
            last.span.end = span.end;
            return;
        }
        self.pieces.push(Piece {
            kind,
            text: text.to_owned(),
            span,
            quoted,
        });
    }

    fn bare(&mut self) {
        while let Some(character) = self.rest().chars().next() {
            let rest = self.rest();
            match character {
                '\\' => self.escape(|_| true, false),
                '\'' => {
                    self.at += 1;
                    self.single();
                }
                '"' => {
                    self.at += 1;
                    self.double(true);
                    if self.rest().starts_with('"') {
                        self.at += 1;
                    }
                }
                '$' if rest.starts_with("$'") => {
                    self.at += 2;
                    self.ansi();
                }
                '$' if rest.starts_with("$\"") => self.at += 1,
                '$' | '`' => self.expansion(false),
                '<' | '>' if rest[1..].starts_with('(') => {
                    let end = balanced(self.text, self.at + 2, ')');
                    self.add(PartKind::Substitution, &self.text[self.at..end], end, false);
                }
                other => self.literal(other, false),
            }
        }
    }

    fn literal(&mut self, character: char, quoted: bool) {
        let end = self.at + character.len_utf8();
        let mut buffer = [0; 4];
        self.add(PartKind::Literal, character.encode_utf8(&mut buffer), end, quoted);
    }

    /// A backslash and what it escapes.
    fn escape(&mut self, is_escaped: impl Fn(char) -> bool, quoted: bool) {
        let mut characters = self.rest().chars();
        characters.next();
        match characters.next() {
            // What a program of the inner shell sees as a continuation is left as it is written.
            Some('\n') if quoted => {
                let end = self.at + 2;
                self.add(PartKind::Literal, "\\\n", end, true);
            }
            Some('\n') => self.at += 2,
            Some(character) if is_escaped(character) => {
                let end = self.at + 1 + character.len_utf8();
                self.add(PartKind::Literal, character.encode_utf8(&mut [0; 4]), end, true);
            }
            _ => self.literal('\\', quoted),
        }
    }

    fn single(&mut self) {
        let rest = self.rest();
        let end = self.at + rest.find('\'').unwrap_or(rest.len());
        // Expressions of CI are replaced before the shell reads its quotes.
        while let Some((start, length)) = masked(&self.text[self.at..end]) {
            let (start, stop) = (self.at + start, self.at + start + length);
            self.add(PartKind::Literal, &self.text[self.at..start], start, true);
            self.add(PartKind::Expression, &self.text[start..stop], stop, true);
        }
        self.add(PartKind::Literal, &self.text[self.at..end], end, true);
        self.at = (end + 1).min(self.text.len());
    }

    /// Within double quotes, or in a heredoc that expands (without an end quote then).
    fn double(&mut self, ends: bool) {
        while let Some(character) = self.rest().chars().next() {
            match character {
                '"' if ends => return,
                '\\' => self.escape(
                    |escaped| matches!(escaped, '$' | '`' | '\\') || (ends && escaped == '"'),
                    true,
                ),
                '$' | '`' => self.expansion(true),
                other => self.literal(other, true),
            }
        }
    }

    fn ansi(&mut self) {
        while let Some(character) = self.rest().chars().next() {
            let mut following = self.rest().chars().skip(1);
            match (character, following.next()) {
                ('\'', _) => {
                    self.at += 1;
                    return;
                }
                ('\\', Some(escaped)) => {
                    let end = self.at + 1 + escaped.len_utf8();
                    let text = match escaped {
                        'n' => "\n",
                        't' => "\t",
                        'r' => "\r",
                        'e' | 'E' => "\u{1b}",
                        '\\' | '\'' | '"' | '?' => &self.text[self.at + 1..end],
                        // Codes are left as they are written.
                        _ => &self.text[self.at..end],
                    };
                    self.add(PartKind::Literal, text, end, true);
                }
                (other, _) => self.literal(other, true),
            }
        }
    }

    /// A `$` or a backquote.
    fn expansion(&mut self, quoted: bool) {
        let rest = self.rest();
        let (kind, end) = if rest.starts_with('`') {
            (PartKind::Substitution, balanced(self.text, self.at + 1, '`'))
        } else if rest.starts_with("$((") {
            (PartKind::Arithmetic, balanced(self.text, self.at + 2, ')'))
        } else if rest.starts_with("$(") {
            (PartKind::Substitution, balanced(self.text, self.at + 2, ')'))
        } else if rest.starts_with("${") {
            let end = balanced(self.text, self.at + 2, '}');
            (braced(&self.text[self.at..end]), end)
        } else {
            let name = rest.get(1..).map_or("", plain_name);
            if name.is_empty() {
                return self.literal('$', quoted);
            }
            let kind = PartKind::Variable {
                name: name.to_owned(),
                operator: String::new(),
            };
            (kind, self.at + 1 + name.len())
        };
        self.add(kind, &self.text[self.at..end], end, quoted);
    }
}

/// The pieces of a heredoc that expands.
pub(super) fn heredoc(text: &str, span: Span) -> Vec<Piece> {
    let mut lexer = Lexer {
        text: span.slice(text),
        offset: span.start,
        at: 0,
        pieces: Vec::new(),
    };
    lexer.double(false);
    lexer.pieces
}

/// What `${…}` is.
fn braced(text: &str) -> PartKind {
    let inner = text.strip_prefix("${").unwrap_or(text);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let bare = inner.strip_prefix(['!', '#']).filter(|rest| !rest.is_empty());
    let name = plain_name(bare.unwrap_or(inner));
    if is_masked(name) && name == inner {
        return PartKind::Expression;
    }
    let operator = match bare {
        // An indirection or a length is not the variable's value.
        Some(_) => inner.to_owned(),
        None => inner[name.len()..].to_owned(),
    };
    PartKind::Variable {
        name: name.to_owned(),
        operator,
    }
}

/// The name at the beginning of the text: of a variable, or one of the shell's own.
fn plain_name(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first = text.chars().next();
    match first {
        Some(c) if c.is_ascii_digit() => &text[..1],
        Some(c) if is_name(c) => &text[..text.find(|c| !is_name(c)).unwrap_or(text.len())],
        Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => &text[..1],
        _ => "",
    }
}

fn is_masked(name: &str) -> bool {
    name.len() >= 2 && name.bytes().all(|byte| byte == b'_')
}

/// The first masked expression: where it begins, and its length.
fn masked(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("${__") {
        let start = from + found;
        let rest = &text[start + 2..];
        let length = rest.find(|c| c != '_').unwrap_or(rest.len());
        if rest[length..].starts_with('}') {
            return Some((start, length + 3));
        }
        from = start + 2 + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Word {
        let length = text.len();
        word(&Arc::new(MappedText::verbatim(text, 0)), Span::new(0, length))
    }

    #[test]
    fn quotes_and_escapes_are_taken_off() {
        assert_eq!(read(r#"a"b c"'d e'\ f"#).text, "ab cd e f");
        assert_eq!(read(r#""a\"\$x\\ \n""#).text, r#"a"$x\ \n"#);
        assert_eq!(read(r"$'a\tb\'c'").text, "a\tb'c");
        assert_eq!(read(r#"'a\b'"#).text, r"a\b");
        assert!(read(r#""a\$x""#).literal);
    }

    #[test]
    fn expansions_stand_in_the_text_as_they_are_written() {
        let word = read(r#"-t="$NAME:${TAG:-$(git rev-parse "HEAD")}"x"#);
        assert_eq!(word.text, r#"-t=$NAME:${TAG:-$(git rev-parse "HEAD")}x"#);
        assert!(!word.literal);
        let names: Vec<_> = word
            .parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Variable { name, operator } => Some((name.as_str(), operator.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(names, [("NAME", ""), ("TAG", r#":-$(git rev-parse "HEAD")"#)]);
        assert_eq!(read("$$").parts.len(), 1);
        assert!(read("a$").literal);
    }

    #[test]
    fn masked_expressions_are_found_in_any_quotes() {
        for text in ["x${_____}", "\"x${_____}\"", "'x${_____}'"] {
            let word = read(text);
            assert_eq!(word.parts[1].kind, PartKind::Expression, "{text}");
            assert!(!word.literal);
        }
        assert!(read("'${_x}'").literal);
    }

    #[test]
    fn words_are_split_at_blanks_outside_of_quotes() {
        let text = "[ \"a b\" = $(x y) ] \\\n c\\ d";
        let words: Vec<_> = split(text, Span::new(0, text.len()))
            .into_iter()
            .map(|span| span.slice(text))
            .collect();
        assert_eq!(words, ["[", "\"a b\"", "=", "$(x y)", "]", "c\\ d"]);
    }
}
