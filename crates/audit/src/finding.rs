//! What a rule finds, and how it can be mended.

use crate::{FileId, Span};
use serde::{Deserialize, Serialize};

/// How much harm a finding can do. The order is that of the harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing goes wrong by it alone.
    Info,
    /// Costs time, or makes another fault harder to see.
    Low,
    /// Old code or old data can be served under circumstances that happen.
    Medium,
    /// Old code is served, or a clear clears nothing.
    High,
}

/// How sure the rule is that the finding applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It depends on what no file of the project says.
    Low,
    /// Likely.
    Medium,
    /// The files say so.
    High,
}

impl Confidence {
    /// The lowest that a check of a whole project shows, unless it is told otherwise.
    pub const SHOWN: Confidence = Confidence::Medium;
}

/// One fault at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id, such as `inline-cache`.
    pub rule: &'static str,
    /// How much harm it can do here.
    pub severity: Severity,
    /// How sure it is here.
    pub confidence: Confidence,
    /// What is wrong here: a lower-case fragment that names what it is about.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
    /// Where: the first is what the finding is about, others show why.
    pub locations: Vec<Location>,
    /// How it can be mended by a program.
    pub fix: Option<Fix>,
}

/// A place that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: FileId,
    /// The bytes.
    pub span: Span,
    /// What is to be seen there.
    pub label: Option<String>,
}

/// Whether a fix can be applied without anybody looking at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// It keeps what the project does, but for the fault.
    Safe,
    /// It may change what the project does: to be looked at.
    Unsafe,
}

/// How a finding can be mended: all of the edits, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an order: `remove BUILDKIT_INLINE_CACHE from backend`.
    pub title: String,
    /// What it did, for a report: `Removed BUILDKIT_INLINE_CACHE from backend`.
    pub change: String,
    /// What is better then: `Cache clearing now works for backend`.
    pub impact: String,
    /// Whether it is safe.
    pub applicability: Applicability,
    /// In any order; they do not overlap.
    pub edits: Vec<Edit>,
}

/// Bytes of a file that are replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// The file.
    pub file: FileId,
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// By what.
    pub content: String,
}

impl Finding {
    /// A finding at one place.
    pub fn new(
        rule: &'static str,
        severity: Severity,
        confidence: Confidence,
        message: impl Into<String>,
        (file, span): (FileId, Span),
    ) -> Finding {
        Finding {
            rule,
            severity,
            confidence,
            message: message.into(),
            help: None,
            locations: vec![Location {
                file,
                span,
                label: None,
            }],
            fix: None,
        }
    }

    /// What to do instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(help.into());
        self
    }

    /// What is to be seen at the place that the finding is about.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Finding {
        if let Some(first) = self.locations.first_mut() {
            first.label = Some(label.into());
        }
        self
    }

    /// Another place that shows why.
    #[must_use]
    pub fn also(mut self, (file, span): (FileId, Span), label: impl Into<String>) -> Finding {
        let label = Some(label.into());
        self.locations.push(Location { file, span, label });
        self
    }

    /// How it can be mended.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<Option<Fix>>) -> Finding {
        self.fix = fix.into();
        self
    }

    /// Where it is.
    pub fn place(&self) -> (FileId, Span) {
        self.locations
            .first()
            .map_or((FileId::default(), Span::default()), |first| {
                (first.file, first.span)
            })
    }
}
