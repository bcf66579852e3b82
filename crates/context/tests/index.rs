//! The hash index: an unchanged file is not read again, a changed one always is, and no damage stops a build.

// Clippy takes helpers of tests for production code.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use support::{age, take, take_indexed, tree};
use tempfile::TempDir;
use unstale_context::{HashIndex, IndexError, Selector, Snapshot};

const FILES: &[(&str, &str)] = &[
    ("a.txt", "alpha"),
    ("b/c.txt", "gamma"),
    ("b/d.txt", ""),
    ("link -> a.txt", ""),
];

struct Fixture {
    tree: TempDir,
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            tree: tree(FILES),
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("nested/hashes.db")
    }

    fn index(&self) -> HashIndex {
        HashIndex::open(&self.path()).unwrap()
    }

    /// Snapshots until the files are old enough for the index, which a clock tick or two make them.
    fn settle(&self, index: &HashIndex) -> Snapshot {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let snapshot = take_indexed(self.tree.path(), index);
            if snapshot.counters().files_read == 0 {
                return snapshot;
            }
            assert!(
                Instant::now() < deadline,
                "files are never taken from the index: {:?}",
                snapshot.counters()
            );
        }
    }
}

#[test]
fn an_unchanged_tree_is_never_read_again() {
    let fixture = Fixture::new();
    let fresh = take(fixture.tree.path(), &Selector::default()).unwrap();
    assert_eq!(
        (fresh.counters().files_read, fresh.counters().bytes_read),
        (3, 10)
    );
    let known = fixture.settle(&fixture.index());
    assert_eq!(
        (
            known.counters().files_read,
            known.counters().bytes_read,
            known.counters().index_hits
        ),
        (0, 0, 3)
    );
    assert_eq!(known.entries(), fresh.entries());
    assert_eq!(known.digest(), fresh.digest());
    // Another process finds the same.
    assert_eq!(
        take_indexed(fixture.tree.path(), &fixture.index())
            .counters()
            .index_hits,
        3
    );
}

#[test]
fn content_changed_under_the_same_size_and_mtime_is_read() {
    let fixture = Fixture::new();
    let index = fixture.index();
    let before = fixture.settle(&index);
    let file = fixture.tree.path().join("a.txt");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "ALPHA").unwrap();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let after = take_indexed(fixture.tree.path(), &index);
    assert_eq!((after.counters().files_read, after.counters().index_hits), (1, 2));
    assert_ne!(after.digest(), before.digest());
    assert_eq!(
        after.entries(),
        take(fixture.tree.path(), &Selector::default()).unwrap().entries()
    );
}

#[test]
fn a_changed_mode_is_seen_through_the_index() {
    let fixture = Fixture::new();
    let index = fixture.index();
    fixture.settle(&index);
    fs::set_permissions(
        fixture.tree.path().join("a.txt"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let after = take_indexed(fixture.tree.path(), &index);
    assert_eq!(
        after.entries(),
        take(fixture.tree.path(), &Selector::default()).unwrap().entries()
    );
}

#[test]
fn a_file_written_just_now_is_not_believed_at_the_next_look() {
    let fixture = Fixture::new();
    let index = fixture.index();
    fixture.settle(&index);
    for round in 0..50 {
        // Changes within one tick of the clock cannot be told by time.
        let file = fixture.tree.path().join("a.txt");
        fs::write(&file, format!("{round:05}")).unwrap();
        take_indexed(fixture.tree.path(), &index);
        fs::write(&file, format!("{:05}", round + 1000)).unwrap();
        let snapshot = take_indexed(fixture.tree.path(), &index);
        assert_eq!(
            snapshot.digest(),
            take(fixture.tree.path(), &Selector::default()).unwrap().digest(),
            "{round}"
        );
    }
}

#[test]
fn a_file_dated_in_the_future_is_always_read() {
    let fixture = Fixture::new();
    let index = fixture.index();
    fixture.settle(&index);
    let file = fs::File::options()
        .write(true)
        .open(fixture.tree.path().join("a.txt"))
        .unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    age(&fixture.tree.path().join("b/c.txt"), 3600);
    for _ in 0..3 {
        assert!(take_indexed(fixture.tree.path(), &index).counters().files_read >= 1);
    }
}

#[test]
fn a_damaged_file_is_replaced_by_an_empty_index() {
    for damage in [
        &b"not a database at all, but long enough to be looked at"[..],
        b"SQLite format 3\0garbage",
        b"\0",
    ] {
        let fixture = Fixture::new();
        fs::create_dir_all(fixture.path().parent().unwrap()).unwrap();
        fs::write(fixture.path(), damage).unwrap();
        let index = fixture.index();
        assert_eq!(take_indexed(fixture.tree.path(), &index).counters().index_hits, 0);
        assert_eq!(fixture.settle(&index).counters().index_hits, 3);
    }
}

#[test]
fn pages_overwritten_with_noise_stop_nothing() {
    let fixture = Fixture::new();
    fixture.settle(&fixture.index());
    let length = fs::metadata(fixture.path()).unwrap().len();
    fs::write(fixture.path(), vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
    let index = fixture.index();
    assert_eq!(fixture.settle(&index).counters().index_hits, 3);
}

#[test]
fn an_index_damaged_while_open_heals() {
    let fixture = Fixture::new();
    let index = fixture.index();
    fixture.settle(&index);
    Connection::open(fixture.path())
        .unwrap()
        .execute_batch("DROP TABLE file")
        .unwrap();
    assert_eq!(take_indexed(fixture.tree.path(), &index).counters().index_hits, 0);
    assert_eq!(fixture.settle(&index).counters().index_hits, 3);
}

#[test]
fn a_row_with_another_hash_is_not_believed() {
    let fixture = Fixture::new();
    let index = fixture.index();
    fixture.settle(&index);
    let rows = Connection::open(fixture.path()).unwrap();
    assert_eq!(
        rows.execute("UPDATE file SET sha256 = zeroblob(32)", []).unwrap(),
        3
    );
    let snapshot = take_indexed(fixture.tree.path(), &index);
    assert_eq!(
        (snapshot.counters().files_read, snapshot.counters().index_hits),
        (3, 0)
    );
    rows.execute("UPDATE file SET tarsum = 'text'", []).unwrap();
    assert_eq!(take_indexed(fixture.tree.path(), &index).counters().files_read, 3);
}

#[test]
fn another_process_that_writes_does_not_hold_us_up() {
    let fixture = Fixture::new();
    let index = fixture.index();
    let other = Connection::open(fixture.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(take_indexed(fixture.tree.path(), &index).counters().files_read, 3);
    other.execute_batch("ROLLBACK").unwrap();
    fixture.settle(&index);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(take_indexed(fixture.tree.path(), &index).counters().index_hits, 3);
}

#[test]
fn many_open_the_same_new_index_at_once() {
    for _ in 0..10 {
        let fixture = Fixture::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let snapshot = take_indexed(fixture.tree.path(), &fixture.index());
                    assert_eq!(snapshot.counters().files_read + snapshot.counters().index_hits, 3);
                });
            }
        });
    }
}

#[test]
fn rows_that_nobody_asked_for_in_months_are_dropped() {
    let fixture = Fixture::new();
    let index = fixture.index();
    fixture.settle(&index);
    let rows = Connection::open(fixture.path()).unwrap();
    let count = || {
        rows.query_row("SELECT count(*) FROM file", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    rows.execute("UPDATE file SET used = used - 100", []).unwrap();
    // Asked for again, they are kept.
    assert_eq!(take_indexed(fixture.tree.path(), &index).counters().index_hits, 3);
    rows.execute("UPDATE file SET used = used - 100 WHERE size = 0", [])
        .unwrap();
    fs::remove_file(fixture.tree.path().join("b/d.txt")).unwrap();
    fs::write(fixture.tree.path().join("new.txt"), "new").unwrap();
    fixture.settle(&index);
    assert_eq!(count(), 3);
}

#[test]
fn a_place_that_cannot_hold_an_index_is_an_error() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = HashIndex::open(&folder.path().join("file/hashes.db")).unwrap_err();
    assert!(matches!(error, IndexError::Io { .. }), "{error}");
    assert!(error.hint().is_some());
    let error = HashIndex::open(Path::new("/proc/hashes.db")).unwrap_err();
    assert!(matches!(error, IndexError::Sqlite { .. }), "{error}");
}
