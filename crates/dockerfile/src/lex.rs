//! Words as BuildKit's shell lexer makes them of a line in which no variable has a value. Heredocs are found in them;
//! a line that the lexer refuses (a quote that never closes, a substitution that it does not know) has none.

use crate::characters::first;

/// How deep substitutions may nest here. The engine has no such limit.
const DEPTH: usize = 100;

/// What is kept of the notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Quotes and escapes.
    All,
    /// Quotes.
    Quotes,
    /// Neither.
    Nothing,
}

/// Splits a line into words. The escape character is the backslash, whatever the file says.
///
/// # Errors
/// Why the lexer refuses the line.
pub(crate) fn words(line: &[u8], keep: Keep) -> Result<Vec<Vec<u8>>, &'static str> {
    // The scanner below the lexer drops a byte-order mark.
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let mut lexer = Lexer {
        line,
        at: 0,
        keep,
        word: Vec::new(),
    };
    let (_, words) = lexer.until(None, keep == Keep::All, 0)?;
    Ok(words)
}

struct Lexer<'a> {
    line: &'a [u8],
    at: usize,
    keep: Keep,
    /// The word that is being read. There is only one, also while a substitution is read within it, which empties it.
    word: Vec<u8>,
}

/// A list of words that grows.
#[derive(Default)]
struct Words {
    done: Vec<Vec<u8>>,
    in_word: bool,
}

impl Words {
    fn end_word(&mut self, word: &mut Vec<u8>) {
        if !word.is_empty() {
            self.done.push(std::mem::take(word));
            self.in_word = false;
        }
    }

    /// Adds text in which blanks separate.
    fn add(&mut self, text: &[u8], word: &mut Vec<u8>) {
        let mut at = 0;
        while at < text.len() {
            let (c, length) = first(&text[at..]);
            if !c.is_whitespace() {
                self.add_raw(&text[at..at + length], word);
            } else if self.in_word {
                self.end_word(word);
            }
            at += length;
        }
    }

    fn add_raw(&mut self, text: &[u8], word: &mut Vec<u8>) {
        word.extend_from_slice(text);
        self.in_word = true;
    }
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Takes a whole character.
    fn take(&mut self) -> Option<&'a [u8]> {
        let (_, length) = first(self.line.get(self.at..)?);
        let taken = &self.line[self.at..self.at + length];
        self.at += length;
        (length > 0).then_some(taken)
    }

    /// Reads up to `stop` or the end, and gives what was read and its words.
    fn until(
        &mut self,
        stop: Option<u8>,
        raw: bool,
        depth: usize,
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>), &'static str> {
        if depth > DEPTH {
            return Err("substitutions are nested too deep");
        }
        self.word.clear();
        let mut result = Vec::new();
        let mut words = Words::default();
        while let Some(byte) = self.peek() {
            if Some(byte) == stop {
                self.at += 1;
                words.end_word(&mut self.word);
                return Ok((result, words.done));
            }
            match byte {
                b'$' => {
                    let text = self.dollar(depth)?;
                    words.add(&text, &mut self.word);
                    result.extend(text);
                }
                b'<' | b'\'' | b'"' => {
                    let text = match byte {
                        b'<' => self.less(),
                        b'\'' => self.single()?,
                        _ => self.double(raw, depth)?,
                    };
                    words.add_raw(&text, &mut self.word);
                    result.extend(text);
                }
                b'\\' => {
                    self.at += 1;
                    if raw {
                        words.add_raw(b"\\", &mut self.word);
                        result.push(b'\\');
                    }
                    let Some(escaped) = self.take() else { break };
                    words.add_raw(escaped, &mut self.word);
                    result.extend_from_slice(escaped);
                }
                _ => {
                    let taken = self.take().unwrap_or_default();
                    words.add(taken, &mut self.word);
                    result.extend_from_slice(taken);
                }
            }
        }
        match stop {
            Some(_) => Err("a substitution is not closed"),
            None => {
                words.end_word(&mut self.word);
                Ok((result, words.done))
            }
        }
    }

    fn less(&mut self) -> Vec<u8> {
        self.at += 1;
        if self.peek() != Some(b'<') {
            return b"<".to_vec();
        }
        self.at += 1;
        let start = self.at;
        while matches!(self.peek(), Some(b'\t' | b'\r' | b' ')) {
            self.at += 1;
        }
        [b"<<", &self.line[start..self.at]].concat()
    }

    fn single(&mut self) -> Result<Vec<u8>, &'static str> {
        let start = self.at;
        let inside = &self.line[start + 1..];
        let length = inside
            .iter()
            .position(|byte| *byte == b'\'')
            .ok_or("a single quote is not closed")?;
        self.at = start + length + 2;
        Ok(match self.keep {
            Keep::Nothing => inside[..length].to_vec(),
            _ => self.line[start..self.at].to_vec(),
        })
    }

    fn double(&mut self, raw: bool, depth: usize) -> Result<Vec<u8>, &'static str> {
        self.at += 1;
        let quotes = self.keep != Keep::Nothing;
        let mut result = Vec::new();
        result.extend(quotes.then_some(b'"'));
        loop {
            match self.peek().ok_or("a double quote is not closed")? {
                b'"' => {
                    self.at += 1;
                    result.extend(quotes.then_some(b'"'));
                    return Ok(result);
                }
                b'$' => result.extend(self.dollar(depth)?),
                b'\\' => {
                    self.at += 1;
                    result.extend(raw.then_some(b'\\'));
                    match self.peek() {
                        None => {}
                        Some(next @ (b'"' | b'$' | b'\\')) => {
                            self.at += 1;
                            result.push(next);
                        }
                        // Not an escape: it stands for itself.
                        Some(_) => result.push(b'\\'),
                    }
                }
                _ => result.extend_from_slice(self.take().unwrap_or_default()),
            }
        }
    }

    fn dollar(&mut self, depth: usize) -> Result<Vec<u8>, &'static str> {
        let start = self.at;
        self.at += 1;
        if self.peek() != Some(b'{') {
            self.at += name_length(&self.line[self.at..]);
            return Ok(self.line[start..self.at].to_vec());
        }
        self.at += 1;
        match self.peek() {
            None => return Err("a substitution is not closed"),
            Some(b'{' | b'}' | b':') => return Err("bad substitution"),
            Some(_) => self.at += name_length(&self.line[self.at..]),
        }
        let unknown = "a substitution is of no known form";
        let mut operator = self.take().ok_or(unknown)?;
        if operator == b":" {
            operator = self.take().unwrap_or_default();
            if operator == b"#" || operator == b"%" {
                return Err(unknown);
            }
        }
        let mut result = self.line[start..self.at].to_vec();
        match operator {
            b"}" if !result.ends_with(b":}") => {}
            b"/" if !result.ends_with(b":/") => {
                if self.peek() == Some(b'/') {
                    self.at += 1;
                }
                let (pattern, _) = self.until(Some(b'/'), true, depth + 1)?;
                let (replacement, _) = self.until(Some(b'}'), true, depth + 1)?;
                result.extend([&pattern[..], b"/", &replacement, b"}"].concat());
            }
            _ => {
                let colon = result[..result.len() - operator.len()].ends_with(b":");
                if !colon && !matches!(operator, b"+" | b"-" | b"?" | b"#" | b"%") {
                    return Err(unknown);
                }
                let raw = operator == b"#" || operator == b"%";
                let (word, _) = self.until(Some(b'}'), raw, depth + 1)?;
                result.extend(word);
                result.push(b'}');
            }
        }
        Ok(result)
    }
}

/// How long the variable's name is that `text` begins with: digits, or one special character, or letters, digits
/// and underscores.
pub(crate) fn name_length(text: &[u8]) -> usize {
    let (c, length) = first(text);
    let run = |accept: fn(char) -> bool| {
        let mut at = 0;
        while at < text.len() {
            let (c, length) = first(&text[at..]);
            if !accept(c) {
                break;
            }
            at += length;
        }
        at
    };
    if c.is_numeric() && is_digit(c) {
        run(is_digit)
    } else if length == 1 && b"@*#?-$!".contains(&text[0]) {
        1
    } else {
        run(|c| c.is_alphabetic() && is_letter(c) || is_digit(c) || c == '_')
    }
}

/// A decimal digit; of other scripts too.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric() && decimal(c))
}

/// Whether a numeric character is a decimal digit rather than a fraction or a Roman numeral: those of the scripts
/// that have ten in a row.
fn decimal(c: char) -> bool {
    matches!(u32::from(c),
        0x660..=0x669 | 0x6F0..=0x6F9 | 0x7C0..=0x7C9 | 0x966..=0x96F | 0x9E6..=0x9EF | 0xA66..=0xA6F
        | 0xAE6..=0xAEF | 0xB66..=0xB6F | 0xBE6..=0xBEF | 0xC66..=0xC6F | 0xCE6..=0xCEF | 0xD66..=0xD6F
        | 0xE50..=0xE59 | 0xED0..=0xED9 | 0xF20..=0xF29 | 0x1040..=0x1049 | 0xFF10..=0xFF19)
}

/// A letter. Alphabetic marks and letter numbers, which Unicode counts as alphabetic, are none.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !matches!(u32::from(c), 0x345 | 0x2160..=0x2188 | 0x24B6..=0x24E9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &str, keep: Keep) -> Vec<String> {
        let words = words(line.as_bytes(), keep).unwrap_or_else(|why| panic!("{line}: {why}"));
        words
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    }

    #[test]
    fn quotes_and_escapes_are_kept_or_not() {
        let line = r#"a'b c'"d\"\e$f" g\ h"#;
        assert_eq!(all(line, Keep::All), [r#"a'b c'"d\"\\e$f""#, r"g\ h"]);
        assert_eq!(all(line, Keep::Nothing), [r#"ab cd"\e$f"#, "g h"]);
        assert_eq!(all(line, Keep::Quotes), [r#"a'b c'"d"\e$f""#, "g h"]);
    }

    #[test]
    fn variables_stand_for_themselves_and_break_at_their_blanks() {
        assert_eq!(
            all("$a ${b} ${c:-d e}f $", Keep::All),
            ["$a", "${b}", "${c:-d", "e}f", "$"]
        );
        assert_eq!(
            all("${a/b c/d} ${a#'b'} ${a:xyz}", Keep::All),
            ["${a/b", "c/d}", "${a#'b'}", "${a:xyz}"]
        );
        // A substitution with a word empties the word before it.
        assert_eq!(all("<<${x:-E} <<${x}", Keep::All), ["${x:-E}", "<<${x}"]);
    }

    #[test]
    fn some_lines_are_refused() {
        for line in [
            "it's", "\"", "${", "${}", "${:a}", "${a[0]}", "${#a}", "${a:#b}", "${a:-b", "${a^^}", "${a/b}",
        ] {
            assert!(words(line.as_bytes(), Keep::All).is_err(), "{line}");
        }
        assert!(words("${a:-".repeat(100_000).as_bytes(), Keep::All).is_err());
    }
}
