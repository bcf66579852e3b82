//! What is written is what is read.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::*;
use unstale_ledger::*;

#[test]
fn a_build_reads_back_as_it_was_written() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let build = new_build("b1");
    ledger.begin_build(&build).unwrap();
    let mut backend = service("backend");
    backend.args = vec![
        ledger.arg("GIT_COMMIT_HASH", "abc1234"),
        ledger.arg("NPM_TOKEN", "hunter2-and-more"),
    ];
    let mut frontend = service("frontend");
    frontend.outcome = ServiceOutcome::Failed;
    frontend.error = Some("step 2 failed".to_owned());
    ledger.record_service("b1", &backend).unwrap();
    ledger.record_service("b1", &frontend).unwrap();

    let running = ledger.build("b1").unwrap();
    assert_eq!(running.summary.state, BuildState::Running);
    ledger
        .finish_build(
            "b1",
            BuildOutcome::Failed,
            1_795_000_000_500,
            Some("frontend failed"),
        )
        .unwrap();
    drop(ledger);

    let ledger = open(&scratch.path);
    let record = ledger.build("b1").unwrap();
    let summary = &record.summary;
    assert_eq!(summary.state, BuildState::Failed);
    assert_eq!(summary.error.as_deref(), Some("frontend failed"));
    assert_eq!(
        (summary.started_ms, summary.completed_ms),
        (build.started_ms, Some(1_795_000_000_500))
    );
    assert_eq!(
        (&summary.command, &summary.project),
        (&build.command, &build.project)
    );
    assert_eq!(
        (&summary.project_dir, &summary.engine),
        (&build.project_dir, &build.engine)
    );
    assert_eq!(
        (&summary.builder, &summary.commit, summary.dirty),
        (&build.builder, &build.commit, true)
    );
    assert_eq!(summary.services.len(), 2);
    assert_eq!((summary.services[0].ran, summary.services[0].cached), (1, 1));
    assert_eq!(summary.services[1].outcome, ServiceOutcome::Failed);
    assert_stored(&ledger, &record.services[0], &backend);
    assert_stored(&ledger, &record.services[1], &frontend);
    assert_eq!(ledger.builds(&all()).unwrap(), [record.summary]);
}

#[test]
fn the_file_is_private_and_parents_are_made() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    ledger.begin_build(&new_build("b1")).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scratch.path), 0o600);
    assert_eq!(mode(scratch.path.parent().unwrap()), 0o700);
    for suffix in ["-wal", "-shm", ".lock"] {
        assert_eq!(
            mode(&scratch.path.with_file_name(format!("ledger.db{suffix}"))),
            0o600,
            "{suffix}"
        );
    }
}

#[test]
fn recording_a_service_twice_keeps_the_second() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    ledger.begin_build(&new_build("b1")).unwrap();
    let mut first = service("backend");
    first.manifests[0].files.push(file(99, "beef"));
    ledger.record_service("b1", &first).unwrap();
    let stale = ledger.build("b1").unwrap().services[0].manifests[0]
        .digest
        .clone();
    let second = service("backend");
    ledger.record_service("b1", &second).unwrap();
    let record = ledger.build("b1").unwrap();
    assert_eq!(record.services.len(), 1);
    assert_stored(&ledger, &record.services[0], &second);
    assert!(matches!(
        ledger.files(&stale),
        Err(LedgerError::UnknownManifest { .. })
    ));
}

#[test]
fn builds_are_found_by_unique_prefix() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    for id in ["abc", "abcd", "abd", "x%_", "x1", "x2", "x3", "x4", "x5"] {
        ledger.begin_build(&new_build(id)).unwrap();
    }
    assert_eq!(ledger.build("abcd").unwrap().summary.id, "abcd");
    assert_eq!(
        ledger.build("abc").unwrap().summary.id,
        "abc",
        "an exact identifier wins"
    );
    assert_eq!(
        ledger.build("x%").unwrap().summary.id,
        "x%_",
        "patterns mean nothing"
    );
    let unknown = ledger.build("zz").unwrap_err();
    assert!(matches!(unknown, LedgerError::UnknownBuild { .. }) && unknown.hint().is_some());
    let ambiguous = ledger.build("ab").unwrap_err();
    assert!(matches!(&ambiguous, LedgerError::AmbiguousBuild { candidates, .. } if candidates.len() == 3));
    assert_eq!(
        ambiguous.hint().unwrap(),
        "give more of the identifier: abc, abcd, abd"
    );
    assert!(ledger.build("x").unwrap_err().hint().unwrap().ends_with(", …"));
    assert!(matches!(
        ledger.build(""),
        Err(LedgerError::AmbiguousBuild { .. })
    ));
}

#[test]
fn a_build_that_was_not_begun_takes_no_record() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let unknown = |result| assert!(matches!(result, Err(LedgerError::UnknownBuild { .. })));
    unknown(ledger.record_service("nope", &service("backend")));
    unknown(ledger.finish_build("nope", BuildOutcome::Succeeded, 1, None));
    ledger.begin_build(&new_build("b1")).unwrap();
    assert!(
        ledger.begin_build(&new_build("b1")).is_err(),
        "identifiers are unique"
    );
}

#[test]
fn the_last_service_is_the_last_that_was_built_there() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let record = |id: &str, engine: &str, outcome| {
        let mut build = new_build(id);
        build.engine.id = engine.to_owned();
        ledger.begin_build(&build).unwrap();
        ledger
            .record_service(
                id,
                &ServiceRecord {
                    outcome,
                    ..service("backend")
                },
            )
            .unwrap();
        ledger.finish_build(id, BuildOutcome::Failed, 5, None).unwrap();
    };
    record("b1", "E1", ServiceOutcome::Built);
    record("b2", "E2", ServiceOutcome::Built);
    record("b3", "E1", ServiceOutcome::Failed);
    record("b4", "E1", ServiceOutcome::Cancelled);
    let in_folder =
        |project, folder, name, engine| ledger.last_service(project, folder, name, engine).unwrap();
    let last = |project, name, engine| in_folder(project, "/srv/watch-party", name, engine);
    let found = last("watch-party", "backend", "E1").unwrap();
    assert_eq!(
        found.build.id, "b1",
        "other engines and failures do not count; other services' failures do not hurt"
    );
    assert_stored(&ledger, &found.service, &service("backend"));
    assert_eq!(in_folder("watch-party", "/srv/other", "backend", "E1"), None);
    assert_eq!(last("watch-party", "frontend", "E1"), None);
    assert_eq!(last("other", "backend", "E1"), None);
    assert_eq!(last("watch-party", "backend", "E3"), None);
}

#[test]
fn lists_are_filtered_and_limited_latest_first() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    for n in 0..6 {
        let mut build = new_build(&format!("b{n}"));
        // The clock may go backwards: the order is that of recording.
        build.started_ms -= n;
        build.project = if n % 2 == 0 { "even" } else { "odd" }.to_owned();
        ledger.begin_build(&build).unwrap();
    }
    let ids = |project: Option<&str>, limit| -> Vec<String> {
        let filter = Filter {
            project: project.map(str::to_owned),
            limit,
        };
        ledger
            .builds(&filter)
            .unwrap()
            .into_iter()
            .map(|b| b.id)
            .collect()
    };
    assert_eq!(ids(None, 3), ["b5", "b4", "b3"]);
    assert_eq!(ids(Some("even"), 10), ["b4", "b2", "b0"]);
    assert_eq!(ids(Some("none"), 10), [""; 0]);
    assert_eq!(ids(None, 0), [""; 0]);
}

#[test]
fn hostile_strings_read_back_unchanged() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let long = "ñ".repeat(512 * 1024);
    for (n, text) in [
        "\0",
        "a\0b",
        "\u{1b}[2J\r\n\t",
        "'; DROP TABLE build; --",
        "\u{202e}\u{feff}",
        "",
        &long,
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{n}-{text}");
        let text = text.to_owned();
        let mut build = new_build(&id);
        build.project = text.clone();
        build.command = text.clone();
        build.commit = Some(text.clone());
        let mut record = service(&text);
        record.image = vec![text.clone(), String::new()];
        record.steps[0].name = text.clone();
        record.steps[0].inputs = vec![text.clone()];
        record.args = vec![ledger.arg(&format!("A{text}"), &text)];
        record.manifests[0].files[0].path = text.clone();
        record.manifests[0].files[1].content = Some(text.clone());
        ledger.begin_build(&build).unwrap();
        ledger.record_service(&id, &record).unwrap();
        ledger
            .finish_build(&id, BuildOutcome::Succeeded, 2, Some(&text))
            .unwrap();
        let read = ledger.build(&id).unwrap();
        assert_eq!(
            (read.summary.project, read.summary.command),
            (text.clone(), text.clone())
        );
        assert_eq!(
            (read.summary.commit, read.summary.error),
            (Some(text.clone()), Some(text.clone()))
        );
        assert_stored(&ledger, &read.services[0], &record);
    }
}

#[test]
fn numbers_at_their_limits_read_back_unchanged() {
    let scratch = scratch();
    let ledger = open(&scratch.path);
    let mut build = new_build("b");
    build.started_ms = i64::MIN;
    ledger.begin_build(&build).unwrap();
    let mut record = service("backend");
    record.steps[0].number = u32::MAX;
    record.started_ms = Some(i64::MAX);
    record.manifests[0].files = vec![FileRecord {
        size: u64::MAX,
        mode: u32::MAX,
        ..file(1, "")
    }];
    ledger.record_service("b", &record).unwrap();
    let read = ledger.build("b").unwrap();
    assert_eq!(read.summary.started_ms, i64::MIN);
    let stored = &read.services[0];
    assert_eq!(
        (stored.steps[0].number, stored.started_ms),
        (u32::MAX, Some(i64::MAX))
    );
    assert_eq!(
        stored.manifests[0].bytes,
        i64::MAX as u64,
        "a sum saturates at what SQLite holds"
    );
    let files: Vec<_> = ledger
        .files(&stored.manifests[0].digest)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(files, record.manifests[0].files);
}

#[test]
fn json_names_every_outcome_by_its_word() {
    let words = serde_json::to_value((
        [
            ServiceOutcome::Built,
            ServiceOutcome::Failed,
            ServiceOutcome::NotReached,
            ServiceOutcome::Cancelled,
        ],
        [
            StepOutcome::Ran,
            StepOutcome::Cached,
            StepOutcome::NotReached,
            StepOutcome::Failed,
        ],
        [
            BuildState::Running,
            BuildState::Succeeded,
            BuildState::Failed,
            BuildState::Interrupted,
        ],
        [ArgValue::Plain("v".to_owned()), ArgValue::Salted("h".to_owned())],
    ))
    .unwrap();
    assert_eq!(
        words,
        serde_json::json!([
            ["built", "failed", "not-reached", "cancelled"],
            ["ran", "cached", "not-reached", "failed"],
            ["running", "succeeded", "failed", "interrupted"],
            [{"plain": "v"}, {"salted": "h"}],
        ])
    );
}

#[test]
fn the_default_place_follows_the_environment() {
    let place = |state: &str, xdg: &str, home: &str| {
        default_path(&StateEnvironment {
            unstale_state_dir: Some(state.into()),
            xdg_state_home: Some(xdg.into()),
            home: Some(home.into()),
        })
    };
    let at = |state, xdg, home| {
        place(state, xdg, home)
            .unwrap()
            .into_os_string()
            .into_string()
            .unwrap()
    };
    assert_eq!(at("/s", "/x", "/h"), "/s/ledger.db");
    assert_eq!(at("", "/x", "/h"), "/x/unstale/ledger.db");
    assert_eq!(at("", "relative", "/h"), "/h/.local/state/unstale/ledger.db");
    assert_eq!(at("", "", "/h"), "/h/.local/state/unstale/ledger.db");
    assert!(matches!(
        place("relative", "/x", "/h"),
        Err(LedgerError::RelativeStateDirectory { .. })
    ));
    assert!(matches!(
        default_path(&StateEnvironment::default()),
        Err(LedgerError::NoStateDirectory)
    ));
}
