//! Follow paths: which further paths a selection needs so that the symbolic links on its way lead somewhere.
//!
//! A link is resolved inside the context: an absolute target counts from the context root, and `..` stops there.

use std::collections::BTreeSet;

use crate::error::ContextError;
use crate::glob::Glob;
use crate::gopath::{base, dir, join};
use crate::root::Root;

/// The include patterns that `paths` stand for: the links on their way, and what lies at the end.
pub(crate) fn resolve(root: &Root, paths: &[String]) -> Result<Vec<String>, ContextError> {
    let mut resolved = BTreeSet::new();
    // A stack in place of recursion: a chain of links may be as long as the context has links.
    let mut pending: Vec<String> = paths.iter().rev().cloned().collect();
    while let Some(path) = pending.pop() {
        let path = cleaned(&path);
        let mut rest = path.as_str();
        let mut current = String::new();
        loop {
            let (part, behind) = rest.split_once('/').unwrap_or((rest, ""));
            current = join(&[".", &current, part]);
            rest = behind;
            let targets = targets(root, &current)?;
            let finished = rest.is_empty() || !targets.is_empty();
            if finished {
                if resolved.insert(current.clone()) {
                    pending.extend(targets.iter().rev().map(|target| join(&[target, rest])));
                }
                break;
            }
        }
    }
    Ok(resolved.into_iter().collect())
}

/// A follow path without any link resolved.
pub(crate) fn cleaned(path: &str) -> String {
    join(&[".", path])
}

/// Leaves out paths that lie below the path before them; `None` if one is the root, which selects everything.
pub(crate) fn dedupe(sorted: Vec<String>) -> Option<Vec<String>> {
    let mut kept: Vec<String> = Vec::with_capacity(sorted.len());
    for path in sorted {
        if path == "." {
            return None;
        }
        let last = kept.last().map_or("", String::as_str);
        if path.strip_prefix(last).is_some_and(|rest| rest.starts_with('/')) {
            continue;
        }
        kept.push(path);
    }
    Some(kept)
}

/// Where the symbolic links named by `path` point, as paths from the root; its last part may have wildcards.
fn targets(root: &Root, path: &str) -> Result<Vec<String>, ContextError> {
    let name = base(path);
    if !has_wildcards(name) {
        return Ok(target(root, path)?.into_iter().collect());
    }
    let glob = Glob::parse(name);
    let folder = dir(path);
    let mut found = Vec::new();
    for name in root.names(&folder)? {
        // A name outside of UTF-8 cannot be sent; if the selection holds it, the walk says so.
        if let Ok(name) = String::from_utf8(name)
            && glob.matches(&name) == Ok(true)
        {
            found.extend(target(root, &join(&[&folder, &name]))?);
        }
    }
    Ok(found)
}

fn target(root: &Root, path: &str) -> Result<Option<String>, ContextError> {
    let Some(link) = root.link(path)? else {
        return Ok(None);
    };
    let base = if link.starts_with('/') {
        String::new()
    } else {
        dir(path)
    };
    Ok(Some(join(&["/", &base, &link])))
}

/// Whether a name has a `*`, `?` or `[` that no backslash escapes.
pub(crate) fn has_wildcards(name: &str) -> bool {
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}
