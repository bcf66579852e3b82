//! What is cut out of a text when one item of a list, a map or a block goes. Of texts alone: it knows the two notations
//! of bake files (HCL and JSON), and nothing of what they say.

use crate::Span;

/// How the items of a container are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Commas or line breaks; one may follow the last item; `#`, `//` and `/* */` are comments.
    Hcl,
    /// Commas between items, and none after the last.
    Json,
}

/// The removal span of each item, given where the items stand, in order.
pub(crate) fn removals(text: &str, items: &[Span], notation: Notation) -> Vec<Span> {
    let neighbour = |index: Option<usize>| index.and_then(|index| items.get(index)).copied();
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let before = neighbour(index.checked_sub(1));
            let after = neighbour(Some(index + 1));
            removal(text, *item, before, after, notation)
        })
        .collect()
}

fn removal(text: &str, item: Span, before: Option<Span>, after: Option<Span>, notation: Notation) -> Span {
    let tail = Tail::of(text, item.end, notation);
    // JSON takes no comma before the closing bracket: the one before the last item goes with it.
    if notation == Notation::Json && after.is_none() {
        return Span::new(before.map_or(item.start, |before| before.end), item.end);
    }
    if let Some(end) = tail.line_end
        && let Some(start) = line_start_if_blank(text, item.start)
    {
        return Span::new(start, end);
    }
    match (tail.comma_end, before) {
        (Some(end), _) if after.is_some() => Span::new(item.start, skip_blanks(text, end)),
        (_, Some(before)) => Span::new(before.end, tail.comma_end.unwrap_or(item.end)),
        (end, None) => Span::new(item.start, end.unwrap_or(item.end)),
    }
}

/// What follows an item.
struct Tail {
    /// After the comma, where there is one.
    comma_end: Option<usize>,
    /// After the line break, where nothing but a comma and a comment stands before it.
    line_end: Option<usize>,
}

impl Tail {
    fn of(text: &str, item_end: usize, notation: Notation) -> Tail {
        let mut at = skip_blanks(text, item_end);
        let comma_end = rest(text, at).starts_with(',').then_some(at + 1);
        at = skip_blanks(text, comma_end.unwrap_or(at));
        let comment = rest(text, at);
        if notation == Notation::Hcl {
            if comment.starts_with('#') || comment.starts_with("//") {
                at += comment.find('\n').unwrap_or(comment.len());
            } else if comment.starts_with("/*") {
                at += comment.find("*/").map_or(comment.len(), |end| end + 2);
                at = skip_blanks(text, at);
            }
        }
        let line_end = match rest(text, at) {
            "" => Some(at),
            rest if rest.starts_with("\r\n") => Some(at + 2),
            rest if rest.starts_with('\n') => Some(at + 1),
            _ => None,
        };
        Tail { comma_end, line_end }
    }
}

/// Where the line of `at` begins, if only blanks stand between.
fn line_start_if_blank(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    before[start..].trim().is_empty().then_some(start)
}

fn skip_blanks(text: &str, at: usize) -> usize {
    let rest = rest(text, at);
    at + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `text` when each of `items` goes, one at a time.
    fn without(text: &str, items: &[&str], notation: Notation) -> Vec<String> {
        let spans: Vec<Span> = items
            .iter()
            .map(|item| {
                let at = text.find(item).unwrap();
                Span::new(at, at + item.len())
            })
            .collect();
        removals(text, &spans, notation)
            .into_iter()
            .map(|span| format!("{}{}", &text[..span.start], &text[span.end..]))
            .collect()
    }

    #[test]
    fn an_item_on_a_line_goes_with_its_line_and_its_comment() {
        let text = "args = {\n  A = 1 # why\n  B = 2, // or\n  C = 3\n}\n";
        assert_eq!(
            without(text, &["A = 1", "B = 2", "C = 3"], Notation::Hcl),
            [
                "args = {\n  B = 2, // or\n  C = 3\n}\n",
                "args = {\n  A = 1 # why\n  C = 3\n}\n",
                "args = {\n  A = 1 # why\n  B = 2, // or\n}\n",
            ]
        );
    }

    #[test]
    fn an_item_between_others_goes_with_one_comma() {
        assert_eq!(
            without(
                "[\"a\", \"b\", \"c\"]",
                &["\"a\"", "\"b\"", "\"c\""],
                Notation::Hcl
            ),
            ["[\"b\", \"c\"]", "[\"a\", \"c\"]", "[\"a\", \"b\"]"]
        );
        assert_eq!(without("[\"a\"]", &["\"a\""], Notation::Hcl), ["[]"]);
    }

    #[test]
    fn json_keeps_no_comma_before_the_closing_bracket() {
        let text = "{\n  \"a\": 1,\n  \"b\": 2\n}";
        assert_eq!(
            without(text, &["\"a\": 1", "\"b\": 2"], Notation::Json),
            ["{\n  \"b\": 2\n}", "{\n  \"a\": 1\n}"]
        );
    }
}
