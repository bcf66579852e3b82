//! Which heredocs a line opens. Their text is taken in [`crate::read`].

use crate::characters::{is_pattern_space, text};
use crate::lex::{Keep, words};

/// The beginning of a heredoc: `<<NAME`, `<<-NAME`, `3<<NAME`, with a quoted or a bare name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The word that ends it.
    pub name: Vec<u8>,
    pub expand: bool,
    pub chomp: bool,
}

/// The heredocs that the joined line of an instruction opens.
///
/// # Errors
/// When a name cannot be read.
pub(crate) fn opened(line: &[u8]) -> Result<Vec<Opened>, &'static str> {
    if !line.windows(2).any(|pair| pair == b"<<") {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for word in words(line, Keep::All).unwrap_or_default() {
        all.extend(heredoc(&word)?);
    }
    Ok(all)
}

/// Whether a word is the beginning of a heredoc.
pub(crate) fn is_heredoc(word: &[u8]) -> bool {
    matches!(heredoc(word), Ok(Some(_)))
}

/// Reads a word as the beginning of a heredoc.
///
/// # Errors
/// When its name cannot be read.
pub(crate) fn heredoc(word: &[u8]) -> Result<Option<Opened>, &'static str> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(mut rest) = word[digits..].strip_prefix(b"<<") else {
        return Ok(None);
    };
    let chomp = rest.first() == Some(&b'-');
    if chomp {
        rest = &rest[1..];
    }
    while let [first, after @ ..] = rest {
        if !is_pattern_space(*first) {
            break;
        }
        rest = after;
    }
    if rest.is_empty() || rest.contains(&b'<') {
        return Ok(None);
    }
    let plain = words(rest, Keep::Nothing)?;
    let [name] = &plain[..] else { return Ok(None) };
    let quoted = words(rest, Keep::Quotes)?;
    let quotes = |word: &[u8]| word.iter().filter(|byte| matches!(byte, b'\'' | b'"')).count();
    Ok(Some(Opened {
        expand: quoted.first().is_some_and(|raw| quotes(raw) == quotes(name)),
        name: name.clone(),
        chomp,
    }))
}

/// Whether a line ends a heredoc.
pub(crate) fn ends(line: &[u8], heredoc: &Opened) -> bool {
    let tabs = line
        .iter()
        .take_while(|byte| heredoc.chomp && **byte == b'\t')
        .count();
    line[tabs..] == heredoc.name
}

impl Opened {
    pub fn name(&self) -> String {
        text(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        opened(line.as_bytes())
            .unwrap()
            .iter()
            .map(Opened::name)
            .collect()
    }

    #[test]
    fn every_form_is_seen_and_nothing_else() {
        assert_eq!(
            names("cat <<A 3<<-B <<'C' <<\"D E\" << F"),
            ["A", "B", "C", "D E", "F"]
        );
        assert!(names("cat <<< word x<<EOF '<<EOF' $((1<<2)) <<\"\" <<").is_empty());
    }

    #[test]
    fn a_line_that_the_lexer_refuses_opens_none() {
        assert!(names("echo it's <<EOF").is_empty());
        assert!(names("echo ${a[0]} <<EOF").is_empty());
    }

    #[test]
    fn a_substitution_in_a_name_may_make_it_unreadable() {
        assert_eq!(names("<<${x}"), ["${x}"]);
        assert_eq!(names("${a:-b <<c}"), ["c}"]);
        assert!(opened(b"${a:-b <<'c d'}").is_err());
    }

    #[test]
    fn a_quote_in_the_name_protects_the_text() {
        let all = opened(br#"<<A <<'B' <<"C" <<\D <<E\'"#).unwrap();
        let expand: Vec<_> = all.iter().map(|heredoc| heredoc.expand).collect();
        assert_eq!(expand, [true, false, false, true, true]);
    }
}
