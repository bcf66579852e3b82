//! The pages of docs/rules: one for each rule, and the list of them.

use super::{RuleInfo, markdown, severity};
use std::fmt::Write;

/// The page of a rule. Its documentation may begin with the summary, which is then not said twice.
pub fn page(rule: &RuleInfo) -> String {
    let fix = match rule.fixable {
        true => " Fix: unstale check --fix",
        false => "",
    };
    let mut page = format!(
        "# {}\n\nSeverity: up to {}.{fix}\n\n",
        rule.id,
        severity(rule.severity)
    );
    let documentation = rule.documentation.trim();
    let first = documentation.split("\n\n").next().unwrap_or_default();
    if !is_same(first, &rule.summary) {
        let _ = writeln!(page, "{}\n", sentence(&rule.summary));
    }
    page.push_str(documentation);
    page.push('\n');
    page
}

/// The list of rules, in the order that they come in.
pub fn index(rules: &[RuleInfo]) -> String {
    let mut page = "# Rules\n\nWhat `unstale check` finds. `unstale check --explain RULE` shows a page.\n\n\
                    | rule | severity | fix | what it finds |\n|---|---|---|---|\n"
        .to_owned();
    for rule in rules {
        let _ = writeln!(
            page,
            "| [{id}]({id}.md) | {} | {} | {} |",
            severity(rule.severity),
            if rule.fixable { "yes" } else { "" },
            // Our own words: code in them is code, but a border would end the cell.
            rule.summary.replace('|', "\\|"),
            id = markdown::escape(&rule.id),
        );
    }
    page
}

/// Whether two sentences differ in white space, the first letter's case and the period only.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let words: Vec<_> = text.split_whitespace().collect();
        words.join(" ").trim_end_matches('.').to_lowercase()
    };
    plain(one) == plain(other)
}

fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::rule;
    use insta::assert_snapshot;

    #[test]
    fn a_page_says_the_summary_once() {
        let mut rule = rule("broad-copy");
        assert_snapshot!(super::page(&rule), @"
        # broad-copy

        Severity: up to high.

        What `broad-copy` finds.

        ## Why

        Because.
        ");
        rule.summary = "copies all".to_owned();
        assert!(super::page(&rule).contains("\n\nCopies all.\n\nWhat `broad-copy` finds.\n\n## Why"));
        assert_snapshot!(super::index(&[rule]), @"
        # Rules

        What `unstale check` finds. `unstale check --explain RULE` shows a page.

        | rule | severity | fix | what it finds |
        |---|---|---|---|
        | [broad-copy](broad-copy.md) | high |  | copies all |
        ");
    }
}
