//! Makefiles: which commands they give to which shell, and which variables they set.
//!
//! Read as GNU make reads them, as far as a text alone tells: nothing is included, no condition is decided (both branches
//! are read), no function is called. References to make's variables stay as expansions of the shell ([`expand`]), so that
//! a reader of shell scripts can go on.

mod expand;
mod reader;
mod recipe;
#[cfg(test)]
mod tests;

pub use expand::expand;

use crate::{MappedText, Span};

/// A Makefile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Makefile {
    /// The recipes that have commands, in order.
    pub recipes: Vec<Recipe>,
    /// Variables, in order; of several of one name, make uses the last.
    pub variables: Vec<Variable>,
    /// The commands of `$(shell …)` outside of recipes.
    pub shell_calls: Vec<MappedText>,
    /// Whether a recipe is one script (`.ONESHELL`); then it has one line.
    pub one_shell: bool,
}

/// What is done to make a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The targets, as they stand.
    pub targets: Vec<String>,
    /// Where they stand.
    pub targets_span: Span,
    /// What has to be there first, as it stands, without what stands behind `|`.
    pub prerequisites: Vec<String>,
    /// Its lines. Each is given to a shell of its own, and the first that fails ends the recipe.
    pub lines: Vec<RecipeLine>,
}

/// A line of a recipe with the lines that continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeLine {
    /// What the shell gets.
    pub text: MappedText,
    /// The line or lines in the file, from the tab to, and without, the last line break.
    pub span: Span,
    /// Whether make goes on when it fails: `-`, or `.IGNORE`.
    pub ignore_errors: bool,
    /// Whether make does not print it: `@`.
    pub silent: bool,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// How it is set.
    pub operator: Operator,
    /// What it is set to, as it stands in the file.
    pub value: String,
    /// Where that stands.
    pub value_span: Span,
}

/// How a variable is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`, `:=`, `::=`, `:::=`.
    Set,
    /// `?=`: unless it is set already, by the environment too.
    Default,
    /// `+=`.
    Append,
    /// `!=`: to what a command prints.
    Command,
    /// `define … endef`.
    Define,
}

impl Variable {
    /// Its value, if no reference is in it.
    pub fn literal(&self) -> Option<&str> {
        let plain = matches!(
            self.operator,
            Operator::Set | Operator::Default | Operator::Append
        );
        (plain && !self.value.contains('$')).then_some(self.value.as_str())
    }
}

impl Makefile {
    /// Reads a text. There is none that cannot be read.
    pub fn of(text: &str) -> Makefile {
        reader::read(text)
    }

    /// The last setting of a variable.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|variable| variable.name == name)
    }

    /// The program that gets the lines of the recipes: `SHELL`, which make takes from no environment; else `/bin/sh`.
    pub fn shell(&self) -> &str {
        self.variable("SHELL")
            .and_then(Variable::literal)
            .filter(|shell| !shell.is_empty())
            .unwrap_or("/bin/sh")
    }

    /// What stands between the program and the line: `.SHELLFLAGS`, else `-c`.
    pub fn shell_flags(&self) -> &str {
        self.variable(".SHELLFLAGS")
            .and_then(Variable::literal)
            .unwrap_or("-c")
    }
}
