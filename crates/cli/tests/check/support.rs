//! Runs the program on copies of fixtures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A temporary folder that is a git repository.
pub struct Folder(tempfile::TempDir);

/// How a run ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Standard output as a JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A folder of the examples.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

impl Folder {
    pub fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let git = Command::new("git")
            .args(["init", "-q"])
            .current_dir(folder.path())
            .status();
        assert!(git.unwrap().success());
        folder
    }

    /// With the files of a folder in it.
    pub fn copy_of(from: &Path) -> Folder {
        let folder = Folder::new();
        copy(from, folder.path());
        folder
    }

    /// Puts the files of another folder over those that are there.
    pub fn add(&self, from: &Path) {
        copy(from, self.path());
    }

    /// What git says.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    pub fn check(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["check"], arguments].concat())
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_unstale"))
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| {
            let path = self.path().display().to_string();
            String::from_utf8(bytes).unwrap().replace(&path, "[FOLDER]")
        };
        Ended {
            code: output.status.code().expect("the program ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The fixtures of a rule, in order.
pub fn fixtures(rule: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/check/fixtures")
        .join(rule);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("{rule} has no fixtures"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The rules that the program knows.
pub fn rules() -> Vec<String> {
    let ended = Folder::new().check(&["--list-rules", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let rules = document["rules"].as_array().unwrap();
    rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

/// What the program says of a rule's fixtures, and what its fixes make of them.
pub fn rule(rule: &str) {
    let mut text = String::new();
    for fixture in fixtures(rule) {
        let name = name(&fixture);
        let folder = Folder::copy_of(&fixture);
        let found = folder.check(&["--rule", rule]);
        let is_bad = name.starts_with("bad-");
        assert!(
            is_bad || name.starts_with("good-"),
            "{rule}/{name}: neither bad- nor good-"
        );
        assert_eq!(found.stderr, "", "{rule}/{name}");
        assert_eq!(
            (11..=14).contains(&found.code),
            is_bad,
            "{rule}/{name}: {}\n{}",
            found.code,
            found.stdout
        );
        if !is_bad {
            assert_eq!(found.code, 0, "{rule}/{name}");
            continue;
        }
        let _ = writeln!(text, "=== {name}: exit code {}\n{}", found.code, found.stdout);
        let diff = folder.check(&["--rule", rule, "--diff", "--unsafe"]);
        if diff.stdout.is_empty() {
            continue;
        }
        let _ = writeln!(text, "--- fixed\n{}", diff.stdout);
        // The fixes do what was shown, and once they are made there is nothing left to make.
        folder.check(&["--rule", rule, "--fix", "--unsafe"]);
        let again = folder.check(&["--rule", rule, "--diff", "--unsafe"]);
        assert_eq!(again.stdout, "", "{rule}/{name}: fixes after the fixes");
        let unreadable = folder.check(&["--rule", "unreadable-file"]);
        assert!(
            rule == "unreadable-file" || unreadable.code == 0,
            "{rule}/{name}: {}",
            unreadable.stdout
        );
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "snapshots" }, {
        insta::assert_snapshot!(rule, text);
    });
}
