//! The statements of a script, as the shell groups them. Spans are those of the script's own text.

use crate::Span;

/// A statement.
#[derive(Debug)]
pub(super) struct Statement {
    pub span: Span,
    pub kind: Kind,
    pub redirects: Vec<Redirect>,
    /// Whether `&` follows.
    pub background: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Simple(Simple),
    /// Pipelines joined by `&&` and `||`.
    Chain(Box<Statement>, Vec<(Join, Statement)>),
    /// Commands joined by `|`, or one behind `!`.
    Pipeline {
        negated: bool,
        elements: Vec<Statement>,
    },
    If {
        arms: Vec<Arm>,
        otherwise: Option<Vec<Statement>>,
    },
    Case {
        value: Option<Token>,
        arms: Vec<CaseArm>,
    },
    Loop(Loop),
    Group(Vec<Statement>),
    Subshell(Vec<Statement>),
    Function {
        name: Span,
        body: Vec<Statement>,
    },
    /// Arithmetic, and what else runs no command but in its substitutions.
    Other(Vec<Substitution>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    And,
    Or,
}

/// A command of words.
#[derive(Debug, Default)]
pub(super) struct Simple {
    pub assignments: Vec<RawAssignment>,
    pub words: Vec<Token>,
    /// Whether it is `[ … ]` or `[[ … ]]`.
    pub is_test: bool,
}

/// A word, and the commands that are run for it.
#[derive(Debug)]
pub(super) struct Token {
    pub span: Span,
    pub substitutions: Vec<Substitution>,
}

/// `$(…)`, `` `…` `` or `<(…)`.
#[derive(Debug)]
pub(super) struct Substitution {
    pub span: Span,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct RawAssignment {
    pub span: Span,
    pub name: Span,
    pub append: bool,
    pub value: RawValue,
}

#[derive(Debug)]
pub(super) enum RawValue {
    Scalar(Token),
    Array(Vec<Token>),
    /// One element of an array.
    Element(Token),
}

#[derive(Debug)]
pub(super) struct Arm {
    pub condition: Vec<Statement>,
    pub span: Span,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct CaseArm {
    pub patterns: Vec<Span>,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Loop {
    /// The variable of a `for`.
    pub variable: Option<Span>,
    pub values: Vec<Token>,
    /// The condition of a `while` or `until`.
    pub condition: Vec<Statement>,
    pub until: bool,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) struct Redirect {
    pub span: Span,
    pub operator: String,
    pub target: Option<Token>,
    pub heredoc: Option<Heredoc>,
}

#[derive(Debug)]
pub(super) struct Heredoc {
    pub body: Span,
    /// Whether the body is taken as it is.
    pub quoted: bool,
    /// `<<-`: tabs at the beginnings of lines do not count.
    pub strip_tabs: bool,
    pub substitutions: Vec<Substitution>,
}

impl Statement {
    pub fn new(span: Span, kind: Kind) -> Statement {
        Statement {
            span,
            kind,
            redirects: Vec::new(),
            background: false,
        }
    }
}
