//! `if`, `case` and loops.

use super::super::statement::{Arm, CaseArm, Kind, Loop};
use super::{Reader, children, is_word, span};
use crate::Span;
use tree_sitter::Node;

impl Reader<'_> {
    pub(super) fn if_statement(&mut self, nodes: &[Node<'_>], depth: usize) -> Kind {
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

    pub(super) fn case(&mut self, node: Node<'_>, nodes: &[Node<'_>], depth: usize) -> Kind {
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

    pub(super) fn repeat(&mut self, node: Node<'_>, nodes: &[Node<'_>], depth: usize) -> Kind {
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
