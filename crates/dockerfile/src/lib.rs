//! Reads Dockerfiles for what can be known without an engine: instructions, flags, words, comments and heredocs with
//! the bytes where they stand; stages and what they need; declarations and uses of variables; and what the engine's
//! frontend would refuse. It never refuses a file itself: what is wrong is kept as it stands, and named in
//! [`Dockerfile::problems`]. Pure: no I/O.
//!
//! The grammar is that of BuildKit 0.25 (`frontend/dockerfile/parser` and `instructions`), and `cargo xtask
//! dockerfiles` compares the reader with the engine. All offsets are bytes of the text as given, a byte-order mark
//! included.

mod arguments;
mod characters;
mod command_text;
mod copy;
mod declarations;
mod directives;
mod expand;
mod heredoc;
mod instruction;
mod interpreters;
mod joined;
mod json;
mod lex;
mod lines;
mod mounts;
mod problems;
mod queries;
mod read;
mod references;
mod span;
mod split;
mod stages;

pub use command_text::{CommandText, Interpreter};
pub use copy::{CopyArguments, CopySource};
pub use declarations::{Declaration, DeclarationKind, PLATFORM_ARGS, PROXY_ARGS, Scope};
pub use instruction::{Assignment, ExecItem, Flag, Heredoc, Instruction, Mount, MountOption, Word};
pub use problems::{Frontend, Problem};
pub use references::Reference;
pub use span::Span;
pub use stages::{Stage, StageUse, UsedBy, Uses, base_chain};

/// A Dockerfile as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Parser directives at the top, `# syntax=…` for example.
    pub directives: Vec<Directive>,
    /// The comments that are no directives, those between continued lines too.
    pub comments: Vec<Comment>,
    /// The instructions in order of the file.
    pub instructions: Vec<Instruction>,
    pub(crate) troubles: problems::Troubles,
}

/// A parser directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name in lower case: `syntax`, `escape` or `check`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The line, from 1.
    pub line: usize,
    /// From the `#` to the end of the value.
    pub span: Span,
    /// The name.
    pub name_span: Span,
    /// The value.
    pub value_span: Span,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// From its `#` to the end of the line.
    pub text: String,
    /// Where that stands.
    pub span: Span,
    /// The line, from 1.
    pub line: usize,
}

impl Dockerfile {
    /// Reads a Dockerfile. Never fails.
    pub fn parse(text: &str) -> Self {
        read::dockerfile(text.as_bytes())
    }

    /// Reads a file that need not be UTF-8. Texts have replacement characters where it is not; spans count its bytes.
    pub fn parse_bytes(bytes: &[u8]) -> Self {
        read::dockerfile(bytes)
    }
}
