//! One name against one shell pattern, as Go's `path.Match` decides it.
//!
//! Used for the wildcards of follow paths and of `COPY` sources, and to tell a malformed ignore pattern.
//! Not the language of ignore patterns: there is no `**` here.

use crate::gopath::decode;

/// The pattern is malformed: an unfinished class, range or escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPattern;

/// A pattern, parsed chunk by chunk.
#[derive(Debug)]
pub(crate) struct Glob {
    chunks: Vec<Chunk>,
}

/// A run of tokens that stands after a `*`, or at the very start.
#[derive(Debug)]
struct Chunk {
    star: bool,
    tokens: Result<Vec<Token>, BadPattern>,
}

#[derive(Debug)]
enum Token {
    Byte(u8),
    /// `?`: any character but a slash.
    Any,
    /// `[…]`: may match a slash, as in Go.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Parses a pattern; what is malformed shows when it is asked.
    pub(crate) fn parse(pattern: &str) -> Self {
        let mut rest = pattern.as_bytes();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let stars = rest.iter().take_while(|byte| **byte == b'*').count();
            let behind = &rest[stars..];
            let (chunk, next) = behind.split_at(chunk_length(behind));
            chunks.push(Chunk {
                star: stars > 0,
                tokens: tokens(chunk),
            });
            rest = next;
        }
        Self { chunks }
    }

    /// Whether the pattern is well formed as a whole, which `path.Match` asks for and `filepath.Match` does not.
    pub(crate) fn check(&self) -> Result<(), BadPattern> {
        self.chunks
            .iter()
            .try_for_each(|chunk| chunk.tokens.as_ref().map(|_| ()).map_err(|bad| *bad))
    }

    /// Whether the whole of `name` matches; an error if a malformed part is reached.
    ///
    /// Each chunk takes the leftmost place where it fits and never gives it back, exactly as in Go.
    pub(crate) fn matches(&self, name: &str) -> Result<bool, BadPattern> {
        let mut name = name.as_bytes();
        for (position, chunk) in self.chunks.iter().enumerate() {
            let last = position + 1 == self.chunks.len();
            let tokens = chunk.tokens.as_ref().map_err(|bad| *bad)?;
            if chunk.star && tokens.is_empty() {
                return Ok(!name.contains(&b'/'));
            }
            let mut skipped = 0;
            loop {
                if let Some(rest) = take(tokens, &name[skipped..])
                    && (rest.is_empty() || !last)
                {
                    name = rest;
                    break;
                }
                if !chunk.star || name.get(skipped).is_none_or(|byte| *byte == b'/') {
                    return Ok(false);
                }
                skipped += 1;
            }
        }
        Ok(name.is_empty())
    }
}

/// The bytes up to the next `*` outside of brackets.
fn chunk_length(pattern: &[u8]) -> usize {
    let mut in_class = false;
    let mut position = 0;
    while let Some(byte) = pattern.get(position) {
        match byte {
            b'\\' => position += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => return position,
            _ => {}
        }
        position += 1;
    }
    pattern.len()
}

fn tokens(mut chunk: &[u8]) -> Result<Vec<Token>, BadPattern> {
    let mut tokens = Vec::new();
    while let Some((&byte, tail)) = chunk.split_first() {
        chunk = tail;
        tokens.push(match byte {
            b'?' => Token::Any,
            b'[' => class(&mut chunk)?,
            b'\\' => {
                let (&escaped, tail) = chunk.split_first().ok_or(BadPattern)?;
                chunk = tail;
                Token::Byte(escaped)
            }
            byte => Token::Byte(byte),
        });
    }
    Ok(tokens)
}

/// What is left of `name` after the tokens, if they fit at its start.
fn take<'n>(tokens: &[Token], mut name: &'n [u8]) -> Option<&'n [u8]> {
    for token in tokens {
        let (character, width) = decode(name)?;
        let used = match token {
            Token::Byte(byte) if name[0] == *byte => 1,
            Token::Any if character != '/' => width,
            Token::Class { negated, ranges }
                if ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&character))
                    != *negated =>
            {
                width
            }
            _ => return None,
        };
        name = &name[used..];
    }
    Some(name)
}

/// The rest of a class; `rest` stands behind its `[`.
fn class(rest: &mut &[u8]) -> Result<Token, BadPattern> {
    let negated = rest.first() == Some(&b'^');
    if negated {
        *rest = &rest[1..];
    }
    let mut ranges = Vec::new();
    loop {
        if rest.first() == Some(&b']') && !ranges.is_empty() {
            *rest = &rest[1..];
            return Ok(Token::Class { negated, ranges });
        }
        let low = class_character(rest)?;
        let mut high = low;
        if rest.first() == Some(&b'-') {
            *rest = &rest[1..];
            high = class_character(rest)?;
        }
        ranges.push((low, high));
    }
}

/// One possibly escaped character of a class; something must follow it.
fn class_character(rest: &mut &[u8]) -> Result<char, BadPattern> {
    match rest.first() {
        None | Some(b'-' | b']') => return Err(BadPattern),
        Some(b'\\') => *rest = &rest[1..],
        Some(_) => {}
    }
    let (character, width) = decode(rest).ok_or(BadPattern)?;
    *rest = &rest[width..];
    if rest.is_empty() {
        Err(BadPattern)
    } else {
        Ok(character)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
        let glob = Glob::parse(pattern);
        glob.check()?;
        glob.matches(name)
    }

    /// The table of Go's own documentation and tests of `path.Match`, by rule.
    #[test]
    fn follows_go() {
        for (pattern, name, expected) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[^b-d]", "abc", Ok(false)),
            ("a\\*b", "a*b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("a?b", "a/b", Ok(false)),
            ("[\\]a]", "]", Ok(true)),
            ("[x\\-]", "-", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("\\", "a", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("", "", Ok(true)),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern:?} against {name:?}");
        }
    }
}
