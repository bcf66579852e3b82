//! The lines of a file, and what makes of several one: continuation characters.

use crate::{Span, characters};

/// The longest line that the engine reads, its line break included, in bytes: the buffer of Go's `bufio.Scanner`.
pub(crate) const LONGEST: usize = 64 * 1024;

/// One line of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub number: usize,
    /// Without its line break, and without a byte-order mark.
    pub text: &'a [u8],
    /// With its line break.
    pub whole: &'a [u8],
    /// Where `text` begins in the file.
    pub start: usize,
}

impl Line<'_> {
    /// Where `text` stands.
    pub fn span(&self) -> Span {
        Span::new(self.start, self.start + self.text.len())
    }

    /// Whether the engine cannot read it.
    pub fn is_too_long(&self) -> bool {
        // Without a line break the reader wants one byte more, to know that there is nothing.
        self.whole.len() + usize::from(!self.whole.ends_with(b"\n")) > LONGEST
    }
}

/// The lines of a file, in order.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .map(move |(index, whole)| {
            let mark = if index == 0 && whole.starts_with(b"\xEF\xBB\xBF") {
                3
            } else {
                0
            };
            let line = Line {
                number: index + 1,
                text: without_break(&whole[mark..]),
                whole,
                start: start + mark,
            };
            start += whole.len();
            line
        })
}

/// All carriage returns and line feeds at the end belong to the line break.
fn without_break(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

/// Whether a line is a comment.
pub(crate) fn is_comment(line: &[u8]) -> bool {
    characters::trim_start(line).first() == Some(&b'#')
}

/// The line without its continuation, and whether it had one: an escape character at the end, blanks after it
/// allowed, that no other escape character precedes.
pub(crate) fn continuation(line: &[u8], escape: u8) -> (&[u8], bool) {
    let mut part = line;
    while let [rest @ .., b' ' | b'\t'] = part {
        part = rest;
    }
    match part {
        [rest @ .., last] if *last == escape && rest.last() != Some(&escape) => (rest, true),
        _ => (line, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_may_have_several_returns() {
        let all: Vec<_> = lines(b"\xEF\xBB\xBFa\r\r\n\nb")
            .map(|l| (l.number, l.text, l.start))
            .collect();
        assert_eq!(all, [(1, &b"a"[..], 3), (2, b"", 7), (3, b"b", 8)]);
    }

    #[test]
    fn a_continuation_stands_alone_at_the_end() {
        assert_eq!(continuation(b"a \\ \t", b'\\'), (&b"a "[..], true));
        assert_eq!(continuation(b"\\", b'\\'), (&b""[..], true));
        assert_eq!(continuation(b"a\\\\", b'\\'), (&b"a\\\\"[..], false));
        assert_eq!(continuation(b"a\\", b'`'), (&b"a\\"[..], false));
        assert_eq!(continuation(b"a\\ \r ", b'\\'), (&b"a\\ \r "[..], false));
    }

    #[test]
    fn the_longest_line_is_that_of_the_engines_buffer() {
        let mut line = vec![b'x'; LONGEST - 1];
        assert!(!lines(&line).any(|l| l.is_too_long()));
        line.push(b'\n');
        assert!(!lines(&line).any(|l| l.is_too_long()));
        line[LONGEST - 1] = b'x';
        assert!(lines(&line).any(|l| l.is_too_long()));
    }
}
