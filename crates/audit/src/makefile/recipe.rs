//! The lines of a recipe as the shell gets them.

use super::expand::expand;
use super::{Recipe, RecipeLine};
use crate::{MappedText, Span};

/// What the shell gets of the lines at `span`, with the signs before it told apart.
pub(super) fn recipe_line(text: &str, span: Span, prefix: char) -> RecipeLine {
    let mut mapped = MappedText::default();
    let signs = push_lines(&mut mapped, text, span, prefix);
    RecipeLine {
        text: mapped,
        span,
        ignore_errors: signs.contains('-'),
        silent: signs.contains('@'),
    }
}

/// Adds the lines at `span` without the recipe's prefix before each, and the signs before the first. Gives the signs.
fn push_lines<'a>(mapped: &mut MappedText, text: &'a str, span: Span, prefix: char) -> &'a str {
    let mut signs = "";
    let mut at = span.start;
    for (index, piece) in span.slice(text).split_inclusive('\n').enumerate() {
        let mut rest = piece.strip_prefix(prefix).unwrap_or(piece);
        if index == 0 {
            let command = rest.trim_start_matches([' ', '\t', '@', '-', '+']);
            signs = rest.strip_suffix(command).unwrap_or_default();
            rest = command;
        }
        expand(mapped, rest, at + (piece.len() - rest.len()));
        at += piece.len();
    }
    signs
}

/// Makes the lines of a recipe one: with `.ONESHELL`, all of them are one script, and the signs of the first hold.
pub(super) fn join(recipe: &mut Recipe, text: &str, prefix: char) {
    let mut lines = std::mem::take(&mut recipe.lines).into_iter();
    let Some(mut whole) = lines.next() else {
        return;
    };
    for line in lines {
        // Canned lines may stand before the recipe.
        let between = match whole.span.end <= line.span.start {
            true => Span::new(whole.span.end, line.span.start),
            false => Span::new(line.span.start, line.span.start),
        };
        whole.text.push_as("\n", between);
        push_lines(&mut whole.text, text, line.span, prefix);
        whole.span.end = line.span.end.max(whole.span.end);
    }
    recipe.lines.push(whole);
}
