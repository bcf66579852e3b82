//! A comment `# unstale: ignore[rule] reason` that suppresses nothing, names no rule, or gives no reason.
//!
//! ## Why
//!
//! A suppression outlives what it was for. When the finding is gone, the comment hides the next one at that place; without
//! a reason nobody can tell whether it still holds.
//!
//! ## Example
//!
//! ```dockerfile
//! # unstale: ignore[inline-cache]
//! FROM debian:12
//! ```
//!
//! ## Instead
//!
//! Take the comment out, or say why it is there:
//!
//! ```dockerfile
//! # unstale: ignore[mutable-base-tag] this image is rebuilt and scanned every night
//! FROM debian:latest
//! ```
//!
//! ## Fix safety
//!
//! Taking out a comment that suppresses nothing changes nothing else: the fix is safe.

use super::Rule;
use crate::{Finding, Project, Severity};

/// Its findings come from [`crate::suppress`], which alone knows what was suppressed.
pub const RULE: Rule = Rule::new(
    "suppression",
    "a suppression that suppresses nothing or gives no reason",
    Severity::Low,
    check,
)
.fixable();

fn check(_: &Project, _: &mut Vec<Finding>) {}
