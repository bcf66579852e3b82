//! How a text is laid out: its lines, comments, indentation and line endings.

use crate::Span;
use crate::yaml::{Kind, Node, Style, Yaml};

/// The byte at which the line of `at` begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

/// The byte at which the line of `at` ends, without its break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..]
        .find(['\n', '\r'])
        .map_or(text.len(), |found| at + found)
}

/// The byte after the line break at `at`.
pub(super) fn after_break(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    at + match rest {
        rest if rest.starts_with("\r\n") => 2,
        rest if rest.starts_with(['\n', '\r']) => 1,
        _ => 0,
    }
}

/// Whether there is nothing but white space before `at` on its line.
pub(super) fn is_first_on_line(text: &str, at: usize) -> bool {
    is_blank(&text[line_start(text, at)..at])
}

pub(super) fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// How many characters are before `at` on its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at]
        .trim_start_matches('\u{FEFF}')
        .chars()
        .count()
}

/// The line break that the text has.
pub(super) fn line_break(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The comment that begins at `at`.
pub(super) fn comment_at(yaml: &Yaml, at: usize) -> Option<Span> {
    let index = yaml.comments.binary_search_by_key(&at, |span| span.start).ok()?;
    Some(yaml.comments[index])
}

/// The first byte from `at` that is neither white space nor in a comment.
pub(super) fn skip_trivia(yaml: &Yaml, mut at: usize) -> usize {
    loop {
        let rest = &yaml.text()[at..];
        at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        match comment_at(yaml, at) {
            Some(comment) => at = comment.end.max(at + 1),
            None => return at,
        }
    }
}

/// The end of the line if from `at` on it has nothing but a comment.
pub(super) fn rest_of_line(yaml: &Yaml, at: usize) -> Option<usize> {
    let rest = &yaml.text()[at..];
    let next = at + rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let end = line_end(yaml.text(), next);
    (next == end || comment_at(yaml, next).is_some()).then_some(end)
}

/// The end of the last comment line after `at` (an end of a line) that belongs to what stands before it, because it is
/// indented more than `column`.
pub(super) fn with_own_comments(yaml: &Yaml, at: usize, column: usize) -> usize {
    let text = yaml.text();
    let mut found = at;
    let mut next = after_break(text, at);
    while next > found && next < text.len() {
        let end = line_end(text, next);
        let line = &text[next..end];
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let is_comment = comment_at(yaml, next + indent).is_some();
        match (is_blank(line), is_comment && indent > column) {
            (true, _) => {}
            (false, true) => found = end,
            (false, false) => break,
        }
        let after = after_break(text, end);
        if after == end {
            break;
        }
        next = after;
    }
    found
}

/// By how many columns the text indents, and whether its sequences stand at their key's column.
pub(super) fn habits(yaml: &Yaml) -> (usize, bool) {
    let text = yaml.text();
    let mut unit = None;
    let mut flush = None;
    for node in yaml.nodes() {
        if node.is_flow() || !matches!(node.kind(), Kind::Mapping | Kind::Sequence) {
            continue;
        }
        let Some(entry) = node.entry().filter(|entry| entry.value == node) else {
            continue;
        };
        let (key, own) = (column(text, entry.span.start), column(text, node.span().start));
        match node.kind() {
            Kind::Mapping => unit = unit.or((own > key).then(|| own - key)),
            _ => flush = flush.or(Some(own == key)),
        }
        if unit.is_some() && flush.is_some() {
            break;
        }
    }
    (unit.unwrap_or(2), flush.unwrap_or(false))
}

/// Whether a block scalar is the last thing before `at`: white space that comes after it could become a part of it.
pub(super) fn follows_block_scalar(yaml: &Yaml, at: usize) -> bool {
    let text = yaml.text();
    yaml.nodes().any(|node| {
        let is_block = match node.kind() {
            Kind::Scalar(scalar) => matches!(scalar.style(), Style::Literal | Style::Folded),
            _ => false,
        };
        is_block && node.span().end <= at && is_blank(&text[node.span().end..at])
    })
}

/// Whether what stands around bytes that are replaced does not become something else with what comes in their place: the mark
/// of a document's end at the beginning of a line, or a template's braces.
pub(super) fn joins_well(text: &str, replaced: Span, content: &str) -> bool {
    let start = line_start(text, replaced.start);
    let end = line_end(text, replaced.end);
    let (before, after) = (&text[start..replaced.start], &text[replaced.end..end]);
    let joined = format!("{before}{content}{after}");
    let is_mark = |line: &str| line.starts_with("---") || line.starts_with("...");
    let marks = |text: &str| text.lines().filter(|line| is_mark(line)).count();
    let is_brace = |at: usize| {
        let pair = at
            .checked_sub(1)
            .and_then(|before| joined.as_bytes().get(before..=at));
        matches!(pair, Some(b"{{" | b"}}" | b"{%" | b"%}" | b"{#" | b"#}"))
    };
    let makes_template = is_brace(before.len()) || is_brace(before.len() + content.len());
    marks(&joined) <= marks(&text[start..end]) && !makes_template
}

/// Whether a collection in brackets or braces is written so that what touches what decides what it says: entries that begin
/// with `?`, or tabs around words without quotes (JSON has none). Edits leave it alone.
pub(super) fn is_delicate(collection: Node<'_>) -> bool {
    let yaml = collection.yaml();
    let text = yaml.text();
    let mut slots = collection.slots().iter();
    if slots.any(|slot| slot.span.slice(text).starts_with('?')) {
        return true;
    }
    let around = std::iter::successors(Some(collection), |node| {
        node.parent().filter(|parent| parent.is_flow())
    });
    let Some(whole) = around.last().map(Node::span) else {
        return false;
    };
    let is_bare = |node: Node<'_>| match node.kind() {
        Kind::Scalar(scalar) => scalar.style() == Style::Plain && !is_json(scalar.text()),
        _ => false,
    };
    whole.slice(text).contains('\t')
        && yaml
            .nodes()
            .any(|node| whole.contains(node.outer_span()) && is_bare(node))
}

/// Whether JSON has a word without quotes: a number, `true`, `false`, `null`.
fn is_json(word: &str) -> bool {
    matches!(word, "true" | "false" | "null") || word.parse::<f64>().is_ok()
}

/// Whether it is the pair in `[key: value]`: a mapping of one entry, without braces.
pub(super) fn is_bare_pair(collection: Node<'_>) -> bool {
    let first = collection.slots().first();
    collection.is_flow() && first.is_some_and(|first| first.span.start == collection.span().start)
}

/// The collection's entries or items, and which of them the node is (in). [`None`] in a text that cannot be edited.
pub(super) fn place(node: Node<'_>) -> Option<(Node<'_>, usize)> {
    let (_, index) = node.data().parent?;
    let parent = node.parent().filter(|_| node.yaml().is_editable())?;
    Some((parent, index))
}
