//! Services of a Compose file that run an image of somebody else, or of the project's CI, by a tag that moves (`latest`,
//! `stable`, none at all), while nothing in the project pulls it: no `pull_policy`, no `docker compose pull`, no `up --pull`.
//!
//! One finding for each Compose file. Services that are built, images that a script of the project makes, and files that are only
//! started on machines of a CI that are new each time are no findings.
//!
//! ## Why
//!
//! `docker compose up` pulls an image that is missing, and never one that is there. On a machine that runs for a year,
//! `latest` is a year old; after a new machine is set up, the same file runs another version, and a database may not read
//! what the old one wrote. A deployment that only says `up -d` reports success and changes nothing.
//!
//! ## Example
//!
//! `compose.yaml`:
//! ```yaml
//! services:
//!   shop:
//!     image: registry.example/shop:latest
//! ```
//! `deploy.sh`:
//! ```sh
//! docker compose up -d
//! ```
//!
//! ## Instead
//!
//! Pull before, say so in the file (`pull_policy: always`), or name a version:
//!
//! `compose.yaml`:
//! ```yaml
//! services:
//!   shop:
//!     image: registry.example/shop:latest
//! ```
//! `deploy.sh`:
//! ```sh
//! docker compose pull
//! docker compose up -d
//! ```

use super::Rule;
use crate::compose::project::ComposeProject;
use crate::compose::{Service, Text};
use crate::docker::{Action, ComposeVerb, ImageTransfer};
use crate::facts::{DockerUse, ImageName, Machine, Maker, is_for_development, is_named_for_tests, starts_service};
use crate::{Confidence, Finding, Project, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const RULE: Rule = Rule::new(
    "mutable-service-image",
    "a service whose image moves and is never pulled",
    Severity::Medium,
    check,
);

/// How a Compose project is started.
#[derive(Default)]
struct Started<'a> {
    /// By commands on machines that keep their images.
    kept: Vec<DockerUse<'a>>,
    /// By a command whose machine is not known.
    unknown: bool,
    /// By a command on a new machine.
    new: bool,
    is_pulled: bool,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut started: BTreeMap<&[String], Started<'_>> = BTreeMap::new();
    let mut is_pulled_somewhere = false;
    let mut pulled = BTreeSet::new();
    for found in project.docker_commands() {
        let pulls = match &found.docker.action {
            Action::Transfer(ImageTransfer::Pull, images) => {
                let name = images.first().map(|image| ImageName::parse(&image.text));
                // One whose name is not known can be any.
                is_pulled_somewhere |= name == Some(None);
                pulled.extend(name.flatten().map(|name| name.repository));
                continue;
            }
            Action::Compose(ComposeVerb::Pull, _) => true,
            Action::ComposeUp(up) => up.pull.as_deref() == Some("always") || found.docker.is_open,
            _ => continue,
        };
        let of = project.compose_projects_of(found);
        is_pulled_somewhere |= pulls && of.is_empty();
        for compose in of {
            let started = started.entry(&compose.files).or_default();
            started.is_pulled |= pulls;
            // Of a project for tests somebody starts what they need.
            let is_part = matches!(&found.docker.action, Action::ComposeUp(up) if !up.services.is_empty());
            match project.machine_of(found) {
                Machine::Kept if is_named_for_tests(project.file(found.file).source.path()) => started.unknown = true,
                Machine::Kept if is_part && compose.files.iter().any(|path| is_named_for_tests(path)) => started.unknown = true,
                Machine::Kept => started.kept.push(found),
                Machine::New => started.new = true,
                Machine::Unknown => started.unknown = true,
            }
        }
    }
    let places = |compose: &'_ ComposeProject| -> Vec<(Arc<str>, Span)> {
        let images = compose.services.iter().filter_map(|service| service.image.as_ref());
        images.map(|image| (image.place.path.clone(), image.place.span)).collect()
    };
    // What is pulled with one project's files is pulled with those of another.
    let is_pulled = |compose: &&ComposeProject| started.get(compose.files.as_slice()).is_some_and(|known| known.is_pulled);
    let mut seen: BTreeSet<(Arc<str>, Span)> =
        project.facts().compose.iter().filter(is_pulled).flat_map(places).collect();
    for compose in &project.facts().compose {
        let known = started.get(compose.files.as_slice());
        let is_new_each_time = known.is_some_and(|known| known.new && known.kept.is_empty() && !known.unknown);
        if is_pulled_somewhere
            || is_new_each_time
            || is_watched(compose)
        {
            continue;
        }
        let moving = compose
            .services
            .iter()
            .filter_map(|service| moving(project, service));
        let moving = moving.filter(|moving| !pulled.contains(&moving.name.repository));
        // A file of a test is started where nothing is kept for long, and `docker stack deploy` asks the registry.
        let is_trial = known.is_none_or(|known| known.kept.is_empty()) && compose.files.iter().any(|path| is_named_for_tests(path));
        if is_trial || compose.files.iter().any(|path| is_for_stack(path)) {
            continue;
        }
        let moving: Vec<_> = moving
            .filter(|moving| seen.insert((moving.image.place.path.clone(), moving.image.place.span)))
            .collect();
        let kept = known.map_or(&[][..], |known| &known.kept);
        let kept = if is_for_development(project, compose) { &[] } else { kept };
        let (started, others): (Vec<_>, Vec<_>) = moving
            .into_iter()
            .partition(|moving| kept.iter().any(|used| starts_service(compose, used.docker, moving.service)));
        let starter = started.first().and_then(|first| kept.iter().find(|used| starts_service(compose, used.docker, first.service)));
        findings.extend(of(project, starter.copied(), &started));
        findings.extend(of(project, None, &others));
    }
}

/// Whether a Compose file is one of `docker stack deploy`, by its name.
fn is_for_stack(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let mut words = path.split(['/', '.', '-', '_']);
    words.any(|word| matches!(word, "stack" | "swarm" | "dockerapp"))
}

/// Whether a service of the project looks for newer images of the others.
fn is_watched(compose: &ComposeProject) -> bool {
    compose.services.iter().any(|service| {
        let image = service.image.as_ref().map_or("", |image| image.value.as_str());
        ["watchtower", "ouroboros", "shepherd", "keel", "/wud", "diun"]
            .iter()
            .any(|name| image.contains(name))
    })
}

/// A service whose image moves.
struct Moving<'c> {
    service: &'c Service,
    image: &'c Text,
    name: ImageName,
    maker: Option<Maker>,
}

fn moving<'c>(project: &Project, service: &'c Service) -> Option<Moving<'c>> {
    if service.build.is_some() || service.pull_policy.is_some() {
        return None;
    }
    let image = service.image.as_ref()?;
    let name = ImageName::parse(&image.value)?;
    name.moving_tag()?;
    let maker = project.facts().images.maker(&name);
    (maker != Some(Maker::Here) && name.is_pullable()).then_some(Moving {
        service,
        image,
        name,
        maker,
    })
}

fn of(
    project: &Project,
    starter: Option<DockerUse<'_>>,
    moving: &[Moving<'_>],
) -> Option<Finding> {
    let Moving { image, .. } = moving.iter().find(|moving| moving.maker.is_some()).or(moving.first())?;
    let distinct: BTreeSet<&str> = moving.iter().map(|moving| moving.image.value.as_str()).collect();
    let others = match distinct.len() {
        1 => String::new(),
        2 => " and one more".to_owned(),
        many => format!(" and {} more", many - 1),
    };
    let (severity, confidence) = match starter {
        Some(_) => (Severity::Medium, Confidence::Medium),
        None => (Severity::Low, Confidence::Low),
    };
    let message = format!(
        "no script pulls `{}`{others}: `up` goes on with what the machine pulled first",
        image.value
    );
    let place = (project.find(&image.place.path)?, image.place.value);
    let mut services: Vec<&str> = moving.iter().map(|moving| moving.service.name.as_str()).collect();
    services.dedup();
    let mut finding = Finding::new(RULE.id, severity, confidence, message, place)
        .help(format!(
            "name a version, set `pull_policy: always`, or pull before `up` (`docker compose pull {}`)",
            services.join(" ")
        ));
    if let Some(starter) = starter {
        finding = finding.also(starter.place(), "starts it without a pull");
    }
    let rest = moving
        .iter()
        .map(|moving| moving.image)
        .filter(|other| other.place != image.place)
        .take(8);
    for other in rest {
        if let Some(file) = project.find(&other.place.path) {
            finding = finding.also((file, other.place.value), "moves too");
        }
    }
    Some(finding)
}
