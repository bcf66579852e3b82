//! The clearing of the build cache whose failure goes unnoticed: `docker builder prune -af || true`, a recipe's `-`, a step with
//! `continue-on-error`.
//!
//! ## Why
//!
//! A prune fails when the engine cannot be reached, when the account may not speak to it, and when an option is not known to it.
//! With the failure hidden, the script says that it has cleared, and the next build reuses what should be gone. A clear that
//! did not happen must be red.
//!
//! Where the script is not made to clear, the finding is low: housekeeping may fail.
//!
//! ## Example
//!
//! `clear-caches.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker builder prune -af 2>/dev/null || true
//! echo "cache cleared"
//! ```
//!
//! ## Instead
//!
//! `clear-caches.sh`:
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker builder prune -af
//! echo "cache cleared"
//! ```
//!
//! ## Fix safety
//!
//! Without the `|| true`, the script ends where it went on before: the fix is unsafe.

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::PruneScope;
use crate::facts::flow::{Item, Purpose};
use crate::shell::{Editor, SwallowKind};
use crate::{Applicability, Confidence, Finding, Fix, Project, Severity};

pub(super) const RULE: Rule = Rule::new(
    "prune-errors-hidden",
    "a clear of the build cache whose failure goes unnoticed",
    Severity::Medium,
    check,
)
.fixable();

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    for flow in project.entries() {
        let items = flow.items(project);
        for item in &items {
            found.extend(judge(project, item, &items));
        }
    }
    findings.extend(found.into_findings());
}

fn judge(project: &Project, item: &Item<'_>, items: &[Item<'_>]) -> Option<Finding> {
    let prune = item.clears_cache()?;
    let command = item.command()?;
    let swallow = command.context.swallowed.as_ref()?;
    let by = match swallow.kind {
        SwallowKind::OrTrue => "`|| true` hides that it failed",
        SwallowKind::ThenTrue => "the `true` behind it hides that it failed",
        SwallowKind::OrMessage => "the script goes on as if it had cleared",
        SwallowKind::Runner => "its failure is ignored",
        _ => return None,
    };
    let rebuilds = items
        .iter()
        .skip(item.index + 1)
        .any(|after| after.builds() && after.host() == item.host() && !after.excludes(item));
    let clears = item.is_meant_to(Purpose::Clear);
    // A prune that leaves most, or that only makes room, may fail.
    let is_clear = prune.filters.is_empty() && prune.keeps.is_none();
    let severity = match (prune.scope, clears, rebuilds) {
        _ if !is_clear || item.is_on_new_machine() => return None,
        (_, true, _) => Severity::Medium,
        (PruneScope::System, ..) => return None,
        (_, _, true) => Severity::Medium,
        _ => Severity::Low,
    };
    // Behind the builds it only makes room.
    let is_last = !rebuilds && items[..item.index].iter().any(Item::builds);
    let severity = match swallow.kind {
        SwallowKind::OrMessage => Severity::Low,
        _ if is_last => Severity::Low,
        _ => severity,
    };
    let editor = Editor::new(item.file(), &project.file(item.file()).source);
    let fix = editor.remove_or_true(command).map(|edit| Fix {
        title: "let a failed clear end the script".to_owned(),
        change: "Removed what hid that the clear failed".to_owned(),
        impact: "A clear that fails is seen".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    });
    let message = format!("a failure of `{}` goes unnoticed", item.shown());
    let mut finding = Finding::new(RULE.id, severity, Confidence::High, message, item.place())
        .help("let the script fail where the clear fails: what was not cleared is reused")
        .fix(fix);
    if swallow.kind != SwallowKind::Runner {
        finding = finding.also((item.file(), swallow.span), by);
    } else {
        finding = finding.label(by);
    }
    Some(finding)
}
