//! The nodes of a tree, and how they are looked up: through aliases and merge keys, never expanded.

use super::{Scalar, Style, Yaml};
use crate::{MappedText, Span};
use std::collections::HashSet;

/// A node's place in the tree's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// A text has fewer nodes than bytes, and texts of 4 GiB are not read (see `build`).
    pub(super) fn at(index: usize) -> NodeId {
        NodeId(index as u32)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a node.
#[derive(Debug, Clone)]
pub(super) struct NodeData {
    /// Without anchor and tag. A block scalar begins with its `|` or `>` and ends with its last line.
    pub(super) span: Span,
    /// With anchor and tag.
    pub(super) outer: Span,
    pub(super) content: Content,
    pub(super) anchor: Option<(String, Span)>,
    pub(super) tag: Option<Span>,
    /// The collection that it is in, and its entry or item there.
    pub(super) parent: Option<(NodeId, usize)>,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Scalar {
        style: Style,
        text: MappedText,
    },
    Mapping {
        flow: bool,
        slots: Vec<Slot>,
    },
    Sequence {
        flow: bool,
        slots: Vec<Slot>,
    },
    /// The target is missing where no such anchor was defined before.
    Alias {
        name: String,
        target: Option<NodeId>,
    },
}

/// An entry of a mapping or an item of a sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// From the key, or the `-` or `?` before it, to the value's end.
    pub(super) span: Span,
    /// Of an entry.
    pub(super) key: Option<NodeId>,
    pub(super) value: NodeId,
}

/// A node.
#[derive(Clone, Copy)]
pub struct Node<'y> {
    yaml: &'y Yaml,
    id: NodeId,
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'y> {
    /// A text, number, null …
    Scalar(Scalar<'y>),
    /// Keys and values.
    Mapping,
    /// Items.
    Sequence,
    /// A reference to the node that has the anchor of this name.
    Alias(&'y str),
}

/// An entry of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'y> {
    /// The key.
    pub key: Node<'y>,
    /// The value: a null where none is written.
    pub value: Node<'y>,
    /// Both, with a `?` before the key.
    pub span: Span,
}

impl Entry<'_> {
    /// Whether it brings the entries of other mappings: `<<`.
    pub fn is_merge(&self) -> bool {
        self.key
            .own_scalar()
            .is_some_and(|key| key.style() == Style::Plain && key.text() == "<<")
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let span = self.span();
        write!(
            f,
            "Node({}..{} {:?})",
            span.start,
            span.end,
            span.slice(&self.yaml.text)
        )
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Node<'_>) -> bool {
        std::ptr::eq(self.yaml, other.yaml) && self.id == other.id
    }
}

impl Eq for Node<'_> {}

impl<'y> Node<'y> {
    pub(super) fn new(yaml: &'y Yaml, id: NodeId) -> Node<'y> {
        Node { yaml, id }
    }

    pub(super) fn id(self) -> NodeId {
        self.id
    }

    pub(super) fn data(self) -> &'y NodeData {
        &self.yaml.nodes[self.id.index()]
    }

    /// The file that it is in.
    pub fn yaml(self) -> &'y Yaml {
        self.yaml
    }

    /// Where it stands, without anchor and tag. A block collection reaches from its first key or `-` to the end of its
    /// last value; a block scalar from its `|` or `>` to the end of its last line; a null that is not written is empty.
    pub fn span(self) -> Span {
        self.data().span
    }

    /// Where it stands, with anchor and tag.
    pub fn outer_span(self) -> Span {
        self.data().outer
    }

    /// What it is. An alias is an alias here; all other questions are answered by the node that it means.
    pub fn kind(self) -> Kind<'y> {
        match &self.data().content {
            Content::Scalar { style, text } => Kind::Scalar(Scalar::new(*style, text)),
            Content::Mapping { .. } => Kind::Mapping,
            Content::Sequence { .. } => Kind::Sequence,
            Content::Alias { name, .. } => Kind::Alias(name),
        }
    }

    /// The name of its anchor, and where `&name` stands.
    pub fn anchor(self) -> Option<(&'y str, Span)> {
        self.data()
            .anchor
            .as_ref()
            .map(|(name, span)| (name.as_str(), *span))
    }

    /// Its tag as it is written: `!reset`.
    pub fn tag(self) -> Option<&'y str> {
        self.data().tag.map(|span| span.slice(&self.yaml.text))
    }

    /// Where its tag stands.
    pub fn tag_span(self) -> Option<Span> {
        self.data().tag
    }

    /// The node that is meant: an alias's target, else the node itself. An alias without a target stays itself.
    pub fn resolved(self) -> Node<'y> {
        match self.data().content {
            Content::Alias { target: Some(id), .. } => Node { id, ..self },
            _ => self,
        }
    }

    /// The aliases that mean this node.
    pub fn aliases(self) -> impl Iterator<Item = Node<'y>> {
        self.yaml
            .nodes()
            .filter(move |node| matches!(node.data().content, Content::Alias { target: Some(id), .. } if id == self.id))
    }

    /// The collection that it is in.
    pub fn parent(self) -> Option<Node<'y>> {
        self.data().parent.map(|(id, _)| Node { id, ..self })
    }

    /// The entry that it is the key or the value of.
    pub fn entry(self) -> Option<Entry<'y>> {
        let (parent, index) = self.data().parent?;
        let parent = Node { id: parent, ..self };
        parent.as_entry(parent.slots().get(index)?)
    }

    /// Whether it is the key of its entry.
    pub fn is_key(self) -> bool {
        self.entry().is_some_and(|entry| entry.key == self)
    }

    /// Its entries or items; of itself, not of an alias's target.
    pub(super) fn slots(self) -> &'y [Slot] {
        match &self.data().content {
            Content::Mapping { slots, .. } | Content::Sequence { slots, .. } => slots,
            _ => &[],
        }
    }

    /// Whether it is a collection in brackets or braces.
    pub fn is_flow(self) -> bool {
        matches!(
            self.data().content,
            Content::Mapping { flow: true, .. } | Content::Sequence { flow: true, .. }
        )
    }

    fn as_entry(self, slot: &Slot) -> Option<Entry<'y>> {
        Some(Entry {
            key: Node {
                id: slot.key?,
                ..self
            },
            value: Node {
                id: slot.value,
                ..self
            },
            span: slot.span,
        })
    }

    /// Whether it is a mapping.
    pub fn is_mapping(self) -> bool {
        matches!(self.resolved().data().content, Content::Mapping { .. })
    }

    /// Whether it is a sequence.
    pub fn is_sequence(self) -> bool {
        matches!(self.resolved().data().content, Content::Sequence { .. })
    }

    /// A mapping's own entries in the file's order, `<<` and repeated keys among them.
    pub fn entries(self) -> impl Iterator<Item = Entry<'y>> {
        let node = self.resolved();
        node.slots().iter().filter_map(move |slot| node.as_entry(slot))
    }

    /// A sequence's items in order.
    pub fn items(self) -> impl Iterator<Item = Node<'y>> {
        let node = self.resolved();
        node.slots()
            .iter()
            .filter(|slot| slot.key.is_none())
            .map(move |slot| Node {
                id: slot.value,
                ..node
            })
    }

    /// A mapping's entries and those that its merge keys bring, each key once: what is written last in one mapping wins
    /// over what was written before, a mapping's own entries win over merged ones, and of those the first mapping's. An
    /// entry's places are those of the mapping that it comes from.
    pub fn merged_entries(self) -> Vec<Entry<'y>> {
        let mut found: Vec<Entry<'y>> = Vec::new();
        let mut keys: HashSet<&'y str> = HashSet::new();
        for mapping in self.with_merged() {
            let mut own: Vec<Entry<'y>> = Vec::new();
            for entry in mapping.entries().collect::<Vec<_>>().into_iter().rev() {
                let seen = entry.key.key_text().is_some_and(|key| !keys.insert(key));
                if !entry.is_merge() && !seen {
                    own.push(entry);
                }
            }
            found.extend(own.into_iter().rev());
        }
        found
    }

    /// The mapping itself and those that its merge keys bring, the first first. Each mapping comes once, however often it
    /// is merged, so that this is bounded by the file.
    fn with_merged(self) -> Vec<Node<'y>> {
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![self.resolved()];
        while let Some(node) = open.pop() {
            if !node.is_mapping() || !seen.insert(node.id) {
                continue;
            }
            order.push(node);
            let mut merged = Vec::new();
            for entry in node.entries().filter(Entry::is_merge) {
                match entry.value.is_sequence() {
                    true => merged.extend(entry.value.items().map(Node::resolved)),
                    false => merged.push(entry.value.resolved()),
                }
            }
            open.extend(merged.into_iter().rev());
        }
        order
    }

    /// How many entries [`Node::merged_entries`] looks at: what a lookup costs.
    pub fn merged_size(self) -> usize {
        self.with_merged().iter().map(|node| node.slots().len() + 1).sum()
    }

    /// A mapping's entry by its key, its own or a merged one.
    pub fn get_entry(self, key: &str) -> Option<Entry<'y>> {
        let own = |node: Node<'y>| {
            node.entries()
                .filter(|entry| entry.key.key_text() == Some(key))
                .last()
        };
        own(self).or_else(|| self.with_merged().into_iter().skip(1).find_map(own))
    }

    /// A mapping's value by its key, its own or a merged one.
    pub fn get(self, key: &str) -> Option<Node<'y>> {
        self.get_entry(key).map(|entry| entry.value)
    }

    /// What is found by going down: keys of mappings, and numbers (from 0) of items.
    pub fn lookup<'p>(self, path: impl IntoIterator<Item = &'p str>) -> Option<Node<'y>> {
        path.into_iter()
            .try_fold(self, |node, step| match node.is_sequence() {
                true => node.items().nth(step.parse().ok()?),
                false => node.get(step),
            })
    }

    fn own_scalar(self) -> Option<Scalar<'y>> {
        match &self.data().content {
            Content::Scalar { style, text } => Some(Scalar::new(*style, text)),
            _ => None,
        }
    }

    /// A scalar's text as a key.
    fn key_text(self) -> Option<&'y str> {
        self.resolved().own_scalar().map(Scalar::text)
    }

    /// The scalar that it is, null as well.
    pub fn scalar(self) -> Option<Scalar<'y>> {
        self.resolved().own_scalar()
    }

    /// A scalar's text, without quotes and escapes; nothing for a null.
    pub fn as_str(self) -> Option<&'y str> {
        self.scalar().filter(|_| !self.is_null()).map(Scalar::text)
    }

    /// Whether it is a null: nothing, `~` or `null`, without a tag.
    pub fn is_null(self) -> bool {
        let node = self.resolved();
        node.data().tag.is_none() && node.own_scalar().is_some_and(Scalar::is_null)
    }

    /// A plain `true` or `false`, and what YAML 1.1 and Compose take for it: `yes`, `on`, `no`, `off`.
    pub fn as_bool(self) -> Option<bool> {
        let scalar = self.scalar()?;
        if scalar.style() != Style::Plain {
            return None;
        }
        match scalar.text().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" => Some(false),
            _ => None,
        }
    }
}
