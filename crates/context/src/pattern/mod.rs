//! moby's ignore patterns: one pattern against one path, and ordered lists with `!` re-inclusion.
//!
//! The language is the one that `github.com/moby/patternmatcher` really accepts, quirks included: a pattern with a
//! wildcard is rewritten there into a Go regular expression piece by piece, so that `\d` is a digit, `^` an anchor and
//! `|` an alternative; [`regex`] reproduces what such an expression matches.

mod list;
mod regex;

pub(crate) use list::{ParentMatches, PatternList};

use crate::glob::Glob;
use crate::gopath::clean;

/// Why a pattern is refused.
pub(crate) type Reason = &'static str;

const SYNTAX: Reason = "syntax error in pattern";

/// One line of an ignore file, compiled.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: String,
    exclusion: bool,
    test: Test,
}

/// How a path is compared with the pattern's text.
#[derive(Debug)]
enum Test {
    Exact,
    /// `text` without its trailing `**`.
    Prefix,
    /// `text` without its leading `**`.
    Suffix,
    Regex(::regex::Regex),
    /// Well formed as a shell pattern but not as the expression it becomes; an error once it is asked.
    Broken(Reason),
}

impl Pattern {
    /// Compiles one pattern; `None` for one that is blank.
    pub(crate) fn parse(pattern: &str) -> Result<Option<Self>, Reason> {
        let pattern = pattern.trim();
        if pattern.is_empty() {
            return Ok(None);
        }
        let cleaned = clean(pattern);
        let (exclusion, text) = match cleaned.strip_prefix('!') {
            Some("") => return Err("illegal exclusion pattern: \"!\""),
            Some(text) => (true, text.to_owned()),
            None => (false, cleaned),
        };
        // Upstream tells a malformed pattern by trying it on `.`, and so finds only what that comes across.
        Glob::parse(&text).matches(".").map_err(|_| SYNTAX)?;
        let test = Test::of(&text);
        Ok(Some(Self {
            text,
            exclusion,
            test,
        }))
    }

    /// The cleaned pattern without its `!`.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern began with `!`.
    pub(crate) fn is_exclusion(&self) -> bool {
        self.exclusion
    }

    /// Whether the pattern matches this very path; parents of the path are the caller's business.
    pub(crate) fn matches(&self, path: &str) -> Result<bool, Reason> {
        match &self.test {
            Test::Exact => Ok(path == self.text),
            Test::Prefix => Ok(path.starts_with(&self.text[..self.text.len() - 2])),
            Test::Suffix => {
                // Bytes: upstream cuts two of them even where a byte order mark stands before the `**`.
                let (path, suffix) = (path.as_bytes(), &self.text.as_bytes()[2..]);
                Ok(path.ends_with(suffix) || suffix.strip_prefix(b"/") == Some(path))
            }
            Test::Regex(regex) => Ok(regex.is_match(path)),
            Test::Broken(reason) => Err(reason),
        }
    }
}

impl Test {
    /// Chooses the comparison, and rewrites the pattern into an expression where it needs one.
    fn of(text: &str) -> Self {
        #[derive(PartialEq)]
        enum Shape {
            Exact,
            Prefix,
            Suffix,
            Regex,
        }
        let mut shape = Shape::Exact;
        let mut expression = String::from("^");
        // Go's scanner drops a byte order mark at the very start.
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
        let mut first = true;
        while let Some(character) = rest.next() {
            match character {
                '*' if rest.next_if_eq(&'*').is_some() => {
                    rest.next_if_eq(&'/');
                    if rest.peek().is_none() && shape == Shape::Exact {
                        shape = Shape::Prefix;
                    } else if rest.peek().is_none() {
                        expression.push_str(".*");
                        shape = Shape::Regex;
                    } else {
                        expression.push_str("(.*/)?");
                        shape = Shape::Regex;
                    }
                    if first {
                        shape = Shape::Suffix;
                    }
                }
                '*' => {
                    expression.push_str("[^/]*");
                    shape = Shape::Regex;
                }
                '?' => {
                    expression.push_str("[^/]");
                    shape = Shape::Regex;
                }
                // `|` and `{…}` are left alone upstream, and so keep their meaning in an expression.
                '.' | '+' | '(' | ')' | '$' => {
                    expression.push('\\');
                    expression.push(character);
                }
                '\\' => {
                    expression.push('\\');
                    if let Some(escaped) = rest.next() {
                        expression.push(escaped);
                        shape = Shape::Regex;
                    }
                }
                '[' | ']' => {
                    expression.push(character);
                    shape = Shape::Regex;
                }
                character => expression.push(character),
            }
            first = false;
        }
        match shape {
            Shape::Exact => Self::Exact,
            Shape::Prefix => Self::Prefix,
            Shape::Suffix => Self::Suffix,
            Shape::Regex => match regex::compile(&(expression + "$")) {
                Ok(regex) => Self::Regex(regex),
                Err(reason) => Self::Broken(reason),
            },
        }
    }
}
