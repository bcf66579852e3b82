//! What conditions say, and what happens when a command fails.

use super::{Scope, State, Walker};
use crate::Span;
use crate::shell::command::{Errexit, Swallow, SwallowKind, base_name};
use crate::shell::condition::{Condition, Guard, GuardKind, of_case, of_words};
use crate::shell::lexer;
use crate::shell::statement::{Join, Kind, Simple, Statement};
use crate::shell::word::Word;

/// What stands behind `||`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rescue {
    /// It fails as well, or ends the script with a failure.
    Fails,
    /// `true`, `:`, `exit 0`.
    Nothing,
    /// It says something.
    Message,
    /// It does something else.
    Other,
}

/// How deep groups are looked into for an `exit`.
const DEPTH: usize = 16;

impl Walker {
    pub(super) fn words(&self, simple: &Simple, scope: &Scope) -> Vec<Word> {
        simple
            .words
            .iter()
            .map(|token| lexer::word(&scope.text, token.span))
            .collect()
    }

    /// A list of statements as a condition: the last one is what counts.
    pub(super) fn condition_of(&self, statements: &[Statement], scope: &Scope) -> Condition {
        statements
            .last()
            .map_or(Condition::Unknown, |last| self.condition(last, scope))
    }

    pub(super) fn condition(&self, statement: &Statement, scope: &Scope) -> Condition {
        self.condition_within(statement, scope, DEPTH)
    }

    fn condition_within(&self, statement: &Statement, scope: &Scope, depth: usize) -> Condition {
        let Some(depth) = depth.checked_sub(1) else {
            return Condition::Unknown;
        };
        match &statement.kind {
            Kind::Simple(simple) => {
                let is_test = simple.is_test
                    || simple.words.first().is_some_and(|first| {
                        matches!(first.span.slice(scope.text.text()), "test" | "[" | "[[")
                    });
                if !is_test || simple.words.len() > 64 {
                    return Condition::Unknown;
                }
                let words = self.words(simple, scope);
                let mut inner = words.get(1..).unwrap_or_default();
                if let Some((last, before)) = inner.split_last()
                    && matches!(last.text.as_str(), "]" | "]]")
                {
                    inner = before;
                }
                of_words(inner)
            }
            Kind::Pipeline {
                negated: true,
                elements,
            } => match elements.as_slice() {
                [one] => Condition::Not(Box::new(self.condition_within(one, scope, depth))),
                _ => Condition::Unknown,
            },
            Kind::Chain(first, rest) => {
                let mut condition = self.condition_within(first, scope, depth);
                for (join, one) in rest {
                    let right = self.condition_within(one, scope, depth);
                    condition = match join {
                        Join::And => super::both(condition, right, Condition::And),
                        Join::Or => super::both(condition, right, Condition::Or),
                    };
                }
                condition
            }
            Kind::Group(body) | Kind::Subshell(body) if body.len() == 1 => {
                self.condition_within(&body[0], scope, depth)
            }
            _ => Condition::Unknown,
        }
    }

    /// Whether the statements never come to their end; and whether that is a success.
    fn ends(&self, statements: &[Statement], scope: &Scope, depth: usize) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        let last = statements.last()?;
        match &last.kind {
            Kind::Simple(simple) => self.ends_simple(simple, scope),
            Kind::Group(body) => self.ends(body, scope, depth),
            Kind::Chain(_, rest) => match rest.last() {
                // `echo why && exit 1`
                Some((Join::And, one)) => self.ends(std::slice::from_ref(one), scope, depth),
                _ => None,
            },
            Kind::If {
                arms,
                otherwise: Some(otherwise),
            } => {
                let mut success = self.ends(otherwise, scope, depth)?;
                for arm in arms {
                    success &= self.ends(&arm.body, scope, depth)?;
                }
                Some(success)
            }
            _ => None,
        }
    }

    fn ends_simple(&self, simple: &Simple, scope: &Scope) -> Option<bool> {
        let text = scope.text.text();
        let mut words = simple.words.iter().map(|token| token.span.slice(text));
        let name = words.next()?;
        match name {
            "exit" | "return" => Some(words.next() == Some("0")),
            "break" | "continue" => Some(true),
            "die" | "fail" | "fatal" | "abort" | "bail" | "error_exit" | "err_exit" | "exit_with_error" => {
                Some(false)
            }
            _ if self.fatal.contains(name) => Some(false),
            _ => None,
        }
    }

    /// Whether the statements end the script or the function with a failure.
    pub(super) fn fails(&self, statements: &[Statement], scope: &Scope) -> bool {
        self.ends(statements, scope, DEPTH) == Some(false) || self.is_false(statements, scope)
    }

    fn is_false(&self, statements: &[Statement], scope: &Scope) -> bool {
        matches!(statements, [Statement { kind: Kind::Simple(simple), .. }]
            if simple.words.len() == 1 && simple.words[0].span.slice(scope.text.text()) == "false")
    }

    pub(super) fn rescue(&self, right: &Statement, scope: &Scope) -> Rescue {
        let one = std::slice::from_ref(right);
        match self.ends(one, scope, DEPTH) {
            Some(true) => return self.rescue_by_success(right, scope),
            Some(false) => return Rescue::Fails,
            None if self.is_false(one, scope) => return Rescue::Fails,
            None => {}
        }
        let mut body = one;
        for _ in 0..DEPTH {
            match body {
                [
                    Statement {
                        kind: Kind::Group(inner) | Kind::Subshell(inner),
                        ..
                    },
                ] => body = inner,
                _ => break,
            }
        }
        let mut rescue = Rescue::Nothing;
        for statement in body {
            let Kind::Simple(simple) = &statement.kind else {
                return Rescue::Other;
            };
            let Some(first) = simple.words.first() else {
                continue;
            };
            match base_name(first.span.slice(scope.text.text())) {
                "true" | ":" => {}
                name if is_message(name) => rescue = Rescue::Message,
                _ => return Rescue::Other,
            }
        }
        rescue
    }

    /// `|| exit 0`; `|| break` and `|| continue` go on elsewhere.
    fn rescue_by_success(&self, right: &Statement, scope: &Scope) -> Rescue {
        match &right.kind {
            Kind::Simple(simple) => match simple
                .words
                .first()
                .map(|word| word.span.slice(scope.text.text()))
            {
                Some("exit" | "return") => Rescue::Nothing,
                _ => Rescue::Other,
            },
            _ => Rescue::Message,
        }
    }

    /// What must hold for the statements behind this one, as the script ends otherwise.
    pub(super) fn early_exit(&self, statement: &Statement, scope: &Scope) -> Vec<Guard> {
        let ends = |body: &[Statement]| self.ends(body, scope, DEPTH).is_some();
        let guard = |condition: &Condition, holds: bool, span: Span| {
            let tests = condition.known(holds);
            (!tests.is_empty()).then(|| Guard {
                kind: GuardKind::EarlyExit,
                negated: !holds,
                condition: span.slice(scope.text.text()).to_owned(),
                span: scope.text.span(span),
                tests,
            })
        };
        match &statement.kind {
            Kind::Chain(first, rest) => {
                let Some(((join, last), before)) = rest.split_last() else {
                    return Vec::new();
                };
                if before.len() > 16 || !ends(std::slice::from_ref(last)) {
                    return Vec::new();
                }
                let mut condition = self.condition(first, scope);
                for (join, one) in before {
                    let right = self.condition(one, scope);
                    condition = match join {
                        Join::And => super::both(condition, right, Condition::And),
                        Join::Or => super::both(condition, right, Condition::Or),
                    };
                }
                let end = before.last().map_or(first.end(), |(_, one)| one.end());
                guard(&condition, *join == Join::Or, Span::new(first.span.start, end))
                    .into_iter()
                    .collect()
            }
            Kind::If { arms, otherwise } => {
                let mut found = Vec::new();
                let all = arms.iter().all(|arm| ends(&arm.body));
                for arm in arms.iter().filter(|_| all) {
                    let condition = self.condition_of(&arm.condition, scope);
                    found.extend(guard(&condition, false, arm.span));
                }
                if let ([arm], Some(otherwise), false) = (arms.as_slice(), otherwise, all)
                    && ends(otherwise)
                {
                    let condition = self.condition_of(&arm.condition, scope);
                    found.extend(guard(&condition, true, arm.span));
                }
                found
            }
            Kind::Case {
                value: Some(value),
                arms,
            } => {
                let word = lexer::word(&scope.text, value.span);
                let (ending, going): (Vec<_>, Vec<_>) = arms.iter().partition(|arm| ends(&arm.body));
                let patterns = |arms: &[&crate::shell::statement::CaseArm]| -> Vec<String> {
                    arms.iter().flat_map(|arm| self.patterns(arm, scope)).collect()
                };
                let (ending, going) = (patterns(&ending), patterns(&going));
                let tests = match ending.iter().any(|pattern| pattern == "*") {
                    true => of_case(&word, &going, false),
                    false => of_case(&word, &ending, true),
                };
                if tests.is_empty() {
                    return Vec::new();
                }
                vec![Guard {
                    kind: GuardKind::EarlyExit,
                    negated: false,
                    condition: format!("{} in {}", word.text, going.join("|")),
                    span: scope.text.span(value.span),
                    tests,
                }]
            }
            _ => Vec::new(),
        }
    }

    /// Why the failure of a command goes unnoticed.
    pub(super) fn unnoticed(&self, scope: &Scope, state: &State, span: Span) -> Option<Swallow> {
        if scope.swallowed.is_some() {
            return scope.swallowed.clone();
        }
        let by = |kind, span| {
            Some(Swallow {
                kind,
                span,
                removal: None,
            })
        };
        let noticed = || match scope.ignored && scope.depth == 0 {
            true => by(SwallowKind::Runner, span),
            false => None,
        };
        match (state.errexit, scope.next) {
            (_, None | Some(super::Next::Checked)) => noticed(),
            (Errexit::Off | Errexit::Unset, Some(super::Next::True(next))) => by(SwallowKind::ThenTrue, next),
            // With errexit or without: it looks at a list's last command alone.
            (_, Some(_)) if scope.before_and => by(SwallowKind::AndList, span),
            (Errexit::On, Some(_)) => noticed(),
            (Errexit::Off, Some(_)) => by(SwallowKind::ErrexitOff, span),
            (Errexit::Unset, Some(_)) => by(SwallowKind::NoErrexit, span),
        }
    }

    /// Finds the functions that end the script, and those that run their arguments.
    pub(super) fn note_functions(&mut self, statements: &[Statement], scope: &Scope) {
        for statement in statements {
            let Kind::Function { name, body } = &statement.kind else {
                continue;
            };
            let name = name.slice(scope.text.text()).to_owned();
            let body: &[Statement] = match body.as_slice() {
                [
                    Statement {
                        kind: Kind::Group(inner),
                        ..
                    },
                ] => inner,
                other => other,
            };
            let exits = body.last().is_some_and(|last| match &last.kind {
                Kind::Simple(simple) => {
                    let mut words = simple.words.iter().map(|word| word.span.slice(scope.text.text()));
                    words.next() == Some("exit") && words.next() != Some("0")
                }
                _ => false,
            });
            if exits {
                self.fatal.insert(name.clone());
            }
            let text = statement.span.slice(scope.text.text());
            if text.len() < 4096
                && body
                    .iter()
                    .any(|one| runs_arguments(one, scope.text.text(), DEPTH))
            {
                self.runners.insert(name);
            }
        }
    }
}

/// Whether a command of the statement is `"$@"`.
fn runs_arguments(statement: &Statement, text: &str, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let any = |body: &[Statement]| body.iter().any(|one| runs_arguments(one, text, depth));
    match &statement.kind {
        Kind::Simple(simple) => {
            simple
                .words
                .iter()
                .take(2)
                .any(|word| matches!(word.span.slice(text), "\"$@\"" | "$@" | "$*" | "\"${@}\""))
                && simple.words.first().is_some_and(|first| {
                    matches!(
                        first.span.slice(text),
                        "\"$@\"" | "$@" | "$*" | "\"${@}\"" | "eval" | "sudo" | "exec" | "command" | "time"
                    )
                })
        }
        Kind::Chain(first, rest) => {
            runs_arguments(first, text, depth) || rest.iter().any(|(_, one)| runs_arguments(one, text, depth))
        }
        Kind::Pipeline { elements, .. } => any(elements),
        Kind::If { arms, otherwise } => {
            arms.iter().any(|arm| any(&arm.body) || any(&arm.condition))
                || otherwise.as_deref().is_some_and(any)
        }
        Kind::Loop(own) => any(&own.body) || any(&own.condition),
        Kind::Group(body) | Kind::Subshell(body) => any(body),
        _ => false,
    }
}

/// Whether a command only says something, by its name.
fn is_message(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(
        name.as_str(),
        "echo" | "printf" | "logger" | "cat" | "say" | "note" | "msg"
    ) || ["log", "warn", "info", "error", "print", "message"]
        .iter()
        .any(|word| name.contains(word))
}
