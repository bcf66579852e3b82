//! Redirections and heredocs.

use super::super::statement::{Heredoc, Kind, Redirect, Token};
use super::group::Item;
use super::{Reader, children, is_word, span};
use crate::Span;
use tree_sitter::Node;

impl Reader<'_> {
    /// Adds redirections to the statement before.
    pub(super) fn redirect(&mut self, items: &mut [Item<'_>], nodes: &[Node<'_>], depth: usize) {
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
    pub(super) fn one_redirect<'t>(
        &mut self,
        node: Node<'t>,
        depth: usize,
    ) -> (Option<Redirect>, Vec<Node<'t>>) {
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
}

pub(super) fn is_redirect(kind: &str) -> bool {
    matches!(kind, "file_redirect" | "heredoc_redirect" | "herestring_redirect")
}

/// What stands on the line of a heredoc's delimiter, behind it.
pub(super) fn after_heredoc(redirect: Node<'_>) -> Vec<Node<'_>> {
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
