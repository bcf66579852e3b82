//! Puts variables in for the expressions that CI or a template replaces before the shell reads a script, so that the
//! shell's grammar holds. Where they stand is the caller's to say.

use super::lexer;
use crate::{MappedText, Span};

/// The text with each expression made `${____}` of the same length: one word, known as
/// [`PartKind::Expression`](super::PartKind::Expression). The expressions are in order, at least four bytes long, and do not
/// overlap; what does not fit the text is left as it is.
pub fn mask(text: &MappedText, expressions: &[Span]) -> MappedText {
    if expressions.is_empty() {
        return text.clone();
    }
    let mut result = MappedText::default();
    let mut at = 0;
    for expression in expressions {
        if expression.start < at || expression.len() < 4 || expression.slice(text.text()).is_empty() {
            continue;
        }
        lexer::append(&mut result, text, Span::new(at, expression.start));
        let name = "_".repeat(expression.len() - 3);
        result.push_as(&format!("${{{name}}}"), text.span(*expression));
        at = expression.end;
    }
    lexer::append(&mut result, text, Span::new(at, text.text().len()));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::expressions;

    #[test]
    fn an_expression_becomes_a_variable_of_the_same_length() {
        let masked = |text: &str| mask(&MappedText::verbatim(text, 10), &expressions(text));
        let result = masked("a ${{ x.y }} b ${{z}}");
        assert_eq!(result.text(), "a ${_______} b ${___}");
        assert_eq!(result.span(Span::new(2, 12)), Span::new(12, 22));
        assert_eq!(result.span(Span::new(13, 14)), Span::new(23, 24));
        assert_eq!(masked("$[[ i ]]").text(), "${_____}");
        assert_eq!(
            masked("${{ format('{{0}}', 'ö') }}!").text(),
            format!("${{{}}}!", "_".repeat(25))
        );
    }

    #[test]
    fn what_does_not_fit_the_text_is_left() {
        let text = MappedText::verbatim("aöb", 0);
        for span in [Span::new(2, 9), Span::new(0, 3), Span::new(2, 6)] {
            assert_eq!(mask(&text, &[span]), text);
        }
    }
}
