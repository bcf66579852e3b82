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
use crate::docker::{Action, ComposeVerb, ImageTransfer, Tool};
use crate::facts::caches::{self, CacheAt};
use crate::facts::environment::{EnvSetting, settings};
use crate::facts::names::{self, Likeness};
use crate::facts::{Build, ImageName, Via};
use crate::workflow::{Image, Target};
use crate::{Confidence, Content, FileId, Finding, Project, Severity};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "cache-from-without-cache-to",
    "a cache that is imported and that nothing in the project writes",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let first = findings.len();
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
        if import
            .build
            .is_some_and(|build| build.no_cache.is_some() || other_tools.contains(&build.place()))
        {
            continue;
        }
        if is_in_a_variable(project, &import) {
            continue;
        }
        let key = format!("{:?} {:?} {:?}", cache.kind, cache.reference, cache.attributes);
        let is_exported = exports
            .iter()
            .any(|export| caches::is_same_store(&import.cache, &export.cache) > Likeness::Different);
        if is_exported || !seen.insert((import.cache.file, key)) {
            continue;
        }
        let found: Option<Finding> = match cache.kind.as_str() {
            "registry" => of_registry(project, &import, inline.iter().map(|one| (one.file, &one.images))),
            "gha" if is_exported_out_of_sight(project, &exports) => None,
            "gha" | "s3" | "azblob" => Some(unwritten(&import, Severity::Low, Confidence::Medium)),
            "local" if !is_brought_back(project, &import) => {
                Some(unwritten(&import, Severity::Low, Confidence::Medium))
            }
            _ => None,
        };
        findings.extend(found);
    }
    join(first, findings);
}

/// Whether the script speaks of an export that stands in none of its builds: a variable holds it.
fn is_in_a_variable(project: &Project, import: &CacheAt<'_>) -> bool {
    let Some(build) = import.build.filter(|build| matches!(build.via, Via::Command(..))) else {
        return false;
    };
    let count = |text: &str| text.matches("cache-to").count();
    let own = project
        .facts()
        .builds
        .iter()
        .filter(|other| other.file == build.file);
    count(project.file(build.file).source.text()) > own.map(|other| other.cache_to.len()).sum()
}

/// Whether something that was not read may export to GitHub's cache under any scope: a workflow of another repository, or an
/// export whose scope holds a variable, or that an expression makes.
fn is_exported_out_of_sight(project: &Project, exports: &[CacheAt<'_>]) -> bool {
    let has_open_scope = exports.iter().any(|export| {
        let cache = &export.cache.cache;
        let is_computed = export.cache.text.trim_start().starts_with("${{");
        is_computed || (cache.kind == "gha" || cache.kind.contains('$')) && export.cache.text.contains('$')
    });
    has_open_scope
        || project.files().any(|(_, file)| match &file.content {
            Content::GithubWorkflow(workflow) => workflow.jobs.iter().any(|job| {
                job.uses
                    .as_ref()
                    .is_some_and(|uses| !matches!(uses.target, Target::Local(_)))
            }),
            _ => false,
        })
}

/// Makes one finding of those about images of one file: it is one habit.
fn join(first: usize, findings: &mut Vec<Finding>) {
    let mut joined: Vec<(Finding, usize)> = Vec::new();
    for finding in findings.split_off(first.min(findings.len())) {
        let is_like = |(known, _): &&mut (Finding, usize)| {
            known.severity == Severity::Low
                && known.help == finding.help
                && known.place().0 == finding.place().0
        };
        match joined.iter_mut().find(is_like) {
            Some((known, more)) => {
                *more += 1;
                known.confidence = known.confidence.min(finding.confidence);
                if *more <= 5 {
                    *known = known.clone().also(finding.place(), "so does this");
                }
            }
            None => joined.push((finding, 0)),
        }
    }
    findings.extend(joined.into_iter().map(|(mut finding, more)| {
        if more > 0 {
            finding.message = format!("{}, and {more} more of this file", finding.message);
        }
        finding
    }));
}

fn of_registry<'a>(
    project: &Project,
    import: &CacheAt<'_>,
    inline: impl Iterator<Item = (FileId, &'a Vec<String>)>,
) -> Option<Finding> {
    let reference = import.cache.cache.reference.as_deref()?;
    let like =
        |file: FileId, images: &[String]| caches::likeness(images, reference, file == import.cache.file);
    // Of a registry that a variable names, the rest of the name says which image it is.
    let ends_like = |images: &[String]| {
        let rest = after_registry(reference);
        rest.is_some_and(|rest| images.iter().any(|image| names::images(&format!("${{REGISTRY}}/{rest}"), image) > Likeness::Different))
    };
    // What a step names an image may be this name.
    let is_unknown = |images: &[String]| images.iter().all(|image| image.starts_with("${{"));
    let mut inline = inline;
    if inline.any(|(file, images)| like(file, images) > Likeness::Different || ends_like(images) || is_unknown(images)) {
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

/// What stands behind the variable that names a registry: `acme/app:latest` of `$REGISTRY/acme/app:latest`.
fn after_registry(reference: &str) -> Option<&str> {
    let rest = match reference.strip_prefix("${{") {
        Some(expression) => expression.split_once("}}")?.1,
        None => reference.strip_prefix('$')?.split_once('/').map(|_| &reference[reference.find('/').unwrap_or_default()..])?,
    };
    rest.strip_prefix('/').filter(|rest| rest.contains('/') && !rest.starts_with('$'))
}

/// The project builds the image, and does not put a cache into it.
fn of_image(project: &Project, import: &CacheAt<'_>, build: &Build, reference: &str) -> Option<Finding> {
    // The classic builder takes layers from any image that is there.
    let is_plain = import
        .build
        .is_some_and(|build| matches!(build.via, Via::Command(..)) && is_plain(project, build));
    if is_plain && asks_for_classic(project, import) {
        return None;
    }
    // A service whose image's name is the environment's is built by whoever sets that, with arguments of their own.
    let is_of_service = import.build.is_some_and(|build| matches!(build.via, Via::Service(_)));
    let is_built_here = || project.facts().builds.iter().any(Build::is_of_compose);
    if is_of_service && reference.contains('$') && !is_built_here() {
        return None;
    }
    // Where nothing here pushes the image, what a registry has comes from builds that are not here.
    let is_of_registry = ImageName::parse(reference).is_some_and(|name| name.is_pullable());
    let is_pushed_elsewhere = is_of_service && is_of_registry && !pushes(project, reference);
    // What a name with variables is made for, and with which arguments, is said by whoever sets them.
    let confidence = match is_plain || build.is_open || reference.contains('$') || is_pushed_elsewhere {
        true => Confidence::Low,
        false => Confidence::Medium,
    };
    let message = format!(
        "`cache_from` of `{reference}` finds no cache: {} puts none into that image",
        build.name
    );
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

/// Whether something in the project pushes an image for sure.
fn pushes(project: &Project, image: &str) -> bool {
    let is_it = |name: &String| names::images(name, image) == Likeness::Same;
    let mut pushed = project.facts().builds.iter().filter(|build| build.push);
    pushed.any(|build| caches::images_of(project, build).iter().any(is_it))
        || project.docker_commands().any(|used| match &used.docker.action {
            Action::Compose(ComposeVerb::Push, _) => true,
            Action::Transfer(ImageTransfer::Push, names) => names.iter().any(|name| is_it(&name.text)),
            _ => false,
        })
}

/// `docker build`, which was the classic builder before Docker 23.
fn is_plain(project: &Project, build: &Build) -> bool {
    let is_it = |used: &crate::facts::DockerUse<'_>| (used.file, used.command.span) == build.place();
    project
        .docker_commands()
        .find(is_it)
        .is_some_and(|used| matches!(&used.docker.action, Action::Build(build) if !build.is_buildkit))
}

/// Whether a build runs with the classic builder: it is asked for, or the job's Docker is older than 23.
fn asks_for_classic(project: &Project, import: &CacheAt<'_>) -> bool {
    let file = import.cache.file;
    let is_off = |setting: &EnvSetting| setting.file == file && matches!(setting.value.trim(), "0" | "false");
    let is_old = |image: &Image| {
        let version = image.name.value.trim_start_matches("docker.io/").strip_prefix("docker:");
        let number = version.and_then(|version| version.split(['.', '-']).next());
        number.and_then(|number| number.parse().ok()).is_some_and(|number: u32| number < 23)
    };
    let in_old_docker = match &project.file(file).content {
        Content::GitlabPipeline(pipeline) => {
            pipeline.jobs.iter().any(|job| job.span.contains(import.cache.span) && job.image.iter().any(is_old))
        }
        _ => false,
    };
    in_old_docker || settings(project, "DOCKER_BUILDKIT").iter().any(is_off)
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
