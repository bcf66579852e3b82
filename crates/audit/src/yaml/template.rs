//! Takes templates out of a text that is no YAML because of them: Helm's and Jinja's `{{ … }}`, `{% … %}`, `{# … #}`, and
//! the `${{ … }}` of workflows.
//!
//! Every byte keeps its place: what is taken out is replaced by as many other bytes.

use crate::Span;

/// The text with words in place of its templates; nothing if it has none.
pub(super) fn mask(text: &str) -> Option<String> {
    let templates = templates(text);
    if templates.is_empty() {
        return None;
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = templates.as_slice();
    let mut at = 0;
    while let Some(&first) = rest.first() {
        let line = line_of(text, first);
        let count = rest
            .iter()
            .take_while(|template| template.end <= line.end)
            .count()
            .max(1);
        let (here, after) = rest.split_at(count);
        rest = after;
        // A line of nothing but templates is left out: they are control, or give whole lines.
        let is_alone = is_alone(text, line, here);
        for template in here {
            masked.push_str(Span::new(at, template.start).slice(text));
            let is_first = Span::new(line.start, template.start)
                .slice(text)
                .trim()
                .is_empty();
            let is_before_item = Span::new(template.end, line.end).slice(text).starts_with("- ");
            // Control says nothing; before a key, spaces would indent it.
            let is_nothing = is_control(template.slice(text)) && (!is_first || is_before_item);
            let filler = match is_alone || is_nothing {
                true => ' ',
                false => 'x',
            };
            fill(&mut masked, template.slice(text), filler);
            at = template.end;
        }
    }
    masked.push_str(Span::new(at, text.len()).slice(text));
    Some(masked)
}

/// Whether there is a template that gives no text: removing one of a pair would break the other.
pub(super) fn has_control(text: &str) -> bool {
    let is_cut = text.matches("{{").count() != text.matches("}}").count();
    is_cut
        || templates(text)
            .iter()
            .any(|template| is_control(template.slice(text)))
}

/// As many bytes as the template has, with its line breaks.
fn fill(masked: &mut String, template: &str, filler: char) {
    let is_broken = template.contains(['\n', '\r']);
    for byte in template.bytes() {
        masked.push(match byte {
            b'\n' | b'\r' => char::from(byte),
            // Words that go over lines would be indented wrongly.
            _ if is_broken => ' ',
            _ => filler,
        });
    }
}

/// The whole lines that a template is on, without the last break.
fn line_of(text: &str, template: Span) -> Span {
    let start = text[..template.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[template.end..]
        .find('\n')
        .map_or(text.len(), |at| template.end + at);
    Span::new(start, end)
}

/// Whether a template gives no text: a statement or a comment.
fn is_control(template: &str) -> bool {
    let Some(said) = template.strip_prefix("{{") else {
        return template.starts_with("{%") || template.starts_with("{#");
    };
    let said = said.trim_start_matches('-').trim_start();
    let word = said
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    said.starts_with("/*")
        || matches!(
            word,
            "if" | "else" | "end" | "range" | "with" | "define" | "block"
        )
}

fn is_alone(text: &str, line: Span, templates: &[Span]) -> bool {
    let mut at = line.start;
    templates
        .iter()
        .map(|template| Span::new(std::mem::replace(&mut at, template.end), template.start))
        .collect::<Vec<_>>()
        .into_iter()
        .chain([Span::new(at, line.end)])
        .all(|between| between.slice(text).trim().is_empty())
}

/// The templates in order.
fn templates(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut at = 0;
    // What has no end once has none later either.
    let mut endless = [false; 3];
    while let Some(open) = text[at..].find('{') {
        let open = at + open;
        let (kind, close) = match text.as_bytes().get(open + 1) {
            Some(b'{') => (0, "}}"),
            Some(b'%') => (1, "%}"),
            Some(b'#') => (2, "#}"),
            _ => {
                at = open + 1;
                continue;
            }
        };
        let end = match endless[kind] {
            true => None,
            false => text[open + 2..].find(close),
        };
        let Some(end) = end.map(|end| open + 2 + end + close.len()) else {
            endless[kind] = true;
            at = open + 1;
            continue;
        };
        let start = match text[..open].ends_with('$') {
            true => open - 1,
            false => open,
        };
        found.push(Span::new(start, end));
        at = end;
    }
    found
}
