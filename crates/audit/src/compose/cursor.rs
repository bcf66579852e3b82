//! A way down into a file that remembers where it went: through which entries and which anchors.

use super::model::{Located, Place, Text};
use crate::Span;
use crate::yaml::{Entry, Node};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// How many entries may be looked at in one file: aliases let a small file mean a big one.
const BUDGET: usize = 5_000_000;
/// What an entry that is taken costs more than one that is looked at.
const TAKEN: usize = 10;

/// A value on the way.
#[derive(Clone)]
pub(super) struct Cursor<'y> {
    /// What it is, after aliases.
    pub(super) node: Node<'y>,
    /// What is written: perhaps an alias.
    written: Node<'y>,
    entry: Option<Entry<'y>>,
    anchor: Option<Arc<str>>,
    path: Arc<str>,
    folder: Arc<str>,
    /// What is left of the budget.
    left: Rc<Cell<usize>>,
}

impl<'y> Cursor<'y> {
    pub(super) fn new(root: Node<'y>, path: &Arc<str>, folder: &Arc<str>) -> Cursor<'y> {
        Cursor {
            node: root.resolved(),
            written: root,
            entry: None,
            anchor: None,
            path: path.clone(),
            folder: folder.clone(),
            left: Rc::new(Cell::new(BUDGET)),
        }
    }

    /// Whether so much can be spent.
    fn spend(&self, cost: usize) -> bool {
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    fn down(&self, written: Node<'y>, entry: Option<Entry<'y>>) -> Cursor<'y> {
        let node = written.resolved();
        let mut anchor = self.anchor.clone();
        // A merged entry stands in another mapping.
        if let Some(owner) = entry.and_then(|entry| entry.key.parent())
            && owner != self.node
        {
            anchor = owner.anchor().map(|(name, _)| name.into()).or(anchor);
        }
        let mut cursor = Cursor {
            node,
            written,
            entry,
            anchor,
            path: self.path.clone(),
            folder: self.folder.clone(),
            left: self.left.clone(),
        };
        if node != written {
            cursor.anchor = node.anchor().map(|(name, _)| name.into()).or(cursor.anchor);
        }
        cursor
    }

    pub(super) fn get(&self, key: &str) -> Option<Cursor<'y>> {
        if !self.spend(self.node.merged_size()) {
            return None;
        }
        let entry = self.node.get_entry(key)?;
        Some(self.down(entry.value, Some(entry))).filter(|cursor| !cursor.is_reset())
    }

    /// All entries with their keys, merged ones too, without those that are reset.
    pub(super) fn entries(&self) -> Vec<(String, Cursor<'y>)> {
        let mut entries = self.all_entries();
        entries.retain(|(_, cursor)| !cursor.is_reset());
        entries
    }

    /// All entries with their keys, merged ones too.
    pub(super) fn all_entries(&self) -> Vec<(String, Cursor<'y>)> {
        if !self.spend(self.node.merged_size().saturating_mul(TAKEN)) {
            return Vec::new();
        }
        let named = |entry: &Entry<'y>| Some((entry.key.scalar()?.text().to_owned(), *entry));
        self.node
            .merged_entries()
            .iter()
            .filter_map(named)
            .map(|(name, entry)| (name, self.down(entry.value, Some(entry))))
            .collect()
    }

    /// The entries that are written here, without what aliases and merge keys bring.
    pub(super) fn own_entries(&self) -> Vec<(String, Cursor<'y>)> {
        if self.node != self.written {
            return Vec::new();
        }
        let entries = self.node.entries().filter(|entry| !entry.is_merge());
        let named = |entry: Entry<'y>| {
            Some((
                entry.key.scalar()?.text().to_owned(),
                self.down(entry.value, Some(entry)),
            ))
        };
        entries.filter_map(named).collect()
    }

    pub(super) fn items(&self) -> Vec<Cursor<'y>> {
        if !self.spend(self.node.items().count().saturating_mul(TAKEN)) {
            return Vec::new();
        }
        self.node.items().map(|item| self.down(item, None)).collect()
    }

    /// The items of a list, or the one text that stands for them.
    pub(super) fn items_or_one(&self) -> Vec<Cursor<'y>> {
        match self.node.is_sequence() {
            true => self.items(),
            false if self.node.as_str().is_some() => vec![self.clone()],
            false => Vec::new(),
        }
    }

    pub(super) fn is_reset(&self) -> bool {
        self.tag() == Some("!reset")
    }

    /// The tag that is written.
    pub(super) fn tag(&self) -> Option<&'y str> {
        self.written.tag()
    }

    pub(super) fn key_span(&self) -> Span {
        self.entry.map_or(self.written.span(), |entry| entry.key.span())
    }

    pub(super) fn place(&self) -> Place {
        Place {
            path: self.path.clone(),
            folder: self.folder.clone(),
            span: self.entry.map_or(self.written.outer_span(), |entry| entry.span),
            value: self.node.span(),
            anchor: self.anchor.clone(),
        }
    }

    pub(super) fn text(&self) -> Option<Text> {
        Some(Located {
            value: self.node.as_str()?.to_owned(),
            place: self.place(),
        })
    }

    pub(super) fn get_text(&self, key: &str) -> Option<Text> {
        self.get(key)?.text()
    }

    pub(super) fn get_texts(&self, key: &str) -> Vec<Text> {
        let items = self
            .get(key)
            .map(|cursor| cursor.items_or_one())
            .unwrap_or_default();
        items.iter().filter_map(Cursor::text).collect()
    }

    pub(super) fn get_bool(&self, key: &str) -> Option<Located<bool>> {
        let cursor = self.get(key)?;
        let value = cursor.node.as_bool().or_else(|| match cursor.node.as_str()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })?;
        Some(Located {
            value,
            place: cursor.place(),
        })
    }
}
