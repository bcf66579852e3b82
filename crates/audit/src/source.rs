//! A file's text, and which line and column a byte of it is on.

use crate::Span;

/// A file's text.
#[derive(Debug, Clone)]
pub struct Source {
    path: String,
    text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

/// A place for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters (Unicode scalar values).
    pub column: usize,
}

impl Source {
    /// `path` is relative to the checked folder, with `/` between its parts.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Source {
            path: path.into(),
            text,
            lines,
        }
    }

    /// Relative to the checked folder, with `/` between its parts.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The folder that the file is in, without a `/` at its end; empty for the checked folder itself.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a byte stands. One past the end is on the last line.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line.saturating_sub(1)];
        let before = self.text.get(start..offset).unwrap_or_default();
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// The span of a line (from 1) without its line break.
    pub fn line(&self, line: usize) -> Option<Span> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end)?;
        Some(Span::new(
            start,
            start + text.trim_end_matches(['\n', '\r']).len(),
        ))
    }

    /// From the beginning of the line that `span` begins on, to the beginning of the line after the one that it ends on.
    pub fn whole_lines(&self, span: Span) -> Span {
        let last = span.end.max(span.start + 1) - 1;
        let first = self.lines.partition_point(|&start| start <= span.start);
        let after = self.lines.partition_point(|&start| start <= last);
        Span::new(
            self.lines[first.saturating_sub(1)],
            self.lines.get(after).copied().unwrap_or(self.text.len()),
        )
    }

    /// How many lines there are; a line break at the end of the text begins no line.
    pub fn line_count(&self) -> usize {
        match self.lines.last() {
            Some(&last) if last == self.text.len() => self.lines.len() - 1,
            _ => self.lines.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let source = Source::new("a/b/c", "one\nzwö lf\n\nlast");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(9), Position { line: 2, column: 5 });
        assert_eq!(source.position(17), Position { line: 4, column: 5 });
        assert_eq!((source.folder(), source.name()), ("a/b", "c"));
        assert_eq!(source.line_count(), 4);
        assert_eq!(
            source.line(2).map(|span| span.slice(source.text())),
            Some("zwö lf")
        );
        assert_eq!(source.whole_lines(Span::new(1, 2)).slice(source.text()), "one\n");
        assert_eq!(
            source.whole_lines(Span::new(2, 6)).slice(source.text()),
            "one\nzwö lf\n"
        );
        assert_eq!(source.whole_lines(Span::new(13, 15)).slice(source.text()), "last");
    }
}
