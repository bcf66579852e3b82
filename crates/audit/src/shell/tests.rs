//! What the reader says of scripts, as specifications.

mod context;
mod edits;
mod inner;
mod properties;
mod variables;
mod words;

use super::{Command, Dialect, Script};
use crate::MappedText;

/// Reads a text as a script that is a file.
fn read(text: &str) -> Script {
    Script::read(&MappedText::verbatim(text, 0), Dialect::script())
}

/// The words of each command, joined by blanks.
fn lines(script: &Script) -> Vec<String> {
    script.commands().iter().map(line).collect()
}

fn line(command: &Command) -> String {
    let words: Vec<_> = command.words.iter().map(|word| word.text.as_str()).collect();
    words.join(" ")
}

/// The first command with this name.
fn find<'a>(script: &'a Script, name: &str) -> &'a Command {
    script
        .commands()
        .iter()
        .find(|command| command.name() == name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", lines(script)))
}
