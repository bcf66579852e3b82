//! A command that may go over several lines, as one line, of which every byte knows where it stands in the file.

use std::ops::Range;

use crate::{Span, characters};

/// The lines of an instruction joined, without continuations, comments and line breaks.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// The line.
    pub bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// A run of bytes that stand together in the file too.
#[derive(Debug, Clone, Copy)]
struct Piece {
    joined: usize,
    file: usize,
}

impl Joined {
    /// Adds what stands at `file`.
    pub fn push(&mut self, bytes: &[u8], file: usize) {
        self.pieces.push(Piece {
            joined: self.bytes.len(),
            file,
        });
        self.bytes.extend_from_slice(bytes);
    }

    /// Where the byte at `at` stands in the file; at the end, where the last one ends.
    pub fn place(&self, at: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.joined <= at);
        match after.checked_sub(1).and_then(|index| self.pieces.get(index)) {
            Some(piece) => piece.file + (at - piece.joined),
            None => 0,
        }
    }

    /// Where a range stands in the file, continuations within it included. A cut character belongs to what follows.
    pub fn span(&self, range: &Range<usize>) -> Span {
        let (start, end) = (self.boundary(range.start), self.boundary(range.end));
        if end <= start {
            // Nothing stands right after what is before it, and not where the next line goes on.
            let place = start
                .checked_sub(1)
                .map_or(self.place(0), |before| self.place(before) + 1);
            return Span::new(place, place);
        }
        Span::new(self.place(start), self.place(end - 1) + 1)
    }

    /// The beginning of the character that `at` lies in.
    fn boundary(&self, at: usize) -> usize {
        let mut start = at.min(self.bytes.len());
        let lowest = start.saturating_sub(3);
        while start > lowest && self.bytes.get(start).is_some_and(|byte| byte & 0xC0 == 0x80) {
            start -= 1;
        }
        // Bytes that are no UTF-8 have no beginning to go back to.
        let (_, length) = characters::first(&self.bytes[start..]);
        if start + length > at {
            start
        } else {
            at.min(self.bytes.len())
        }
    }

    /// What stands in a range, joined.
    pub fn text(&self, range: &Range<usize>) -> String {
        characters::text(&self.bytes[range.clone()])
    }

    /// A range without Unicode blanks at its ends.
    pub fn trim(&self, range: Range<usize>) -> Range<usize> {
        let bytes = &self.bytes[range.clone()];
        let start = range.end - characters::trim_start(bytes).len();
        start..start + characters::trim_end(&self.bytes[start..range.end]).len()
    }

    /// The parts of the file that a range is joined from, in order.
    pub fn parts(&self, range: &Range<usize>) -> impl Iterator<Item = Span> + '_ {
        let range = range.clone();
        self.pieces.iter().enumerate().filter_map(move |(index, piece)| {
            let end = self
                .pieces
                .get(index + 1)
                .map_or(self.bytes.len(), |next| next.joined);
            let (from, to) = (piece.joined.max(range.start), end.min(range.end));
            (from < to).then(|| Span::new(piece.file + from - piece.joined, piece.file + to - piece.joined))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_over_two_lines_has_one_span() {
        let mut joined = Joined::default();
        joined.push(b"RUN fo", 0);
        joined.push(b"o b", 8);
        assert_eq!(joined.span(&(4..7)), Span::new(4, 9));
        assert_eq!(joined.span(&(9..9)), Span::new(11, 11));
        assert_eq!(joined.span(&(6..6)), Span::new(6, 6));
        assert_eq!(
            joined.parts(&(4..7)).collect::<Vec<_>>(),
            [Span::new(4, 6), Span::new(8, 9)]
        );
        assert_eq!(joined.trim(3..7), 4..7);
    }
}
