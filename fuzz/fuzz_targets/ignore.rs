//! Ignore files: no text makes the reader or the matcher panic, and on the plain part of the language (`*`, `?`, `**`, `!`)
//! the matcher says what the documented rules say, read word by word.
#![no_main]

use libfuzzer_sys::fuzz_target;
use unstale_context::{Matcher, Selector, ignore_lines};

fuzz_target!(|data: &[u8]| {
    let (file, paths) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &b"a\nb/a\na/b/a"[..]),
    };
    any_text(file, &String::from_utf8_lossy(paths));
    plain_text(&plain(file, b"ab/*?!\n*/"), &plain(paths, b"ab/\n"));
});

fn matcher(file: &[u8]) -> Option<(Vec<String>, Matcher)> {
    let lines = ignore_lines(file).ok()?;
    let patterns: Vec<String> = lines.into_iter().map(|line| line.pattern).collect();
    let selector = Selector::new(Vec::new(), patterns.clone(), Vec::new());
    Some((patterns, selector.matcher().ok()?))
}

/// What decides and what is selected are one thing.
fn any_text(file: &[u8], paths: &str) {
    let Some((patterns, matcher)) = matcher(file) else {
        return;
    };
    for path in paths.lines().take(8) {
        for is_folder in [false, true] {
            let selected = matcher.selects(path, is_folder);
            if let Some(decision) = matcher.decision(path, is_folder) {
                assert_eq!(decision.excluded, !selected, "{patterns:?} {path:?}");
                assert_eq!(decision.excluded, !patterns[decision.pattern].starts_with('!'));
            }
            matcher.enters(path);
        }
    }
}

/// The same as the rules say.
fn plain_text(file: &str, paths: &str) {
    let Some((patterns, matcher)) = matcher(file.as_bytes()) else {
        return;
    };
    for path in paths.lines().take(8) {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).take(6).collect();
        let path = parts.join("/");
        if path.is_empty() || path.len() > 64 {
            continue;
        }
        // As the walk goes, from folder to folder. A pattern that could change nothing is not asked, and what it would have
        // said of a folder is not known below: `b/**/*`, `!*` leaves `b/b` out.
        let mut excluded = false;
        let mut hits = vec![false; patterns.len()];
        for count in 1..=parts.len() {
            excluded = false;
            for (pattern, hit) in patterns.iter().zip(&mut hits) {
                let (exception, text) = match pattern.strip_prefix('!') {
                    Some(text) => (true, text),
                    None => (false, pattern.as_str()),
                };
                *hit = *hit || exception == excluded && reference(text, &parts[..count].join("/"));
                if *hit {
                    excluded = !exception;
                }
            }
        }
        assert_eq!(matcher.selects(&path, false), !excluded, "{patterns:?} {path:?}");
    }
}

enum Token {
    Literal(u8),
    /// `?`: anything but a slash.
    One,
    /// `*`: any number of anything but a slash.
    Some,
    /// `**/` or `**` before something else: nothing, or folders with their slash.
    Folders,
    /// `**` at the end: anything.
    All,
}

/// Whether one pattern matches one path.
fn reference(pattern: &str, path: &str) -> bool {
    let bytes = pattern.as_bytes();
    // With no other sign in it, `**` at the beginning compares ends: `**a` matches `ba`.
    if let Some(rest) = pattern.strip_prefix("**")
        && !rest.is_empty()
        && rest != "/"
        && !rest.contains(['*', '?'])
    {
        return path.ends_with(rest) || rest.strip_prefix('/') == Some(path);
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'*' if bytes.get(at + 1) == Some(&b'*') => {
                at += 1 + usize::from(bytes.get(at + 2) == Some(&b'/'));
                tokens.push(if at + 1 == bytes.len() {
                    Token::All
                } else {
                    Token::Folders
                });
            }
            b'*' => tokens.push(Token::Some),
            b'?' => tokens.push(Token::One),
            byte => tokens.push(Token::Literal(byte)),
        }
        at += 1;
    }
    let path = path.as_bytes();
    // Which prefixes of the path the tokens so far match.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for token in &tokens {
        let mut next = vec![false; path.len() + 1];
        for from in (0..=path.len()).filter(|from| reached[*from]) {
            let rest = &path[from..];
            match token {
                Token::Literal(byte) if rest.first() == Some(byte) => next[from + 1] = true,
                Token::One if rest.first().is_some_and(|byte| *byte != b'/') => next[from + 1] = true,
                Token::Literal(_) | Token::One => {}
                Token::Some => {
                    let length = rest.iter().take_while(|byte| **byte != b'/').count();
                    next[from..=from + length].fill(true);
                }
                Token::All => next[from..].fill(true),
                Token::Folders => {
                    next[from] = true;
                    for (offset, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                        next[from + offset + 1] = true;
                    }
                }
            }
        }
        reached = next;
    }
    reached[path.len()]
}

/// A text of a few letters.
fn plain(bytes: &[u8], letters: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| char::from(letters[usize::from(*byte) % letters.len()]))
        .collect()
}
