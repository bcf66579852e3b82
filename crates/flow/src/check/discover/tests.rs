//! What is found in which tree.

use super::*;
use std::fs;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn files(discovery: &Discovery) -> Vec<(&str, FileKind)> {
    discovery
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.kind))
        .collect()
}

fn paths(found: &[TreePath]) -> Vec<&str> {
    found.iter().map(|path| path.path.as_str()).collect()
}

fn found(folder: &tempfile::TempDir, path: &str) -> Discovery {
    discover(Path::new("/proc"), &[folder.path().join(path)]).unwrap()
}

#[test]
fn files_are_found_as_git_sees_the_tree() {
    let folder = tree(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".git/info/exclude", "secret.sh\n"),
        (".git/hooks/pre-commit.sh", ""),
        (".gitignore", "dist/\n*.gen.sh\n"),
        ("Dockerfile", "FROM a\n"),
        (".github/workflows/ci.yml", "on: push\n"),
        ("run", "#!/bin/bash\n"),
        ("LICENSE", "MIT\n"),
        ("a.gen.sh", ""),
        ("secret.sh", ""),
        ("dist/Dockerfile", ""),
        ("node_modules/x/Dockerfile", ""),
        ("vendor/x/build.sh", ""),
        ("sub/.gitignore", "!a.gen.sh\nx.sh\n"),
        ("sub/a.gen.sh", ""),
        ("sub/x.sh", ""),
        ("sub/target/x", ""),
        ("package.json", "{}"),
        (".env", "A=1\n"),
        ("sub/build/.gitignore", "*\n"),
    ]);
    let discovery = found(&folder, "");
    assert_eq!(
        files(&discovery),
        [
            (".github/workflows/ci.yml", FileKind::GithubWorkflow),
            ("Dockerfile", FileKind::Dockerfile),
            ("run", FileKind::Script),
            ("sub/a.gen.sh", FileKind::Script),
            ("vendor/x/build.sh", FileKind::Script),
        ]
    );
    let all = paths(&discovery.paths);
    assert!(all.contains(&"LICENSE") && all.contains(&"sub/target/x") && all.contains(&".env"));
    assert!(!all.iter().any(|path| path.starts_with("dist")
        || path.starts_with(".git/")
        || path.starts_with("node_modules")));
    assert_eq!(paths(&discovery.left_out), [".git", "dist", "node_modules"]);
    assert_eq!(discovery.notes, []);
}

#[test]
fn what_git_keeps_is_not_left_behind() {
    let folder = tree(&[
        (".gitignore", ".env\ndist/\nbuild/\n"),
        ("web/Dockerfile", "FROM a\n"),
        ("web/.env", "A=1\n"),
        ("web/dist/a.js", ""),
        ("web/build/a.js", ""),
    ]);
    let git = |arguments: &[&str]| {
        let git = std::process::Command::new("git")
            .arg("-C")
            .arg(folder.path())
            .args(arguments)
            .status();
        assert!(git.unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["add", "--force", "web/.env", "web/dist/a.js"]);
    assert_eq!(paths(&found(&folder, "").left_out), [".git", "web/build"]);
    let below = discover(Path::new("/proc"), &[folder.path().join("web")]).unwrap();
    assert_eq!(paths(&below.left_out), ["web/build"]);
}

#[test]
fn data_of_tests_and_vendored_code_are_checked_where_they_are_asked_for() {
    let folder = tree(&[
        ("testdata/web/Dockerfile", "FROM a\n"),
        ("vendor/github.com/x/y.sh", ""),
        ("z.sh", ""),
    ]);
    assert_eq!(files(&found(&folder, "")), [("z.sh", FileKind::Script)]);
    let asked = discover(folder.path(), &[folder.path().join("testdata")]).unwrap();
    assert_eq!(files(&asked), [("testdata/web/Dockerfile", FileKind::Dockerfile)]);
    let named = discover(folder.path(), &[folder.path().join("vendor/github.com/x/y.sh")]).unwrap();
    assert_eq!(files(&named), [("vendor/github.com/x/y.sh", FileKind::Script)]);
}

#[test]
fn outside_of_a_repository_the_tree_s_own_ignore_files_hold() {
    let folder = tree(&[
        ("outer/.gitignore", "*\n"),
        ("outer/in/.gitignore", "b.sh\n"),
        ("outer/in/a.sh", ""),
        ("outer/in/b.sh", ""),
    ]);
    assert_eq!(files(&found(&folder, "outer/in")), [("a.sh", FileKind::Script)]);
}

#[test]
fn a_named_file_is_checked_whatever_git_and_its_name_say() {
    let folder = tree(&[
        (".git/HEAD", ""),
        (".gitignore", "docker/\n"),
        ("docker/image.txt", "FROM alpine\n"),
        ("docker/other.sh", ""),
        ("notes.txt", "hello\n"),
        ("a/build.sh", ""),
    ]);
    let discovery = discover(
        Path::new("/proc"),
        &["docker/image.txt", "a", "notes.txt"].map(|path| folder.path().join(path)),
    )
    .unwrap();
    assert_eq!(
        files(&discovery),
        [
            ("a/build.sh", FileKind::Script),
            ("docker/image.txt", FileKind::Dockerfile)
        ]
    );
    assert_eq!(
        discovery.notes,
        [Note::Unknown {
            path: "notes.txt".to_owned()
        }]
    );
    assert_eq!(discovery.root, fs::canonicalize(folder.path()).unwrap());
    let alone = found(&folder, "a/build.sh");
    assert_eq!(
        (files(&alone), paths(&alone.paths)),
        (vec![("a/build.sh", FileKind::Script)], vec!["a", "a/build.sh"])
    );
}

#[test]
fn a_part_of_a_repository_is_known_by_its_place_in_it() {
    let folder = tree(&[
        (".git/HEAD", ""),
        (".gitignore", "*.sh\n"),
        (".github/workflows/ci.yml", ""),
        (".github/workflows/x.sh", ""),
    ]);
    assert_eq!(
        files(&found(&folder, ".github/workflows")),
        [(".github/workflows/ci.yml", FileKind::GithubWorkflow)]
    );
    // From within the repository, the folder that is asked from is the root.
    let workflows = folder.path().join(".github/workflows");
    let within = discover(&workflows, std::slice::from_ref(&workflows)).unwrap();
    assert_eq!(files(&within), [("ci.yml", FileKind::GithubWorkflow)]);
}

#[test]
fn what_cannot_be_checked_is_a_note() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tree(&[
        ("big.sh", &"#".repeat(LARGEST_FILE as usize + 1)),
        ("binary.sh", "a\0b"),
        ("prog", "\u{7f}ELF\0"),
    ]);
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.sh")), "").unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc/profile", folder.path().join("link.sh")).unwrap();
    let discovery = found(&folder, "");
    assert_eq!(files(&discovery), []);
    assert_eq!(
        discovery.notes,
        [
            Note::Name {
                path: "caf\u{fffd}.sh".to_owned()
            },
            Note::Large {
                path: "big.sh".to_owned(),
                size: LARGEST_FILE + 1
            },
            Note::Binary {
                path: "binary.sh".to_owned()
            },
        ]
    );
    assert_eq!(
        paths(&discovery.paths),
        ["big.sh", "binary.sh", "link", "link.sh", "prog"]
    );
    assert_eq!(discovery.paths[2].entry, EntryKind::Link);
}

#[test]
fn a_path_that_does_not_exist_is_an_error() {
    let error = discover(Path::new("/"), &[PathBuf::from("/nowhere/to/be/found")]).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/to/be/found does not exist");
    assert!(error.hint().is_some());
}

#[test]
fn folders_in_folders_are_walked_once() {
    let folder = tree(&[("a/x.sh", ""), ("a/b/y.sh", ""), ("ab/z.sh", "")]);
    let discovery = discover(
        Path::new("/proc"),
        &["a", "a/b", "ab", "a/x.sh"].map(|path| folder.path().join(path)),
    )
    .unwrap();
    let names: Vec<&str> = discovery.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["a/b/y.sh", "a/x.sh", "ab/z.sh"]);
    assert_eq!(
        paths(&discovery.paths)
            .iter()
            .filter(|path| **path == "a/b/y.sh")
            .count(),
        1
    );
}
