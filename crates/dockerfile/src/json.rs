//! The exec form: is it a JSON array, and which strings are in it. Judges as Go's `encoding/json` does when it reads
//! into a list of anything. No recursion.

use std::ops::Range;

use crate::characters;

/// What arguments are as JSON.
#[derive(Debug, PartialEq)]
pub(crate) enum Array {
    /// No JSON array: the shell form.
    No,
    /// An array of strings: the values, and the ranges with their quotes.
    Strings(Vec<(String, Range<usize>)>),
    /// An array in which something is no string; the range of the first such thing.
    Mixed(Range<usize>),
}

/// How deep Go reads.
const DEPTH: usize = 10_000;

/// Reads all of `bytes`. Ranges are those of `bytes`.
pub(crate) fn array(bytes: &[u8]) -> Array {
    if bytes.first() != Some(&b'[') {
        return Array::No;
    }
    let mut reader = Reader {
        bytes,
        at: 0,
        open: Vec::new(),
        strings: Vec::new(),
        other: None,
    };
    match reader.value_list() {
        Some(()) => match reader.other {
            Some(range) => Array::Mixed(range),
            None => Array::Strings(reader.strings),
        },
        None => Array::No,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The brackets and braces that are open.
    open: Vec<u8>,
    strings: Vec<(String, Range<usize>)>,
    other: Option<Range<usize>>,
}

/// What may come next.
#[derive(PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Reads the outermost array and what it holds; nothing may follow.
    fn value_list(&mut self) -> Option<()> {
        let mut expect = Expect::Value;
        loop {
            let byte = self.peek()?;
            let start = self.at;
            expect = match (&expect, byte) {
                (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') => self.close(b'[')?,
                (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') => self.close(b'{')?,
                (Expect::CommaOrEnd, b',') => {
                    self.at += 1;
                    if self.open.last() == Some(&b'{') {
                        Expect::Key
                    } else {
                        Expect::Value
                    }
                }
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    self.string()?;
                    if self.peek()? != b':' {
                        return None;
                    }
                    self.at += 1;
                    Expect::Value
                }
                (Expect::Value | Expect::ValueOrEnd, b'[' | b'{') => {
                    if self.open.len() == 1 {
                        self.other.get_or_insert(start..start + 1);
                    }
                    self.open.push(byte);
                    self.at += 1;
                    if self.open.len() > DEPTH {
                        return None;
                    }
                    if byte == b'[' {
                        Expect::ValueOrEnd
                    } else {
                        Expect::KeyOrEnd
                    }
                }
                (Expect::Value | Expect::ValueOrEnd, _) => {
                    if byte == b'"' {
                        let value = self.string()?;
                        if self.open.len() == 1 {
                            self.strings.push((value, start..self.at));
                        }
                    } else {
                        self.number_or_word(byte)?;
                        if self.open.len() == 1 {
                            self.other.get_or_insert(start..self.at);
                        }
                    }
                    Expect::CommaOrEnd
                }
                _ => return None,
            };
            if self.open.is_empty() {
                return self.peek().is_none().then_some(());
            }
        }
    }

    fn close(&mut self, opener: u8) -> Option<Expect> {
        self.at += 1;
        (self.open.pop()? == opener).then_some(Expect::CommaOrEnd)
    }

    fn string(&mut self) -> Option<String> {
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(characters::text(&value)),
                b'\\' => {
                    let escaped = *self.bytes.get(self.at)?;
                    self.at += 1;
                    match escaped {
                        b'"' | b'\\' | b'/' => value.push(escaped),
                        b'b' => value.push(8),
                        b'f' => value.push(12),
                        b'n' => value.push(b'\n'),
                        b'r' => value.push(b'\r'),
                        b't' => value.push(b'\t'),
                        b'u' => value.extend(self.unicode()?.to_string().as_bytes()),
                        _ => return None,
                    }
                }
                0..=0x1F => return None,
                _ => value.push(byte),
            }
        }
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
    }

    /// After `\u`. Half of a pair alone stands for the replacement character.
    fn unicode(&mut self) -> Option<char> {
        let unit = self.hex(self.at)?;
        self.at += 4;
        let paired = (0xD800..0xDC00).contains(&unit) && self.bytes[self.at..].starts_with(b"\\u");
        let low = self
            .hex(self.at + 2)
            .filter(|low| paired && (0xDC00..0xE000).contains(low));
        if let Some(low) = low {
            self.at += 6;
            return char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        }
        Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn number_or_word(&mut self, byte: u8) -> Option<()> {
        for word in ["true", "false", "null"] {
            if self.bytes[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Some(());
            }
        }
        let start = self.at;
        self.at += usize::from(byte == b'-');
        let whole = self.digits();
        let leading_zero = whole > 1 && self.bytes[self.at - whole] == b'0';
        if whole == 0 || leading_zero {
            return None;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            (self.digits() > 0).then_some(())?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            (self.digits() > 0).then_some(())?;
        }
        // A number that no float can hold is an error of its own, and the array is none.
        let number: f64 = characters::text(&self.bytes[start..self.at]).parse().ok()?;
        number.is_finite().then_some(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<String> {
        match array(text.as_bytes()) {
            Array::Strings(all) => all.into_iter().map(|(value, _)| value).collect(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn arrays_of_strings_with_every_escape() {
        assert!(strings("[]").is_empty() && strings("[ ]").is_empty());
        assert_eq!(strings(r#"["a" , "b\"\\\/\n\u00e9"]"#), ["a", "b\"\\/\né"]);
        assert_eq!(
            strings(r#"["\ud83d\ude00\ud83d\ud83dx"]"#),
            ["😀\u{fffd}\u{fffd}x"]
        );
        let text = r#"["a", "bc"]"#;
        let Array::Strings(all) = array(text.as_bytes()) else {
            panic!()
        };
        assert_eq!(&text[all[1].1.clone()], r#""bc""#);
    }

    #[test]
    fn anything_else_is_the_shell_form() {
        for text in [
            "",
            "a",
            "[",
            "[a]",
            "['a']",
            r#"["a",]"#,
            r#"["a" "b"]"#,
            r#"["a"] x"#,
            "[01]",
            "[1.]",
            "[1e999]",
            r#"["\x"]"#,
            "[\"\t\"]",
            r#"["a"}"#,
            "[{1:2}]",
            "\u{a0}[]",
            "[+1]",
            "[\u{b}]",
        ] {
            assert_eq!(array(text.as_bytes()), Array::No, "{text}");
        }
        assert_eq!(array(&[b'['; 100_000]), Array::No);
    }

    #[test]
    fn what_is_no_string_is_named() {
        for (text, range) in [
            (r#"["a", 1]"#, 6..7),
            ("[null]", 1..5),
            (r#"[["a"]]"#, 1..2),
            (r#"[{"a": [true, {}]}, 2]"#, 1..2),
        ] {
            assert_eq!(array(text.as_bytes()), Array::Mixed(range), "{text}");
        }
    }
}
