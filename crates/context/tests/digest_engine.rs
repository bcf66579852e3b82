//! Digests that a real engine wrote into its exported cache.
//!
//! Produced by Docker Engine 28.5.2 with the containerd store (BuildKit 0.25): the tree below was built with
//! `docker buildx build --cache-to type=local,mode=max`; each value was computed here, and its cache key
//! (SHA-256 of `<digest>@-1`) found among the records of the exported cache.

// Clippy takes helpers of tests for production code.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use support::{fifo, take};
use tempfile::TempDir;
use unstale_context::digest::{Rules, Selection};
use unstale_context::{ContextError, Selector};

const DOCKERFILE: &str = include_str!("fixtures/engine.Dockerfile");

fn engine_tree() -> TempDir {
    let tree = TempDir::new().unwrap();
    let at = |path: &str| tree.path().join(path);
    let mode = |path: &str, mode| fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    for folder in ["dir", "dir/sub", "empty", "sock"] {
        fs::create_dir(at(folder)).unwrap();
        mode(folder, 0o755);
    }
    for (path, content) in [
        ("dir/one.txt", "one\n"),
        ("dir/two.txt", "two\n"),
        ("dir/sub/deep.py", "deep\n"),
        ("Dockerfile", DOCKERFILE),
    ] {
        fs::write(at(path), content).unwrap();
        mode(path, 0o644);
    }
    mode("dir/two.txt", 0o4755);
    symlink("dir", at("linkdir")).unwrap();
    symlink("dir/one.txt", at("linkfile")).unwrap();
    fs::hard_link(at("dir/one.txt"), at("dir/hard.txt")).unwrap();
    fifo(&at("dir/pipe"));
    UnixListener::bind(at("sock/s")).unwrap();
    mode("sock/s", 0o755);
    tree
}

#[test]
fn digests_equal_those_in_the_cache_of_an_engine() {
    let tree = engine_tree();
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    let digests = snapshot.content_digests(Rules::of_buildkit(25));
    let copy = |path: &str| Selection::copy(path, true, true);
    for (what, selections, expected) in [
        (
            "COPY .",
            vec![copy("/")],
            "a5541eabb2c5bc2864d54dde914bf2b6dc886a2d9e3aa8bca1998f1c34b0600e",
        ),
        (
            "COPY dir/*.txt",
            vec![copy("/dir/*.txt")],
            "3dadf18f118d3da20d16e3e99297aa2826fc2c65b0968c6f2ae6783750f62870",
        ),
        (
            "COPY linkfile",
            vec![copy("/linkfile")],
            "a729b70bce64e9ddbf811550346ba3f981e4ed60f19e8e2c4e28145a1fe5661a",
        ),
        (
            "COPY linkdir",
            vec![copy("/linkdir")],
            "01bb1a4c9d9bba2b76fb0cceeb4a8cfbf3bdd4a6a8a99941786d2b8cda667ca3",
        ),
        (
            "COPY l*dir/one.txt",
            vec![copy("/l*dir/one.txt")],
            "0364e78be895cef9249b83b20cdb6362cd3c317f55240669624258bc449a86fc",
        ),
        (
            "COPY dir/one.txt dir/sub",
            Selection::file_op(vec![copy("/dir/sub"), copy("/dir/one.txt")]),
            "1d636c6c51fb13f58366d8c302cf09a57240ce8c464f19557cb9e0cc15bbd7b8",
        ),
        (
            "COPY empty",
            vec![copy("/empty")],
            "d52fb411058d37efa1a75ead8c578790e302771cc794f81b2afe6e8e79f95617",
        ),
        (
            "COPY sock",
            vec![copy("/sock")],
            "bf24c636b2941d1ca6368a4fad013ecc8cd321a50d879ba98fb7549c9363b30c",
        ),
        (
            "RUN --mount dir and linkdir",
            Selection::mounts(&["/dir", "/linkdir"]),
            "782fc444c89f2441b0ab9c9b7ad410bf4d161569a0233046f65c1a815a8cc644",
        ),
        (
            "RUN --mount .",
            Selection::mounts(&["/", "/dir"]),
            "a5541eabb2c5bc2864d54dde914bf2b6dc886a2d9e3aa8bca1998f1c34b0600e",
        ),
    ] {
        assert_eq!(hex::encode(digests.of(&selections).unwrap()), expected, "{what}");
    }
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let tree = engine_tree();
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    let digests = snapshot.content_digests(Rules::RelativePaths);
    let missing = digests
        .checksum(&Selection::copy("/dir/none", true, true))
        .unwrap_err();
    assert!(
        matches!(&missing, ContextError::NotFound { path } if path == "/dir/none"),
        "{missing}"
    );
    let required = Selection {
        required: vec!["/dir/none".into()],
        ..Selection::copy("/dir/*.txt", true, true)
    };
    let missing = digests.checksum(&required).unwrap_err();
    assert!(
        matches!(&missing, ContextError::NotFound { path } if path == "/dir/none"),
        "{missing}"
    );
}

#[test]
fn a_circle_of_links_is_an_error() {
    let tree = TempDir::new().unwrap();
    symlink("b", tree.path().join("a")).unwrap();
    symlink("a", tree.path().join("b")).unwrap();
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    let error = snapshot
        .content_digests(Rules::RelativePaths)
        .checksum(&Selection::copy("/a", true, true))
        .unwrap_err();
    assert!(matches!(error, ContextError::TooManyLinks { .. }), "{error}");
}

#[test]
fn only_wildcards_and_patterns_are_digested_differently_by_version() {
    let tree = engine_tree();
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    let of = |rules, path| {
        snapshot
            .content_digests(rules)
            .of(&[Selection::copy(path, true, true)])
            .unwrap()
    };
    for path in ["/", "/dir", "/linkfile"] {
        assert_eq!(of(Rules::Matches, path), of(Rules::RelativePaths, path), "{path}");
    }
    let wildcard = [Rules::Matches, Rules::BaseNames, Rules::RelativePaths].map(|rules| of(rules, "/*dir"));
    assert!(wildcard[0] != wildcard[1] && wildcard[1] != wildcard[2]);
}
