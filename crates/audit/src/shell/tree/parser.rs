//! Runs the parser, within bounds.

use super::super::prepare::prepare;
use super::children;
use crate::Span;
use std::borrow::Cow;
use std::ops::ControlFlow;
use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

/// Texts over this are not read, in bytes.
const LONGEST: usize = 2 << 20;

/// The tree of a text, as whole as can be had; none if it takes too long.
pub(super) fn read(text: &str) -> Option<Tree> {
    let tree = tree(text)?;
    Some(match tree.root_node().has_error() {
        true => better(text, tree),
        false => tree,
    })
}

/// The tree of the text in words that the grammar can read, if less of it is broken.
fn better(text: &str, tree: Tree) -> Tree {
    let prepared = prepare(text);
    if prepared.len() != text.len() || prepared == text {
        return tree;
    }
    match self::tree(&prepared) {
        Some(other) if broken_bytes(other.root_node()) < broken_bytes(tree.root_node()) => other,
        _ => tree,
    }
}

/// How much of the text stands in what could not be read; more than nothing if anything could not.
fn broken_bytes(root: Node<'_>) -> usize {
    let mut bytes = usize::from(root.has_error());
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        match node.is_error() {
            true => bytes += node.end_byte() - node.start_byte(),
            false => stack.extend(children(node).into_iter().filter(Node::has_error)),
        }
    }
    bytes
}

/// The parser's tree; none where it takes too long.
fn tree(text: &str) -> Option<Tree> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bash::LANGUAGE.into()).ok()?;
    // The parser reports after a fixed number of its operations. A usual script takes far fewer reports than bytes.
    let mut left = 1_000 + text.len();
    let mut progress = |_: &ParseState| {
        left = left.saturating_sub(1);
        match left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let text = narrow(text);
    let bytes = text.as_bytes();
    let mut input = |at: usize, _| bytes.get(at..).unwrap_or_default();
    parser.parse_with_options(&mut input, None, Some(options))
}

/// The text with other characters of as many bytes for those beyond U+00FF. The scanner of tree-sitter-bash (0.25.1) asks
/// C's `isdigit` about any character behind `{`, and C defines that for the values of a byte only: compiled without
/// optimisation, it reads beyond a table and can end the process. Words are read from the text itself.
fn narrow(text: &str) -> Cow<'_, str> {
    let is_wide = |character: char| character > '\u{FF}';
    if !text.contains(is_wide) {
        return Cow::Borrowed(text);
    }
    let mut narrow = String::with_capacity(text.len());
    for character in text.chars() {
        // Two bytes each: a letter, which can be of a name, and a sign.
        let other = if character.is_alphanumeric() { 'ª' } else { '¡' };
        match (is_wide(character), character.len_utf8()) {
            (false, _) => narrow.push(character),
            (true, 2) => narrow.push(other),
            (true, 3) => narrow.extend([other, '_']),
            (true, _) => narrow.extend([other, other]),
        }
    }
    Cow::Owned(narrow)
}

/// The first place that the parser could not read.
pub(super) fn first_error(root: Node<'_>) -> Option<Span> {
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        if node.is_error() || node.is_missing() {
            return Some(super::span(node));
        }
        stack.extend(children(node).into_iter().rev().filter(Node::has_error));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_beyond_a_byte_s_values_comes_to_the_scanner() {
        for text in [
            "echo é",
            "{1Ā..2}",
            "x 漢=字\u{3000}y",
            "{1\u{10FFFF}..2\u{E0100}} $a‘b",
        ] {
            let narrowed = narrow(text);
            assert!(
                narrowed.chars().all(|character| character <= '\u{FF}'),
                "{narrowed}"
            );
            assert_eq!(narrowed.len(), text.len());
            let is_kept = |(at, character): (usize, char)| {
                character > '\u{FF}' || narrowed.get(at..).is_some_and(|rest| rest.starts_with(character))
            };
            assert!(text.char_indices().all(is_kept), "{narrowed}");
        }
    }

    /// Without [`narrow`] this ends the process where C is compiled without optimisation.
    #[test]
    fn a_character_beyond_the_table_of_c_behind_a_brace_is_read() {
        for text in [
            "echo {1\u{10FFFF}",
            "echo {\u{10FFFF}",
            "echo {1..2\u{10FFFF}}",
            "echo {1..\u{10FFFF}}",
        ] {
            assert!(read(text).is_some(), "{text:?}");
        }
    }
}
