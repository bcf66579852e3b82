//! Following symbolic links within a snapshot, as BuildKit does: never out of the root.

use super::{ContentDigests, Node};
use crate::error::ContextError;
use crate::gopath::join;
use crate::snapshot::Kind;

/// The most links on one path.
const MOST_LINKS: usize = 255;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Found {
    /// The path with its links resolved; empty for the root.
    pub(super) path: String,
    /// What is there.
    pub(super) node: Option<Node>,
}

/// Resolves a path that begins with a slash (empty for the root). `follow_last` says whether a link at its end
/// is followed too.
pub(super) fn resolve(
    digests: &ContentDigests<'_>,
    path: &str,
    follow_last: bool,
) -> Result<Found, ContextError> {
    let target = |node: Option<Node>| match node.map(|node| match node {
        Node::Root => &Kind::Directory,
        Node::Entry(entry) => &digests.entries[entry].kind,
    }) {
        Some(Kind::Symlink { target }) => Some(target),
        _ => None,
    };
    let node = digests.node(path);
    if path.is_empty() || node.is_some() && (!follow_last || target(node).is_none()) {
        return Ok(Found {
            path: path.to_owned(),
            node,
        });
    }
    let mut rest = path.to_owned();
    let mut found = Found {
        path: String::new(),
        node: None,
    };
    let mut links = 0;
    while !rest.is_empty() {
        let (part, behind) = match rest.split_once('/') {
            Some((part, behind)) => (part.to_owned(), behind.to_owned()),
            None => (std::mem::take(&mut rest), String::new()),
        };
        rest = behind;
        let next = join(&["/", &found.path, &part]);
        let next = super::key_path(&next).to_owned();
        let node = digests.node(&next);
        match target(node) {
            Some(target) if follow_last || !rest.is_empty() => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(ContextError::TooManyLinks {
                        path: path.to_owned(),
                    });
                }
                rest = format!("{target}/{rest}");
                found.node = node;
                if target.starts_with('/') {
                    found.path = String::new();
                }
            }
            _ => found = Found { path: next, node },
        }
    }
    Ok(found)
}
