//! Applies fixes to texts: each whole or not at all, never two that touch the same bytes.

use crate::{Edit, FileId, Fix};
use std::collections::BTreeMap;

/// The edits of the fixes that go together, in the order in which the fixes are given: a fix one of whose edits
/// touches an edit of an earlier one is left out, unless that edit is the same. Gives the edits by file, in order of the
/// text, and for each fix whether it is in.
pub fn choose<'a>(fixes: &[&'a Fix]) -> (BTreeMap<FileId, Vec<&'a Edit>>, Vec<bool>) {
    let mut chosen: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    let mut taken = Vec::with_capacity(fixes.len());
    for fix in fixes {
        let mut own: Vec<&Edit> = fix.edits.iter().collect();
        own.sort();
        own.dedup();
        let consistent = own.windows(2).all(|pair| !conflict(pair[0], pair[1]));
        let fits = own.iter().all(|edit| {
            let others = chosen.get(&edit.file).map_or(&[][..], Vec::as_slice);
            others.iter().all(|other| other == edit || !conflict(other, edit))
        });
        let takes = consistent && fits && !own.is_empty();
        taken.push(takes);
        if takes {
            for edit in own {
                let edits = chosen.entry(edit.file).or_default();
                if !edits.contains(&edit) {
                    edits.push(edit);
                }
            }
        }
    }
    for edits in chosen.values_mut() {
        edits.sort();
    }
    (chosen, taken)
}

/// Whether two edits cannot both be made: they share bytes, or insert at the same place, where the order would be a
/// guess, or one inserts at an end of what the other replaces by something.
fn conflict(one: &Edit, other: &Edit) -> bool {
    if one.file != other.file {
        return false;
    }
    let (first, second) = if (one.span.start, one.span.end) <= (other.span.start, other.span.end) {
        (one, other)
    } else {
        (other, one)
    };
    let overlaps = second.span.start < first.span.end;
    let touches = second.span.start == first.span.end && (first.span.is_empty() || second.span.is_empty());
    overlaps || touches
}

/// The text with the edits made. They are in order and do not overlap, as [`choose`] gives them; one that does not fit
/// the text is left out.
pub fn apply(text: &str, edits: &[&Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let Some(kept) = text.get(at..edit.span.start) else {
            continue;
        };
        if !text.is_char_boundary(edit.span.end) || edit.span.end < edit.span.start {
            continue;
        }
        result.push_str(kept);
        result.push_str(&edit.content);
        at = edit.span.end;
    }
    result.push_str(text.get(at..).unwrap_or_default());
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Applicability, Span};

    fn edit(start: usize, end: usize, content: &str) -> Edit {
        Edit {
            file: FileId::default(),
            span: Span::new(start, end),
            content: content.to_owned(),
        }
    }

    fn fix(edits: &[Edit]) -> Fix {
        Fix {
            title: String::new(),
            change: String::new(),
            impact: String::new(),
            applicability: Applicability::Safe,
            edits: edits.to_vec(),
        }
    }

    fn after(text: &str, fixes: &[Fix]) -> (String, Vec<bool>) {
        let fixes: Vec<_> = fixes.iter().collect();
        let (edits, taken) = choose(&fixes);
        let edits = edits.into_values().next().unwrap_or_default();
        (apply(text, &edits), taken)
    }

    #[test]
    fn fixes_that_touch_the_same_bytes_are_not_made_together_and_never_half() {
        let first = fix(&[edit(0, 2, "x")]);
        let second = fix(&[edit(1, 3, "y"), edit(4, 5, "z")]);
        let third = fix(&[edit(4, 5, "w"), edit(2, 3, "")]);
        let (text, taken) = after("abcdef", &[first, second, third]);
        assert_eq!((text.as_str(), &taken[..]), ("xdwf", &[true, false, true][..]));
    }

    #[test]
    fn the_same_edit_of_two_fixes_is_made_once() {
        let (text, taken) = after("abc", &[fix(&[edit(1, 2, "")]), fix(&[edit(1, 2, "")])]);
        assert_eq!((text.as_str(), &taken[..]), ("ac", &[true, true][..]));
    }

    #[test]
    fn insertions_at_one_place_are_not_made_together() {
        let (text, taken) = after("ab", &[fix(&[edit(1, 1, "x")]), fix(&[edit(1, 1, "y")])]);
        assert_eq!((text.as_str(), &taken[..]), ("axb", &[true, false][..]));
        let (text, taken) = after("ab", &[fix(&[edit(0, 1, "")]), fix(&[edit(1, 2, "")])]);
        assert_eq!((text.as_str(), &taken[..]), ("", &[true, true][..]));
    }
}
