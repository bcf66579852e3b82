//! From what happened to what the ledger keeps. The ledger is a witness, never a judge: when it cannot be written,
//! the build goes on and the user is told.

use super::project::{BuildReport, BuildRequest};
use super::service::ServiceReport;
use super::steps::{Step, StepKind};
use crate::builder::Builder;
use crate::event::{Commit, Event, Outcome, ServiceOutcome};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use unstale_buildkit::session::Transfer;
use unstale_context::{HashIndex, Kind, Snapshot};
use unstale_docker::{Environment, ImageStore};
use unstale_ledger::{
    BaseRecord, BuildOutcome, ContextManifest, EngineIdentity, Explained, FileKind, FileRecord, Ledger,
    LedgerError, Location, NewBuild, ProcessIdentity, ServiceRecord, StateEnvironment, StepOutcome,
    StepRecord, default_path,
};

/// Writes one build into the ledger.
#[derive(Clone)]
pub(super) struct Recorder {
    ledger: Option<Arc<Mutex<Ledger>>>,
    folder: Option<PathBuf>,
}

/// The ledger's path in an environment.
pub(crate) fn ledger_path(environment: &Environment) -> Result<PathBuf, LedgerError> {
    default_path(&StateEnvironment {
        unstale_state_dir: environment.var_os("UNSTALE_STATE_DIR").map(Into::into),
        xdg_state_home: environment.var_os("XDG_STATE_HOME").map(Into::into),
        home: environment.home().map(Into::into),
    })
}

/// Opens the ledger. What the user should know of it comes along.
pub(crate) fn open_ledger(environment: &Environment) -> (Option<Arc<Mutex<Ledger>>>, Vec<String>) {
    let (recorder, warnings) = Recorder::open(environment);
    (recorder.ledger, warnings)
}

/// Opens the memory of file hashes; [`None`] if that cannot be done.
pub(crate) fn hash_index(environment: &Environment) -> Option<HashIndex> {
    let folder = ledger_path(environment).ok()?.parent()?.to_path_buf();
    HashIndex::open(&folder.join("hashes.db")).ok()
}

impl Recorder {
    /// Opens the ledger. What the user should know of it comes along.
    pub(super) fn open(environment: &Environment) -> (Recorder, Vec<String>) {
        let opened = ledger_path(environment).and_then(|path| {
            let folder = path.parent().map(Path::to_path_buf);
            Ledger::open(&path).map(|opened| (opened, folder))
        });
        match opened {
            Ok((opened, folder)) => {
                let set_aside = opened.set_aside.map(|path| {
                    format!(
                        "the ledger was damaged: it was set aside as {}, and a new one begun",
                        path.display()
                    )
                });
                let ledger = Some(Arc::new(Mutex::new(opened.ledger)));
                (Recorder { ledger, folder }, set_aside.into_iter().collect())
            }
            Err(error) => (
                Recorder {
                    ledger: None,
                    folder: None,
                },
                vec![not_recorded(&error)],
            ),
        }
    }

    /// The ledger, to read.
    pub(super) fn ledger(&self) -> Option<Arc<Mutex<Ledger>>> {
        self.ledger.clone()
    }

    /// Opens the memory of file hashes, which stands beside the ledger. Without it, every file is read in every build.
    pub(super) fn hash_index(&self) -> (Option<HashIndex>, Option<String>) {
        let Some(folder) = &self.folder else {
            return (None, None);
        };
        match HashIndex::open(&folder.join("hashes.db")) {
            Ok(index) => (Some(index), None),
            Err(error) => (
                None,
                Some(format!("every file will be read again: {}", causes(&error))),
            ),
        }
    }

    /// Records that a build begins, and gives it a name.
    pub(super) async fn begin(
        &self,
        request: &BuildRequest,
        project: &str,
        folder: &Path,
        builder: &Builder,
        commit: Option<&Commit>,
        events: &mpsc::Sender<Event>,
    ) -> String {
        let id = hex::encode(rand::random::<[u8; 6]>());
        let identity = &builder.identity;
        let new = NewBuild {
            id: id.clone(),
            started_ms: milliseconds(SystemTime::now()),
            command: request.command.clone(),
            project: project.to_owned(),
            project_dir: folder.to_string_lossy().into_owned(),
            engine: EngineIdentity {
                id: identity.id.clone(),
                name: identity.name.clone(),
                version: identity.server_version.clone(),
                api_version: identity.api_version.to_string(),
                store: match identity.storage {
                    ImageStore::Classic => "classic".to_owned(),
                    ImageStore::Containerd => "containerd".to_owned(),
                },
            },
            builder: builder.name.clone(),
            commit: commit.map(|commit| commit.hash.clone()),
            dirty: commit.is_some_and(Commit::is_dirty),
            process: ProcessIdentity::current(),
        };
        self.write(events, move |ledger| ledger.begin_build(&new)).await;
        id
    }

    /// Records what came of one service.
    pub(super) async fn service(&self, id: &str, report: &ServiceReport, events: &mpsc::Sender<Event>) {
        let id = id.to_owned();
        let args = report.build.args.clone();
        let mut record = service_record(report);
        let transfers = report.transfers.clone();
        self.write(events, move |ledger| {
            record.args = args.iter().map(|(name, value)| ledger.arg(name, value)).collect();
            record.manifests = transfers.iter().map(manifest).collect();
            ledger.record_service(&id, &record)
        })
        .await;
    }

    /// Records how the build ended.
    pub(super) async fn finish(&self, report: &BuildReport, events: &mpsc::Sender<Event>) {
        let outcome = match (report.interrupted, report.succeeded()) {
            (true, _) => BuildOutcome::Interrupted,
            (false, true) => BuildOutcome::Succeeded,
            (false, false) => BuildOutcome::Failed,
        };
        let failed = report
            .services
            .iter()
            .find(|service| service.outcome == ServiceOutcome::Failed);
        let error = failed.and_then(|service| {
            Some(format!(
                "{}: {}",
                service.build.service,
                first_line(&service.error.as_ref()?.to_string())
            ))
        });
        let id = report.build_id.clone();
        self.write(events, move |ledger| {
            ledger.finish_build(&id, outcome, milliseconds(SystemTime::now()), error.as_deref())
        })
        .await;
    }

    /// Writes off the async threads; a failure becomes a warning.
    async fn write(
        &self,
        events: &mpsc::Sender<Event>,
        write: impl FnOnce(&Ledger) -> Result<(), LedgerError> + Send + 'static,
    ) {
        let Some(ledger) = self.ledger.clone() else { return };
        let written = tokio::task::spawn_blocking(move || match ledger.lock() {
            Ok(ledger) => write(&ledger),
            Err(_) => Ok(()), // an earlier write has panicked, which was its own report
        });
        if let Ok(Err(error)) = written.await {
            let _ = events
                .send(Event::Warning {
                    service: None,
                    message: not_recorded(&error),
                })
                .await;
        }
    }
}

fn not_recorded(error: &LedgerError) -> String {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("this build is not recorded: {}{hint}", causes(error))
}

/// An error with its causes in one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn service_record(report: &ServiceReport) -> ServiceRecord {
    ServiceRecord {
        service: report.build.service.clone(),
        image: report.build.images.clone(),
        image_id: report.image_id.clone(),
        cache_export: report.cache_export.clone(),
        outcome: match report.outcome {
            ServiceOutcome::Built => unstale_ledger::ServiceOutcome::Built,
            ServiceOutcome::Failed => unstale_ledger::ServiceOutcome::Failed,
            ServiceOutcome::Cancelled => unstale_ledger::ServiceOutcome::Cancelled,
            ServiceOutcome::NotReached => unstale_ledger::ServiceOutcome::NotReached,
        },
        revision: report.revision.as_ref().map(|revision| revision.value()),
        started_ms: Some(milliseconds(report.started)),
        completed_ms: Some(milliseconds(report.completed)),
        error: report.error.as_ref().map(ToString::to_string),
        args: Vec::new(),
        bases: report
            .bases
            .iter()
            .map(|(reference, digest)| BaseRecord {
                reference: reference.clone(),
                digest: digest.clone(),
            })
            .collect(),
        steps: report.steps.iter().map(step_record).collect(),
        manifests: Vec::new(),
        violations: report.violations.clone(),
    }
}

/// A step in the form of the ledger.
pub(crate) fn step_record(step: &Step) -> StepRecord {
    StepRecord {
        number: step.number,
        name: step.name.clone(),
        instruction: step.instruction.clone(),
        kind: match step.kind {
            StepKind::Instruction => unstale_ledger::StepKind::Instruction,
            StepKind::Source => unstale_ledger::StepKind::Source,
            StepKind::Internal => unstale_ledger::StepKind::Internal,
        },
        location: step.location.as_ref().map(|location| Location {
            file: location.file.clone(),
            line: location.line,
            end_line: location.end_line,
        }),
        digest: step.digest.clone(),
        stable_digest: step.stable_digest.clone(),
        inputs: step.inputs.clone(),
        outcome: match step.outcome {
            Outcome::Ran if step.error.is_some() => StepOutcome::Failed,
            Outcome::Ran => StepOutcome::Ran,
            Outcome::Cached => StepOutcome::Cached,
            Outcome::NotReached => StepOutcome::NotReached,
        },
        started_ms: step.started.map(milliseconds),
        completed_ms: step.completed.map(milliseconds),
        error: step.error.clone(),
        explained: explained(step),
    }
}

fn explained(step: &Step) -> Explained {
    fn json(value: &impl serde::Serialize) -> Option<String> {
        serde_json::to_string(value).ok()
    }
    let result = step.result.as_ref();
    Explained {
        key: result.map(|result| result.key.clone()),
        loose_key: result.and_then(|result| result.loose_key.clone()),
        made: result.and_then(|result| json(result.made.as_ref()?)),
        made_time: result.and_then(|result| result.made.as_ref().map(|made| (made.from, made.to))),
        facts: result.and_then(|result| json(&result.facts)),
        cause: step.cause.as_ref().and_then(json),
        origin: step.origin.as_ref().and_then(json),
        note: step.note.map(|note| note.text().to_owned()),
        output: Some(String::from_utf8_lossy(&step.tail).into_owned()).filter(|text| !text.is_empty()),
    }
}

/// The files of a folder as they were sent.
fn manifest(transfer: &Transfer) -> ContextManifest {
    ContextManifest {
        context: transfer.folder.clone(),
        root: transfer.snapshot.root().to_string_lossy().into_owned(),
        files: files(&transfer.snapshot).collect(),
    }
}

/// The files of a snapshot.
pub(super) fn files(snapshot: &Snapshot) -> impl Iterator<Item = FileRecord> {
    snapshot.entries().iter().map(|entry| {
        let (kind, size, content) = match &entry.kind {
            Kind::File { size, sha256, .. } => (FileKind::File, *size, Some(hex::encode(sha256))),
            Kind::Directory => (FileKind::Directory, 0, None),
            Kind::Symlink { target } => (FileKind::Symlink, 0, Some(target.to_string())),
            Kind::HardLink { to } => (FileKind::HardLink, 0, Some(to.to_string())),
            Kind::Fifo => (FileKind::Fifo, 0, None),
            Kind::CharDevice { .. } | Kind::BlockDevice { .. } => (FileKind::Device, 0, None),
        };
        FileRecord {
            path: entry.path.to_string(),
            kind,
            mode: entry.mode & 0o7777,
            size,
            content,
        }
    })
}
