//! The options of the `check` directive, which the engine reads before anything else, and by rules of its own: blanks
//! before the comment are not allowed, and a first line with `#!` is skipped.

use super::values::is_bool;
use crate::directives::directive;
use crate::lines::lines;
use crate::{Span, characters};

/// What is wrong with them.
pub(super) fn check(bytes: &[u8]) -> Option<(Span, usize, String)> {
    let mut seen = Vec::new();
    for line in lines(bytes) {
        if line.number == 1 && line.text.starts_with(b"#!") {
            continue;
        }
        let found = directive(line.text).filter(|found| !seen.contains(&found.name))?;
        if found.name == "check" {
            let value = characters::text(&line.text[found.value_range]);
            return wrong(value.trim()).map(|message| (line.span(), line.number, message));
        }
        seen.push(found.name);
    }
    None
}

fn wrong(value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    for part in value.splitn(3, ';') {
        let Some((key, value)) = part.split_once('=') else {
            return Some(format!("the check option {part:?} has no value"));
        };
        match key.trim() {
            "skip" | "experimental" => {}
            "error" if is_bool(value.trim()) => {}
            "error" => {
                return Some(format!(
                    "the check option error is true or false, and not {value:?}"
                ));
            }
            other => return Some(format!("there is no check option {other:?}")),
        }
    }
    None
}
