//! What happens during a command, as one stream of events.
//!
//! The terminal, the JSON document and the ledger are all fed from here; none of them asks the engine.

use serde::Serialize;
use std::time::Duration;

/// Something that happened. Times are the engine's where the engine measured them.
#[derive(Debug, Clone)]
pub enum Event {
    /// The build begins.
    BuildStarted {
        /// The ledger's name for this build.
        build_id: String,
        /// The builder that runs it, such as `docker 28.5.2 (classic)`.
        builder: String,
        /// The commit that is built, if there is one.
        commit: Option<Commit>,
        /// The services that will be built.
        services: Vec<String>,
    },
    /// A service's build begins.
    ServiceStarted {
        /// The service.
        service: String,
    },
    /// A step was named by the engine for the first time.
    StepFound {
        /// The step.
        step: StepRef,
        /// BuildKit's name for it.
        name: String,
    },
    /// A step began to run.
    StepStarted {
        /// The step.
        step: StepRef,
    },
    /// A step says how far it is.
    StepProgress {
        /// The step.
        step: StepRef,
        /// What is counted.
        what: String,
        /// How far it is, most often in bytes.
        current: i64,
        /// How far it will go; 0 if unknown.
        total: i64,
        /// The part has ended.
        done: bool,
    },
    /// A step wrote output.
    StepLog {
        /// The step.
        step: StepRef,
        /// The time since the step began.
        offset: Duration,
        /// Whole lines and unfinished ones as they come; control characters included.
        data: Vec<u8>,
    },
    /// A step has ended.
    StepFinished {
        /// The step.
        step: StepRef,
        /// What became of it.
        outcome: Outcome,
        /// How long it took; `None` if it did not run.
        duration: Option<Duration>,
        /// Why it failed, if it did.
        error: Option<String>,
        /// Why it ran, or where its reused result came from, in a few words.
        why: Option<String>,
    },
    /// Something that the user should know, which stops nothing.
    Warning {
        /// The service that it is about.
        service: Option<String>,
        /// One sentence.
        message: String,
    },
    /// A service's build has ended.
    ServiceFinished {
        /// The service.
        service: String,
        /// How.
        outcome: ServiceOutcome,
        /// The image's name, if it was built.
        image: Option<String>,
        /// The image's identity at the engine, if it was built.
        image_id: Option<String>,
        /// How long it took.
        duration: Duration,
    },
}

/// A step of one service's build. The number is that of Docker's plain output: it counts all steps of a build
/// in the order of their appearance, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StepRef {
    /// The service.
    pub service: String,
    /// The number.
    pub number: u32,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was run in this build, to its end or until it failed.
    Ran,
    /// Its result was reused.
    Cached,
    /// It was neither run nor reused: the build ended before.
    NotReached,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ran => "ran",
            Outcome::Cached => "cached",
            Outcome::NotReached => "not-reached",
        }
    }
}

/// How a service's build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceOutcome {
    /// The image is there.
    Built,
    /// It failed.
    Failed,
    /// It was stopped because another service failed, or by the user.
    Cancelled,
    /// It was not begun.
    NotReached,
}

/// The commit that a build was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The full hash.
    pub hash: String,
    /// How many files differ from the commit; 0 for a clean tree.
    pub changed_files: usize,
}

impl Commit {
    /// True if the tree holds something else than the commit.
    pub fn is_dirty(&self) -> bool {
        self.changed_files > 0
    }

    /// The value for build arguments: the full hash, with `-dirty` if the tree is not the commit.
    pub fn value(&self) -> String {
        format!("{}{}", self.hash, self.suffix())
    }

    /// The short form for people: seven characters, with `-dirty` if the tree is not the commit.
    pub fn short(&self) -> String {
        format!("{}{}", self.hash.get(..7).unwrap_or(&self.hash), self.suffix())
    }

    fn suffix(&self) -> &'static str {
        if self.is_dirty() { "-dirty" } else { "" }
    }
}
