//! Removes an entry of a mapping or an item of a sequence.

use super::layout::*;
use crate::Span;
use crate::yaml::{Node, Yaml, template};
use std::collections::HashSet;

/// What to remove so that the entry or item that the node is (in) is gone: whole lines with the comment at their end and
/// all that is nested, but no comment of another entry. What would become empty by it goes as well: removing the only
/// entry of `args:` removes `args:`.
///
/// Nothing where that would change more: an anchor is used elsewhere, or a template begins or ends within.
pub fn removal(node: Node<'_>) -> Option<Vec<Span>> {
    removal_up_to(node, None)
}

/// As [`removal`], but nothing if the collection `kept` would have to go with it.
pub fn removal_within(node: Node<'_>, kept: Node<'_>) -> Option<Vec<Span>> {
    removal_up_to(node, Some(kept))
}

fn removal_up_to(node: Node<'_>, kept: Option<Node<'_>>) -> Option<Vec<Span>> {
    let yaml = node.yaml();
    let (mut parent, mut index) = place(node)?;
    while parent.slots().len() == 1 {
        if kept == Some(parent) || parent.is_key() {
            return None;
        }
        let Some(above) = place(parent) else { break };
        (parent, index) = above;
    }
    let spans = match parent.is_flow() {
        true => from_flow(yaml, parent, index)?,
        false => vec![from_block(yaml, parent, index)?],
    };
    let slot = parent.slots().get(index)?.span;
    let is_safe = !is_used_elsewhere(yaml, slot)
        && !spans.iter().any(|span| has_control(yaml, *span))
        && spans.iter().all(|span| joins_well(yaml.text(), *span, ""));
    is_safe.then_some(spans)
}

/// Whether an alias outside of a place means a node within.
fn is_used_elsewhere(yaml: &Yaml, slot: Span) -> bool {
    let within = |node: Node<'_>| slot.contains(node.outer_span());
    let anchored: HashSet<_> = yaml
        .nodes()
        .filter(|node| node.anchor().is_some() && within(*node))
        .map(Node::id)
        .collect();
    !anchored.is_empty()
        && yaml.nodes().any(|node| {
            let target = node.resolved();
            target != node && anchored.contains(&target.id()) && !within(node)
        })
}

fn has_control(yaml: &Yaml, span: Span) -> bool {
    yaml.is_templated() && template::has_control(span.slice(yaml.text()))
}

fn from_block(yaml: &Yaml, parent: Node<'_>, index: usize) -> Option<Span> {
    let text = yaml.text();
    let slots = parent.slots();
    let slot = slots.get(index)?.span;
    // `: x` without a key would become the value of the entry before.
    let next_key = slots.get(index + 1).and_then(|next| next.key);
    if next_key.is_some_and(|key| Node::new(yaml, key).outer_span().is_empty()) {
        return None;
    }
    let end = rest_of_line(yaml, slot.end)?;
    if yaml.is_templated() && is_followed_by_template(text, end, column(text, slot.start)) {
        return None;
    }
    if !is_first_on_line(text, slot.start) {
        // The first of a collection that begins on the line of a `-`: the next one takes its place, comments first.
        let next = slots.get(index + 1)?.span.start;
        let before = text[line_start(text, slot.start)..slot.start].trim_end_matches([' ', '\t']);
        if !before.ends_with(['-', '?', ':']) || before.ends_with("---") {
            return None;
        }
        let rest = &text[end..next];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        return Some(Span::new(slot.start, end + blank));
    }
    let start = line_start(text, slot.start);
    let start = start
        + if text[start..].starts_with('\u{FEFF}') {
            3
        } else {
            0
        };
    let end = with_own_comments(yaml, end, column(text, slot.start));
    let end = after_break(text, end);
    Some(tidy(yaml, Span::new(start, end), index, slots.len()))
}

/// Whether the next line says nothing but a template, and stands as far in as an entry or further: what becomes of it may
/// belong to the entry.
fn is_followed_by_template(text: &str, end: usize, column: usize) -> bool {
    let mut lines = text[end..].lines().skip(1);
    let next = lines.find(|line| !matches!(line.trim_start().chars().next(), None | Some('#')));
    next.is_some_and(|line| {
        let said = line.trim_start();
        said.starts_with("{{") && line.len() - said.len() >= column
    })
}

/// Takes the empty lines that would be left over.
fn tidy(yaml: &Yaml, lines: Span, index: usize, count: usize) -> Span {
    let text = yaml.text();
    let above = &text[..lines.start];
    let blank_above = above.len() - above.trim_end_matches([' ', '\t', '\n', '\r']).len();
    let said_above = &above[..above.len() - blank_above];
    let has_blank_above = count_breaks(&above[said_above.len()..]) > usize::from(!said_above.is_empty());
    let below = &text[lines.end..];
    let blank_below = match below.trim_start_matches([' ', '\t', '\n', '\r']) {
        "" => below.len(),
        // Whole lines only.
        said => {
            let said = lines.end + below.len() - said.len();
            line_start(text, said).saturating_sub(lines.end)
        }
    };
    let after_scalar = follows_block_scalar(yaml, lines.start);
    let is_comment_above = said_above
        .rfind(['\n', '\r'])
        .map_or(said_above, |at| &said_above[at + 1..])
        .trim_start()
        .starts_with('#');
    let is_first = index == 0 && count > 1 && !is_comment_above;
    let mut tidied = lines;
    // Spaces that end the text would be a line of a scalar above that keeps its breaks.
    let ends_with_spaces = !below.is_empty() && below.trim_start_matches([' ', '\t']).is_empty();
    if after_scalar || has_blank_above || is_first || said_above.is_empty() || ends_with_spaces {
        tidied.end += blank_below;
    }
    if tidied.end == text.len() && has_blank_above && !after_scalar && !said_above.is_empty() {
        tidied.start = after_break(text, said_above.len());
    }
    tidied
}

fn count_breaks(text: &str) -> usize {
    text.replace("\r\n", "\n").matches(['\n', '\r']).count()
}

fn from_flow(yaml: &Yaml, parent: Node<'_>, index: usize) -> Option<Vec<Span>> {
    let text = yaml.text();
    let slots = parent.slots();
    let slot = slots.get(index)?.span;
    if is_delicate(parent) {
        return None;
    }
    let comma_after = |at: usize| {
        let at = skip_trivia(yaml, at);
        text[at..].starts_with(',').then_some(at)
    };
    let comma = comma_after(slot.end);
    let before = index.checked_sub(1).and_then(|index| slots.get(index));
    let comma_before = before.and_then(|before| comma_after(before.span.end));
    let end = comma.map_or(slot.end, |comma| comma + 1);
    let has_whole_lines = is_first_on_line(text, slot.start);
    if let (true, Some(line_end)) = (has_whole_lines, rest_of_line(yaml, end)) {
        let lines = Span::new(line_start(text, slot.start), after_break(text, line_end));
        return Some(match (comma, comma_before) {
            (None, Some(comma)) => vec![Span::new(comma, comma + 1), lines],
            _ => vec![lines],
        });
    }
    let spaces_before = text[..slot.start].trim_end_matches([' ', '\t']).len();
    match (comma, comma_before) {
        (Some(_), _) => {
            let rest = &text[end..];
            let next = end + rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let is_last_on_line = next == line_end(text, next) || comment_at(yaml, next).is_some();
            let is_last = index + 1 == slots.len();
            Some(vec![match is_last_on_line || is_last {
                true => Span::new(spaces_before, end),
                false => Span::new(slot.start, next),
            }])
        }
        (None, Some(comma)) => match is_blank(&text[comma + 1..slot.start]) {
            true => Some(vec![Span::new(comma, slot.end)]),
            false => Some(vec![Span::new(comma, comma + 1), slot]),
        },
        (None, None) => Some(vec![Span::new(spaces_before, slot.end)]),
    }
}
