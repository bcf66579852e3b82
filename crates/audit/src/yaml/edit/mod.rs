//! Edits of a YAML text as a careful person would make them: only what is meant changes, comments of others stay, and the
//! text has the indentation, line endings and quotes that it had.
//!
//! Nothing is written here: each function says which bytes to replace by what, or nothing if the file cannot be edited
//! so without changing more than is meant.

mod insertion;
mod layout;
mod removal;
mod replacement;
#[cfg(test)]
mod tests;

use crate::{Edit, FileId, Span};

pub use insertion::{append, insert_after, insert_before};
pub use removal::{removal, removal_within};
pub use replacement::replacement;

/// Bytes that are replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// By what.
    pub content: String,
}

impl Change {
    fn insert(at: usize, content: impl Into<String>) -> Change {
        Change {
            span: Span::new(at, at),
            content: content.into(),
        }
    }

    /// The edit of the file that the text is of.
    pub fn of(self, file: FileId) -> Edit {
        Edit {
            file,
            span: self.span,
            content: self.content,
        }
    }
}
