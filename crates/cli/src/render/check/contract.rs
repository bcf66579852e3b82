//! The lines of the contract: `✅` what holds, `❌` what does not, with where and how to mend it.

use super::{ContractLine, Place, message};
use crate::text::runner_line;
use std::fmt::Write;
use unstale_audit::Project;

/// One line each; what belongs to a line is indented below it.
pub fn text(project: &Project, lines: &[ContractLine]) -> String {
    let mut text = String::new();
    for of in lines {
        let mark = if of.holds { "✅" } else { "❌" };
        let _ = writeln!(text, "{mark} {}", message(&of.name));
        if of.holds {
            continue;
        }
        if let Some(detail) = &of.detail {
            let _ = writeln!(text, "   {}", message(detail));
        }
        if let Some(location) = &of.location {
            let place = Place::new(project, location);
            let (line, column) = (place.start.line, place.start.column);
            let _ = writeln!(text, "   at {}:{line}:{column}", runner_line(place.path()));
        }
        if let Some(hint) = &of.hint {
            let _ = writeln!(text, "   hint: {}", message(hint));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::shop;
    use insta::assert_snapshot;

    #[test]
    fn what_does_not_hold_says_where_and_how() {
        let sample = shop();
        assert_snapshot!(super::text(&sample.project, sample.contract.as_ref().unwrap()), @"
        ✅ GIT_COMMIT_HASH is passed to backend
        ❌ BUILDKIT_INLINE_CACHE not found in docker-compose.yml
           backend sets it
           at docker compose.yml:7:9
           hint: unstale check --fix
        ");
    }
}
