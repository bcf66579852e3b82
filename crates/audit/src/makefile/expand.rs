//! What the shell would get of a text of make, as far as it is known.

use crate::{MappedText, Span};

/// Adds `text`, which stands at `start` in the file, with make's own notation made the shell's: `$(VAR)` becomes `${VAR}`,
/// a call of a function or an automatic variable becomes a variable of the same length (`${shell_git_…}`, `$_`), and
/// `$$` becomes `$`.
pub fn expand(mapped: &mut MappedText, text: &str, start: usize) {
    let bytes = text.as_bytes();
    let mut verbatim = 0;
    let mut at = 0;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'$'))
    {
        let dollar = at + found;
        let flush = |mapped: &mut MappedText| {
            mapped.push(text.get(verbatim..dollar).unwrap_or_default(), start + verbatim);
        };
        let end = match bytes.get(dollar + 1) {
            Some(b'$') => {
                flush(mapped);
                mapped.push_as("$", Span::new(start + dollar, start + dollar + 2));
                dollar + 2
            }
            Some(b'(' | b'{') => {
                let Some(end) = closing(bytes, dollar + 1) else {
                    // Not closed: what follows is nobody's to understand.
                    break;
                };
                flush(mapped);
                let inner = text.get(dollar + 2..end - 1).unwrap_or_default();
                mapped.push(&format!("${{{}}}", masked(inner)), start + dollar);
                end
            }
            Some(b'@' | b'<' | b'^' | b'*' | b'?' | b'+' | b'|' | b'%') => {
                flush(mapped);
                mapped.push("$_", start + dollar);
                dollar + 2
            }
            // `$ab` is the variable `a` and the letter `b`.
            Some(letter) if letter.is_ascii_alphabetic() => {
                flush(mapped);
                let name = char::from(*letter);
                mapped.push_as(
                    &format!("${{{name}}}"),
                    Span::new(start + dollar, start + dollar + 2),
                );
                dollar + 2
            }
            _ => {
                at = dollar + 1;
                continue;
            }
        };
        verbatim = end;
        at = end;
    }
    mapped.push(text.get(verbatim..).unwrap_or_default(), start + verbatim);
}

/// After the bracket that closes the one at `open`; other brackets of its kind within are counted.
pub(super) fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let (opening, closing) = match bytes.get(open)? {
        b'(' => (b'(', b')'),
        _ => (b'{', b'}'),
    };
    let mut depth = 0_usize;
    for (offset, byte) in bytes.get(open..)?.iter().enumerate() {
        if *byte == opening {
            depth += 1;
        } else if *byte == closing {
            depth -= 1;
            if depth == 0 {
                return Some(open + offset + 1);
            }
        }
    }
    None
}

/// A name of as many bytes, equal to `inner` if that is one.
fn masked(inner: &str) -> String {
    let mut name: String = inner
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte),
            _ => '_',
        })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.replace_range(..1, "_");
    }
    name
}

/// The commands of the outermost `$(shell …)` in a text that stands at `start` in the file.
pub(super) fn shell_calls(text: &str, start: usize, found: &mut Vec<MappedText>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(dollar) = text
        .get(at..)
        .and_then(|rest| rest.find('$'))
        .map(|found| at + found)
    {
        let call = ["(shell ", "{shell ", "(shell\t", "{shell\t"]
            .into_iter()
            .find(|call| text.get(dollar + 1..).is_some_and(|rest| rest.starts_with(call)));
        let Some(call) = call else {
            // The second of `$$` begins nothing.
            at = dollar + 1 + usize::from(bytes.get(dollar + 1) == Some(&b'$'));
            continue;
        };
        let Some(end) = closing(bytes, dollar + 1) else {
            return;
        };
        let inner = Span::new(dollar + 1 + call.len(), end - 1);
        let mut mapped = MappedText::default();
        let command = inner.slice(text);
        let blanks = command.len() - command.trim_start().len();
        expand(&mut mapped, command.trim(), start + inner.start + blanks);
        found.push(mapped);
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let mut mapped = MappedText::default();
        expand(&mut mapped, text, 0);
        mapped.text().to_owned()
    }

    #[test]
    fn references_become_expansions_of_the_shell() {
        assert_eq!(
            expanded("docker build -t $(IMAGE):${TAG} ."),
            "docker build -t ${IMAGE}:${TAG} ."
        );
        assert_eq!(
            expanded("for i in $$(ls); do echo $$i; done"),
            "for i in $(ls); do echo $i; done"
        );
        assert_eq!(expanded("cp $< $@ $Xy $1 50$"), "cp $_ $_ ${X}y $1 50$");
        assert_eq!(
            expanded("echo $(shell date (x)) $(2)"),
            "echo ${shell_date__x_} ${_}"
        );
        assert_eq!(expanded("echo $(A $(B) ö"), "echo $(A $(B) ö");
        assert_eq!(expanded("$(addprefix ö,a)"), "${addprefix____a}");
    }

    #[test]
    fn places_are_kept() {
        let file = "a $$x $(V) Z $$y end";
        let mut mapped = MappedText::default();
        expand(&mut mapped, file, 0);
        assert_eq!(mapped.text(), "a $x ${V} Z $y end");
        for (word, there) in [("$x", "$$x"), ("${V}", "$(V)"), ("Z", "Z"), ("end", "end")] {
            let at = mapped.text().find(word).unwrap();
            assert_eq!(mapped.span(Span::new(at, at + word.len())).slice(file), there);
        }
    }

    #[test]
    fn calls_of_the_shell_are_found() {
        let mut found = Vec::new();
        shell_calls(
            "V := $(shell git rev-parse $(REF)) $$(shell no) ${shell id}",
            0,
            &mut found,
        );
        let texts: Vec<&str> = found.iter().map(MappedText::text).collect();
        assert_eq!(texts, ["git rev-parse ${REF}", "id"]);
        assert_eq!(found[0].span(Span::new(0, 3)), Span::new(13, 16));
    }
}
