//! Which flags an instruction has, and which values they take.

use super::Frontend;
use crate::{Flag, Instruction, Span, characters};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `--link`, `--link=false`.
    Switch,
    /// One value.
    Value,
    /// A value, as often as one likes.
    Values,
}

use Kind::{Switch, Value, Values};

/// The flags of an instruction.
fn known(keyword: &str, frontend: Frontend) -> &'static [(&'static str, Kind)] {
    match (keyword, frontend) {
        ("ADD", _) => &[
            ("chown", Value),
            ("chmod", Value),
            ("link", Switch),
            ("keep-git-dir", Switch),
            ("checksum", Value),
            ("unpack", Switch),
            ("exclude", Values),
        ],
        ("COPY", Frontend::BuiltIn) => &[
            ("chown", Value),
            ("from", Value),
            ("chmod", Value),
            ("link", Switch),
            ("exclude", Values),
        ],
        ("COPY", Frontend::Named) => &[
            ("chown", Value),
            ("from", Value),
            ("chmod", Value),
            ("link", Switch),
            ("exclude", Values),
            ("parents", Switch),
        ],
        ("FROM", _) => &[("platform", Value)],
        ("RUN", Frontend::BuiltIn) => &[("mount", Values), ("device", Values), ("network", Value)],
        ("RUN", Frontend::Named) => &[
            ("mount", Values),
            ("device", Values),
            ("network", Value),
            ("security", Value),
        ],
        ("HEALTHCHECK", _) => &[
            ("interval", Value),
            ("timeout", Value),
            ("start-period", Value),
            ("start-interval", Value),
            ("retries", Value),
        ],
        _ => &[],
    }
}

/// The first flag that is wrong.
pub(super) fn check(instruction: &Instruction, frontend: Frontend) -> Option<(Span, String)> {
    let known = known(&instruction.keyword, frontend);
    let mut used = Vec::new();
    for flag in &instruction.flags {
        let wrong = |message: String| Some((flag.span, message));
        let Some((name, kind)) = known.iter().find(|(name, _)| *name == flag.name) else {
            return wrong(format!("{} has no flag --{}", instruction.keyword, flag.name));
        };
        if *kind != Values && used.contains(name) {
            return wrong(format!("the flag --{name} is given twice"));
        }
        if !used.contains(name) {
            used.push(name);
        }
        if let Some(message) = value(flag, *kind) {
            return wrong(message);
        }
    }
    None
}

fn value(flag: &Flag, kind: Kind) -> Option<String> {
    let name = &flag.name;
    match (kind, flag.value.as_deref()) {
        (Switch, None) | (Value | Values, Some(_)) => None,
        (Value | Values, None) | (Switch, Some("")) => Some(format!("the flag --{name} has no value")),
        (Switch, Some(value)) => match characters::lower(value).as_str() {
            "true" | "false" => None,
            _ => Some(format!("the flag --{name} is true or false, and not {value:?}")),
        },
    }
}
