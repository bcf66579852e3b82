//! Makes a tree out of the parser's events, and finds the indicators that have no event: `-`, `?`, `:`, `|`, `>`.

mod indicators;

use super::YamlError;
use super::node::{Content, NodeData, NodeId, Slot};
use super::scalar::{Style, assemble, flow_pieces};
use crate::Span;
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::HashMap;

/// How deep collections may be nested.
const DEPTH: usize = 200;
/// How long a text may be that is read, in bytes.
const LENGTH: usize = 64 << 20;

pub(super) struct Built {
    pub(super) nodes: Vec<NodeData>,
    pub(super) documents: Vec<NodeId>,
    pub(super) comments: Vec<Span>,
}

impl Built {
    /// Whether a mapping begins with `{{`.
    pub(super) fn has_double_braces(&self, text: &str) -> bool {
        self.nodes.iter().any(|node| {
            matches!(node.content, Content::Mapping { flow: true, .. })
                && node.span.slice(text).starts_with("{{")
        })
    }
}

/// Reads `parsed`, and takes the words of scalars from `text`, which has the same length.
///
/// # Errors
/// The place that is no YAML.
pub(super) fn build(parsed: &str, text: &str) -> Result<Built, YamlError> {
    if parsed.len() > LENGTH {
        return Err(YamlError {
            span: Span::default(),
            message: format!("longer than {} MiB", LENGTH >> 20),
        });
    }
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        emit_comments: true,
        max_buffered_comment_events: usize::MAX,
        simple_key_max_lookahead: 1024,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut builder = Builder {
        parsed,
        text,
        cursor: 0,
        built: Built {
            nodes: Vec::new(),
            documents: Vec::new(),
            comments: Vec::new(),
        },
        open: Vec::new(),
        anchors: HashMap::new(),
        refused: None,
    };
    let mut events = Parser::new_from_str_with_options(parsed, options)
        .map(|event| {
            let (event, place) = event.map_err(|error| failure(parsed, &error))?;
            let span = place
                .byte_range()
                .map_or(Span::default(), |range| span_of(parsed, range));
            let tag = place.tag_span().and_then(|tag| tag.byte_range());
            Ok(Place {
                event,
                span,
                tag: tag.map(|range| span_of(parsed, range)),
            })
        })
        .peekable();
    while let Some(place) = events.next() {
        let place = place?;
        // An anchor comes after its node's event, and stands before it.
        let anchor = match events.peek() {
            Some(Ok(Place {
                event: Event::Anchor(id, name),
                span,
                ..
            })) => Some((*id, name.to_string(), *span)),
            _ => None,
        };
        builder.take(place, anchor);
    }
    match builder.refused {
        Some(error) => Err(error),
        None => Ok(builder.built),
    }
}

fn failure(text: &str, error: &granit_parser::ScanError) -> YamlError {
    let start = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let start = (0..=start)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    YamlError {
        span: Span::new(start, start + length),
        message: error.info(),
    }
}

/// The `#` of a comment within a plain scalar: granit-parser 2.2 goes on with the scalar where a tab or a lone `\r` stands
/// before it.
fn comment_within(text: &str, scalar: Span) -> Option<Span> {
    let raw = scalar.slice(text);
    let at = raw
        .char_indices()
        .zip(raw.chars().skip(1))
        .find(|((_, before), next)| *next == '#' && matches!(before, ' ' | '\t' | '\n' | '\r'))
        .map(|((at, _), _)| scalar.start + at + 1)?;
    Some(Span::new(at, at + 1))
}

/// A range that fits the text.
fn span_of(text: &str, range: std::ops::Range<usize>) -> Span {
    let fit = |at: usize| {
        let at = at.min(text.len());
        (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
    };
    let start = fit(range.start);
    Span::new(start, fit(range.end).max(start))
}

struct Place<'t> {
    event: Event<'t>,
    span: Span,
    tag: Option<Span>,
}

type Anchor = Option<(usize, String, Span)>;

/// A collection that has not ended.
struct Open {
    id: NodeId,
    /// The key that waits for its value, and where its entry begins.
    key: Option<(NodeId, usize)>,
}

struct Builder<'t> {
    parsed: &'t str,
    text: &'t str,
    /// The end of what was read: all before it belongs to a node or is an indicator.
    cursor: usize,
    built: Built,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    /// What the parser reads and YAML does not allow.
    refused: Option<YamlError>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, place: Place<'t>, anchor: Anchor) {
        let Place { event, span, tag } = place;
        match event {
            Event::Comment(..) => self.built.comments.push(span),
            // A mark that is not written is said to be anywhere, in a scalar too.
            Event::DocumentStart(..) | Event::DocumentEnd
                if matches!(span.slice(self.parsed), "---" | "...") && self.begins_line(span.start) =>
            {
                self.cursor = self.cursor.max(span.end);
            }
            Event::Scalar(text, style, _, _) => self.scalar(&text, (style, span), tag, anchor),
            Event::Alias(id) => {
                let target = self.anchors.get(&id).copied();
                self.alias(span, target);
            }
            Event::UnresolvedAlias(_) => self.alias(span, None),
            Event::SequenceStart(style, _, _) => self.start(false, style, span, tag, anchor),
            Event::MappingStart(style, _, _) => self.start(true, style, span, tag, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            _ => {}
        }
    }

    fn begins_line(&self, at: usize) -> bool {
        let before = &self.parsed[..at];
        before.is_empty() || before.ends_with(['\n', '\r', '\u{FEFF}'])
    }

    fn properties(span: Span, tag: Option<Span>, anchor: &Anchor) -> (usize, usize) {
        let anchor = anchor.as_ref().map(|(_, _, span)| *span);
        let starts = [tag, anchor].into_iter().flatten();
        let start = starts.clone().map(|span| span.start).fold(span.start, usize::min);
        let end = starts.map(|span| span.end).max().unwrap_or(start);
        (start, end)
    }

    fn scalar(
        &mut self,
        cooked: &str,
        (style, span): (ScalarStyle, Span),
        tag: Option<Span>,
        anchor: Anchor,
    ) {
        let (outer, properties) = Self::properties(span, tag, &anchor);
        let has_properties = tag.is_some() || anchor.is_some();
        let style = match style {
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            _ => Style::Plain,
        };
        let is_block = matches!(style, Style::Literal | Style::Folded);
        let is_written = is_block || !span.is_empty();
        let slot = self.begin((is_written || has_properties).then_some(outer));
        if !is_written {
            // It is not written: the parser's place may lie before the indicator.
            let at = if has_properties {
                properties
            } else {
                self.cursor.max(slot)
            };
            self.cursor = at;
            let span = Span::new(at, at);
            let outer = Span::new(if has_properties { outer } else { at }, at);
            let text = assemble(&[], self.text);
            self.add(slot, (span, outer), Content::Scalar { style, text }, tag, anchor);
            return;
        }
        let (span, pieces) = match is_block {
            false => (span, flow_pieces(self.parsed, span, style)),
            true => {
                let from = if has_properties { properties } else { self.cursor };
                self.block(from, span, cooked)
            }
        };
        let mut text = assemble(&pieces, self.parsed);
        if let (Style::Plain, Some(comment)) = (style, comment_within(self.parsed, span)) {
            self.refused.get_or_insert(YamlError {
                span: comment,
                message: "a comment ends the text before it, which cannot go on behind it".to_owned(),
            });
        }
        if text.text() != cooked {
            text = Default::default();
            text.push_as(cooked, span);
        } else if !std::ptr::eq(self.parsed, self.text) {
            text = assemble(&pieces, self.text);
        }
        let outer = Span::new(outer.min(span.start), span.end);
        let slot = slot.min(outer.start);
        self.cursor = span.end;
        self.add(slot, (span, outer), Content::Scalar { style, text }, tag, anchor);
    }

    fn alias(&mut self, span: Span, target: Option<NodeId>) {
        let slot = self.begin(Some(span.start));
        let name = span.slice(self.parsed).trim_start_matches('*').to_owned();
        self.cursor = span.end;
        self.add(slot, (span, span), Content::Alias { name, target }, None, None);
    }

    fn start(
        &mut self,
        is_mapping: bool,
        style: StructureStyle,
        span: Span,
        tag: Option<Span>,
        anchor: Anchor,
    ) {
        let (outer, properties) = Self::properties(span, tag, &anchor);
        let flow = style == StructureStyle::Flow;
        let has_properties = tag.is_some() || anchor.is_some();
        let slot = self.begin((flow || has_properties).then_some(outer));
        if has_properties {
            self.cursor = self.cursor.max(properties);
        }
        // A pair in a sequence, `[a: b]`, has no braces.
        let has_brackets = flow && matches!(span.slice(self.parsed), "{" | "[");
        // The parser's place of a block lies after its first `-` if that is not indented.
        let start = self.skip_trivia(self.cursor);
        let (span, outer, slot) = match (flow, has_properties) {
            (true, _) => (span, outer, slot),
            (false, true) => (Span::new(start, start), outer, slot),
            (false, false) => (Span::new(start, start), start, slot.min(start)),
        };
        if has_brackets {
            self.cursor = span.end;
        }
        let slots = Vec::new();
        let content = match is_mapping {
            true => Content::Mapping { flow, slots },
            false => Content::Sequence { flow, slots },
        };
        let id = self.add(slot, (span, Span::new(outer, span.end)), content, tag, anchor);
        self.open.push(Open { id, key: None });
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        let data = &mut self.built.nodes[open.id.index()];
        let opened = matches!(data.span.slice(self.parsed), "{" | "[");
        let closes = opened && matches!(span.slice(self.parsed), "}" | "]");
        let (Content::Mapping { slots, .. } | Content::Sequence { slots, .. }) = &data.content else {
            return;
        };
        let last = slots.last().map(|slot| slot.span.end);
        let end = match closes {
            true => span.end,
            false => last.unwrap_or(data.span.end),
        };
        if let (false, Some(first)) = (closes, slots.first()) {
            data.span.start = first.span.start;
            data.outer.start = data.outer.start.min(first.span.start);
        }
        data.span.end = end.max(data.span.start);
        data.outer.end = data.span.end;
        self.cursor = self.cursor.max(end);
        let parent = data.parent;
        // The entry or item that it is ends with it.
        if let Some((parent, index)) = parent {
            let data = &mut self.built.nodes[parent.index()];
            if let Content::Mapping { slots, .. } | Content::Sequence { slots, .. } = &mut data.content
                && let Some(slot) = slots.get_mut(index)
            {
                slot.span.end = slot.span.end.max(end);
            }
        }
    }

    fn add(
        &mut self,
        start: usize,
        (span, outer): (Span, Span),
        content: Content,
        tag: Option<Span>,
        anchor: Anchor,
    ) -> NodeId {
        let id = NodeId::at(self.built.nodes.len());
        let parent = self.place(id, Span::new(start.min(outer.start), outer.end));
        if let Some((anchor, ..)) = &anchor {
            self.anchors.insert(*anchor, id);
        }
        self.built.nodes.push(NodeData {
            span,
            outer,
            content,
            anchor: anchor.map(|(_, name, span)| (name, span)),
            tag,
            parent,
        });
        id
    }

    /// Puts a node into the collection that is open, or makes it a document.
    fn place(&mut self, id: NodeId, span: Span) -> Option<(NodeId, usize)> {
        let Some(open) = self.open.last_mut() else {
            self.built.documents.push(id);
            return None;
        };
        let data = &mut self.built.nodes[open.id.index()];
        match &mut data.content {
            Content::Sequence { slots, .. } => {
                slots.push(Slot {
                    span,
                    key: None,
                    value: id,
                });
                Some((open.id, slots.len() - 1))
            }
            Content::Mapping { slots, .. } => {
                match open.key.take() {
                    None => open.key = Some((id, span.start)),
                    Some((key, start)) => {
                        let span = Span::new(start, span.end.max(start));
                        slots.push(Slot {
                            span,
                            key: Some(key),
                            value: id,
                        });
                        return Some((open.id, slots.len() - 1));
                    }
                }
                Some((open.id, slots.len()))
            }
            _ => None,
        }
    }
}
