//! What holds of every tree and of every edit of every file. Panics at the first rule that is broken. Shared by the unit
//! tests, the property tests and the fuzz target, so that it must use only what is public.

use unstale_audit::Span;
use unstale_audit::yaml::edit::{Change, insert_after, removal, replacement};
use unstale_audit::yaml::{Kind, Node, Scalar, Style, Yaml};

/// Texts that scalars get.
const WORDS: [&str; 6] = ["x", "a: b", "1", "one\ntwo\n", "it's \"q\"", ""];

/// Reads a text, and checks its tree and a few edits of it. For the fuzz target, and for what it found.
pub fn hold(text: &str) {
    let yaml = match Yaml::parse(text) {
        Ok(yaml) => yaml,
        Err(error) => {
            assert!(
                text.get(error.span.start..error.span.end).is_some(),
                "{error:?} in {text:?}"
            );
            assert!(!error.message.is_empty());
            return;
        }
    };
    tree(&yaml);
    // What a template makes is not known, nor is then what an edit does.
    if yaml.is_templated() {
        return;
    }
    let nodes: Vec<_> = yaml.nodes().collect();
    let step = (nodes.len() / 6).max(1);
    for (index, node) in nodes.iter().enumerate().step_by(step) {
        edits(
            &yaml,
            *node,
            WORDS[index / step % WORDS.len()],
            &mut Count::default(),
        );
    }
}

/// The entries (with their places) and items (with none) of a collection; of itself, not of an alias's target.
fn slots(node: Node<'_>) -> Vec<(Option<Span>, Option<Node<'_>>, Node<'_>)> {
    match node.kind() {
        Kind::Mapping => node
            .entries()
            .map(|entry| (Some(entry.span), Some(entry.key), entry.value))
            .collect(),
        Kind::Sequence => node.items().map(|item| (None, None, item)).collect(),
        _ => Vec::new(),
    }
}

/// The collection that the node is in, and which of its entries or items the node is (in).
fn place(node: Node<'_>) -> Option<(Node<'_>, usize)> {
    let parent = node.parent()?;
    let index = slots(parent)
        .into_iter()
        .position(|(_, key, value)| value == node || key == Some(node))?;
    Some((parent, index))
}

/// All that holds of every tree.
pub fn tree(yaml: &Yaml) {
    let text = yaml.text();
    let fits = |span: Span| assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
    for comment in yaml.comments() {
        fits(comment.span);
        assert!(comment.span.slice(text).starts_with('#'));
    }
    for node in yaml.nodes() {
        fits(node.span());
        fits(node.outer_span());
        assert!(node.outer_span().contains(node.span()), "{node:?}");
        let mut at = node.span().start;
        for (span, key, value) in slots(node) {
            let span = span.unwrap_or(value.outer_span());
            assert!(node.span().contains(span), "{node:?} {span:?}");
            assert!(at <= span.start, "{node:?} {span:?} in {text:?}");
            at = span.end;
            let mut within = span;
            if let Some(key) = key {
                assert!(span.contains(key.outer_span()), "{span:?} {key:?}");
                within.start = key.outer_span().end;
                assert_eq!(key.parent(), Some(node));
            }
            assert!(
                within.contains(value.outer_span()),
                "{span:?} {value:?} in {text:?}"
            );
            assert_eq!(value.parent(), Some(node));
        }
        if let Kind::Scalar(scalar) = node.kind() {
            characters(yaml, node, scalar);
        }
    }
}

/// Each character of a scalar's text is found in the file, as itself or as an escape.
fn characters(yaml: &Yaml, node: Node<'_>, scalar: Scalar<'_>) {
    let text = yaml.text();
    for (at, character) in scalar.text().char_indices() {
        let span = scalar.mapped().span(Span::new(at, at + character.len_utf8()));
        assert!(span.start >= node.span().start, "{node:?} {span:?}");
        let found = text.get(span.start..span.end);
        let found = found.unwrap_or_else(|| panic!("{span:?} in {text:?}"));
        let is_itself = found.chars().eq([character]);
        let is_escaped = scalar.style() == Style::DoubleQuoted && found.starts_with('\\');
        // Between lines that are joined there can be one of nothing but templates.
        let is_break = matches!(character, '\n' | ' ') && (found.trim().is_empty() || yaml.is_templated());
        let is_quote = character == '\'' && found == "''";
        assert!(
            is_itself || is_escaped || is_break || is_quote,
            "{character:?} is {found:?} in {node:?} of {text:?}"
        );
    }
}

/// The text with its changes made.
pub fn apply(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort();
    for pair in changes.windows(2) {
        assert!(pair[0].span.end <= pair[1].span.start, "{pair:?} in {text:?}");
    }
    let mut result = text.to_owned();
    for change in changes.iter().rev() {
        assert!(
            text.get(change.span.start..change.span.end).is_some(),
            "{change:?} in {text:?}"
        );
        result.replace_range(change.span.start..change.span.end, &change.content);
    }
    result
}

/// The text without the entry or item that the node is (in).
pub fn remove(text: &str, node: Node<'_>) -> Option<String> {
    let change = |span| Change {
        span,
        content: String::new(),
    };
    Some(apply(text, removal(node)?.into_iter().map(change).collect()))
}

/// A tree without places.
#[derive(Debug, PartialEq)]
struct Tree {
    tag: String,
    anchor: String,
    form: Form,
}

#[derive(Debug, PartialEq)]
enum Form {
    Null,
    /// With whether it is plain.
    Text(String, bool),
    Entries(Vec<(Tree, Tree)>),
    Items(Vec<Tree>),
    Alias(String),
}

/// What an edit is meant to do to a tree.
#[derive(Clone, Copy)]
enum Meant<'y, 'a> {
    Nothing,
    Remove(Node<'y>, usize),
    InsertAfter(Node<'y>, usize),
    Text(Node<'y>, &'a str),
    /// Nothing, with the styles of scalars forgotten.
    AnyStyle,
}

fn meant(node: Node<'_>, edit: Meant<'_, '_>) -> Tree {
    let form = match (node.kind(), edit) {
        (Kind::Scalar(_), Meant::Text(at, text)) if at == node => Form::Text(text.to_owned(), false),
        (Kind::Scalar(scalar), _) if scalar.is_null() => Form::Null,
        (Kind::Scalar(scalar), _) => {
            let any_style = matches!(edit, Meant::Text(..) | Meant::AnyStyle);
            let is_plain = scalar.style() == Style::Plain && !any_style;
            Form::Text(scalar.text().to_owned(), is_plain)
        }
        (Kind::Alias(name), _) => Form::Alias(name.to_owned()),
        (kind, _) => {
            let new = |text: &str| Tree {
                tag: String::new(),
                anchor: String::new(),
                form: Form::Text(text.to_owned(), true),
            };
            let (mut entries, mut items) = (Vec::new(), Vec::new());
            for (index, (_, key, value)) in slots(node).into_iter().enumerate() {
                if matches!(edit, Meant::Remove(at, which) if (at, which) == (node, index)) {
                    continue;
                }
                let value = meant(value, edit);
                let is_next = matches!(edit, Meant::InsertAfter(at, which) if (at, which) == (node, index));
                match key {
                    Some(key) => {
                        entries.push((meant(key, edit), value));
                        if is_next {
                            entries.push((new("newkey"), new("newvalue")));
                        }
                    }
                    None => {
                        items.push(value);
                        if is_next {
                            items.push(new("newitem"));
                        }
                    }
                }
            }
            match kind {
                Kind::Mapping => Form::Entries(entries),
                _ => Form::Items(items),
            }
        }
    };
    Tree {
        tag: node.tag().unwrap_or_default().to_owned(),
        anchor: node.anchor().map_or(String::new(), |(name, _)| name.to_owned()),
        form,
    }
}

fn trees(yaml: &Yaml, edit: Meant<'_, '_>) -> Vec<Tree> {
    yaml.documents().map(|node| meant(node, edit)).collect()
}

fn reread(text: &str, edited: &str) -> Yaml {
    let yaml = Yaml::parse(edited).unwrap_or_else(|error| panic!("{error}\n{text:?}\n{edited:?}"));
    tree(&yaml);
    yaml
}

/// How many edits were possible and how many were tried.
#[derive(Debug, Default)]
pub struct Count {
    /// Possible.
    pub made: usize,
    /// Tried.
    pub tried: usize,
}

/// Edits of a node: the text parses again, and its tree differs in exactly what was meant.
pub fn edits(yaml: &Yaml, node: Node<'_>, words: &str, count: &mut Count) {
    let text = yaml.text();
    if let Some((parent, index)) = place(node) {
        count.tried += 2;
        if let Some(edited) = remove(text, node) {
            count.made += 1;
            removed(yaml, (parent, index), node, &edited);
        }
        let new = match parent.kind() {
            Kind::Mapping => "newkey: newvalue",
            _ => "newitem",
        };
        if let Some(changes) = insert_after(node, new) {
            count.made += 1;
            let edited = apply(text, changes);
            let expected = trees(yaml, Meant::InsertAfter(parent, index));
            let found = trees(&reread(text, &edited), Meant::Nothing);
            assert_eq!(found, expected, "{node:?}\n{text:?}\n{edited:?}");
        }
    }
    count.tried += 1;
    if let Some(change) = replacement(node, words) {
        count.made += 1;
        let edited = apply(text, vec![change]);
        let expected = trees(yaml, Meant::Text(node, words));
        let found = trees(&reread(text, &edited), Meant::AnyStyle);
        assert_eq!(found, expected, "{node:?}\n{text:?}\n{edited:?}");
    }
}

/// What would become empty is gone as well; all else is left.
fn removed(yaml: &Yaml, (mut parent, mut index): (Node<'_>, usize), node: Node<'_>, edited: &str) {
    let text = yaml.text();
    while slots(parent).len() == 1 {
        let Some(above) = place(parent) else { break };
        (parent, index) = above;
    }
    let found = reread(text, edited);
    let is_emptied = slots(parent).len() == 1 && !parent.is_flow();
    if !is_emptied {
        let expected = trees(yaml, Meant::Remove(parent, index));
        assert_eq!(
            trees(&found, Meant::Nothing),
            expected,
            "{node:?}\n{text:?}\n{edited:?}"
        );
    }
}
