//! Groups commands as the shell does: `|` binds closest, `&&` and `||` from left to right.

use super::super::statement::{Join, Kind, Statement};
use crate::Span;
use tree_sitter::Node;

/// What a chain is put together from.
pub(super) enum Item<'t> {
    Statement(Statement),
    Join(Join),
    Pipe,
    Not(Span),
    /// A statement ends here.
    Break,
    /// Redirections for the statement before.
    Redirects(Vec<Node<'t>>),
}

/// Puts what a list consists of together as the shell does: `|` binds closest, `&&` and `||` from left to right.
pub(super) fn group(items: Vec<Item<'_>>) -> Option<Statement> {
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
