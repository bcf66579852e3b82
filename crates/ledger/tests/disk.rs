//! A file system that is full, or read-only: an error each, and nothing lost. Needs to mount a small tmpfs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::*;
use unstale_ledger::*;

/// A mounted tmpfs, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!(
                "left out: a tmpfs cannot be mounted here, so the full and the read-only disk are not tested"
            );
            return None;
        }
        Some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(self.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_disk_that_fills_up_is_an_error_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("ledger.db");
    let ledger = open(&path);
    ledger.begin_build(&new_build("b")).unwrap();
    let big = |n: usize| {
        let mut service = service(&format!("s{n}"));
        service.manifests[0].files = (0..2_000).map(|f| file(f, &format!("{n}{f}"))).collect();
        service
    };
    let (written, error) = (0..1000)
        .find_map(|n| ledger.record_service("b", &big(n)).err().map(|error| (n, error)))
        .unwrap();
    assert!(matches!(error, LedgerError::Full { .. }), "{error:?}");
    assert!(error.hint().is_some());
    let record = ledger.build("b").unwrap();
    assert_eq!(
        record.services.len(),
        written,
        "each that was recorded, and not a part of the one that was not"
    );
    for (n, stored) in record.services.iter().enumerate() {
        assert_stored(&ledger, stored, &big(n));
    }
    disk.remount("size=16m");
    ledger.record_service("b", &big(written)).unwrap();
    drop(ledger);
    assert_eq!(open(&path).build("b").unwrap().services.len(), written + 1);
}

#[test]
fn no_ledger_can_be_begun_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("state/ledger.db");
    fs::create_dir(disk.path().join("state")).unwrap();
    assert!(fs::write(disk.path().join("filler"), vec![1; 2 * 1024 * 1024]).is_err());
    let error = Ledger::open(&path).unwrap_err();
    assert!(matches!(error, LedgerError::Full { .. }), "{error:?}");
    disk.remount("size=16m");
    open(&path).begin_build(&new_build("b")).unwrap();
}

#[test]
fn a_read_only_disk_is_an_error() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("ledger.db");
    drop(open(&path));
    disk.remount("ro");
    for path in [
        &path,
        &disk.path().join("new.db"),
        &disk.path().join("new/ledger.db"),
    ] {
        let error = Ledger::open(path).unwrap_err();
        assert!(
            matches!(
                error,
                LedgerError::Filesystem { .. } | LedgerError::NotWritable { .. }
            ),
            "{error:?}"
        );
        assert!(error.hint().is_some());
    }
}
