//! Recipes of a Makefile as the shell gets them.
//!
//! Make expands `$(NAME)`, `${NAME}` and `$X` before the shell sees a line, `$$` is a `$` for the shell, and each
//! line has a shell of its own (GNU make manual, "Recipe Execution"). Which lines are a recipe is not decided here.

use super::lexer;
use crate::{MappedText, Span};

/// A line of a recipe, with the lines that continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeLine {
    /// What the shell gets. A variable of Make stands in it as `${NAME}`, what else Make expands as a masked
    /// expression.
    pub script: MappedText,
    /// Whether Make goes on if it fails: `-`.
    pub ignores_errors: bool,
    /// Whether Make does not print it: `@`.
    pub is_silent: bool,
}

/// The shell lines of a recipe. The text is the recipe's lines; a tab at the beginning of each is left out. With
/// `.ONESHELL`, all lines are one script.
pub fn recipe(text: &MappedText, one_shell: bool) -> Vec<RecipeLine> {
    let inner = text.text();
    let mut found = Vec::new();
    let mut current: Option<Span> = None;
    let mut at = 0;
    for line in inner.split_inclusive('\n') {
        let span = Span::new(at, at + line.len());
        at = span.end;
        let whole = match current.take() {
            Some(before) => Span::new(before.start, span.end),
            None => span,
        };
        let continues = is_continued(line);
        if (continues || one_shell) && span.end < inner.len() {
            current = Some(whole);
            continue;
        }
        found.extend(recipe_line(text, whole));
    }
    found.extend(current.and_then(|rest| recipe_line(text, rest)));
    found
}

/// Whether an odd number of backslashes ends the line.
fn is_continued(line: &str) -> bool {
    let line = line.trim_end_matches(['\n', '\r']);
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

fn recipe_line(text: &MappedText, span: Span) -> Option<RecipeLine> {
    let line = span.slice(text.text());
    let body = line.trim_start_matches(['\t', ' ', '@', '-', '+']);
    if body.trim().is_empty() {
        return None;
    }
    let prefix = &line[..line.len() - body.len()];
    let mut script = MappedText::default();
    let mut start = span.start + prefix.len();
    for (index, one) in body.split_inclusive('\n').enumerate() {
        // The tab that begins a continued line belongs to Make.
        let tab = usize::from(index > 0 && one.starts_with('\t'));
        expand(&mut script, text, Span::new(start + tab, start + one.len()));
        start += one.len();
    }
    Some(RecipeLine {
        script,
        ignores_errors: prefix.contains('-'),
        is_silent: prefix.contains('@'),
    })
}

/// Adds a line with what Make expands in it.
fn expand(script: &mut MappedText, text: &MappedText, span: Span) {
    let inner = text.text();
    let mut at = span.start;
    while let Some(found) = Span::new(at, span.end).slice(inner).find('$') {
        let start = at + found;
        lexer::append(script, text, Span::new(at, start));
        let rest = Span::new(start + 1, span.end).slice(inner);
        let (content, end) = match rest.chars().next() {
            Some('$') => ("$".to_owned(), start + 2),
            Some(open @ ('(' | '{')) => {
                let end = closing(inner, start + 2, span.end, open);
                (
                    masked(
                        inner.get(start + 2..end.saturating_sub(1)).unwrap_or_default(),
                        end - start,
                    ),
                    end,
                )
            }
            // `$@`, `$<`, `$X`: an expression of one letter.
            Some(letter) if !letter.is_whitespace() => ("${__}".to_owned(), start + 1 + letter.len_utf8()),
            _ => ("$".to_owned(), start + 1),
        };
        script.push_as(&content, text.span(Span::new(start, end)));
        at = end;
    }
    lexer::append(script, text, Span::new(at, span.end));
}

/// A variable by its name, or an expression of this length.
fn masked(content: &str, length: usize) -> String {
    if super::wrapper::is_name(content) {
        return format!("${{{content}}}");
    }
    format!("${{{}}}", "_".repeat(length.saturating_sub(3).max(2)))
}

/// The byte after the parenthesis that ends what begins at `at`.
fn closing(text: &str, at: usize, end: usize, open: char) -> usize {
    let close = if open == '(' { ')' } else { '}' };
    let mut depth = 1usize;
    for (index, character) in Span::new(at, end).slice(text).char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return at + index + 1;
            }
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, bool)> {
        recipe(&MappedText::verbatim(text, 0), false)
            .into_iter()
            .map(|line| (line.script.text().trim_end().to_owned(), line.ignores_errors))
            .collect()
    }

    #[test]
    fn each_line_is_a_script_without_its_prefixes() {
        assert_eq!(
            lines("\t@docker build -t $(IMAGE) .\n\t-docker rm $$(docker ps -q)\n\n\t@-x $@\n"),
            [
                ("docker build -t ${IMAGE} .".to_owned(), false),
                ("docker rm $(docker ps -q)".to_owned(), true),
                ("x ${__}".to_owned(), true),
            ]
        );
    }

    #[test]
    fn a_continued_line_is_one_script() {
        let text = "\tdocker build \\\n\t\t--pull $(shell id -u) \\\n\t\t.\n\techo\n";
        let found = recipe(&MappedText::verbatim(text, 0), false);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].script.text(),
            "docker build \\\n\t--pull ${___________} \\\n\t.\n"
        );
        let at = found[0].script.text().find("--pull").unwrap();
        assert_eq!(found[0].script.span(Span::new(at, at + 6)).slice(text), "--pull");
        assert_eq!(recipe(&MappedText::verbatim(text, 0), true).len(), 1);
    }

    #[test]
    fn what_does_not_end_is_taken_to_the_end() {
        assert_eq!(lines("\techo $(x\n").len(), 1);
        assert_eq!(lines("\techo $").len(), 1);
        assert_eq!(lines("\techo $(é").len(), 1);
    }
}
