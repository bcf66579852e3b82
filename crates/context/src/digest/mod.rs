//! BuildKit's content digest ("contenthash") of any part of a snapshot, without asking BuildKit.
//!
//! A step that copies or mounts files is cached under the digest of just the files that it uses. [`ContentDigests`]
//! computes that digest as the engine does once it has received the snapshot through file sync: owner and group are
//! 0, modification times do not count. What differs between versions of BuildKit is in [`Rules`].

mod links;
mod select;

use std::cmp::Ordering;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::error::ContextError;
use crate::follow::has_wildcards;
use crate::glob::Glob;
use crate::gopath::join;
use crate::selector::Selector;
use crate::snapshot::{Entry, Kind, Snapshot};
use crate::tarsum::Header;
use links::Found;

/// How an engine digests a selection with wildcards or patterns. Whole files and folders have the same digest in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rules {
    /// BuildKit 0.8 (Docker 20.10): each match as a whole, under the last part of its name. There are no patterns
    /// below a path in this version; they are ignored.
    Matches,
    /// BuildKit 0.9 to 0.25: each file and folder header under the last part of its name. Before 0.13 links within a
    /// filtered selection are resolved further than here.
    BaseNames,
    /// BuildKit 0.26 and later: each file and folder header under its path below the selection's plain part.
    RelativePaths,
}

impl Rules {
    /// The rules of BuildKit `0.<minor>`.
    pub fn of_buildkit(minor: u32) -> Self {
        match minor {
            0..=8 => Self::Matches,
            9..=25 => Self::BaseNames,
            _ => Self::RelativePaths,
        }
    }
}

/// What a step uses of an input: a copy source with its patterns, or the path of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// The path, from the root of the input; empty for everything.
    pub path: String,
    /// The path has wildcards that count as such.
    pub wildcard: bool,
    /// Whether a symbolic link at the end of the path is followed. Links on the way always are.
    pub follow_links: bool,
    /// Patterns below the path, in the language of `.dockerignore`; empty for everything.
    pub include: Vec<String>,
    /// Patterns below the path to leave out.
    pub exclude: Vec<String>,
    /// Paths that must exist among what the patterns pick.
    pub required: Vec<String>,
}

impl Selection {
    /// The selection of a copy action, with the wildcard flag as the action gives it: a path without wildcards has none.
    pub fn copy(path: &str, allow_wildcard: bool, follow_links: bool) -> Self {
        let wildcard = allow_wildcard && has_wildcards(path);
        Self {
            path: path.to_owned(),
            wildcard,
            follow_links,
            ..Self::default()
        }
    }

    /// The selections of all read-only mounts of one input, given the paths that they mount.
    pub fn mounts<S: AsRef<str>>(paths: &[S]) -> Vec<Self> {
        let paths = without_nested(paths.iter().map(|path| join(&["/", path.as_ref()])).collect());
        if paths.iter().any(|path| path == "/") {
            return Vec::new();
        }
        let mount = |path| Self {
            path,
            follow_links: true,
            ..Self::default()
        };
        paths.into_iter().map(mount).collect()
    }

    /// The selections of all actions of one file op on one input, brought into the order and number that the engine
    /// gives them.
    pub fn file_op(selections: Vec<Self>) -> Vec<Self> {
        let (filtered, plain): (Vec<_>, Vec<_>) = selections.into_iter().partition(Self::is_filtered);
        let mut kept = Vec::new();
        for follow_links in [false, true] {
            let paths = plain
                .iter()
                .filter(|selection| selection.follow_links == follow_links);
            let paths = without_nested(paths.map(|selection| selection.path.clone()).collect());
            kept.extend(paths.into_iter().map(|path| Self {
                path,
                follow_links,
                ..Self::default()
            }));
        }
        kept.extend(filtered);
        kept.sort_by(|left, right| left.path.cmp(&right.path));
        kept
    }

    /// Whether a change of `path` (below the root, with slashes) can change what is selected: it lies at or below what is
    /// picked, or above it. Links are not followed, so that what one leads to is not told here.
    pub fn may_select(&self, path: &str) -> bool {
        let asked = join(&["/", &self.path]);
        let asked = asked.trim_start_matches('/');
        let parts = if asked.is_empty() {
            0
        } else {
            asked.split('/').count()
        };
        let mut end = path.len();
        if let Some((at, _)) = path
            .match_indices('/')
            .nth(parts.wrapping_sub(1))
            .filter(|_| parts > 0)
        {
            end = at;
        }
        let (head, below) = (&path[..end], path[end..].trim_start_matches('/'));
        let is_under = parts == 0
            || if self.wildcard {
                Glob::parse(asked).matches(head).unwrap_or(true)
            } else {
                head == asked
            };
        let is_above = asked.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        let below = if parts == 0 { path } else { below };
        let filter = Selector::new(self.include.clone(), self.exclude.clone(), Vec::new());
        let is_kept = || {
            filter
                .matcher()
                .map_or(true, |filter| below.is_empty() || filter.selects(below, false))
        };
        is_above || is_under && is_kept()
    }

    fn is_filtered(&self) -> bool {
        self.wildcard || !self.include.is_empty() || !self.exclude.is_empty()
    }
}

/// Leaves out repeated paths and paths below others, and sorts the rest; a single path stays as it is.
fn without_nested(mut paths: Vec<String>) -> Vec<String> {
    paths.sort_unstable();
    paths.dedup();
    let is_below = |path: &str, folder: &str| {
        let folder = folder.strip_suffix('/').unwrap_or(folder);
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let nested = |path: &String| paths.iter().any(|other| other != path && is_below(path, other));
    paths.iter().filter(|path| !nested(path)).cloned().collect()
}

/// The content digests of a snapshot, computed once for all its folders.
#[derive(Debug)]
pub struct ContentDigests<'s> {
    rules: Rules,
    entries: &'s [Entry],
    /// Of each entry by itself: a file's digest, a folder's header.
    own: Vec<[u8; 32]>,
    /// Of each folder with all that lies in it, by entry.
    folders: HashMap<usize, [u8; 32]>,
    root: [u8; 32],
}

/// A place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Root,
    Entry(usize),
}

impl Snapshot {
    /// Computes the content digests of all files and folders. Nothing is read from disk.
    pub fn content_digests(&self, rules: Rules) -> ContentDigests<'_> {
        ContentDigests::new(self.entries(), rules)
    }
}

impl<'s> ContentDigests<'s> {
    fn new(entries: &'s [Entry], rules: Rules) -> Self {
        let mut digests = Self {
            rules,
            entries,
            own: Vec::with_capacity(entries.len()),
            folders: HashMap::new(),
            root: [0; 32],
        };
        for entry in entries {
            let digest = digests.entry(entry);
            digests.own.push(digest);
        }
        digests.fold();
        digests
    }

    /// The digest under which the engine caches a step that uses `selections` of this input: what its
    /// `NewContentHashFunc` returns. No selection at all stands for everything.
    ///
    /// # Errors
    /// As [`Self::checksum`].
    pub fn of(&self, selections: &[Selection]) -> Result<[u8; 32], ContextError> {
        let everything = [Selection::default()];
        let selections = if selections.is_empty() {
            &everything
        } else {
            selections
        };
        let mut joined = Sha256::new();
        for (number, selection) in selections.iter().enumerate() {
            if number > 0 {
                joined.update([0]);
            }
            joined.update(text(&self.checksum(selection)?));
        }
        Ok(joined.finalize().into())
    }

    /// The digest of one selection: what the engine's `contenthash.Checksum` returns.
    ///
    /// # Errors
    /// [`ContextError::NotFound`] if a path without wildcards does not exist or a required path is missing,
    /// [`ContextError::TooManyLinks`], [`ContextError::Pattern`].
    pub fn checksum(&self, selection: &Selection) -> Result<[u8; 32], ContextError> {
        let path = join(&["/", &selection.path]);
        if selection.is_filtered() {
            select::checksum(self, selection, &path)
        } else {
            self.whole(&path, selection.follow_links)
        }
    }

    /// The digest of everything at a path.
    fn whole(&self, path: &str, follow_links: bool) -> Result<[u8; 32], ContextError> {
        match links::resolve(self, key_path(path), follow_links)? {
            Found { node: Some(node), .. } => Ok(self.recursive(node)),
            Found { node: None, .. } => Err(ContextError::NotFound {
                path: path.to_owned(),
            }),
        }
    }

    /// The digest of a node with all that lies in it.
    fn recursive(&self, node: Node) -> [u8; 32] {
        match node {
            Node::Root => self.root,
            Node::Entry(entry) => self.folders.get(&entry).copied().unwrap_or(self.own[entry]),
        }
    }

    /// The node at a path that begins with a slash, without following any link; empty for the root.
    fn node(&self, path: &str) -> Option<Node> {
        match path.strip_prefix('/') {
            None => Some(Node::Root),
            Some(path) => self
                .entries
                .binary_search_by(|entry| compare(&entry.path, path))
                .ok()
                .map(Node::Entry),
        }
    }

    /// The digest of an entry by itself; those before it are known.
    fn entry(&self, entry: &Entry) -> [u8; 32] {
        let header = match &entry.kind {
            Kind::File { tarsum, .. } => return *tarsum,
            Kind::HardLink { to } => {
                let first = self
                    .entries
                    .binary_search_by(|entry| compare(&entry.path, to))
                    .ok();
                return first
                    .and_then(|first| self.own.get(first))
                    .copied()
                    .unwrap_or_default();
            }
            Kind::Directory => Header::Directory,
            Kind::Symlink { target } => Header::Symlink { target },
            Kind::Fifo => Header::Fifo,
            Kind::CharDevice { major, minor } => Header::CharDevice {
                major: *major,
                minor: *minor,
            },
            Kind::BlockDevice { major, minor } => Header::BlockDevice {
                major: *major,
                minor: *minor,
            },
        };
        Sha256::digest(header.bytes(entry.mode, &entry.xattrs)).into()
    }

    /// Computes the digests of folders with their contents, deepest first.
    fn fold(&mut self) {
        let mut open = vec![OpenFolder::new(None, "", &root_header())];
        for (number, entry) in self.entries.iter().enumerate() {
            while open.len() > 1 && open.last().is_some_and(|folder| !folder.holds(&entry.path)) {
                self.close(&mut open);
            }
            if entry.kind == Kind::Directory {
                open.push(OpenFolder::new(Some(number), &entry.path, &self.own[number]));
            } else if let Some(folder) = open.last_mut() {
                folder.add(&entry.path, &self.own[number]);
            }
        }
        while !open.is_empty() {
            self.close(&mut open);
        }
    }

    fn close(&mut self, open: &mut Vec<OpenFolder>) {
        let Some(folder) = open.pop() else { return };
        let digest = folder.hasher.finalize().into();
        match folder.entry {
            Some(entry) => {
                self.folders.insert(entry, digest);
            }
            None => self.root = digest,
        }
        if let Some(parent) = open.last_mut() {
            parent.add(&folder.path, &digest);
        }
    }
}

/// A folder whose contents are being hashed.
struct OpenFolder {
    entry: Option<usize>,
    path: String,
    hasher: Sha256,
}

impl OpenFolder {
    fn new(entry: Option<usize>, path: &str, header: &[u8; 32]) -> Self {
        let hasher = Sha256::new_with_prefix([0]).chain_update(text(header));
        Self {
            entry,
            path: path.to_owned(),
            hasher,
        }
    }

    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    }

    fn add(&mut self, path: &str, digest: &[u8; 32]) {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.hasher.update([0]);
        self.hasher.update(name);
        self.hasher.update(text(digest));
    }
}

/// The engine is never sent the root itself and takes an empty header for it.
fn root_header() -> [u8; 32] {
    Sha256::digest([]).into()
}

/// A digest as the engine writes it, and hashes it again: `sha256:` and hexadecimal digits.
fn text(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in digest {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text
}

/// A path that begins with a slash as the engine keys it: empty for the root.
fn key_path(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

/// The order of entries: by folders, then by the bytes of the names.
fn compare(left: &str, right: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    left.bytes().map(key).cmp(right.bytes().map(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_what_it_can_change() {
        let copy = |path: &str| Selection::copy(path, true, true);
        assert!(copy("/").may_select("a/b"));
        assert!(copy("").may_select("a"));
        assert!(copy("src").may_select("src/a/b"));
        assert!(copy("/src/").may_select("src"));
        assert!(copy("src/a").may_select("src"), "a folder above");
        assert!(!copy("src").may_select("srcs/a"));
        assert!(!copy("src/a").may_select("src/b"));
        assert!(copy("*.txt").may_select("a.txt"));
        assert!(!copy("*.txt").may_select("a/b.txt"));
        assert!(copy("d*/x").may_select("deep/x/y"));
        let filtered = Selection {
            exclude: vec!["*.log".to_owned()],
            ..copy("src")
        };
        assert!(!filtered.may_select("src/a.log"));
        assert!(filtered.may_select("src/a.txt"));
    }
}
