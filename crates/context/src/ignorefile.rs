//! Reading `.dockerignore`, as BuildKit's Dockerfile frontend does.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::ContextError;
use crate::follow;
use crate::gopath::{base, clean, dir};
use crate::root::{Root, is_absent, unreadable};

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

/// A line of an ignore file that holds a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreLine {
    /// The line's number, from 1.
    pub line: usize,
    /// The pattern, cleaned; `!` marks a re-inclusion.
    pub pattern: String,
}

/// Finds and reads the ignore file of a build: `<dockerfile>.dockerignore` beside the Dockerfile first, then
/// `.dockerignore` in the context folder. `dockerfile` is a path from `context` on, and may lead out of it. Symbolic
/// links are followed within the folder that is searched. `None` if there is neither file.
///
/// # Errors
/// Fails if the context folder cannot be opened, or an ignore file exists but cannot be read.
pub fn dockerignore(context: &Path, dockerfile: &str) -> Result<Option<DockerIgnore>, ContextError> {
    let root = Root::open(context)?;
    let own = clean(&format!("{dockerfile}.dockerignore"));
    match Root::open(&context.join(dir(&own))) {
        Ok(folder) => {
            if let Some(patterns) = read_from(&folder, base(&own), &own)? {
                return Ok(Some(DockerIgnore { path: own, patterns }));
            }
        }
        Err(ContextError::RootMissing { .. } | ContextError::RootNotDirectory { .. }) => {}
        Err(error) => return Err(error),
    }
    let path = ".dockerignore".to_owned();
    Ok(read_from(&root, &path, &path)?.map(|patterns| DockerIgnore { path, patterns }))
}

/// The patterns of the ignore file `name` in a folder, known to the user as `path`.
fn read_from(folder: &Root, name: &str, path: &str) -> Result<Option<Vec<String>>, ContextError> {
    // Of the links on the way and what they lead to, only the last can be opened.
    for place in follow::resolve(folder, &[name.to_owned()])? {
        let file = match folder.open_file(place.as_bytes()) {
            Ok(file) => file,
            Err(error) if is_absent(error) => continue,
            Err(error) => return Err(unreadable(path.as_bytes(), error)),
        };
        let mut text = Vec::new();
        let unreadable = |source| ContextError::Unreadable {
            path: path.to_owned(),
            source,
        };
        File::from(file).read_to_end(&mut text).map_err(unreadable)?;
        let too_long = |line| ContextError::IgnoreLineTooLong {
            path: path.to_owned(),
            line,
        };
        return read(&text).map(Some).map_err(too_long);
    }
    Ok(None)
}

/// The patterns of an ignore file, or the number of a line that is too long.
fn read(text: &[u8]) -> Result<Vec<String>, usize> {
    let lines = ignore_lines(text)?;
    Ok(lines.into_iter().map(|line| line.pattern).collect())
}

/// The lines of an ignore file that hold a pattern, as the engine's reader takes them.
///
/// # Errors
/// Gives the number of a line, from 1, that is longer than the engine's reader takes.
pub fn ignore_lines(text: &[u8]) -> Result<Vec<IgnoreLine>, usize> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines = Vec::new();
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
        lines.push(IgnoreLine {
            line: number + 1,
            pattern: format!("{mark}{relative}"),
        });
    }
    Ok(lines)
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
