//! What a condition says about variables: `[ "$TARGET" = all ]`, `[[ -z $X ]]`, the patterns of a `case`.

use super::word::{Part, PartKind, Word};
use crate::Span;

/// What must hold for a command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// How it guards.
    pub kind: GuardKind,
    /// Whether the condition must fail.
    pub negated: bool,
    /// The condition as it is written; for an arm of a `case` its value and patterns.
    pub condition: String,
    /// Where the condition stands in the file.
    pub span: Span,
    /// What it says about variables. All of it holds when the command runs.
    pub tests: Vec<Test>,
}

/// How a guard guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuardKind {
    /// `if` and `elif`; negated for the arms that follow.
    If,
    /// An arm of a `case`.
    Case,
    /// `condition && command`.
    And,
    /// `condition || command`: negated.
    Or,
    /// `while`; negated for `until`.
    While,
    /// The script ends before the command unless it holds: `condition || exit`.
    EarlyExit,
}

/// What is known about a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The variable's name; underscores for a masked expression, which stands at the span.
    pub variable: String,
    /// Where the variable stands in the file.
    pub span: Span,
    /// What is known.
    pub check: Check,
}

/// What is known about a variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It is one of these (patterns, if it is compared with patterns).
    OneOf(Vec<String>),
    /// It is none of these.
    NoneOf(Vec<String>),
    /// It is empty or not set.
    Empty,
    /// It is not empty.
    NotEmpty,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Test(Test),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Unknown,
}

impl Condition {
    /// What is known when the condition holds, or when it does not.
    pub fn known(&self, holds: bool) -> Vec<Test> {
        match self {
            Condition::Test(test) if holds => vec![test.clone()],
            Condition::Test(test) => vec![test.negated()],
            Condition::Not(inner) => inner.known(!holds),
            Condition::Unknown => Vec::new(),
            Condition::And(all) if holds => all.iter().flat_map(|one| one.known(true)).collect(),
            Condition::Or(all) if !holds => all.iter().flat_map(|one| one.known(false)).collect(),
            Condition::And(any) | Condition::Or(any) => union(any.iter().map(|one| one.known(holds))),
        }
    }
}

/// What is known when one of several holds: something only if all are about the values of one variable.
fn union(any: impl Iterator<Item = Vec<Test>>) -> Vec<Test> {
    let mut result: Option<Test> = None;
    for mut tests in any {
        let (Some(test), true) = (tests.pop(), tests.is_empty()) else {
            return Vec::new();
        };
        match (&mut result, test) {
            (None, test) => result = Some(test),
            (
                Some(Test {
                    variable,
                    check: Check::OneOf(values),
                    ..
                }),
                Test {
                    variable: other,
                    check: Check::OneOf(more),
                    ..
                },
            ) if *variable == other => values.extend(more),
            _ => return Vec::new(),
        }
    }
    result.into_iter().collect()
}

impl Test {
    fn negated(&self) -> Test {
        let check = match &self.check {
            Check::OneOf(values) => Check::NoneOf(values.clone()),
            Check::NoneOf(values) => Check::OneOf(values.clone()),
            Check::Empty => Check::NotEmpty,
            Check::NotEmpty => Check::Empty,
        };
        Test {
            check,
            ..self.clone()
        }
    }
}

/// How deep parentheses and `!` are followed.
const DEPTH: usize = 32;

/// Reads the words of `[`, `[[` or `test`, without the brackets.
pub(super) fn of_words(words: &[Word]) -> Condition {
    let mut rest = words;
    let condition = either(&mut rest, DEPTH);
    if rest.is_empty() {
        condition
    } else {
        Condition::Unknown
    }
}

fn either(rest: &mut &[Word], depth: usize) -> Condition {
    list(
        rest,
        depth,
        &["||", "-o"],
        |rest| {
            list(
                rest,
                depth,
                &["&&", "-a"],
                |rest| one(rest, depth),
                Condition::And,
            )
        },
        Condition::Or,
    )
}

fn list(
    rest: &mut &[Word],
    _depth: usize,
    operators: &[&str],
    read: impl Fn(&mut &[Word]) -> Condition,
    all: fn(Vec<Condition>) -> Condition,
) -> Condition {
    let mut found = vec![read(rest)];
    while let Some((first, after)) = rest.split_first()
        && operators.contains(&first.text.as_str())
    {
        *rest = after;
        found.push(read(rest));
    }
    if found.len() == 1 {
        found.remove(0)
    } else {
        all(found)
    }
}

fn one(rest: &mut &[Word], depth: usize) -> Condition {
    let words = *rest;
    if depth == 0 {
        *rest = &[];
        return Condition::Unknown;
    }
    match words {
        [not, after @ ..] if not.text == "!" => {
            *rest = after;
            Condition::Not(Box::new(one(rest, depth - 1)))
        }
        [open, after @ ..] if open.text == "(" => {
            *rest = after;
            let inner = either(rest, depth - 1);
            if let Some((close, after)) = rest.split_first()
                && close.text == ")"
            {
                *rest = after;
                return inner;
            }
            Condition::Unknown
        }
        [left, operator, right, after @ ..] if is_comparison(&operator.text) => {
            *rest = after;
            compare(left, &operator.text, right)
        }
        [operator, operand, after @ ..] if operator.text == "-z" || operator.text == "-n" => {
            *rest = after;
            let check = if operator.text == "-z" {
                Check::Empty
            } else {
                Check::NotEmpty
            };
            about(operand, check)
        }
        [operator, _, after @ ..]
            if operator.literal && operator.text.starts_with('-') && operator.text.len() == 2 =>
        {
            *rest = after;
            Condition::Unknown
        }
        [operand, after @ ..] => {
            *rest = after;
            about(operand, Check::NotEmpty)
        }
        [] => Condition::Unknown,
    }
}

fn is_comparison(operator: &str) -> bool {
    matches!(
        operator,
        "=" | "=="
            | "!="
            | "=~"
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
    )
}

fn compare(left: &Word, operator: &str, right: &Word) -> Condition {
    let (variable, value) = if right.literal {
        (left, right)
    } else {
        (right, left)
    };
    if !value.literal {
        return Condition::Unknown;
    }
    match operator {
        "=" | "==" | "-eq" if value.text.is_empty() => about(variable, Check::Empty),
        "!=" | "-ne" if value.text.is_empty() => about(variable, Check::NotEmpty),
        "=" | "==" | "-eq" => about(variable, Check::OneOf(vec![value.text.clone()])),
        "!=" | "-ne" => about(variable, Check::NoneOf(vec![value.text.clone()])),
        "=~" => match alternatives(&value.text) {
            Some(values) => about(variable, Check::OneOf(values)),
            None => Condition::Unknown,
        },
        _ => Condition::Unknown,
    }
}

/// The values that a regular expression such as `^(all|cache)$` lets through.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let inner = inner
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(inner);
    let plain = |value: &str| value.chars().all(|c| c.is_alphanumeric() || "-_/ ".contains(c));
    let values: Vec<_> = inner.split('|').map(str::to_owned).collect();
    values.iter().all(|value| plain(value)).then_some(values)
}

/// A test of the variable that the word is.
fn about(word: &Word, check: Check) -> Condition {
    match word.parts.as_slice() {
        [
            Part {
                kind: PartKind::Variable { name, .. },
                span,
                ..
            },
        ] => Condition::Test(Test {
            variable: name.clone(),
            span: *span,
            check,
        }),
        [
            Part {
                kind: PartKind::Expression,
                text,
                span,
                ..
            },
        ] => Condition::Test(Test {
            variable: text.trim_matches(['$', '{', '}']).to_owned(),
            span: *span,
            check,
        }),
        _ => Condition::Unknown,
    }
}

/// What an arm of a `case` says about its value. Its patterns are those of the arm, or of all arms before `*`, negated.
pub(super) fn of_case(value: &Word, patterns: &[String], negated: bool) -> Vec<Test> {
    let check = match negated {
        false => Check::OneOf(patterns.to_vec()),
        true => Check::NoneOf(patterns.to_vec()),
    };
    match about(value, check) {
        Condition::Test(test) if !patterns.is_empty() => vec![test],
        _ => Vec::new(),
    }
}
