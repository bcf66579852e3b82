//! `unstale clear`: takes away what could answer a build step, looks whether it is gone, and remembers when that was.
//!
//! First everything that is there is looked at ([`survey`]), so that it can be shown and asked about; then it is cleared
//! ([`Survey::clear`]). Each store is one place that old results can come back from.

mod actions;
mod cache;
mod error;
pub mod experiment;
mod images;
mod imports;
mod memory;
mod shared;
mod steps;
mod target;

pub use error::ClearError;
pub use steps::Part;
pub use target::{Target, UnknownTarget};

use crate::build::{open_ledger, project_folder};
use crate::builder::{Builder, BuilderOptions};
use crate::config::Config;
use actions::Actions;
use cache::Cache;
use images::Images;
use imports::Imports;
use memory::ProjectMemory;
use shared::Shared;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use steps::Steps;
use tokio_util::sync::CancellationToken;
use unstale_docker::compose::{ProjectOptions, Resolved, rules};
use unstale_docker::{Compose, Environment, buildx};
use unstale_ledger::Ledger;

/// What is to be cleared.
#[derive(Debug, Clone)]
pub struct ClearRequest {
    /// Which kinds of stores.
    pub targets: BTreeSet<Target>,
    /// Only these services and steps of the build cache.
    pub parts: Vec<Part>,
    /// Single cache mounts, by the identifiers that Dockerfiles give them; all of them if none is named.
    pub mounts: Vec<String>,
    /// Which project's images and imports.
    pub options: ProjectOptions,
    /// The engine, and a stand-alone BuildKit beside it.
    pub builder: BuilderOptions,
    /// Also images that containers use.
    pub force: bool,
    /// Also what is in registries.
    pub remote: bool,
    /// How long builds that use records are waited for.
    pub patience: Duration,
    /// The folder that the command runs in.
    pub cwd: PathBuf,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Records, images, caches.
    pub records: u64,
    /// Their size in bytes, as far as it is known.
    pub bytes: u64,
}

/// What is left in a store, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Why it could not be cleared.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// It can answer a step of the next build.
    pub can_answer: bool,
}

/// One store, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// What kind of store: `build-cache`, `cache-mounts`, `steps`, `images`, `imports`, `shared-cache`,
    /// `ci`, `ledger`.
    pub store: &'static str,
    /// Whose, or where: the builder's name.
    pub builder: Option<String>,
    /// Before anything was cleared.
    pub before: Amount,
    /// When it was looked at last.
    pub after: Amount,
    /// How many of the records before share their layers with images, on an engine with a classic store: `docker builder prune`
    /// leaves them without `-a`, and builds reuse them.
    pub shared_with_images: u64,
    /// The store was looked at: if not, it holds nobody knows what.
    pub is_known: bool,
    /// What is left and must be told. The first is the gravest.
    pub leftovers: Vec<Leftover>,
    /// When it was cleared, by the builder's clock.
    pub epoch: Option<SystemTime>,
}

impl StoreReport {
    /// A store that is not cleared yet.
    fn found(store: &'static str, builder: Option<String>, before: Amount) -> StoreReport {
        StoreReport {
            store,
            builder,
            before,
            after: before,
            shared_with_images: 0,
            is_known: true,
            leftovers: Vec::new(),
            epoch: None,
        }
    }

    /// Something of it can answer a step of the next build, or that cannot be ruled out.
    pub fn can_answer(&self) -> bool {
        self.leftovers.iter().any(|leftover| leftover.can_answer)
    }
}

/// What came of a clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearReport {
    /// What was asked for.
    pub targets: BTreeSet<Target>,
    /// The stores.
    pub stores: Vec<StoreReport>,
    /// What could not be done beside the clearing itself.
    pub warnings: Vec<String>,
}

impl ClearReport {
    /// How many bytes the stores hold less than before.
    pub fn reclaimed_bytes(&self) -> u64 {
        let less = |store: &StoreReport| store.before.bytes.saturating_sub(store.after.bytes);
        self.stores.iter().map(less).sum()
    }

    /// Nothing of what was to be cleared can answer a step of the next build.
    pub fn proven(&self) -> bool {
        !self.stores.iter().any(StoreReport::can_answer)
    }

    /// When the engine's own builder was cleared, or else the first that was, by its clock.
    pub fn epoch(&self) -> Option<SystemTime> {
        self.stores.iter().find_map(|store| store.epoch)
    }
}

/// What is there to be cleared.
pub struct Survey {
    request: ClearRequest,
    builder: Builder,
    caches: Vec<Cache>,
    steps: Option<Steps>,
    images: Option<Images>,
    imports: Option<Imports>,
    shared: Option<Shared>,
    actions: Option<Actions>,
    memory: Option<ProjectMemory>,
    ledger: Option<Arc<Mutex<Ledger>>>,
    /// What the user should know of the ledger.
    warnings: Vec<String>,
}

/// Looks at everything that is to be cleared.
///
/// # Errors
/// If there is no engine; or no project, and something of a project is to be cleared. A builder that cannot be reached is
/// no error but a store that is not cleared.
pub async fn survey(
    environment: &Environment,
    request: ClearRequest,
    cancel: &CancellationToken,
) -> Result<Survey, ClearError> {
    if !request.parts.is_empty() {
        return survey_of_steps(environment, request, cancel).await;
    }
    let wants = |target| request.targets.contains(&target);
    let resolve = async {
        let needs_project = wants(Target::Images) || wants(Target::Imports) || wants(Target::Ledger);
        match needs_project {
            true => project(environment, &request).await.map(Some),
            false => Ok(None),
        }
    };
    let config = Config::load(&project_folder(&request.options, &request.cwd))?;
    let engine_only = BuilderOptions {
        engine: request.builder.engine.clone(),
        ..BuilderOptions::default()
    };
    let (project, builder) = tokio::join!(resolve, Builder::connect(environment, &engine_only));
    let (project, builder) = (project?, builder?);
    let mut caches = Vec::new();
    if wants(Target::Builder) || wants(Target::Mounts) {
        caches.push(Cache::of_engine(&builder));
        let address = request.builder.builder.clone().or(config.build.builder);
        if let Some(address) = address {
            let options = BuilderOptions {
                builder: Some(address),
                ..request.builder.clone()
            };
            caches.push(Cache::stand_alone(environment, options).await);
        }
        let instances = buildx::instances(environment);
        for (path, reason) in instances.unreadable {
            let name = path.file_name().unwrap_or_default().display().to_string();
            caches.push(Cache::unreachable(format!("buildx {name}"), reason));
        }
        for instance in &instances.found {
            caches.extend(Cache::of_buildx(environment, &request.builder, instance).await);
        }
    }
    let folder = project_folder(&request.options, &request.cwd);
    let (ledger, warnings) = open_ledger(environment);
    let (mut images, mut imports, mut memory) = (None, None, None);
    if let Some(resolved) = &project {
        let project = &resolved.project;
        if wants(Target::Images) {
            let names = image_names(resolved);
            images = Some(Images::find(&builder.engine, project, &names, request.force).await?);
        }
        if wants(Target::Imports) {
            imports = Some(Imports::find(environment, &builder, project, &folder, &request).await?);
        }
        if let (true, Some(ledger)) = (wants(Target::Ledger), ledger.clone()) {
            memory = Some(ProjectMemory::find(environment, ledger, &project.name, &folder));
        }
    }
    let shared = match &config.cache.shared {
        Some(repository) if wants(Target::Imports) => {
            Some(Shared::find(environment, &builder, repository, request.remote).await)
        }
        _ => None,
    };
    let actions = match wants(Target::Ci) {
        true => Actions::find(environment, &folder, !Target::is_all(&request.targets)).await,
        false => None,
    };
    let mut survey = Survey {
        builder,
        caches,
        steps: None,
        images,
        imports,
        shared,
        actions,
        memory,
        ledger,
        warnings,
        request,
    };
    for cache in &mut survey.caches {
        cache.look().await;
    }
    Ok(survey)
}

async fn survey_of_steps(
    environment: &Environment,
    request: ClearRequest,
    cancel: &CancellationToken,
) -> Result<Survey, ClearError> {
    let mut options = request.builder.clone();
    if options.builder.is_none() {
        options.builder = Config::load(&project_folder(&request.options, &request.cwd))?
            .build
            .builder;
    }
    let builder = Builder::connect(environment, &options).await?;
    let steps = Steps::find(environment, &request, &builder, cancel).await?;
    let (ledger, warnings) = open_ledger(environment);
    Ok(Survey {
        builder,
        caches: Vec::new(),
        steps: Some(steps),
        images: None,
        imports: None,
        shared: None,
        actions: None,
        memory: None,
        ledger,
        warnings,
        request,
    })
}

/// The names of the images that the project builds, as the engine lists them.
fn image_names(resolved: &Resolved) -> BTreeSet<String> {
    let separator = rules::name_separator(resolved.compose.version(), &resolved.variables);
    let built = resolved
        .project
        .services
        .values()
        .filter(|service| service.build.is_some());
    let names = built.flat_map(|service| {
        let own = rules::image_name(&resolved.project, service, separator);
        let tags = service.build.iter().flat_map(|build| build.tags.clone());
        tags.chain([own]).collect::<Vec<_>>()
    });
    names.map(|name| listed(&name)).collect()
}

/// A name as the engine lists it: with its tag, and without the parts that everybody leaves out.
fn listed(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.contains([':', '@']) {
        true => name.to_owned(),
        false => format!("{name}:latest"),
    }
}

async fn project(environment: &Environment, request: &ClearRequest) -> Result<Resolved, ClearError> {
    Ok(Compose::resolve_to_look(environment, &request.options, &[]).await?)
}

impl Survey {
    /// What is there, store by store.
    pub fn report(&self) -> ClearReport {
        let wants = |target| self.request.targets.contains(&target);
        let caches = self
            .caches
            .iter()
            .map(|cache| cache.found(wants(Target::Builder), &self.request.mounts));
        let rest = [
            self.steps.as_ref().map(|steps| steps.found(&self.builder)),
            self.images.as_ref().map(Images::found),
            self.imports.as_ref().map(Imports::found),
            self.shared.as_ref().map(Shared::found),
            self.actions.as_ref().map(Actions::found),
            self.memory.as_ref().map(ProjectMemory::found),
        ];
        ClearReport {
            targets: self.request.targets.clone(),
            stores: caches.chain(rest.into_iter().flatten()).collect(),
            warnings: self.warnings.clone(),
        }
    }

    /// Clears it all. What fails is in the report, and so is what was not begun any more when it was cancelled.
    pub async fn clear(self, cancel: &CancellationToken) -> ClearReport {
        let mut report = ClearReport {
            targets: self.request.targets.clone(),
            stores: Vec::new(),
            warnings: self.warnings,
        };
        let whole = self.request.targets.contains(&Target::Builder);
        // Images first: what they share with the builder's cache is the builder's alone then.
        let images = match &self.images {
            Some(images) => Some(images.clear(&self.builder.engine, cancel).await),
            None => None,
        };
        let imports = match &self.imports {
            Some(imports) => Some(imports.clear(&self.builder.engine, cancel).await),
            None => None,
        };
        let ledger = self.ledger;
        for cache in &self.caches {
            let cleared = cache.clear(whole, &self.request, cancel).await;
            if let (Some(ledger), Some(epoch)) = (&ledger, cleared.epoch)
                && let Err(error) = cache.record(ledger, &cleared, epoch)
            {
                report
                    .warnings
                    .push(format!("later builds do not know of this clear: {error}"));
            }
            report.stores.push(cleared);
        }
        if let Some(steps) = &self.steps {
            let cleared = steps.clear(&self.builder, ledger.as_ref(), cancel).await;
            report.stores.push(cleared);
        }
        report.stores.extend(images);
        report.stores.extend(imports);
        // After the builders: what they made until they were cleared is old for everybody.
        if let Some(shared) = self.shared {
            report.stores.push(shared.clear(&self.builder, cancel).await);
        }
        if let Some(actions) = &self.actions {
            report.stores.push(actions.clear(cancel).await);
        }
        if let Some(memory) = self.memory {
            report.stores.push(memory.clear());
        }
        report
    }
}
