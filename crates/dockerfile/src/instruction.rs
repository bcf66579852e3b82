//! The values that an instruction is read into.

use std::fmt;

use crate::{CommandText, Reference, Span};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// The keyword in upper case: `FROM`, `RUN`. Not necessarily one that exists.
    pub keyword: String,
    /// Where the keyword stands.
    pub keyword_span: Span,
    /// From the first byte of the keyword to the end of the last line, without its line break.
    pub span: Span,
    /// The first line, from 1, as BuildKit counts it.
    pub start_line: usize,
    /// The last line, that of the last heredoc's end included.
    pub end_line: usize,
    /// The `--flags` after the keyword.
    pub flags: Vec<Flag>,
    /// Everything after the keyword and the flags, with continued lines joined and comments between them left out.
    pub args: String,
    /// Where that stands.
    pub args_span: Span,
    /// The words of the arguments: of `FROM`, `COPY`, `ADD`, `EXPOSE` and `VOLUME` whatever stands between blanks, of
    /// all others with respect to quotes. An instruction in exec form has its strings in [`Self::exec`] only.
    pub words: Vec<Word>,
    /// The strings of the exec form, of the instructions that have one: `["a", "b"]`. Of `HEALTHCHECK`, those of its command.
    pub exec: Option<Vec<ExecItem>>,
    /// The names and values of `ARG`, `ENV` and `LABEL`.
    pub assignments: Vec<Assignment>,
    /// What `RUN --mount` mounts.
    pub mounts: Vec<Mount>,
    /// The variables that BuildKit expands in this instruction.
    pub references: Vec<Reference>,
    /// The heredocs, in order.
    pub heredocs: Vec<Heredoc>,
    /// The instruction that `ONBUILD` keeps for later. It has none in turn.
    pub inner: Option<Box<Instruction>>,
    pub(crate) command: Option<CommandText>,
}

/// The instructions that there are. Source: BuildKit's `command` package.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// A flag of an instruction: `--name=value` or `--name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes.
    pub name: String,
    /// After the equals sign, without quotes and escapes.
    pub value: Option<String>,
    /// All of it.
    pub span: Span,
    /// The name.
    pub name_span: Span,
    /// The value, quotes included.
    pub value_span: Option<Span>,
}

/// A word of the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As written, quotes and all, without continuations.
    pub raw: String,
    /// Where it stands, continuations within it included.
    pub span: Span,
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.raw)
    }
}

/// A string of the exec form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecItem {
    /// What it stands for.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// A name with its value: of `ARG`, `ENV` or `LABEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name as written.
    pub name: Word,
    /// The value as written; an `ARG` may have none.
    pub value: Option<Word>,
    /// Whether the old form with a blank was used: `ENV name value`.
    pub blank_form: bool,
}

/// A `--mount` of a `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The whole flag.
    pub span: Span,
    /// What it says, in order.
    pub options: Vec<MountOption>,
}

/// One `key=value` or `key` of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOption {
    /// In lower case.
    pub key: String,
    /// Without quotes; variables as written.
    pub value: Option<String>,
    /// Where the key stands.
    pub key_span: Span,
    /// Where the value stands.
    pub value_span: Option<Span>,
}

impl Mount {
    /// The last option of that name, or of a name that means the same: `target`, `dst`, `destination`; `source`, `src`;
    /// `readonly`, `ro`; `readwrite`, `rw`.
    pub fn option(&self, name: &str) -> Option<&MountOption> {
        let known = |key: &str| match key {
            "dst" | "destination" => "target".to_owned(),
            "src" => "source".to_owned(),
            "ro" => "readonly".to_owned(),
            "rw" => "readwrite".to_owned(),
            other => other.to_owned(),
        };
        let wanted = known(name);
        self.options
            .iter()
            .rev()
            .find(|option| known(&option.key) == wanted)
    }

    /// The value of an option.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.option(name)?.value.as_deref()
    }

    /// What is mounted: `bind`, unless it says something else.
    pub fn kind(&self) -> &str {
        self.value("type").unwrap_or("bind")
    }
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
    /// Where its text stands, the last line break included.
    pub body: Span,
    /// The line that ends it, without its line break; an empty span at the end of the file when there is none.
    pub terminator: Span,
    /// Whether its end was found before the file's.
    pub terminated: bool,
}

impl Instruction {
    /// Whether Dockerfiles have an instruction of this name.
    pub fn is_known(&self) -> bool {
        KEYWORDS.contains(&self.keyword.as_str())
    }

    /// The value of a flag; of several, the last.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|flag| flag.name == name)?
            .value
            .as_deref()
    }

    /// What a shell runs, of `RUN`, `CMD`, `ENTRYPOINT` and `HEALTHCHECK CMD` in shell form.
    pub fn command_text(&self) -> Option<&CommandText> {
        self.command.as_ref()
    }
}
