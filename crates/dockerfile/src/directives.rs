//! Parser directives: `# name=value` comments, which count only while nothing but directives came before them.

use std::ops::Range;

use crate::characters;

/// The names that BuildKit knows; any other comment ends the directives.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// A line read as a directive; ranges are those of the line.
pub(crate) struct Found {
    pub name: String,
    pub name_range: Range<usize>,
    pub value_range: Range<usize>,
}

/// Reads a line, which must begin with its `#`.
pub(crate) fn directive(line: &[u8]) -> Option<Found> {
    let skip = |mut at: usize| {
        while line.get(at).copied().is_some_and(characters::is_pattern_space) {
            at += 1;
        }
        at
    };
    if line.first() != Some(&b'#') {
        return None;
    }
    let name_start = skip(1);
    let letters = line[name_start..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric());
    let name_end = name_start + letters.count();
    let name = characters::text(&line[name_start..name_end]).to_ascii_lowercase();
    let equals = skip(name_end);
    if line.get(equals) != Some(&b'=') || !NAMES.contains(&name.as_str()) {
        return None;
    }
    let mut end = line.len();
    while end > equals + 1 && characters::is_pattern_space(line[end - 1]) {
        end -= 1;
    }
    let mut value = skip(equals + 1)..end;
    if value.start >= value.end {
        // Of nothing but blanks the last one is the value: the pattern wants one character.
        value = line.len().checked_sub(1).filter(|last| *last > equals)?..line.len();
    }
    Some(Found {
        name,
        name_range: name_start..name_end,
        value_range: value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, &str)> {
        directive(line.as_bytes()).map(|found| (found.name, &line[found.value_range]))
    }

    #[test]
    fn names_values_and_blanks() {
        assert_eq!(read("# Syntax = a b \t"), Some(("syntax".to_owned(), "a b")));
        assert_eq!(read("#escape=`"), Some(("escape".to_owned(), "`")));
        assert_eq!(read("#escape=  "), Some(("escape".to_owned(), " ")));
        assert_eq!(read("#escape="), None);
        assert_eq!(read("# other=1"), None);
        assert_eq!(read("# 1check=1"), None);
        assert_eq!(read("## check=1"), None);
    }
}
