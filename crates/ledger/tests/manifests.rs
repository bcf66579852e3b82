//! Lists of files: large ones, shared ones, forgotten ones, damaged ones.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

mod common;

use common::*;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use unstale_ledger::*;

fn tree(files: usize) -> Vec<FileRecord> {
    (0..files)
        .map(|n| file(n, &hex::encode(Sha256::digest(n.to_le_bytes()))))
        .collect()
}

fn record(ledger: &Ledger, id: &str, files: Vec<FileRecord>) {
    ledger.begin_build(&new_build(id)).unwrap();
    let mut service = service("backend");
    service.manifests[0].files = files;
    ledger.record_service(id, &service).unwrap();
    ledger.finish_build(id, BuildOutcome::Succeeded, 9, None).unwrap();
}

fn digest(ledger: &Ledger, id: &str) -> String {
    ledger.build(id).unwrap().services[0].manifests[0].digest.clone()
}

fn read(ledger: &Ledger, digest: &str) -> Vec<FileRecord> {
    ledger.files(digest).unwrap().collect::<Result<_, _>>().unwrap()
}

fn count(ledger: &Ledger, table: &str) -> i64 {
    let raw = rusqlite::Connection::open(ledger.path()).unwrap();
    raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

fn stored_bytes(ledger: &Ledger) -> i64 {
    let raw = rusqlite::Connection::open(ledger.path()).unwrap();
    raw.query_row("SELECT sum(length(data)) FROM chunk", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_hundred_thousand_files_are_stored_once_and_a_change_costs_little() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let mut files = tree(100_000);
    record(&ledger, "b1", files.clone());
    let first = stored_bytes(&ledger);
    assert!(
        first < 6_000_000,
        "{first} bytes for 100,000 files with 32 incompressible bytes each"
    );
    record(&ledger, "b2", files.clone());
    assert_eq!(stored_bytes(&ledger), first, "an equal list costs nothing");
    assert_eq!(digest(&ledger, "b1"), digest(&ledger, "b2"));

    files[50_000].content = Some(hex::encode(Sha256::digest("edited")));
    files.remove(70_000);
    record(&ledger, "b3", files.clone());
    let added = stored_bytes(&ledger) - first;
    assert!(
        added < first / 20,
        "{added} bytes for one edited and one removed file, {first} for all"
    );
    assert_eq!(read(&ledger, &digest(&ledger, "b1")), tree(100_000));
    assert_eq!(read(&ledger, &digest(&ledger, "b3")), files);
}

#[test]
fn retention_forgets_the_oldest_builds_with_their_files() {
    let scratch = scratch();
    let ledger = open(&scratch.path).with_retention(3);
    let mut other = new_build("other");
    other.project = "other".to_owned();
    ledger.begin_build(&other).unwrap();
    ledger
        .finish_build("other", BuildOutcome::Succeeded, 1, None)
        .unwrap();
    ledger.begin_build(&new_build("still-running")).unwrap();
    let mut gone = new_build("gone");
    gone.process.start = Some("another-boot pid:[1] 1".to_owned());
    ledger.begin_build(&gone).unwrap();
    for n in 0..6 {
        let mut files = tree(2_000);
        files[n].content = Some(format!("{n}"));
        record(&ledger, &format!("b{n}"), files);
    }
    let ids: Vec<_> = ledger
        .builds(&all())
        .unwrap()
        .into_iter()
        .map(|build| build.id)
        .collect();
    assert_eq!(ids, ["b5", "b4", "b3", "still-running", "other"]);
    assert_eq!(count(&ledger, "manifest"), 3);
    assert_eq!(count(&ledger, "service"), 3);
    assert_eq!(count(&ledger, "step"), 6);
    for id in ["b3", "b4", "b5"] {
        assert_eq!(read(&ledger, &digest(&ledger, id)).len(), 2_000);
    }
    let raw = rusqlite::Connection::open(ledger.path()).unwrap();
    let orphans: i64 = raw
        .query_row(
            "SELECT count(*) FROM chunk WHERE key NOT IN (SELECT chunk FROM manifest_chunk)",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(orphans, 0);
}

#[test]
fn an_empty_context_has_a_list_too() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    record(&ledger, "b", Vec::new());
    assert_eq!(read(&ledger, &digest(&ledger, "b")), Vec::new());
}

#[test]
fn a_list_that_is_not_what_was_written_ends_in_an_error() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    record(&ledger, "b", tree(5_000));
    let digest = digest(&ledger, "b");
    let ends_in_damage = |what: &str| {
        let last = ledger.files(&digest).unwrap().last().unwrap();
        assert!(
            matches!(last, Err(LedgerError::Damaged { .. })),
            "{what}: {last:?}"
        );
    };
    let raw = rusqlite::Connection::open(ledger.path()).unwrap();
    raw.execute_batch("UPDATE manifest_chunk SET chunk = (SELECT min(key) FROM chunk) WHERE position = 2")
        .unwrap();
    ends_in_damage("another chunk");
    raw.execute_batch("DELETE FROM manifest_chunk WHERE position > 2")
        .unwrap();
    ends_in_damage("missing chunks");
    raw.execute_batch("UPDATE chunk SET data = x'00112233'").unwrap();
    ends_in_damage("no zlib");
    for unknown in ["", "zz", "00", &"00".repeat(32)] {
        assert!(
            matches!(ledger.files(unknown), Err(LedgerError::UnknownManifest { .. })),
            "{unknown}"
        );
    }
}

fn any_file() -> impl Strategy<Value = FileRecord> {
    let kinds = [
        FileKind::File,
        FileKind::Directory,
        FileKind::Symlink,
        FileKind::HardLink,
        FileKind::Fifo,
        FileKind::Device,
    ];
    (
        any::<String>(),
        proptest::sample::select(kinds.to_vec()),
        0..0o10000u32,
        any::<u64>(),
        any::<Option<String>>(),
    )
        .prop_map(|(path, kind, mode, size, content)| FileRecord {
            path,
            kind,
            mode,
            size,
            content,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_list_reads_back(files in proptest::collection::vec(any_file(), 0..300)) {
        let scratch = scratch();
        let ledger = open(&scratch.path);
        record(&ledger, "b", files.clone());
        prop_assert_eq!(read(&ledger, &digest(&ledger, "b")), files);
    }
}
