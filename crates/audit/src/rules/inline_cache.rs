//! `BUILDKIT_INLINE_CACHE=1`, or `cache-to: type=inline`: the image carries its cache. Whoever builds with a `cache_from` of the
//! image takes the old results back, also after the builder's cache was cleared.
//!
//! Found wherever it is said: `build.args` of a Compose file, `--build-arg`, bake files and `--set`, inputs of actions, the
//! environment that an argument without a value is taken from. Where it is said in vain (`ENV` and `ARG` in a Dockerfile, the
//! environment of commands or of a container), that is said.
//!
//! ## Why
//!
//! A clear must reach every place that results can come from. Measured (`docs/clearing.md`): after `docker builder prune -af`, a
//! build with a `cache_from` of the image reuses every step on engines with a classic image store, which look at local images
//! first; and on every engine if the image is in a registry. Without a `cache_from` nothing reads what the image carries: it
//! changes nothing after a clear, and only makes the image's configuration larger. The severity is high if some `cache_from` of the
//! project can name the image, medium if that depends on variables, and low if there is none.
//!
//! ## Example
//!
//! ```yaml
//! services:
//!   backend:
//!     image: watchparty-backend:latest
//!     build:
//!       context: ./backend
//!       cache_from:
//!         - watchparty-backend:latest
//!       args:
//!         BUILDKIT_INLINE_CACHE: 1
//! ```
//!
//! ## Instead
//!
//! On one machine the builder's own cache is enough:
//!
//! ```yaml
//! services:
//!   backend:
//!     image: watchparty-backend:latest
//!     build:
//!       context: ./backend
//! ```
//!
//! Machines that share a cache export one to a name of its own (`cache_to`), which can be deleted without touching an image.
//!
//! ## Fix safety
//!
//! Safe where nothing in the project reads the image's cache, no option of the build is hidden in a variable, and the build does
//! not push the image (whether a target of a bake file is pushed, nobody knows but who builds it). Else it is for you to decide:
//! builds that read it take longer.
//!
//! ## References
//!
//! - <https://docs.docker.com/build/cache/backends/inline/>

mod in_vain;

use super::Rule;
use super::words::listed;
use crate::docker::{Action, ImageTransfer};
use crate::facts::caches::{self, CacheAt, INLINE_CACHE, Inline};
use crate::facts::names::{self, Likeness};
use crate::facts::{Build, DockerUse, Via};
use crate::{Applicability, Confidence, Content, Edit, Finding, Fix, Project, Severity};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "inline-cache",
    "an image that carries its cache past every clear",
    Severity::High,
    check,
)
.fixable();

fn check(project: &Project, findings: &mut Vec<Finding>) {
    // What is exported by itself under a name is no image.
    let exports = caches::exports(project);
    let is_exported = |import: &CacheAt<'_>| {
        let mut exports = exports.iter();
        exports.any(|export| caches::is_same_store(&import.cache, &export.cache) == Likeness::Same)
    };
    let mut imports = caches::imports(project);
    imports.retain(|import| !is_exported(import));
    for inline in caches::inline(project) {
        if !inline.builds.iter().any(|build| builds_nothing(project, build)) {
            findings.push(of(project, &inline, &imports));
        }
    }
    in_vain::check(project, findings);
}

/// Whether it is a command of Compose whose project has no service that is built.
fn builds_nothing(project: &Project, build: &Build) -> bool {
    let is_it = |used: &DockerUse<'_>| (used.file, used.command.span) == build.place();
    let Some(command) = project.docker_commands().find(is_it).filter(|_| build.is_of_compose()) else {
        return false;
    };
    let projects = project.compose_projects_of(command);
    let mut services = projects.iter().flat_map(|compose| &compose.services);
    !projects.is_empty() && services.all(|service| service.build.is_none())
}

/// The imports that can read the image, the surest first.
fn readers<'a>(inline: &Inline<'_>, imports: &'a [CacheAt<'a>]) -> Vec<(Likeness, &'a CacheAt<'a>)> {
    let mut found: Vec<(Likeness, &CacheAt<'_>)> = imports
        .iter()
        .filter(|import| import.cache.cache.kind == "registry")
        .filter_map(|import| {
            let reference = import.cache.cache.reference.as_deref()?;
            let in_one_file = import.cache.file == inline.file;
            let mut images = inline.images.clone();
            images.retain(|image| !names::differ_by_hash(image, reference));
            let is_another = images.is_empty() && !inline.images.is_empty();
            (!is_another).then(|| (caches::likeness(&images, reference, in_one_file), import))
        })
        .filter(|(likeness, _)| *likeness > Likeness::Different)
        .collect();
    found.sort_by_key(|(likeness, import)| {
        let is_elsewhere = import.cache.file != inline.file;
        (
            std::cmp::Reverse(*likeness),
            is_elsewhere,
            import.cache.file,
            import.cache.span.start,
        )
    });
    found.dedup_by_key(|(_, import)| (import.cache.file, import.cache.span));
    // What a build imports of its own image, under any tag, it reads back itself.
    let is_own = |import: &CacheAt<'_>| {
        let is_it = |build: &Build| inline.builds.iter().any(|own| own.place() == build.place());
        let reference = import.cache.cache.reference.as_deref().unwrap_or_default();
        import.build.is_some_and(is_it) && inline.images.iter().any(|image| caches::repository(image) == caches::repository(reference))
    };
    if let Some((best, _)) = found.iter().find(|(_, import)| is_own(import)).copied() {
        let own = imports.iter().filter(|import| import.cache.cache.kind == "registry" && is_own(import));
        let mut own: Vec<(Likeness, &CacheAt<'_>)> = own.map(|import| (best, import)).collect();
        own.dedup_by_key(|(_, import)| (import.cache.file, import.cache.span));
        return own;
    }
    // Where some surely read it, those that may are beside the point; so are other files where its own has one.
    let first = found
        .first()
        .map(|(likeness, import)| (*likeness, import.cache.file == inline.file));
    if let Some((best, is_own)) = first {
        found.retain(|(likeness, import)| *likeness == best && (!is_own || import.cache.file == inline.file));
    }
    found
}

/// Whether steps build the image and none pushes it: no registry has it, so that no import finds it.
fn stays_on_the_runner(project: &Project, inline: &Inline<'_>) -> bool {
    let is_pushed = |build: &Build| build.push || build.outputs.iter().any(|output| output.contains("push=true"));
    let is_step = |build: &Build| matches!(build.via, Via::Step(..));
    let pushes = project.docker_commands().any(|found| {
        found.file == inline.file && matches!(found.docker.action, Action::Transfer(ImageTransfer::Push, _))
    });
    !inline.builds.is_empty() && inline.builds.iter().all(|build| is_step(build) && !is_pushed(build)) && !pushes
}

fn of(project: &Project, inline: &Inline<'_>, imports: &[CacheAt<'_>]) -> Finding {
    let readers = match stays_on_the_runner(project, inline) {
        true => Vec::new(),
        false => readers(inline, imports),
    };
    // A variable of a script or Makefile may hold a `--cache-from` that is not seen here.
    let is_open = inline.builds.iter().any(|build| build.is_open);
    let text = project.file(inline.file).source.text();
    let is_hidden = is_open && readers.is_empty() && text.contains("--cache-from");
    let best = match readers.first() {
        Some((likeness, _)) => Some(*likeness),
        None => is_hidden.then_some(Likeness::Possible),
    };
    // Where every run begins with an empty cache, the image is the only one, and is meant to be.
    let is_step = inline.is_export
        && inline
            .builds
            .iter()
            .all(|build| matches!(build.via, Via::Step(..)));
    let severity = match best {
        Some(Likeness::Same) if !is_step => Severity::High,
        Some(_) => Severity::Medium,
        None => Severity::Low,
    };
    let confidence = match best {
        Some(Likeness::Possible) => inline.confidence.min(Confidence::Medium),
        _ => inline.confidence,
    };
    let what = match inline.is_export {
        true => "`type=inline`".to_owned(),
        false => format!("`{INLINE_CACHE}`"),
    };
    let image = match inline.builds.as_slice() {
        [build] if build.is_of_compose() => format!("the images that {} builds", build.name),
        [] => "the image".to_owned(),
        builds => format!("the image of {}", spoken(builds)),
    };
    let (message, help) = match readers.first() {
        Some((_, import)) => {
            let verb = match best {
                Some(Likeness::Same) => "lets",
                _ => "may let",
            };
            (
                format!("{what} {verb} builds take old results back from {image} after every clear of the builder's cache"),
                format!("remove it, and {}: {}", called(&readers, import), instead(project, inline)),
            )
        }
        None if is_hidden => (
            format!("{what} may let builds take old results back from {image} after every clear of the builder's cache: a variable of this file holds a `--cache-from`"),
            format!("remove both: {}", instead(project, inline)),
        ),
        None => (
            format!("{what} writes cache metadata into {image}, and no `cache_from` of the project reads it"),
            match example_of(inline) {
                Some(name) => format!(
                    "remove it: it has no effect but the metadata. A `cache_from` of `{name}` would make it one: old results would come back after every clear"
                ),
                None => "remove it: it has no effect but the metadata. A `cache_from` of the image would make it one: old results would come back after every clear".to_owned(),
            },
        ),
    };
    let mut finding =
        Finding::new(RULE.id, severity, confidence, message, (inline.file, inline.span)).help(help);
    if let Some(setting) = &inline.environment {
        finding = finding.also((setting.file, setting.span), "the environment turns it on");
    }
    for (likeness, import) in readers.iter().take(5) {
        let verb = match likeness {
            Likeness::Same => "reads",
            _ => "may read",
        };
        let by = import
            .build
            .map_or(String::new(), |build| format!(": {}", build.name));
        let place = (import.cache.file, import.cache.span);
        finding = finding.also(place, format!("{verb} it back{by}"));
    }
    if is_open && readers.is_empty() {
        finding.confidence = Confidence::Low;
    }
    // Whether a target is pushed says who builds it.
    let may_push = |build: &Build| build.push || matches!(build.via, Via::Target(_));
    let is_safe = readers.is_empty() && !is_open && !inline.builds.iter().any(|build| may_push(build));
    finding.fix(fix(project, inline, is_safe))
}

/// The imports that have to go: all of one build, of which the first is shown of several builds.
fn called(readers: &[(Likeness, &CacheAt<'_>)], first: &CacheAt<'_>) -> String {
    let place = |import: &CacheAt<'_>| import.build.map(Build::place);
    let of_one = readers.iter().map(|(_, import)| import).filter(|import| place(import) == place(first));
    let names: BTreeSet<String> = of_one
        .filter_map(|import| import.cache.cache.reference.as_deref())
        .map(|reference| format!("`{reference}`"))
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    match names.len() {
        1 => format!("the import of {}", names[0]),
        _ => format!("the imports of {}", listed(&names)),
    }
}

/// What to have instead: runners that are new each time have no cache of their own, and who builds a bake file, nobody knows.
fn instead(project: &Project, inline: &Inline<'_>) -> String {
    let are_steps = |build: &Build| matches!(build.via, Via::Step(..));
    if !inline.builds.is_empty() && inline.builds.iter().all(|build| are_steps(build)) {
        return "what runs on new machines must share goes to a cache of its own (`type=gha`, or `type=registry` with a name that no image has), which can be deleted".to_owned();
    }
    let path = project.file(inline.file).source.path();
    let is_made = matches!(project.file(inline.file).content, Content::Bake(_)) && path.ends_with(".json");
    let made = match is_made {
        true => " If a script writes this file, change it there",
        false => "",
    };
    format!("on one machine the builder's own cache is enough, and a clear reaches it; machines that share one export it to a name that no image has (`type=registry,ref=…,mode=max`), which can be deleted.{made}")
        .trim_end_matches('.')
        .to_owned()
}

/// The name of an image that a `cache_from` would have to name.
fn example_of<'a>(inline: &'a Inline<'_>) -> Option<&'a str> {
    let name = inline.images.first()?;
    (!name.contains(['$', '{'])).then_some(name.as_str())
}

/// `` service `a` and service `b` ``.
fn spoken(builds: &[&Build]) -> String {
    let all: BTreeSet<&str> = builds.iter().map(|build| build.name.as_str()).collect();
    let all: Vec<&str> = all.into_iter().collect();
    match all.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) if all.len() <= 3 => format!("{} and {last}", rest.join(", ")),
        _ => format!("{} builds", all.len()),
    }
}

/// What people call those that an argument of a file is given to: `backend and frontend`.
fn short_names(builds: &[&Build]) -> String {
    let short = |build: &&Build| match &build.via {
        Via::Service(name) | Via::Target(name) => name.clone(),
        _ => build.name.clone(),
    };
    let all: BTreeSet<String> = builds.iter().map(short).collect();
    let all: Vec<String> = all.into_iter().collect();
    match all.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "the build".to_owned(),
    }
}

fn fix(project: &Project, inline: &Inline<'_>, is_safe: bool) -> Option<Fix> {
    let is_command = |build: &&Build| matches!(build.via, Via::Command(..) | Via::ComposeCommand(..));
    let written = inline.span.slice(project.file(inline.file).source.text()).trim();
    let in_script = inline.builds.is_empty() || inline.builds.iter().any(is_command);
    let (what, impact) = match in_script {
        true => {
            let option = written.split_whitespace().collect::<Vec<_>>().join(" ");
            (option, "Build script respects cache clearing".to_owned())
        }
        false => {
            let name = short_names(&inline.builds);
            let what = match inline.is_export {
                true => "the inline cache",
                false => INLINE_CACHE,
            };
            (
                format!("{what} from {name}"),
                format!("Cache clearing now works for {name}"),
            )
        }
    };
    removal(&what, impact, &inline.removal, is_safe)
}

fn removal(what: &str, impact: String, edits: &[Edit], is_safe: bool) -> Option<Fix> {
    (!edits.is_empty()).then(|| Fix {
        title: format!("remove {what}"),
        change: format!("Removed {what}"),
        impact,
        applicability: match is_safe {
            true => Applicability::Safe,
            false => Applicability::Unsafe,
        },
        edits: edits.to_vec(),
    })
}
