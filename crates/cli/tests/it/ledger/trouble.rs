//! A ledger that cannot be written or read: the build goes on, and the user is told.

use crate::bad_input::{Ended, assert_alive, recorded, run, scrub, unstale, web};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Engine, Project, engines, left_out};

/// A small file system on a folder, for as long as this lives.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(folder: &Path, options: &str) -> Option<Mount> {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Mount(folder.to_owned()));
        }
        left_out("no privilege to mount a file system");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn build_with_state(project: &Project, engine: &Engine, state: &Path) -> Ended {
    run(project
        .unstale(engine)
        .env("UNSTALE_STATE_DIR", state)
        .args(["build", "--quiet"]))
}

fn assert_built_with_warning(project: &Project, ended: &Ended, words: &str) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.starts_with("sha256:"), "{}", ended.stdout);
    let message = scrub(&ended.stderr, project);
    assert!(
        message.contains("warning: this build is not recorded: "),
        "{message}"
    );
    assert!(message.contains(words), "{message}");
    assert_eq!(
        message.matches("is not recorded").count(),
        1,
        "said once: {message}"
    );
    assert!(
        !message.lines().any(|line| line.starts_with("error:")),
        "{message}"
    );
}

#[test]
fn a_full_disk_under_the_ledger_does_not_stop_a_build() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("full", "FROM busybox\nCOPY . /app\n");
        project.write("file", "content");
        for size in ["16k", "128k"] {
            let state = project.path().parent().unwrap().join(format!("tiny-{size}"));
            let Some(_mount) = Mount::tmpfs(&state, &format!("size={size}")) else {
                return;
            };
            let ended = build_with_state(&project, engine, &state);
            assert_built_with_warning(&project, &ended, "no space left");
        }
        // With room again, all is recorded.
        assert_alive(&project, engine);
        assert_eq!(recorded(&project, engine).len(), 1);
    }
}

#[test]
fn a_ledger_that_fills_its_disk_later_keeps_what_it_has() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("fills", "FROM busybox\nCOPY . /app\n");
        let state = project.path().parent().unwrap().join("filling");
        let Some(_mount) = Mount::tmpfs(&state, "size=4m") else {
            return;
        };
        assert_eq!(build_with_state(&project, engine, &state).code, 0);
        let filler = state.join("filler");
        let mut zeros = fs::File::create(&filler).unwrap();
        let _ = std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 8 << 20), &mut zeros);
        drop(zeros);
        let ended = build_with_state(&project, engine, &state);
        assert_built_with_warning(&project, &ended, "no space left");
        fs::remove_file(filler).unwrap();
        let log = run(project
            .unstale(engine)
            .env("UNSTALE_STATE_DIR", &state)
            .args(["log", "--format", "json"]));
        assert_eq!((log.code, log.stderr.as_str()), (0, ""));
        let builds = log.json()["builds"].as_array().unwrap().clone();
        assert_eq!(builds.last().unwrap()["state"], "succeeded");
        assert!(
            builds.iter().all(|build| build["state"] != "running"),
            "{builds:?}"
        );
    }
}

#[test]
fn a_state_folder_that_cannot_be_written_does_not_stop_a_build() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("readonly", "FROM busybox\n");
        let state = project.path().parent().unwrap().join("readonly");
        let Some(_mount) = Mount::tmpfs(&state, "ro") else {
            return;
        };
        let ended = build_with_state(&project, engine, &state);
        assert_built_with_warning(&project, &ended, "Read-only file system");
        // Nor does one that is a file.
        let file = project.write("state-file", "");
        let ended = build_with_state(&project, engine, &file);
        assert_built_with_warning(&project, &ended, "[project]/state-file");
    }
}

#[test]
fn a_damaged_ledger_is_set_aside_loudly_and_a_new_one_begun() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("damaged", "FROM busybox\nRUN true\n");
        assert_eq!(unstale(&project, engine, &["build", "-q"]).code, 0);
        let state = project.path().parent().unwrap().join("environment/state");
        let ledger = state.join("ledger.db");
        let damage = b"this was a ledger".repeat(100);
        fs::write(&ledger, &damage).unwrap();
        let ended = unstale(&project, engine, &["build", "-q"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let message = scrub(&ended.stderr, &project);
        assert!(
            message.starts_with("warning: the ledger was damaged: it was set aside as [above]/environment/state/ledger.db.damaged-"),
            "{message}"
        );
        assert!(message.ends_with(", and a new one begun\n"), "{message}");
        let aside = fs::read_dir(&state)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains("ledger.db.damaged-"))
            .unwrap();
        assert_eq!(fs::read(aside).unwrap(), damage);
        assert_eq!(recorded(&project, engine).len(), 1);
        // `log` finds damage as well.
        fs::write(&ledger, &damage).unwrap();
        let log = unstale(&project, engine, &["log"]);
        assert_eq!((log.code, log.stdout.as_str()), (0, "no builds are recorded\n"));
        assert!(
            log.stderr.contains("warning: the ledger was damaged"),
            "{}",
            log.stderr
        );
    }
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("newer", "FROM busybox\nRUN true\n");
        assert_eq!(unstale(&project, engine, &["build", "-q"]).code, 0);
        let ledger = project
            .path()
            .parent()
            .unwrap()
            .join("environment/state/ledger.db");
        // SQLite's `user_version` stands at byte 60 of the file.
        let mut bytes = fs::read(&ledger).unwrap();
        bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
        fs::write(&ledger, &bytes).unwrap();
        let ended = unstale(&project, engine, &["build", "-q"]);
        assert_built_with_warning(&project, &ended, "has schema 99");
        assert_eq!(fs::read(&ledger).unwrap(), bytes);
        let log = unstale(&project, engine, &["log"]);
        assert_eq!(log.code, 1);
        assert!(
            log.stderr.contains("has schema 99") && log.stderr.contains("hint: "),
            "{}",
            log.stderr
        );
    }
}
