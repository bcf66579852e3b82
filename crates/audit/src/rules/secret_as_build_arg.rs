//! A secret that a build gets as a build argument, or that a Dockerfile holds itself (`ARG`, `ENV`).
//!
//! ## Why
//!
//! The value of an argument is a part of the cache key of every `RUN` behind its `ARG`: a secret that is rotated, or that is
//! another one in each run of CI (`GITHUB_TOKEN`), makes all of them run again and leaves the old results in the cache. And
//! it can be read by whoever has the image or the cache: `docker history` shows arguments of a stage that is kept.
//!
//! ## Example
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build:
//!       context: .
//!       args:
//!         NPM_TOKEN: ${NPM_TOKEN}
//! ```
//!
//! ```dockerfile
//! FROM node:22
//! ARG NPM_TOKEN
//! COPY package.json ./
//! RUN npm ci
//! ```
//!
//! ## Instead
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build:
//!       context: .
//!       secrets:
//!         - npm_token
//! secrets:
//!   npm_token:
//!     environment: NPM_TOKEN
//! ```
//!
//! ```dockerfile
//! FROM node:22
//! COPY package.json ./
//! RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci
//! ```
//!
//! The content of such a secret is not in the cache key at all (see `secret-not-in-key`): right for what only lets a
//! download through.
//!
//! ## References
//!
//! - Docker's build check "SecretsUsedInArgOrEnv"
//! - Docker, "Build secrets": "Build arguments and environment variables are inappropriate for passing secrets to your build,
//!   because they persist in the final image"

use super::Rule;
use crate::facts::{Build, BuildArg, SecretValue, StageRole, is_secret_name, secret_value, stage_role};
use crate::{Confidence, FileId, Finding, Project, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};
use unstale_dockerfile::{Declaration, DeclarationKind, Dockerfile, Scope};

pub(super) const RULE: Rule = Rule::new(
    "secret-as-build-arg",
    "a secret as a build argument: in the cache key and in the image's history",
    Severity::High,
    check,
);

/// Arguments of one name that go to one Dockerfile.
#[derive(Default)]
struct Passed<'a> {
    by: Vec<(&'a Build, &'a BuildArg)>,
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut passed: BTreeMap<(Option<FileId>, FileId, &str), Passed<'_>> = BTreeMap::new();
    let mut places = BTreeSet::new();
    for build in &project.facts().builds {
        for arg in build.args.iter().filter(|arg| is_secret_name(&arg.name)) {
            let is_new = places.insert((arg.file, arg.span, build.dockerfile));
            if is_new && value_of(arg) != SecretValue::Placeholder && takes(project, build, &arg.name) {
                let key = (build.dockerfile, arg.file, arg.name.as_str());
                passed.entry(key).or_default().by.push((build, arg));
            }
        }
    }
    let mut said: BTreeSet<(FileId, Span)> = BTreeSet::new();
    for ((dockerfile, _, name), passed) in &passed {
        let declared = dockerfile.and_then(|id| declared(project, id, name));
        // In a stage that is not in the image, on a machine that is gone afterwards, nothing of it stays. Of a Dockerfile that is
        // not known, nobody can say that it does.
        let is_gone = |build: &Build| project.is_on_new_runner(build) && build.cache_to.is_empty();
        let in_image = declared.is_some_and(|declared| declared.role == StageRole::Image);
        if !in_image && passed.by.iter().all(|(build, _)| is_gone(build)) {
            continue;
        }
        findings.extend(of_passed(name, passed, declared, &mut said));
    }
    let is_passed = |id: FileId, name: &str| {
        let mut keys = passed.keys();
        keys.any(|(dockerfile, _, passed)| dockerfile.is_none_or(|other| other == id) && *passed == name)
    };
    for (id, _, dockerfile) in project.dockerfiles() {
        let role = |scope| stage_role(project, id, dockerfile, scope);
        of_dockerfile(id, dockerfile, &role, &|name| is_passed(id, name), findings);
    }
}

fn value_of(arg: &BuildArg) -> SecretValue {
    arg.value.as_deref().map_or(SecretValue::Reference, secret_value)
}

/// Whether the Dockerfile of a build declares the argument, as far as it is known.
fn takes(project: &Project, build: &Build, name: &str) -> bool {
    build.dockerfile.is_none_or(|id| declared(project, id, name).is_some())
}

/// Where a Dockerfile declares an argument, and what the image has of it.
#[derive(Clone, Copy)]
struct Declared {
    place: (FileId, Span),
    role: StageRole,
}

/// The declaration that the image has most of; not in a stage that is not built.
fn declared(project: &Project, id: FileId, name: &str) -> Option<Declared> {
    let crate::Content::Dockerfile(dockerfile) = &project.file(id).content else {
        return None;
    };
    let all = dockerfile.declarations().into_iter();
    let own = all.filter(|declared| declared.kind == DeclarationKind::Arg && declared.name == name);
    let places = own.map(|own| Declared {
        place: (id, own.name_span),
        role: stage_role(project, id, dockerfile, own.scope),
    });
    // Of several, the first.
    places.rev().max_by_key(|declared| declared.role).filter(|declared| declared.role > StageRole::Unused)
}

/// Where a value stays.
fn stays(role: StageRole) -> &'static str {
    match role {
        StageRole::Image => "it stays in the history and the cache",
        _ => "it stays in the cache",
    }
}

fn of_passed(
    name: &str,
    passed: &Passed<'_>,
    declared: Option<Declared>,
    said: &mut BTreeSet<(FileId, Span)>,
) -> Option<Finding> {
    let is_literal = |arg: &BuildArg| value_of(arg) == SecretValue::Literal;
    let new: Vec<_> = passed.by.iter().filter(|(_, arg)| !said.contains(&(arg.file, arg.span))).collect();
    let (build, first) = new.iter().find(|(_, arg)| is_literal(arg)).or(new.first())?;
    said.extend(new.iter().map(|(_, arg)| (arg.file, arg.span)));
    let role = declared.map_or(StageRole::Build, |declared| declared.role);
    let (severity, what) = match (is_literal(first), role) {
        (true, StageRole::Image) => (Severity::High, "with its value written here"),
        (true, _) => (Severity::Medium, "with its value written here"),
        (false, StageRole::Image) => (Severity::Medium, "as a build argument"),
        (false, _) => (Severity::Low, "as a build argument"),
    };
    let message = format!(
        "{} gets `{name}` {what}: {}, and a new value runs every step behind `ARG {name}` again",
        build.name,
        stays(role)
    );
    let confidence = match declared {
        Some(_) => Confidence::High,
        None => Confidence::Medium,
    };
    let id = name.to_ascii_lowercase();
    let help = format!(
        "pass it as a build secret, and read it where it is needed: `RUN --mount=type=secret,id={id},env={name} …`"
    );
    let mut finding = Finding::new(RULE.id, severity, confidence, message, (first.file, first.span)).help(help);
    for (build, arg) in new.iter().filter(|(_, arg)| arg.span != first.span) {
        finding = finding.also((arg.file, arg.span), format!("{} gets it too", build.name));
    }
    if let Some(declared) = declared {
        finding = finding.also(declared.place, "declared here");
    }
    Some(finding)
}

/// What a Dockerfile says itself.
fn of_dockerfile(
    id: FileId,
    dockerfile: &Dockerfile,
    role: &dyn Fn(Scope) -> StageRole,
    is_passed: &dyn Fn(&str) -> bool,
    findings: &mut Vec<Finding>,
) {
    let mut names: BTreeMap<String, Vec<Declaration>> = BTreeMap::new();
    for declared in dockerfile.declarations() {
        if is_secret_name(&declared.name) && role(declared.scope) > StageRole::Unused {
            names.entry(declared.name.clone()).or_default().push(declared);
        }
    }
    for (name, all) in names {
        let literal = all.iter().find(|declared| is_literal(declared));
        let first_arg = all.iter().find(|declared| declared.kind == DeclarationKind::Arg);
        let (severity, confidence, message, place) = match (literal, first_arg) {
            (Some(literal), _) if literal.kind == DeclarationKind::Arg => (
                match role(literal.scope) {
                    StageRole::Image => Severity::High,
                    _ => Severity::Medium,
                },
                Confidence::Medium,
                format!(
                    "`ARG {name}` holds its value: {}, and a new one runs every step behind it again",
                    stays(role(literal.scope))
                ),
                literal.name_span,
            ),
            // What the stage of a build has in its environment no container has.
            (Some(literal), _) if role(literal.scope) < StageRole::Image => continue,
            (Some(literal), _) => (
                Severity::Medium,
                Confidence::Medium,
                format!("`ENV {name}` holds its value: it is in the image for everyone who has that, and what every container gets that is given no other"),
                literal.name_span,
            ),
            (None, Some(argument)) if argument.value.is_none() && !is_passed(&name) => (
                match role(argument.scope) {
                    StageRole::Image => Severity::Medium,
                    _ => Severity::Low,
                },
                Confidence::Medium,
                format!(
                    "`{name}` is taken as a build argument: {}, and a new value runs every step behind it again",
                    stays(role(argument.scope))
                ),
                argument.name_span,
            ),
            _ => continue,
        };
        let help = match literal.is_some_and(|literal| literal.kind == DeclarationKind::Env) {
            true => format!("give `{name}` to the container when it starts: `environment:`, `env_file:` or `secrets:`"),
            false => format!(
                "take it as a build secret where it is needed: `RUN --mount=type=secret,id={},env={name} …`",
                name.to_ascii_lowercase()
            ),
        };
        findings.push(Finding::new(RULE.id, severity, confidence, message, (id, place)).help(help));
    }
}

fn is_literal(declared: &Declaration) -> bool {
    let value = declared.value.as_ref();
    value.is_some_and(|value| secret_value(&value.raw) == SecretValue::Literal)
}
