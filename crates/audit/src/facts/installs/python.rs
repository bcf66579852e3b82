//! Installs by the package managers of Python: pip, uv, conda.

use super::{Found, Manager};

/// `pip install …`: of requirement files, of the project, or of what it names.
pub(super) fn pip(words: &[&str], name: &str) -> Option<Found> {
    let at = words.iter().position(|word| !word.starts_with('-'))?;
    if words[at] != "install" {
        return None;
    }
    let mut requirements = Vec::new();
    let mut own = false;
    let mut named = false;
    let mut rest = words[at + 1..].iter().copied();
    while let Some(word) = rest.next() {
        match word {
            "-r" | "--requirement" => requirements.extend(rest.next()),
            "-e" | "--editable" => {
                own = true;
                rest.next();
            }
            "-c" | "--constraint" | "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links"
            | "-t" | "--target" | "--prefix" | "--root" | "--trusted-host" | "--cache-dir" | "--timeout"
            | "--retries" | "--progress-bar" | "--platform" | "--python-version" | "--no-binary"
            | "--only-binary" | "--proxy" => {
                rest.next();
            }
            word if word.starts_with("--requirement=") => {
                requirements.extend(word.strip_prefix("--requirement="))
            }
            word if word.starts_with("-r") => requirements.extend(word.strip_prefix("-r")),
            word if word.starts_with('-') => {}
            word if is_path(word) => own = true,
            _ => named = true,
        }
    }
    let requirements: Vec<String> = requirements.into_iter().map(str::to_owned).collect();
    match (requirements.is_empty(), own, named) {
        (_, true, _) => Found::own(name, Manager::Pip),
        (false, ..) => Some(Found {
            manifests: requirements,
            ..Found::of(&format!("{name} -r"), Manager::Pip, &[])?
        }),
        (true, _, true) => Found::named(name, Manager::Pip),
        _ => None,
    }
}

/// Whether an argument of pip is a folder or file rather than the name of a package.
fn is_path(word: &str) -> bool {
    word == "."
        || word.starts_with("./")
        || word.starts_with(".[")
        || word.starts_with('/')
        || word.starts_with("..")
        || word.ends_with(".whl")
        || word.ends_with(".tar.gz") && !word.contains("://")
        || word.starts_with('$')
}

pub(super) fn uv(words: &[&str], plain: &[&str]) -> Option<Found> {
    match plain.first().copied()? {
        "sync" => Found::of("uv sync", Manager::Uv, &["pyproject.toml", "uv.lock"]),
        "pip" => {
            let at = words.iter().position(|word| *word == "pip")?;
            match words.get(at + 1).copied()? {
                "sync" => {
                    let file = plain.get(2)?;
                    Found::of("uv pip sync", Manager::Uv, &[file])
                }
                _ => pip(&words[at + 1..], "uv pip install"),
            }
        }
        _ => None,
    }
}

pub(super) fn conda(name: &str, words: &[&str], plain: &[&str]) -> Option<Found> {
    let file = words.iter().enumerate().find_map(|(at, word)| match *word {
        "-f" | "--file" => words.get(at + 1).copied(),
        word => word.strip_prefix("--file="),
    });
    match (plain, file) {
        (["env", "create" | "update", ..] | ["create" | "install" | "update", ..], Some(file)) => {
            Found::of(&format!("{name} env create -f"), Manager::Conda, &[file])
        }
        (["install", _, ..], None) => Found::named(&format!("{name} install"), Manager::Conda),
        _ => None,
    }
}
