//! The rules: one file each, whose module comment is the rule's documentation.

use crate::{Finding, Project, Severity};

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
    pub(crate) source: &'static str,
    /// Finds.
    pub(crate) check: fn(&Project, &mut Vec<Finding>),
}
