//! Puts names of variables in for the expressions that CI or a template replaces before the shell reads a script, so
//! that the shell's grammar holds.

use super::lexer;
use crate::{MappedText, Span};

/// `${{ … }}` of GitHub Actions.
pub fn github(text: &MappedText) -> MappedText {
    mask(text, "${{", "}}")
}

/// `$[[ … ]]` of GitLab's components.
pub fn gitlab(text: &MappedText) -> MappedText {
    mask(text, "$[[", "]]")
}

/// `{{ … }}` of Jinja and its like.
pub fn jinja(text: &MappedText) -> MappedText {
    mask(text, "{{", "}}")
}

/// Each expression becomes `${____}` of the same length: one word, known as
/// [`PartKind::Expression`](super::PartKind::Expression).
fn mask(text: &MappedText, open: &str, close: &str) -> MappedText {
    let inner = text.text();
    if !inner.contains(open) {
        return text.clone();
    }
    let mut result = MappedText::default();
    let mut at = 0;
    while let Some(found) = inner.get(at..).and_then(|rest| rest.find(open)) {
        let start = at + found;
        let from = start + open.len();
        let Some(length) = inner[from..].find(close) else {
            break;
        };
        let end = from + length + close.len();
        lexer::append(&mut result, text, Span::new(at, start));
        let name = "_".repeat(end - start - 3);
        let whole = Span::new(start, end);
        result.push_as(&format!("${{{name}}}"), text.span(whole));
        at = end;
    }
    lexer::append(&mut result, text, Span::new(at, inner.len()));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_becomes_a_variable_of_the_same_length() {
        let masked = |f: fn(&MappedText) -> MappedText, text: &str| f(&MappedText::verbatim(text, 10));
        let text = "a ${{ x.y }} b ${{z}}";
        let result = masked(github, text);
        assert_eq!(result.text(), "a ${_______} b ${___}");
        assert_eq!(result.span(Span::new(2, 12)), Span::new(12, 22));
        assert_eq!(result.span(Span::new(13, 14)), Span::new(23, 24));
        assert_eq!(masked(gitlab, "$[[ i ]]").text(), "${_____}");
        assert_eq!(masked(jinja, "{{ a }}-{{").text(), "${____}-{{");
    }
}
