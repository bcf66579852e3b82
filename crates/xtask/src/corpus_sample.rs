//! A tree of files chosen from a corpus, for measurements of speed: the same files from the same corpus, each time, and
//! no source more often than needed.
//!
//! Must not: choose by what any tool says of a file.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::corpus::kind::Kind;
use crate::corpus::store;

/// How many files of each kind are chosen: 1,000 in all.
const NUMBERS: [(Kind, usize); 4] = [
    (Kind::Dockerfile, 450),
    (Kind::Compose, 350),
    (Kind::Script, 100),
    (Kind::Workflow, 100),
];

/// From where to where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A corpus that `cargo xtask corpus` has collected
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The folder to fill; it must be new
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Chooses 1,000 files and copies them; `false` when the corpus has too few of a kind.
///
/// # Errors
/// When a file cannot be read or written.
pub fn sample(arguments: &Arguments) -> Result<bool, String> {
    let failed = |error: std::io::Error| format!("cannot fill {}: {error}", arguments.to.display());
    let trees = arguments.from.join("trees");
    let found = contents(&trees).map_err(|error| format!("cannot read {}: {error}", trees.display()))?;
    fs::create_dir(&arguments.to).map_err(failed)?;
    let mut enough = true;
    for (kind, number) in NUMBERS {
        let chosen = choose(found.get(&kind).cloned().unwrap_or_default(), number);
        println!("{} {}", chosen.len(), kind.folder().unwrap_or_default());
        enough &= chosen.len() == number;
        for path in chosen {
            let copy = arguments.to.join(&path);
            fs::create_dir_all(copy.parent().unwrap_or(&arguments.to)).map_err(failed)?;
            fs::copy(trees.join(&path), &copy).map_err(failed)?;
        }
    }
    Ok(enough)
}

/// A source's files in an order of their own: by digest.
type Sources = BTreeMap<String, BTreeMap<[u8; 32], String>>;

/// The files of each kind by source, each content once.
fn contents(trees: &Path) -> std::io::Result<BTreeMap<Kind, Sources>> {
    let mut found: BTreeMap<Kind, Sources> = BTreeMap::new();
    let mut seen = HashSet::new();
    // What others wrote is collected from them, or not at all.
    let is_vendored = |path: &String| path.contains("/vendor/") || path.contains("/node_modules/");
    for path in store::files(trees)?.into_iter().filter(|path| !is_vendored(path)) {
        let content = fs::read(trees.join(&path))?;
        let Some((source, inner)) = path.split_once('/') else {
            continue;
        };
        let digest: [u8; 32] = Sha256::digest(&content).into();
        match Kind::of(inner, &content) {
            Some(kind) if !content.trim_ascii().is_empty() && seen.insert(digest) => {
                let sources = found.entry(kind).or_default();
                sources.entry(source.to_owned()).or_default().insert(digest, path);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// One file of each source, then a second one of each that has more, until there are enough.
fn choose(sources: Sources, number: usize) -> Vec<String> {
    let mut queues: Vec<_> = sources.into_values().map(BTreeMap::into_values).collect();
    let mut chosen = Vec::new();
    while chosen.len() < number && !queues.is_empty() {
        queues.retain_mut(|queue| match queue.next() {
            Some(path) => {
                chosen.push(path);
                true
            }
            None => false,
        });
    }
    chosen.truncate(number);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_take_turns() {
        let source = |name: &str, count: u8| {
            let files = (0..count).map(|at| ([at; 32], format!("{name}{at}"))).collect();
            (name.to_owned(), files)
        };
        let sources: Sources = [source("a", 9), source("b", 2), source("c", 0)].into();
        assert_eq!(choose(sources.clone(), 5), ["a0", "b0", "a1", "b1", "a2"]);
        assert_eq!(choose(sources, 100).len(), 11);
    }
}
