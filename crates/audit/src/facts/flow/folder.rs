//! In which folder a command runs, as far as a script says: `cd "$(dirname "$0")/../.."`.

use crate::facts::resolve;
use crate::shell::Command;

/// The folders that a path can start from, the likeliest first: the known one, the checked folder, that of the file.
pub(super) fn candidates(known: Option<&str>, own: &str) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for folder in known.into_iter().chain(["", own]) {
        if folders.iter().all(|one| one != folder) {
            folders.push(folder.to_owned());
        }
    }
    folders
}

/// Where `cd` goes: the outer [`None`] if the command is no `cd`, the inner one if that is not known. `own` is the
/// folder of the script, `known` where it is.
pub(super) fn changed(command: &Command, known: Option<&str>, own: &str) -> Option<Option<String>> {
    match command.name() {
        "popd" => return Some(None),
        "cd" | "pushd" => {}
        _ => return None,
    }
    let target = command
        .arguments()
        .iter()
        .find(|word| word.text == "-" || !word.text.starts_with('-'));
    let Some(target) = target else {
        return Some(None);
    };
    if let Some(folder) = of_script(&target.text, own) {
        return Some(Some(folder));
    }
    Some(known.and_then(|known| resolve(known, &target.text)))
}

/// The paths that a text can mean, the likeliest first.
pub(super) fn paths(text: &str, known: Option<&str>, own: &str) -> Vec<String> {
    if let Some(path) = of_script(text, own) {
        return vec![path];
    }
    // Of `$ROOT/scripts/build.sh`, nobody knows where it starts, but where it ends.
    let rest = match text.strip_prefix('$') {
        Some(_) => match text.split_once('/') {
            Some((_, rest)) => rest,
            None => return Vec::new(),
        },
        None => text,
    };
    candidates(known, own)
        .iter()
        .filter_map(|folder| resolve(folder, rest))
        .collect()
}

/// The path of a text that starts from the script's own place: `$(dirname "$0")/x`, `${BASH_SOURCE%/*}/x`,
/// `$(cd "$(dirname "$0")/.." && pwd)/x`; or from the repository: `$(git rev-parse --show-toplevel)/x`.
fn of_script(text: &str, own: &str) -> Option<String> {
    if text.len() > 1024 {
        return None;
    }
    if text.starts_with("$(git rev-parse --show-toplevel") {
        return resolve("", &format!(".{}", tails(text)));
    }
    let by_name = text.starts_with("${0%/*}") || text.starts_with("${BASH_SOURCE");
    let dirnames = text.matches("dirname").count();
    let of_itself = text.contains("$0") || text.contains("BASH_SOURCE") || text.contains("${0");
    if !(by_name && text.contains("%/*") || text.starts_with("$(") && dirnames > 0 && of_itself) {
        return None;
    }
    let ups = "../".repeat(dirnames.saturating_sub(1).min(16));
    resolve(own, &format!("{ups}.{}", tails(text)))
}

/// What stands behind the closings of expansions, put together: `/..` and `/x` of `$(cd "$(dirname "$0")/.." && pwd)/x`.
fn tails(text: &str) -> String {
    let mut path = String::new();
    let mut rest = text;
    while let Some(at) = rest.find([')', '}']) {
        rest = rest[at + 1..].trim_start_matches('"');
        if rest.starts_with('/') {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || "/._-".contains(c)))
                .unwrap_or(rest.len());
            path.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_knows_its_own_place() {
        let own = "scripts/deployment";
        for (text, wanted) in [
            (r#"$(dirname "$0")/../.."#, Some("")),
            (r#"$(dirname "$0")"#, Some(own)),
            (
                r#"$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/lib.sh"#,
                Some("scripts/lib.sh"),
            ),
            (r#"$(dirname "$(dirname "$0")")/x.sh"#, Some("scripts/x.sh")),
            (
                r#"$(dirname "$(readlink -f "$0")")/x.sh"#,
                Some("scripts/deployment/x.sh"),
            ),
            ("${BASH_SOURCE%/*}/x.sh", Some("scripts/deployment/x.sh")),
            ("${0%/*}/x.sh", Some("scripts/deployment/x.sh")),
            ("$(git rev-parse --show-toplevel)/x.sh", Some("x.sh")),
            ("$HOME/x.sh", None),
            ("x.sh", None),
        ] {
            assert_eq!(of_script(text, own).as_deref(), wanted, "{text}");
        }
    }
}
