//! `unstale why`: the causes and origins of a build that is over, as the ledger has them; and what the engine's own
//! history tells of a build that unstale did not make.

mod foreign;

pub use foreign::{ForeignBuild, Later};

use crate::build::explain::Origin;
use crate::build::{Cause, SpecError, ledger_path};
use crate::builder::{BuilderError, BuilderOptions};
use std::path::{Path, PathBuf};
use unstale_docker::{ComposeError, Environment};
use unstale_ledger::{
    BuildRecord, BuildSummary, Filter, Ledger, LedgerError, Location, StepKind, StepOutcome, StepRecord,
    StoredService,
};
use unstale_plan::{FactPart, Facts, Made};

/// How many of the latest builds are searched for one of a folder.
const SEARCHED: u32 = 10_000;

/// Which build is asked about.
#[derive(Debug, Clone)]
pub struct WhyRequest {
    /// The build, by the beginning of its name; without it, the last one of the folder that the command runs in.
    pub build: Option<String>,
    /// Only this service.
    pub service: Option<String>,
    /// The folder that the command runs in.
    pub cwd: PathBuf,
    /// The engine whose history is asked.
    pub builder: BuilderOptions,
}

/// Why there is nothing to tell.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The ledger cannot be read, or has no such build.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No build of the folder is recorded.
    #[error("no build of {} is recorded", .0.display())]
    NoBuild(PathBuf),
    /// No build of the service is recorded, and the engine knows of none either.
    #[error("no build of {service} is recorded, and {engine}")]
    NoBuildOf {
        /// The service.
        service: String,
        /// What the engine knows.
        engine: String,
    },
    /// No build is recorded, and Compose cannot tell what the service is.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// No build is recorded, and the project has no such service.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No build is recorded, and the engine cannot be asked.
    #[error(transparent)]
    Builder(#[from] BuilderError),
    /// The build has no such service.
    #[error("build {build} has no service {service}")]
    NoService {
        /// The build.
        build: String,
        /// The service.
        service: String,
        /// The services that it has.
        services: Vec<String>,
    },
}

impl WhyError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            WhyError::Ledger(error) => error.hint(),
            WhyError::NoBuild(_) => {
                Some("build it with `unstale build`, or name a build of `unstale log` with --build".into())
            }
            WhyError::NoBuildOf { service, .. } => {
                Some(format!("build it and ask again: unstale build {service}"))
            }
            WhyError::Compose(error) => error.hint(),
            WhyError::Spec(error) => error.hint(),
            WhyError::Builder(error) => error.hint(),
            WhyError::NoService { services, .. } => Some(format!("it has {}", services.join(", "))),
        }
    }
}

/// What is known of a build.
pub struct Story {
    /// The build as it was recorded; only the service that was asked for, if one was. `None`: none of the service is
    /// recorded, and `later` is what the engine knows.
    pub build: Option<BuildRecord>,
    /// What the engine knows of a build of the service since.
    pub later: Later,
}

impl Story {
    /// The services of the recorded build.
    pub fn services(&self) -> &[StoredService] {
        self.build.as_ref().map_or(&[], |build| &build.services)
    }
}

/// A step of a recorded build with what the ledger has of its reasons.
pub struct Told<'a> {
    /// The step.
    pub step: &'a StepRecord,
    /// Why it ran.
    pub cause: Option<Cause>,
    /// Where its reused result came from.
    pub origin: Option<Origin>,
    /// Its record in the builder's cache.
    pub made: Option<Made>,
    /// What it was compared by.
    pub facts: Option<Facts>,
}

impl<'a> Told<'a> {
    /// Reads what the ledger has of a step.
    pub fn new(step: &'a StepRecord) -> Told<'a> {
        fn read<T: serde::de::DeserializeOwned>(text: &Option<String>) -> Option<T> {
            serde_json::from_str(text.as_deref()?).ok()
        }
        let explained = &step.explained;
        Told {
            step,
            cause: read(&explained.cause),
            origin: read(&explained.origin),
            made: read(&explained.made),
            facts: read(&explained.facts),
        }
    }

    /// How many inputs' contents the solver compared, and with what digests.
    pub fn contents(&self) -> Vec<String> {
        let parts = self.facts.iter().flat_map(|facts| &facts.parts);
        let content = |part: &FactPart| match part {
            FactPart::Content(digest) => digest.clone(),
            FactPart::Step(_) => None,
        };
        parts.filter_map(content).collect()
    }
}

/// Reads what is known. The engine is asked only about a service; its silence is an error only if nothing is recorded.
///
/// # Errors
/// If neither the ledger nor the engine has anything to tell.
pub async fn why(environment: &Environment, request: &WhyRequest) -> Result<Story, WhyError> {
    let ledger = Ledger::open(&ledger_path(environment)?)?.ledger;
    let service = request.service.as_deref();
    let build = match &request.build {
        Some(prefix) => Some(ledger.build(prefix)?),
        None => {
            let filter = Filter {
                project: None,
                limit: SEARCHED,
            };
            let builds = ledger.builds(&filter)?;
            let last = last(&builds, &request.cwd, service);
            last.map(|last| ledger.build(&last.id)).transpose()?
        }
    };
    let (mut build, service) = match (build, service) {
        (Some(build), Some(service)) => (build, service),
        (Some(build), None) => {
            return Ok(Story {
                build: Some(build),
                later: Later::None,
            });
        }
        (None, Some(service)) => return foreign::only(environment, request, service).await,
        (None, None) => return Err(WhyError::NoBuild(request.cwd.clone())),
    };
    if !build.services.iter().any(|recorded| recorded.service == service) {
        return Err(WhyError::NoService {
            build: build.summary.id.clone(),
            service: service.to_owned(),
            services: build
                .services
                .iter()
                .map(|service| service.service.clone())
                .collect(),
        });
    }
    build.services.retain(|recorded| recorded.service == service);
    let later = match (&request.build, build.services.first()) {
        (None, Some(recorded)) => foreign::since(environment, request, &build.summary, recorded).await,
        _ => Later::None,
    };
    Ok(Story {
        build: Some(build),
        later,
    })
}

/// The last build of a folder or of one above it.
fn last<'a>(builds: &'a [BuildSummary], cwd: &Path, service: Option<&str>) -> Option<&'a BuildSummary> {
    let has = |build: &BuildSummary| {
        service.is_none_or(|name| build.services.iter().any(|service| service.service == name))
    };
    let of = |folder: &Path| {
        builds
            .iter()
            .find(|build| Path::new(&build.project_dir) == folder && has(build))
    };
    cwd.ancestors().find_map(of)
}

/// A selection of a step is matched with its name: `6`, `6/9`, `STAGE/6`, a stage's name, the beginning of the instruction.
pub fn selects(selection: &str, step: &StepRecord) -> bool {
    let Some((place, instruction)) = step.name.strip_prefix('[').and_then(|rest| rest.split_once("] "))
    else {
        return step.name.starts_with(selection);
    };
    let (stage, count) = place.rsplit_once(' ').unwrap_or(("", place));
    let (number, _) = count.split_once('/').unwrap_or((count, ""));
    selection == number
        || selection == count
        || selection == stage
        || selection.split_once('/') == Some((stage, number))
        || instruction.starts_with(selection)
}

/// What is not worth a line in a table: the builder's own work.
pub fn is_shown(step: &StepRecord) -> bool {
    step.kind != StepKind::Internal || step.outcome == StepOutcome::Failed
}

/// Where a step stands, as `Dockerfile:3-4`.
pub fn place(location: &Location) -> String {
    if location.line == location.end_line {
        format!("{}:{}", location.file, location.line)
    } else {
        format!("{}:{}-{}", location.file, location.line, location.end_line)
    }
}
