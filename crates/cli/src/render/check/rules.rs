//! `--list-rules` and `--explain RULE`.

use super::fixed::columns;
use super::{RuleInfo, markdown, severity};
use crate::text::line;

/// The rules as a table.
pub fn list(rules: &[RuleInfo]) -> String {
    let head = ["RULE", "SEVERITY", "FIX", "SUMMARY"].map(str::to_owned);
    let row = |rule: &RuleInfo| {
        [
            line(&rule.id),
            severity(rule.severity).to_owned(),
            if rule.fixable { "yes" } else { "-" }.to_owned(),
            line(&rule.summary),
        ]
    };
    columns(
        &std::iter::once(head)
            .chain(rules.iter().map(row))
            .collect::<Vec<_>>(),
    )
}

/// All about a rule.
pub fn explain(rule: &RuleInfo, colour: bool) -> String {
    markdown::terminal(&super::pages::page(rule), colour)
}

#[cfg(test)]
mod tests {
    use super::super::sample::rule;
    use insta::assert_snapshot;

    #[test]
    fn rules_are_listed_and_explained() {
        assert_snapshot!(super::list(&[rule("inline-cache"), rule("broad-copy")]), @"
        RULE          SEVERITY  FIX  SUMMARY
        inline-cache  high      yes  what `inline-cache` finds
        broad-copy    high      -    what `broad-copy` finds
        ");
        assert_snapshot!(super::explain(&rule("inline-cache"), false), @"
        inline-cache

        Severity: up to high. Fix: unstale check --fix

        What `inline-cache` finds.

        Why

        Because.
        ");
    }
}
