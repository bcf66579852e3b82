//! `${{ … }}` and `$[[ … ]]` in texts that are read by somebody who does not know it.

use crate::Span;

/// Where the expressions `${{ … }}` of GitHub and `$[[ … ]]` of GitLab stand. A `}}` in an expression's string does not end
/// it; one that is not closed is none.
pub fn expressions(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text
        .get(at..)
        .and_then(|rest| rest.find('$'))
        .map(|start| at + start)
    {
        let rest = text.get(start..).unwrap_or_default();
        let end = match rest {
            _ if rest.starts_with("${{") => end(text, start + 3),
            _ if rest.starts_with("$[[") => {
                let line = rest.lines().next().unwrap_or_default();
                line.find("]]").map(|end| start + end + 2)
            }
            _ => None,
        };
        match end {
            Some(end) => {
                found.push(Span::new(start, end));
                at = end;
            }
            // Not closed: neither is any behind it.
            None if rest.starts_with("${{") => break,
            None => at = start + 1,
        }
    }
    found
}

/// After the `}}` that ends the expression whose inner text begins at `from`.
fn end(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut unquoted_end = None;
    for at in from..bytes.len() {
        match bytes[at] {
            b'\'' => quoted = !quoted,
            b'}' if bytes.get(at + 1) == Some(&b'}') => {
                if !quoted {
                    return Some(at + 2);
                }
                unquoted_end.get_or_insert(at + 2);
            }
            // A string does not go on behind its line: then the quote was none.
            b'\n' if unquoted_end.is_some() => break,
            _ => {}
        }
    }
    unquoted_end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_found_whatever_is_in_them() {
        let found = |text: &'static str| -> Vec<&str> {
            expressions(text)
                .into_iter()
                .map(|span| span.slice(text))
                .collect()
        };
        assert_eq!(found("docker tag a:${{ github.sha }} b"), ["${{ github.sha }}"]);
        assert_eq!(found("${{a}}${{ 'ö' }}"), ["${{a}}", "${{ 'ö' }}"]);
        assert_eq!(found("${{ format('{{0}}', x) }}!"), ["${{ format('{{0}}', x) }}"]);
        assert_eq!(found("a $[[ inputs.x ]] $[1] b"), ["$[[ inputs.x ]]"]);
        assert!(found("${{ open").is_empty());
        assert!(found("${A} $ö {{ x }}").is_empty());
    }
}
