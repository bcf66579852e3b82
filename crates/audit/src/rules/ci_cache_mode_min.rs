//! A cache is exported with `mode=min` (which is what counts where none is said) although the Dockerfile has stages whose results
//! are only copied from: theirs are not in the cache.
//!
//! ## Why
//!
//! `mode=min` exports the steps of the image itself. The stage that installs and compiles is not one of them, and is built from the
//! beginning in every run that has no other cache, which on hosted runners is every run. A stage that copies all code before it runs
//! anything has no step that lasts, and is no finding. People answer with caches of their own,
//! which are then harder to clear.
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
//!           cache-from: type=gha
//!           cache-to: type=gha
//! ```
//!
//! ```dockerfile
//! FROM golang:1.23 AS build
//! COPY go.mod go.sum ./
//! RUN go mod download
//! COPY . .
//! RUN go build -o /app .
//! FROM debian:12
//! COPY --from=build /app /app
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
//!           cache-from: type=gha
//!           cache-to: type=gha,mode=max
//! ```
//!
//! ```dockerfile
//! FROM golang:1.23 AS build
//! COPY go.mod go.sum ./
//! RUN go mod download
//! COPY . .
//! RUN go build -o /app .
//! FROM debian:12
//! COPY --from=build /app /app
//! ```
//!
//! ## Fix safety
//!
//! The cache becomes larger, and holds what the stages that are not in the image hold: if that must not leave the machine, keep
//! `mode=min`.
//!
//! ## References
//!
//! - <https://docs.docker.com/build/cache/backends/#cache-mode>

use super::Rule;
use crate::facts::caches::{self, CacheAt};
use crate::facts::{Build, CacheUse, context_copies};
use crate::{Applicability, Confidence, Content, Edit, FileId, Finding, Fix, Project, Severity, Span};
use std::collections::BTreeSet;
use unstale_dockerfile::{Dockerfile, Stage, base_chain};

pub(super) const RULE: Rule = Rule::new(
    "ci-cache-mode-min",
    "an exported cache without the stages that take long",
    Severity::Low,
    check,
)
.fixable();

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for CacheAt { build, cache } in caches::exports(project) {
        let Some(build) = build else { continue };
        let is_larger = matches!(
            cache.cache.kind.as_str(),
            "registry" | "gha" | "local" | "s3" | "azblob"
        );
        if !is_larger || cache.cache.mode() != "min" || is_for_this_run(project, &cache) || is_computed(&cache.text) {
            continue;
        }
        let Some((file, span, stage)) = left_out(project, build) else {
            continue;
        };
        let (said, verb) = match cache.cache.attributes.contains_key("mode") {
            true => ("`mode=min`", "set"),
            false => ("no `mode=max`", "add"),
        };
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Low,
                confidence(project, &cache),
                format!(
                    "{said}: the cache that {} exports is without stage {stage}",
                    build.name
                ),
                (cache.file, cache.span),
            )
            .help(format!("{verb} `mode=max`, so that the steps of all stages are exported"))
            .also(
                (file, span),
                "after a change all of its steps run again, in every run that has no other cache",
            )
            .fix(fix(project, &cache)),
        );
    }
}

/// Whether an expression makes the whole value: what it says of the mode is not known.
fn is_computed(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'']);
    let inner = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains("}}"))
}

/// Whether a folder is kept under a key of this run: it hands results from job to job, and the next run finds none.
fn is_for_this_run(project: &Project, cache: &CacheUse) -> bool {
    let text = project.file(cache.file).source.text();
    cache.cache.kind == "local" && text.contains("github.run_id") && !text.contains("restore-keys")
}

/// On a machine of one's own the builder has the rest.
fn confidence(project: &Project, cache: &CacheUse) -> Confidence {
    match &project.file(cache.file).content {
        Content::GithubWorkflow(_) => Confidence::High,
        _ => Confidence::Medium,
    }
}

/// A stage with a `RUN` that the image needs and is not made of.
fn left_out(project: &Project, build: &Build) -> Option<(FileId, Span, String)> {
    let file = build.dockerfile?;
    let Content::Dockerfile(dockerfile) = &project.file(file).content else {
        return None;
    };
    let stages = dockerfile.stages();
    let target = match &build.target {
        Some(name) => stages
            .iter()
            .rev()
            .find(|stage| stage.name.as_deref() == Some(name.to_lowercase().as_str()))?,
        None => stages.last()?,
    };
    let own: BTreeSet<usize> = base_chain(&stages, target.index).map(|stage| stage.index).collect();
    let needed = dockerfile.needed_stages(target.index);
    let stage = stages.iter().find(|stage| {
        needed.contains(&stage.index)
            && !own.contains(&stage.index)
            && has_lasting_step(dockerfile, stage)
            && depends_on_context(dockerfile, &stages, stage.index)
    })?;
    let name = match &stage.name {
        Some(name) => format!("`{name}`"),
        None => stage.index.to_string(),
    };
    Some((file, stage.name_span.unwrap_or(stage.base_span), name))
}

/// Whether a stage has a step that stands before a copy of all code: the others run with every change anyway.
fn has_lasting_step(dockerfile: &Dockerfile, stage: &Stage) -> bool {
    let copies = context_copies(dockerfile);
    let is_whole = |index: usize| copies.iter().any(|copy| copy.instruction == index && copy.whole().is_some());
    let mut before = stage.instructions.clone().take_while(|index| !is_whole(*index));
    before.any(|index| dockerfile.instructions.get(index).is_some_and(|one| one.keyword == "RUN"))
}

/// Whether anything of the context comes into a stage, or into what it is made of: without, it changes with its base alone.
fn depends_on_context(dockerfile: &Dockerfile, stages: &[Stage], stage: usize) -> bool {
    let needed = dockerfile.needed_stages(stage);
    let instructions = stages
        .iter()
        .filter(|stage| needed.contains(&stage.index))
        .flat_map(|stage| stage.instructions.clone())
        .filter_map(|index| dockerfile.instructions.get(index));
    let mut all = instructions;
    all.any(|one| {
        let is_mounted = || {
            let mut binds = one.mounts.iter().filter(|mount| mount.kind() == "bind");
            binds.any(|mount| mount.option("from").is_none())
        };
        let is_copied = matches!(one.keyword.as_str(), "COPY" | "ADD") && one.copy_from().is_none();
        is_copied || is_mounted()
    })
}

fn fix(project: &Project, cache: &CacheUse) -> Option<Fix> {
    let text = cache.span.slice(project.file(cache.file).source.text());
    let edit = |start: usize, end: usize, content: &str| Edit {
        file: cache.file,
        span: Span::new(cache.span.start + start, cache.span.start + end),
        content: content.to_owned(),
    };
    // In a bake file and in a command, the span may hold quotes or the option's name.
    let end = text.trim_end_matches(['"', '\'']).len();
    let edit = match text.find("mode=min") {
        Some(at) => edit(at + "mode=".len(), at + "mode=min".len(), "max"),
        None if text[..end].contains("type=") && !text.contains(['{', '\n', '}']) => {
            edit(end, end, ",mode=max")
        }
        None => return None,
    };
    Some(Fix {
        title: "export the steps of all stages".to_owned(),
        change: "Added mode=max to the exported cache".to_owned(),
        impact: "Builds find the steps of all stages in the cache".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })
}
