//! Gives a scalar another text.

use super::Change;
use super::layout::{column, is_delicate, line_break};
use crate::yaml::{Kind, Node, Style};

/// Replaces a scalar's text, in the quotes that it has, or in quotes where the text needs them. A text that replaces a
/// text stays one: `1.10` is quoted then.
///
/// Nothing if the node is no scalar, or a key that is not written.
pub fn replacement(node: Node<'_>, text: &str) -> Option<Change> {
    let Kind::Scalar(scalar) = node.kind() else {
        return None;
    };
    let file = node.yaml().text();
    let is_in_delicate = node
        .parent()
        .is_some_and(|parent| parent.is_flow() && is_delicate(parent));
    if !node.yaml().is_editable() || is_in_delicate {
        return None;
    }
    let span = node.span();
    let in_flow = std::iter::successors(node.parent(), |node| node.parent()).any(Node::is_flow);
    let is_text = scalar.style() != Style::Plain || (!scalar.is_null() && is_text(scalar.text()));
    let is_key = node.is_key();
    let content = match scalar.style() {
        Style::Plain if fits_plain(text, in_flow) && (!is_text || self::is_text(text)) => text.to_owned(),
        Style::SingleQuoted if fits_single_quotes(text) => single_quoted(text),
        Style::Literal | Style::Folded if !is_key => block(node, text).unwrap_or_else(|| double_quoted(text)),
        Style::Plain if fits_single_quotes(text) && text.contains(['"', '\\']) => single_quoted(text),
        _ => double_quoted(text),
    };
    if !span.is_empty() {
        return Some(Change { span, content });
    }
    // It is not written: what comes before it must call for it.
    let entry = node.entry();
    let mark = if entry.is_some() { ':' } else { '-' };
    let key_end = entry.map_or(0, |entry| entry.key.outer_span().end);
    let has_properties = node.outer_span().start < span.start;
    let is_called = has_properties || (key_end < span.start && file[..span.start].ends_with(mark));
    let mut comments = node.yaml().comments();
    let is_in_comment = comments.any(|one| one.span.start < span.start && span.start <= one.span.end);
    if is_key || !is_called || is_in_comment {
        return None;
    }
    let content = format!(" {content}");
    Some(Change { span, content })
}

/// Whether a plain scalar is a text for all readers: no number, bool, null or date.
fn is_text(plain: &str) -> bool {
    let lower = plain.to_ascii_lowercase();
    let is_word = matches!(
        lower.as_str(),
        "" | "~" | "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "<<" | "="
    );
    let unsigned = lower.trim_start_matches(['+', '-']);
    let is_special = matches!(unsigned, ".inf" | ".nan");
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned
            .chars()
            .all(|c| c.is_ascii_hexdigit() || "xo_.:+-tz ".contains(c));
    !is_word && !is_special && !is_number
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{FEFF}' | '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}')
}

fn fits_plain(text: &str, in_flow: bool) -> bool {
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return false;
    };
    let second = characters.next();
    let is_flow_mark = |c: char| matches!(c, ',' | '[' | ']' | '{' | '}');
    let begins = match first {
        '-' | '?' | ':' => second.is_some_and(|c| c != ' ' && !(in_flow && is_flow_mark(c))),
        '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => false,
        c => !is_flow_mark(c),
    };
    // Without quotes these are no text, whatever stood there before.
    let is_null = matches!(text, "~" | "null" | "Null" | "NULL");
    begins
        && !is_null
        && text.trim() == text
        && text.chars().all(is_printable)
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !(in_flow && text.contains([',', '[', ']', '{', '}', ':']))
}

fn fits_single_quotes(text: &str) -> bool {
    text.chars().all(is_printable)
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if is_printable(c) => quoted.push(c),
            c if (c as u32) <= 0xFF => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c => quoted.push_str(&format!("\\u{:04x}", c as u32)),
        }
    }
    quoted.push('"');
    quoted
}

/// The text as a literal block at the indentation that the node has; nothing if it cannot be one.
fn block(node: Node<'_>, text: &str) -> Option<String> {
    let file = node.yaml().text();
    let said = text.trim_end_matches('\n');
    let breaks = text.len() - said.len();
    let fits = said.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
        && said.starts_with(|c: char| !c.is_whitespace())
        && !said
            .lines()
            .any(|line| !line.is_empty() && line.trim().is_empty());
    // Empty lines at the end depend on those that come after.
    if !fits || breaks > 1 {
        return None;
    }
    let Kind::Scalar(scalar) = node.kind() else {
        return None;
    };
    let first = scalar.mapped().span(crate::Span::new(0, 1));
    let indent = match scalar.text().starts_with(|c: char| !c.is_whitespace()) {
        true => column(file, first.start),
        false => return None,
    };
    let (mark, is_one_line) = match scalar.style() {
        Style::Folded if !said.contains('\n') => ('>', true),
        _ => ('|', false),
    };
    let chomp = match breaks {
        0 => "-",
        _ => "",
    };
    let header = node.span().slice(file).lines().next().unwrap_or_default();
    let comment = header.find(" #").map_or("", |at| &header[at..]);
    let line_break = line_break(file);
    let mut content = format!("{mark}{chomp}{comment}");
    let lines = if is_one_line {
        vec![said]
    } else {
        said.split('\n').collect()
    };
    for line in lines {
        content.push_str(line_break);
        if !line.is_empty() {
            content.push_str(&" ".repeat(indent));
            content.push_str(line);
        }
    }
    Some(content)
}
