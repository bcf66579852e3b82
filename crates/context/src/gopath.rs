//! Slash paths as Go's `path` package treats them, which is what the engine's client computes with.
//!
//! Lexical only: nothing here looks at a file system.

/// The shortest path equal to `path` by lexical rules alone: no `.`, no inner `..`, no double or trailing slash.
/// The empty path becomes `.`; `..` above an absolute root vanishes.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// `elements` joined by slashes and cleaned; empty elements are left out, and nothing at all stays empty.
pub(crate) fn join(elements: &[&str]) -> String {
    let kept: Vec<&str> = elements
        .iter()
        .copied()
        .filter(|element| !element.is_empty())
        .collect();
    if kept.is_empty() {
        String::new()
    } else {
        clean(&kept.join("/"))
    }
}

/// Everything before the last element, cleaned; `.` if there is nothing.
pub(crate) fn dir(path: &str) -> String {
    match path.rfind('/') {
        Some(slash) => clean(&path[..=slash]),
        None => ".".to_owned(),
    }
}

/// The last element; `.` for the empty path and `/` for a path of slashes alone.
pub(crate) fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if path.is_empty() {
        return ".";
    }
    if trimmed.is_empty() {
        return "/";
    }
    match trimmed.rfind('/') {
        Some(slash) => &trimmed[slash + 1..],
        None => trimmed,
    }
}

/// The first character of `bytes` as Go decodes it: a byte outside of UTF-8 is U+FFFD, one byte wide.
/// `None` at the end.
pub(crate) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    let width = match first {
        0x00..=0x7f => return Some((char::from(first), 1)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((char::REPLACEMENT_CHARACTER, 1)),
    };
    let decoded = bytes.get(..width).and_then(|head| std::str::from_utf8(head).ok());
    match decoded.and_then(|text| text.chars().next()) {
        Some(character) => Some((character, width)),
        None => Some((char::REPLACEMENT_CHARACTER, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_follows_go() {
        for (given, expected) in [
            ("", "."),
            ("a//b/", "a/b"),
            ("./a/./b", "a/b"),
            ("a/../b", "b"),
            ("../../a", "../../a"),
            ("a/../../b", "../b"),
            ("/../a", "/a"),
            ("/", "/"),
            ("a/..", "."),
        ] {
            assert_eq!(clean(given), expected, "clean({given:?})");
        }
    }

    #[test]
    fn dir_and_base_follow_go() {
        for (path, expected_dir, expected_base) in [
            ("", ".", "."),
            ("a", ".", "a"),
            ("a/b", "a", "b"),
            ("/a", "/", "a"),
            ("/", "/", "/"),
            ("a/b/", "a/b", "b"),
        ] {
            assert_eq!(
                (dir(path).as_str(), base(path)),
                (expected_dir, expected_base),
                "{path:?}"
            );
        }
    }

    #[test]
    fn bytes_outside_of_utf8_are_one_wide() {
        assert_eq!(decode(b"\xe2\x82"), Some(('\u{fffd}', 1)));
        assert_eq!(decode("€".as_bytes()), Some(('€', 3)));
        assert_eq!(decode(b""), None);
    }
}
