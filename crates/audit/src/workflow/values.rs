//! Values of CI files with their places: texts, pairs, and lists that are written in one text.

use std::cell::Cell;
use std::collections::HashMap;

use crate::bake::removal::{Notation, removals};
use crate::workflow::expression::expressions;
use crate::yaml::{Entry, Node, Style};
use crate::{MappedText, Source, Span};

/// A text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it says, without quotes.
    pub value: String,
    /// Where it stands, with its quotes.
    pub span: Span,
}

/// `name: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Its value; empty for null. What is no scalar is the text that stands in the file.
    pub value: MappedText,
    /// Where the value stands, with its quotes or the `|` of its block.
    pub value_span: Span,
    /// Name and value.
    pub span: Span,
    /// What to cut to remove it: its lines with their comment, or a comma with it.
    pub removal: Span,
    /// Whether each line of the value is a line of the file (`|`).
    literal: bool,
    /// The lines of the value in the file, if it is `literal`: from the beginning of each to the beginning of the next.
    lines: Vec<Span>,
}

impl Pair {
    /// The value as a text.
    pub fn text(&self) -> &str {
        self.value.text()
    }

    /// Whether the value is `true`, as inputs of actions are asked for it.
    pub fn is_true(&self) -> bool {
        self.text().trim().eq_ignore_ascii_case("true")
    }

    /// The items of a list that is written in one text, one on each line: `build-args`, `cache-from`, `path`.
    pub fn lines(&self) -> Vec<Item> {
        self.split(|character| character == '\n')
    }

    /// The items of a list that is written in one text, divided by line breaks or commas: `tags`, `platforms`, `targets`.
    pub fn items(&self) -> Vec<Item> {
        self.split(|character| character == '\n' || character == ',')
    }

    fn split(&self, divides: impl Fn(char) -> bool) -> Vec<Item> {
        let text = self.text();
        let mut ranges = Vec::new();
        let mut start = 0;
        // `${{ contains(a, b) }}` is one item.
        let mut expressions = expressions(text).into_iter().peekable();
        let dividers = text.char_indices().filter(|(at, character)| {
            while expressions.next_if(|expression| expression.end <= *at).is_some() {}
            divides(*character) && expressions.peek().is_none_or(|expression| *at < expression.start)
        });
        for end in dividers.map(|(at, _)| at).chain([text.len()]) {
            let span = Span::new(start, end);
            if !span.slice(text).trim().is_empty() {
                ranges.push(span);
            }
            start = end + 1;
        }
        let alone = ranges.len() == 1;
        let mut items = Vec::with_capacity(ranges.len());
        for (index, range) in ranges.iter().enumerate() {
            let part = range.slice(text);
            let start = range.start + (part.len() - part.trim_start().len());
            let trimmed = Span::new(start, start + part.trim().len());
            let removal = match ranges.get(index + 1) {
                _ if alone => self.removal,
                _ if self.literal && self.is_own_line(*range) => self.line_at(self.value.span(trimmed).start),
                // From an item to the next, or from the one before to the last.
                Some(next) => {
                    let next = next.start + (next.slice(text).len() - next.slice(text).trim_start().len());
                    let from = self.value.span(Span::new(trimmed.start, trimmed.end)).start;
                    Span::new(from, self.value.span(Span::new(next, next + 1)).start.max(from))
                }
                None => {
                    let before = index.checked_sub(1).and_then(|before| ranges.get(before));
                    let end = self.value.span(trimmed).end;
                    let from =
                        before.map_or(start, |before| before.start + before.slice(text).trim_end().len());
                    Span::new(self.value.span(Span::new(from, from + 1)).start.min(end), end)
                }
            };
            items.push(Item {
                text: self.value.part(trimmed),
                span: self.value.span(trimmed),
                removal,
            });
        }
        items
    }

    /// Whether a range of the value is all that stands on its line.
    fn is_own_line(&self, range: Span) -> bool {
        let text = self.text().as_bytes();
        let before = range.start.checked_sub(1).and_then(|at| text.get(at));
        before.is_none_or(|byte| *byte == b'\n') && text.get(range.end).is_none_or(|byte| *byte == b'\n')
    }

    fn line_at(&self, at: usize) -> Span {
        let index = self.lines.partition_point(|line| line.start <= at);
        let line = index.checked_sub(1).and_then(|index| self.lines.get(index));
        line.copied().unwrap_or_default()
    }
}

/// An item of a list that is written in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it says, without blanks around it.
    pub text: MappedText,
    /// Where it stands.
    pub span: Span,
    /// What to cut to remove it alone: its line, or a comma with it; if it is the only item, the whole pair.
    pub removal: Span,
}

impl Item {
    /// What it says.
    pub fn as_str(&self) -> &str {
        self.text.text()
    }

    /// The parts of `NAME=VALUE`.
    pub fn name_value(&self) -> Option<(&str, &str)> {
        self.as_str().split_once('=')
    }
}

/// How many bytes of values are copied out of one file. More than its text only if aliases and merge keys bring values to
/// many places; this is where a small file ends that would become a huge one.
const MOST: usize = 16 * 1024 * 1024;

/// What a value costs beside its text.
const EACH: usize = 256;

/// Takes values out of a file.
pub(super) struct Values<'a> {
    source: &'a Source,
    left: Cell<usize>,
}

impl<'a> Values<'a> {
    pub(super) fn of(source: &'a Source) -> Values<'a> {
        Values {
            source,
            left: Cell::new(MOST),
        }
    }

    /// Whether there may be one more value of `bytes`.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes + EACH);
        self.left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// The text of a scalar.
    pub(super) fn text(&self, node: Node<'_>) -> Option<Text> {
        let value = node.as_str().filter(|value| self.take(value.len()))?;
        Some(Text {
            value: value.to_owned(),
            span: node.span(),
        })
    }

    /// The text of a scalar with the places of its parts.
    pub(super) fn mapped(&self, node: Node<'_>) -> Option<MappedText> {
        let scalar = node.scalar().filter(|scalar| self.take(scalar.text().len()))?;
        Some(scalar.mapped().clone())
    }

    /// The texts of a sequence; of a scalar, itself.
    pub(super) fn texts(&self, node: Node<'_>) -> Vec<Text> {
        match node.is_sequence() {
            true => node.items().filter_map(|item| self.text(item)).collect(),
            false => self.text(node).into_iter().collect(),
        }
    }

    /// The pairs of a mapping in order; `<<` is resolved.
    pub(super) fn pairs(&self, mapping: Node<'_>) -> Vec<Pair> {
        let entries = mapping.merged_entries();
        let mut removals = Removals::of(self.source);
        entries
            .into_iter()
            .filter_map(|entry| self.pair(entry, &mut removals))
            .collect()
    }

    fn pair(&self, entry: Entry<'_>, removals: &mut Removals<'_>) -> Option<Pair> {
        let name = entry.key.as_str()?.to_owned();
        let node = entry.value.resolved();
        let scalar = node.scalar();
        let value = match scalar {
            _ if node.is_null() => MappedText::default(),
            Some(_) => self.mapped(node)?,
            None => {
                let text = node.span().slice(self.source.text());
                MappedText::verbatim(self.take(text.len()).then_some(text)?, node.span().start)
            }
        };
        let literal = scalar.is_some_and(|scalar| scalar.style() == Style::Literal);
        Some(Pair {
            name,
            name_span: entry.key.span(),
            value,
            value_span: node.span(),
            span: entry.span,
            removal: removals.removal(entry),
            lines: match literal {
                true => lines(self.source, node.span()),
                false => Vec::new(),
            },
            literal,
        })
    }
}

/// Adds a text with its places.
pub(super) fn append(mapped: &mut MappedText, text: &MappedText) {
    for (at, character) in text.text().char_indices() {
        let width = character.len_utf8();
        mapped.push_as(
            character.encode_utf8(&mut [0; 4]),
            text.span(Span::new(at, at + width)),
        );
    }
}

fn lines(source: &Source, span: Span) -> Vec<Span> {
    let mut lines = Vec::new();
    let mut at = span.start;
    while at < span.end {
        let line = source.whole_lines(Span::new(at, at));
        if line.end <= at {
            break;
        }
        lines.push(line);
        at = line.end;
    }
    lines
}

/// What is cut when an entry of a mapping goes.
struct Removals<'a> {
    source: &'a Source,
    /// Of a mapping in braces: where its entries stand, and what is cut for each.
    flow: Option<(Span, HashMap<Span, Span>)>,
}

impl<'a> Removals<'a> {
    fn of(source: &'a Source) -> Removals<'a> {
        Removals { source, flow: None }
    }

    fn removal(&mut self, entry: Entry<'_>) -> Span {
        let text = self.source.text();
        let parent = entry.key.parent();
        if let Some(parent) = parent.filter(|parent| parent.is_flow()) {
            if self
                .flow
                .as_ref()
                .is_none_or(|(known, _)| *known != parent.span())
            {
                let siblings: Vec<Span> = parent.entries().map(|entry| entry.span).collect();
                let cuts = removals(text, &siblings, Notation::Json);
                self.flow = Some((parent.span(), siblings.into_iter().zip(cuts).collect()));
            }
            let cut = self.flow.as_ref().and_then(|(_, cuts)| cuts.get(&entry.span));
            return cut.copied().unwrap_or(entry.span);
        }
        let lines = self.source.whole_lines(entry.span);
        let before = Span::new(lines.start, entry.span.start).slice(text);
        if before.trim().is_empty() {
            return lines;
        }
        // The first entry of an item, behind its `- `: the next one takes its place.
        let next = parent
            .into_iter()
            .flat_map(Node::entries)
            .map(|sibling| sibling.span.start)
            .find(|start| *start >= entry.span.end);
        Span::new(entry.span.start, next.unwrap_or(entry.span.end))
    }
}
