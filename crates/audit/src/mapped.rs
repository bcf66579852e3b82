//! Text that stands within another text in another form: a shell script in a YAML block, in quotes, in a Makefile.
//!
//! A reader of the inner text finds spans in it; a finding and its fix need those of the file.

use crate::Span;

/// A text, and where in a file each part of it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedText {
    text: String,
    /// The pieces in order. Within one, bytes of text and file go side by side.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the text.
    at: usize,
    /// What it is in the file.
    file: Span,
}

impl MappedText {
    /// A text that stands in the file as it is, from the byte `start`.
    pub fn verbatim(text: impl Into<String>, start: usize) -> MappedText {
        let mut mapped = MappedText::default();
        mapped.push(&text.into(), start);
        mapped
    }

    /// Adds text that stands in the file as it is, from the byte `start`.
    pub fn push(&mut self, text: &str, start: usize) {
        self.push_as(text, Span::new(start, start + text.len()));
    }

    /// Adds text that stands in the file in other words, at `file`: `"` for `\"`, or a line break for a folded one.
    pub fn push_as(&mut self, text: &str, file: Span) {
        if text.is_empty() {
            return;
        }
        let at = self.text.len();
        self.text.push_str(text);
        let verbatim = text.len() == file.len();
        match self.pieces.last_mut() {
            Some(last) if verbatim && last.file.end == file.start && last.file.len() == at - last.at => {
                last.file.end = file.end;
            }
            _ => self.pieces.push(Piece { at, file }),
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a span of the text stands in the file. What lies between two pieces (indentation, quotes) is within the
    /// result if the span reaches over it.
    ///
    /// A span that cuts a character is widened to the whole of it.
    pub fn span(&self, span: Span) -> Span {
        let mut span = Span::new(span.start.min(self.text.len()), span.end.min(self.text.len()));
        while !self.text.is_char_boundary(span.start) {
            span.start -= 1;
        }
        while !self.text.is_char_boundary(span.end) {
            span.end += 1;
        }
        let start = self.start(span.start);
        if span.is_empty() {
            return Span::new(start, start);
        }
        Span::new(start, self.end(span.end).max(start))
    }

    /// The file's byte at which the text's byte `at` begins.
    fn start(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.at <= at);
        match index.checked_sub(1).map(|index| (index, self.pieces[index])) {
            None => self.pieces.first().map_or(0, |piece| piece.file.start),
            Some((index, piece)) if self.is_verbatim(index) => {
                (piece.file.start + (at - piece.at)).min(piece.file.end)
            }
            // Of a piece in other words, only its ends are known.
            Some((_, piece)) if at == piece.at => piece.file.start,
            Some((index, piece)) if at >= self.piece_end(index) => piece.file.end,
            Some((_, piece)) => piece.file.start,
        }
    }

    /// The file's byte at which what ends before the text's byte `at` ends.
    fn end(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.at < at);
        match index.checked_sub(1).map(|index| (index, self.pieces[index])) {
            None => self.pieces.first().map_or(0, |piece| piece.file.start),
            Some((index, piece)) if self.is_verbatim(index) => {
                (piece.file.start + (at - piece.at)).min(piece.file.end)
            }
            Some((_, piece)) => piece.file.end,
        }
    }

    fn piece_end(&self, index: usize) -> usize {
        self.pieces.get(index + 1).map_or(self.text.len(), |next| next.at)
    }

    fn is_verbatim(&self, index: usize) -> bool {
        self.piece_end(index) - self.pieces[index].at == self.pieces[index].file.len()
    }

    /// A part of the text as a text of its own.
    pub fn part(&self, span: Span) -> MappedText {
        let mut part = MappedText::default();
        for (index, piece) in self.pieces.iter().enumerate() {
            let whole = Span::new(piece.at, self.piece_end(index));
            let cut = Span::new(whole.start.max(span.start), whole.end.min(span.end));
            if cut.start >= cut.end {
                continue;
            }
            let file = match self.is_verbatim(index) {
                true => {
                    let start = piece.file.start + (cut.start - whole.start);
                    Span::new(start, start + cut.len())
                }
                false => piece.file,
            };
            part.push_as(cut.slice(&self.text), file);
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_cuts_a_character_is_widened() {
        let text = MappedText::verbatim("a\u{fffd}b", 10);
        assert_eq!(text.span(Span::new(2, 3)), Span::new(11, 14));
        assert_eq!(text.span(Span::new(2, 9)), Span::new(11, 15));
    }

    /// `say "a\"b" c` with the escapes of the quotes taken off: `a"b`.
    #[test]
    fn spans_of_the_inner_text_are_found_in_the_file() {
        let file = "run: \"echo \\\"a b\\\" && x\"";
        let mut inner = MappedText::default();
        inner.push("echo ", 6);
        inner.push_as("\"", Span::new(11, 13));
        inner.push("a b", 13);
        inner.push_as("\"", Span::new(16, 18));
        inner.push(" && x", 18);
        assert_eq!(inner.text(), "echo \"a b\" && x");
        let find = |words: &str| {
            let at = inner.text().find(words).unwrap();
            inner.span(Span::new(at, at + words.len())).slice(file)
        };
        assert_eq!(find("echo"), "echo");
        assert_eq!(find("a b"), "a b");
        assert_eq!(find("\"a b\""), "\\\"a b\\\"");
        assert_eq!(find("&& x"), "&& x");
        let part = inner.part(Span::new(5, 10));
        assert_eq!(part.text(), "\"a b\"");
        assert_eq!(part.span(Span::new(1, 4)).slice(file), "a b");
        assert_eq!(part.span(Span::new(0, 5)).slice(file), "\\\"a b\\\"");
    }

    #[test]
    fn a_block_without_its_indentation_is_found_with_it() {
        let file = "run: |\n  one\n  two\n";
        let mut inner = MappedText::default();
        inner.push("one\n", 9);
        inner.push("two\n", 15);
        assert_eq!(inner.text(), "one\ntwo\n");
        assert_eq!(inner.span(Span::new(0, 7)).slice(file), "one\n  two");
        assert_eq!(inner.span(Span::new(4, 7)).slice(file), "two");
        assert_eq!(inner.span(Span::new(0, 3)).slice(file), "one");
        assert_eq!(inner.span(Span::new(8, 8)), Span::new(19, 19));
    }
}
