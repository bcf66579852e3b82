//! The corpus's folder: `trees/SOURCE/…` with each source's files where they were, a flat folder for each kind with
//! one file of each content, and `SOURCES.md`.
//!
//! Must not: get anything from anywhere; run anything.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::kind::Kind;

/// Larger files are left out, in bytes: nobody writes them.
const LARGEST: u64 = 1 << 20;

/// The longest name in a flat folder, in characters.
const LONGEST: usize = 180;

/// A corpus that grows.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    seen: HashSet<[u8; 32]>,
    sources: Vec<Source>,
}

/// Where files came from, and how many there were.
#[derive(Debug)]
struct Source {
    name: String,
    client: String,
    version: String,
    /// Files whose content no earlier source had.
    counts: BTreeMap<Kind, usize>,
}

impl Store {
    /// A corpus in a folder that is new or empty.
    ///
    /// # Errors
    /// When there is something in it, or it cannot be made.
    pub fn create(root: &Path) -> Result<Store, String> {
        let failed = |error| format!("cannot make {}: {error}", root.display());
        fs::create_dir_all(root).map_err(failed)?;
        if fs::read_dir(root).map_err(failed)?.next().is_some() {
            return Err(format!("{} is not empty", root.display()));
        }
        let flat = Kind::ALL.into_iter().filter_map(Kind::folder);
        for folder in flat.chain(["trees"]) {
            fs::create_dir(root.join(folder)).map_err(failed)?;
        }
        Ok(Store {
            root: root.to_owned(),
            seen: HashSet::new(),
            sources: Vec::new(),
        })
    }

    /// Takes the files of a source that are of a kind; how many had a new content.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn add(&mut self, name: &str, client: &str, version: &str, folder: &Path) -> io::Result<usize> {
        let mut counts = BTreeMap::new();
        for path in files(folder)? {
            let content = fs::read(folder.join(&path))?;
            let Some(kind) = Kind::of(&path, &content) else {
                continue;
            };
            let copy = self.root.join("trees").join(name).join(&path);
            if let Some(parent) = copy.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&copy, &content)?;
            let digest: [u8; 32] = Sha256::digest(&content).into();
            if content.trim_ascii().is_empty() || !self.seen.insert(digest) {
                continue;
            }
            *counts.entry(kind).or_default() += 1;
            if let Some(flat) = kind.folder() {
                fs::hard_link(&copy, self.root.join(flat).join(flat_name(name, &path, &digest)))?;
            }
        }
        let total = counts.values().sum();
        self.sources.push(Source {
            name: name.to_owned(),
            client: client.to_owned(),
            version: version.to_owned(),
            counts,
        });
        Ok(total)
    }

    /// Writes `SOURCES.md`, and gives the totals as one line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&self) -> io::Result<String> {
        let mut text = "# Sources of the corpus\n\nHow many contents each source added.\n\n| source | client | version |".to_owned();
        let names = Kind::ALL.map(|kind| kind.folder().unwrap_or("markers"));
        let _ = writeln!(
            text,
            " {} |\n|---|---|---|{}",
            names.join(" | "),
            "--:|".repeat(names.len())
        );
        for source in &self.sources {
            let counts = Kind::ALL.map(|kind| source.counts.get(&kind).copied().unwrap_or(0).to_string());
            let Source {
                name,
                client,
                version,
                ..
            } = source;
            let _ = writeln!(text, "| {name} | {client} | {version} | {} |", counts.join(" | "));
        }
        fs::write(self.root.join("SOURCES.md"), text)?;
        let total = |kind| {
            self.sources
                .iter()
                .filter_map(|source| source.counts.get(&kind))
                .sum::<usize>()
        };
        let totals: Vec<String> = Kind::ALL
            .iter()
            .zip(names)
            .map(|(kind, name)| format!("{} {name}", total(*kind)))
            .collect();
        Ok(totals.join(", "))
    }
}

/// The files below a folder that can be of a kind, in order, by their paths in it. Links are not followed.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<String>> {
    let (mut found, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if inner.is_empty() {
                name.clone()
            } else {
                format!("{inner}/{name}")
            };
            let metadata = entry.metadata()?;
            if metadata.is_dir() && name != ".git" {
                folders.push(path);
            } else if metadata.is_file() && metadata.len() <= LARGEST && Kind::is_possible(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A name for a folder without folders; the digest makes a shortened one unique.
fn flat_name(source: &str, path: &str, digest: &[u8]) -> String {
    let name = format!("{source}__{}", path.replace('/', "__"));
    let length = name.chars().count();
    if length <= LONGEST && name.len() <= 255 {
        return name;
    }
    let mut end: String = name.chars().skip(length.saturating_sub(40)).collect();
    while end.len() > 150 {
        end.remove(0);
    }
    format!("{}__{end}", hex::encode(&digest[..digest.len().min(16)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_keeps_its_folders_and_each_content_is_once_in_the_flat_folders() {
        let scratch = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = scratch.path().join("in").join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("written");
        };
        write("a/Dockerfile", "FROM a\n");
        write("b/Dockerfile", "FROM a\n");
        write("b/logo.png", "x");
        write("b/.git/Dockerfile", "FROM git\n");
        write("compose.yml", "services:\n  a:\n    build: a\n");
        let root = scratch.path().join("out");
        let mut store = Store::create(&root).expect("a store");
        let added = store.add("one", "npm", "1.0", &scratch.path().join("in"));
        assert_eq!(added.expect("added"), 2);
        let names = |folder: &str| -> Vec<_> {
            let entries = fs::read_dir(root.join(folder)).expect("a folder");
            entries
                .map(|entry| entry.expect("an entry").file_name())
                .collect()
        };
        assert_eq!(names("dockerfiles"), ["one__a__Dockerfile"]);
        assert_eq!(names("compose"), ["one__compose.yml"]);
        assert!(root.join("trees/one/b/Dockerfile").is_file());
        assert!(!root.join("trees/one/b/.git").exists());
        let totals = store.finish().expect("finished");
        assert!(
            totals.starts_with("1 dockerfiles, 1 compose, 0 scripts"),
            "{totals}"
        );
        assert!(
            Store::create(&root).is_err(),
            "a folder with something in it is left alone"
        );
    }

    #[test]
    fn long_names_are_shortened_and_stay_different() {
        let (one, other) = (format!("{}/a", "x".repeat(300)), format!("{}/a", "y".repeat(300)));
        let first = flat_name("s", &one, &[1; 32]);
        assert!(first.len() < 255 && first.ends_with("__a"));
        assert_ne!(first, flat_name("s", &other, &[2; 32]));
        assert!(flat_name("s", &"☃".repeat(200), &[3; 32]).len() < 255);
    }
}
