//! A script that was read.

use super::command::Command;
use super::dialect::Dialect;
use super::expand::Table;
use super::functions::{self, Function};
use super::variables::{Assignment, AssignmentKind, Use};
use super::walk::Walker;
use super::word::Word;
use crate::{MappedText, Span};

/// What a script does.
#[derive(Debug, Default)]
pub struct Script {
    commands: Vec<Command>,
    functions: Vec<Function>,
    assignments: Vec<Assignment>,
    broken: Vec<Span>,
}

impl Script {
    /// Reads a script. What cannot be read is left out.
    pub fn read(text: &MappedText, dialect: Dialect) -> Script {
        let mut walker = Walker::default();
        walker.script(text, dialect);
        let Walker {
            mut commands,
            mut functions,
            mut assignments,
            broken,
            ..
        } = walker;
        commands.sort_by_key(|command| command.span.start);
        assignments.sort_by_key(|assignment| assignment.span.start);
        let table = Table::new(&assignments);
        for command in &mut commands {
            command.words = table.expand(&command.written, use_of(command));
        }
        functions::find_calls(&mut functions, &commands);
        functions::inherit(&functions, &mut commands);
        Script {
            commands,
            functions,
            assignments,
            broken,
        }
    }

    /// All commands in the order of the text, those in functions, substitutions and inner scripts among them.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// The functions that it defines.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Everything that gives a variable of the script a value, in the order of the text.
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// Whether a part of it could not be read.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The parts that could not be read; the first is where the trouble begins.
    pub fn broken(&self) -> &[Span] {
        &self.broken
    }

    /// Whether no command of the script calls the function. Another script may.
    pub fn is_uncalled(&self, function: &str) -> bool {
        functions::uncalled(&self.functions).contains(function)
    }

    /// A word of the command with the values of variables, where the script says them: more than one word where a
    /// value is split, none where it is empty.
    pub fn resolve(&self, command: &Command, word: &Word) -> Vec<Word> {
        Table::new(&self.assignments).expand(std::slice::from_ref(word), use_of(command))
    }

    /// The assignments of a variable that the script sets in the ordinary way; not those that only give a default.
    pub fn assignments_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Assignment> {
        self.assignments
            .iter()
            .filter(move |one| one.name == name && one.kind != AssignmentKind::Default)
    }
}

fn use_of(command: &Command) -> Use<'_> {
    Use {
        at: command.span.start,
        function: command.context.function.as_deref(),
        guards: &command.context.guards,
        in_loop: command.context.in_loop,
    }
}
