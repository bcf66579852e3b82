//! A word of a command.

use crate::{MappedText, Span};
use std::sync::Arc;

/// A word of a command: its name or an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Without its quotes and escapes; expansions stand in it as they are written, unless they are resolved.
    pub text: String,
    /// Where it stands in the command. Words that a variable brings have the span of its use.
    pub span: Span,
    /// Whether it is the same whenever it runs: no expansion is in it as it is written.
    pub literal: bool,
    /// What it consists of, in order, as it is written.
    pub parts: Vec<Part>,
    /// How sure it is that the command has this word.
    pub certainty: Certainty,
    /// The variable whose value it is, if it is one's whole value or a part of it.
    pub variable: Option<String>,
    /// Where its characters stand.
    pub(crate) site: Site,
    /// Where the variable stands whose whole value it is.
    pub(crate) used: Option<Site>,
}

/// How sure it is that a command has a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// It is the value that a variable has if nobody sets another: `${DOCKER:-docker}`.
    Default,
    /// A variable has it under a condition only: `if …; then args+=(--pull); fi`.
    Conditional,
    /// The script says so.
    Certain,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its text, without quotes and escapes.
    pub text: String,
    /// Where it stands in the file.
    pub span: Span,
    /// Whether it stands in quotes, so that the shell does not split it.
    pub quoted: bool,
}

/// What a part of a word is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// Text.
    Literal,
    /// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME[@]}`.
    Variable {
        /// Its name; digits and signs for the shell's own.
        name: String,
        /// What follows the name: `:-default`, `[@]`, `,,`.
        operator: String,
    },
    /// `$(…)`, `` `…` ``, `<(…)`.
    Substitution,
    /// `$((…))`.
    Arithmetic,
    /// An expression of CI or of a template that was masked: `${{ … }}`. What it says is in the file, at its span.
    Expression,
}

/// Where characters stand: in which text, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// The text that the shell reads.
    pub text: Arc<MappedText>,
    /// Where in that text.
    pub span: Span,
}

impl Site {
    /// Where it stands in the file.
    pub fn file(&self) -> Span {
        self.text.span(self.span)
    }
}

impl Word {
    /// Where its characters stand in the file: for a word that a variable brings, in the variable's assignment.
    pub fn written(&self) -> Span {
        self.site.file()
    }

    /// The name of the variable if the word is nothing but its expansion.
    pub fn as_variable(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [
                Part {
                    kind: PartKind::Variable { name, .. },
                    ..
                },
            ] => Some(name),
            _ => None,
        }
    }

    /// Whether nothing in it is left to be expanded: it is literal, or every expansion is resolved.
    pub fn is_known(&self) -> bool {
        self.literal || !self.text.contains(['$', '`'])
    }
}
