//! `unstale build`: from a Compose project or a folder to images in the engine, with a record of every step.

pub(crate) mod cache_entry;
mod cache_key;
mod epoch;
pub mod explain;
mod kept;
mod plan;
mod project;
mod record;
pub(crate) mod request;
mod rerun;
mod revision;
mod schedule;
mod service;
mod sharing;
mod spec;
mod ssh;
mod steps;

pub(crate) use project::{credentials, docker_credentials, project_folder};
pub(crate) use record::{hash_index, ledger_path, open_ledger, step_record};
pub(crate) use schedule::familiar;
pub(crate) use steps::steps_of_replay;

pub use unstale_plan::{Cause, CauseKind, Change, Note, Outcome as Predicted};

pub(crate) use epoch::above;
pub(crate) use plan::held;
pub use plan::{PlanReport, PlannedService, PlannedStep, plan};
pub use project::{BuildError, BuildReport, BuildRequest, What, build};
pub use rerun::{Rerun, RerunError, mark, mark_consumers};
pub use revision::REVISION_LABEL;
pub use service::{ServiceError, ServiceReport};
pub use spec::{FolderOptions, Overrides, ServiceBuild, SpecError};
pub use ssh::SshError;
pub use steps::{Step, StepKind, instruction, is_cancellation, name_in_service};
