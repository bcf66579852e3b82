//! What the caches hold that a build imports. BuildKit's keys in them cannot be read, but a cache that a build of ours
//! exported is known by its digest, and the ledger has the steps of that build.

use super::super::epoch::Epoch;
use super::super::request::Target;
use super::super::service::Shared;
use super::super::spec::ServiceBuild;
use super::age::{Age, age};
use crate::event::Event;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use unstale_buildkit::gateway::{CacheEntry, Job, Place};
use unstale_docker::ImageStore;
use unstale_ledger::{ExportedCache, StepOutcome, StepRecord};
use unstale_plan::{Imports, Past};

/// What stands behind the name of a cache.
enum Found {
    /// One of these digests may be known.
    Digests(Vec<String>),
    /// An image of the engine, by its identity.
    Image(String),
    /// No cache.
    Nothing,
    /// It cannot be told.
    Unclear,
}

/// Asks the registries, and the ledger for who made what is there.
pub(super) async fn imports(shared: &Shared, build: &ServiceBuild, job: &Job) -> Imports {
    let mut imports = Imports::default();
    for entry in &build.cache_from {
        let name = reference(entry);
        let found = find(shared, entry, job).await;
        let (digests, is_image) = match found {
            Found::Digests(digests) => (digests, false),
            Found::Image(id) => (vec![id], true),
            Found::Nothing => continue,
            Found::Unclear => (Vec::new(), false),
        };
        let exported = digests.iter().find_map(|digest| {
            let ledger = shared.ledger.as_ref()?.lock().ok()?;
            Some((digest, ledger.exported_cache(digest).ok()??))
        });
        match exported {
            // An image of ours without a cache in it.
            Some((_, exported)) if is_image && exported.service.cache_export.is_none() => {}
            Some((digest, exported)) if is_alike(shared, &exported) => {
                hold(&mut imports, &name, digest, &exported);
            }
            _ => imports.is_unclear = true,
        }
    }
    imports
}

/// Takes away the imports that hold, or may hold, results from before a clear.
pub(in crate::build) async fn admit(shared: &Shared, build: &mut ServiceBuild, job: &Job, epoch: &Epoch) {
    let mut admitted = Vec::new();
    for entry in std::mem::take(&mut build.cache_from) {
        let holds = match age(shared, &entry, job).await {
            Age::Oldest(made) if epoch.is_old(made) => "holds results",
            Age::Unknown => "may hold results",
            Age::Nothing | Age::Oldest(_) => {
                admitted.push(entry);
                continue;
            }
        };
        let message = format!(
            "not imported: {} {holds} from before {} (--allow-old imports it)",
            reference(&entry),
            epoch.describe()
        );
        let service = Some(build.service.clone());
        let _ = shared.events.send(Event::Warning { service, message }).await;
    }
    build.cache_from = admitted;
}

/// Whether steps had the same keys there: these depend on the version of BuildKit.
fn is_alike(shared: &Shared, exported: &ExportedCache) -> bool {
    let builder = &shared.builder;
    exported.engine_version == builder.identity.server_version && exported.builder == builder.name
}

/// The name of a cache, for people.
pub(super) fn reference(entry: &CacheEntry) -> String {
    entry.attrs.get("ref").unwrap_or(&entry.kind).clone()
}

async fn find(shared: &Shared, entry: &CacheEntry, job: &Job) -> Found {
    let name = match entry.attrs.get("ref") {
        Some(name) if entry.kind == "registry" => name,
        _ => return Found::Unclear,
    };
    // The classic store's engine takes an image of its own that has the name, whatever the registry has (moby,
    // `builder-next/adapters/localinlinecache`).
    if shared.builder.target == Target::Engine(ImageStore::Classic) {
        match shared.builder.engine.inspect_image(name).await {
            Ok(Some(image)) => return Found::Image(image.id),
            Ok(None) => {}
            Err(_) => return Found::Unclear,
        }
    }
    // An image, with the cache in its configuration?
    if let Ok((digest, config)) = job.resolve_image(name, Place::Registry).await {
        return match has_cache(&config) {
            // In the classic store an image is called by its configuration's digest.
            Some(true) => Found::Digests(vec![
                digest,
                format!("sha256:{}", hex::encode(Sha256::digest(&config))),
            ]),
            Some(false) => Found::Nothing,
            None => Found::Unclear,
        };
    }
    match shared.registry_digest(name).await {
        Ok(Some(digest)) => Found::Digests(vec![digest]),
        Ok(None) => Found::Nothing,
        Err(_) => Found::Unclear,
    }
}

/// Whether an image's configuration holds a cache; unknown if it cannot be read.
pub(crate) fn has_cache(config: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "moby.buildkit.cache.v0")]
        cache: Option<serde::de::IgnoredAny>,
    }
    let config: Config = serde_json::from_slice(config).ok()?;
    Some(config.cache.is_some())
}

/// Takes the steps of the build that exported a cache.
fn hold(imports: &mut Imports, name: &str, digest: &str, exported: &ExportedCache) {
    let service = &exported.service;
    let steps: Vec<&StepRecord> = match &service.cache_export {
        Some((of, mode)) if of == digest && mode == "max" => service.steps.iter().collect(),
        // The results that are layers of the image.
        _ => chain(&service.steps),
    };
    for step in steps {
        let Some(key) = &step.explained.key else { continue };
        let is_sure = match step.outcome {
            StepOutcome::Ran => true,
            // One that was not needed may have been gone already.
            StepOutcome::Cached => step.explained.made.is_some(),
            _ => continue,
        };
        if !is_sure {
            imports.may_hold.insert(key.clone());
            continue;
        }
        let ran = step.outcome == StepOutcome::Ran;
        let past = Past {
            build: exported.build.clone(),
            commit: exported.commit.clone(),
            made_ms: step.completed_ms.filter(|_| ran),
            made: None,
            imported: Some(name.to_owned()),
            build_ms: exported.started_ms,
        };
        imports.holds.insert(key.clone(), past);
    }
}

/// The last step of a graph and those that it lies upon.
fn chain(steps: &[StepRecord]) -> Vec<&StepRecord> {
    let mut chain: Vec<&StepRecord> = Vec::new();
    let mut next: Vec<&StepRecord> = steps
        .iter()
        .rfind(|step| step.explained.key.is_some())
        .into_iter()
        .collect();
    while let Some(step) = next.pop() {
        if chain.iter().any(|known| known.digest == step.digest) {
            continue;
        }
        chain.push(step);
        // What `--link` copies lies upon nothing, and is laid on the rest: BuildKit's name for that.
        let is_merge = step.instruction.starts_with("LINK ");
        let below = step.inputs.iter().take(if is_merge { usize::MAX } else { 1 });
        next.extend(below.filter_map(|digest| steps.iter().find(|step| step.digest == *digest)));
    }
    chain
}
