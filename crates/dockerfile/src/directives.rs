//! Parser directives: `# name=value` comments, which count only while nothing but directives came before them.

use crate::Directive;

/// The names that BuildKit knows; any other comment ends the directives.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// Reads a line as a directive.
pub(crate) fn directive(line: &str, number: usize) -> Option<Directive> {
    let (name, value) = line.trim_start().strip_prefix('#')?.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let value = value.trim();
    let known = NAMES.contains(&name.as_str()) && !value.is_empty();
    known.then(|| Directive {
        name,
        value: value.to_owned(),
        line: number,
    })
}
