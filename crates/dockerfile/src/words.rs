//! Words of a line: separated by blanks outside of quotes.

/// The first word of a line that begins with one, quotes and escapes kept as they stand. A quote that never closes
/// reaches to the end.
pub(crate) fn first(line: &str, escape: char) -> &str {
    let mut quote = None;
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        match quote {
            None if c.is_whitespace() => return &line[..at],
            // Nothing escapes in single quotes.
            Some('\'') if c != '\'' => {}
            _ if c == escape => {
                characters.next();
            }
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
    }
    line
}

/// Splits a line into words.
pub(crate) fn split(line: &str, escape: char) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let word = first(rest, escape);
        words.push(word);
        rest = rest[word.len()..].trim_start();
    }
    words
}

/// A word without its quotes and escapes.
pub(crate) fn unquote(word: &str, escape: char) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut quote = None;
    let mut characters = word.chars().peekable();
    while let Some(c) = characters.next() {
        match quote {
            Some('\'') if c != '\'' => plain.push(c),
            // In double quotes only these can be escaped.
            Some('"') if c == escape => match characters.peek() {
                Some('"' | '$') => plain.extend(characters.next()),
                Some(next) if *next == escape => plain.extend(characters.next()),
                _ => plain.push(c),
            },
            None if c == escape => plain.extend(characters.next()),
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_quotes_and_after_an_escape_separate_nothing() {
        assert_eq!(
            split(r#"  A="b c" 'd e'f  g\ h  "#, '\\'),
            [r#"A="b c""#, "'d e'f", r"g\ h"]
        );
        assert_eq!(
            split(r#"a "open to the end "#, '\\'),
            ["a", r#""open to the end "#]
        );
        assert_eq!(split("a` b", '`'), ["a` b"]);
        assert!(split("", '\\').is_empty());
    }

    #[test]
    fn quotes_go_as_in_a_shell() {
        assert_eq!(unquote(r#"a'b\c'"d\"e\f"g\h"#, '\\'), r#"ab\cd"e\fgh"#);
        assert_eq!(unquote(r"trailing\", '\\'), "trailing");
    }
}
