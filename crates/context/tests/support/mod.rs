//! Trees on disk for the tests of this crate.

// Clippy takes helpers of tests for production code; not every test file uses every helper.
#![allow(clippy::unwrap_used, dead_code)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::Deserialize;
use tempfile::TempDir;
use unstale_context::{ContextError, HashIndex, Selector, Snapshot};

/// One path of a tree in a fixture.
#[derive(Clone, Debug, Deserialize)]
pub struct Node {
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub mode: Option<u32>,
    pub target: Option<String>,
    pub content: Option<String>,
}

/// Makes a tree of nodes, in their order.
pub fn build(nodes: &[Node]) -> TempDir {
    let tree = TempDir::new().unwrap();
    for node in nodes {
        let path = tree.path().join(&node.path);
        let target = node.target.as_deref().unwrap_or_default();
        match node.kind.as_str() {
            "dir" => fs::create_dir(&path).unwrap(),
            "file" => fs::write(&path, node.content.as_deref().unwrap_or_default()).unwrap(),
            "symlink" => symlink(target, &path).unwrap(),
            "hardlink" => fs::hard_link(tree.path().join(target), &path).unwrap(),
            "fifo" => fifo(&path),
            "socket" => _ = UnixListener::bind(&path).unwrap(),
            kind => panic!("unknown node type {kind}"),
        }
        if let Some(mode) = node.mode {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    tree
}

/// Makes a tree of files with the given contents; a path that ends in a slash is an empty folder, and
/// `link -> target` a symbolic link.
pub fn tree(files: &[(&str, &str)]) -> TempDir {
    let tree = TempDir::new().unwrap();
    for (path, content) in files {
        let (path, target) = path
            .split_once(" -> ")
            .map_or((*path, None), |(path, target)| (path, Some(target)));
        let place = tree.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        match target {
            Some(target) => symlink(target, place).unwrap(),
            None if path.ends_with('/') => fs::create_dir_all(place).unwrap(),
            None => fs::write(place, content).unwrap(),
        }
    }
    tree
}

pub fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from(0o644), 0).unwrap();
}

/// Sets a modification time well in the past; the time of the inode change stays now.
pub fn age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options()
        .read(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

pub fn selector(include: &[&str], exclude: &[&str], follow: &[&str]) -> Selector {
    let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Selector::new(strings(include), strings(exclude), strings(follow))
}

pub fn take(root: &Path, selector: &Selector) -> Result<Snapshot, ContextError> {
    unstale_context::snapshot(root, selector, None, &AtomicBool::new(false))
}

pub fn take_indexed(root: &Path, index: &HashIndex) -> Snapshot {
    unstale_context::snapshot(root, &Selector::default(), Some(index), &AtomicBool::new(false)).unwrap()
}

pub fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.entries().iter().map(|entry| &*entry.path).collect()
}

/// Go's `FileMode` of a unix mode.
pub fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,
        0o120_000 => 1 << 27,
        0o010_000 => 1 << 25,
        _ => 0,
    };
    let bit = |unix: u32, go: u32| if mode & unix == 0 { 0 } else { 1 << go };
    kind | mode & 0o777 | bit(0o4000, 23) | bit(0o2000, 22) | bit(0o1000, 20)
}
