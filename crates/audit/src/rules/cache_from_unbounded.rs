//! A cache that is imported under a name that stays the same, whatever is built: results from long ago can come back, also
//! after the builder's cache was cleared.
//!
//! Nothing is found where the name holds a commit, a hash of the inputs, a date or the number of a run, where the build uses no
//! cache, and where the import reads an image that carries its own cache (that is `inline-cache`).
//!
//! ## Why
//!
//! `docker builder prune -af` clears the builder, not what the builder imports. Measured (`docs/clearing.md`): the next build with a
//! `cache_from` of the pushed image reuses every step, on every engine. A step that fetches something (`git clone`, `apt-get
//! update`) stays as it was when the cache was made. The severity is medium where a script of the project clears, or where the
//! machine keeps a cache that people will want to clear; on hosted runners, which begin with nothing, it is low; for
//! GitHub's own cache, which drops what nobody used for seven days, it is worth knowing.
//!
//! ## Example
//!
//! ```yaml
//! services:
//!   web:
//!     build:
//!       context: .
//!       cache_from:
//!         - type=registry,ref=registry.example/web:cache
//!       cache_to:
//!         - type=registry,ref=registry.example/web:cache,mode=max
//! ```
//!
//! ## Instead
//!
//! Put what the results depend on into the name, so that a change of it begins anew:
//!
//! ```yaml
//! services:
//!   web:
//!     build:
//!       context: .
//!       cache_from:
//!         - type=registry,ref=registry.example/web:cache-${LOCKFILE_HASH}
//!       cache_to:
//!         - type=registry,ref=registry.example/web:cache-${LOCKFILE_HASH},mode=max
//! ```
//!
//! or let `unstale clear --target imports --remote` delete the cache when the builder's is cleared.
//!
//! ## References
//!
//! - <https://docs.docker.com/build/cache/backends/>

use super::Rule;
use crate::docker::{Action, PruneScope};
use crate::facts::caches::{self, CacheAt};
use crate::facts::names::{self, Bound, Likeness};
use crate::facts::{Build, DockerUse, Via};
use crate::{Confidence, Content, FileId, Finding, Project, ScriptPlace, Severity};
use crate::workflow::Trigger;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "cache-from-unbounded",
    "a cache that is imported whatever is built, and that no clear reaches",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let exports = caches::exports(project);
    let inline = caches::inline(project);
    let clear = project.docker_commands().find(clears);
    let mut seen: BTreeSet<(FileId, String)> = BTreeSet::new();
    for import in caches::imports(project) {
        let cache = &import.cache.cache;
        if import.build.is_some_and(|build| build.no_cache.is_some())
            || !is_mutable(project, &import)
            || is_of_tags(project, &import)
            || import.build.is_some_and(|build| only_copies(project, build))
        {
            continue;
        }
        let is_exported = exports
            .iter()
            .any(|export| caches::is_same_store(&import.cache, &export.cache) > Likeness::Different);
        let is_inline = inline.iter().any(|inline| {
            let in_one_file = inline.file == import.cache.file;
            let reference = cache.reference.as_deref();
            cache.kind == "registry"
                && reference.is_some_and(|name| {
                    caches::likeness(&inline.images, name, in_one_file) > Likeness::Different
                })
        });
        // What nobody exports is `cache-from-without-cache-to`.
        if !is_exported || is_inline {
            continue;
        }
        // Of GitHub's cache, one finding a file is enough: it is all one cache.
        let name = match cache.kind.as_str() {
            "gha" => String::new(),
            _ => caches::name(&import.cache),
        };
        if !seen.insert((import.cache.file, name)) {
            continue;
        }
        // A clear elsewhere is none of a machine that is new each time.
        let is_on_new_runner = import.build.is_some_and(|build| project.is_on_new_runner(build));
        findings.push(finding(project, &import, clear.filter(|_| !is_on_new_runner)));
    }
}

/// A command that is meant to clear results.
fn clears(used: &DockerUse<'_>) -> bool {
    matches!(
        &used.docker.action,
        Action::Prune(prune) if matches!(
            prune.scope,
            PruneScope::Builder | PruneScope::Buildx | PruneScope::Buildctl | PruneScope::System
        ) && prune.filters.is_empty() && prune.keeps.is_none()
    )
}

/// Whether a build runs nothing: what it copies is compared each time, and no old result can come back.
fn only_copies(project: &Project, build: &Build) -> bool {
    let Some(Content::Dockerfile(dockerfile)) = build.dockerfile.map(|id| &project.file(id).content) else {
        return false;
    };
    dockerfile.instructions.iter().all(|one| one.keyword != "RUN")
}

/// Whether only tags run the workflow: a run for a tag finds GitHub's cache of no other tag.
fn is_of_tags(project: &Project, import: &CacheAt<'_>) -> bool {
    let Content::GithubWorkflow(workflow) = &project.file(import.cache.file).content else {
        return false;
    };
    let is_tag = |trigger: &Trigger| {
        let has = |name: &str| trigger.filters.iter().any(|(filter, _)| filter == name);
        trigger.name == "release" || trigger.name == "push" && has("tags") && !has("branches")
    };
    import.cache.cache.kind == "gha" && !workflow.triggers.is_empty() && workflow.triggers.iter().all(is_tag)
}

/// Whether the name of the cache is the same from commit to commit.
fn is_mutable(project: &Project, import: &CacheAt<'_>) -> bool {
    let cache = &import.cache.cache;
    let attribute = |name: &str| cache.attributes.get(name).map(String::as_str).unwrap_or_default();
    let bound = match cache.kind.as_str() {
        "registry" => match &cache.reference {
            Some(reference) => names::bound_of_image(reference),
            None => return false,
        },
        "gha" => names::bound_of(attribute("scope")),
        "local" => match folder_of_run(project, import) {
            Some(is_kept) => return is_kept,
            None => names::bound_of(attribute("src")),
        },
        "s3" | "azblob" => names::bound_of(attribute("name")),
        _ => return false,
    };
    bound == Bound::Mutable
}

/// Of a folder that a hosted runner imports: whether a step brings it back from other commits; none elsewhere.
fn folder_of_run(project: &Project, import: &CacheAt<'_>) -> Option<bool> {
    let Content::GithubWorkflow(workflow) = &project.file(import.cache.file).content else {
        return None;
    };
    let folder = import.cache.cache.attributes.get("src")?;
    let job = workflow
        .jobs
        .iter()
        .find(|job| job.span.contains(import.cache.span))?;
    let mut is_kept = false;
    for step in &job.steps {
        if !step.is_action("actions/cache") && !step.is_action("actions/cache/restore") {
            continue;
        }
        let holds = |path: &str| folder.starts_with(path.trim_end_matches('/'));
        let restores = step
            .with("path")
            .is_some_and(|pair| pair.lines().iter().any(|item| holds(item.as_str())));
        let key = step
            .with("key")
            .map_or(Bound::Mutable, |pair| names::bound_of(pair.text()));
        is_kept |= restores && (step.with("restore-keys").is_some() || key == Bound::Mutable);
    }
    Some(is_kept)
}

fn finding(project: &Project, import: &CacheAt<'_>, clear: Option<DockerUse<'_>>) -> Finding {
    let file = project.file(import.cache.file);
    let is_ci = matches!(
        file.content,
        Content::GithubWorkflow(_) | Content::GitlabPipeline(_)
    ) || import
        .build
        .is_some_and(|build| matches!(build.via, Via::Step(..) | Via::Target(_)));
    let severity = match import.cache.cache.kind.as_str() {
        "gha" => Severity::Info,
        _ if clear.is_some() || !is_ci => Severity::Medium,
        _ => Severity::Low,
    };
    // Of a Dockerfile that is not there, or is made first, nobody knows what it runs.
    let is_unknown = import.build.is_some_and(|build| {
        let is_named = build.context.is_some() && build.dockerfile_like.is_none();
        matches!(build.via, Via::Step(..)) && is_named && build.dockerfile.is_none()
    });
    let confidence = match is_ci && clear.is_none() {
        _ if is_unknown => Confidence::Low,
        true => Confidence::Medium,
        false => Confidence::High,
    };
    let store = caches::name(&import.cache);
    let message = format!(
        "{store} is imported whatever is built: old results come back from it after the builder's cache was cleared"
    );
    let help = match import.cache.cache.kind.as_str() {
        "gha" => {
            "put what the results depend on into the scope (`scope=web-${{ hashFiles('package-lock.json') }}`), or delete the cache when you want to begin anew"
        }
        "local" if matches!(file.content, Content::GithubWorkflow(_)) => {
            "put a hash of the inputs into the `key` of the step that keeps the folder, without `restore-keys`, or delete that cache when you want to begin anew (`gh cache delete`)"
        }
        "s3" | "azblob" => "put a hash of the inputs into its `name`, or delete it from its bucket when you want to begin anew",
        // What a Compose file imports, a clear of the project knows.
        _ if import.build.is_some_and(|build| matches!(build.via, Via::Service(_))) => {
            "put a hash of the inputs into the cache's name, or delete the cache itself when you clear: `unstale clear --target imports --remote`"
        }
        "local" => "put a hash of the inputs into the folder's name, or delete the folder when you want to begin anew",
        _ => "put a hash of the inputs into the cache's name, or delete it from its registry when you want to begin anew",
    };
    let place = (import.cache.file, import.cache.span);
    let finding = Finding::new(RULE.id, severity, confidence, message, place).help(help);
    match clear.filter(|clear| !matches!(clear.script.place, ScriptPlace::Run(_))) {
        Some(clear) if import.cache.cache.kind != "gha" => {
            finding.also(clear.place(), "this clear does not reach it")
        }
        _ => finding,
    }
}
