//! Markdown: text from elsewhere that cannot become markup, and documentation as a terminal shows it.

use crate::render::{Style, coloured};
use crate::text::{clean_line, is_hostile};

/// Text in one line of which nothing is markup: it can stand in a table's cell.
///
/// A word's inner `_` stays as it is. `@name` would call a person where pull requests are read.
pub fn escape(text: &str) -> String {
    let text = clean_line(text);
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        match c {
            '\\' | '`' | '|' | '*' | '[' | ']' | '~' => safe.extend(['\\', c]),
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => safe.push_str("\\_"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '@' if !before.is_alphanumeric() => safe.push_str("@<!-- -->"),
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

/// Text in one line as code that can stand in a table's cell.
///
/// Readers differ in what `\\|` between backticks is in a table: with such characters it is HTML, where escapes count.
pub fn code(text: &str) -> String {
    let clean = clean_line(text);
    match clean.trim().is_empty() || clean.contains(['|', '`', '\\']) {
        true => format!("<code>{}</code>", escape(text)),
        false => format!("`{clean}`"),
    }
}

/// Documentation as a terminal shows it: headings are bold, code is indented, links show where they lead.
pub fn terminal(markdown: &str, colour: bool) -> String {
    let mut text = String::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let line: String = line.chars().filter(|&c| c == '\t' || !is_hostile(c)).collect();
        let trimmed = line.trim_start();
        match &fence {
            Some(open) if trimmed.trim_end() == open => fence = None,
            Some(_) => {
                text.push_str(format!("    {line}").trim_end());
                text.push('\n');
            }
            None if trimmed.starts_with("```") || trimmed.starts_with("~~~") => {
                let mark = trimmed.chars().next().unwrap_or('`');
                fence = Some(trimmed.chars().take_while(|&c| c == mark).collect());
            }
            None => {
                text.push_str(&prose(&line, colour));
                text.push('\n');
            }
        }
    }
    text
}

fn prose(line: &str, colour: bool) -> String {
    let level = line.chars().take_while(|&c| c == '#').count();
    if (1..=6).contains(&level) && line[level..].starts_with(' ') {
        return styled(&links(line[level..].trim()), Style::Bold, colour);
    }
    let line = links(line);
    let parts: Vec<&str> = line.split("**").collect();
    // Without a partner, `**` is text.
    if parts.len().is_multiple_of(2) {
        return line;
    }
    let parts = parts.iter().enumerate();
    parts
        .map(|(index, part)| match index % 2 {
            1 => styled(part, Style::Bold, colour),
            _ => (*part).to_owned(),
        })
        .collect()
}

/// `[words](target)` as `words (target)`.
fn links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        let link = rest[open + 1..].split_once("](").and_then(|(words, after)| {
            let (target, after) = after.split_once(')')?;
            (!words.contains('[')).then_some((words, target, after))
        });
        match link {
            Some((words, target, after)) => {
                text.push_str(&rest[..open]);
                text.push_str(&format!("{words} ({target})"));
                rest = after;
            }
            None => {
                text.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    text + rest
}

fn styled(text: &str, style: Style, colour: bool) -> String {
    match colour {
        true => coloured(text, style),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            escape("a|b `c` BUILDKIT_INLINE_CACHE _x_ <img> @me docker/login@v3 [l](u)\n::x"),
            "a\\|b \\`c\\` BUILDKIT_INLINE_CACHE \\_x\\_ &lt;img&gt; @<!-- -->me docker/login@v3 \\[l\\](u) ::x"
        );
        assert_eq!(code("a b.yml"), "`a b.yml`");
        assert_eq!(code("a`b\\|c"), "<code>a\\`b\\\\\\|c</code>");
    }

    #[test]
    fn documentation_is_readable_without_colour() {
        let text = "# Title\n\n**What** it is: see [the page](x.md), `a[0]`.\n\n```dockerfile\nFROM a\n\nRUN **x**\n```\n- end\u{1b}[31m\n";
        assert_eq!(
            terminal(text, false),
            "Title\n\nWhat it is: see the page (x.md), `a[0]`.\n\n    FROM a\n\n    RUN **x**\n- end[31m\n"
        );
        assert!(terminal(text, true).starts_with("\u{1b}[1mTitle\u{1b}[0m\n"));
    }

    proptest! {
        #[test]
        fn a_cell_has_no_free_border(text in "[a|\\\\`\n\r\u{1b}]{0,30}") {
            let cell = escape(&text);
            prop_assert!(!cell.contains(['\n', '\r', '\u{1b}']), "{cell:?}");
            let mut is_escaped = false;
            for c in cell.chars() {
                prop_assert!(is_escaped || !matches!(c, '|' | '`'), "{cell:?}");
                is_escaped = c == '\\' && !is_escaped;
            }
        }

        #[test]
        fn any_documentation_is_shown(text in "\\PC{0,80}") {
            terminal(&text, true);
        }
    }
}
