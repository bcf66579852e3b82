//! What a bake file holds before anybody asks what it means: values, lists and maps with their places. Both notations
//! (HCL and JSON) become this, so that the model is read by one reader.

use crate::Span;

/// How much of a value is known without running bake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The text is what bake will use.
    Literal,
    /// The text holds `${…}`, as it stands in the file.
    Template,
    /// The text is an expression as it stands in the file, such as the name of a variable.
    Expression,
    /// `null`: as if the entry were not there.
    Null,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What it is; how it is to be read is said by `form`.
    pub text: String,
    /// How much of it is known.
    pub form: Form,
    /// Where it stands, with its quotes.
    pub span: Span,
}

impl Value {
    /// The text that bake will use, where the file alone says it.
    pub fn literal(&self) -> Option<&str> {
        (self.form == Form::Literal).then_some(self.text.as_str())
    }
}

/// A named thing, and what goes when it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T = Value> {
    /// Its name.
    pub name: String,
    /// Where the name stands, with its quotes.
    pub name_span: Span,
    /// From the name to the end of the value.
    pub span: Span,
    /// What to cut to remove it: its line or lines with their comment, or a comma with it.
    pub removal: Span,
    /// Its value.
    pub value: T,
}

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) span: Span,
    /// Each with what goes when it is removed.
    pub(super) items: Vec<(Node, Span)>,
}

/// A map, or the body of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) span: Span,
    pub(super) entries: Vec<Entry<Node>>,
}

/// Any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Value(Value),
    List(List),
    Map(Map),
}

impl Node {
    pub(super) fn span(&self) -> Span {
        match self {
            Node::Value(value) => value.span,
            Node::List(list) => list.span,
            Node::Map(map) => map.span,
        }
    }
}

/// A block: `target "name" { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) name_span: Span,
    pub(super) span: Span,
    pub(super) body: Map,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) blocks: Vec<Block>,
    /// `NAME = value` outside of the blocks: a variable's default in its short form.
    pub(super) attributes: Vec<Entry<Node>>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where.
    pub span: Span,
}
