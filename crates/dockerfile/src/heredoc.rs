//! Which heredocs an instruction opens. Their text is taken in [`crate::read`].

use crate::{Heredoc, words};

/// The instructions that can have heredocs.
const KEYWORDS: [&str; 3] = ["ADD", "COPY", "RUN"];

/// The heredocs that the joined line of an instruction opens, still without content.
pub(crate) fn opened(keyword: &str, args: &str, line: &str, escape: char) -> Vec<Heredoc> {
    if !line.contains("<<") || !can_have(keyword, args) {
        return Vec::new();
    }
    words::split(line, escape)
        .into_iter()
        .filter_map(heredoc)
        .collect()
}

fn can_have(keyword: &str, args: &str) -> bool {
    let (keyword, args) = match keyword {
        "ONBUILD" => args.split_once(char::is_whitespace).unwrap_or((args, "")),
        _ => (keyword, args),
    };
    let known = KEYWORDS.iter().any(|known| keyword.eq_ignore_ascii_case(known));
    // The exec form is a list of strings, and nothing in it is syntax.
    known && serde_json::from_str::<Vec<String>>(args.trim()).is_err()
}

/// `<<NAME`, `<<-NAME`, `3<<NAME`, with a quoted or a bare name.
fn heredoc(word: &str) -> Option<Heredoc> {
    let rest = word
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .strip_prefix("<<")?;
    let (chomp, raw) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if raw.is_empty() || raw.contains('<') {
        return None;
    }
    // Here the escape is always the backslash, whatever the directive says (BuildKit's `heredocFromMatch`).
    let name = words::unquote(raw, '\\');
    let quoted = raw.contains(['\'', '"']);
    Some(Heredoc {
        name,
        expand: !quoted,
        chomp,
        content: String::new(),
        terminated: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        opened("RUN", line, line, '\\')
            .into_iter()
            .map(|heredoc| heredoc.name)
            .collect()
    }

    #[test]
    fn every_form_is_seen_and_nothing_else() {
        assert_eq!(names("cat <<A 3<<-B <<'C' <<\"D E\""), ["A", "B", "C", "D E"]);
        assert!(names("cat <<< word << EOF x<<EOF '<<EOF' $((1<<2))").is_empty());
        assert!(opened("RUN", r#"["cat", "<<EOF"]"#, r#"RUN ["cat", "<<EOF"]"#, '\\').is_empty());
        assert!(opened("CMD", "cat <<EOF", "CMD cat <<EOF", '\\').is_empty());
        assert_eq!(
            opened("ONBUILD", "run cat <<EOF", "ONBUILD run cat <<EOF", '\\').len(),
            1
        );
    }
}
