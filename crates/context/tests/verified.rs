//! What is read from a snapshot is what was hashed, or an error.

// Clippy takes helpers of tests for production code.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use support::{fifo, take, tree};
use unstale_context::{ContextError, Selector, Snapshot};

fn entry(snapshot: &Snapshot, path: &str) -> usize {
    snapshot
        .entries()
        .iter()
        .position(|entry| &*entry.path == path)
        .unwrap()
}

fn read(snapshot: &Snapshot, path: &str) -> Result<Vec<u8>, ContextError> {
    let mut file = snapshot.open(entry(snapshot, path))?;
    let mut content = Vec::new();
    let mut buffer = [0; 7];
    loop {
        match file.read_some(&mut buffer)? {
            0 => return Ok(content),
            read => content.extend_from_slice(&buffer[..read]),
        }
    }
}

#[test]
fn an_unchanged_file_is_read_whole() {
    let tree = tree(&[("dir/a", "the content of a file"), ("empty", "")]);
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    assert_eq!(read(&snapshot, "dir/a").unwrap(), b"the content of a file");
    assert_eq!(read(&snapshot, "empty").unwrap(), b"");
    let mut text = String::new();
    snapshot
        .open(entry(&snapshot, "dir/a"))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "the content of a file");
}

#[test]
fn every_change_before_opening_is_an_error() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 9] = [
        ("same size", |root| {
            fs::write(root.join("dir/a"), "CONTENT").unwrap()
        }),
        ("longer", |root| {
            fs::write(root.join("dir/a"), "content and more").unwrap()
        }),
        ("shorter", |root| fs::write(root.join("dir/a"), "con").unwrap()),
        ("empty", |root| fs::write(root.join("dir/a"), "").unwrap()),
        ("gone", |root| fs::remove_file(root.join("dir/a")).unwrap()),
        ("a folder", |root| {
            fs::remove_file(root.join("dir/a")).unwrap();
            fs::create_dir(root.join("dir/a")).unwrap();
        }),
        ("a fifo", |root| {
            fs::remove_file(root.join("dir/a")).unwrap();
            fifo(&root.join("dir/a"));
        }),
        ("a link to the same content", |root| {
            fs::rename(root.join("dir/a"), root.join("moved")).unwrap();
            symlink("../moved", root.join("dir/a")).unwrap();
        }),
        ("in a folder that became a link", |root| {
            fs::rename(root.join("dir"), root.join("moved")).unwrap();
            symlink("moved", root.join("dir")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let tree = tree(&[("dir/a", "content")]);
        let snapshot = take(tree.path(), &Selector::default()).unwrap();
        change(tree.path());
        let error = read(&snapshot, "dir/a").expect_err(what);
        assert!(
            matches!(&error, ContextError::ChangedDuringBuild { path } if path == "dir/a"),
            "{what}: {error}"
        );
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_change_while_reading_never_lets_the_last_bytes_out() {
    let content = "x".repeat(100);
    let changes = [
        format!("{}y", "x".repeat(99)),
        format!("{content}x"),
        "x".repeat(50),
    ];
    for changed in changes {
        let tree = tree(&[("a", &content)]);
        let snapshot = take(tree.path(), &Selector::default()).unwrap();
        let mut file = snapshot.open(0).unwrap();
        let mut buffer = [0; 30];
        assert_eq!(file.read_some(&mut buffer).unwrap(), 30);
        fs::write(tree.path().join("a"), &changed).unwrap();
        let mut got = 30;
        let error = loop {
            match file.read(&mut buffer) {
                Ok(read) => got += read,
                Err(error) => break error,
            }
        };
        assert!(got < 100, "{got}");
        assert_eq!(error.kind(), ErrorKind::Other);
        let inner = error.into_inner().unwrap().downcast::<ContextError>().unwrap();
        assert!(matches!(*inner, ContextError::ChangedDuringBuild { .. }));
        // And it stays an error.
        assert!(file.read_some(&mut buffer).is_err());
    }
}

#[test]
fn a_root_that_is_replaced_is_not_read() {
    let tree = tree(&[("context/a", "old")]);
    let snapshot = take(&tree.path().join("context"), &Selector::default()).unwrap();
    fs::rename(tree.path().join("context"), tree.path().join("moved")).unwrap();
    fs::create_dir(tree.path().join("context")).unwrap();
    fs::write(tree.path().join("context/a"), "new").unwrap();
    assert_eq!(read(&snapshot, "a").unwrap(), b"old");
}

#[test]
fn only_files_have_content() {
    let tree = tree(&[("dir/", ""), ("link -> dir", ""), ("one", "1")]);
    fs::hard_link(tree.path().join("one"), tree.path().join("two")).unwrap();
    fifo(&tree.path().join("pipe"));
    UnixListener::bind(tree.path().join("socket")).unwrap();
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    for path in ["dir", "link", "pipe", "two"] {
        let error = snapshot.open(entry(&snapshot, path)).unwrap_err();
        assert!(
            matches!(&error, ContextError::NotAFile { path: own } if own == path),
            "{error}"
        );
    }
    // A socket is sent as an empty file.
    assert_eq!(read(&snapshot, "socket").unwrap(), b"");
}
