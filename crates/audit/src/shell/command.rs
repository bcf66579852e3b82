//! A command, and the circumstances that it runs under.

use super::condition::{Check, Guard};
use super::variables::Assignment;
use super::word::{Site, Word};
use crate::{MappedText, Span};
use std::sync::Arc;

/// A command that a script runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name and its arguments, without what wraps it (`sudo`, `env`, `time`), with variables resolved where the
    /// script says their value. Not empty.
    pub words: Vec<Word>,
    /// The same as they are written: no variable is resolved.
    pub written: Vec<Word>,
    /// What stands before the name: `sudo -E`, `env A=b`, `timeout 60`.
    pub wrappers: Vec<Wrapper>,
    /// What is set for this command alone: `A=b command`, also through `env A=b`.
    pub assignments: Vec<Assignment>,
    /// Where its input and outputs go.
    pub redirections: Vec<Redirection>,
    /// The command with its wrappers and assignments, without redirections.
    pub span: Span,
    /// The whole pipeline that it is a part of; the command with its redirections if it is in none.
    pub pipeline: Span,
    /// The whole statement: the list of `&&` and `||` that it is a part of.
    pub statement: Span,
    /// The circumstances.
    pub context: Context,
    /// The text that the shell reads it from.
    pub(crate) text: Arc<MappedText>,
}

/// A program that runs the command: `sudo`, `env`, `timeout 60`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapper {
    /// Its name and its own arguments.
    pub words: Vec<Word>,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// With its descriptor: `>`, `2>`, `>>`, `<`, `<<`, `<<<`, `2>&`.
    pub operator: String,
    /// The file or descriptor; the delimiter of a heredoc.
    pub target: String,
    /// Where it stands in the file, without a heredoc's body.
    pub span: Span,
    /// What a heredoc or a `<<<` gives, as the command gets it, but for expansions.
    pub content: Option<MappedText>,
}

/// The circumstances that a command runs under.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// What must hold for it to run, outermost first.
    pub guards: Vec<Arc<Guard>>,
    /// Whether a command that fails ends the script here.
    pub errexit: Errexit,
    /// Whether a pipeline fails here when any of its commands does.
    pub pipefail: bool,
    /// Why its failure is not noticed; none if it ends the script or is what the script ends with.
    pub swallowed: Option<Swallow>,
    /// The function that it stands in.
    pub function: Option<String>,
    /// Whether it stands in a loop.
    pub in_loop: bool,
    /// How many scripts it stands within: 0 in the script itself, 1 within its `bash -c "…"`.
    pub depth: usize,
    /// Where it runs, if not where the script does; innermost last.
    pub places: Vec<Place>,
    /// Whether it runs when a signal or the end comes: `trap`.
    pub in_trap: bool,
}

/// Whether a command that fails ends the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Errexit {
    /// It does.
    On,
    /// Nothing in the script says that it does.
    #[default]
    Unset,
    /// The script says that it does not: `set +e`.
    Off,
}

/// Another place than that of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On another machine.
    Remote {
        /// The host as it is written.
        host: String,
        /// Where the host is written.
        span: Span,
    },
    /// In a container: `docker exec x sh -c "…"`.
    Container,
}

/// Why a failure is not noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swallow {
    /// How.
    pub kind: SwallowKind,
    /// By what: the `|| true`, the `set +e`; the command itself if something is missing.
    pub span: Span,
    /// What is taken away so that the failure is noticed: the `|| true`.
    pub(crate) removal: Option<Site>,
}

/// How a failure is not noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SwallowKind {
    /// `|| true`, `|| :`, `|| exit 0`.
    OrTrue,
    /// `|| echo …`: it is said, and the script goes on.
    OrMessage,
    /// `|| other`: another command is tried.
    OrFallback,
    /// `; true` behind it.
    ThenTrue,
    /// It stands before `&&`, and the script goes on behind the list: errexit looks at the list's last command alone.
    AndList,
    /// It is the condition of an `if`, `while` or `until`.
    Condition,
    /// `!` before it.
    Negated,
    /// Its output goes into a pipe, and pipefail is not set.
    Pipe,
    /// `&`: it runs in the background.
    Background,
    /// It is in a `$(…)` whose command does not fail with it: `echo $(…)`, `local x=$(…)`.
    Substitution,
    /// The script goes on with the next statement, as errexit is not set.
    NoErrexit,
    /// `set +e` before it.
    ErrexitOff,
    /// Whoever runs the script ignores its status: `-` in a recipe.
    Runner,
}

impl SwallowKind {
    /// Whether somebody wrote something so that the failure goes unnoticed, rather than nothing.
    pub fn is_explicit(self) -> bool {
        matches!(
            self,
            SwallowKind::OrTrue
                | SwallowKind::OrMessage
                | SwallowKind::ThenTrue
                | SwallowKind::ErrexitOff
                | SwallowKind::Runner
        )
    }
}

impl Context {
    /// The values that a variable must have one of for the command to run; none if no guard says so.
    pub fn values_of(&self, variable: &str) -> Option<&[String]> {
        self.guards
            .iter()
            .rev()
            .flat_map(|guard| &guard.tests)
            .find_map(|test| match &test.check {
                Check::OneOf(values) if test.variable == variable => Some(values.as_slice()),
                _ => None,
            })
    }

    /// The machine that it runs on, if not that of the script.
    pub fn remote(&self) -> Option<&Place> {
        self.places
            .iter()
            .rev()
            .find(|place| matches!(place, Place::Remote { .. }))
    }
}

impl Command {
    /// The name without folders: `docker` for `/usr/bin/docker`.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", |word| base_name(&word.text))
    }

    /// The arguments.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Whether what it says on its standard error goes nowhere: `2>/dev/null`, `&>/dev/null`, `>/dev/null 2>&1`.
    pub fn hides_errors(&self) -> bool {
        let mut output = "";
        for redirection in &self.redirections {
            match redirection.operator.as_str() {
                ">" | "1>" | ">>" => output = &redirection.target,
                "2>" | "2>>" | "&>" | "&>>" if redirection.target == "/dev/null" => return true,
                "2>&" if redirection.target == "1" && output == "/dev/null" => return true,
                _ => {}
            }
        }
        false
    }
}

/// The last part of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
