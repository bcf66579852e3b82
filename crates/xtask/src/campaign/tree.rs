//! The files of a project: planted, read, put back; and which of them an instruction selects.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rand::Rng as _;
use rand::rngs::StdRng;

/// The files that instructions name, or the folders of which they name: they are never removed or renamed.
pub const NAMED: [&str; 4] = ["main.txt", "src/a.txt", "conf/one.conf", "src/lib/e.txt"];

/// The other files.
const OTHERS: [&str; 10] = [
    "extra.txt",
    "notes.md",
    "debug.log",
    "src/b.txt",
    "src/c.txt",
    "src/lib/d.txt",
    "src/lib/tool.sh",
    "conf/two.conf",
    "tmp/scratch.txt",
    "tmp/keep.txt",
];

/// What is on disk: relative paths with `/`, folders included; no times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tree(BTreeMap<String, Node>);

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// The permission bits.
    pub mode: u32,
    /// The content; a folder has none.
    pub content: Option<Vec<u8>>,
}

/// Writes a new project's files.
///
/// # Errors
/// When one cannot be written.
pub fn plant(root: &Path, random: &mut StdRng) -> io::Result<()> {
    for path in NAMED.into_iter().chain(OTHERS) {
        if !NAMED.contains(&path) && random.random_ratio(1, 6) {
            continue;
        }
        let place = root.join(path);
        fs::create_dir_all(place.parent().unwrap_or(root))?;
        fs::write(&place, content(random))?;
        let mode = if path.ends_with(".sh") { 0o755 } else { 0o644 };
        fs::set_permissions(&place, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A small text.
pub fn content(random: &mut StdRng) -> String {
    let words = random.random_range(2..12);
    let word = |_| format!("{:05x}", random.random_range(0..0x10_0000));
    (0..words).map(word).collect::<Vec<_>>().join(" ") + "\n"
}

impl Tree {
    /// Reads a folder, without git's own files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.enter(root, "")?;
        Ok(tree)
    }

    fn enter(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if prefix.is_empty() && name == ".git" {
                continue;
            }
            let path = format!("{prefix}{name}");
            let metadata = entry.metadata()?;
            let content = if metadata.is_dir() {
                self.enter(&entry.path(), &format!("{path}/"))?;
                None
            } else {
                Some(fs::read(entry.path())?)
            };
            let mode = metadata.permissions().mode() & 0o7777;
            self.0.insert(path, Node { mode, content });
        }
        Ok(())
    }

    /// Makes a folder like this again; what is the same is not touched.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn restore(&self, root: &Path) -> io::Result<()> {
        let present = Self::read(root)?;
        for (path, node) in present.0.iter().rev() {
            let place = root.join(path);
            match (self.0.contains_key(path), &node.content) {
                (true, _) => {}
                (false, Some(_)) => fs::remove_file(place)?,
                (false, None) => fs::remove_dir(place)?,
            }
        }
        for (path, node) in &self.0 {
            if present.0.get(path) == Some(node) {
                continue;
            }
            let place = root.join(path);
            match &node.content {
                Some(content) => fs::write(&place, content)?,
                None => fs::create_dir_all(&place)?,
            }
            fs::set_permissions(&place, Permissions::from_mode(node.mode))?;
        }
        Ok(())
    }

    /// The files, without folders.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Node)> {
        let files = self.0.iter().filter(|(_, node)| node.content.is_some());
        files.map(|(path, node)| (path.as_str(), node))
    }

    /// The folders.
    pub fn folders(&self) -> impl Iterator<Item = (&str, &Node)> {
        let folders = self.0.iter().filter(|(_, node)| node.content.is_none());
        folders.map(|(path, node)| (path.as_str(), node))
    }

    /// What is left when an ignore file's patterns are applied: the last one that matches decides, and a folder stays for
    /// what stays in it.
    pub fn without_ignored(&self, patterns: &[String]) -> Self {
        let kept = |path: &str| {
            let mut ignored = false;
            for pattern in patterns {
                let (plain, exception) = match pattern.strip_prefix('!') {
                    Some(plain) => (plain, true),
                    None => (pattern.as_str(), false),
                };
                if matches(plain, path) {
                    ignored = !exception;
                }
            }
            !ignored
        };
        let mut left: BTreeSet<&str> = BTreeSet::new();
        for path in self.0.keys().filter(|path| kept(path)) {
            left.extend(ancestors(path));
            left.insert(path);
        }
        let nodes = self.0.iter().filter(|(path, _)| left.contains(path.as_str()));
        Self(nodes.map(|(path, node)| (path.clone(), node.clone())).collect())
    }

    /// What the sources of an instruction select: files, folders with all that is in them, patterns.
    pub fn select(&self, sources: &[String], exclude: Option<&str>) -> Self {
        let chosen = |path: &str| {
            sources.iter().any(|source| {
                let source = source.replace("/./", "/");
                source == "." || matches(source.trim_end_matches('/'), path)
            })
        };
        // `--exclude` is a pattern like those of an ignore file.
        let excluded = |path: &str| exclude.is_some_and(|pattern| matches(pattern, path));
        let nodes = self.0.iter().filter(|(path, _)| chosen(path) && !excluded(path));
        Self(nodes.map(|(path, node)| (path.clone(), node.clone())).collect())
    }

    /// The paths that are not the same in both.
    pub fn differences(&self, other: &Self) -> BTreeSet<String> {
        let paths = self.0.keys().chain(other.0.keys());
        let differ = paths.filter(|path| self.0.get(*path) != other.0.get(*path));
        differ.cloned().collect()
    }
}

#[cfg(test)]
impl Tree {
    /// A tree of files with these contents, all of the usual mode.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, content) in files {
            for folder in ancestors(path) {
                let node = Node {
                    mode: 0o755,
                    content: None,
                };
                tree.0.insert(folder.to_owned(), node);
            }
            let node = Node {
                mode: 0o644,
                content: Some(content.as_bytes().to_vec()),
            };
            tree.0.insert((*path).to_owned(), node);
        }
        tree
    }
}

/// The folders above a path.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// Whether a pattern matches a path or a folder above it. Of patterns there are only those that the campaign writes: `*`
/// within a name, and `**/` in the beginning.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, anywhere) = match pattern.strip_prefix("**/") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let parts: Vec<&str> = pattern.split('/').collect();
    let names: Vec<&str> = path.split('/').collect();
    let begins = |names: &[&str]| {
        names.len() >= parts.len() && parts.iter().zip(names).all(|(part, name)| is_like(part, name))
    };
    if anywhere {
        (0..names.len()).any(|start| begins(&names[start..]))
    } else {
        begins(&names)
    }
}

/// A name against a pattern with at most one `*`.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "content")).collect();
        Tree::of(&files)
    }

    fn names(tree: &Tree) -> Vec<&str> {
        tree.0.keys().map(String::as_str).collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_last_pattern_decides_and_a_folder_stays_for_what_is_in_it() {
        let tree = tree(&["a.log", "src/b.log", "tmp/keep.txt", "tmp/x.txt", "x/y.bak"]);
        let patterns = words(&["*.log", "**/*.bak", "tmp", "!tmp/keep.txt"]);
        let left = tree.without_ignored(&patterns);
        assert_eq!(names(&left), ["src", "src/b.log", "tmp", "tmp/keep.txt", "x"]);
    }

    #[test]
    fn sources_select_folders_whole_and_patterns_within_one_name() {
        let tree = tree(&["main.txt", "src/a.txt", "src/lib/d.txt", "src/n.md"]);
        let select = |sources: &[&str], exclude| tree.select(&words(sources), exclude);
        assert_eq!(names(&select(&["src/*.txt"], None)), ["src/a.txt"]);
        assert_eq!(
            names(&select(&["src/./lib/", "main.txt"], None)),
            ["main.txt", "src/lib", "src/lib/d.txt"]
        );
        assert_eq!(
            names(&select(&["."], Some("**/*.txt"))),
            ["src", "src/lib", "src/n.md"]
        );
    }
}
