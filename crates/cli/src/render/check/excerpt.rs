//! Lines of a source as a terminal can show them: hostile characters are visible and harmless, long lines are cut around
//! what is marked, and the marks are moved with the text.
//!
//! It draws nothing: [`super::text`] has the lines drawn.

use super::{Place, boundary};
use crate::text::is_hostile;
use unicode_width::UnicodeWidthChar;
use unstale_audit::{Source, Span};

/// How many lines of a span are shown.
const LINES: usize = 4;
/// Marked places with more lines between them than this are shown apart.
const APART: usize = 50;
/// How many columns a tab takes where the lines are drawn.
const TAB: usize = 4;

/// A place that is marked.
pub(super) struct Mark {
    /// In the source; later in [`Excerpt::text`].
    pub span: Span,
    pub label: Option<String>,
    pub is_primary: bool,
}

/// Some lines one after the other.
pub(super) struct Excerpt {
    pub text: String,
    pub first_line: usize,
    /// Within `text`.
    pub marks: Vec<Mark>,
}

/// The excerpts that show the marks of one source, in the order of the lines.
pub(super) fn excerpts(source: &Source, mut marks: Vec<Mark>, width: usize) -> Vec<Excerpt> {
    for mark in &mut marks {
        limit(source, mark);
    }
    let lines = |span: Span| (source.position(span.start).line, source.position(span.end).line);
    let mut marks: Vec<_> = marks.into_iter().map(|mark| (lines(mark.span), mark)).collect();
    marks.sort_by_key(|((first, _), mark)| (*first, mark.span));
    let mut groups: Vec<(usize, usize, Vec<Mark>)> = Vec::new();
    for ((first, last), mark) in marks {
        match groups.last_mut() {
            Some((_, end, group)) if first <= *end + APART => {
                *end = last.max(*end);
                group.push(mark);
            }
            _ => groups.push((first, last, vec![mark])),
        }
    }
    groups
        .into_iter()
        .map(|(first, last, marks)| excerpt(source, (first, last), marks, width))
        .collect()
}

/// Cuts a mark of many lines down to its first.
fn limit(source: &Source, mark: &mut Mark) {
    let first = source.position(mark.span.start).line;
    let last = source.position(mark.span.end).line;
    if last < first + LINES {
        return;
    }
    if let Some(line) = source.line(first + LINES - 1) {
        mark.span.end = line.end.max(mark.span.start);
        let label = mark
            .label
            .take()
            .map_or(String::new(), |label| format!("{label} "));
        mark.label = Some(format!("{label}(up to line {last})"));
    }
}

fn excerpt(source: &Source, (first, last): (usize, usize), mut marks: Vec<Mark>, width: usize) -> Excerpt {
    let mut text = String::new();
    // The marks as they are in the source; those in `marks` are moved.
    let spans: Vec<Span> = marks.iter().map(|mark| mark.span).collect();
    for number in first..=last {
        let Some(line) = source.line(number) else { break };
        if number > first {
            text.push('\n');
        }
        let on_line = |at: usize| line.start <= at && at <= line.end;
        let ends = spans.iter().flat_map(|span| [span.start, span.end]);
        let ends = ends.filter(|&at| on_line(at)).map(|at| at - line.start);
        let marked = ends.clone().min().zip(ends.max());
        let fitted = Fitted::new(line.slice(source.text()), marked, width);
        for (mark, span) in marks.iter_mut().zip(&spans) {
            if on_line(span.start) {
                mark.span.start = text.len() + fitted.moved(span.start - line.start);
            }
            if on_line(span.end) {
                mark.span.end = text.len() + fitted.moved(span.end - line.start);
            }
        }
        text.push_str(&fitted.text);
    }
    for mark in &mut marks {
        // An end within a line break is on no line.
        mark.span.start = boundary(&text, mark.span.start);
        mark.span.end = boundary(&text, mark.span.end.max(mark.span.start));
    }
    Excerpt {
        text,
        first_line: first,
        marks,
    }
}

/// A line that fits the width.
struct Fitted {
    text: String,
    /// For each character that is shown: its byte in the line, and in `text`.
    map: Vec<(usize, usize)>,
    /// Where what is cut off at the right is shown.
    end: usize,
}

impl Fitted {
    /// `marked` is what has to be seen, in bytes of the line.
    fn new(line: &str, marked: Option<(usize, usize)>, width: usize) -> Fitted {
        let (from, to) = marked.unwrap_or_default();
        let columns = |part: &str| part.chars().map(columns).sum::<usize>();
        let before = columns(&line[..boundary(line, from)]);
        let is_long = columns(line) > width;
        let needed = columns(&line[..boundary(line, to)]);
        let left = match is_long && needed + 1 > width {
            true => before.saturating_sub(width / 3),
            false => 0,
        };
        let right = match is_long {
            true => left + width.saturating_sub(1),
            false => usize::MAX,
        };
        let mut fitted = Fitted {
            text: String::new(),
            map: Vec::new(),
            end: 0,
        };
        let mut column = 0;
        for (at, c) in line.char_indices() {
            let start = column;
            column += self::columns(c);
            // The mark for what is left out takes the first column.
            if start < left + usize::from(left > 0) {
                continue;
            }
            if fitted.text.is_empty() && left > 0 {
                fitted.text.push('…');
            }
            if column > right {
                break;
            }
            // GitHub's runner obeys `##[` anywhere in a line.
            if c == '[' && fitted.text.ends_with("##") {
                fitted.text.push(' ');
            }
            fitted.map.push((at, fitted.text.len()));
            fitted.text.push(visible(c));
        }
        fitted.end = fitted.text.len();
        if let Some(&(last, _)) = fitted.map.last()
            && line[last..].chars().nth(1).is_some()
        {
            fitted.text.push('…');
        }
        fitted
    }

    /// Where a byte of the line is in the text.
    fn moved(&self, at: usize) -> usize {
        let index = self.map.partition_point(|&(byte, _)| byte < at);
        self.map.get(index).map_or(self.end, |&(_, moved)| moved)
    }
}

/// What a character takes of the width. What has no width of its own counts too, so that no line is endless.
fn columns(c: char) -> usize {
    match c {
        '\t' => TAB,
        c => c.width().unwrap_or(1).max(1),
    }
}

/// The character, or another one of one column in its place.
fn visible(c: char) -> char {
    match c {
        '\t' => '\t',
        '\u{7f}' => '␡',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        c if is_hostile(c) => '�',
        c => c,
    }
}

impl Mark {
    pub(super) fn new(place: &Place<'_>, label: Option<String>, is_primary: bool) -> Mark {
        Mark {
            span: place.span,
            label,
            is_primary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;
    use proptest::prelude::*;

    fn show(text: &str, span: Span, width: usize) -> (String, String) {
        let source = Source::new("f", text);
        let mark = Mark {
            span,
            label: None,
            is_primary: true,
        };
        let mut excerpts = excerpts(&source, vec![mark], width);
        let excerpt = excerpts.remove(0);
        let marked = excerpt.marks[0].span.slice(&excerpt.text).to_owned();
        (excerpt.text, marked)
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let line = format!("{}NEEDLE{}", "a".repeat(50_000), "b".repeat(50_000));
        let (text, marked) = show(&line, Span::new(50_000, 50_006), 60);
        assert_eq!(marked, "NEEDLE");
        assert_eq!(width(&text), 60);
        assert!(text.starts_with("…a") && text.ends_with("b…"), "{text}");
        let (text, marked) = show(&line, Span::new(0, 100_006), 60);
        assert_eq!(text, format!("{}…", "a".repeat(59)));
        assert_eq!(marked, "a".repeat(59));
    }

    #[test]
    fn hostile_characters_are_seen_and_obeyed_by_nobody() {
        let line = "RUN \u{1b}[31m\u{202e}\0x\r##[add-mask]y";
        let at = line.find('y').unwrap();
        let (text, marked) = show(line, Span::new(at, at + 1), 80);
        assert_eq!(text, "RUN ␛[31m�␀x␍## [add-mask]y");
        assert_eq!(marked, "y");
    }

    #[test]
    fn a_mark_of_many_lines_shows_the_first() {
        let (text, marked) = show("1\n2\n3\n4\n5\n6\n7\n", Span::new(2, 12), 80);
        assert_eq!((text.as_str(), marked.as_str()), ("2\n3\n4\n5", "2\n3\n4\n5"));
    }

    proptest! {
        #[test]
        fn any_mark_of_any_text_is_shown(
            text in "[a-c\u{e9}\u{4e16}\u{301}\u{1b}\u{202e}\t\r\n#\\[ ]{0,200}",
            start in 0usize..220,
            length in 0usize..220,
            width in 8usize..60,
        ) {
            let span = super::super::trimmed(&text, Span::new(start, start + length));
            let source = Source::new("f", text.as_str());
            let mark = Mark { span, label: None, is_primary: true };
            for excerpt in excerpts(&source, vec![mark], width) {
                for mark in &excerpt.marks {
                    prop_assert!(excerpt.text.get(mark.span.start..mark.span.end).is_some());
                }
                for line in excerpt.text.split('\n') {
                    prop_assert!(line.chars().map(columns).sum::<usize>() <= width + 1);
                    prop_assert!(line.chars().all(|c| c == '\t' || !is_hostile(c)));
                }
            }
        }
    }
}
