//! The walk by example: order, folders above a match, links, special files.

// Clippy takes helpers of tests for production code.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proptest::prelude::*;
use rustix::fs::XattrFlags;
use support::{fifo, paths, selector, take, tree};
use unstale_context::digest::Rules;
use unstale_context::{ContextError, Kind, Selector};

fn sent(files: &[(&str, &str)], include: &[&str], exclude: &[&str], follow: &[&str]) -> Vec<String> {
    let tree = tree(files);
    let snapshot = take(tree.path(), &selector(include, exclude, follow)).unwrap();
    paths(&snapshot).into_iter().map(str::to_owned).collect()
}

#[test]
fn siblings_are_in_the_order_of_their_bytes_and_folders_before_their_content() {
    let files = [
        ("a-b", ""),
        ("a/z", ""),
        ("a.c", ""),
        ("B", ""),
        ("é", ""),
        ("z", ""),
    ];
    assert_eq!(
        sent(&files, &[], &[], &[]),
        ["B", "a", "a/z", "a-b", "a.c", "z", "é"]
    );
}

#[test]
fn folders_above_a_match_come_right_before_it() {
    let files = [("a/b/x.go", ""), ("a/b/y", ""), ("a/c/", ""), ("z/y", "")];
    assert_eq!(sent(&files, &["**/*.go"], &[], &[]), ["a", "a/b", "a/b/x.go"]);
}

#[test]
fn an_exception_below_an_excluded_folder_is_sent() {
    let files = [("m/a", ""), ("m/keep/b", ""), ("m/n/keep", ""), ("o", "")];
    assert_eq!(
        sent(&files, &[], &["m", "!m/keep"], &[]),
        ["m", "m/keep", "m/keep/b", "o"]
    );
    assert_eq!(
        sent(&files, &[], &["m", "!**/keep"], &[]),
        ["m", "m/keep", "m/keep/b", "m/n", "m/n/keep", "o"]
    );
    assert_eq!(sent(&files, &[], &["*", "!o"], &[]), ["o"]);
}

#[test]
fn follow_paths_bring_the_targets_of_links_but_nothing_from_outside() {
    let files = [
        ("cur -> /v2", ""),
        ("v2/app -> ../lib/app", ""),
        ("lib/app", ""),
        ("lib/other", ""),
        ("out -> ../../../etc/passwd", ""),
        ("w/a.ln -> ../v2", ""),
        ("w/b", ""),
    ];
    assert_eq!(
        sent(&files, &[], &[], &["cur/app"]),
        ["cur", "lib", "lib/app", "v2", "v2/app"]
    );
    assert_eq!(sent(&files, &[], &[], &["out"]), ["out"]);
    assert_eq!(
        sent(&files, &[], &[], &["w/*"]),
        ["v2", "v2/app", "w", "w/a.ln", "w/b"]
    );
    assert_eq!(sent(&files, &[], &[], &["."]).len(), 10);
}

#[test]
fn a_circle_of_links_ends() {
    let files = [("a -> b", ""), ("b -> a", ""), ("self -> self/x", "")];
    assert_eq!(sent(&files, &[], &[], &["a/x", "self"]), ["a", "b", "self"]);
}

#[test]
fn a_hard_link_points_at_the_first_path_that_is_sent() {
    let tree = tree(&[("a", "content"), ("z", "")]);
    for name in ["b", "c"] {
        fs::hard_link(tree.path().join("a"), tree.path().join(name)).unwrap();
    }
    let kinds = |exclude: &[&str]| {
        let snapshot = take(tree.path(), &selector(&[], exclude, &[])).unwrap();
        assert_eq!(snapshot.counters().files_read, 2);
        let name = |kind: &Kind| match kind {
            Kind::HardLink { to } => to.to_string(),
            _ => String::new(),
        };
        snapshot
            .entries()
            .iter()
            .map(|entry| (entry.path.to_string(), name(&entry.kind)))
            .collect::<Vec<_>>()
    };
    let pair = |path: &str, to: &str| (path.to_owned(), to.to_owned());
    assert_eq!(
        kinds(&[]),
        [pair("a", ""), pair("b", "a"), pair("c", "a"), pair("z", "")]
    );
    assert_eq!(kinds(&["a"]), [pair("b", ""), pair("c", "b"), pair("z", "")]);
}

#[test]
fn special_files_are_described_and_never_opened() {
    let tree = tree(&[("dir/", "")]);
    fifo(&tree.path().join("dir/pipe"));
    fs::set_permissions(tree.path().join("dir/pipe"), fs::Permissions::from_mode(0o600)).unwrap();
    // Opening a pipe that nobody writes to would wait for ever.
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    assert_eq!(snapshot.entries()[1].kind, Kind::Fifo);
    assert_eq!(snapshot.entries()[1].mode, 0o010_600);
    if rustix::process::geteuid().is_root() {
        let device = rustix::fs::makedev(1, 3);
        let place = tree.path().join("null");
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            &place,
            rustix::fs::FileType::CharacterDevice,
            0o666.into(),
            device,
        );
        // Containers may not be allowed to.
        if made.is_ok() {
            let snapshot = take(tree.path(), &selector(&["null"], &[], &[])).unwrap();
            assert_eq!(
                snapshot.entries()[0].kind,
                Kind::CharDevice { major: 1, minor: 3 }
            );
        }
    }
}

#[test]
fn metadata_is_the_files_own() {
    let tree = tree(&[("a", "content")]);
    let file = tree.path().join("a");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4711)).unwrap();
    let has_xattrs = rustix::fs::setxattr(&file, "user.note", b"value", XattrFlags::empty()).is_ok();
    let snapshot = take(tree.path(), &Selector::default()).unwrap();
    let (entry, metadata) = (&snapshot.entries()[0], fs::metadata(&file).unwrap());
    assert_eq!(entry.mode, 0o104_711);
    assert_eq!(
        entry.mtime,
        (metadata.mtime(), u32::try_from(metadata.mtime_nsec()).unwrap())
    );
    if has_xattrs {
        assert!(
            entry
                .xattrs
                .contains(&("user.note".to_owned(), b"value".to_vec()))
        );
    }
    let Kind::File { size, sha256, .. } = entry.kind else {
        panic!("{:?}", entry.kind)
    };
    assert_eq!(size, 7);
    assert_eq!(
        hex::encode(sha256),
        "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    );
}

/// Patterns for which the random comparison with upstream once found a difference, with what upstream answers.
#[test]
fn quirks_of_upstream_hold() {
    let selects = |pattern: &str, path: &str| {
        selector(&[pattern], &[], &[])
            .matcher()
            .unwrap()
            .selects(path, false)
    };
    // `|`, `{` and `}` are not escaped, and have their meaning in a pattern that becomes an expression.
    assert!(selects("??|", "anything"));
    assert!(selects("a?|b", "xxb"));
    assert!(selects("?{3}", "abc") && !selects("?{3}", "ab"));
    assert!(!selects("a|b", "a") && selects("a|b", "a|b"));
    assert!(selects("*.{js,ts}", "x.{js,ts}") && !selects("*.{js,ts}", "x.js"));
    // A malformed end is not looked at before it is reached.
    assert!(!selects("/**\\", "a"));
    assert!(selector(&["**/**/b/[b"], &[], &[]).matcher().is_ok());
    // A byte order mark at the start of a pattern.
    assert!(!selects("\u{feff}**/foo.txt", "foo.txt"));
    assert!(selects("\u{feff}*.go", "a.go"));
    // Escapes mean what they mean to a regular expression.
    assert!(selects("\\d?", "7x") && !selects("\\d?", "dx"));
    assert!(selects("x[\\d]", "x5") && !selects("x[\\d]", "xd"));
    assert!(selects("[[:alpha:]]", "q") && selects("\\x61?", "ab") && selects("\\141?", "ab"));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab]", 1 => "[a-c.\\-é ]{1,3}"].prop_filter("dots", |name| name != "." && name != "..")
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"))
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => name(), 1 => Just("*".to_owned()), 1 => Just("**".to_owned()), 1 => "[ab]\\*", 1 => Just("?".to_owned())];
    (prop::bool::weighted(0.3), prop::collection::vec(part, 1..4))
        .prop_map(|(exception, parts)| format!("{}{}", if exception { "!" } else { "" }, parts.join("/")))
}

/// Makes what can be made of random paths: a name may be wanted as a file and as a folder.
fn random_tree(files: &[(String, String)]) -> tempfile::TempDir {
    let tree = tempfile::TempDir::new().unwrap();
    for (path, content) in files {
        let place = tree.path().join(path);
        if fs::create_dir_all(place.parent().unwrap()).is_ok() {
            let _ = fs::write(place, content);
        }
    }
    tree
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_is_that_of_path_parts_and_parents_come_first(files in prop::collection::vec((path(), ".{0,8}"), 0..16)) {
        let tree = random_tree(&files);
        let snapshot = take(tree.path(), &Selector::default()).unwrap();
        let parts = |path: &str| path.split('/').map(|part| part.as_bytes().to_vec()).collect::<Vec<_>>();
        prop_assert!(snapshot.entries().is_sorted_by(|left, right| parts(&left.path) < parts(&right.path)));
        for entry in snapshot.entries() {
            if let Some((parent, _)) = entry.path.rsplit_once('/') {
                prop_assert!(paths(&snapshot).contains(&parent));
            }
        }
    }

    #[test]
    fn names_are_judged_as_the_walk_judges_them(
        files in prop::collection::vec((path(), Just(String::new())), 0..16),
        include in prop::collection::vec(pattern(), 0..3),
        exclude in prop::collection::vec(pattern(), 0..4),
    ) {
        let tree = random_tree(&files);
        let all = take(tree.path(), &Selector::default()).unwrap();
        let selector = Selector::new(include, exclude, vec![]);
        let (chosen, matcher) = match (take(tree.path(), &selector), selector.matcher()) {
            (Ok(chosen), Ok(matcher)) => (chosen, matcher),
            (chosen, matcher) => {
                prop_assert!(chosen.is_err() && matcher.is_err());
                return Ok(());
            }
        };
        let selected = all.entries().iter().filter(|entry| matcher.selects(&entry.path, entry.kind == Kind::Directory));
        let selected: Vec<&str> = selected.map(|entry| &*entry.path).collect();
        for path in paths(&chosen) {
            let below = format!("{path}/");
            prop_assert!(selected.iter().any(|own| *own == path || own.starts_with(&below)), "{path} was sent");
        }
        for path in selected {
            prop_assert!(paths(&chosen).contains(&path), "{path} was not sent");
        }
    }

    #[test]
    fn the_same_tree_has_the_same_snapshot_and_another_one_another(
        files in prop::collection::vec((path(), ".{1,8}"), 1..12),
        changed in any::<prop::sample::Index>(),
    ) {
        let tree = random_tree(&files);
        let first = take(tree.path(), &Selector::default()).unwrap();
        let again = take(tree.path(), &Selector::default()).unwrap();
        prop_assert_eq!(first.entries(), again.entries());
        prop_assert_eq!(first.digest(), again.digest());
        let copy = random_tree(&files);
        let elsewhere = take(copy.path(), &Selector::default()).unwrap();
        prop_assert_eq!(first.digest(), elsewhere.digest());
        let of = |snapshot: &unstale_context::Snapshot| -> Result<_, ContextError> {
            snapshot.content_digests(Rules::RelativePaths).of(&[])
        };
        prop_assert_eq!(of(&first).unwrap(), of(&elsewhere).unwrap());

        let regular: Vec<_> = first.entries().iter().filter(|entry| matches!(entry.kind, Kind::File { .. })).collect();
        let victim = copy.path().join(&*changed.get(&regular).path);
        let mut content = fs::read(&victim).unwrap();
        content[0] ^= 1;
        fs::write(&victim, content).unwrap();
        let other = take(copy.path(), &Selector::default()).unwrap();
        prop_assert_ne!(first.digest(), other.digest());
        prop_assert_ne!(of(&first).unwrap(), of(&other).unwrap());
    }
}
