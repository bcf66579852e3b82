//! Several images export their cache to one scope of GitHub's cache: each export replaces the one before.
//!
//! ## Why
//!
//! A scope holds the cache of one build. Without `scope` it is `buildkit`, for the whole repository. What is exported last is all
//! that the next run finds, so that the other images are built from the beginning, or from whatever run exported theirs last.
//!
//! ## Example
//!
//! `.github/workflows/build.yml`:
//! ```yaml
//! on: push
//! jobs:
//!   build:
//!     runs-on: ubuntu-latest
//!     steps:
//!       - uses: docker/build-push-action@v6
//!         with:
//!           context: backend
//!           cache-to: type=gha,mode=max
//!       - uses: docker/build-push-action@v6
//!         with:
//!           context: frontend
//!           cache-to: type=gha,mode=max
//! ```
//!
//! ## Instead
//!
//! `.github/workflows/build.yml`:
//! ```yaml
//! on: push
//! jobs:
//!   build:
//!     runs-on: ubuntu-latest
//!     steps:
//!       - uses: docker/build-push-action@v6
//!         with:
//!           context: backend
//!           cache-to: type=gha,mode=max,scope=backend
//!       - uses: docker/build-push-action@v6
//!         with:
//!           context: frontend
//!           cache-to: type=gha,mode=max,scope=frontend
//! ```
//!
//! ## Fix safety
//!
//! Another scope begins empty: the next run of each image is built from the beginning, once.
//!
//! ## References
//!
//! - <https://docs.docker.com/build/cache/backends/gha/#scope>

mod fix;

use super::Rule;
use crate::facts::caches::{self, CacheAt};
use crate::facts::{Build, CacheUse, Via};
use crate::workflow::Step;
use crate::{Confidence, Content, Finding, Project, Severity};
use std::collections::{BTreeMap, BTreeSet};
use unstale_dockerfile::Stage;

pub(super) const RULE: Rule = Rule::new(
    "gha-cache-scope-shared",
    "images that overwrite each other's cache in one scope",
    Severity::Medium,
    check,
)
.fixable();

/// An export to GitHub's cache.
struct Export<'a> {
    build: &'a Build,
    cache: CacheUse,
    image: Image,
}

/// What decides which results a build has: two builds of one image share them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Image {
    context: String,
    dockerfile: String,
    target: String,
    platforms: String,
}

impl Image {
    /// All but the platforms.
    fn inputs(&self) -> (&str, &str, &str) {
        (&self.context, &self.dockerfile, &self.target)
    }
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut scopes: BTreeMap<(String, String), Vec<Export<'_>>> = BTreeMap::new();
    for CacheAt { build, cache } in caches::exports(project) {
        let Some(build) = build.filter(|build| cache.cache.kind == "gha" && reaches_github(project, build)) else {
            continue;
        };
        let scope = cache.cache.attributes.get("scope").cloned().unwrap_or_default();
        let scope = match scope.contains("github.workflow") || scope.contains("github.job") {
            true => format!("{scope} {:?}", build.via),
            false => scope,
        };
        let image = image(project, build);
        let condition = condition_of(project, build, &scope);
        scopes
            .entry((scope, condition))
            .or_default()
            .push(Export { build, cache, image });
    }
    for ((scope, _), exports) in scopes {
        // What is built for more platforms holds what is built for fewer.
        let images: BTreeSet<_> = exports.iter().map(|export| export.image.inputs()).collect();
        let axis = exports
            .iter()
            .find_map(|export| matrix_axis(project, export, &scope).map(|axis| (export, axis)));
        if images.len() > 1 && last_holds_all(project, &exports) {
            continue;
        }
        if images.len() > 1 {
            findings.push(several(project, &scope, &exports, axis.map(|(_, axis)| axis).as_deref()));
        } else if let Some((export, axis)) = axis {
            findings.push(of_matrix(export, &scope, &axis));
        }
    }
}

/// The condition of a step, if it asks for a value of the matrix that the scope holds: steps with other ones have other scopes.
fn condition_of(project: &Project, build: &Build, scope: &str) -> String {
    let condition = step(project, build).and_then(|step| step.condition.as_ref());
    let text = condition.map_or("", |condition| condition.value.as_str());
    let names = scope.split("matrix.").skip(1);
    let mut names = names.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next());
    let is_asked = names.any(|name| name.is_some_and(|name| text.contains(&format!("matrix.{name}"))));
    match is_asked {
        true => text.to_owned(),
        false => String::new(),
    }
}

/// Whether a build can export to GitHub's cache: buildx leaves the export out where the runner's address and token are not in
/// the environment. Docker's actions put them there, for commands another one does.
fn reaches_github(project: &Project, build: &Build) -> bool {
    let names_it = |parts: &[&str]| {
        project.files().any(|(_, file)| {
            let text = file.source.text();
            matches!(file.content, Content::GithubWorkflow(_)) && parts.iter().any(|part| text.contains(part))
        })
    };
    match build.via {
        Via::Step(..) | Via::Target(_) => true,
        Via::Service(_) => names_it(&["ghaction-github-runtime", "ACTIONS_RUNTIME_TOKEN", "bake-action"]),
        Via::Command(..) | Via::ComposeCommand(..) => names_it(&["ghaction-github-runtime", "ACTIONS_RUNTIME_TOKEN"]),
    }
}

/// Whether the steps of one job build one Dockerfile, and the last one exports every stage that the others need.
fn last_holds_all(project: &Project, exports: &[Export<'_>]) -> bool {
    let step = |export: &Export<'_>| match export.build.via {
        Via::Step(job, step) => Some((export.build.file, job, step)),
        _ => None,
    };
    let Some(last) = exports.iter().max_by_key(|export| step(export)) else {
        return false;
    };
    let job = |export: &Export<'_>| step(export).map(|(file, job, _)| (file, job));
    let is_one = exports.iter().all(|export| {
        job(export).is_some() && job(export) == job(last) && export.build.dockerfile == last.build.dockerfile
    });
    let Some(Content::Dockerfile(dockerfile)) = last.build.dockerfile.map(|file| &project.file(file).content)
    else {
        return false;
    };
    let stages = dockerfile.stages();
    let needed = |export: &Export<'_>| {
        let target = match &export.build.target {
            Some(name) => stage_of(&stages, name)?,
            None => stages.last()?.index,
        };
        // Stages in which nothing runs are made again in no time.
        let runs = |index: &usize| {
            let own = stages.get(*index).and_then(|stage| dockerfile.instructions.get(stage.instructions.clone()));
            own.is_some_and(|own| own.iter().any(|one| one.keyword == "RUN"))
        };
        Some(dockerfile.needed_stages(target).into_iter().filter(runs).collect::<BTreeSet<_>>())
    };
    let is_max = last.cache.cache.attributes.get("mode").is_some_and(|mode| mode == "max");
    let Some(all) = needed(last).filter(|_| is_one && is_max) else {
        return false;
    };
    exports
        .iter()
        .all(|export| needed(export).is_some_and(|stages| stages.is_subset(&all)))
}

fn stage_of(stages: &[Stage], name: &str) -> Option<usize> {
    let is_it = |stage: &&Stage| stage.name.as_deref() == Some(name.to_lowercase().as_str());
    stages.iter().find(is_it).map(|stage| stage.index)
}

fn image(project: &Project, build: &Build) -> Image {
    let written = |name: &str| {
        let text = step(project, build).and_then(|step| step.with(name));
        text.map_or(String::new(), |pair| pair.text().trim().to_owned())
    };
    let dockerfile = build
        .dockerfile
        .map(|file| project.file(file).source.path().to_owned());
    let mut platforms = build.platforms.clone();
    platforms.sort();
    let context = match written("context").as_str() {
        text if text.contains("github.workspace") => String::new(),
        text => build.context.clone().unwrap_or_else(|| text.to_owned()),
    };
    // One Dockerfile is one image, whatever else is said; what is added to its context matters little.
    Image {
        context,
        dockerfile: dockerfile.unwrap_or_else(|| written("file")),
        target: build.target.clone().unwrap_or_default(),
        platforms: platforms.join(","),
    }
}

fn step<'a>(project: &'a Project, build: &Build) -> Option<&'a Step> {
    let (Via::Step(job, step), Content::GithubWorkflow(workflow)) =
        (&build.via, &project.file(build.file).content)
    else {
        return None;
    };
    workflow.jobs.get(*job)?.steps.get(*step)
}

/// The dimension of a matrix that makes several images of one step, and that the scope does not name.
fn matrix_axis(project: &Project, export: &Export<'_>, scope: &str) -> Option<String> {
    // A variable that no file sets is made by a step, and may hold what the matrix says.
    if ["matrix.", "strategy.", "inputs.", "env."].iter().any(|part| scope.contains(part)) {
        return None;
    }
    let image = &export.image;
    [&image.context, &image.dockerfile, &image.target, &image.platforms]
        .into_iter()
        .find_map(|text| {
            let rest = text.split_once("matrix.")?.1;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c));
            let name = &rest[..end.unwrap_or(rest.len())];
            (!has_one_value(project, export.build, name)).then(|| format!("matrix.{name}"))
        })
}

/// The dimension of a matrix that makes several images of one step by its arguments.
fn argument_axis(project: &Project, export: &Export<'_>) -> Option<String> {
    let arguments = step(project, export.build)?.with("build-args")?;
    let name: String = arguments
        .text()
        .split_once("matrix.")?
        .1
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c))
        .collect();
    (!has_one_value(project, export.build, &name)).then(|| format!("matrix.{name}"))
}

/// Whether a dimension of the matrix of a step's job has one value only.
fn has_one_value(project: &Project, build: &Build, name: &str) -> bool {
    let (Via::Step(job, _), Content::GithubWorkflow(workflow)) = (&build.via, &project.file(build.file).content)
    else {
        return false;
    };
    let matrix = workflow.jobs.get(*job).and_then(|job| job.matrix.as_ref());
    let values: BTreeSet<_> =
        matrix.into_iter().flat_map(|matrix| matrix.values(name)).map(|text| text.value.as_str()).collect();
    values.len() == 1
}

fn several(project: &Project, scope: &str, exports: &[Export<'_>], axis: Option<&str>) -> Finding {
    let first = &exports[0];
    let mut shown = BTreeSet::from([first.image.inputs()]);
    let place = (first.cache.file, first.cache.span);
    let others: Vec<&Export<'_>> = exports
        .iter()
        .filter(|export| shown.insert(export.image.inputs()))
        .collect();
    let count = others.len() + 1;
    // Steps that are alternatives to each other, and what a bake file's caller changes, are not known here.
    let is_sure = exports
        .iter()
        .all(|export| !export.image.context.is_empty() || !export.image.dockerfile.is_empty());
    // Targets of one Dockerfile share stages, which each of them exports.
    let is_one = first.build.dockerfile.is_some() && exports.iter().all(|export| export.build.dockerfile == first.build.dockerfile);
    let confidence = match is_sure {
        _ if is_one => Confidence::Low,
        true => Confidence::High,
        false => Confidence::Medium,
    };
    let of_arguments = exports.iter().find_map(|export| argument_axis(project, export));
    let axis = axis.or(of_arguments.as_deref());
    let own = axis.map_or("backend".to_owned(), |axis| format!("backend-${{{{ {axis} }}}}"));
    let mut finding = Finding::new(
        RULE.id,
        Severity::Medium,
        confidence,
        format!(
            "{count} different builds export to {}: each replaces the cache of the one before",
            called(scope)
        ),
        place,
    )
    .label(first.build.name.clone())
    .help(format!(
        "give each image a scope of its own, in `cache-to` and in `cache-from`: `scope={own}`"
    ));
    for other in others.iter().take(5) {
        finding = finding.also((other.cache.file, other.cache.span), other.build.name.clone());
    }
    // Jobs of a matrix need a scope each.
    let is_plain = scope.is_empty() && axis.is_none();
    finding.fix(is_plain.then(|| fix::of(project, exports)).flatten())
}

fn of_matrix(export: &Export<'_>, scope: &str, axis: &str) -> Finding {
    Finding::new(
        RULE.id,
        Severity::Medium,
        Confidence::High,
        format!("each job of the matrix exports to {}: the last one replaces the caches of the others", called(scope)),
        (export.cache.file, export.cache.span),
    )
    .label(export.build.name.clone())
    .help(format!(
        "name what tells the jobs apart in the scope, in `cache-to` and in `cache-from`: `scope=${{{{ {axis} }}}}`"
    ))
}

fn called(scope: &str) -> String {
    match scope {
        "" => "GitHub's cache without a scope".to_owned(),
        scope => format!("the scope `{scope}` of GitHub's cache"),
    }
}
