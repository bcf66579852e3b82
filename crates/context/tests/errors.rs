//! Every error of a snapshot, and that what is excluded never causes one.

// Clippy takes helpers of tests for production code.
#![allow(clippy::unwrap_used)]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use support::{paths, selector, take, tree};
use unstale_context::{ContextError, Selector, dockerignore, snapshot};

fn failure(root: &Path, selector: &Selector) -> ContextError {
    take(root, selector).expect_err("the snapshot fails")
}

#[test]
fn a_missing_root_is_named() {
    let error = failure(Path::new("/nowhere/at/all"), &Selector::default());
    assert!(matches!(error, ContextError::RootMissing { .. }));
    assert_eq!(
        error.to_string(),
        "context folder \"/nowhere/at/all\" does not exist"
    );
    assert!(error.hint().is_some());
    assert!(matches!(
        dockerignore(Path::new("/nowhere/at/all"), "Dockerfile"),
        Err(ContextError::RootMissing { .. })
    ));
}

#[test]
fn a_root_that_is_a_file_is_its_own_error() {
    let tree = tree(&[("file", "")]);
    let error = failure(&tree.path().join("file"), &Selector::default());
    assert!(matches!(error, ContextError::RootNotDirectory { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--file"));
}

#[test]
fn the_root_may_be_a_link() {
    let tree = tree(&[("real/a", "")]);
    symlink("real", tree.path().join("link")).unwrap();
    assert_eq!(
        paths(&take(&tree.path().join("link"), &Selector::default()).unwrap()),
        ["a"]
    );
}

#[test]
fn a_malformed_pattern_is_named_with_its_list() {
    let tree = tree(&[("a", "")]);
    for (wrong, list) in [
        (selector(&["[a"], &[], &[]), "include"),
        (selector(&[], &["[a"], &[]), "exclude"),
        (selector(&[], &["!"], &[]), "exclude"),
    ] {
        let error = failure(tree.path(), &wrong);
        assert!(
            matches!(&error, ContextError::Pattern { list: own, .. } if *own == list),
            "{error}"
        );
        assert!(wrong.matcher().is_err());
    }
    let late = failure(tree.path(), &selector(&[], &["x*\\y"], &[]));
    assert_eq!(
        late.to_string(),
        "invalid exclude pattern \"x*\\\\y\": invalid escape sequence"
    );
}

#[test]
fn a_pattern_that_would_grow_without_bound_is_refused() {
    let tree = tree(&[("a", "")]);
    let huge = format!("*{}", "?{1000}".repeat(4000));
    let error = failure(tree.path(), &selector(&[], &[&huge], &[]));
    assert!(matches!(
        error,
        ContextError::Pattern {
            reason: "pattern is too large",
            ..
        }
    ));
}

#[test]
fn a_name_outside_of_utf8_is_shown_escaped() {
    let tree = tree(&[("ok", "")]);
    let odd = OsStr::from_bytes(b"caf\xe9");
    fs::create_dir(tree.path().join(odd)).unwrap();
    fs::write(tree.path().join(odd).join("menu"), "").unwrap();
    let error = failure(tree.path(), &Selector::default());
    assert_eq!(
        error.to_string(),
        "file name in the build context is not valid UTF-8: \"caf\\xe9\""
    );
    assert!(error.hint().unwrap().contains(".dockerignore"));
    // Not sent itself, but needed for what lies below.
    assert!(matches!(
        failure(tree.path(), &selector(&["*/menu"], &[], &[])),
        ContextError::NotUtf8 { .. }
    ));
    for excluded in [
        selector(&[], &["caf?"], &[]),
        selector(&["ok"], &[], &[]),
        selector(&[], &["*", "!ok"], &[]),
    ] {
        assert_eq!(paths(&take(tree.path(), &excluded).unwrap()), ["ok"]);
    }
}

#[test]
fn a_link_target_outside_of_utf8_is_shown_escaped() {
    let tree = tree(&[("ok", "")]);
    symlink(OsStr::from_bytes(b"\xff"), tree.path().join("link")).unwrap();
    let error = failure(tree.path(), &Selector::default());
    assert_eq!(
        error.to_string(),
        "link target in the build context is not valid UTF-8: \"link -> \\xff\""
    );
    assert!(take(tree.path(), &selector(&[], &["link"], &[])).is_ok());
}

#[test]
fn a_raised_flag_cancels() {
    let tree = tree(&[("a", "")]);
    let error = snapshot(tree.path(), &Selector::default(), None, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(error, ContextError::Cancelled));
}

/// Permissions do not bind root, so that the tests below run as another user if we are root.
fn unprivileged(test: &str) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let run = Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"));
}

#[test]
fn what_cannot_be_read_is_named_unless_excluded() {
    if rustix::process::geteuid().is_root() {
        return unprivileged("what_cannot_be_read_is_named_unless_excluded");
    }
    let tree = tree(&[("ok", ""), ("dir/inner/a", ""), ("dir/secret", "")]);
    let lock = |path: &str, mode| {
        fs::set_permissions(tree.path().join(path), fs::Permissions::from_mode(mode)).unwrap()
    };
    lock("dir/secret", 0o000);
    let error = failure(tree.path(), &Selector::default());
    assert_eq!(
        error.to_string(),
        "cannot read \"dir/secret\" in the build context"
    );
    assert!(error.hint().unwrap().contains("chmod") && error.hint().unwrap().contains(".dockerignore"));
    assert!(take(tree.path(), &selector(&[], &["dir/secret"], &[])).is_ok());

    lock("dir/inner", 0o000);
    let error = failure(tree.path(), &selector(&[], &["dir/secret"], &[]));
    assert_eq!(
        error.to_string(),
        "cannot read \"dir/inner\" in the build context"
    );
    assert_eq!(
        paths(&take(tree.path(), &selector(&[], &["dir"], &[])).unwrap()),
        ["ok"]
    );
    // Entered only because of the exception, and passed over as upstream does.
    assert_eq!(
        paths(&take(tree.path(), &selector(&[], &["dir", "!dir/inner/a"], &[])).unwrap()),
        ["ok"]
    );

    lock("dir/inner", 0o755);
    lock("", 0o000);
    let error = failure(tree.path(), &Selector::default());
    lock("", 0o755);
    assert!(matches!(error, ContextError::RootUnreadable { .. }), "{error}");
}

#[test]
fn an_ignore_file_is_found_beside_the_dockerfile_first() {
    let tree = tree(&[
        (".dockerignore", "general\n"),
        ("docker/app.Dockerfile.dockerignore", "# x\n/own/\n!kept \n"),
        ("d/.dockerignore", ""),
    ]);
    let read = |dockerfile| dockerignore(tree.path(), dockerfile).unwrap().unwrap();
    assert_eq!(
        (read("Dockerfile").path.as_str(), read("Dockerfile").patterns),
        (".dockerignore", vec!["general".to_owned()])
    );
    let own = read("docker/app.Dockerfile");
    assert_eq!(
        (own.path.as_str(), own.patterns),
        (
            "docker/app.Dockerfile.dockerignore",
            vec!["own".to_owned(), "!kept".to_owned()]
        )
    );
    assert_eq!(
        dockerignore(&tree.path().join("docker"), "Dockerfile").unwrap(),
        None
    );
    assert_eq!(
        dockerignore(&tree.path().join("d"), "../docker/app.Dockerfile")
            .unwrap()
            .unwrap()
            .patterns
            .len(),
        2
    );
    symlink("/d/.dockerignore", tree.path().join("docker/linked.dockerignore")).unwrap();
    symlink("../.dockerignore", tree.path().join("linked.dockerignore")).unwrap();
    assert_eq!(dockerignore(&tree.path().join("docker"), "linked").unwrap(), None);
    assert_eq!(read("linked").patterns, ["general"]);
    fs::create_dir(tree.path().join("docker/.dockerignore")).unwrap();
    let error = dockerignore(&tree.path().join("docker"), "Dockerfile").unwrap_err();
    assert!(matches!(error, ContextError::Unreadable { .. }), "{error}");
}
