//! Turns the parser's tree into statements, and puts right what the grammar groups in another way than the shell does.
//!
//! Known of the grammar (tree-sitter-bash 0.25): a line of assignments alone is taken together with the command on the
//! next line; `&&` behind `|&` is nested in the pipeline; what follows a heredoc's delimiter stands within the
//! redirection; further words behind a redirection are its targets.

use super::lexer;
use super::prepare::prepare;
use super::statement::{
    Arm, CaseArm, Heredoc, Join, Kind, Loop, RawAssignment, RawValue, Redirect, Simple, Statement,
    Substitution, Token,
};
use crate::Span;
use std::ops::ControlFlow;
use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

/// How deep statements are followed into each other.
const DEPTH: usize = 64;
/// Texts over this are not read.
const LONGEST: usize = 2 << 20;

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
    let tree = match tree(text) {
        Some(tree) if tree.root_node().has_error() => Some(better(text, tree)),
        tree => tree,
    };
    let Some(tree) = tree else {
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
        reader.broken.push(first_error(root).unwrap_or(whole));
    }
    Parsed {
        statements,
        broken: reader.broken,
    }
}

/// The tree of the text in words that the grammar can read, if less of it is broken.
fn better(text: &str, tree: Tree) -> Tree {
    let prepared = prepare(text);
    if prepared.len() != text.len() || prepared == text {
        return tree;
    }
    match self::tree(&prepared) {
        Some(other) if broken_bytes(other.root_node()) < broken_bytes(tree.root_node()) => other,
        _ => tree,
    }
}

/// How much of the text stands in what could not be read; more than nothing if anything could not.
fn broken_bytes(root: Node<'_>) -> usize {
    let mut bytes = usize::from(root.has_error());
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        match node.is_error() {
            true => bytes += node.end_byte() - node.start_byte(),
            false => stack.extend(children(node).into_iter().filter(Node::has_error)),
        }
    }
    bytes
}

/// The parser's tree; none where it takes too long.
fn tree(text: &str) -> Option<Tree> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bash::LANGUAGE.into()).ok()?;
    // The parser reports after a fixed number of its operations. A usual script takes far fewer reports than bytes.
    let mut left = 1_000 + text.len();
    let mut progress = |_: &ParseState| {
        left = left.saturating_sub(1);
        match left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let bytes = text.as_bytes();
    let mut input = |at: usize, _| bytes.get(at..).unwrap_or_default();
    parser.parse_with_options(&mut input, None, Some(options))
}

struct Reader<'a> {
    text: &'a str,
    broken: Vec<Span>,
}

/// What a chain is put together from.
enum Item<'t> {
    Statement(Statement),
    Join(Join),
    Pipe,
    Not(Span),
    /// A statement ends here.
    Break,
    /// Redirections for the statement before.
    Redirects(Vec<Node<'t>>),
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

fn span(node: Node<'_>) -> Span {
    Span::new(node.start_byte(), node.end_byte())
}

/// The first place that the parser could not read.
fn first_error(root: Node<'_>) -> Option<Span> {
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        if node.is_error() || node.is_missing() {
            return Some(span(node));
        }
        stack.extend(children(node).into_iter().rev().filter(Node::has_error));
    }
    None
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

    /// Adds redirections to the statement before.
    fn redirect(&mut self, items: &mut [Item<'_>], nodes: &[Node<'_>], depth: usize) {
        let nested: Vec<_> = nodes
            .iter()
            .filter(|node| node.kind() == "heredoc_redirect")
            .flat_map(|node| children(*node))
            .filter(|child| is_redirect(child.kind()))
            .collect();
        for &node in nodes.iter().chain(&nested) {
            let (redirect, more) = self.one_redirect(node, depth);
            let words = self.tokens(&more, depth);
            let Some(Item::Statement(statement)) = items.last_mut() else {
                continue;
            };
            statement.redirects.extend(redirect);
            if let (Kind::Simple(simple), Some(last)) = (&mut statement.kind, words.last()) {
                statement.span.end = last.span.end;
                simple.words.extend(words);
            }
        }
    }

    /// A redirection, and the words behind it that belong to the command.
    fn one_redirect<'t>(&mut self, node: Node<'t>, depth: usize) -> (Option<Redirect>, Vec<Node<'t>>) {
        let nodes = children(node);
        let operator: String = nodes
            .iter()
            .take_while(|child| !child.is_named() || child.kind() == "file_descriptor")
            .map(|child| span(*child).slice(self.text))
            .collect();
        if node.kind() == "heredoc_redirect" {
            return (self.heredoc(node, &nodes, operator, depth), Vec::new());
        }
        // The text was prepared for the parser then.
        let operator = match span(node).slice(self.text) {
            text if text.starts_with("<<<") => "<<<".to_owned(),
            _ => operator,
        };
        let mut rest = nodes
            .into_iter()
            .filter(|child| is_word(child.kind()) && child.is_named());
        let target = rest.next().map(|target| self.token(target, depth));
        let end = target.as_ref().map_or(node.end_byte(), |target| target.span.end);
        let redirect = Redirect {
            span: Span::new(node.start_byte(), end),
            operator,
            target,
            heredoc: None,
        };
        (Some(redirect), rest.collect())
    }

    fn heredoc(
        &mut self,
        node: Node<'_>,
        nodes: &[Node<'_>],
        operator: String,
        depth: usize,
    ) -> Option<Redirect> {
        let delimiter = *nodes.iter().find(|child| child.kind() == "heredoc_start")?;
        let body = nodes.iter().find(|child| child.kind() == "heredoc_body");
        let strip_tabs = operator.ends_with('-');
        Some(Redirect {
            span: Span::new(node.start_byte(), delimiter.end_byte()),
            operator,
            target: Some(Token {
                span: span(delimiter),
                substitutions: Vec::new(),
            }),
            heredoc: body.map(|body| Heredoc {
                body: span(*body),
                quoted: span(delimiter).slice(self.text).contains(['"', '\'', '\\']),
                strip_tabs,
                substitutions: self.substitutions(*body, depth),
            }),
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

    fn if_statement(&mut self, nodes: &[Node<'_>], depth: usize) -> Kind {
        let mut arms = Vec::new();
        let mut otherwise = None;
        let own: Vec<_> = nodes
            .iter()
            .copied()
            .filter(|node| !matches!(node.kind(), "elif_clause" | "else_clause"))
            .collect();
        arms.push(self.arm(&own, depth));
        for node in nodes {
            match node.kind() {
                "elif_clause" => arms.push(self.arm(&children(*node), depth)),
                "else_clause" => otherwise = Some(self.block(&children(*node), depth)),
                _ => {}
            }
        }
        Kind::If { arms, otherwise }
    }

    /// `if condition; then body`.
    fn arm(&mut self, nodes: &[Node<'_>], depth: usize) -> Arm {
        let then = nodes
            .iter()
            .position(|node| node.kind() == "then")
            .unwrap_or(nodes.len());
        let (condition, body) = nodes.split_at(then);
        let named: Vec<_> = condition.iter().filter(|node| node.is_named()).collect();
        let span = match (named.first(), named.last()) {
            (Some(first), Some(last)) => Span::new(first.start_byte(), last.end_byte()),
            _ => Span::default(),
        };
        Arm {
            condition: self.block(condition, depth),
            span,
            body: self.block(body, depth),
        }
    }

    fn case(&mut self, node: Node<'_>, nodes: &[Node<'_>], depth: usize) -> Kind {
        let value = node
            .child_by_field_name("value")
            .map(|value| self.token(value, depth));
        let mut arms = Vec::new();
        for item in nodes.iter().filter(|child| child.kind() == "case_item") {
            let parts = children(*item);
            let close = parts
                .iter()
                .position(|part| part.kind() == ")")
                .unwrap_or(parts.len());
            let (patterns, body) = parts.split_at(close);
            arms.push(CaseArm {
                patterns: self
                    .tokens(
                        &patterns
                            .iter()
                            .copied()
                            .filter(Node::is_named)
                            .collect::<Vec<_>>(),
                        depth,
                    )
                    .into_iter()
                    .map(|token| token.span)
                    .collect(),
                body: self.block(body, depth),
            });
        }
        Kind::Case { value, arms }
    }

    fn repeat(&mut self, node: Node<'_>, nodes: &[Node<'_>], depth: usize) -> Kind {
        let body = node.child_by_field_name("body");
        let before: Vec<_> = nodes
            .iter()
            .copied()
            .filter(|child| Some(child.id()) != body.map(|body| body.id()))
            .collect();
        let is_while = node.kind() == "while_statement";
        let variable = node.child_by_field_name("variable").map(span);
        let values: Vec<_> = match variable {
            Some(variable) => before
                .iter()
                .copied()
                .filter(|child| {
                    child.start_byte() >= variable.end && is_word(child.kind()) && child.is_named()
                })
                .collect(),
            None => Vec::new(),
        };
        Kind::Loop(Loop {
            variable,
            values: self.tokens(&values, depth),
            condition: if is_while {
                self.block(&before, depth)
            } else {
                Vec::new()
            },
            until: nodes.first().is_some_and(|first| first.kind() == "until"),
            body: body.map_or_else(Vec::new, |body| self.block(&children(body), depth)),
        })
    }
}

fn is_redirect(kind: &str) -> bool {
    matches!(kind, "file_redirect" | "heredoc_redirect" | "herestring_redirect")
}

/// What stands on the line of a heredoc's delimiter, behind it.
fn after_heredoc(redirect: Node<'_>) -> Vec<Node<'_>> {
    if redirect.kind() != "heredoc_redirect" {
        return Vec::new();
    }
    children(redirect)
        .into_iter()
        .filter(|child| {
            matches!(child.kind(), "pipeline" | "&&" | "||" | "list") || is_right(redirect, *child)
        })
        .collect()
}

fn is_right(redirect: Node<'_>, child: Node<'_>) -> bool {
    child.is_named()
        && redirect
            .children_by_field_name("right", &mut redirect.walk())
            .any(|right| right.id() == child.id())
}

/// Puts what a list consists of together as the shell does: `|` binds closest, `&&` and `||` from left to right.
fn group(items: Vec<Item<'_>>) -> Option<Statement> {
    let mut first: Option<Statement> = None;
    let mut rest: Vec<(Join, Statement)> = Vec::new();
    let mut join = Join::And;
    let mut pipeline = Pipeline::default();
    let mut add = |pipeline: Pipeline, join: Join| match pipeline.finish() {
        Some(statement) if first.is_none() => first = Some(statement),
        Some(statement) => rest.push((join, statement)),
        None => {}
    };
    for item in items {
        match item {
            Item::Statement(statement) => pipeline.elements.push(statement),
            Item::Not(span) => {
                pipeline.negated = !pipeline.negated;
                pipeline.start.get_or_insert(span.start);
            }
            Item::Join(next) => {
                add(std::mem::take(&mut pipeline), join);
                join = next;
            }
            Item::Pipe | Item::Break | Item::Redirects(_) => {}
        }
    }
    add(pipeline, join);
    let first = first?;
    let Some((_, last)) = rest.last() else {
        return Some(first);
    };
    let whole = Span::new(first.span.start, last.end());
    Some(Statement::new(whole, Kind::Chain(Box::new(first), rest)))
}

#[derive(Default)]
struct Pipeline {
    negated: bool,
    start: Option<usize>,
    elements: Vec<Statement>,
}

impl Pipeline {
    fn finish(mut self) -> Option<Statement> {
        let last = self.elements.last()?;
        if self.elements.len() == 1 && !self.negated {
            return self.elements.pop();
        }
        let start = self.start.unwrap_or(self.elements[0].span.start);
        let whole = Span::new(start, last.end());
        let kind = Kind::Pipeline {
            negated: self.negated,
            elements: self.elements,
        };
        Some(Statement::new(whole, kind))
    }
}

impl Statement {
    /// Where it ends, with its redirections, but without the bodies of heredocs.
    pub fn end(&self) -> usize {
        self.redirects
            .iter()
            .map(|redirect| redirect.span.end)
            .fold(self.span.end, usize::max)
    }
}
