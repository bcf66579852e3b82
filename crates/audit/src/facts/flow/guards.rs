//! Whether two commands can run in the same run of a script, by what guards them.

use crate::FileId;
use crate::shell::{Check, Guard, GuardKind, Test};
use std::sync::Arc;

/// Whether the guards of one command and those of another never hold together.
pub(super) fn exclude(one: &[(FileId, &Arc<Guard>)], other: &[(FileId, &Arc<Guard>)]) -> bool {
    one.iter().any(|(file, guard)| {
        let same_file = other.iter().filter(|(own, _)| own == file);
        same_file
            .into_iter()
            .any(|(_, against)| contradict(guard, against))
    })
}

fn contradict(one: &Guard, other: &Guard) -> bool {
    // Two branches of one condition.
    if one.span == other.span && one.negated != other.negated && !one.span.is_empty() {
        return true;
    }
    if one.kind == GuardKind::Case && other.kind == GuardKind::Case && one.span != other.span {
        let (value, own) = case(&one.condition);
        let (against, others) = case(&other.condition);
        if value == against && own != others {
            return true;
        }
    }
    one.tests
        .iter()
        .any(|test| other.tests.iter().any(|against| differ(test, against)))
}

/// The value and the patterns of an arm.
fn case(condition: &str) -> (&str, &str) {
    condition.rsplit_once(" in ").unwrap_or((condition, ""))
}

fn differ(one: &Test, other: &Test) -> bool {
    // A masked expression can be any: only its place tells which.
    if one.variable != other.variable || one.variable.chars().all(|c| c == '_') {
        return false;
    }
    match (&one.check, &other.check) {
        (Check::OneOf(own), Check::OneOf(others)) => own.iter().all(|value| !others.contains(value)),
        (Check::OneOf(own), Check::NoneOf(others)) | (Check::NoneOf(others), Check::OneOf(own)) => {
            own.iter().all(|value| others.contains(value))
        }
        (Check::Empty, Check::NotEmpty) | (Check::NotEmpty, Check::Empty) => true,
        (Check::Empty, Check::OneOf(values)) | (Check::OneOf(values), Check::Empty) => {
            values.iter().all(|value| !value.is_empty())
        }
        _ => false,
    }
}
