//! Every build is made with `--no-cache`: the cache is thrown away to be sure, and nothing is made sure by it.
//!
//! Nothing is found where it is somebody's choice (a condition on a variable, an option), where it is what the script or the
//! workflow is for (its name says clean, fresh, rebuild, or only a person or a timetable starts it), in tests, in scripts of a CI, and on
//! hosted runners that import no cache: they have none.
//!
//! ## Why
//!
//! `--no-cache` runs every step, but what was there before stays in the builder (moby/buildkit#3412): a later build without
//! it reuses what fits. Measured (`docs/clearing.md`): after `docker compose build --no-cache` the next plain build reuses every
//! step, from that build. Meanwhile every deploy takes as long as the first. What makes a build see a change is an input that
//! changes: the files, a commit hash as a build argument.
//!
//! ## Example
//!
//! `deploy.sh`:
//! ```sh
//! git pull
//! docker compose build --no-cache
//! docker compose up -d
//! ```
//!
//! ## Instead
//!
//! `deploy.sh`:
//! ```sh
//! git pull
//! docker compose build --build-arg GIT_COMMIT_HASH="$(git rev-parse HEAD)"
//! docker compose up -d
//! ```
//!
//! ## Fix safety
//!
//! Without `--no-cache`, steps that fetch something (`git clone`, `apt-get update`) stay as they were until something above them
//! changes.
//!
//! ## References
//!
//! - <https://github.com/moby/buildkit/issues/3412>

use super::Rule;
use crate::docker::{Action, ComposeVerb, ImageTransfer};
use crate::facts::{Build, DockerUse, Machine, Via, is_of_tests, machine_of_job};
use crate::shell::{Certainty, Command, Editor, GuardKind};
use crate::{Applicability, Confidence, Content, FileId, Finding, Fix, Project, ScriptPlace, Severity, Span};

pub(super) const RULE: Rule = Rule::new(
    "no-cache-always",
    "every build throws the cache away",
    Severity::Low,
    check,
)
.fixable();

/// What is in the name of something that is meant to begin anew.
const ANEW: [&str; 14] = [
    "clean", "clear", "fresh", "rebuild", "reset", "no-cache", "nocache", "no_cache", "purge", "force",
    "scratch", "prune", "nightly", "reproduc",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for build in &project.facts().builds {
        let Some(span) = build.no_cache.filter(|_| !is_of_command(build)) else {
            continue;
        };
        if says_anew(&build.name) || is_of_tests(project.file(build.file).source.path()) || is_excused(project, build.file, span, build) {
            continue;
        }
        findings.push(finding(&build.name, (build.file, span), Confidence::High));
    }
    for used in project.docker_commands() {
        let builds = match &used.docker.action {
            Action::Build(build) => build.no_cache,
            Action::ComposeBuild(build) => build.no_cache,
            Action::Bake(bake) => bake.no_cache && !bake.only_prints,
            _ => false,
        };
        if builds && !is_of_tests(project.file(used.file).source.path()) {
            of_command(project, used, findings);
        }
    }
}

fn is_of_command(build: &Build) -> bool {
    matches!(build.via, Via::Command(..) | Via::ComposeCommand(..))
}

/// A workflow that begins anew on purpose, or on a machine without a cache.
fn is_excused(project: &Project, file: FileId, span: Span, build: &Build) -> bool {
    if let Content::GithubWorkflow(workflow) = &project.file(file).content {
        let is_job = |job: &&crate::workflow::Job| job.span.contains(span);
        let job = workflow.jobs.iter().find(is_job);
        let is_hosted = job.is_none_or(|job| machine_of_job(job) != Machine::Kept);
        return is_on_demand(project, file) || (is_hosted && build.cache_from.is_empty());
    }
    says_anew(project.file(file).source.path())
}

/// Whether only a person or a timetable starts the workflow, or its name says that it begins anew.
fn is_on_demand(project: &Project, file: FileId) -> bool {
    let read = project.file(file);
    let Content::GithubWorkflow(workflow) = &read.content else {
        return false;
    };
    let by_hand = |name: &str| matches!(name, "workflow_dispatch" | "schedule" | "workflow_call");
    says_anew(read.source.path())
        || workflow.name.as_ref().is_some_and(|name| says_anew(&name.value))
        || (!workflow.triggers.is_empty() && workflow.triggers.iter().all(|trigger| by_hand(&trigger.name)))
}

fn says_anew(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ANEW.iter().any(|word| name.contains(word))
}

fn of_command(project: &Project, used: DockerUse<'_>, findings: &mut Vec<Finding>) {
    let Some(flag) = used.docker.flags.get("no-cache") else {
        return;
    };
    // `--no-cache=$NO_CACHE` is a choice, too.
    let is_open = flag.value.as_deref().is_some_and(|value| value.contains('$'));
    if is_open || flag.certainty != Certainty::Certain || is_chosen(used.command) || is_meant(project, used) {
        return;
    }
    if project.has_builder_of_its_own(used.file) || is_run_by_ci(project, used) {
        return;
    }
    let name = used.name(project);
    let editor = Editor::new(used.file, &project.file(used.file).source);
    let edits: Vec<_> = editor
        .remove_words(used.command, flag.words.clone())
        .into_iter()
        .collect();
    let fix = (!edits.is_empty() && !flag.in_cluster).then(|| Fix {
        title: "remove --no-cache".to_owned(),
        change: "Removed --no-cache".to_owned(),
        impact: "Builds reuse what did not change".to_owned(),
        applicability: Applicability::Unsafe,
        edits,
    });
    let confidence = match deploys(used) {
        true => Confidence::Medium,
        false => Confidence::Low,
    };
    findings.push(finding(&format!("`{name}`"), (used.file, flag.span), confidence).fix(fix));
}

/// Whether the script goes on to start or to push something: it is no mere command to build anew, which somebody runs for that.
fn deploys(used: DockerUse<'_>) -> bool {
    let own = used.command.span;
    let commands = used.script.script.commands();
    let mut later = used.script.docker.iter().filter(|(index, _)| commands.get(*index).is_some_and(|one| one.span.start > own.start));
    later.any(|(_, other)| {
        matches!(
            &other.action,
            Action::ComposeUp(_)
                | Action::StackDeploy(_)
                | Action::Transfer(ImageTransfer::Push, _)
                | Action::Compose(ComposeVerb::Push, _)
        )
    })
}

/// Whether it is a script of a CI: on what machine that runs is not known, and a new one has no cache to begin with.
fn is_run_by_ci(project: &Project, used: DockerUse<'_>) -> bool {
    matches!(project.file(used.file).content, Content::Script | Content::Makefile(_))
        && project.machine_of(used) == Machine::Unknown
}

/// Whether something decides that it runs: a condition on a variable, an option of the script.
fn is_chosen(command: &Command) -> bool {
    command.context.in_trap
        || command.context.guards.iter().any(|guard| {
            !matches!(guard.kind, GuardKind::And | GuardKind::EarlyExit) || !guard.tests.is_empty()
        })
        || command.context.function.as_deref().is_some_and(says_anew)
}

/// Whether what it stands in is for that.
fn is_meant(project: &Project, used: DockerUse<'_>) -> bool {
    let read = project.file(used.file);
    match (&read.content, used.script.place) {
        (Content::Makefile(makefile), ScriptPlace::Recipe(recipe, _)) => makefile
            .recipes
            .get(recipe)
            .is_some_and(|recipe| recipe.targets.iter().any(|target| says_anew(target))),
        (Content::GithubWorkflow(workflow), ScriptPlace::Step(job, step)) => {
            let Some(job) = workflow.jobs.get(job) else {
                return true;
            };
            let step = job.steps.get(step);
            let name = step.and_then(|step| step.name.as_ref());
            let is_hosted = machine_of_job(job) != Machine::Kept;
            is_hosted
                || is_on_demand(project, used.file)
                || says_anew(&job.id)
                || name.is_some_and(|name| says_anew(&name.value))
                || step.is_some_and(|step| step.condition.is_some())
                || job.condition.is_some()
        }
        (Content::GitlabPipeline(pipeline), ScriptPlace::Job(job)) => {
            pipeline.jobs.get(job).is_none_or(|job| {
                says_anew(&job.name) || job.when.as_ref().is_some_and(|when| when.value == "manual")
            })
        }
        (_, ScriptPlace::Run(_)) => true,
        _ => says_anew(read.source.path()),
    }
}

fn finding(name: &str, place: (FileId, Span), confidence: Confidence) -> Finding {
    Finding::new(
        RULE.id,
        Severity::Low,
        confidence,
        format!("{name} is always without cache: every step runs every time, and the old results stay for the next build that uses them"),
        place,
    )
    .help("build with the cache, and pass what must be seen as an input (`--build-arg GIT_COMMIT_HASH=\"$(git rev-parse HEAD)\"`, `--pull`); clear it when it must go: `unstale clear`")
}
