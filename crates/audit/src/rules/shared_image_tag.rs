//! Two builds with different inputs that give their image the same name: services of one Compose project, targets of one bake
//! file, steps of one workflow, builds of one script that follow each other.
//!
//! Builds of the same context, Dockerfile, stage and arguments may share a name; and so may a service that builds an image with
//! one that only uses it. Builds that a condition keeps apart, and scripts that use the first image before the second is built, are no
//! findings.
//!
//! ## Why
//!
//! A name belongs to one image. Whichever build ends last takes it, and the other's containers get an image that was not
//! built for them: with builds in parallel another one from time to time. The change that was just built is in an image without a
//! name.
//!
//! ## Example
//!
//! `compose.yaml`:
//! ```yaml
//! services:
//!   web:
//!     image: shop:latest
//!     build: ./web
//!   worker:
//!     image: shop:latest
//!     build: ./worker
//! ```
//! `web/Dockerfile`:
//! ```dockerfile
//! FROM nginx:1.29
//! ```
//! `worker/Dockerfile`:
//! ```dockerfile
//! FROM python:3.13
//! ```
//!
//! ## Instead
//!
//! `compose.yaml`:
//! ```yaml
//! services:
//!   web:
//!     image: shop-web:latest
//!     build: ./web
//!   worker:
//!     image: shop-worker:latest
//!     build: ./worker
//! ```
//! `web/Dockerfile`:
//! ```dockerfile
//! FROM nginx:1.29
//! ```
//! `worker/Dockerfile`:
//! ```dockerfile
//! FROM python:3.13
//! ```

use super::Rule;
use crate::compose::project::{context_of, dockerfile_of};
use crate::compose::{self, Service, interpolate};
use crate::docker::Action;
use crate::facts::{Build, ImageName, Via};
use crate::{Confidence, Content, FileId, Finding, Project, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULE: Rule = Rule::new(
    "shared-image-tag",
    "builds with different inputs that name their images the same",
    Severity::High,
    check,
);

/// A build that gives an image a name.
struct Naming<'a> {
    /// What people call the build.
    who: String,
    place: (FileId, Span),
    /// What it builds from; two that are equal may share a name.
    inputs: Vec<String>,
    /// The build, where it is none of Compose's.
    build: Option<&'a Build>,
    /// Profiles of a service.
    profiles: BTreeSet<String>,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for compose in &project.facts().compose {
        let mut by_name = BTreeMap::new();
        for service in &compose.services {
            add_service(project, service, &mut by_name);
        }
        report(project, by_name, &mut seen, findings);
    }
    // Builds of one file that happen together, each group for itself.
    let mut groups: BTreeMap<(FileId, usize), BTreeMap<String, Vec<Naming<'_>>>> = BTreeMap::new();
    for build in &project.facts().builds {
        let group = match &build.via {
            Via::Command(script, _) => *script,
            Via::Target(_) | Via::Step(..) => 0,
            Via::Service(_) | Via::ComposeCommand(..) => continue,
        };
        add_build(build, groups.entry((build.file, group)).or_default());
    }
    for by_name in groups.into_values() {
        report(project, by_name, &mut seen, findings);
    }
}

fn add_service(project: &Project, service: &Service, by_name: &mut BTreeMap<String, Vec<Naming<'_>>>) {
    let Some(build) = &service.build else { return };
    if fails(project, build) {
        return;
    }
    for text in service.image.iter().chain(&build.tags) {
        let Some(name) = interpolate(&text.value)
            .value
            .and_then(|value| ImageName::parse(&value))
        else {
            continue;
        };
        let Some(file) = project.find(&text.place.path) else {
            continue;
        };
        by_name.entry(name.full()).or_default().push(Naming {
            who: format!("service `{}`", service.name),
            place: (file, text.place.value),
            inputs: service_inputs(build),
            build: None,
            profiles: service
                .profiles
                .iter()
                .map(|profile| profile.value.clone())
                .collect(),
        });
    }
}

/// Whether a build makes no image: its Dockerfile would be in the checked folder, and is not there.
fn fails(project: &Project, build: &compose::Build) -> bool {
    let is_here = |path: &String| project.tree().files.contains(path) || project.tree().ignored.contains(path);
    let dockerfile = dockerfile_of(build).filter(|path| !path.starts_with("..") && !path.contains('$'));
    build.dockerfile_inline.is_none() && dockerfile.is_some_and(|path| !is_here(&path))
}

fn service_inputs(build: &compose::Build) -> Vec<String> {
    let text =
        |text: &Option<compose::Text>| text.as_ref().map(|text| text.value.clone()).unwrap_or_default();
    let context = context_of(build).unwrap_or_else(|| text(&build.context));
    let dockerfile = dockerfile_of(build).unwrap_or_else(|| text(&build.dockerfile));
    let mut args: Vec<String> = build
        .args
        .iter()
        .map(|arg| format!("{}={:?}", arg.name, arg.value))
        .collect();
    args.sort();
    [
        context,
        dockerfile,
        text(&build.dockerfile_inline),
        text(&build.target),
    ]
    .into_iter()
    .chain(args)
    .collect()
}

fn add_build<'a>(build: &'a Build, by_name: &mut BTreeMap<String, Vec<Naming<'a>>>) {
    let is_exported = build.outputs.is_empty()
        || build
            .outputs
            .iter()
            .any(|output| output.contains("image") || output.contains("docker"));
    if !is_exported || build.is_open {
        return;
    }
    for tag in &build.tags {
        if let Some(name) = ImageName::parse(&tag.text) {
            by_name.entry(name.full()).or_default().push(Naming {
                who: build.name.clone(),
                place: (build.file, tag.span),
                inputs: vec![format!("{:?}", build.context), format!("{:?}", build.dockerfile)],
                build: Some(build),
                profiles: BTreeSet::new(),
            });
        }
    }
}

fn report(
    project: &Project,
    by_name: BTreeMap<String, Vec<Naming<'_>>>,
    seen: &mut BTreeSet<(FileId, Span)>,
    findings: &mut Vec<Finding>,
) {
    for (name, namings) in by_name {
        let Some(first) = namings.first() else { continue };
        let others: Vec<&Naming<'_>> = namings
            .iter()
            .skip(1)
            .filter(|other| collide(project, first, other))
            .collect();
        let Some(other) = others.first() else { continue };
        if !seen.insert(other.place) {
            continue;
        }
        // Services of different profiles need not run together.
        let is_alternative = !first.profiles.is_empty()
            && !other.profiles.is_empty()
            && first.profiles.is_disjoint(&other.profiles);
        let severity = if is_alternative {
            Severity::Medium
        } else {
            Severity::High
        };
        let message = format!(
            "{} gives its image the name `{name}`, as {} does, and builds something else: the last build takes the name",
            other.who, first.who
        );
        let mut finding = Finding::new(RULE.id, severity, confidence(other), message, other.place)
            .help("give each image a name of its own")
            .also(first.place, format!("the name in {}", first.who));
        for more in others.iter().skip(1).take(5) {
            finding = finding.also(more.place, format!("the name in {}", more.who));
        }
        findings.push(finding);
    }
}

fn confidence(naming: &Naming<'_>) -> Confidence {
    match naming.build.map(|build| &build.via) {
        None => Confidence::High,
        Some(_) => Confidence::Medium,
    }
}

/// Whether two builds of one name get in each other's way.
fn collide(project: &Project, first: &Naming<'_>, other: &Naming<'_>) -> bool {
    if first.inputs == other.inputs {
        return false;
    }
    let (Some(one), Some(two)) = (first.build, other.build) else {
        return first.build.is_none() && other.build.is_none();
    };
    // What is not known may be the same, or another one each time.
    let is_known = |build: &Build| build.context.is_some() && build.dockerfile.is_some();
    if !is_known(one) || !is_known(two) {
        return false;
    }
    match (&one.via, &two.via) {
        (Via::Command(script, from), Via::Command(_, to)) => {
            follow_directly(project, one.file, *script, *from, *to)
        }
        (Via::Target(a), Via::Target(b)) => share_group(project, one.file, a, b),
        (Via::Step(job, step), Via::Step(other_job, other_step)) => {
            is_always(project, one.file, *job, *step) && is_always(project, one.file, *other_job, *other_step)
        }
        _ => false,
    }
}

/// Whether two commands of a script run under the same circumstances, and between them nothing uses what the first built.
fn follow_directly(project: &Project, file: FileId, script: usize, from: usize, to: usize) -> bool {
    let Some(script) = project.file(file).scripts.get(script) else {
        return false;
    };
    let commands = script.script.commands();
    let (Some(first), Some(second)) = (commands.get(from), commands.get(to)) else {
        return false;
    };
    let is_same = first.context.guards == second.context.guards
        && first.context.function == second.context.function
        && first.context.places == second.context.places;
    let between = script
        .docker
        .iter()
        .filter(|(index, _)| (from + 1..to).contains(index));
    let mut others = commands.get(from + 1..to).unwrap_or_default().iter();
    let is_ended = others.any(|command| {
        matches!(
            command.name(),
            "exit" | "return" | "break" | "continue" | "exec" | "k3d" | "kind" | "minikube" | "trivy"
        )
    });
    is_same
        && !is_ended
        && between
            .into_iter()
            .all(|(_, command)| matches!(command.action, Action::Build(_)))
}

/// Whether one group of a bake file builds both targets.
fn share_group(project: &Project, file: FileId, first: &str, second: &str) -> bool {
    let Content::Bake(bake) = &project.file(file).content else {
        return false;
    };
    bake.groups.iter().any(|group| {
        let has = |name: &str| group.targets.iter().any(|target| target.value.text == name);
        has(first) && has(second)
    })
}

/// Whether a step runs whenever its workflow does.
fn is_always(project: &Project, file: FileId, job: usize, step: usize) -> bool {
    let Content::GithubWorkflow(workflow) = &project.file(file).content else {
        return false;
    };
    let Some(job) = workflow.jobs.get(job) else {
        return false;
    };
    let step = job.steps.get(step);
    job.condition.is_none() && job.matrix.is_none() && step.is_some_and(|step| step.condition.is_none())
}
