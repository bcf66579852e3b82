//! The digest of what wildcards and patterns pick from a tree.
//!
//! The engine goes over its records in order: of each folder one for the folder as a whole, then one for its header,
//! then its contents. Only headers and files are hashed here; a folder as a whole might hold what was left out.

use sha2::{Digest, Sha256};

use super::links::{Found, resolve};
use super::{ContentDigests, Node, Rules, Selection, key_path, root_header, text};
use crate::error::ContextError;
use crate::follow::has_wildcards;
use crate::glob::Glob;
use crate::gopath::{base, join};
use crate::pattern::{ParentMatches, PatternList};
use crate::snapshot::Kind;

/// A path that is part of the digest, or the header of a folder that may become one.
#[derive(Clone, Debug)]
struct Picked {
    path: String,
    node: Node,
    digest: [u8; 32],
    /// It has no folder above it within the selection.
    top: bool,
    /// It is in the result.
    included: bool,
    include: ParentMatches,
    exclude: ParentMatches,
}

/// The digest of a filtered selection; `path` is its path, clean and beginning with a slash.
pub(super) fn checksum(
    digests: &ContentDigests<'_>,
    selection: &Selection,
    path: &str,
) -> Result<[u8; 32], ContextError> {
    let (prefix, mut picked) = match digests.rules {
        Rules::Matches if !selection.wildcard => return digests.whole(path, selection.follow_links),
        Rules::Matches => (String::new(), matches(digests, path)?),
        Rules::BaseNames | Rules::RelativePaths => pick(digests, selection, path)?,
    };
    for required in &selection.required {
        if !picked.iter().any(|picked| picked.path.starts_with(required)) {
            return Err(ContextError::NotFound {
                path: required.clone(),
            });
        }
    }
    for picked in &mut picked {
        if selection.follow_links && picked.top && is_link(digests, picked.node) {
            picked.digest = digests.whole(&join(&["/", &picked.path]), true)?;
        }
    }
    match picked.as_slice() {
        [] => Ok(Sha256::digest([]).into()),
        [single] if base(path) == base(&single.path) => Ok(single.digest),
        picked => {
            let mut hasher = Sha256::new();
            for (number, picked) in picked.iter().enumerate() {
                if digests.rules == Rules::RelativePaths {
                    let name = picked
                        .path
                        .strip_prefix(&prefix)
                        .unwrap_or(&picked.path)
                        .replace('/', "\0");
                    hasher.update(if name.is_empty() { "\0" } else { &name });
                } else {
                    hasher.update(if number > 0 { "\0" } else { "" });
                    hasher.update(base(&picked.path));
                }
                hasher.update(text(&picked.digest));
            }
            Ok(hasher.finalize().into())
        }
    }
}

fn is_link(digests: &ContentDigests<'_>, node: Node) -> bool {
    matches!(node, Node::Entry(entry) if matches!(digests.entries[entry].kind, Kind::Symlink { .. }))
}

/// What a wildcard path matches, each with all that lies in it; nothing below a match is looked at.
fn matches(digests: &ContentDigests<'_>, asked: &str) -> Result<Vec<Picked>, ContextError> {
    let path = key_path(asked);
    let glob = Glob::parse(path);
    let mut picked: Vec<Picked> = Vec::new();
    for record in records(digests, Some(Node::Root)) {
        let name = digests.path(record.node);
        let covered = picked
            .last()
            .is_some_and(|last| name == last.path || is_below(&name, &last.path));
        if covered
            || !glob
                .check()
                .and_then(|()| glob.matches(&name))
                .map_err(|_| malformed(path))?
        {
            continue;
        }
        picked.push(Picked::new(
            name,
            record.node,
            digests.recursive(record.node),
            true,
        ));
    }
    Ok(picked)
}

impl Picked {
    fn new(path: String, node: Node, digest: [u8; 32], top: bool) -> Self {
        let (include, exclude) = Default::default();
        Self {
            path,
            node,
            digest,
            top,
            included: false,
            include,
            exclude,
        }
    }
}

/// What the selection picks, in order, and the part of the path that names are relative to.
fn pick(
    digests: &ContentDigests<'_>,
    selection: &Selection,
    asked: &str,
) -> Result<(String, Vec<Picked>), ContextError> {
    let list = |name, patterns: &Vec<String>| {
        Some(patterns)
            .filter(|patterns| !patterns.is_empty())
            .map(|patterns| PatternList::parse(name, patterns))
            .transpose()
    };
    let include = list("include", &selection.include)?;
    let exclude = list("exclude", &selection.exclude)?;
    let path = key_path(asked);
    let glob = selection.wildcard.then(|| Glob::parse(path));

    let start = start(digests, path, selection.wildcard)?;
    let mut picked: Vec<Picked> = Vec::new();
    // Headers of the folders above, and where each is in the result.
    let mut folders: Vec<Picked> = Vec::new();
    let mut matched: Option<String> = None;
    for record in records(digests, start.node) {
        let own = digests.path(record.node);
        // A link on the way to the selection is undone in the names, so that patterns match what was asked for.
        let name = match own.strip_prefix(&start.resolved) {
            Some(rest) => format!("{}{rest}", start.prefix),
            None => own,
        };
        while folders
            .last()
            .is_some_and(|folder| !is_below(&name, &folder.path))
        {
            folders.pop();
        }
        // The header of a source that is the root itself does not count.
        if record.header && asked == "/" && name.is_empty() {
            continue;
        }
        let base = match &glob {
            Some(glob) if !path.is_empty() => {
                let below = matched
                    .as_deref()
                    .is_some_and(|matched| !matched.is_empty() && is_below(&name, matched));
                if !below {
                    if !glob
                        .check()
                        .and_then(|()| glob.matches(&name))
                        .map_err(|_| malformed(path))?
                    {
                        continue;
                    }
                    matched = Some(name.clone());
                }
                matched.as_deref().unwrap_or_default()
            }
            Some(_) => "",
            None if name == path || is_below(&name, path) => path,
            None => break,
        };
        let folder = folders.last();
        let candidate = name
            .strip_prefix(base)
            .map_or(name.as_str(), |rest| rest.strip_prefix('/').unwrap_or(rest));
        let mut own = Picked::new(name.clone(), record.node, record.digest, folder.is_none());
        let above = ParentMatches::default();
        let mut wanted = true;
        if let Some(include) = &include {
            let parent = folder.map_or(&above, |folder| &folder.include);
            (wanted, own.include) = include.matches(candidate, parent)?;
        }
        if let Some(exclude) = exclude.as_ref().filter(|_| wanted) {
            let parent = folder.map_or(&above, |folder| &folder.exclude);
            let excluded;
            (excluded, own.exclude) = exclude.matches(candidate, parent)?;
            wanted = !excluded;
        }
        if wanted && !record.whole {
            for folder in folders.iter_mut().filter(|folder| !folder.included) {
                folder.included = true;
                picked.push(folder.clone());
            }
            own.included = true;
            picked.push(own.clone());
        }
        if record.header {
            folders.push(own);
        }
    }
    Ok((start.prefix, picked))
}

/// Where the engine begins to look.
struct Start {
    /// The path as asked for, up to its first wildcard; empty for the root.
    prefix: String,
    /// The same with its links resolved.
    resolved: String,
    /// What is there; `None` for nothing.
    node: Option<Node>,
}

fn start(digests: &ContentDigests<'_>, path: &str, wildcard: bool) -> Result<Start, ContextError> {
    let mut prefix = path.to_owned();
    let mut follow_last = false;
    if wildcard {
        let parts: Vec<&str> = path.split('/').collect();
        let plain = parts
            .iter()
            .position(|part| has_wildcards(part))
            .unwrap_or(parts.len());
        prefix = parts[..plain].join("/");
        follow_last = plain < parts.len();
    }
    if prefix.is_empty() {
        return Ok(Start {
            prefix,
            resolved: String::new(),
            node: Some(Node::Root),
        });
    }
    let Found { path: resolved, node } = resolve(digests, &prefix, follow_last)?;
    Ok(Start {
        prefix,
        resolved,
        node,
    })
}

/// One record of the engine.
struct Record {
    node: Node,
    digest: [u8; 32],
    /// A folder with all that lies in it.
    whole: bool,
    /// A folder by itself.
    header: bool,
}

/// All records from a node on, to the end of the tree.
fn records<'d>(digests: &'d ContentDigests<'_>, start: Option<Node>) -> impl Iterator<Item = Record> + 'd {
    let first = match start {
        None => usize::MAX,
        Some(Node::Root) => 0,
        Some(Node::Entry(entry)) => entry,
    };
    let root = (start == Some(Node::Root)).then_some(Node::Root);
    let entries = (first..digests.entries.len()).map(Node::Entry);
    root.into_iter().chain(entries).flat_map(|node| {
        let (own, folder) = match node {
            Node::Root => (root_header(), true),
            Node::Entry(entry) => (digests.own[entry], digests.entries[entry].kind == Kind::Directory),
        };
        let whole = folder.then(|| Record {
            node,
            digest: digests.recursive(node),
            whole: true,
            header: false,
        });
        whole.into_iter().chain([Record {
            node,
            digest: own,
            whole: false,
            header: folder,
        }])
    })
}

impl ContentDigests<'_> {
    /// The path of a node with a slash before it; empty for the root.
    fn path(&self, node: Node) -> String {
        match node {
            Node::Root => String::new(),
            Node::Entry(entry) => format!("/{}", self.entries[entry].path),
        }
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn malformed(path: &str) -> ContextError {
    ContextError::Pattern {
        list: "copy",
        pattern: path.to_owned(),
        reason: "syntax error in pattern",
    }
}
