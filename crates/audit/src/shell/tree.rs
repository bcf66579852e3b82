//! Turns the parser's tree into statements, and puts right what the grammar groups in another way than the shell does.
//!
//! Known of the grammar (tree-sitter-bash 0.25): a line of assignments alone is taken together with the command on the
//! next line; `&&` behind `|&` is nested in the pipeline; what follows a heredoc's delimiter stands within the
//! redirection; further words behind a redirection are its targets.

mod branch;
mod group;
mod parser;
mod redirect;

use super::lexer;
use super::statement::{Join, Kind, RawAssignment, RawValue, Simple, Statement, Substitution, Token};
use crate::Span;
use group::{Item, group};
use redirect::{after_heredoc, is_redirect};
use tree_sitter::Node;

/// How deep statements are followed into each other.
const DEPTH: usize = 64;
/// What was read of a text.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub statements: Vec<Statement>,
    /// What could not be read.
    pub broken: Vec<Span>,
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Parsed {
    let whole = Span::new(0, text.len());
    let Some(tree) = parser::read(text) else {
        return Parsed {
            statements: Vec::new(),
            broken: vec![whole],
        };
    };
    let mut reader = Reader {
        text,
        broken: Vec::new(),
    };
    let root = tree.root_node();
    let statements = reader.block(&children(root), DEPTH);
    if root.has_error() && reader.broken.is_empty() {
        reader.broken.push(parser::first_error(root).unwrap_or(whole));
    }
    Parsed {
        statements,
        broken: reader.broken,
    }
}

struct Reader<'a> {
    text: &'a str,
    broken: Vec<Span>,
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

fn span(node: Node<'_>) -> Span {
    Span::new(node.start_byte(), node.end_byte())
}

/// Whether a node can be a word, or a part of one.
fn is_word(kind: &str) -> bool {
    matches!(
        kind,
        "word"
            | "string"
            | "raw_string"
            | "ansi_c_string"
            | "translated_string"
            | "number"
            | "concatenation"
            | "simple_expansion"
            | "expansion"
            | "command_substitution"
            | "process_substitution"
            | "arithmetic_expansion"
            | "brace_expression"
            | "command_name"
            | "variable_name"
            | "extglob_pattern"
            | "regex"
            | "test_operator"
            | "special_variable_name"
            | "$"
            | "="
            | "=="
            | "=~"
    )
}

impl Reader<'_> {
    /// The statements that nodes beside each other are.
    fn block(&mut self, nodes: &[Node<'_>], depth: usize) -> Vec<Statement> {
        let mut found: Vec<Statement> = Vec::new();
        let Some(depth) = depth.checked_sub(1) else {
            self.broken.extend(nodes.first().map(|node| span(*node)));
            return found;
        };
        let mut stray: Vec<Node<'_>> = Vec::new();
        for &node in nodes {
            if is_word(node.kind()) && node.is_named() {
                if stray
                    .last()
                    .is_some_and(|last| self.breaks(last.end_byte(), node.start_byte()))
                {
                    found.extend(self.stray(&mut stray, depth));
                }
                stray.push(node);
                continue;
            }
            found.extend(self.stray(&mut stray, depth));
            match node.kind() {
                "&" => {
                    if let Some(last) = found.last_mut() {
                        last.background = true;
                    }
                }
                _ if node.is_error() => {
                    self.broken.push(span(node));
                    found.extend(self.block(&children(node), depth));
                }
                _ if node.is_named() => found.extend(self.statements(node, depth)),
                _ => {}
            }
        }
        found.extend(self.stray(&mut stray, depth));
        found
    }

    /// Words that the parser could not put into a command.
    fn stray(&mut self, nodes: &mut Vec<Node<'_>>, depth: usize) -> Option<Statement> {
        let nodes = std::mem::take(nodes);
        let (first, last) = (nodes.first()?, nodes.last()?);
        let whole = Span::new(first.start_byte(), last.end_byte());
        let words = self.tokens(&nodes, depth);
        Some(Statement::new(
            whole,
            Kind::Simple(Simple {
                words,
                ..Simple::default()
            }),
        ))
    }

    /// Whether a statement ends between two bytes: an unescaped line break is there.
    fn breaks(&self, start: usize, end: usize) -> bool {
        let gap = self.text.get(start..end).unwrap_or_default();
        gap.replace("\\\r\n", "").replace("\\\n", "").contains('\n')
    }

    /// The statements that a node is: more than one only where the parser took two lines for one command.
    fn statements(&mut self, node: Node<'_>, depth: usize) -> Vec<Statement> {
        let items = self.flatten(node, depth);
        let mut found = Vec::new();
        let mut current = Vec::new();
        for item in items {
            match item {
                Item::Break => found.extend(group(std::mem::take(&mut current))),
                item => current.push(item),
            }
        }
        found.extend(group(current));
        found
    }

    /// A list with all that is nested in it, in the order of the text.
    fn flatten<'t>(&mut self, node: Node<'t>, depth: usize) -> Vec<Item<'t>> {
        let mut items: Vec<Item<'t>> = Vec::new();
        let mut stack = vec![Ok(node)];
        while let Some(next) = stack.pop() {
            let node = match next {
                Ok(node) => node,
                Err(item) => {
                    match item {
                        Item::Redirects(nodes) => self.redirect(&mut items, &nodes, depth),
                        item => items.push(item),
                    }
                    continue;
                }
            };
            match node.kind() {
                "list" | "pipeline" => stack.extend(children(node).into_iter().rev().map(Ok)),
                "negated_command" => {
                    items.push(Item::Not(Span::new(node.start_byte(), node.start_byte() + 1)));
                    stack.extend(children(node).into_iter().rev().filter(Node::is_named).map(Ok));
                }
                "&&" => items.push(Item::Join(Join::And)),
                "||" => items.push(Item::Join(Join::Or)),
                "|" | "|&" => items.push(Item::Pipe),
                "!" => items.push(Item::Not(span(node))),
                "redirected_statement" => {
                    let (redirects, body): (Vec<_>, Vec<_>) = children(node)
                        .into_iter()
                        .partition(|child| is_redirect(child.kind()));
                    let rest: Vec<_> = redirects
                        .iter()
                        .flat_map(|redirect| after_heredoc(*redirect))
                        .collect();
                    stack.extend(rest.into_iter().rev().map(Ok));
                    stack.push(Err(Item::Redirects(redirects)));
                    stack.extend(body.into_iter().rev().map(Ok));
                }
                _ if node.is_error() => {
                    self.broken.push(span(node));
                    let inner = self.block(&children(node), depth);
                    items.extend(
                        inner
                            .into_iter()
                            .flat_map(|one| [Item::Statement(one), Item::Break]),
                    );
                }
                "command" => self.command(&mut items, node, depth),
                _ if node.is_named() => items.extend(self.compound(node, depth).map(Item::Statement)),
                _ => {}
            }
        }
        items
    }

    /// A simple command; more than one where the parser took lines together.
    fn command(&mut self, items: &mut Vec<Item<'_>>, node: Node<'_>, depth: usize) {
        let mut line: Vec<Node<'_>> = Vec::new();
        for child in children(node) {
            if line
                .last()
                .is_some_and(|last| self.breaks(last.end_byte(), child.start_byte()))
            {
                let nodes = std::mem::take(&mut line);
                items.extend(self.simple(&nodes, depth).map(Item::Statement));
                items.push(Item::Break);
            }
            line.push(child);
        }
        items.extend(self.simple(&line, depth).map(Item::Statement));
    }

    fn simple(&mut self, nodes: &[Node<'_>], depth: usize) -> Option<Statement> {
        let (first, last) = (nodes.first()?, nodes.last()?);
        let whole = Span::new(first.start_byte(), last.end_byte());
        let mut simple = Simple::default();
        let mut redirects = Vec::new();
        let mut words = Vec::new();
        for &node in nodes {
            match node.kind() {
                "variable_assignment" if words.is_empty() => {
                    simple.assignments.extend(self.assignment(node, depth));
                }
                kind if is_redirect(kind) => {
                    let (redirect, more) = self.one_redirect(node, depth);
                    redirects.extend(redirect);
                    words.extend(more);
                }
                "comment" => {}
                _ if node.is_error() => {
                    self.broken.push(span(node));
                    words.extend(children(node).into_iter().filter(|child| is_word(child.kind())));
                }
                _ => words.push(node),
            }
        }
        simple.words = self.tokens(&words, depth);
        let mut statement = Statement::new(whole, Kind::Simple(simple));
        statement.redirects = redirects;
        Some(statement)
    }

    /// Words; nodes that touch each other are one.
    fn tokens(&mut self, nodes: &[Node<'_>], depth: usize) -> Vec<Token> {
        let mut found: Vec<Token> = Vec::new();
        for &node in nodes {
            let token = self.token(node, depth);
            match found.last_mut() {
                Some(last) if last.span.end == token.span.start => {
                    last.span.end = token.span.end;
                    last.substitutions.extend(token.substitutions);
                }
                _ => found.push(token),
            }
        }
        found
    }

    fn token(&mut self, node: Node<'_>, depth: usize) -> Token {
        Token {
            span: span(node),
            substitutions: self.substitutions(node, depth),
        }
    }

    /// The substitutions in a node that stand in no other.
    fn substitutions(&mut self, node: Node<'_>, depth: usize) -> Vec<Substitution> {
        let mut found = Vec::new();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if matches!(node.kind(), "command_substitution" | "process_substitution") {
                found.push(Substitution {
                    span: span(node),
                    body: self.block(&children(node), depth),
                });
            } else if node.child_count() > 0 {
                stack.extend(children(node).into_iter().rev());
            }
        }
        found
    }

    fn assignment(&mut self, node: Node<'_>, depth: usize) -> Option<RawAssignment> {
        let nodes = children(node);
        let name = node.child_by_field_name("name")?;
        let sign = nodes.iter().find(|child| matches!(child.kind(), "=" | "+="))?;
        let subscript = name.kind() == "subscript";
        let name = match subscript {
            true => name.child_by_field_name("name")?,
            false => name,
        };
        let value = match node.child_by_field_name("value") {
            Some(array) if array.kind() == "array" => {
                let elements: Vec<_> = children(array)
                    .into_iter()
                    .filter(|child| is_word(child.kind()) && child.is_named())
                    .collect();
                RawValue::Array(self.tokens(&elements, depth))
            }
            value => {
                let token = Token {
                    span: Span::new(sign.end_byte(), node.end_byte()),
                    substitutions: value.map_or_else(Vec::new, |value| self.substitutions(value, depth)),
                };
                if subscript {
                    RawValue::Element(token)
                } else {
                    RawValue::Scalar(token)
                }
            }
        };
        Some(RawAssignment {
            span: span(node),
            name: span(name),
            append: sign.kind() == "+=",
            value,
        })
    }

    fn compound(&mut self, node: Node<'_>, depth: usize) -> Option<Statement> {
        let depth = match depth.checked_sub(1) {
            Some(depth) => depth,
            None => {
                self.broken.push(span(node));
                return None;
            }
        };
        let nodes = children(node);
        let kind = match node.kind() {
            "comment" | "heredoc_body" | "heredoc_end" | "heredoc_start" => return None,
            "variable_assignment" | "variable_assignments" => {
                let each = if node.kind() == "variable_assignment" {
                    vec![node]
                } else {
                    nodes
                };
                let assignments = each
                    .into_iter()
                    .filter_map(|one| self.assignment(one, depth))
                    .collect();
                Kind::Simple(Simple {
                    assignments,
                    ..Simple::default()
                })
            }
            "declaration_command" | "unset_command" => {
                let mut simple = Simple::default();
                for &child in &nodes {
                    if child.kind() == "variable_assignment" {
                        simple.assignments.extend(self.assignment(child, depth));
                    }
                }
                simple.words = self.tokens(&nodes, depth);
                Kind::Simple(simple)
            }
            "test_command" if !span(node).slice(self.text).starts_with("((") => {
                let substitutions = self.substitutions(node, depth);
                Kind::Simple(Simple {
                    words: self.test(span(node), substitutions),
                    is_test: true,
                    ..Simple::default()
                })
            }
            "if_statement" => self.if_statement(&nodes, depth),
            "case_statement" => self.case(node, &nodes, depth),
            "for_statement" | "c_style_for_statement" | "while_statement" => self.repeat(node, &nodes, depth),
            "function_definition" => Kind::Function {
                name: span(node.child_by_field_name("name")?),
                body: self.statements(node.child_by_field_name("body")?, depth),
            },
            "compound_statement" if nodes.first().is_none_or(|first| first.kind() != "((") => {
                Kind::Group(self.block(&nodes, depth))
            }
            "do_group" => Kind::Group(self.block(&nodes, depth)),
            "subshell" => Kind::Subshell(self.block(&nodes, depth)),
            _ => Kind::Other(self.substitutions(node, depth)),
        };
        Some(Statement::new(span(node), kind))
    }

    /// The words of `[ … ]`.
    fn test(&self, whole: Span, substitutions: Vec<Substitution>) -> Vec<Token> {
        let mut substitutions = substitutions.into_iter().peekable();
        let mut words: Vec<Token> = lexer::split(self.text, whole)
            .into_iter()
            .map(|span| Token {
                span,
                substitutions: Vec::new(),
            })
            .collect();
        for word in &mut words {
            while let Some(one) = substitutions.next_if(|one| one.span.start < word.span.end) {
                word.substitutions.push(one);
            }
        }
        words
    }
}
