//! A damaged file is set aside and a new ledger begun; what is not ours, or newer, is left alone.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use unstale_ledger::*;

/// A ledger with one build of some size, closed.
fn written(path: &Path) -> Vec<u8> {
    written_with(path, 2_000)
}

fn written_with(path: &Path, files: usize) -> Vec<u8> {
    let ledger = open(path);
    ledger.begin_build(&new_build("old")).unwrap();
    for name in ["a", "b", "c", "d"] {
        let mut service = service(name);
        service.manifests[0].files = (0..files).map(|n| file(n, &format!("{name}{n}"))).collect();
        ledger.record_service("old", &service).unwrap();
    }
    drop(ledger);
    fs::read(path).unwrap()
}

/// Opens the file, which must be set aside with its bytes, and a new ledger must work in its place.
fn assert_set_aside(path: &Path, what: &str) -> PathBuf {
    let damaged = fs::read(path).unwrap();
    let opened = Ledger::open(path).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let aside = opened
        .set_aside
        .unwrap_or_else(|| panic!("{what}: not set aside"));
    let name = aside.file_name().unwrap().to_str().unwrap();
    let seconds = name.strip_prefix("ledger.db.damaged-").unwrap();
    assert!(
        seconds.split('.').next().unwrap().parse::<u64>().unwrap() > 1_700_000_000,
        "{what}: {name}"
    );
    assert_eq!(
        fs::read(&aside).unwrap(),
        damaged,
        "{what}: the evidence is untouched"
    );
    opened.ledger.begin_build(&new_build("new")).unwrap();
    assert_eq!(opened.ledger.builds(&all()).unwrap().len(), 1, "{what}");
    drop(opened.ledger);
    assert_eq!(open(path).builds(&all()).unwrap()[0].id, "new", "{what}");
    aside
}

#[test]
fn every_kind_of_damage_is_set_aside() {
    let scratch = scratch();
    let sound = written(&scratch.path);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "garbage",
            b"this is no database, but it is long enough to be looked at".repeat(200),
        ),
        ("one byte", vec![b'x']),
        ("zero bytes", vec![0; sound.len()]),
        ("half of a header", sound[..50].to_vec()),
        (
            "truncated in the middle of a page",
            sound[..sound.len() / 2 - 100].to_vec(),
        ),
        ("truncated at a page", sound[..sound.len() / 8192 * 4096].to_vec()),
        ("a page overwritten", {
            let mut bytes = sound.clone();
            bytes[4096 * 2..4096 * 3].fill(0xff);
            bytes
        }),
        ("the schema overwritten", {
            let mut bytes = sound.clone();
            bytes[100..4096].fill(0xff);
            bytes
        }),
    ];
    for (what, bytes) in cases {
        fs::write(&scratch.path, bytes).unwrap();
        assert_set_aside(&scratch.path, what);
    }
}

#[test]
fn two_in_one_second_do_not_overwrite_each_other() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path.parent().unwrap()).unwrap();
    let mut names: Vec<PathBuf> = (0..3)
        .map(|n| {
            fs::write(&scratch.path, format!("garbage {n}")).unwrap();
            Ledger::open(&scratch.path).unwrap().set_aside.unwrap()
        })
        .collect();
    names.dedup();
    assert_eq!(names.len(), 3);
    assert_eq!(fs::read(&names[0]).unwrap(), b"garbage 0");
}

#[test]
fn the_log_goes_with_the_file() {
    let scratch = scratch();
    written(&scratch.path);
    fs::write(&scratch.path, b"garbage".repeat(100)).unwrap();
    fs::write(scratch.path.with_file_name("ledger.db-wal"), b"the log").unwrap();
    let aside = assert_set_aside(&scratch.path, "with a log");
    let log = aside.with_file_name(format!("{}-wal", aside.file_name().unwrap().to_str().unwrap()));
    assert_eq!(fs::read(log).unwrap(), b"the log");
}

#[test]
fn garbage_in_the_log_loses_nothing_that_is_in_the_file() {
    let scratch = scratch();
    written(&scratch.path);
    for garbage in [b"garbage".repeat(10_000), vec![0; 100_000], vec![b'7']] {
        fs::write(scratch.path.with_file_name("ledger.db-wal"), garbage).unwrap();
        let ledger = open(&scratch.path);
        assert_eq!(ledger.build("old").unwrap().services.len(), 4);
    }
}

#[test]
fn an_empty_file_is_a_new_ledger() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path.parent().unwrap()).unwrap();
    fs::write(&scratch.path, "").unwrap();
    open(&scratch.path).begin_build(&new_build("b")).unwrap();
}

#[test]
fn damage_met_while_working_is_an_error_and_the_next_start_sets_it_aside() {
    let scratch = scratch();
    // More than SQLite keeps in memory.
    written_with(&scratch.path, 100_000);
    let ledger = open(&scratch.path);
    let mut bytes = fs::read(&scratch.path).unwrap();
    assert!(bytes.len() > 2 * 1024 * 1024, "{}", bytes.len());
    bytes[4096..].fill(0xff);
    fs::write(&scratch.path, bytes).unwrap();
    let error = ledger
        .build("old")
        .map(|_| ())
        .and(ledger.record_service("old", &service("e")))
        .unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
    assert!(error.hint().is_some());
    drop(ledger);
    assert!(Ledger::open(&scratch.path).unwrap().set_aside.is_some());
}

fn assert_left_alone(path: &Path, expected: impl Fn(&LedgerError) -> bool) {
    let before = fs::read(path).ok();
    let error = Ledger::open(path).unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert!(error.hint().is_some());
    assert_eq!(fs::read(path).ok(), before);
}

#[test]
fn a_newer_schema_is_left_alone() {
    let scratch = scratch();
    written(&scratch.path);
    let raw = rusqlite::Connection::open(&scratch.path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert_left_alone(&scratch.path, |error| {
        matches!(
            error,
            LedgerError::NewerSchema {
                found: 99,
                known: 5,
                ..
            }
        )
    });
}

#[test]
fn another_programs_database_is_left_alone() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path.parent().unwrap()).unwrap();
    rusqlite::Connection::open(&scratch.path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    assert_left_alone(&scratch.path, |error| {
        matches!(error, LedgerError::Foreign { .. })
    });
}

#[test]
fn what_is_no_regular_file_is_left_alone() {
    let scratch = scratch();
    fs::create_dir_all(&scratch.path).unwrap();
    assert_left_alone(&scratch.path, |error| {
        matches!(error, LedgerError::NotAFile { .. })
    });
    let below_a_file = scratch.directory.path().join("file");
    fs::write(&below_a_file, "").unwrap();
    let error = Ledger::open(&below_a_file.join("x/ledger.db")).unwrap_err();
    assert!(matches!(error, LedgerError::Filesystem { .. }), "{error:?}");
}
