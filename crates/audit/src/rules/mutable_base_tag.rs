//! A base image without a tag, or with one that is moved to a newer image as a habit: `latest`, `edge`, `nightly`, `stable`,
//! `main`. The Dockerfile does not say what it is built on.
//!
//! Tags that name a version (`debian:12`, `node:22-slim`) are no findings, and neither are images that the project itself
//! makes (a script or CI does, or a folder of that name, or of its tag below it, has a Dockerfile), or that no registry can have (`shop-base`): nobody
//! else moves their tags. An image whose name a variable decides counts by the variable's default, unless a
//! build of the project sets it.
//!
//! Nothing is found below folders of tests: what is built there goes to no server, and the name is often what is tested.
//!
//! ## Why
//!
//! A builder takes the image of that name that the engine has, or what the registry has on that day, by the kind of the engine and
//! by whether something has pulled it (`no-pull-of-mutable-base`; moby/moby#46280). The same commit gives two images, and neither says
//! which. A new major version comes in the middle of a day without a commit that says so, or never comes.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node
//! COPY . /app
//! ```
//!
//! ## Instead
//!
//! Name the version, so that a newer one comes with a commit:
//!
//! ```dockerfile
//! FROM node:22-slim
//! COPY . /app
//! ```

use super::Rule;
use crate::facts::{ImageName, StageRole, is_of_tests, stage_role};
use crate::{Confidence, FileId, Finding, Project, Severity, Span};
use std::collections::BTreeMap;
use unstale_dockerfile::{Declaration, Dockerfile, Scope, StageUse, UsedBy, Uses};

pub(super) const RULE: Rule = Rule::new(
    "mutable-base-tag",
    "a base image without a tag, or with one that moves",
    Severity::Low,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file, dockerfile) in project.dockerfiles() {
        if is_of_tests(file.source.path()) {
            continue;
        }
        let mut by_name: BTreeMap<String, Vec<StageUse>> = BTreeMap::new();
        for one in dockerfile.stage_uses(&BTreeMap::new()) {
            if let Uses::Image(name) = &one.uses {
                by_name.entry(name.clone()).or_default().push(one);
            }
        }
        let found = by_name
            .into_iter()
            .filter_map(|(text, uses)| of(project, id, dockerfile, &text, &uses));
        findings.extend(found);
    }
}

fn of(
    project: &Project,
    id: FileId,
    dockerfile: &Dockerfile,
    text: &str,
    uses: &[StageUse],
) -> Option<Finding> {
    let name = ImageName::parse(text)?;
    let tag = name.moving_tag()?;
    let images = &project.facts().images;
    let role = |one: &StageUse| stage_role(project, id, dockerfile, Scope::Stage(one.stage));
    let uses: Vec<&StageUse> = uses.iter().filter(|one| role(one) > StageRole::Unused).collect();
    let first = *uses.first()?;
    let in_image = uses.iter().any(|one| role(one) == StageRole::Image && one.by == UsedBy::From);
    let is_context = name.tag.is_none() && images.is_context(text);
    // A name that no stage has may be one of a context that somebody gives on the command line.
    let may_be_stage = first.by != UsedBy::From && name.tag.is_none() && !is_copied_from(&name);
    let is_foreign = name.is_pullable() && images.maker(&name).is_none() && !has_folder(project, id, &name);
    if is_context || may_be_stage || !is_foreign {
        return None;
    }
    let (place, also) = place(project, id, dockerfile, first)?;
    let is_said = name.tag.is_some();
    let what = match (in_image, first.by) {
        (true, _) => "what the image is built on",
        (false, UsedBy::From) => "what a stage of the build runs on",
        (false, _) => "what is taken from it",
    };
    let message = match is_said {
        true => format!("the tag of `{text}` moves: {what} depends on when it was last pulled"),
        false => format!("`{text}` has no tag: {what} depends on when its `{tag}` was last pulled"),
    };
    let confidence = if also.is_some() {
        Confidence::Medium
    } else {
        Confidence::High
    };
    let mut finding = Finding::new(RULE.id, RULE.severity, confidence, message, (id, place)).help(help(&name));
    for span in also
        .into_iter()
        .chain(uses.iter().skip(1).map(|one| one.span))
        .take(5)
    {
        finding = finding.also((id, span), "used here too");
    }
    Some(finding)
}

/// What to name instead. Distroless images have no tags of versions (<https://github.com/GoogleContainerTools/distroless>), and of
/// Chainguard's only `latest` is public (<https://docs.cloudsmith.com/integrations/integrating-with-chainguard-images>).
fn help(name: &ImageName) -> String {
    let repository = &name.repository;
    let has_no_versions = ["gcr.io/distroless/", "cgr.dev/chainguard/"];
    match has_no_versions.iter().any(|makers| repository.starts_with(makers)) {
        true => format!("name the digest of `{repository}` (`@sha256:…`): its public tags name no versions"),
        false => format!("name a version of `{repository}`, so that a newer one comes with a commit"),
    }
}

/// Whether another Dockerfile stands in a folder of the image's name, and is not built on it: somebody makes the image of that.
fn has_folder(project: &Project, id: FileId, name: &ImageName) -> bool {
    let Some((_, last)) = name.repository.rsplit_once('/') else {
        return false;
    };
    project.dockerfiles().any(|(other, file, dockerfile)| {
        let folder = file.source.folder();
        let uses = || dockerfile.stage_uses(&BTreeMap::new());
        let is_on_it = |one: &StageUse| match &one.uses {
            Uses::Image(text) => ImageName::parse(text).is_some_and(|used| used.repository == name.repository),
            _ => false,
        };
        // `web/Dockerfile`, or `web/latest/Dockerfile` of the tag.
        let mut parts = folder.rsplit('/');
        let own = parts.next();
        let is_of_tag = own == Some(name.tag.as_deref().unwrap_or("latest")) && parts.next() == Some(last);
        other != id && (own == Some(last) || is_of_tag) && !uses().iter().any(is_on_it)
    })
}

/// Images that are copied from by their name alone so often that no stage is meant.
fn is_copied_from(name: &ImageName) -> bool {
    name.repository.contains('/')
        || [
            "composer", "busybox", "alpine", "golang", "node", "nginx", "docker", "python",
        ]
        .contains(&name.repository.as_str())
}

/// Where the image's name is written: in the instruction, or in the default of the variable that it is, and then where that
/// is used. [`None`] if a build of the project sets the variable.
fn place(
    project: &Project,
    id: FileId,
    dockerfile: &Dockerfile,
    used: &StageUse,
) -> Option<(Span, Option<Span>)> {
    let instruction = dockerfile.instructions.get(used.instruction)?;
    let within = |span: Span| used.span.contains(span);
    let variables: Vec<_> = instruction
        .references
        .iter()
        .filter(|reference| within(reference.span))
        .collect();
    let is_set = |name: &str| {
        let builds = &project.facts().builds;
        builds
            .iter()
            .any(|build| build.dockerfile == Some(id) && build.arg(name).is_some())
    };
    if variables.iter().any(|variable| is_set(&variable.name)) {
        return None;
    }
    let declarations = dockerfile.declarations();
    let has_value = |name: &str| {
        let of_name = |declaration: &&Declaration| declaration.name == name && declaration.value.is_some();
        declarations.iter().any(|declaration| of_name(&declaration))
    };
    // What the builder sets, or nobody: the name is not known.
    if !variables
        .iter()
        .all(|variable| variable.operator.is_some() || has_value(&variable.name))
    {
        return None;
    }
    let default = match variables.as_slice() {
        [] => return Some((used.span, None)),
        [variable] => declarations.iter().rev().find(|declaration| {
            declaration.name == variable.name && declaration.instruction < used.instruction
        }),
        _ => None,
    };
    let value = default.and_then(|declaration| declaration.value.as_ref());
    Some(value.map_or((used.span, None), |value| (value.span, Some(used.span))))
}
