//! What a script gives its variables.

use super::condition::Guard;
use super::word::Word;
use crate::Span;
use std::sync::Arc;

/// Something that gives a variable a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// What it is given.
    pub value: Value,
    /// How.
    pub kind: AssignmentKind,
    /// Whether it is exported by the same command: `export A=b`, or set for one command.
    pub exported: bool,
    /// The assignment, in the file.
    pub span: Span,
    /// The function that it stands in.
    pub function: Option<String>,
    pub(crate) guards: Vec<Arc<Guard>>,
    pub(crate) in_loop: bool,
}

/// What a variable is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One word.
    Scalar(Word),
    /// The words of an array.
    Array(Vec<Word>),
    /// What the script does not say: `read NAME`, the variable of a loop.
    Unknown,
}

/// How a variable is given a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssignmentKind {
    /// `NAME=value`.
    Set,
    /// `NAME+=value`.
    Append,
    /// `${NAME:=value}`: only if it has none.
    Default,
}

/// Where a variable is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use<'a> {
    /// The file's byte.
    pub at: usize,
    pub function: Option<&'a str>,
    pub guards: &'a [Arc<Guard>],
    pub in_loop: bool,
}

impl Use<'_> {
    /// Whether the assignment has been made whenever the use is reached.
    fn follows_always(&self, assignment: &Assignment) -> bool {
        (!assignment.in_loop || self.in_loop)
            && assignment.guards.iter().all(|guard| self.guards.contains(guard))
    }
}

/// The assignments whose values the variable can have at the use, each with whether it is certain; none if the script
/// does not say.
pub(super) fn visible<'a>(all: &[&'a Assignment], place: Use<'_>) -> Option<Vec<(&'a Assignment, bool)>> {
    let same: Vec<_> = all
        .iter()
        .copied()
        .filter(|one| one.function.as_deref() == place.function && one.span.start < place.at)
        .collect();
    let has_value = |list: &[&Assignment]| list.iter().any(|one| one.kind == AssignmentKind::Set);
    // Who called the function, and when, is not followed: a value from elsewhere must be the only one.
    let list = if has_value(&same) {
        same
    } else {
        let sets = all.iter().filter(|one| one.kind == AssignmentKind::Set);
        let elsewhere =
            |one: &&&Assignment| one.function.as_deref() != place.function || one.span.start < place.at;
        if sets.clone().count() > 1 || !sets.clone().all(|one| elsewhere(&one)) {
            return None;
        }
        all.to_vec()
    };
    let mut found: Vec<(&Assignment, bool)> = Vec::new();
    for one in list {
        let always = place.follows_always(one);
        match (&one.value, one.kind) {
            (Value::Unknown, _) => return None,
            (_, AssignmentKind::Set) if always => found = vec![(one, true)],
            (_, AssignmentKind::Set) => return None,
            (_, AssignmentKind::Append) if found.is_empty() => return None,
            (_, AssignmentKind::Append) => found.push((one, always)),
            (_, AssignmentKind::Default) if found.is_empty() => found.push((one, false)),
            (_, AssignmentKind::Default) => {}
        }
    }
    (!found.is_empty()).then_some(found)
}
