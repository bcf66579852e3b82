//! The rules: one file each, whose module comment is the rule's documentation.
//!
//! A rule is a pure function from what was read to findings. It knows nothing of suppressions, baselines and output.

use crate::{Finding, Project, Severity};

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule, by name.
        pub static RULES: &[Rule] = &[
            $(Rule { source: include_str!(concat!(stringify!($module), ".rs")), ..$module::RULE },)*
        ];
    };
}

mod by_place;

rules! {
    build_failure_ignored,
    built_but_not_loaded,
    cache_from_unbounded,
    cache_from_without_cache_to,
    ci_cache_mode_min,
    ci_cache_poisoning_path,
    classic_builder,
    clear_not_gated,
    clear_without_rebuild,
    gha_cache_scope_shared,
    inline_cache,
    no_cache_always,
    prune_errors_hidden,
    prune_keeps_shared,
    prune_wrong_builder,
    restart_does_not_recreate,
    suppression,
    unreadable_file,
    up_without_build,
}

pub use suppression::RULE as SUPPRESSION;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name: lower-case words with dashes.
    pub id: &'static str,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// The highest severity that it gives.
    pub severity: Severity,
    /// Whether one of its findings can have a fix.
    pub fixable: bool,
    /// The source file, whose module comment is the documentation.
    source: &'static str,
    /// Finds.
    check: fn(&Project, &mut Vec<Finding>),
}

impl Rule {
    /// A rule whose findings have no fix.
    const fn new(
        id: &'static str,
        summary: &'static str,
        severity: Severity,
        check: fn(&Project, &mut Vec<Finding>),
    ) -> Rule {
        Rule {
            id,
            summary,
            severity,
            fixable: false,
            source: "",
            check,
        }
    }

    /// The same, with fixes.
    const fn fixable(mut self) -> Rule {
        self.fixable = true;
        self
    }

    /// Adds what the rule finds.
    pub(crate) fn run(&self, project: &Project, findings: &mut Vec<Finding>) {
        (self.check)(project, findings);
    }

    /// The documentation, as Markdown without a title.
    pub fn documentation(&self) -> String {
        let lines = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let mut text = String::new();
        for line in lines {
            text.push_str(line.strip_prefix(' ').unwrap_or(line));
            text.push('\n');
        }
        text
    }
}

/// The rule with a name.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests;
