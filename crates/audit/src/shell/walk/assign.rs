//! What gives variables their values.

use super::{Scope, Walker};
use crate::MappedText;
use crate::Span;
use crate::shell::lexer;
use crate::shell::statement::{RawAssignment, RawValue, Token};
use crate::shell::variables::{Assignment, AssignmentKind, Value};
use crate::shell::word::{PartKind, Word};
use crate::shell::wrapper::is_name;
use std::sync::Arc;

impl Walker {
    pub(super) fn assignment(&self, raw: &RawAssignment, exported: bool, scope: &Scope) -> Assignment {
        let word = |token: &Token| lexer::word(&scope.text, token.span);
        let (value, append) = match &raw.value {
            RawValue::Scalar(token) => (Value::Scalar(word(token)), raw.append),
            RawValue::Array(tokens) => (Value::Array(tokens.iter().map(word).collect()), raw.append),
            RawValue::Element(_) => (Value::Unknown, true),
        };
        let kind = if append {
            AssignmentKind::Append
        } else {
            AssignmentKind::Set
        };
        self.build(
            raw.name.slice(scope.text.text()),
            value,
            kind,
            exported,
            raw.span,
            scope,
        )
    }

    fn build(
        &self,
        name: &str,
        value: Value,
        kind: AssignmentKind,
        exported: bool,
        span: Span,
        scope: &Scope,
    ) -> Assignment {
        Assignment {
            name: name.to_owned(),
            value,
            kind,
            exported,
            span: scope.text.span(span),
            function: scope.function.clone(),
            guards: scope.guards.clone(),
            in_loop: scope.in_loop,
        }
    }

    /// A variable gets a value that the script does not say.
    pub(super) fn set_unknown(&mut self, name: &str, span: Span, scope: &Scope) {
        if is_name(name) {
            let unknown = self.build(name, Value::Unknown, AssignmentKind::Set, false, span, scope);
            self.assignments.push(unknown);
        }
    }

    /// What a word `NAME=value` sets.
    pub(super) fn of_word(&self, word: &Word, scope: &Scope) -> Option<Assignment> {
        let site = &word.site;
        let (name, _) = site.span.slice(site.text.text()).split_once('=')?;
        if !is_name(name) {
            return None;
        }
        let value = Span::new(site.span.start + name.len() + 1, site.span.end);
        let inner = Scope {
            text: Arc::clone(&site.text),
            ..scope.clone()
        };
        let value = Value::Scalar(lexer::word(&site.text, value));
        Some(self.build(name, value, AssignmentKind::Set, true, site.span, &inner))
    }

    /// What a command does to variables by its name and words.
    pub(super) fn note_builtin(&mut self, words: &[Word], scope: &Scope) {
        self.note_defaults(words, scope);
        let Some(name) = words.first().map(|word| word.text.as_str()) else {
            return;
        };
        let names: Vec<&Word> = match name {
            "read" | "mapfile" | "readarray" => {
                words[1..].iter().filter(|word| is_name(&word.text)).collect()
            }
            "getopts" => words.get(2).into_iter().collect(),
            "printf" => match words.get(1).is_some_and(|word| word.text == "-v") {
                true => words.get(2).into_iter().collect(),
                false => Vec::new(),
            },
            "unset" => words[1..].iter().collect(),
            _ => Vec::new(),
        };
        for word in names {
            self.set_unknown(&word.text, word.site.span, scope);
        }
    }

    /// `${NAME:=value}` in any word.
    fn note_defaults(&mut self, words: &[Word], scope: &Scope) {
        for part in words.iter().flat_map(|word| &word.parts) {
            let PartKind::Variable { name, operator } = &part.kind else {
                continue;
            };
            let Some(default) = operator.strip_prefix(":=").or_else(|| operator.strip_prefix('=')) else {
                continue;
            };
            let mut text = MappedText::default();
            let is_verbatim = part.span.len() == part.text.len();
            match part.span.end.checked_sub(1 + default.len()) {
                // Its characters stand at the end of the expansion, before the brace.
                Some(start) if is_verbatim && part.text.ends_with('}') => text.push(default, start),
                _ => text.push_as(default, part.span),
            }
            let text = Arc::new(text);
            let value = Value::Scalar(lexer::word(&text, Span::new(0, default.len())));
            self.assignments.push(Assignment {
                name: name.clone(),
                value,
                kind: AssignmentKind::Default,
                exported: false,
                span: part.span,
                function: scope.function.clone(),
                guards: scope.guards.clone(),
                in_loop: scope.in_loop,
            });
        }
    }
}
