//! A command of words.

use super::{Scope, State, Walker};
use crate::shell::command::{Command, Context, Errexit, Redirection, SwallowKind};
use crate::shell::dialect::Dialect;
use crate::shell::expand::Table;
use crate::shell::statement::{Heredoc, RawValue, Redirect, Simple, Statement, Substitution};
use crate::shell::variables::Use;
use crate::shell::word::Word;
use crate::shell::{lexer, wrapper};
use crate::{MappedText, Span};
use std::sync::Arc;

impl Walker {
    pub(super) fn simple(
        &mut self,
        simple: &Simple,
        statement: &Statement,
        scope: &Scope,
        state: &mut State,
    ) {
        let alone = simple.words.is_empty();
        for assignment in &simple.assignments {
            let tokens = match &assignment.value {
                RawValue::Scalar(token) | RawValue::Element(token) => std::slice::from_ref(token),
                RawValue::Array(tokens) => tokens,
            };
            for token in tokens {
                self.substitutions(&token.substitutions, scope, state, !alone);
            }
        }
        let mut words = self.words(simple, scope);
        let declares = words.first().is_some_and(|first| {
            matches!(
                first.text.as_str(),
                "export" | "local" | "declare" | "typeset" | "readonly"
            )
        });
        // What a declaration assigns stands among its words as well.
        let assigned = |span: Span| simple.assignments.iter().any(|one| declares && one.span == span);
        for token in simple.words.iter().filter(|token| !assigned(token.span)) {
            self.substitutions(&token.substitutions, scope, state, true);
        }
        let exported = words.first().is_some_and(|first| first.text == "export");
        let assignments: Vec<_> = simple
            .assignments
            .iter()
            .map(|raw| self.assignment(raw, exported || !alone && !declares, scope))
            .collect();
        if alone || declares {
            self.assignments.extend(assignments.iter().cloned());
            if declares {
                let more: Vec<_> = words[1..]
                    .iter()
                    .filter(|word| !assigned(word.site.span))
                    .filter_map(|word| self.of_word(word, scope))
                    .collect();
                self.assignments.extend(more);
            }
        }
        if alone {
            return;
        }
        self.expand_name(&mut words, scope);
        let runners = |name: &str| self.runners.contains(name);
        let (wrappers, sets) = wrapper::strip(&mut words, runners);
        let mut own: Vec<_> = if declares { Vec::new() } else { assignments };
        own.extend(sets.iter().filter_map(|word| self.of_word(word, scope)));
        self.note_builtin(&words, scope);
        if words.first().is_some_and(|first| first.text == "set") {
            set(&words[1..], state);
        }
        let span = scope.text.span(statement.span);
        let whole = Span::new(statement.span.start, statement.end());
        let command = Command {
            words: words.clone(),
            written: words,
            wrappers,
            assignments: own,
            redirections: self.redirections(statement, scope),
            span,
            pipeline: scope.text.span(scope.pipeline.unwrap_or(whole)),
            statement: scope.text.span(scope.statement.unwrap_or(whole)),
            context: Context {
                guards: scope.guards.clone(),
                errexit: state.errexit,
                pipefail: state.pipefail,
                swallowed: self.unnoticed(scope, state, span),
                function: scope.function.clone(),
                in_loop: scope.in_loop,
                depth: scope.depth,
                places: scope.places.clone(),
                in_trap: scope.in_trap,
            },
            text: Arc::clone(&scope.text),
        };
        self.commands.push(command.clone());
        // Its substitutions were run by this shell; the inner one sees their outputs.
        let substitutions = simple.words.iter().flat_map(|token| &token.substitutions);
        let heredocs = statement
            .redirects
            .iter()
            .filter_map(|redirect| redirect.heredoc.as_ref())
            .flat_map(|heredoc| &heredoc.substitutions);
        for one in substitutions.chain(heredocs) {
            self.done.insert(scope.text.span(one.span));
        }
        self.inner(&command, scope, state);
    }

    /// The name is put in for a variable that holds it: `$SSH "…"`, `$DOCKER build`.
    fn expand_name(&self, words: &mut Vec<Word>, scope: &Scope) {
        let Some(first) = words.first() else {
            return;
        };
        if first.literal || first.as_variable().is_none() || self.assignments.len() > 2_000 {
            return;
        }
        let name = first.as_variable().unwrap_or_default();
        let relevant: Vec<_> = self
            .assignments
            .iter()
            .filter(|one| one.name == name)
            .cloned()
            .collect();
        let place = Use {
            at: first.span.start,
            function: scope.function.as_deref(),
            guards: &scope.guards,
            in_loop: scope.in_loop,
        };
        let expanded = Table::new(&relevant).expand(std::slice::from_ref(first), place);
        words.splice(..1, expanded);
    }

    /// Commands in `$(…)`. Their failure counts only where nothing but an assignment is done with what they say.
    pub(super) fn substitutions(
        &mut self,
        substitutions: &[Substitution],
        scope: &Scope,
        state: &State,
        swallows: bool,
    ) {
        for one in substitutions {
            let span = scope.text.span(one.span);
            if self.done.contains(&span) {
                continue;
            }
            let mut own = scope.clone();
            own.input = None;
            if swallows {
                own.swallow(SwallowKind::Substitution, one.span);
            }
            self.sequence(&one.body, &own, &mut { *state });
        }
    }

    /// What is run for the targets and bodies of redirections.
    pub(super) fn redirects(&mut self, statement: &Statement, scope: &Scope, state: &State) {
        for redirect in &statement.redirects {
            if let Some(target) = &redirect.target {
                self.substitutions(&target.substitutions, scope, state, true);
            }
            // Those of a simple command were noted before its inner script was read.
            if let Some(heredoc) = &redirect.heredoc {
                for one in &heredoc.substitutions {
                    self.done.remove(&scope.text.span(one.span));
                }
                self.substitutions(&heredoc.substitutions, scope, state, true);
            }
        }
    }

    pub(super) fn redirections(&self, statement: &Statement, scope: &Scope) -> Vec<Redirection> {
        let text = &scope.text;
        let read = |redirect: &Redirect| {
            let target = redirect.target.as_ref().map(|token| token.span);
            let content = match (&redirect.heredoc, target) {
                (Some(heredoc), _) => Some(heredoc_text(heredoc, text)),
                (None, Some(target)) if redirect.operator.ends_with("<<<") => {
                    Some(lexer::content(text, target))
                }
                _ => None,
            };
            Redirection {
                operator: redirect.operator.clone(),
                target: target.map_or_else(String::new, |target| lexer::word(text, target).text),
                span: text.span(redirect.span),
                content,
            }
        };
        statement.redirects.iter().map(read).collect()
    }
}

/// What a heredoc gives to its command, but for expansions.
pub(super) fn heredoc_text(heredoc: &Heredoc, text: &MappedText) -> MappedText {
    let mut content = MappedText::default();
    let body = heredoc.body;
    let mut line_start = body.start;
    for line in body.slice(text.text()).split_inclusive('\n') {
        let tabs = match heredoc.strip_tabs {
            true => line.len() - line.trim_start_matches('\t').len(),
            false => 0,
        };
        let span = Span::new(line_start + tabs, line_start + line.len());
        if heredoc.quoted {
            lexer::append(&mut content, text, span);
        } else {
            for piece in lexer::heredoc(text.text(), span) {
                lexer::push(&mut content, &piece, text);
            }
        }
        line_start += line.len();
    }
    content
}

/// What `set` sets.
fn set(words: &[Word], state: &mut State) {
    let mut words = words.iter().map(|word| word.text.as_str()).peekable();
    while let Some(word) = words.next() {
        let on = match word.chars().next() {
            Some('-') => true,
            Some('+') => false,
            _ => return,
        };
        if word == "--" || word == "-" {
            return;
        }
        for letter in word.chars().skip(1) {
            let mut dialect = Dialect {
                errexit: state.errexit == Errexit::On,
                pipefail: state.pipefail,
                ignored: false,
            };
            match letter {
                'e' => dialect.errexit = on,
                'o' => dialect.set_option(words.peek().copied().unwrap_or_default(), on),
                _ => continue,
            }
            state.pipefail = dialect.pipefail;
            state.errexit = match (dialect.errexit, state.errexit) {
                (true, _) => Errexit::On,
                (false, Errexit::On) => Errexit::Off,
                (false, before) => before,
            };
        }
        if word.ends_with('o') {
            words.next();
        }
    }
}
