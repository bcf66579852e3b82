//! Several processes and threads on one ledger, some of them killed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use unstale_ledger::*;

const BUILDS: usize = 20;

fn write_builds(ledger: &Ledger, who: &str) {
    for n in 0..BUILDS {
        let id = format!("{who}-{n}");
        ledger.begin_build(&new_build(&id)).unwrap();
        ledger.record_service(&id, &service("backend")).unwrap();
        ledger.record_service(&id, &service("frontend")).unwrap();
        ledger
            .finish_build(&id, BuildOutcome::Succeeded, 2, None)
            .unwrap();
    }
}

fn assert_all_whole(ledger: &Ledger, writers: usize) {
    let builds = ledger.builds(&all()).unwrap();
    assert_eq!(builds.len(), writers * BUILDS);
    for build in builds {
        assert_eq!(
            (build.state, build.services.len()),
            (BuildState::Succeeded, 2),
            "{}",
            build.id
        );
        for stored in ledger.build(&build.id).unwrap().services {
            assert_stored(ledger, &stored, &service(&stored.service));
        }
    }
}

#[test]
fn threads_share_a_ledger() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    thread::scope(|scope| {
        for who in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || write_builds(ledger, &format!("thread{who}")));
        }
    });
    assert_all_whole(&ledger, 4);
}

#[test]
fn processes_share_a_ledger() {
    let scratch = scratch();
    // None of them finds a ledger: they race to make it, too.
    let children: Vec<_> = (0..4)
        .map(|_| child("child_writes_builds", &scratch.path))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_all_whole(&open(&scratch.path), 4);
}

#[test]
#[ignore = "the child process of processes_share_a_ledger and of a_damaged_file_is_set_aside_once"]
fn child_writes_builds() {
    let Some(path) = child_ledger() else { return };
    write_builds(
        &Ledger::open(&path).unwrap().ledger,
        &format!("process{}", std::process::id()),
    );
}

#[test]
fn a_damaged_file_is_set_aside_once() {
    let scratch = scratch();
    std::fs::create_dir_all(scratch.path.parent().unwrap()).unwrap();
    std::fs::write(&scratch.path, b"garbage".repeat(1000)).unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| child("child_writes_builds", &scratch.path))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_all_whole(&open(&scratch.path), 4);
    let aside = std::fs::read_dir(scratch.path.parent().unwrap())
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("damaged")
        })
        .count();
    assert_eq!(aside, 1);
}

#[test]
fn a_writer_killed_in_a_transaction_leaves_a_readable_ledger() {
    let scratch = scratch();
    drop(open(&scratch.path));
    for round in 0..6 {
        let mut child = child("child_writes_without_end", &scratch.path);
        // Killed while it holds the write lock, each time a little further on.
        let watcher = rusqlite::Connection::open(&scratch.path).unwrap();
        watcher.busy_timeout(Duration::ZERO).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut held = 0;
        while held <= round * 20 {
            assert!(Instant::now() < deadline, "the child never wrote");
            match watcher.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
                Ok(()) => {}
                Err(_) => held += 1,
            }
        }
        child.kill().unwrap();
        let killed = child.wait().unwrap();
        assert!(!killed.success());
        drop(watcher);

        let ledger = open(&scratch.path);
        for build in ledger.builds(&all()).unwrap() {
            assert_eq!(build.state, BuildState::Interrupted, "its process is gone");
            for stored in ledger.build(&build.id).unwrap().services {
                assert_stored(&ledger, &stored, &big_service(&stored.service));
            }
        }
        let before = ledger.builds(&all()).unwrap().len();
        ledger.begin_build(&new_build(&format!("after-{round}"))).unwrap();
        ledger
            .finish_build(&format!("after-{round}"), BuildOutcome::Interrupted, 3, None)
            .unwrap();
        assert_eq!(ledger.builds(&all()).unwrap().len(), before + 1);
    }
}

/// Takes a while to write; different for each name.
fn big_service(name: &str) -> ServiceRecord {
    let mut service = service(name);
    service.manifests[0].files = (0..20_000).map(|n| file(n, &format!("{name}-{n}"))).collect();
    service
}

#[test]
#[ignore = "the child process of a_writer_killed_in_a_transaction_leaves_a_readable_ledger"]
fn child_writes_without_end() {
    let Some(path) = child_ledger() else { return };
    let ledger = open(&path);
    let id = format!("process{}", std::process::id());
    ledger.begin_build(&new_build(&id)).unwrap();
    for n in 0_u64.. {
        ledger
            .record_service(&id, &big_service(&format!("{id}-{n}")))
            .unwrap();
    }
}

#[test]
fn a_writer_that_holds_on_is_an_error_not_a_hang() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let holder = rusqlite::Connection::open(&scratch.path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let error = ledger.begin_build(&new_build("b")).unwrap_err();
    assert!(matches!(error, LedgerError::Busy { .. }), "{error:?}");
    assert!(began.elapsed() < BUSY_TIMEOUT * 2);
    assert!(ledger.builds(&all()).unwrap().is_empty(), "reading goes on");
    holder.execute_batch("ROLLBACK").unwrap();
    ledger.begin_build(&new_build("b")).unwrap();
}

#[test]
fn only_a_process_that_is_known_to_be_gone_is_gone() {
    let me = ProcessIdentity::current();
    assert!(!me.is_gone());
    let mut sleeper = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let start = me.start.clone().unwrap();
    let (place, _) = start.rsplit_once(' ').unwrap();
    assert!(
        ProcessIdentity {
            pid: sleeper.id(),
            start: Some(start.clone())
        }
        .is_gone(),
        "same number, other start"
    );
    assert!(
        ProcessIdentity {
            pid: u32::MAX,
            start: Some(start.clone())
        }
        .is_gone(),
        "no such process"
    );
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(
        ProcessIdentity {
            pid: me.pid,
            start: Some("other-boot pid:[1] 1".to_owned())
        }
        .is_gone()
    );
    for unknown in [
        None,
        Some(String::new()),
        Some("x".to_owned()),
        Some(format!("{place}x 1")),
    ] {
        assert!(
            !ProcessIdentity {
                pid: u32::MAX,
                start: unknown.clone()
            }
            .is_gone(),
            "{unknown:?}"
        );
    }
}
