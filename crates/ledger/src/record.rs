//! The values that the ledger keeps. Plain data: no I/O here.
//!
//! All times are milliseconds since the Unix epoch (`*_ms`). Digests are in the form `sha256:<hex>` where BuildKit
//! gives them so; the ledger does not look into them.

use serde::{Deserialize, Serialize};

use crate::ProcessIdentity;

/// An enum that is stored, and serialised, as one fixed word per variant.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word that stands for this value in the ledger and in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$variant),)+
                    other => Err(rusqlite::types::FromSqlError::Other(
                        format!(concat!("unknown ", stringify!($name), " `{}`"), other).into(),
                    )),
                }
            }
        }
    };
}

words! {
    /// How a build ended, as said by the process that ran it.
    BuildOutcome {
        /// Every service was built.
        Succeeded = "succeeded",
        /// At least one service was not built.
        Failed = "failed",
        /// The build was stopped before its end.
        Interrupted = "interrupted",
    }
}

words! {
    /// What is known of a build when the ledger is read.
    BuildState {
        /// Not finished, and its process may still live.
        Running = "running",
        /// Every service was built.
        Succeeded = "succeeded",
        /// At least one service was not built.
        Failed = "failed",
        /// Stopped before its end, or its process is gone without having finished the record.
        Interrupted = "interrupted",
    }
}

words! {
    /// What became of one service in a build.
    ServiceOutcome {
        /// The image was made.
        Built = "built",
        /// A step, the solve or the export failed.
        Failed = "failed",
        /// Never begun, because something it depends on failed.
        NotReached = "not-reached",
        /// Begun, and stopped from outside.
        Cancelled = "cancelled",
    }
}

words! {
    /// What became of one step.
    StepOutcome {
        /// It was executed.
        Ran = "ran",
        /// Its result was reused.
        Cached = "cached",
        /// It never came to it.
        NotReached = "not-reached",
        /// It was executed and failed.
        Failed = "failed",
    }
}

words! {
    /// What a step is to the person who wrote the Dockerfile.
    StepKind {
        /// An instruction that makes a layer: RUN, COPY, ADD, WORKDIR.
        Instruction = "instruction",
        /// A base image or another source from elsewhere.
        Source = "source",
        /// Work of the builder itself: loading the context, exporting the image.
        Internal = "internal",
    }
}

words! {
    /// The type of one entry of a context.
    FileKind {
        /// A regular file; `content` is the SHA-256 of its bytes in hex.
        File = "file",
        /// A directory.
        Directory = "directory",
        /// A symbolic link; `content` is its target.
        Symlink = "symlink",
        /// A further name of a file sent before; `content` is the first name.
        HardLink = "hard-link",
        /// A named pipe.
        Fifo = "fifo",
        /// A character or block device.
        Device = "device",
    }
}

/// The engine that a build ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineIdentity {
    /// The engine's own lasting identifier (`docker info`'s `ID`), or the address of a BuildKit that has none.
    pub id: String,
    /// The engine's host name.
    pub name: String,
    /// Its version, such as `28.5.2`.
    pub version: String,
    /// Its highest API version, such as `1.51`.
    pub api_version: String,
    /// Its image store, such as `overlay2` or `containerd`.
    pub store: String,
}

/// A build that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewBuild {
    /// Unique over the ledger.
    pub id: String,
    /// When it began.
    pub started_ms: i64,
    /// What was asked for, for people to read. Words of the form `NAME=value` with a secret-looking name are scrubbed.
    pub command: String,
    /// The Compose project's name, or the name that stands for a bare folder.
    pub project: String,
    /// The project's folder.
    pub project_dir: String,
    /// The engine that holds the images afterwards.
    pub engine: EngineIdentity,
    /// The builder whose cache is used.
    pub builder: String,
    /// The commit that is checked out, where there is one.
    pub commit: Option<String>,
    /// Whether the tree differs from the commit.
    pub dirty: bool,
    /// The process that runs the build: usually [`ProcessIdentity::current`].
    pub process: ProcessIdentity,
}

/// One service of a build. `C` is how its contexts are held: [`ContextManifest`], with every file, when it is
/// recorded; [`StoredContext`], a reference to the files, when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceRecord<C = ContextManifest> {
    /// The service's name.
    pub service: String,
    /// The names that the image was given.
    pub image: Vec<String>,
    /// The image's identity at the engine.
    pub image_id: Option<String>,
    /// The cache that was exported: the digest of its manifest in the registry, and its mode (`min` or `max`); or the
    /// image that it is in, and `inline`.
    pub cache_export: Option<(String, String)>,
    /// What became of it.
    pub outcome: ServiceOutcome,
    /// The commit written into the image's labels.
    pub revision: Option<String>,
    /// When work on it began; absent if it never did.
    pub started_ms: Option<i64>,
    /// When work on it ended.
    pub completed_ms: Option<i64>,
    /// Why it was not built.
    pub error: Option<String>,
    /// The build arguments.
    pub args: Vec<ArgRecord>,
    /// The base images.
    pub bases: Vec<BaseRecord>,
    /// The steps, in the order of the build graph.
    pub steps: Vec<StepRecord>,
    /// The contexts that the build could read.
    pub manifests: Vec<C>,
    /// What it reused at first though it was from before a clear.
    pub violations: Vec<ViolationRecord>,
}

/// A service as read from the ledger.
pub type StoredService = ServiceRecord<StoredContext>;

/// One build argument. Made by [`Ledger::arg`](crate::Ledger::arg) only, so that no secret gets into a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArgRecord {
    pub(crate) name: String,
    pub(crate) value: ArgValue,
}

impl ArgRecord {
    /// The argument's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The argument's value, or what may be kept of it.
    pub fn value(&self) -> &ArgValue {
        &self.value
    }
}

/// What is kept of a build argument's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgValue {
    /// The value itself.
    Plain(String),
    /// The salted hash of a value that looks secret, see [`Ledger::salted`](crate::Ledger::salted).
    Salted(String),
}

/// A result that a build reused though it was from before a clear. Its step was run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViolationRecord {
    /// BuildKit's name of the step.
    pub step: String,
    /// The step's digest without what differs between sessions.
    pub stable_digest: String,
    /// When the result was made, in milliseconds since 1970 by the builder's clock; unknown if nothing tells.
    #[serde(rename = "created_ms")]
    pub made_ms: Option<i64>,
    /// Where it came from, for people.
    pub origin: String,
}

/// One base image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseRecord {
    /// As the Dockerfile names it.
    pub reference: String,
    /// What the name stood for in this build, where it is known.
    pub digest: Option<String>,
}

/// Where a step stands in its Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file, relative to the project's folder where it is inside of it.
    pub file: String,
    /// First line, from 1.
    pub line: u32,
    /// Last line, from 1.
    pub end_line: u32,
}

/// One step: a vertex of the build graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// Position in the printed build, from 1.
    pub number: u32,
    /// BuildKit's name of the vertex.
    pub name: String,
    /// The instruction's text.
    pub instruction: String,
    /// What sort of step it is.
    pub kind: StepKind,
    /// Where the instruction stands.
    pub location: Option<Location>,
    /// The vertex digest.
    pub digest: String,
    /// The digest without what differs between sessions; equal steps of different builds are equal here.
    pub stable_digest: String,
    /// Vertex digests of the steps that this one builds on.
    pub inputs: Vec<String>,
    /// What became of it.
    pub outcome: StepOutcome,
    /// When it began, by the builder's clock.
    pub started_ms: Option<i64>,
    /// When it ended, by the builder's clock.
    pub completed_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// What its outcome follows from.
    #[serde(skip)]
    pub explained: Explained,
}

/// What is known of a step's result and its reasons. The ledger finds steps by the keys, and does not look into the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// The identity of its result.
    pub key: Option<String>,
    /// The identity without the inputs that are compared by content.
    pub loose_key: Option<String>,
    /// Which record of the builder's cache its result is (JSON).
    pub made: Option<String>,
    /// When that record was made: not before and not after, in nanoseconds since 1970 by the builder's clock.
    pub made_time: Option<(i64, i64)>,
    /// What it is compared by with a later build (JSON). No secrets.
    pub facts: Option<String>,
    /// Why it ran (JSON).
    pub cause: Option<String>,
    /// Where its reused result came from (JSON).
    pub origin: Option<String>,
    /// What a person might not expect of its reuse.
    pub note: Option<String>,
    /// The end of what it wrote, if it failed.
    pub output: Option<String>,
}

/// A step's result in an earlier build, found by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastResult {
    /// The build.
    pub build: String,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Whether the step ran there or was reused.
    pub outcome: StepOutcome,
    /// When it ended, if it ran.
    pub completed_ms: Option<i64>,
    /// When the build ended, by this machine's clock; when it began, if it did not end.
    pub build_ms: i64,
    /// See [`Explained::made`].
    pub made: Option<String>,
    /// See [`Explained::origin`].
    pub origin: Option<String>,
}

/// A build of a service whose results a cache in a registry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedCache {
    /// The build.
    pub build: String,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// When the build began, by this machine's clock.
    pub started_ms: i64,
    /// The version of the engine that it was for.
    pub engine_version: String,
    /// The builder: see [`NewBuild::builder`].
    pub builder: String,
    /// The service with its steps.
    pub service: StoredService,
}

/// Every file that a context offered to the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContextManifest {
    /// The context's name in the build: `context`, or that of an additional context.
    pub context: String,
    /// The folder or address it was read from.
    pub root: String,
    /// The files, in the order of the walk. The same files in the same order are stored once.
    pub files: Vec<FileRecord>,
}

/// One entry of a context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Slash-separated path below the root.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, with set-user-id, set-group-id and sticky: at most `0o7777`.
    pub mode: u32,
    /// Bytes of content.
    pub size: u64,
    /// See [`FileKind`].
    pub content: Option<String>,
}

/// A context as read from the ledger: its files are read with [`Ledger::files`](crate::Ledger::files).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredContext {
    /// The context's name in the build.
    pub context: String,
    /// The folder or address it was read from.
    pub root: String,
    /// SHA-256, in hex, over the list of files: equal digests are equal lists.
    pub digest: String,
    /// Number of entries.
    pub files: u64,
    /// Bytes of content of all entries.
    pub bytes: u64,
}

/// One build without its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildSummary {
    /// The build's identifier.
    pub id: String,
    /// When it began.
    pub started_ms: i64,
    /// When it ended; absent while it runs, and for a build whose process went away.
    pub completed_ms: Option<i64>,
    /// What became of it.
    pub state: BuildState,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// What was asked for.
    pub command: String,
    /// The project's name.
    pub project: String,
    /// The project's folder.
    pub project_dir: String,
    /// The engine it ran on.
    pub engine: EngineIdentity,
    /// The builder whose cache was used.
    pub builder: String,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Whether the tree differed from the commit.
    pub dirty: bool,
    /// Its services, in the order they were recorded.
    pub services: Vec<ServiceSummary>,
}

/// One service of a build, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceSummary {
    /// The service's name.
    pub service: String,
    /// What became of it.
    pub outcome: ServiceOutcome,
    /// The image's identity at the engine.
    pub image_id: Option<String>,
    /// Number of steps that were executed, failed ones included.
    pub ran: u32,
    /// Number of steps whose result was reused.
    pub cached: u32,
}

/// One build with all its services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildRecord {
    /// The build itself.
    #[serde(flatten)]
    pub summary: BuildSummary,
    /// Its services in full.
    #[serde(rename = "details")]
    pub services: Vec<StoredService>,
}

/// The last successful record of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastService {
    /// The build it belongs to.
    pub build: BuildSummary,
    /// The service.
    pub service: StoredService,
}
