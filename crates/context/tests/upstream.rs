//! The selection and the digests of random trees and patterns equal those of upstream's own code.
//!
//! `fixtures/patterns.json` and `fixtures/trees.json` were produced by programs around the Go packages that they name in
//! `produced_by`: patternmatcher, fsutil's filtered walk with its hard-link reset, and BuildKit's contenthash fed as
//! a session feeds it. `null` and `error` stand for an error upstream.

// Clippy takes helpers of tests for production code.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use serde::Deserialize;
use support::{Node, build, go_mode, take};
use unstale_context::digest::{Rules, Selection};
use unstale_context::{Kind, Selector};

#[derive(Deserialize)]
struct Fixture<T> {
    cases: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct PatternCase {
    names: Vec<String>,
    include: Vec<String>,
    exclude: Vec<String>,
    sent: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TreeCase {
    nodes: Vec<Node>,
    selections: Vec<WalkCase>,
    digests: Vec<DigestCase>,
}

#[derive(Debug, Deserialize)]
struct WalkCase {
    include: Vec<String>,
    exclude: Vec<String>,
    follow: Vec<String>,
    sent: Option<Vec<Sent>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Sent {
    path: String,
    mode: u32,
    link: String,
}

#[derive(Debug, Deserialize)]
struct DigestCase {
    path: String,
    wildcard: bool,
    follow_links: bool,
    include: Vec<String>,
    exclude: Vec<String>,
    digest: Option<String>,
}

#[test]
fn names_are_selected_as_upstream_selects_them() {
    let fixture: Fixture<PatternCase> = serde_json::from_str(include_str!("fixtures/patterns.json")).unwrap();
    assert!(fixture.cases.len() >= 100);
    for case in &fixture.cases {
        let matcher = Selector::new(case.include.clone(), case.exclude.clone(), vec![]).matcher();
        let Some(sent) = &case.sent else {
            assert!(matcher.is_err(), "{case:?}");
            continue;
        };
        let matcher = matcher.unwrap();
        // A folder is sent too when something below it is.
        let mut selected = BTreeSet::new();
        for name in &case.names {
            let path = name.trim_end_matches('/');
            if matcher.selects(path, name.ends_with('/')) {
                selected.insert(path);
                selected.extend(path.match_indices('/').map(|(slash, _)| &path[..slash]));
            }
        }
        assert_eq!(selected, sent.iter().map(String::as_str).collect(), "{case:?}");
    }
}

#[test]
fn trees_are_walked_as_upstream_walks_them() {
    let fixture: Fixture<TreeCase> = serde_json::from_str(include_str!("fixtures/trees.json")).unwrap();
    assert!(fixture.cases.len() >= 30);
    for case in &fixture.cases {
        let tree = build(&case.nodes);
        for walk in &case.selections {
            let selector = Selector::new(walk.include.clone(), walk.exclude.clone(), walk.follow.clone());
            let snapshot = take(tree.path(), &selector);
            let Some(expected) = &walk.sent else {
                assert!(snapshot.is_err(), "{walk:?}");
                continue;
            };
            let snapshot = snapshot.unwrap();
            let sent = snapshot.entries().iter().map(|entry| Sent {
                path: entry.path.to_string(),
                mode: go_mode(entry.mode),
                link: match &entry.kind {
                    Kind::HardLink { to } => to.to_string(),
                    Kind::Symlink { target } => target.to_string(),
                    _ => String::new(),
                },
            });
            assert_eq!(&sent.collect::<Vec<_>>(), expected, "{walk:?}");
        }
    }
}

#[test]
fn content_digests_equal_upstream() {
    let fixture: Fixture<TreeCase> = serde_json::from_str(include_str!("fixtures/trees.json")).unwrap();
    for case in &fixture.cases {
        let tree = build(&case.nodes);
        let snapshot = take(tree.path(), &Selector::default()).unwrap();
        let digests = snapshot.content_digests(Rules::RelativePaths);
        for expected in &case.digests {
            let selection = Selection {
                path: expected.path.clone(),
                wildcard: expected.wildcard,
                follow_links: expected.follow_links,
                include: expected.include.clone(),
                exclude: expected.exclude.clone(),
                required: vec![],
            };
            let digest = digests
                .checksum(&selection)
                .ok()
                .map(|digest| format!("sha256:{}", hex::encode(digest)));
            assert_eq!(digest, expected.digest, "{expected:?}");
        }
    }
}
