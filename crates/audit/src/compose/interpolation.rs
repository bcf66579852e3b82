//! Variables in the values of a Compose file: `$X`, `${X}`, `${X:-default}`, `${X:?message}`, `${X:+other}`, `$$`.
//!
//! Source of the rules: the Compose specification, "Interpolation". Nothing is read from an environment here.

/// How deep defaults may hold variables of their own.
const DEPTH: usize = 8;

/// A value with its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpolated {
    /// As it is written.
    pub raw: String,
    /// The variables in it, those in defaults too.
    pub variables: Vec<Variable>,
    /// What it is if no variable is set; nothing if one of them has no default.
    pub value: Option<String>,
}

/// A variable of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What is taken if it is not set.
    pub default: Option<String>,
}

/// Reads the variables of a value.
pub fn interpolate(raw: &str) -> Interpolated {
    let mut variables = Vec::new();
    let value = expand(raw, &mut variables, 0);
    Interpolated {
        raw: raw.to_owned(),
        variables,
        value,
    }
}

fn expand(raw: &str, variables: &mut Vec<Variable>, depth: usize) -> Option<String> {
    let mut value = Some(String::new());
    let mut add = |text: Option<&str>| match (&mut value, text) {
        (Some(value), Some(text)) => value.push_str(text),
        _ => value = None,
    };
    let mut rest = raw;
    while let Some(at) = rest.find('$') {
        add(Some(&rest[..at]));
        let after = &rest[at + 1..];
        if let Some(literal) = after.strip_prefix('$') {
            add(Some("$"));
            rest = literal;
        } else if let Some(braced) = after.strip_prefix('{') {
            let Some(end) = closing(braced) else {
                add(Some(&rest[at..]));
                return value;
            };
            let found = braces(&braced[..end], variables, depth);
            add(found.as_deref());
            rest = &braced[end + 1..];
        } else {
            let length = name_length(after);
            if length == 0 {
                add(Some("$"));
            } else {
                variables.push(Variable {
                    name: after[..length].to_owned(),
                    default: None,
                });
                add(None);
            }
            rest = &after[length..];
        }
    }
    add(Some(rest));
    value
}

/// What stands in `${…}`.
fn braces(inner: &str, variables: &mut Vec<Variable>, depth: usize) -> Option<String> {
    let length = name_length(inner);
    let name = inner[..length].to_owned();
    let rest = &inner[length..];
    let operator = rest.strip_prefix(':').unwrap_or(rest);
    let mut characters = operator.chars();
    let default = match (characters.next(), depth < DEPTH) {
        (Some('-'), true) => {
            let index = variables.len();
            variables.push(Variable {
                name: name.clone(),
                default: None,
            });
            let default = expand(characters.as_str(), variables, depth + 1);
            variables[index].default = default.clone();
            return default;
        }
        // Set to something only if the variable is.
        (Some('+'), _) => Some(String::new()),
        _ => None,
    };
    variables.push(Variable {
        name,
        default: default.clone(),
    });
    default
}

fn name_length(text: &str) -> usize {
    let is_first = |c: char| c == '_' || c.is_ascii_alphabetic();
    match text.starts_with(is_first) {
        true => text
            .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .unwrap_or(text.len()),
        false => 0,
    }
}

/// Where the brace that was opened before the text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_taken() {
        let value = |raw: &str| interpolate(raw).value;
        assert_eq!(value("a"), Some("a".into()));
        assert_eq!(value("a-${X:-b}-$$c"), Some("a-b-$c".into()));
        assert_eq!(value("${X-}"), Some("".into()));
        assert_eq!(value("${X:-${Y:-z}}/q"), Some("z/q".into()));
        assert_eq!(value("${X:-${Y}}"), None);
        assert_eq!(value("$X/y"), None);
        assert_eq!(value("${X:?is needed}"), None);
        assert_eq!(value("${X:+y}"), Some("".into()));
        assert_eq!(value("${X"), Some("${X".into()));
        assert_eq!(value("5$"), Some("5$".into()));
        let names = |raw| {
            interpolate(raw)
                .variables
                .into_iter()
                .map(|v| v.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("$A ${B:-${C}} $$D ${E?x}"), ["A", "B", "C", "E"]);
        assert!(value(&"${A:-".repeat(10_000)).is_some());
        assert!(value(&format!("{}{}", "${A:-".repeat(100), "}".repeat(100))).is_none());
    }
}
