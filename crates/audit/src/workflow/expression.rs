//! `${{ … }}` and `$[[ … ]]` in texts that are read by somebody who does not know it.

use crate::{MappedText, Span};

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

/// The text with each expression ([`expressions`]) made a variable of the shell of the same length: `${__github_sha_}`. All
/// places stay as they are.
pub fn mask_expressions(text: &MappedText) -> MappedText {
    let spans = expressions(text.text());
    if spans.is_empty() {
        return text.clone();
    }
    let mut masked = MappedText::default();
    let mut spans = spans.into_iter().peekable();
    for (at, character) in text.text().char_indices() {
        let width = character.len_utf8();
        let file = text.span(Span::new(at, at + width));
        while spans.next_if(|span| span.end <= at).is_some() {}
        match spans.peek().filter(|span| span.start <= at) {
            Some(span) if at == span.start => masked.push_as("$", file),
            Some(span) if at == span.start + 1 => masked.push_as("{", file),
            Some(span) if at + 1 == span.end => masked.push_as("}", file),
            Some(_) if character.is_ascii_alphanumeric() => {
                masked.push_as(character.encode_utf8(&mut [0; 4]), file)
            }
            Some(_) => masked.push_as(&"_".repeat(width), file),
            None => masked.push_as(character.encode_utf8(&mut [0; 4]), file),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mapped = MappedText::verbatim(text, 7);
        let masked = mask_expressions(&mapped);
        assert_eq!(masked.text().len(), text.len());
        let whole = Span::new(0, text.len());
        assert_eq!(masked.span(whole), mapped.span(whole));
        masked.text().to_owned()
    }

    #[test]
    fn an_expression_becomes_a_variable_of_its_length() {
        assert_eq!(
            masked("docker tag a:${{ github.sha }} b"),
            "docker tag a:${__github_sha__} b"
        );
        assert_eq!(masked("${{a}}${{ 'ö' }}"), "${_a_}${________}");
        assert_eq!(
            masked("${{ format('{{0}}', x) }}!"),
            format!("${{{}}}!", "__format____0_____x___")
        );
        assert_eq!(masked("${{ open"), "${{ open");
        assert_eq!(masked("a $[[ inputs.x ]] $[1] b"), "a ${__inputs_x__} $[1] b");
        assert_eq!(masked("${A} $ö {{ x }}"), "${A} $ö {{ x }}");
    }

    #[test]
    fn places_within_are_kept() {
        let text = MappedText::verbatim("a ${{ x }} b", 100);
        let masked = mask_expressions(&text);
        assert_eq!(masked.span(Span::new(11, 12)), Span::new(111, 112));
        assert_eq!(expressions(text.text()), [Span::new(2, 10)]);
    }
}
