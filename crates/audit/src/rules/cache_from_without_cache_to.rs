//! A cache is imported that nothing in the project writes: it is never refreshed, or was never there.
//!
//! ## Why
//!
//! BuildKit takes results from what `cache_from` names only if somebody put a cache there: an export (`cache_to`), or an image
//! that was built with `BUILDKIT_INLINE_CACHE=1`. An image without that brings nothing, and every build looks it up in vain. A
//! cache that was exported once by hand brings the same old results for ever.
//!
//! ## Example
//!
//! ```yaml
//! services:
//!   web:
//!     image: registry.example/web:latest
//!     build:
//!       context: .
//!       cache_from:
//!         - type=registry,ref=registry.example/web:cache
//! ```
//!
//! ## Instead
//!
//! Export it from the build that knows best, or do not import it:
//!
//! ```yaml
//! services:
//!   web:
//!     image: registry.example/web:latest
//!     build:
//!       context: .
//!       cache_from:
//!         - type=registry,ref=registry.example/web:cache
//!       cache_to:
//!         - type=registry,ref=registry.example/web:cache,mode=max
//! ```
//!
//! ## References
//!
//! - <https://docs.docker.com/build/cache/backends/>

use super::Rule;
use crate::docker::{Action, Tool};
use crate::facts::caches::{self, CacheAt};
use crate::facts::names::Likeness;
use crate::facts::{Build, Via};
use crate::{Confidence, FileId, Finding, Project, Severity};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "cache-from-without-cache-to",
    "a cache that is imported and that nothing in the project writes",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let exports = caches::exports(project);
    let inline = caches::inline(project);
    let other_tools: BTreeSet<_> = project
        .docker_commands()
        .filter(|used| matches!(used.docker.tool, Tool::Podman | Tool::Buildah))
        .map(|used| used.place())
        .collect();
    let mut seen: BTreeSet<(FileId, String)> = BTreeSet::new();
    for import in caches::imports(project) {
        let cache = &import.cache.cache;
        // Podman's and buildah's caches are images of another kind.
        if import.build.is_some_and(|build| build.no_cache.is_some() || other_tools.contains(&build.place())) {
            continue;
        }
        let key = format!("{:?} {:?} {:?}", cache.kind, cache.reference, cache.attributes);
        let is_exported = exports
            .iter()
            .any(|export| caches::is_same_store(&import.cache, &export.cache) > Likeness::Different);
        if is_exported || !seen.insert((import.cache.file, key)) {
            continue;
        }
        let found = match cache.kind.as_str() {
            "registry" => of_registry(project, &import, inline.iter().map(|one| (one.file, &one.images))),
            "gha" | "s3" | "azblob" => Some(unwritten(&import, Severity::Low, Confidence::Medium)),
            "local" if !is_brought_back(project, &import) => {
                Some(unwritten(&import, Severity::Low, Confidence::Medium))
            }
            _ => None,
        };
        findings.extend(found);
    }
}

fn of_registry<'a>(
    project: &Project,
    import: &CacheAt<'_>,
    inline: impl Iterator<Item = (FileId, &'a Vec<String>)>,
) -> Option<Finding> {
    let reference = import.cache.cache.reference.as_deref()?;
    let like = |file: FileId, images: &[String]| caches::likeness(images, reference, file == import.cache.file);
    let mut inline = inline;
    if inline.any(|(file, images)| like(file, images) > Likeness::Different) {
        return None;
    }
    // Whether the argument reaches it from a script that was not read is not known.
    if crate::facts::names::is_open(reference) && import.build.is_none_or(|build| build.is_open) {
        return None;
    }
    let builds = &project.facts().builds;
    let writes = |build: &&Build| {
        let images = caches::images_of(project, build);
        !images.is_empty() && like(build.file, &images) == Likeness::Same
    };
    if let Some(build) = builds.iter().find(writes) {
        return of_image(project, import, build, reference);
    }
    let may_write = |build: &Build| {
        let images = caches::images_of(project, build);
        like(build.file, &images) == Likeness::Possible
    };
    if builds.iter().any(may_write) {
        return None;
    }
    // A cache of its own name was put there by somebody; anything else may be an image of another project.
    let is_cache = import.cache.text.contains("type=") || reference.contains("cache");
    let (severity, confidence) = match is_cache {
        true => (Severity::Medium, Confidence::Medium),
        false => (Severity::Low, Confidence::Low),
    };
    Some(unwritten(import, severity, confidence))
}

/// The project builds the image, and does not put a cache into it.
fn of_image(project: &Project, import: &CacheAt<'_>, build: &Build, reference: &str) -> Option<Finding> {
    // The classic builder takes layers from any image that is there.
    let is_classic = import.build.is_some_and(|build| matches!(build.via, Via::Command(..)) && is_plain(project, build));
    let confidence = match is_classic || build.is_open {
        true => Confidence::Low,
        false => Confidence::Medium,
    };
    let message = format!("`cache_from` of `{reference}` finds no cache: {} puts none into that image", build.name);
    let mut finding = Finding::new(
        RULE.id,
        Severity::Low,
        confidence,
        message,
        (import.cache.file, import.cache.span),
    )
    .help("remove the import, or export a cache under a name of its own (`cache_to: type=registry,ref=…,mode=max`): BuildKit takes nothing from an image that carries no cache");
    if build.place() != import.build.map_or(finding.place(), Build::place) {
        finding = finding.also(build.place(), "the image is built here");
    }
    Some(finding)
}

/// `docker build`, which was the classic builder before Docker 23.
fn is_plain(project: &Project, build: &Build) -> bool {
    let is_it = |used: &crate::facts::DockerUse<'_>| (used.file, used.command.span) == build.place();
    project
        .docker_commands()
        .find(is_it)
        .is_some_and(|used| matches!(&used.docker.action, Action::Build(build) if !build.is_buildkit))
}

/// Whether CI brings the folder back from where it keeps it.
fn is_brought_back(project: &Project, import: &CacheAt<'_>) -> bool {
    let Some(folder) = import.cache.cache.attributes.get("src") else {
        return true;
    };
    let text = project.file(import.cache.file).source.text();
    text.contains("actions/cache") && text.matches(folder.as_str()).count() > 1
}

fn unwritten(import: &CacheAt<'_>, severity: Severity, confidence: Confidence) -> Finding {
    let name = caches::name(&import.cache);
    let confidence = match import.build.is_some_and(|build| build.is_open) {
        true => Confidence::Low,
        false => confidence,
    };
    Finding::new(
        RULE.id,
        severity,
        confidence,
        format!("{name} is imported, and nothing in the project exports to it"),
        (import.cache.file, import.cache.span),
    )
    .help("export it from the build that is made most often (`cache_to` of the same name), or remove the import: what nobody refreshes brings old results or none")
}
