//! Random Dockerfiles and ignore files for a tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::tree::Tree;

/// Writes a Dockerfile and, mostly, an ignore file into a context; answers the Dockerfile's path. The mark makes the
/// cache keys of its steps its own.
///
/// # Errors
/// When one cannot be written.
pub fn write(root: &Path, tree: &Tree, mark: &str, random: &mut StdRng) -> io::Result<PathBuf> {
    let dockerfile = root.join(match random.random_range(0..5) {
        0 => "docker/Dev.Dockerfile",
        _ => "Dockerfile",
    });
    replace(&dockerfile, text(tree, mark, random).as_bytes())?;
    let own = dockerfile.with_file_name(format!(
        "{}.dockerignore",
        dockerfile.file_name().unwrap_or_default().display()
    ));
    let (shared, own_too) = match random.random_range(0..10) {
        0..2 => (false, false),
        2..7 => (true, false),
        7 => (false, true),
        _ => (true, true),
    };
    if shared {
        replace(&root.join(".dockerignore"), &ignore(tree, random))?;
    }
    if own_too {
        replace(&own, &ignore(tree, random))?;
    }
    Ok(dockerfile)
}

/// Writes a file in place of whatever the random tree has there.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    for place in [path.parent().unwrap_or(path), path] {
        let usable = |metadata: fs::Metadata| metadata.is_dir() == (place != path) && !metadata.is_symlink();
        match place.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() && place == path => fs::remove_dir_all(place)?,
            Ok(metadata) if !usable(metadata.clone()) || place == path => fs::remove_file(place)?,
            _ => {}
        }
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, content)
}

fn text(tree: &Tree, mark: &str, random: &mut StdRng) -> String {
    let base = if random.random_bool(0.5) {
        "scratch"
    } else {
        "unstale-base"
    };
    let mut text = format!("FROM {base}\nWORKDIR /{mark}\n");
    for _ in 0..random.random_range(1..=2) {
        text.push_str(&instruction(tree, random));
    }
    if base != "scratch" && random.random_ratio(1, 8) {
        text.push_str("RUN --mount=type=bind,target=/source find /source | sort > /list\n");
    }
    text
}

/// One COPY or ADD.
fn instruction(tree: &Tree, random: &mut StdRng) -> String {
    let word = if random.random_ratio(1, 4) { "ADD" } else { "COPY" };
    let flag = match random.random_range(0..24) {
        0 => "--chown=1000:1000 ",
        1 => "--chown=7 ",
        2 => "--chmod=0751 ",
        3 => "--link ",
        _ => "",
    };
    let path = |random: &mut StdRng| tree.paths.choose(random).cloned();
    let folder = |random: &mut StdRng| tree.folders.choose(random).map(|folder| literal(folder));
    let (sources, target) = match random.random_range(0..20) {
        0..9 => (vec![Some(".".to_owned())], "/"),
        9..14 => (vec![Some(".".to_owned())], "/app/"),
        14 => (vec![folder(random)], "/app"),
        15 => (vec![folder(random).map(|folder| format!("{folder}/"))], "/app/"),
        16 => (
            vec![folder(random).map(|folder| format!("/{folder}/../."))],
            "/app/",
        ),
        17 => (vec![path(random).map(|path| literal(&path))], "/app/one"),
        18 => {
            let some = (0..random.random_range(2..5)).map(|_| path(random).map(|path| literal(&path)));
            (some.collect(), "/app/")
        }
        _ => (vec![path(random).map(|path| wildcard(&path, random))], "/app/"),
    };
    let sources: Vec<String> = sources
        .into_iter()
        .map(|source| source.unwrap_or_else(|| ".".to_owned()))
        .collect();
    let words: Vec<String> = sources.into_iter().chain([target.to_owned()]).collect();
    let list = serde_json::to_string(&words).unwrap_or_default();
    format!("{word} {flag}{list}\n")
}

/// A path as a source that names it alone: wildcards and variables escaped.
fn literal(path: &str) -> String {
    let mut literal = String::new();
    for character in path.chars() {
        match character {
            '$' | '\'' | '"' => literal.push('\\'),
            // One backslash for the shell words, one for the pattern.
            '*' | '?' | '[' | '\\' => literal.push_str("\\\\"),
            _ => {}
        }
        if character == '\\' {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

/// A path with a wildcard somewhere.
fn wildcard(path: &str, random: &mut StdRng) -> String {
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    let number = random.random_range(0..parts.len());
    parts[number] = blur(&parts[number], random);
    parts.join("/")
}

/// A name as a pattern that may match it.
fn blur(name: &str, random: &mut StdRng) -> String {
    let characters: Vec<char> = name.chars().collect();
    let cut = random.random_range(0..characters.len().max(1));
    let head: String = characters.iter().take(cut).collect();
    let tail: String = characters.iter().skip(cut + 1).collect();
    match random.random_range(0..7) {
        0 => "*".to_owned(),
        1 => format!("{head}*"),
        2 => format!("*{tail}"),
        3 => format!("{head}?{tail}"),
        4 => format!("{head}[a-z]{tail}"),
        5 => format!("{head}[^a]{tail}"),
        _ => format!("{head}*{tail}"),
    }
}

/// An ignore file whose patterns are made from the tree's own paths.
fn ignore(tree: &Tree, random: &mut StdRng) -> Vec<u8> {
    let mut lines = Vec::new();
    for _ in 0..random.random_range(0..9) {
        lines.push(line(tree, random));
    }
    let end = if random.random_ratio(1, 6) { "\r\n" } else { "\n" };
    let mut text = lines.join(end);
    if random.random_bool(0.8) {
        text.push_str(end);
    }
    let mark: &[u8] = if random.random_ratio(1, 8) {
        b"\xef\xbb\xbf"
    } else {
        b""
    };
    [mark, text.as_bytes()].concat()
}

fn line(tree: &Tree, random: &mut StdRng) -> String {
    match random.random_range(0..24) {
        0 => return "# a comment".to_owned(),
        1 => {
            return ["", "  ", "\t"]
                .choose(random)
                .copied()
                .unwrap_or_default()
                .to_owned();
        }
        2 => return " # no comment".to_owned(),
        _ => {}
    }
    let path = tree
        .paths
        .choose(random)
        .cloned()
        .unwrap_or_else(|| "a".to_owned());
    // A line holds no line end. Engines refuse control characters in a pattern, and what ends in a backslash or an open
    // class is an error most of the time: such lines are rare.
    let path = path.replace('\n', "?");
    let odd = |character: char| character.is_control() || matches!(character, '\\' | '[');
    let path = if random.random_ratio(1, 30) {
        path
    } else {
        path.replace(odd, "?")
    };
    let last = path.rsplit('/').next().unwrap_or("a").to_owned();
    let pattern = match random.random_range(0..14) {
        0 => "*".to_owned(),
        1 => "**".to_owned(),
        2 => format!("**/{last}"),
        3 => format!("{path}/**"),
        4 => format!("**/{}", blur(&last, random)),
        5 => format!("{}/**/{last}", path.split('/').next().unwrap_or("a")),
        6..9 => wildcard(&path, random),
        9 => "*/*".to_owned(),
        _ => path,
    };
    let pattern = match random.random_range(0..14) {
        0 => format!("/{pattern}"),
        1 => format!("./{pattern}"),
        2 => format!("x/../{pattern}"),
        3 => format!("../{pattern}"),
        4 => format!("{pattern}/"),
        5 => format!("{pattern}/."),
        6 => pattern.replace('/', "//"),
        _ => pattern,
    };
    let mark = if random.random_ratio(2, 5) {
        ["!", "!", "! ", "!/"].choose(random).copied().unwrap_or("!")
    } else {
        ""
    };
    let (before, after) = match random.random_range(0..10) {
        0 => (" ", ""),
        1 => ("", "  "),
        2 => ("", "\t"),
        _ => ("", ""),
    };
    format!("{before}{mark}{pattern}{after}")
}
