//! Where a job's keys come from: itself, what it extends, the defaults.

use std::collections::HashSet;

use crate::yaml::Node;

/// How deep `extends` and `!reference` may go: GitLab allows 11 and 10.
pub(super) const DEEPEST: usize = 11;

/// The job, and what it extends in the same file: what says a key first is heard. Of several that one extends, the last
/// is heard first.
pub(super) fn chain<'y>(root: Node<'y>, job: Node<'y>) -> Vec<Node<'y>> {
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![(job, DEEPEST)];
    while let Some((node, depth)) = open.pop() {
        let place = node.resolved().span();
        if !node.is_mapping() || !seen.insert((place.start, place.end)) {
            continue;
        }
        chain.push(node);
        let Some(depth) = depth.checked_sub(1) else {
            continue;
        };
        // The last is pushed last, and so comes first.
        open.extend(
            extended(node)
                .into_iter()
                .filter_map(|name| root.get(name))
                .map(|parent| (parent, depth)),
        );
    }
    chain
}

/// The names that a job extends.
pub(super) fn extended(job: Node<'_>) -> Vec<&str> {
    let Some(extends) = job.get("extends") else {
        return Vec::new();
    };
    match extends.is_sequence() {
        true => extends.items().filter_map(Node::as_str).collect(),
        false => extends.as_str().into_iter().collect(),
    }
}

/// Whether a job takes a key from the defaults (`inherit: default`).
pub(super) fn takes_default(chain: &[Node<'_>], key: &str) -> bool {
    let inherit = chain.iter().find_map(|node| node.lookup(["inherit", "default"]));
    match inherit {
        None => true,
        Some(keys) if keys.is_sequence() => keys.items().any(|item| item.as_str() == Some(key)),
        Some(all) => all.as_bool() != Some(false),
    }
}

/// What `!reference [job, key, …]` means.
pub(super) fn referenced<'y>(root: Node<'y>, node: Node<'y>) -> Option<Node<'y>> {
    let path: Vec<&str> = node.items().map_while(Node::as_str).collect();
    (!path.is_empty()).then(|| root.lookup(path)).flatten()
}
