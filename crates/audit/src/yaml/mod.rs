//! Reads YAML (and JSON) as a tree in which every node, key, comment, anchor and tag has its place in the file, and says
//! how a careful person would edit it.
//!
//! It stands on the events of `granit-parser`: pure Rust without unsafe code, every event with its bytes, comments,
//! names of anchors, limits of nesting, the whole YAML test suite, alive. `saphyr-parser`, from which it comes, counts
//! characters and drops comments and names; `yaml-edit` gives no places of cooked text and is young; `tree-sitter-yaml`
//! recovers from errors by guessing, and knows no cooked text.
//!
//! It must not expand anything: an alias stays a reference, so that a small file is a small tree. It must not know what
//! the keys mean; that is for the readers of Compose files and workflows.

mod build;
pub mod edit;
#[cfg(test)]
pub(crate) mod invariants;
mod node;
mod scalar;
mod template;
#[cfg(test)]
pub(crate) mod tests;

use crate::Span;
use node::{NodeData, NodeId};

pub use node::{Entry, Kind, Node};
pub use scalar::{Scalar, Style};

/// A file of YAML documents.
#[derive(Debug, Clone)]
pub struct Yaml {
    text: String,
    /// Whether templates were taken for words.
    templated: bool,
    /// Whether edits do what is meant: see [`Yaml::is_editable`].
    editable: bool,
    nodes: Vec<NodeData>,
    documents: Vec<NodeId>,
    comments: Vec<Span>,
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// The place that could not be read: a character, or the end of the text.
    pub span: Span,
    /// What is wrong there: a lower-case fragment.
    pub message: String,
}

/// A comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'y> {
    /// From the `#` up to, and without, the line break.
    pub span: Span,
    /// What stands after the `#`, as it is.
    pub text: &'y str,
}

/// Whether no line of a text ends with a `\r` alone.
fn has_plain_lines(text: &str) -> bool {
    let bytes = text.as_bytes();
    let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\r');
    breaks
        .map(|(at, _)| bytes.get(at + 1))
        .all(|next| next == Some(&b'\n'))
}

impl Yaml {
    /// Reads a text. Where it is no YAML, or a mapping in double braces, it is read once more with its templates (`${{ … }}`, `{{ … }}`, `{% … %}`)
    /// taken for words; scalars give the templates as they are nevertheless.
    ///
    /// # Errors
    /// What the first try could not read, if the second fails too.
    pub fn parse(text: &str) -> Result<Yaml, YamlError> {
        let plain = build::build(text, text);
        // `{{ x }}` alone is YAML: a mapping whose key is a mapping. Nobody means that.
        let is_template = plain.as_ref().map_or(true, |built| built.has_double_braces(text));
        let masked = match is_template {
            true => template::mask(text).and_then(|masked| build::build(&masked, text).ok()),
            false => None,
        };
        match masked {
            Some(built) => Ok(Yaml::of(text, true, built)),
            None => plain.map(|built| Yaml {
                editable: !is_template && has_plain_lines(text),
                ..Yaml::of(text, false, built)
            }),
        }
    }

    fn of(text: &str, templated: bool, built: build::Built) -> Yaml {
        Yaml {
            text: text.to_owned(),
            templated,
            editable: has_plain_lines(text),
            nodes: built.nodes,
            documents: built.documents,
            comments: built.comments,
        }
    }

    /// The text that was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text is YAML only if its templates are taken for words.
    pub fn is_templated(&self) -> bool {
        self.templated
    }

    /// Whether the text can be edited: its lines are what everybody takes for lines (YAML knows a `\r` alone as the end of one,
    /// and nothing else does), and an edit cannot make templates of its braces.
    pub fn is_editable(&self) -> bool {
        self.editable
    }

    /// The top nodes of the documents, in order. An empty document has a null.
    pub fn documents(&self) -> impl Iterator<Item = Node<'_>> {
        self.documents.iter().map(|&id| self.node(id))
    }

    /// The top node of the first document.
    pub fn root(&self) -> Option<Node<'_>> {
        self.documents().next()
    }

    /// All nodes, each after the one that it is in.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len()).map(|index| self.node(NodeId::at(index)))
    }

    /// The comments, in order.
    pub fn comments(&self) -> impl Iterator<Item = Comment<'_>> {
        self.comments.iter().map(|&span| Comment {
            span,
            text: Span::new((span.start + 1).min(span.end), span.end).slice(&self.text),
        })
    }

    fn node(&self, id: NodeId) -> Node<'_> {
        Node::new(self, id)
    }
}
