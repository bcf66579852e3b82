//! Variables that BuildKit expands: `$X`, `${X}`, `${X:-word}` and the like, found without knowing any value.

use std::ops::Range;

use crate::Span;
use crate::characters::first;
use crate::joined::Joined;
use crate::lex::name_length;

/// How many substitutions may be open at a time.
const DEPTH: usize = 1000;

/// A variable in an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// All of it, from the dollar sign to the closing brace.
    pub span: Span,
    /// The name.
    pub name_span: Span,
    /// What is done with the value: `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `%`, `/`. None in the plain forms.
    pub operator: Option<String>,
    /// The word after the operator.
    pub word: Option<Span>,
}

/// How quotes and escapes are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub escape: u8,
    /// Whether quotes are quotes.
    pub quotes: bool,
}

/// A substitution that is open.
struct Open {
    reference: usize,
    word_start: usize,
    in_double: bool,
}

/// Finds the variables in a range of a joined line, in the order of their beginnings.
pub(crate) fn references(joined: &Joined, range: &Range<usize>, rules: Rules, found: &mut Vec<Reference>) {
    let bytes = &joined.bytes[..range.end];
    let start_count = found.len();
    let mut open: Vec<Open> = Vec::new();
    let mut in_double = false;
    let mut at = range.start;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == rules.escape {
            at += 1;
            at += first(&bytes[at..]).1;
        } else if byte == b'\'' && rules.quotes && !in_double {
            let Some(length) = bytes[at + 1..].iter().position(|b| *b == b'\'') else {
                break;
            };
            at += length + 2;
        } else if byte == b'"' && rules.quotes {
            in_double = !in_double;
            at += 1;
        } else if byte == b'}' && !in_double && !open.is_empty() {
            at += 1;
            if let Some(Open {
                reference,
                word_start,
                in_double: outer,
            }) = open.pop()
            {
                let begun = &mut found[reference];
                begun.span.end = joined.place(at - 1) + 1;
                begun.word = Some(joined.span(&(word_start..at - 1)));
                in_double = outer;
            }
        } else if byte == b'$' {
            let Some((reference, after, word)) = begin(joined, bytes, at) else {
                // The engine gives up here, and so do we.
                if bytes.get(at + 1) == Some(&b'{') {
                    break;
                }
                at += 1;
                continue;
            };
            at = after;
            if word {
                if open.len() >= DEPTH {
                    break;
                }
                open.push(Open {
                    reference: found.len(),
                    word_start: after,
                    in_double,
                });
                in_double = false;
            }
            found.push(reference);
        } else {
            at += 1;
        }
    }
    // What is not closed is no substitution.
    let unclosed: Vec<usize> = open.iter().map(|one| one.reference).collect();
    let mut index = start_count;
    let mut kept = found.split_off(start_count);
    kept.retain(|_| {
        index += 1;
        unclosed.binary_search(&(index - 1)).is_err()
    });
    found.append(&mut kept);
}

/// The variable that begins at `at`, where the reading goes on, and whether a word follows.
fn begin(joined: &Joined, bytes: &[u8], at: usize) -> Option<(Reference, usize, bool)> {
    let braced = bytes.get(at + 1) == Some(&b'{');
    let start = at + 1 + usize::from(braced);
    let name = start..start + name_length(&bytes[start.min(bytes.len())..]);
    if name.is_empty() {
        return None;
    }
    let mut reference = Reference {
        name: joined.text(&name),
        span: joined.span(&(at..name.end)),
        name_span: joined.span(&name),
        operator: None,
        word: None,
    };
    if !braced {
        return Some((reference, name.end, false));
    }
    let colon = bytes.get(name.end) == Some(&b':');
    let sign = name.end + usize::from(colon);
    match bytes.get(sign)? {
        b'}' if !colon => {
            reference.span = joined.span(&(at..sign + 1));
            Some((reference, sign + 1, false))
        }
        b'+' | b'-' | b'?' => {
            reference.operator = Some(joined.text(&(name.end..sign + 1)));
            Some((reference, sign + 1, true))
        }
        b'#' | b'%' | b'/' if !colon => {
            reference.operator = Some(joined.text(&(sign..sign + 1)));
            Some((reference, sign + 1, true))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String, String)> {
        let mut joined = Joined::default();
        joined.push(text.as_bytes(), 0);
        let mut all = Vec::new();
        let rules = Rules {
            escape: b'\\',
            quotes: true,
        };
        references(&joined, &(0..text.len()), rules, &mut all);
        let word = |r: &Reference| r.word.map_or("", |span| span.slice(text)).to_owned();
        all.iter()
            .map(|r| (r.name.clone(), r.span.slice(text).to_owned(), word(r)))
            .collect()
    }

    fn names(text: &str) -> Vec<String> {
        found(text).into_iter().map(|(name, _, _)| name).collect()
    }

    #[test]
    fn every_form_has_its_span() {
        let triple = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            found("$A-${B}${C:-x${D}y}/${E#*.}"),
            [
                triple("A", "$A", ""),
                triple("B", "${B}", ""),
                triple("C", "${C:-x${D}y}", "x${D}y"),
                triple("D", "${D}", ""),
                triple("E", "${E#*.}", "*."),
            ]
        );
    }

    #[test]
    fn single_quotes_and_escapes_protect() {
        assert_eq!(
            names(r#"'$A' \$B "$C" "'$D'" "${E:-'$F'}" $G"#),
            ["C", "D", "E", "G"]
        );
    }

    #[test]
    fn what_is_not_closed_or_unknown_is_none() {
        assert!(names("$ ${ ${} ${:A} $").is_empty());
        assert_eq!(names("${A:-$B"), ["B"]);
        assert_eq!(names("$A ${B^^} $C"), ["A"]);
        assert_eq!(names(&"${A:-".repeat(5000)).len(), 0);
    }
}
