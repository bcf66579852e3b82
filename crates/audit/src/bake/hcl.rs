//! Bake files in HCL, read through `hcl-edit`. A file that the library does not take is one fault.

use hcl_edit::Span as _;
use hcl_edit::expr::{Array, Expression, Object, ObjectKey};
use hcl_edit::structure::{Attribute, Body, Structure};

use super::removal::{Notation, removals};
use super::tree::{Block, Entry, Fault, Form, List, Map, Node, Tree, Value};
use crate::Span;

/// How many bytes of HCL are read. The library compares each key of an object with those before it.
const LARGEST: usize = 128 * 1024;

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Tree, Fault> {
    if text.len() > LARGEST {
        return Err(Fault {
            message: format!(
                "longer than the {} KiB that are read of a bake file",
                LARGEST / 1024
            ),
            span: Span::new(0, 0),
        });
    }
    // The library takes no byte order mark.
    let (text, shift) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, text.len() - rest.len()),
        None => (text, 0),
    };
    let body = hcl_edit::parser::parse_body(text).map_err(|error| {
        let at = error.location().offset().min(text.len());
        Fault {
            message: format!("not readable as HCL: {}", error.message()),
            span: Span::new(at + shift, at + shift),
        }
    })?;
    Ok(Reader { text, shift }.tree(&body))
}

struct Reader<'a> {
    text: &'a str,
    /// What the spans are behind those of the file.
    shift: usize,
}

impl Reader<'_> {
    fn tree(&self, body: &Body) -> Tree {
        let mut tree = Tree::default();
        for structure in body {
            let Structure::Block(block) = structure else {
                continue;
            };
            let Some(label) = block.labels.first() else {
                continue;
            };
            let span = self.range(block.span());
            let name_span = self.range(label.span());
            tree.blocks.push(Block {
                kind: block.ident.as_str().to_owned(),
                name: label.as_str().to_owned(),
                name_span,
                span: self.shifted(span),
                body: self.body(&block.body, Span::new(name_span.end, span.end)),
            });
        }
        tree.attributes = self.attributes(body);
        tree
    }

    fn body(&self, body: &Body, span: Span) -> Map {
        Map {
            span: self.shifted(span),
            entries: self.attributes(body),
        }
    }

    /// The attributes of a body. Blocks within a target mean nothing to bake.
    fn attributes(&self, body: &Body) -> Vec<Entry<Node>> {
        let attributes: Vec<&Attribute> = body.attributes().collect();
        let spans: Vec<Span> = attributes
            .iter()
            .map(|attribute| {
                let name = self.range(attribute.key.span());
                Span::new(name.start, self.range(attribute.value.span()).end.max(name.end))
            })
            .collect();
        let cuts = removals(self.text, &spans, Notation::Hcl);
        let places = spans.into_iter().zip(cuts);
        attributes
            .into_iter()
            .zip(places)
            .map(|(attribute, (span, removal))| Entry {
                name: attribute.key.as_str().to_owned(),
                name_span: self.shifted(self.range(attribute.key.span())),
                span: self.shifted(span),
                removal: self.shifted(removal),
                value: self.node(&attribute.value),
            })
            .collect()
    }

    fn node(&self, expression: &Expression) -> Node {
        match expression {
            Expression::Array(array) => Node::List(self.list(array)),
            Expression::Object(object) => Node::Map(self.map(object)),
            Expression::Parenthesis(inner) => self.node(inner.inner()),
            other => Node::Value(self.value(other)),
        }
    }

    fn list(&self, array: &Array) -> List {
        let spans: Vec<Span> = array.iter().map(|item| self.range(item.span())).collect();
        let cuts = removals(self.text, &spans, Notation::Hcl);
        List {
            span: self.shifted(self.range(array.span())),
            items: array
                .iter()
                .zip(cuts)
                .map(|(item, cut)| (self.node(item), self.shifted(cut)))
                .collect(),
        }
    }

    fn map(&self, object: &Object) -> Map {
        let spans: Vec<Span> = object
            .iter()
            .map(|(key, value)| {
                let name = self.range(key.span());
                Span::new(name.start, self.range(value.expr().span()).end.max(name.end))
            })
            .collect();
        let cuts = removals(self.text, &spans, Notation::Hcl);
        let places = spans.into_iter().zip(cuts);
        let entries = object.iter().zip(places);
        Map {
            span: self.shifted(self.range(object.span())),
            entries: entries
                .map(|((key, value), (span, removal))| Entry {
                    name: self.key(key),
                    name_span: self.shifted(self.range(key.span())),
                    span: self.shifted(span),
                    removal: self.shifted(removal),
                    value: self.node(value.expr()),
                })
                .collect(),
        }
    }

    fn key(&self, key: &ObjectKey) -> String {
        match key {
            ObjectKey::Ident(name) => name.as_str().to_owned(),
            ObjectKey::Expression(expression) => self.value(expression).text,
        }
    }

    fn value(&self, expression: &Expression) -> Value {
        let span = self.range(expression.span());
        let source = span.slice(self.text);
        let (text, form) = match expression {
            Expression::String(text) => (text.as_str().to_owned(), Form::Literal),
            Expression::Bool(value) => (value.as_ref().to_string(), Form::Literal),
            Expression::Number(number) => (number.as_ref().to_string(), Form::Literal),
            Expression::Null(_) => (String::new(), Form::Null),
            Expression::StringTemplate(_) => {
                let inner = source.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                (inner.unwrap_or(source).to_owned(), Form::Template)
            }
            Expression::HeredocTemplate(heredoc) => {
                let mut body = String::new();
                let mut form = Form::Literal;
                for element in heredoc.template.iter() {
                    match element.as_literal() {
                        Some(literal) => body.push_str(literal.as_str()),
                        None => {
                            form = Form::Template;
                            body.push_str(self.range(element.span()).slice(self.text));
                        }
                    }
                }
                (body, form)
            }
            _ => (source.to_owned(), Form::Expression),
        };
        Value {
            text,
            form,
            span: self.shifted(span),
        }
    }

    fn range(&self, range: Option<std::ops::Range<usize>>) -> Span {
        range.map_or(Span::default(), |range| Span::new(range.start, range.end))
    }

    fn shifted(&self, span: Span) -> Span {
        Span::new(span.start + self.shift, span.end + self.shift)
    }
}
