//! The functions of a script, and what their callers mean for the commands in them.

use super::command::{Command, Errexit, Swallow};
use super::condition::Guard;
use crate::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A function that a script defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub span: Span,
    /// The commands that call it, as indexes of the script's commands.
    pub calls: Vec<usize>,
}

/// How often callers' callers are followed.
const ROUNDS: usize = 6;
/// How many guards a command can have.
const GUARDS: usize = 64;

/// Finds the calls of functions.
pub(super) fn find_calls(functions: &mut [Function], commands: &[Command]) {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, command) in commands.iter().enumerate() {
        if let Some(name) = command.words.first()
            && name.literal
        {
            by_name.entry(name.text.clone()).or_default().push(index);
        }
    }
    for function in functions {
        function.calls = by_name.get(&function.name).cloned().unwrap_or_default();
    }
}

/// What all calls of a function have in common.
#[derive(Debug, Clone)]
struct Callers {
    guards: Vec<Arc<Guard>>,
    errexit: bool,
    pipefail: bool,
    swallowed: Option<Swallow>,
    in_loop: bool,
}

/// Gives the commands in functions what all calls of the function have in common: a guard, errexit, that the failure of
/// the call is not noticed.
pub(super) fn inherit(functions: &[Function], commands: &mut [Command]) {
    let mut known: BTreeMap<&str, Callers> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut changed = false;
        for function in functions {
            let Some(callers) = common(function, commands, &known) else {
                continue;
            };
            let before = known.insert(&function.name, callers.clone());
            changed |= before.is_none_or(|before| before.guards.len() != callers.guards.len());
        }
        if !changed {
            break;
        }
    }
    for command in commands {
        let Some(callers) = command
            .context
            .function
            .as_deref()
            .and_then(|name| known.get(name))
        else {
            continue;
        };
        let context = &mut command.context;
        let mut guards: Vec<_> = callers
            .guards
            .iter()
            .filter(|guard| !context.guards.contains(guard))
            .cloned()
            .collect();
        guards.append(&mut context.guards);
        guards.truncate(GUARDS);
        context.guards = guards;
        context.pipefail |= callers.pipefail;
        context.in_loop |= callers.in_loop;
        if callers.errexit && context.errexit == Errexit::Unset && context.depth == 0 {
            context.errexit = Errexit::On;
            let missing = context
                .swallowed
                .as_ref()
                .is_some_and(|swallow| matches!(swallow.kind, super::command::SwallowKind::NoErrexit));
            if missing {
                context.swallowed = None;
            }
        }
        if context.swallowed.is_none() {
            context.swallowed.clone_from(&callers.swallowed);
        }
    }
}

fn common(function: &Function, commands: &[Command], known: &BTreeMap<&str, Callers>) -> Option<Callers> {
    let mut result: Option<Callers> = None;
    for command in function.calls.iter().filter_map(|&index| commands.get(index)) {
        let context = &command.context;
        // A function that calls itself says nothing about who calls it.
        if context.function.as_deref() == Some(&function.name) {
            continue;
        }
        let outer = context.function.as_deref().and_then(|name| known.get(name));
        let mut guards = outer.map_or_else(Vec::new, |outer| outer.guards.clone());
        guards.extend(context.guards.iter().cloned());
        let own = Callers {
            guards,
            errexit: context.errexit == Errexit::On || outer.is_some_and(|outer| outer.errexit),
            pipefail: context.pipefail || outer.is_some_and(|outer| outer.pipefail),
            swallowed: context
                .swallowed
                .clone()
                .or_else(|| outer.and_then(|outer| outer.swallowed.clone())),
            in_loop: context.in_loop || outer.is_some_and(|outer| outer.in_loop),
        };
        result = Some(match result {
            None => own,
            Some(before) => Callers {
                guards: before
                    .guards
                    .into_iter()
                    .filter(|guard| own.guards.iter().any(|other| is_same(guard, other)))
                    .collect(),
                errexit: before.errexit && own.errexit,
                pipefail: before.pipefail && own.pipefail,
                swallowed: before.swallowed.filter(|_| own.swallowed.is_some()),
                in_loop: before.in_loop && own.in_loop,
            },
        });
    }
    result
}

/// Whether two guards ask for the same.
fn is_same(one: &Guard, other: &Guard) -> bool {
    let tests = |guard: &Guard| -> Vec<_> {
        let known = guard.tests.iter();
        known
            .map(|test| (test.variable.clone(), test.check.clone()))
            .collect()
    };
    let same_tests = !one.tests.is_empty() && tests(one) == tests(other);
    one == other || same_tests || (one.negated == other.negated && one.condition == other.condition)
}

/// The names of the functions that are called by no command of the script.
pub(super) fn uncalled(functions: &[Function]) -> BTreeSet<&str> {
    functions
        .iter()
        .filter(|function| function.calls.is_empty())
        .map(|function| function.name.as_str())
        .collect()
}
