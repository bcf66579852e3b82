//! A build copies its whole context, and no ignore file says what of the folder is not for the image.
//!
//! ## Why
//!
//! Whatever lies in the folder goes into the image and into the cache key: `.git` (every fetch makes the layer anew),
//! `node_modules` and build outputs of the host (they take the place of what was installed or built in the image, and are as
//! old as the last build on the host), `.env` with the settings of one machine. Two machines that have checked out the same
//! commit build different images.
//!
//! Where the copy comes behind an install into the same folder, the host's `node_modules` replaces the fresh one: the
//! finding is high there.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! COPY . .
//! ```
//!
//! `package.json`:
//! ```json
//! { "name": "app", "dependencies": { "express": "^5.0.0" } }
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! COPY . .
//! ```
//!
//! `package.json`:
//! ```json
//! { "name": "app", "dependencies": { "express": "^5.0.0" } }
//! ```
//!
//! ```dockerignore
//! .git
//! node_modules
//! ```

use super::Rule;
use super::host_artifacts_in_context::{build_stage, copies_whole, drop_repository, listed, place_name, worst};
use crate::facts::{ContextIgnore, ContextOrigin, Manifests};
use crate::{Confidence, Finding, Project, ScriptPlace, Severity};
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule::new(
    "missing-dockerignore",
    "a whole context that is copied without an ignore file",
    Severity::High,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let manifests = Manifests::of(project);
    // One finding for a folder, whatever number of Dockerfiles are built with it.
    let mut by_folder: BTreeMap<&str, Finding> = BTreeMap::new();
    for context in &project.facts().contexts {
        if context.ignore != ContextIgnore::Missing || !copies_whole(project, context) {
            continue;
        }
        // The folder may be another one, which has an ignore file.
        let assumed = context.origin == ContextOrigin::Assumed;
        if assumed && has_ignore_file_above(project, &context.folder)
            || context.origin != ContextOrigin::Named && is_copied(project, &context.folder)
        {
            continue;
        }
        let mut artifacts = manifests.artifacts(project, context);
        if assumed && artifacts.is_empty() || is_foreign(project.file(context.dockerfile).source.path()) {
            continue;
        }
        let first = worst(project, context, &artifacts);
        let stage = first.and_then(|first| build_stage(project, context, &first.source));
        let is_sure = artifacts.is_empty() || drop_repository(&mut artifacts, stage.as_ref());
        let Some(found) = worst(project, context, &artifacts) else {
            continue;
        };
        // A folder below the top has no `.git`, and what else comes into such a stage stays there.
        if stage.is_some() && artifacts.is_empty() && !context.folder.is_empty() {
            continue;
        }
        let severity = match (&found.replaced, artifacts.is_empty()) {
            (Some(_), _) => Severity::High,
            (None, false) if stage.is_none() => Severity::Medium,
            (None, _) => Severity::Low,
        };
        let file = match context.folder.as_str() {
            "" => ".dockerignore".to_owned(),
            folder => format!("{folder}/.dockerignore"),
        };
        let message = match (&found.replaced, artifacts.is_empty()) {
            (Some((artifact, install)), _) => format!(
                "the host's `{}` replaces what `{}` installed: `{}` is copied whole, and there is no `{file}`",
                artifact.path, install.name, found.source.text
            ),
            (None, false) => format!(
                "`{}` takes {} of the host into {}: there is no `{file}`",
                found.source.text,
                listed(&artifacts),
                place_name(stage.as_ref())
            ),
            (None, true) => {
                format!(
                    "`{}` takes whatever lies in the folder into {}: there is no `{file}`",
                    found.source.text,
                    place_name(stage.as_ref())
                )
            }
        };
        let wanted = match artifacts.is_empty() {
            true => "what builds, tests and editors leave behind".to_owned(),
            false => listed(&artifacts),
        };
        let mut finding = Finding::new(
            RULE.id,
            severity,
            match artifacts.is_empty() {
                // What lies there no file says: there is no `.git`, or the build reads it.
                true => Confidence::Low,
                false if !is_sure => Confidence::Low,
                false => context.confidence().min(found.confidence(&artifacts)),
            },
            message,
            (context.dockerfile, found.source.span),
        )
        .help(format!("write `{file}` with {wanted}"));
        if let Some((_, install)) = &found.replaced {
            finding = finding.also((context.dockerfile, install.span), "installed here");
        }
        match by_folder.get_mut(context.folder.as_str()) {
            Some(known) if known.severity >= severity => {
                *known = known.clone().also(finding.place(), "the same context");
            }
            _ => drop(by_folder.insert(&context.folder, finding)),
        }
    }
    for mut finding in by_folder.into_values() {
        finding.locations.truncate(4);
        findings.push(finding);
    }
}

/// Whether a Dockerfile is one of a dependency that was copied into the project.
fn is_foreign(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "vendor" | "third_party" | "node_modules"))
}

/// Whether a script copies a folder: what it copies to may be the context.
fn is_copied(project: &Project, folder: &str) -> bool {
    let is_folder = |text: &str| {
        let text = text.trim_end_matches(['*', '.', '/']).trim_start_matches(['.', '/']);
        text == folder && !text.is_empty()
    };
    let scripts = project.files().flat_map(|(_, file)| &file.scripts);
    scripts
        .filter(|script| !matches!(script.place, ScriptPlace::Run(_)))
        .flat_map(|script| script.script.commands())
        .filter(|command| matches!(command.name(), "cp" | "rsync"))
        .any(|command| command.arguments().iter().any(|word| is_folder(&word.text)))
}

fn has_ignore_file_above(project: &Project, folder: &str) -> bool {
    let mut folder = folder;
    while !folder.is_empty() {
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let path = match folder {
            "" => ".dockerignore".to_owned(),
            folder => format!("{folder}/.dockerignore"),
        };
        if project.tree().files.contains(&path) {
            return true;
        }
    }
    false
}
