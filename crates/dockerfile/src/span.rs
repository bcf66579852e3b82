//! Where something stands in a file: a range of bytes. The one span type of the product; it knows nothing of files,
//! lines or columns.

/// A range of bytes in a text, from `start` up to and without `end`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`; when `end` lies before `start`, nothing at `start`.
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// How many bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is not a byte in it.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether all of `other` lies in this one. An empty span lies in those that it touches.
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// What stands there: nothing when the span does not lie in the text, or cuts a character.
    pub fn slice(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_does_not_fit_the_text_is_empty() {
        assert_eq!(Span::new(1, 3).slice("abc"), "bc");
        assert_eq!(Span::new(2, 9).slice("abc"), "");
        assert_eq!(Span::new(0, 1).slice("é"), "");
        assert_eq!(Span::new(5, 2), Span { start: 5, end: 5 });
        assert_eq!(Span { start: 3, end: 1 }.slice("abc"), "");
        assert_eq!(Span { start: 3, end: 1 }.len(), 0);
    }

    #[test]
    fn containing_is_about_both_ends() {
        let outer = Span::new(2, 6);
        assert!(outer.contains(Span::new(2, 6)) && outer.contains(Span::new(6, 6)));
        assert!(!outer.contains(Span::new(1, 3)) && !outer.contains(Span::new(5, 7)));
    }
}
