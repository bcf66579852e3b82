//! Bake files in JSON, read through the YAML reader, of which JSON is a part. Strings are templates there, as in HCL.

use super::removal::{Notation, removals};
use super::tree::{Block, Entry, Fault, Form, List, Map, Node, Tree, Value};
use crate::Span;
use crate::yaml::{self, Style, Yaml};

/// How deep a value may be nested: bake's values are lists of maps at most.
const DEEPEST: usize = 16;

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Tree, Fault> {
    let yaml = Yaml::parse(text).map_err(|error| Fault {
        message: format!("not readable as JSON: {}", error.message),
        span: error.span,
    })?;
    let root = yaml.root().filter(|root| root.is_mapping() && root.is_flow());
    let Some(root) = root else {
        return Err(Fault {
            message: "not readable as JSON: no object".to_owned(),
            span: Span::default(),
        });
    };
    let mut tree = Tree::default();
    for entry in entries(text, root, DEEPEST) {
        let kind = entry.name.clone();
        match entry.value {
            Node::Map(blocks) if ["target", "group", "variable", "function"].contains(&kind.as_str()) => {
                tree.blocks.extend(blocks.entries.into_iter().filter_map(|block| {
                    let Node::Map(body) = block.value else {
                        return None;
                    };
                    Some(Block {
                        kind: kind.clone(),
                        name: block.name,
                        name_span: block.name_span,
                        span: block.span,
                        body,
                    })
                }));
            }
            _ => tree.attributes.push(entry),
        }
    }
    Ok(tree)
}

fn entries(text: &str, mapping: yaml::Node<'_>, depth: usize) -> Vec<Entry<Node>> {
    let entries: Vec<yaml::Entry<'_>> = mapping.entries().collect();
    let spans: Vec<Span> = entries.iter().map(|entry| entry.span).collect();
    let cuts = removals(text, &spans, Notation::Json);
    let entry = |(entry, removal): (yaml::Entry<'_>, Span)| Entry {
        name: entry.key.as_str().unwrap_or_default().to_owned(),
        name_span: entry.key.span(),
        span: entry.span,
        removal,
        value: node(text, entry.value, depth),
    };
    entries.into_iter().zip(cuts).map(entry).collect()
}

fn node(text: &str, found: yaml::Node<'_>, depth: usize) -> Node {
    let Some(depth) = depth.checked_sub(1) else {
        return Node::Value(value(text, found));
    };
    if found.is_mapping() {
        return Node::Map(Map {
            span: found.span(),
            entries: entries(text, found, depth),
        });
    }
    if found.is_sequence() {
        let items: Vec<yaml::Node<'_>> = found.items().collect();
        let spans: Vec<Span> = items.iter().map(|item| item.span()).collect();
        let cuts = removals(text, &spans, Notation::Json);
        return Node::List(List {
            span: found.span(),
            items: items
                .into_iter()
                .zip(cuts)
                .map(|(item, cut)| (node(text, item, depth), cut))
                .collect(),
        });
    }
    Node::Value(value(text, found))
}

fn value(text: &str, found: yaml::Node<'_>) -> Value {
    let span = found.span();
    let (text, form) = match found.scalar() {
        None => (span.slice(text), Form::Expression),
        Some(_) if found.is_null() => ("", Form::Null),
        Some(scalar) if scalar.style() != Style::Plain && scalar.text().contains(['$', '%']) => {
            let template = scalar.text().contains("${") || scalar.text().contains("%{");
            (
                scalar.text(),
                if template { Form::Template } else { Form::Literal },
            )
        }
        Some(scalar) => (scalar.text(), Form::Literal),
    };
    Value {
        text: text.to_owned(),
        form,
        span,
    }
}
