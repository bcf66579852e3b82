//! Variables in a `FROM` line: `$X`, `${X}`, and the forms with a default or an alternative.

use std::collections::BTreeMap;

/// How deep `${A:-${B:-…}}` may go; a file that goes deeper is no honest one.
const DEPTH: usize = 32;

/// Expands a word: variables and escapes are replaced, quotes removed, and single quotes protect. An unset variable
/// is empty, as for BuildKit; a form that we do not know (`${X#…}`, say) stays as it stands.
pub(crate) fn expand(text: &str, variables: &BTreeMap<String, String>, escape: char) -> String {
    expand_within(text, variables, escape, DEPTH)
}

fn expand_within(text: &str, variables: &BTreeMap<String, String>, escape: char, depth: usize) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\'', '"', escape]) {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('$') {
            let (value, length) = variable(rest, variables, escape, depth);
            result.push_str(&value);
            rest = &rest[length..];
            continue;
        }
        let special = rest.chars().next();
        rest = &rest[special.map_or(0, char::len_utf8)..];
        match special {
            Some('"') => {}
            Some('\'') => {
                let (literal, after) = rest.split_once('\'').unwrap_or((rest, ""));
                result.push_str(literal);
                rest = after;
            }
            _ => {
                let mut characters = rest.chars();
                result.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    result + rest
}

/// The value of the variable that `text` (which begins with `$`) begins with, and how long its notation is.
fn variable(text: &str, variables: &BTreeMap<String, String>, escape: char, depth: usize) -> (String, usize) {
    let after = &text[1..];
    let Some(inner) = after.strip_prefix('{') else {
        let name = name(after);
        return match name.is_empty() {
            true => ("$".to_owned(), 1),
            false => (variables.get(name).cloned().unwrap_or_default(), 1 + name.len()),
        };
    };
    let Some(end) = closing_brace(inner, escape).filter(|_| depth > 0) else {
        return (text.to_owned(), text.len());
    };
    let (whole, inner) = (&text[..end + 3], &inner[..end]);
    let name = name(inner);
    let set = variables.get(name);
    let filled = set.filter(|value| !value.is_empty());
    let word = |word: &str| expand_within(word, variables, escape, depth - 1);
    let operation = &inner[name.len()..];
    let value = if name.is_empty() {
        whole.to_owned()
    } else if operation.is_empty() {
        set.cloned().unwrap_or_default()
    } else if let Some(default) = operation.strip_prefix(":-") {
        filled.cloned().unwrap_or_else(|| word(default))
    } else if let Some(default) = operation.strip_prefix('-') {
        set.cloned().unwrap_or_else(|| word(default))
    } else if let Some(other) = operation.strip_prefix(":+") {
        filled.map(|_| word(other)).unwrap_or_default()
    } else if let Some(other) = operation.strip_prefix('+') {
        set.map(|_| word(other)).unwrap_or_default()
    } else if operation.starts_with(":?") || operation.starts_with('?') {
        set.cloned().unwrap_or_default()
    } else {
        whole.to_owned()
    };
    (value, whole.len())
}

/// The variable's name at the beginning of `text`.
fn name(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return &text[..1];
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

/// Where the brace closes that was opened before `text`.
fn closing_brace(text: &str, escape: char) -> Option<usize> {
    let mut open = 1_usize;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            c if c == escape => {
                characters.next();
            }
            '$' if characters.peek().is_some_and(|(_, next)| *next == '{') => {
                characters.next();
                open += 1;
            }
            '}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_variable() {
        let variables: BTreeMap<_, _> = [("A", "1"), ("E", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (text, expected) in [
            ("x:$A", "x:1"),
            ("${A}b$A.c", "1b1.c"),
            ("$N|${N}", "|"),
            ("${N:-d}|${E:-d}|${A:-d}", "d|d|1"),
            ("${N-d}|${E-d}|${A-d}", "d||1"),
            ("${N:+a}|${E:+a}|${A:+a}", "||a"),
            ("${N+a}|${E+a}|${A+a}", "|a|a"),
            ("${N:-${E:-x$A}}/y", "x1/y"),
            (r"\$A", "$A"),
            (r#""$A:'b'"'$A'"#, "1:b$A"),
            ("$", "$"),
            ("$-${", "$-${"),
            ("${A#1}", "${A#1}"),
            ("${A:?must}", "1"),
        ] {
            assert_eq!(expand(text, &variables, '\\'), expected, "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = "${X:-".repeat(100_000) + "a" + &"}".repeat(100_000);
        assert!(expand(&deep, &BTreeMap::new(), '\\').len() <= deep.len());
    }
}
