//! Reading `.dockerignore`, as BuildKit's Dockerfile frontend does.

use std::io::{self, Read};
use std::path::Path;

use crate::error::ContextError;
use crate::gopath::clean;
use crate::root::Root;

/// The longest line that the engine's reader takes, without its line end.
const LONGEST_LINE: usize = 64 * 1024 - 1;

/// The ignore file that a Dockerfile build uses, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerIgnore {
    /// Path below the context folder: `<dockerfile>.dockerignore` or `.dockerignore`.
    pub path: String,
    /// The patterns in order, cleaned, without comments and blank lines; `!` marks a re-inclusion.
    pub patterns: Vec<String>,
}

/// Finds and reads the ignore file of a build: `<dockerfile>.dockerignore` beside the Dockerfile first, then
/// `.dockerignore` in the context folder. `dockerfile` is a path below `context`. `None` if there is neither.
///
/// # Errors
/// Fails if the context folder cannot be opened, or an ignore file exists but cannot be read.
pub fn dockerignore(context: &Path, dockerfile: &str) -> Result<Option<DockerIgnore>, ContextError> {
    let root = Root::open(context)?;
    for path in [
        clean(&format!("{dockerfile}.dockerignore")),
        ".dockerignore".to_owned(),
    ] {
        let unreadable = |source: io::Error| ContextError::Unreadable {
            path: path.clone(),
            source,
        };
        let mut text = Vec::new();
        match std::fs::File::open(root.path().join(&path)).and_then(|mut file| file.read_to_end(&mut text)) {
            Ok(_) => {
                let patterns = read(&text).map_err(|line| ContextError::IgnoreLineTooLong {
                    path: path.clone(),
                    line,
                })?;
                return Ok(Some(DockerIgnore { path, patterns }));
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(None)
}

/// The patterns of an ignore file, or the number of a line that is too long.
fn read(text: &[u8]) -> Result<Vec<String>, usize> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut patterns = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.len() > LONGEST_LINE {
            return Err(number + 1);
        }
        if line.starts_with(b"#") {
            continue;
        }
        let line = decode(line);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (mark, pattern) = match line.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", line),
        };
        let cleaned = if pattern.is_empty() {
            String::new()
        } else {
            clean(pattern)
        };
        let relative = if cleaned.len() > 1 {
            cleaned.strip_prefix('/').unwrap_or(&cleaned)
        } else {
            &cleaned
        };
        patterns.push(format!("{mark}{relative}"));
    }
    Ok(patterns)
}

/// The frontend writes the patterns as JSON, which turns every byte outside of UTF-8 into U+FFFD.
fn decode(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn comments_blanks_and_the_byte_order_mark_vanish() {
        assert_eq!(
            lines("\u{feff}# comment\n\n  \nnode_modules\r\n #not-a-comment\n"),
            ["node_modules", "#not-a-comment"]
        );
    }

    #[test]
    fn patterns_are_trimmed_cleaned_and_made_relative() {
        assert_eq!(
            lines("  /a/./b//c/ \n!  /keep/../kept \n/\n!/\n!\n..//up\n"),
            ["a/b/c", "!kept", "/", "!/", "!", "../up"]
        );
    }

    #[test]
    fn bytes_outside_of_utf8_become_replacement_characters() {
        assert_eq!(
            read(b"caf\xe9 \xe2\x82").unwrap(),
            ["caf\u{fffd} \u{fffd}\u{fffd}"]
        );
    }

    #[test]
    fn an_overlong_line_is_named() {
        let text = format!("ok\n{}\n", "x".repeat(LONGEST_LINE + 1));
        assert_eq!(read(text.as_bytes()), Err(2));
        assert!(read("x".repeat(LONGEST_LINE).as_bytes()).is_ok());
    }
}
