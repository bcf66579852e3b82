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
mod words;

rules! {
    bind_masks_image,
    broad_copy,
    build_failure_ignored,
    built_but_not_loaded,
    cache_from_unbounded,
    cache_from_without_cache_to,
    cache_mount_collision,
    ci_cache_mode_min,
    ci_cache_poisoning_path,
    classic_builder,
    clear_not_gated,
    clear_without_rebuild,
    commit_arg_busts_dependencies,
    commit_arg_missing,
    commit_arg_not_passed,
    commit_arg_unused,
    copy_before_install,
    dockerignore_hides_source,
    gha_cache_scope_shared,
    host_artifacts_in_context,
    inline_cache,
    missing_dockerignore,
    mutable_base_tag,
    mutable_service_image,
    network_fetch_frozen,
    no_cache_always,
    no_healthcheck,
    no_pull_of_mutable_base,
    prune_errors_hidden,
    prune_keeps_shared,
    prune_wrong_builder,
    restart_does_not_recreate,
    secret_as_build_arg,
    secret_not_in_key,
    shared_image_tag,
    single_file_bind,
    stale_version_file,
    suppression,
    unreadable_file,
    up_without_build,
    volume_masks_image,
    watch_sync_without_restart,
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
