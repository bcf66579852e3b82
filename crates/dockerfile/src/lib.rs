//! Reads Dockerfiles for what can be known without an engine: which instructions stand on which lines, which build
//! arguments are declared, which stages and base images there are. It never refuses a file: what is wrong is for the
//! engine to say, whose own frontend is the only judge of the syntax. Pure: no I/O.
//!
//! The grammar is BuildKit's (`frontend/dockerfile/parser`): parser directives, comments and blank lines within
//! continued instructions, heredocs, a byte-order mark, CRLF.

mod directives;
mod expand;
mod heredoc;
mod queries;
mod read;
mod words;

pub use queries::Stage;

/// A Dockerfile as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Parser directives at the top, `# syntax=…` for example.
    pub directives: Vec<Directive>,
    /// The instructions in order of the file.
    pub instructions: Vec<Instruction>,
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
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// The keyword in upper case: `FROM`, `RUN`. Not necessarily one that exists.
    pub keyword: String,
    /// Everything after the keyword and the flags, with continued lines joined and comments between them left out.
    pub args: String,
    /// The `--flags` after the keyword.
    pub flags: Vec<Flag>,
    /// The heredocs, in order.
    pub heredocs: Vec<Heredoc>,
    /// The first line, from 1.
    pub start_line: usize,
    /// The last line, that of the last heredoc's end included.
    pub end_line: usize,
    /// The lines as they stand in the file, without the last line break.
    pub original: String,
}

/// A flag of an instruction: `--name=value` or `--name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes.
    pub name: String,
    /// After the equals sign, quotes included.
    pub value: Option<String>,
}

/// A heredoc of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// Whether variables in it are expanded: the name was not quoted.
    pub expand: bool,
    /// Whether leading tabs are dropped: `<<-`.
    pub chomp: bool,
    /// Its text, line breaks as in the file.
    pub content: String,
    /// Whether its end was found before the file's.
    pub terminated: bool,
}

impl Dockerfile {
    /// Reads a Dockerfile. Never fails: what makes no sense is kept as it stands.
    pub fn parse(text: &str) -> Self {
        read::dockerfile(text)
    }
}
