//! Puts the values of variables in for their names, where the script says what they are.

use super::lexer;
use super::variables::{Assignment, AssignmentKind, Use, Value, visible};
use super::word::{Certainty, Part, PartKind, Site, Word};
use crate::{MappedText, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a value is followed into another one.
const DEPTH: usize = 6;
/// How many words a command's words can become; what would be more is left as it is written.
const WORDS: usize = 512;
/// How long a word can become, in bytes.
const LONGEST: usize = 4096;

/// The assignments of a script by name, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    by_name: BTreeMap<&'a str, Vec<&'a Assignment>>,
}

impl<'a> Table<'a> {
    pub fn new(assignments: &'a [Assignment]) -> Table<'a> {
        let mut by_name: BTreeMap<&str, Vec<&Assignment>> = BTreeMap::new();
        for assignment in assignments {
            by_name.entry(&assignment.name).or_default().push(assignment);
        }
        for list in by_name.values_mut() {
            list.sort_by_key(|one| one.span.start);
            // Nobody assigns a variable so often by hand; it is not followed then.
            if list.len() > 64 {
                list.clear();
            }
        }
        Table { by_name }
    }

    /// The words with the values of variables in place of their names.
    pub fn expand(&self, words: &[Word], place: Use<'_>) -> Vec<Word> {
        let mut found = Vec::new();
        for (index, word) in words.iter().enumerate() {
            if word.literal || found.len() > WORDS {
                found.push(word.clone());
                continue;
            }
            let expanded = self.word(word, place, DEPTH);
            // A command without words is none: an empty name is kept as it is written.
            if expanded.is_empty() && (index == 0 || words.len() == 1) {
                found.push(word.clone());
            } else {
                found.extend(expanded);
            }
        }
        found
    }

    fn word(&self, word: &Word, place: Use<'_>, depth: usize) -> Vec<Word> {
        let Some(depth) = depth.checked_sub(1) else {
            return vec![word.clone()];
        };
        if let [
            Part {
                kind: PartKind::Variable { name, operator },
                quoted,
                ..
            },
        ] = word.parts.as_slice()
            && matches!(operator.as_str(), "" | "[@]" | "[*]")
            && let Some(values) = self.values(name, place)
            && let Some(words) = self.whole(word, name, *quoted && operator != "[@]", &values, depth)
        {
            return words;
        }
        let mut text = String::new();
        let mut certainty = word.certainty;
        let mut changed = false;
        for part in &word.parts {
            match self.part(part, place, depth) {
                Some((value, sure)) => {
                    changed = true;
                    certainty = certainty.min(sure);
                    text.push_str(&value);
                }
                None => text.push_str(&part.text),
            }
        }
        if !changed || text.len() > LONGEST {
            return vec![word.clone()];
        }
        let split = word.parts.len() == 1 && !word.parts[0].quoted && text.contains(char::is_whitespace);
        let copy = |text: String| Word {
            text,
            certainty,
            ..word.clone()
        };
        match split {
            true => text
                .split_whitespace()
                .map(|text| copy(text.to_owned()))
                .collect(),
            false => vec![copy(text)],
        }
    }

    fn values(&self, name: &str, place: Use<'_>) -> Option<Vec<(&'a Assignment, bool)>> {
        visible(self.by_name.get(name)?, place)
    }

    /// The words that a variable stands for which is a whole word.
    fn whole(
        &self,
        word: &Word,
        name: &str,
        joined: bool,
        values: &[(&Assignment, bool)],
        depth: usize,
    ) -> Option<Vec<Word>> {
        // A string that was put together in several steps has no one place.
        if joined && values.len() > 1 {
            return None;
        }
        let mut found: Vec<Word> = Vec::new();
        for (assignment, always) in values {
            let inner = Use {
                at: assignment.span.start,
                function: assignment.function.as_deref(),
                guards: &assignment.guards,
                in_loop: assignment.in_loop,
            };
            let certainty = match (always, assignment.kind) {
                (_, AssignmentKind::Default) => Certainty::Default,
                (true, _) => Certainty::Certain,
                (false, _) => Certainty::Conditional,
            };
            let raw = match &assignment.value {
                Value::Scalar(value) if joined => vec![value.clone()],
                Value::Scalar(value)
                    if assignment.kind == AssignmentKind::Append && !begins_with_blank(value) =>
                {
                    return None;
                }
                Value::Scalar(value) => fields(value),
                Value::Array(values) => values.clone(),
                Value::Unknown => return None,
            };
            for value in raw {
                for value in self.word(&value, inner, depth) {
                    let variable = value.variable.clone().unwrap_or_else(|| name.to_owned());
                    found.push(Word {
                        span: word.span,
                        certainty: certainty.min(value.certainty).min(word.certainty),
                        variable: Some(variable),
                        ..value
                    });
                }
            }
            if found.len() > WORDS {
                return None;
            }
        }
        if let [one] = found.as_mut_slice() {
            one.used = Some(word.site.clone());
        }
        Some(found)
    }

    /// What a part of a word is, if it is a variable whose value is known.
    fn part(&self, part: &Part, place: Use<'_>, depth: usize) -> Option<(String, Certainty)> {
        let PartKind::Variable { name, operator } = &part.kind else {
            return None;
        };
        let default = operator
            .strip_prefix(":-")
            .or_else(|| operator.strip_prefix(":="))
            .or_else(|| operator.strip_prefix('-'));
        if !operator.is_empty() && default.is_none() {
            return None;
        }
        if let Some(values) = self.values(name, place)
            && let [(assignment, always)] = values.as_slice()
            && (*always || assignment.kind == AssignmentKind::Default)
            && let Value::Scalar(value) = &assignment.value
        {
            let inner = Use {
                at: assignment.span.start,
                function: assignment.function.as_deref(),
                guards: &assignment.guards,
                in_loop: assignment.in_loop,
            };
            let [value] = <[Word; 1]>::try_from(self.word(value, inner, depth)).ok()?;
            let own = if *always {
                Certainty::Certain
            } else {
                Certainty::Default
            };
            return Some((value.text, value.certainty.min(own)));
        }
        let default = default?;
        let text = Arc::new(MappedText::verbatim(default, 0));
        let value = lexer::word(&text, Span::new(0, default.len()));
        let [value] = <[Word; 1]>::try_from(self.word(&value, place, depth)).ok()?;
        Some((value.text, Certainty::Default))
    }
}

fn begins_with_blank(value: &Word) -> bool {
    value.text.starts_with([' ', '\t', '\n'])
}

/// The words that a value is split into where it stands without quotes. Each has its place in the assignment.
fn fields(value: &Word) -> Vec<Word> {
    let content = Arc::new(lexer::content(&value.site.text, value.site.span));
    // Quotes within the value are no quotes any more, but blanks in substitutions do not split.
    split_fields(content.text())
        .into_iter()
        .map(|span| {
            let mut word = lexer::word(&content, span);
            let own = span.slice(content.text());
            if word.literal && word.text != own {
                own.clone_into(&mut word.text);
                word.parts = vec![Part {
                    kind: PartKind::Literal,
                    text: own.to_owned(),
                    span: word.span,
                    quoted: false,
                }];
            }
            word.site = Site {
                text: Arc::clone(&content),
                span,
            };
            word
        })
        .collect()
}

fn split_fields(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = None;
    let mut at = 0;
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let continued = text[at..].starts_with("\\\n");
        if character.is_ascii_whitespace() || continued {
            found.extend(start.take().map(|start| Span::new(start, at)));
            at += if continued { 2 } else { 1 };
            continue;
        }
        start.get_or_insert(at);
        let rest = &text[at..];
        at = match character {
            '$' if rest.starts_with("$(") => lexer::balanced(text, at + 2, ')'),
            '$' if rest.starts_with("${") => lexer::balanced(text, at + 2, '}'),
            '`' => lexer::balanced(text, at + 1, '`'),
            other => at + other.len_utf8(),
        };
    }
    found.extend(start.map(|start| Span::new(start, text.len())));
    found
}
