//! How BuildKit splits a command: keyword, flags, words. All ranges are those of a joined line, bytes as they come.

use std::ops::Range;

use crate::characters::{first, is_byte_space, separates};

/// A flag as read: where it stands, and its characters without quotes and escapes, each with its place.
#[derive(Debug)]
pub(crate) struct RawFlag {
    pub range: Range<usize>,
    /// Byte and place of each.
    pub plain: Vec<(u8, usize)>,
}

/// The keyword at the beginning of a trimmed range, and what follows it and the blanks after it.
pub(crate) fn keyword(bytes: &[u8], range: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let end = (range.clone())
        .find(|at| separates(bytes[*at]))
        .unwrap_or(range.end);
    let rest = (end..range.end)
        .find(|at| !separates(bytes[*at]))
        .unwrap_or(range.end);
    (range.start..end, rest..range.end)
}

/// The flags at the beginning of a range, and where the arguments begin. This looks at bytes, not at characters.
pub(crate) fn flags(bytes: &[u8], range: Range<usize>, escape: u8) -> (Vec<RawFlag>, usize) {
    let mut flags = Vec::new();
    let mut at = range.start;
    loop {
        while at < range.end && is_byte_space(bytes[at]) {
            at += 1;
        }
        if !bytes[at..range.end].starts_with(b"--") {
            return (flags, at);
        }
        let start = at;
        let mut plain = Vec::new();
        let mut quote = None;
        while at < range.end && (quote.is_some() || !is_byte_space(bytes[at])) {
            let byte = bytes[at];
            match quote {
                Some(open) if byte == open => quote = None,
                None if byte == b'\'' || byte == b'"' => quote = Some(byte),
                _ if byte == escape => {
                    // At the very end it is dropped.
                    at += 1;
                    if at < range.end {
                        plain.push((bytes[at], at));
                    }
                }
                _ => plain.push((byte, at)),
            }
            at += 1;
        }
        at = at.min(range.end);
        // A lone `--` ends the flags.
        if plain.iter().map(|(byte, _)| *byte).eq(*b"--") {
            return (flags, at);
        }
        flags.push(RawFlag {
            range: start..at,
            plain,
        });
    }
}

/// Words as in `ENV`, `LABEL` and `ARG`: separated by blanks outside of quotes, quotes and escapes kept.
pub(crate) fn quoted_words(bytes: &[u8], range: &Range<usize>, escape: u8) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let (c, length) = first(&bytes[at..range.end]);
        if c.is_whitespace() {
            at += length;
            continue;
        }
        let word = quoted_word(bytes, at..range.end, escape);
        at = word.end;
        // An escape character alone at the end escapes nothing, and is nothing.
        if bytes[word.clone()] != [escape] || word.end != range.end {
            words.push(word);
        }
    }
    words
}

/// The word that a range begins with. A quote that never closes reaches to the end.
fn quoted_word(bytes: &[u8], range: Range<usize>, escape: u8) -> Range<usize> {
    let mut quote = None;
    let mut at = range.start;
    while at < range.end {
        let (c, length) = first(&bytes[at..range.end]);
        match quote {
            None if c.is_whitespace() => break,
            // Nothing escapes in single quotes.
            Some('\'') if c != '\'' => {}
            Some(open) if c == open => quote = None,
            _ if c == char::from(escape) => {
                let after = at + length;
                at = after + first(&bytes[after.min(range.end)..range.end]).1;
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        at += length;
    }
    range.start..at.min(range.end)
}

/// Words as in `FROM`, `COPY`, `EXPOSE`: whatever stands between blanks of ASCII.
pub(crate) fn plain_words(bytes: &[u8], range: &Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for at in range.clone() {
        match (separates(bytes[at]), start) {
            (true, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    words.extend(start.map(|from| from..range.end));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(line: &str, escape: u8) -> Vec<&str> {
        let all = quoted_words(line.as_bytes(), &(0..line.len()), escape);
        all.into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn blanks_in_quotes_and_after_an_escape_separate_nothing() {
        assert_eq!(
            quoted(r#"  A="b c" 'd e'f  g\ h  "#, b'\\'),
            [r#"A="b c""#, "'d e'f", r"g\ h"]
        );
        assert_eq!(
            quoted(r#"a "open to the end "#, b'\\'),
            ["a", r#""open to the end "#]
        );
        assert_eq!(quoted("a` b\u{a0}c", b'`'), ["a` b", "c"]);
        assert_eq!(quoted(r"a \", b'\\'), ["a"]);
        assert_eq!(quoted(r"a \\", b'\\'), ["a", r"\\"]);
        assert!(quoted("", b'\\').is_empty());
    }

    #[test]
    fn plain_words_know_no_quotes_and_only_blanks_of_ascii() {
        let line = "a 'b  c'\u{a0}d\x0be";
        let words: Vec<_> = plain_words(line.as_bytes(), &(0..line.len()))
            .into_iter()
            .map(|r| &line[r])
            .collect();
        assert_eq!(words, ["a", "'b", "c'\u{a0}d", "e"]);
    }

    #[test]
    fn flags_lose_their_quotes_and_end_at_the_first_word() {
        let line = r#"--a='b c'd --"e" --f\ g -- --h"#;
        let (found, rest) = flags(line.as_bytes(), 0..line.len(), b'\\');
        let plain: Vec<String> = found
            .iter()
            .map(|flag| flag.plain.iter().map(|(byte, _)| char::from(*byte)).collect())
            .collect();
        assert_eq!(plain, ["--a=b cd", "--e", "--f g"]);
        assert_eq!(&line[rest..], " --h");
    }

    #[test]
    fn a_keyword_ends_at_a_blank_of_ascii() {
        let line = "RUN\u{a0}x\x0b\t y";
        let (word, rest) = keyword(line.as_bytes(), &(0..line.len()));
        assert_eq!((&line[word], &line[rest]), ("RUN\u{a0}x", "y"));
    }
}
