//! A cache of CI that lets content from elsewhere into what is released: written by a run for a pull request and read by a
//! release, or a built folder that is brought back instead of being built.
//!
//! ## Why
//!
//! Caches are shared by branch: what runs for `pull_request_target` writes those of the default branch, and releases read them. A
//! cached result is believed, not checked, so that a pull request decides what a later release is made of. A
//! registry has no branches at all: every run with its password writes the cache of all.
//!
//! A built folder (`dist`, `build`) in `actions/cache` is found by its key. Where the key does not hold the sources, and the
//! build is skipped when the key is found, what is deployed is what was built for an older commit.
//!
//! ## Example
//!
//! `.github/workflows/deploy.yml`:
//! ```yaml
//! on:
//!   push:
//!     branches: [main]
//! jobs:
//!   deploy:
//!     runs-on: ubuntu-latest
//!     steps:
//!       - uses: actions/checkout@v4
//!       - uses: actions/cache@v4
//!         id: dist
//!         with:
//!           path: dist
//!           key: dist-${{ hashFiles('package-lock.json') }}
//!       - if: steps.dist.outputs.cache-hit != 'true'
//!         run: npm ci && npm run build
//!       - run: rsync -a dist/ www:/srv/www
//! ```
//!
//! ## Instead
//!
//! `.github/workflows/deploy.yml`:
//! ```yaml
//! on:
//!   push:
//!     branches: [main]
//! jobs:
//!   deploy:
//!     runs-on: ubuntu-latest
//!     steps:
//!       - uses: actions/checkout@v4
//!       - uses: actions/cache@v4
//!         id: dist
//!         with:
//!           path: dist
//!           key: dist-${{ github.sha }}
//!       - if: steps.dist.outputs.cache-hit != 'true'
//!         run: npm ci && npm run build
//!       - run: rsync -a dist/ www:/srv/www
//! ```
//!
//! ## References
//!
//! - <https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching#restrictions-for-accessing-a-cache>

use super::Rule;
use crate::facts::caches::{self, CacheAt};
use crate::facts::names::Likeness;
use crate::facts::{Build, Via};
use crate::workflow::{Job, Step, Workflow};
use crate::{Confidence, Content, FileId, Finding, Project, Severity};

pub(super) const RULE: Rule = Rule::new(
    "ci-cache-poisoning-path",
    "a cache of CI that lets older or foreign content into what is released",
    Severity::Medium,
    check,
);

/// Folders that hold what was built.
const BUILT: [&str; 9] = [
    "dist", "build", "out", "public", "_site", ".next", ".output", "site", "www",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (file, read) in project.files() {
        if let Content::GithubWorkflow(workflow) = &read.content {
            for job in &workflow.jobs {
                skipped_builds(file, job, findings);
                if workflow.trigger("pull_request_target").is_some() {
                    foreign_caches(file, job, findings);
                }
            }
        }
    }
    shared_exports(project, findings);
}

/// A built folder whose key does not hold the sources, and whose build is skipped when the key is found.
fn skipped_builds(file: FileId, job: &Job, findings: &mut Vec<Finding>) {
    for (index, step) in job.steps.iter().enumerate() {
        let (Some(paths), Some(key), Some(id)) = (step.with("path"), step.with("key"), &step.id) else {
            continue;
        };
        if !step.is_action("actions/cache") || holds_sources(key.text()) {
            continue;
        }
        let is_built = |path: &str| {
            let path = path.trim().trim_end_matches('/').trim_end_matches("/**");
            let last = path.rsplit('/').next().unwrap_or(path);
            BUILT.contains(&last) && !path.starts_with(['~', '/', '$', '!'])
        };
        let Some(folder) = paths.lines().into_iter().find(|item| is_built(item.as_str())) else {
            continue;
        };
        let output = format!("steps.{}.outputs.cache-hit", id.value);
        let skips = |step: &&Step| {
            let condition = step
                .condition
                .as_ref()
                .map_or("", |condition| condition.value.as_str());
            condition.contains(&output)
                && condition.contains('!')
                && step.run.as_ref().is_some_and(|run| builds(run.script.text()))
        };
        let rest = job.steps.get(index + 1..).unwrap_or_default();
        let Some(skipped) = rest.iter().find(skips) else {
            continue;
        };
        let builds_anyway = rest.iter().any(|other| {
            other.condition.is_none() && other.run.as_ref().is_some_and(|run| builds(run.script.text()))
        });
        if builds_anyway {
            continue;
        }
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Medium,
                Confidence::Medium,
                format!("`{}` is brought back under a key without the sources, and then it is not built", folder.as_str()),
                (file, key.span),
            )
            .help("put the commit or a hash of the sources into the key (`${{ github.sha }}`, `${{ hashFiles('src/**') }}`), or build every time and cache what the build downloads")
            .also((file, skipped.condition.as_ref().map_or(skipped.span, |condition| condition.span)), "the build is skipped where the key is found"),
        );
    }
}

/// Whether a key changes with the sources, and not only with the dependencies.
fn holds_sources(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    if [
        "sha",
        "run_id",
        "run_number",
        "run-id",
        "rev",
        "commit",
        "head",
        "steps.",
        "needs.",
        "env.",
        "inputs.",
    ]
    .iter()
    .any(|word| lower.contains(word))
    {
        return true;
    }
    let hashed: Vec<&str> = key
        .split("hashFiles(")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    let is_of_dependencies = |name: &str| {
        let name = name.trim().trim_matches(['\'', '"', ' ']);
        let last = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        last.contains("lock")
            || last.contains("requirements")
            || last.starts_with("package")
            || last.ends_with(".sum")
            || last.ends_with(".toml")
            || last.starts_with("pom")
            || last.contains("gradle")
            || last.ends_with(".nvmrc")
    };
    hashed
        .iter()
        .flat_map(|list| list.split(','))
        .any(|name| !is_of_dependencies(name))
}

fn builds(script: &str) -> bool {
    [
        "build", "make", "compile", "generate", "webpack", "vite", "hugo", "jekyll", "package", "bundle",
    ]
    .iter()
    .any(|word| script.contains(word))
}

/// What a run for a pull request's own code writes into the caches of the default branch.
fn foreign_caches(file: FileId, job: &Job, findings: &mut Vec<Finding>) {
    let is_foreign = |step: &&Step| {
        let reference = step.with("ref").map_or("", |pair| pair.value.text());
        step.is_action("actions/checkout")
            && (reference.contains("pull_request.head")
                || reference.contains("github.head_ref")
                || reference.contains("refs/pull/"))
    };
    let Some(checkout) = job.steps.iter().find(is_foreign) else {
        return;
    };
    for step in job
        .steps
        .iter()
        .filter(|step| step.span.start > checkout.span.start)
    {
        let exported = step
            .with("cache-to")
            .filter(|pair| pair.text().contains("type=gha") || pair.text().contains("type=registry"));
        let is_cache = step.is_action("actions/cache") || step.is_action("actions/cache/save");
        let span = match (exported, is_cache) {
            (Some(pair), _) => pair.span,
            (None, true) => step.uses.as_ref().map_or(step.span, |uses| uses.span),
            (None, false) => continue,
        };
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Medium,
                Confidence::Medium,
                "a run for a pull request's own code writes a cache that the default branch reads",
                (file, span),
            )
            .help("only restore here (`actions/cache/restore`, no `cache-to`), or run it for `pull_request`, whose caches no other branch reads")
            .also((file, checkout.uses.as_ref().map_or(checkout.span, |uses| uses.span)), "the pull request's code is checked out"),
        );
    }
}

/// A registry's cache that pull requests write and a release reads.
fn shared_exports(project: &Project, findings: &mut Vec<Finding>) {
    let imports = caches::imports(project);
    let mut seen = Vec::new();
    for CacheAt { build, cache } in caches::exports(project) {
        let Some((build, workflow, job, step)) = build.and_then(|build| step_of(project, build)) else {
            continue;
        };
        let runs_for_others = workflow.trigger("pull_request").is_some()
            && !is_only_for_branches(job, step)
            && cache.cache.kind == "registry"
            && !depends_on_the_run(&cache.text);
        if !runs_for_others || seen.contains(&(cache.file, cache.span)) {
            continue;
        }
        seen.push((cache.file, cache.span));
        let reads = imports.iter().find(|import| {
            caches::is_same_store(&import.cache, &cache) == Likeness::Same
                && import
                    .build
                    .and_then(|build| step_of(project, build))
                    .is_some_and(|(build, workflow, _, _)| {
                        build.push
                            && !is_trial(project, build)
                            && ["push", "release", "workflow_dispatch"]
                                .iter()
                                .any(|name| workflow.trigger(name).is_some())
                    })
        });
        let Some(reads) = reads else { continue };
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Low,
                Confidence::Medium,
                format!("runs for pull requests write {}, and what is released is built from it", caches::name(&cache)),
                (cache.file, cache.span),
            )
            .label(build.name.clone())
            .help("export only for branches: `cache-to: ${{ github.event_name != 'pull_request' && 'type=registry,ref=…,mode=max' || '' }}`")
            .also((reads.cache.file, reads.cache.span), "is read here for a build that is pushed"),
        );
    }
}

/// Whether a build is for tests, by its workflow's name or that of its image.
fn is_trial(project: &Project, build: &Build) -> bool {
    let is_it = |text: &str| {
        let text = text.to_ascii_lowercase();
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| matches!(word, "pr" | "test" | "tests" | "e2e" | "cache"))
    };
    let images = caches::images_of(project, build);
    is_it(project.file(build.file).source.path()) || !images.is_empty() && images.iter().all(|image| is_it(image))
}

fn step_of<'a>(
    project: &'a Project,
    build: &'a Build,
) -> Option<(&'a Build, &'a Workflow, &'a Job, &'a Step)> {
    let (Via::Step(job, step), Content::GithubWorkflow(workflow)) =
        (&build.via, &project.file(build.file).content)
    else {
        return None;
    };
    let job = workflow.jobs.get(*job)?;
    Some((build, workflow, job, job.steps.get(*step)?))
}

/// Whether a condition keeps it from running for pull requests, as far as it speaks of the event or the branch.
fn is_only_for_branches(job: &Job, step: &Step) -> bool {
    let speaks = |condition: &str| {
        [
            "event_name",
            "github.ref",
            "ref_name",
            "pull_request",
            "ref_type",
            "base_ref",
        ]
        .iter()
        .any(|word| condition.contains(word))
    };
    [&job.condition, &step.condition]
        .into_iter()
        .flatten()
        .any(|condition| speaks(&condition.value))
}

/// Whether the cache is another one, or none, for pull requests.
fn depends_on_the_run(text: &str) -> bool {
    [
        "event_name",
        "github.ref",
        "ref_name",
        "head_ref",
        "pull_request",
        "sha",
        "run_id",
        "&&",
        "steps.",
        "needs.",
        "inputs.",
    ]
    .iter()
    .any(|word| text.contains(word))
}
