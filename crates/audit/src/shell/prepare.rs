//! Puts what the grammar cannot read into other words of the same length, so that the rest of the script is read.
//!
//! Only for texts that the parser finds broken, and only for finding the statements: words are always read from the text
//! itself. What is replaced was found in scripts that bash takes.

use super::lexer;

/// The text with the same bytes but for what is replaced.
pub(super) fn prepare(text: &str) -> String {
    let mut result = escapes(text);
    patterns(&mut result);
    parentheses(&mut result);
    loops(&mut result);
    result
}

/// `"\${$NAME}"`: a `$` that is escaped is not the beginning of an expansion.
fn escapes(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('$')) => {
                characters.next();
                result.push_str("__");
            }
            ('\\', Some(&next)) => {
                characters.next();
                result.push('\\');
                result.push(next);
            }
            _ => result.push(character),
        }
    }
    result
}

/// Redirections, patterns and a lone `$`.
fn patterns(text: &mut String) {
    for (from, to) in [
        ("<<<", "<  "),
        ("<>", "> "),
        ("*\"", "_\""),
        ("\"*", "\"_"),
        ("$)", "_)"),
        ("$/", "_/"),
        ("//&/", "//_/"),
        ("%%]", "%%_"),
    ] {
        if text.contains(from) {
            *text = text.replace(from, to);
        }
    }
}

/// `$((a; b) | c)` and `((a; b) &)` are no arithmetic: the inner parentheses are left out.
fn parentheses(text: &mut String) {
    let mut blank = Vec::new();
    // Each search for an end can go through the whole text.
    for (at, _) in text.match_indices("((").take(64) {
        let end = lexer::balanced(text, at + 2, ')');
        if text[end..].starts_with(')') || !text[..end].ends_with(')') || end > at + 4096 {
            continue;
        }
        blank.extend([at + 1, end - 1]);
    }
    for at in blank {
        text.replace_range(at..at + 1, " ");
    }
}

/// `for NAME do` without `in`.
fn loops(text: &mut String) {
    let mut marks = Vec::new();
    for (at, _) in text.match_indices("for ") {
        let name = &text[at + 4..];
        let length = name
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        let rest = &name[length..];
        let behind = rest.trim_start();
        if length > 0
            && rest.starts_with([' ', '\n'])
            && behind
                .strip_prefix("do")
                .is_some_and(|after| after.starts_with([' ', '\n']))
        {
            marks.push(at + 4 + length);
        }
    }
    for at in marks {
        text.replace_range(at..at + 1, ";");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_stays() {
        for (text, expected) in [
            ("eval \"\\${$x}\"", "eval \"__{$x}\""),
            ("'\\\\$x'", "'\\\\$x'"),
            ("x 2>&1 <<<\"$y\"", "x 2>&1 <  \"$y\""),
            ("exec 3<>f", "exec 3> f"),
            ("[[ $x = *\"a\"* ]]", "[[ $x = _\"a\"_ ]]"),
            ("x=$((a; b) | c)", "x=$( a; b  | c)"),
            ("x=$((1 + 2))", "x=$((1 + 2))"),
            ("for a do x", "for a;do x"),
            ("for a\ndo x", "for a;do x"),
            ("for a in b", "for a in b"),
        ] {
            assert_eq!(prepare(text), expected);
            assert_eq!(prepare(text).len(), text.len());
        }
    }
}
