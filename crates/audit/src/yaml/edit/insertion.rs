//! Inserts an entry into a mapping or an item into a sequence.

use super::Change;
use super::layout::*;
use crate::yaml::{Kind, Node, Yaml};

/// Inserts after the entry or item that the node is (in). `content` is an entry (`key: value`) or an item (without its
/// `-`), on several lines where it has more, indented by two spaces for each level; it gets the file's own indentation.
///
/// Nothing where it does not fit: several lines into braces, a second entry into a pair that has no braces (`[a: b]`),
/// text that goes on after the node on its line, or a block scalar that ends with the text in a line of spaces.
pub fn insert_after(node: Node<'_>, content: &str) -> Option<Vec<Change>> {
    let (parent, index) = place(node)?;
    let yaml = node.yaml();
    let text = yaml.text();
    let slot = parent.slots().get(index)?.span;
    if parent.is_flow() {
        return into_flow(yaml, parent, index, content);
    }
    let own = column(text, slot.start);
    let end = with_own_comments(yaml, rest_of_line(yaml, slot.end)?, own);
    // Spaces that end the text can be of a scalar that keeps its breaks, and a break after them would be one more.
    if end == text.len() && end > line_start(text, end) && is_first_on_line(text, end) {
        return None;
    }
    let content = item_or_entry(parent, content);
    let lines = lines(yaml, &content, Some(own), 0);
    let line_break = line_break(text);
    Some(vec![Change::insert(end, format!("{line_break}{lines}"))])
}

/// Inserts before the entry or item that the node is (in), and before the comments on the lines above it. `content` is as
/// in [`insert_after`].
pub fn insert_before(node: Node<'_>, content: &str) -> Option<Vec<Change>> {
    let (parent, index) = place(node)?;
    let yaml = node.yaml();
    let text = yaml.text();
    let slot = parent.slots().get(index)?.span;
    if parent.is_flow() {
        let content = single_line(content).filter(|_| !is_bare_pair(parent) && !is_delicate(parent))?;
        return Some(vec![Change::insert(slot.start, format!("{content}, "))]);
    }
    let own = column(text, slot.start);
    let content = item_or_entry(parent, content);
    let lines = lines(yaml, &content, Some(own), 0);
    let line_break = line_break(text);
    if !is_first_on_line(text, slot.start) {
        let lines = lines.trim_start();
        let indent = " ".repeat(own);
        return Some(vec![Change::insert(
            slot.start,
            format!("{lines}{line_break}{indent}"),
        )]);
    }
    let mut at = line_start(text, slot.start);
    if text[at..].starts_with('\u{FEFF}') {
        at += '\u{FEFF}'.len_utf8();
    }
    while let Some(above) = at
        .checked_sub(1)
        .map(|end| line_start(text, text[..end].trim_end_matches('\r').len()))
    {
        let line = &text[above..at];
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent != own || comment_at(yaml, above + indent).is_none() {
            break;
        }
        at = above;
    }
    Some(vec![Change::insert(at, format!("{lines}{line_break}"))])
}

/// Inserts as the last of a collection, or as the first of a null or empty one. `content` is as in [`insert_after`]; for
/// a null it is the whole new value, so that items have their `-`.
pub fn append(collection: Node<'_>, content: &str) -> Option<Vec<Change>> {
    let yaml = collection.yaml();
    let text = yaml.text();
    let slots = collection.slots();
    if let Some(last) = slots.last() {
        return insert_after(Node::new(yaml, last.value), content);
    }
    match collection.kind() {
        _ if !yaml.is_editable() => None,
        Kind::Mapping | Kind::Sequence => {
            let content = single_line(content)?;
            let at = collection.span().end.checked_sub(1)?;
            Some(vec![Change::insert(at, content)])
        }
        Kind::Scalar(scalar) if scalar.is_null() && collection.span().is_empty() => {
            let entry = collection.entry().filter(|entry| entry.value == collection)?;
            let parent = collection.parent()?;
            if parent.is_flow() || !text[entry.key.outer_span().end..].trim_start().starts_with(':') {
                return None;
            }
            let end = rest_of_line(yaml, collection.outer_span().end)?;
            let own = column(text, entry.span.start);
            let lines = lines(yaml, content, None, own);
            Some(vec![Change::insert(end, format!("{}{lines}", line_break(text)))])
        }
        _ => None,
    }
}

fn single_line(content: &str) -> Option<&str> {
    let content = content.trim_end_matches('\n');
    (!content.contains(['\n', '\r'])).then_some(content)
}

/// An item gets its `-`, and its other lines stand below it.
fn item_or_entry(parent: Node<'_>, content: &str) -> String {
    match parent.kind() {
        Kind::Sequence => {
            let mut lines = content.lines();
            let first = format!("- {}", lines.next().unwrap_or_default());
            lines.fold(first, |item, line| item + "\n  " + line)
        }
        _ => content.to_owned(),
    }
}

/// Gives lines the file's indentation. The first stands at the column `own`, or below a key at the column `key`.
fn lines(yaml: &Yaml, content: &str, own: Option<usize>, key: usize) -> String {
    let (unit, flush) = habits(yaml);
    let line_break = line_break(yaml.text());
    let mut levels: Vec<(usize, usize)> = Vec::new();
    let mut is_below_key = own.is_none();
    let mut indented = Vec::new();
    for line in content.lines() {
        let said = line.trim_start_matches(' ');
        if said.is_empty() {
            indented.push(String::new());
            continue;
        }
        let from = line.len() - said.len();
        let is_item = said == "-" || said.starts_with("- ");
        while levels.last().is_some_and(|(column, _)| *column > from) {
            levels.pop();
        }
        let to = match levels.last() {
            Some((column, to)) if *column == from => *to,
            above => {
                let above = above.map_or(key, |(_, to)| *to);
                let to = match (own, levels.is_empty()) {
                    (Some(own), true) => own,
                    _ if is_item && flush && is_below_key => above,
                    _ => above + unit,
                };
                levels.push((from, to));
                to
            }
        };
        if is_item {
            levels.push((from + 2, to + 2));
        }
        is_below_key = said.ends_with(':');
        indented.push(format!("{}{said}", " ".repeat(to)));
    }
    indented.join(line_break)
}

fn into_flow(yaml: &Yaml, parent: Node<'_>, index: usize, content: &str) -> Option<Vec<Change>> {
    let text = yaml.text();
    let content = single_line(content).filter(|_| !is_bare_pair(parent))?;
    let slot = parent.slots().get(index)?.span;
    if is_delicate(parent) {
        return None;
    }
    let next = skip_trivia(yaml, slot.end);
    let comma = text[next..].starts_with(',').then_some(next);
    let after = comma.map_or(slot.end, |comma| comma + 1);
    let end = rest_of_line(yaml, after).filter(|_| is_first_on_line(text, slot.start));
    let Some(end) = end else {
        return Some(vec![Change::insert(slot.end, format!(", {content}"))]);
    };
    // One on each line.
    let indent = &text[line_start(text, slot.start)..slot.start];
    let line_break = line_break(text);
    Some(match comma {
        Some(_) => vec![Change::insert(end, format!("{line_break}{indent}{content},"))],
        None if end == slot.end => vec![Change::insert(end, format!(",{line_break}{indent}{content}"))],
        None => vec![
            Change::insert(slot.end, ","),
            Change::insert(end, format!("{line_break}{indent}{content}")),
        ],
    })
}
