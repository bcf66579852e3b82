//! Options and arguments, told apart as pflag does.

use super::flags::Table;
use crate::Span;
use crate::shell::{Certainty, Word};
use std::ops::Range;

/// An option that stands in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The long name without dashes; the letter if it has no long name that is known.
    pub name: String,
    /// Its value; none for a switch.
    pub value: Option<String>,
    /// The words that it stands in, as indexes of the command's words: one or two.
    pub words: Range<usize>,
    /// Where it stands in the file.
    pub span: Span,
    /// Where its value's characters stand in the file; those of the option if it has none.
    pub value_span: Span,
    /// Whether other options stand in the same word: `-af`.
    pub in_cluster: bool,
    /// How sure it is that the command has it.
    pub certainty: Certainty,
}

/// An argument that is no option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What it says; expansions that are not resolved stand in it as they are written.
    pub text: String,
    /// Its index among the command's words.
    pub index: usize,
    /// Where it stands in the file.
    pub span: Span,
    /// Whether nothing in it is left to be expanded.
    pub known: bool,
    /// Whether it can be any number of words: a variable without quotes whose value is not known.
    pub can_be_more: bool,
}

/// Options in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags(pub(super) Vec<Flag>);

impl Flags {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Flag> {
        self.0.iter()
    }

    /// The last one of this name: it counts, unless each counts.
    pub fn get(&self, name: &str) -> Option<&Flag> {
        self.0.iter().rev().find(|flag| flag.name == name)
    }

    /// All of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Flag> {
        self.0.iter().filter(move |flag| flag.name == name)
    }

    /// The value of the last one of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name)?.value.as_deref()
    }

    /// The values of all of this name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.all(name).filter_map(|flag| flag.value.clone()).collect()
    }

    /// Whether a switch is on: it stands there, and not as `=false`.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|flag| !is_false(flag.value.as_deref()))
    }

    /// Whether a switch is off: it stands there as `=false`.
    pub fn is_off(&self, name: &str) -> bool {
        self.get(name).is_some_and(|flag| is_false(flag.value.as_deref()))
    }
}

/// What Go's `ParseBool` takes for false.
fn is_false(value: Option<&str>) -> bool {
    matches!(value, Some("0" | "f" | "F" | "false" | "FALSE" | "False"))
}

/// What a range of words holds.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub flags: Vec<Flag>,
    pub arguments: Vec<Argument>,
}

/// Reads the words from `from` on. Where options must stand first, it ends behind them, and says where.
pub(super) fn split(words: &[Word], from: usize, table: &Table) -> (Split, usize) {
    let mut split = Split::default();
    let mut at = from;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            at += 1;
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            at = long_option(&mut split, words, at, long, table);
        } else if text.len() > 1 && text.starts_with('-') {
            at = letters(&mut split, words, at, &text[1..], table);
        } else if table.mixed {
            split.arguments.push(argument(word, at));
            at += 1;
        } else {
            return (split, at);
        }
    }
    let end = at;
    if table.mixed {
        let rest = words.iter().enumerate().skip(at);
        split
            .arguments
            .extend(rest.map(|(index, word)| argument(word, index)));
        return (split, words.len());
    }
    (split, end)
}

fn long_option(split: &mut Split, words: &[Word], at: usize, long: &str, table: &Table) -> usize {
    let (name, value) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (long, None),
    };
    let takes_next = value.is_none() && table.takes_value(name) && at + 1 < words.len();
    let end = at + 1 + usize::from(takes_next);
    let value = match takes_next {
        true => words.get(at + 1).map(|word| word.text.clone()),
        false => value,
    };
    split
        .flags
        .push(flag(words, at..end, name.to_owned(), value, false));
    end
}

/// `-af`, `-tname`, `-t name`, `-t=name`.
fn letters(split: &mut Split, words: &[Word], at: usize, letters: &str, table: &Table) -> usize {
    let in_cluster = letters.chars().count() > 1;
    for (offset, letter) in letters.char_indices() {
        let rest = &letters[offset + letter.len_utf8()..];
        let (name, takes_value) = match table.of_letter(letter) {
            Some((name, takes_value)) => (name.to_owned(), takes_value),
            None => (letter.to_string(), false),
        };
        if !takes_value && !rest.starts_with('=') {
            split.flags.push(flag(words, at..at + 1, name, None, in_cluster));
            continue;
        }
        let in_word = rest.strip_prefix('=').unwrap_or(rest);
        let shared = offset > 0;
        if takes_value && rest.is_empty() && at + 1 < words.len() {
            let value = words[at + 1].text.clone();
            split
                .flags
                .push(flag(words, at..at + 2, name, Some(value), shared));
            return at + 2;
        }
        split
            .flags
            .push(flag(words, at..at + 1, name, Some(in_word.to_owned()), shared));
        return at + 1;
    }
    at + 1
}

fn flag(words: &[Word], range: Range<usize>, name: String, value: Option<String>, in_cluster: bool) -> Flag {
    let own = &words[range.clone()];
    let (first, last) = (&own[0], &own[own.len() - 1]);
    let span = Span::new(first.span.start, last.span.end.max(first.span.end));
    Flag {
        name,
        value,
        span,
        value_span: last.written(),
        in_cluster,
        certainty: own
            .iter()
            .map(|word| word.certainty)
            .min()
            .unwrap_or(Certainty::Certain),
        words: range,
    }
}

pub(super) fn argument(word: &Word, index: usize) -> Argument {
    Argument {
        text: word.text.clone(),
        index,
        span: word.span,
        known: word.is_known(),
        can_be_more: !word.is_known()
            && word.parts.len() == 1
            && word
                .parts
                .iter()
                .all(|part| !part.quoted || part.text.contains("[@]")),
    }
}
