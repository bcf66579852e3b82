//! Records to write, and a ledger in a directory of its own.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test's helpers are tests"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use unstale_ledger::*;

/// The variable that tells a child process of a test where the ledger is.
pub const CHILD_LEDGER: &str = "UNSTALE_LEDGER_TEST_CHILD";

pub struct Scratch {
    pub directory: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn scratch() -> Scratch {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/unstale/ledger.db");
    Scratch { directory, path }
}

pub fn open(path: &Path) -> Ledger {
    let opened = Ledger::open(path).unwrap();
    assert_eq!(opened.set_aside, None, "nothing was damaged");
    opened.ledger
}

pub fn new_build(id: &str) -> NewBuild {
    NewBuild {
        id: id.to_owned(),
        started_ms: 1_795_000_000_000,
        command: "build".to_owned(),
        project: "watch-party".to_owned(),
        project_dir: "/srv/watch-party".to_owned(),
        engine: EngineIdentity {
            id: "ENGINE".to_owned(),
            name: "host".to_owned(),
            version: "28.5.2".to_owned(),
            api_version: "1.51".to_owned(),
            store: "overlay2".to_owned(),
        },
        builder: "default".to_owned(),
        commit: Some("abc1234".to_owned()),
        dirty: true,
        process: ProcessIdentity::current(),
    }
}

pub fn file(n: usize, content: &str) -> FileRecord {
    FileRecord {
        path: format!("src/dir{:03}/file{n:06}.rs", n / 100),
        kind: FileKind::File,
        mode: 0o644,
        size: 10,
        content: Some(content.to_owned()),
    }
}

pub fn service(name: &str) -> ServiceRecord {
    ServiceRecord {
        service: name.to_owned(),
        image: vec![format!("watch-party-{name}:latest"), "other:1".to_owned()],
        image_id: Some("sha256:1111".to_owned()),
        cache_export: Some(("sha256:2222".to_owned(), "max".to_owned())),
        outcome: ServiceOutcome::Built,
        revision: Some("abc1234".to_owned()),
        started_ms: Some(1),
        completed_ms: Some(2),
        error: None,
        args: Vec::new(),
        violations: vec![ViolationRecord {
            step: format!("[{name} stage-1 1/2] COPY . /app/"),
            stable_digest: "sha256:3333".to_owned(),
            made_ms: Some(3),
            origin: "build 1f2e3d4c5b6a".to_owned(),
        }],
        bases: vec![
            BaseRecord {
                reference: "watchparty-base:latest".to_owned(),
                digest: Some("sha256:2222".to_owned()),
            },
            BaseRecord {
                reference: "busybox".to_owned(),
                digest: None,
            },
        ],
        steps: vec![
            StepRecord {
                number: 1,
                name: format!("[{name} stage-1 1/2] COPY . /app/"),
                instruction: "COPY . /app/".to_owned(),
                kind: StepKind::Instruction,
                location: Some(Location {
                    file: "backend/Dockerfile".to_owned(),
                    line: 3,
                    end_line: 4,
                }),
                digest: "sha256:aa".to_owned(),
                stable_digest: "sha256:bb".to_owned(),
                inputs: vec!["sha256:cc".to_owned(), "sha256:dd".to_owned()],
                outcome: StepOutcome::Cached,
                started_ms: Some(3),
                completed_ms: Some(4),
                error: None,
                explained: Explained {
                    key: Some("key".to_owned()),
                    loose_key: Some("loose".to_owned()),
                    origin: Some("{}".to_owned()),
                    ..Explained::default()
                },
            },
            StepRecord {
                number: 2,
                name: format!("[{name} stage-1 2/2] RUN make"),
                instruction: "RUN make".to_owned(),
                kind: StepKind::Instruction,
                location: None,
                digest: "sha256:ee".to_owned(),
                stable_digest: "sha256:ff".to_owned(),
                inputs: Vec::new(),
                outcome: StepOutcome::Failed,
                started_ms: None,
                completed_ms: None,
                error: Some("exit code 2".to_owned()),
                explained: Explained::default(),
            },
        ],
        manifests: vec![ContextManifest {
            context: "context".to_owned(),
            root: "/srv/watch-party/backend".to_owned(),
            files: (0..3).map(|n| file(n, "00ff")).collect(),
        }],
    }
}

/// What `service` reads back as, given the ledger's own reference to its contexts.
pub fn assert_stored(ledger: &Ledger, stored: &StoredService, written: &ServiceRecord) {
    assert_eq!(stored.manifests.len(), written.manifests.len());
    for (context, manifest) in stored.manifests.iter().zip(&written.manifests) {
        assert_eq!(
            (&context.context, &context.root),
            (&manifest.context, &manifest.root)
        );
        assert_eq!(context.files, manifest.files.len() as u64);
        assert_eq!(context.bytes, manifest.files.iter().map(|f| f.size).sum::<u64>());
        let files: Vec<_> = ledger
            .files(&context.digest)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(files, manifest.files);
    }
    let written = written.clone();
    let expected = StoredService {
        service: written.service,
        image: written.image,
        image_id: written.image_id,
        cache_export: written.cache_export,
        outcome: written.outcome,
        revision: written.revision,
        started_ms: written.started_ms,
        completed_ms: written.completed_ms,
        error: written.error,
        args: written.args,
        bases: written.bases,
        steps: written.steps,
        manifests: stored.manifests.clone(),
        violations: written.violations,
    };
    assert_eq!(*stored, expected);
}

pub fn all() -> Filter {
    Filter {
        project: None,
        limit: 10_000,
    }
}

/// Starts this test binary anew to run the ignored test `name` alone, on the ledger at `path`.
pub fn child(name: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD_LEDGER, path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// In a child process: the ledger's path. `None` when the ignored test was started by hand.
pub fn child_ledger() -> Option<PathBuf> {
    std::env::var_os(CHILD_LEDGER).map(PathBuf::from)
}
