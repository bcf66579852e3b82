//! The regular expressions that ignore patterns become, with the meaning that Go's `regexp` gives them.
//!
//! An expression is written anew in the syntax of the `regex` crate, character by character: the two languages look
//! alike but differ in escapes and classes. That crate never backtracks, so that no pattern can be slow.

use std::fmt::Write as _;

use super::Reason;

const ESCAPE: Reason = "invalid escape sequence";
const CLASS: Reason = "invalid character class";
const REPEAT: Reason = "invalid repetition";
const SIZE: Reason = "pattern is too large";

/// The most memory that one compiled pattern may take, in bytes.
const LARGEST: usize = 16 << 20;
/// The highest count that Go takes in `{n,m}`.
const MOST_REPEATS: u32 = 1000;

/// Compiles an expression of the form that [`super::Test`] writes.
pub(super) fn compile(expression: &str) -> Result<regex::Regex, Reason> {
    let mut parser = Parser {
        rest: expression,
        written: String::new(),
    };
    let mut repeatable = false;
    let mut repeated = false;
    while !parser.rest.is_empty() {
        (repeatable, repeated) = match parser.repetition()? {
            Some(_) if repeated => return Err(REPEAT),
            Some(_) if !repeatable => return Err(REPEAT),
            Some(repetition) => {
                parser.written.push_str(&repetition);
                (true, true)
            }
            None => (parser.item()?, false),
        };
    }
    regex::RegexBuilder::new(&parser.written)
        .size_limit(LARGEST)
        .build()
        .map_err(|_| SIZE)
}

struct Parser<'e> {
    rest: &'e str,
    written: String,
}

/// A set of characters, as ranges.
type Ranges = Vec<(char, char)>;

impl Parser<'_> {
    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    /// `*`, `?` or `{n,m}` in the target syntax, if one stands here.
    fn repetition(&mut self) -> Result<Option<String>, Reason> {
        for plain in ["*", "?"] {
            if self.eat(plain) {
                return Ok(Some(plain.to_owned()));
            }
        }
        let Some((body, rest)) = self.rest.strip_prefix('{').and_then(|body| body.split_once('}')) else {
            return Ok(None);
        };
        // A leading zero makes it no count, and what is no count is plain text.
        let is_count = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit())
                && !text.is_empty()
                && !(text.len() > 1 && text.starts_with('0'))
        };
        let (least, most) = body
            .split_once(',')
            .map_or((body, Some(body)), |(least, most)| (least, Some(most)));
        let most = most.filter(|most| !most.is_empty());
        if !is_count(least) || !most.is_none_or(is_count) {
            return Ok(None);
        }
        self.rest = rest;
        let count = |text: &str| {
            text.parse::<u32>()
                .ok()
                .filter(|count| *count <= MOST_REPEATS)
                .ok_or(REPEAT)
        };
        let least = count(least)?;
        let most = most.map(count).transpose()?;
        if most.is_some_and(|most| most < least) {
            return Err(REPEAT);
        }
        Ok(Some(match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        }))
    }

    /// One item; whether a repetition may follow it.
    fn item(&mut self) -> Result<bool, Reason> {
        if self.eat("(.*/)?") {
            // The `?` is a repetition of its own: nothing may follow it, which `repeated` cannot see from here.
            self.written.push_str("(?:.*/)?");
            return if self.repetition()?.is_some() {
                Err(REPEAT)
            } else {
                Ok(true)
            };
        }
        if self.eat("|") {
            self.written.push('|');
            return Ok(false);
        }
        for (ours, theirs) in [
            ("^", "\\A"),
            ("\\A", "\\A"),
            ("\\z", "\\z"),
            ("\\b", "(?:(?-u:\\b))"),
            ("\\B", "(?:(?-u:\\B))"),
            (".", "."),
        ] {
            if self.eat(ours) {
                self.written.push_str(theirs);
                return Ok(true);
            }
        }
        if self.rest == "$" {
            self.rest = "";
            self.written.push_str("\\z");
        } else if self.eat("\\Q") {
            let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            self.written.push_str(&regex::escape(quoted));
        } else if self.eat("[") {
            let (negated, ranges) = self.class()?;
            self.write(negated, &ranges);
        } else {
            let mut ranges = Ranges::new();
            if !self.named_escape(&mut ranges)? {
                let character = self.character()?;
                ranges.push((character, character));
            }
            self.write(false, &ranges);
        }
        Ok(true)
    }

    fn write(&mut self, negated: bool, ranges: &[(char, char)]) {
        self.written.push_str(if negated { "[^" } else { "[" });
        for (low, high) in ranges {
            // Writing to a string cannot fail.
            let _ = write!(
                self.written,
                "\\x{{{:x}}}-\\x{{{:x}}}",
                u32::from(*low),
                u32::from(*high)
            );
        }
        self.written.push(']');
    }

    /// The rest of a class, behind its `[`.
    fn class(&mut self) -> Result<(bool, Ranges), Reason> {
        let negated = self.eat("^");
        let mut ranges = Ranges::new();
        let mut first = true;
        while first || !self.eat("]") {
            first = false;
            if let Some(named) = self.rest.strip_prefix("[:")
                && let Some((name, rest)) = named.split_once(":]")
            {
                self.rest = rest;
                posix(name, &mut ranges)?;
                continue;
            }
            if self.named_escape(&mut ranges)? {
                continue;
            }
            let low = self.character()?;
            let mut high = low;
            if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.rest = &self.rest[1..];
                high = self.character()?;
            }
            if high < low {
                return Err(CLASS);
            }
            ranges.push((low, high));
        }
        Ok((negated, ranges))
    }

    /// `\d`, `\s`, `\w` and their opposites.
    fn named_escape(&mut self, ranges: &mut Ranges) -> Result<bool, Reason> {
        let mut named = self.rest.chars();
        if named.next() != Some('\\') {
            return Ok(false);
        }
        let Some(letter) = named.next() else {
            return Ok(false);
        };
        let own: &[(char, char)] = match letter.to_ascii_lowercase() {
            'd' => &[('0', '9')],
            's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
            'w' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            'p' => return Err("unicode classes (`\\p`) are not supported"),
            _ => return Ok(false),
        };
        add(ranges, own, letter.is_ascii_uppercase());
        self.rest = &self.rest[2..];
        Ok(true)
    }

    /// One character, escaped or not.
    fn character(&mut self) -> Result<char, Reason> {
        let character = self.next().ok_or(CLASS)?;
        if character != '\\' {
            return Ok(character);
        }
        let escaped = self.next().ok_or(ESCAPE)?;
        match escaped {
            'a' => Ok('\x07'),
            'f' => Ok('\x0c'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\x0b'),
            'x' => {
                let braced = self.rest.strip_prefix('{').and_then(|body| body.split_once('}'));
                let (digits, rest) = braced.or_else(|| self.rest.split_at_checked(2)).ok_or(ESCAPE)?;
                self.rest = rest;
                code(digits, 16)
            }
            '0'..='7' => {
                let more = self
                    .rest
                    .bytes()
                    .take_while(|digit| (b'0'..=b'7').contains(digit))
                    .take(2)
                    .count();
                if escaped != '0' && more == 0 {
                    return Err(ESCAPE);
                }
                let digits = format!("{escaped}{}", &self.rest[..more]);
                self.rest = &self.rest[more..];
                code(&digits, 8)
            }
            escaped if escaped.is_ascii() && !escaped.is_ascii_alphanumeric() => Ok(escaped),
            _ => Err(ESCAPE),
        }
    }
}

/// The character of a code in digits.
fn code(digits: &str, radix: u32) -> Result<char, Reason> {
    let digit = |code: u32, digit: char| code.checked_mul(radix)?.checked_add(digit.to_digit(radix)?);
    let code = digits.chars().try_fold(0, digit).filter(|_| !digits.is_empty());
    code.and_then(char::from_u32).ok_or(ESCAPE)
}

/// Adds sorted ranges, or all that lies between them.
fn add(ranges: &mut Ranges, own: &[(char, char)], negated: bool) {
    if !negated {
        return ranges.extend(own);
    }
    let mut low = 0;
    for (from, to) in own {
        let before = u32::from(*from).checked_sub(1).and_then(char::from_u32);
        ranges.extend(char::from_u32(low).zip(before).filter(|(low, high)| low <= high));
        low = u32::from(*to) + 1;
    }
    ranges.extend(char::from_u32(low).map(|low| (low, char::MAX)));
}

/// Adds the ASCII class `[:name:]`.
fn posix(name: &str, ranges: &mut Ranges) -> Result<(), Reason> {
    let positive = name.strip_prefix('^');
    let own: &[(char, char)] = match positive.unwrap_or(name) {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return Err(CLASS),
    };
    add(ranges, own, positive.is_some());
    Ok(())
}
