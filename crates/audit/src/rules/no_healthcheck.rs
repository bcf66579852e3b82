//! Services whose new version nobody can tell from one that does not answer: another one waits for their health, or a
//! deployment starts them, and neither the Compose file nor their image says how health is checked.
//!
//! High where `depends_on` waits for `service_healthy`: it can never come. Low where a script deploys with `--wait`, which
//! then waits for nothing but the start; Info where it deploys with `up -d`. For the latter two there is one finding for each Compose
//! project, about services that are built here and have ports; one-off services and those for development are left out.
//!
//! ## Why
//!
//! A container that starts and does not answer counts as running. The deployment reports success, the proxy goes on serving from
//! its own cache or from the old replica, and the fault shows hours later. With a health check `docker compose up --wait` fails in
//! time, and the version before can be brought back.
//!
//! Compose refuses to start what waits for a service without a health check (`container … has no healthcheck configured`): the old
//! containers go on. Docker's official images have none.
//!
//! ## Example
//!
//! ```yaml
//! services:
//!   api:
//!     build: .
//!     depends_on:
//!       database:
//!         condition: service_healthy
//!   database:
//!     image: postgres:17
//! ```
//!
//! ## Instead
//!
//! ```yaml
//! services:
//!   api:
//!     build: .
//!     depends_on:
//!       database:
//!         condition: service_healthy
//!   database:
//!     image: postgres:17
//!     healthcheck:
//!       test: ["CMD", "pg_isready", "-U", "postgres"]
//! ```

use super::Rule;
use crate::compose::{MountKind, Service, resolve};
use crate::compose::project::{ComposeProject, context_of, dockerfile_of};
use crate::docker::Action;
use crate::facts::{DockerUse, ImageName, Machine, Purpose, files_below, has_ports, is_code, is_named_for_development, purpose_within};
use crate::{Confidence, Content, FileId, Finding, Project, ScriptPlace, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};
use unstale_dockerfile::Dockerfile;

pub(super) const RULE: Rule = Rule::new(
    "no-healthcheck",
    "nothing tells whether the new version answers",
    Severity::High,
    check,
);

/// Whether something checks a service's health.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Checked,
    Unchecked,
    /// Its image says, which is not here.
    Unknown,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    let mut deploys: BTreeMap<&[String], DockerUse<'_>> = BTreeMap::new();
    for found in project.docker_commands() {
        let Action::ComposeUp(up) = &found.docker.action else {
            continue;
        };
        if up.detach && !found.docker.is_open && project.machine_of(found) == Machine::Kept && !is_of_development(project, found) {
            for compose in project.compose_projects_of(found) {
                deploys.entry(&compose.files).or_insert(found);
            }
        }
    }
    for compose in &project.facts().compose {
        waited_for(project, compose, &mut seen, findings);
        if let Some(deploy) = deploys.get(compose.files.as_slice()) {
            findings.extend(deployed(project, compose, *deploy));
        }
    }
}

/// Whether a command is of a target or script that is for development by its name: `make dev-up`.
fn is_of_development(project: &Project, found: DockerUse<'_>) -> bool {
    let file = project.file(found.file);
    let of_recipe = match (&file.content, found.script.place) {
        (Content::Makefile(makefile), ScriptPlace::Recipe(recipe, _)) => makefile.recipes.get(recipe),
        _ => None,
    };
    let targets = of_recipe.into_iter().flat_map(|recipe| recipe.targets.iter().map(String::as_str));
    targets.chain([file.source.name()]).any(is_named_for_development)
}

/// Findings about services whose health another one waits for.
fn waited_for(
    project: &Project,
    compose: &ComposeProject,
    seen: &mut BTreeSet<(FileId, Span)>,
    findings: &mut Vec<Finding>,
) {
    for service in &compose.services {
        for dependency in service
            .depends_on
            .iter()
            .filter(|one| one.condition == "service_healthy")
        {
            let waited = compose
                .services
                .iter()
                .find(|other| other.name == dependency.service);
            let Some(waited) = waited.filter(|waited| health(project, waited) == Health::Unchecked) else {
                continue;
            };
            let (Some(own), Some(other)) = (
                project.find(&dependency.place.path),
                project.find(&waited.place.path),
            ) else {
                continue;
            };
            if !seen.insert((own, dependency.place.span)) {
                continue;
            }
            let message = format!(
                "`{}` waits for the health of `{}`, which nothing checks: `up` fails, and what ran before goes on",
                service.name, waited.name
            );
            let finding = Finding::new(
                RULE.id,
                Severity::High,
                Confidence::Medium,
                message,
                (own, dependency.place.span),
            )
            .help(format!(
                "give `{}` a `healthcheck`, or wait for `service_started`",
                waited.name
            ))
            .also((other, waited.name_span), "has no health check");
            findings.push(finding);
        }
    }
}

/// What a service's own `healthcheck` says, or its image.
fn health(project: &Project, service: &Service) -> Health {
    match &service.healthcheck {
        Some(check) if check.is_disabled => return Health::Unchecked,
        Some(check) if check.test.is_some() => return Health::Checked,
        // Only times: the test is the image's, or another file's.
        Some(_) => return Health::Unknown,
        None => {}
    }
    if service.extends.is_some() || !service.clears.is_empty() {
        return Health::Unknown;
    }
    if let Some(build) = &service.build {
        let file = dockerfile_of(build).and_then(|path| project.find(&path));
        return match file.map(|file| &project.file(file).content) {
            Some(Content::Dockerfile(dockerfile)) => {
                of_stage(dockerfile, build.target.as_ref().map(|text| text.value.as_str()))
            }
            _ => Health::Unknown,
        };
    }
    let name = service
        .image
        .as_ref()
        .and_then(|image| ImageName::parse(&image.value));
    match name {
        Some(name) if name.is_official() && project.facts().images.maker(&name).is_none() => {
            Health::Unchecked
        }
        _ => Health::Unknown,
    }
}

/// What the target stage says, or those that it is based on.
fn of_stage(dockerfile: &Dockerfile, target: Option<&str>) -> Health {
    let stages = dockerfile.stages();
    let named = |name: &str| {
        stages
            .iter()
            .rev()
            .find(|stage| stage.name.as_deref() == Some(&name.to_lowercase()))
    };
    let mut stage = match target {
        Some(target) => named(target),
        None => stages.last(),
    };
    let mut steps = stages.len();
    while let Some(current) = stage {
        let own = dockerfile
            .instructions
            .get(current.instructions.clone())
            .unwrap_or_default();
        let check = own
            .iter()
            .rev()
            .find(|instruction| instruction.keyword == "HEALTHCHECK");
        if let Some(check) = check {
            let is_none = check.args.trim().eq_ignore_ascii_case("none");
            return if is_none {
                Health::Unchecked
            } else {
                Health::Checked
            };
        }
        match current.base_stage.filter(|_| steps > 0) {
            Some(base) => stage = stages.get(base),
            None => {
                let base = ImageName::parse(&current.resolved_base);
                let is_known =
                    current.resolved_base == "scratch" || base.is_some_and(|name| name.is_official());
                return if is_known {
                    Health::Unchecked
                } else {
                    Health::Unknown
                };
            }
        }
        steps -= 1;
    }
    Health::Unknown
}

/// A finding about services that a command deploys.
fn deployed(project: &Project, compose: &ComposeProject, deploy: DockerUse<'_>) -> Option<Finding> {
    let Action::ComposeUp(up) = &deploy.docker.action else {
        return None;
    };
    let is_meant = |service: &&Service| {
        let names: Vec<&str> = up.services.iter().map(|service| service.text.as_str()).collect();
        names.is_empty() || names.contains(&service.name.as_str())
    };
    let is_waited_for = |service: &Service| {
        let mut all = compose.services.iter().flat_map(|other| &other.depends_on);
        all.any(|one| one.service == service.name && one.condition != "service_started")
    };
    let silent: Vec<&Service> = compose
        .services
        .iter()
        .filter(is_meant)
        .filter(|service| service.build.is_some() && service.profiles.is_empty() && !is_waited_for(service))
        .filter(|service| {
            service
                .restart
                .as_ref()
                .is_none_or(|restart| restart.value != "no")
        })
        .filter(|service| !is_developed(project, compose, service))
        .filter(|service| has_ports(project, service) && health(project, service) == Health::Unchecked)
        .collect();
    let first = silent.first()?;
    let names: Vec<String> = silent
        .iter()
        .take(4)
        .map(|service| format!("`{}`", service.name))
        .collect();
    let more = match silent.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (severity, consequence) = match up.wait {
        true => (Severity::Low, "`--wait` waits for the start alone"),
        false => (
            Severity::Info,
            "a version that does not answer counts as deployed",
        ),
    };
    let message = format!(
        "nothing checks the health of {}{more}: {consequence}",
        names.join(", ")
    );
    let file = project.find(&first.place.path)?;
    let help = "add a `healthcheck`, and deploy with `up -d --wait`";
    let mut finding = Finding::new(
        RULE.id,
        severity,
        Confidence::Medium,
        message,
        (file, first.name_span),
    )
    .help(help)
    .also(deploy.place(), "deploys it");
    for other in silent.iter().skip(1).take(6) {
        if let Some(file) = project.find(&other.place.path) {
            finding = finding.also((file, other.name_span), "has no health check either");
        }
    }
    Some(finding)
}

/// Whether somebody develops with a service: the files say so, or it runs the code of the host.
fn is_developed(project: &Project, compose: &ComposeProject, service: &Service) -> bool {
    let path = compose.files.last().map_or(&*service.place.path, String::as_str);
    let context = service.build.as_ref().and_then(context_of);
    let binds_code = service.volumes.iter().filter(|mount| mount.kind == MountKind::Bind).any(|mount| {
        let folder = mount.source.as_deref().and_then(|source| resolve(&mount.place.folder, source));
        folder.is_some_and(|folder| {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let is_own = context.as_deref().is_some_and(|context| context.is_empty() || prefix.starts_with(&format!("{context}/")));
            is_own && files_below(&project.tree().files, &prefix).any(is_code)
        })
    });
    binds_code || purpose_within(project, compose, path, service) == Purpose::Development
}
