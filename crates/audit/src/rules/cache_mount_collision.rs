//! A cache mount that is shared by steps that must not share it: outputs of builds for several platforms, from several base
//! images or of several projects in one folder; and apt's folders, which only one step at a time may use.
//!
//! ## Why
//!
//! A cache mount is not a part of any cache key, and its default name is its path: every Dockerfile on the builder that mounts
//! `/app/node_modules` gets the same folder, whatever it builds. What one platform compiled is taken by the next; a build takes
//! up what another project left. Caches of downloads (`/root/.npm`, `/go/pkg/mod`, `/root/.cache/pip`) are made for that,
//! folders of outputs are not. apt locks its folders and fails when another step has them.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22 AS build
//! WORKDIR /app
//! COPY . .
//! RUN --mount=type=cache,target=/app/node_modules npm ci && npm run build
//! ```
//!
//! `build.sh`:
//!
//! ```sh
//! docker buildx build --platform linux/amd64,linux/arm64 -t example/web --push .
//! ```
//!
//! ## Instead
//!
//! A name with the platform in it, or a cache of downloads:
//!
//! ```dockerfile
//! FROM node:22 AS build
//! ARG TARGETPLATFORM
//! WORKDIR /app
//! COPY . .
//! RUN --mount=type=cache,id=web-modules-$TARGETPLATFORM,target=/app/node_modules npm ci && npm run build
//! ```
//!
//! `build.sh`:
//!
//! ```sh
//! docker buildx build --platform linux/amd64,linux/arm64 -t example/web --push .
//! ```
//!
//! ## Fix safety
//!
//! For apt, `sharing=locked` is added: steps wait for each other, and nothing else changes. The fix is safe.
//!
//! ## References
//!
//! - Docker, Dockerfile reference, `RUN --mount=type=cache`: "`id`: optional ID to identify separate/different caches. Defaults
//!   to value of `target`"; "Apt needs exclusive access to its data, so the caches use the option `sharing=locked`".

mod mounts;

use super::Rule;
use crate::{Applicability, Confidence, Edit, FileId, Finding, Fix, Project, Severity, Span};
use mounts::{CacheMount, Kind, mounts};
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule::new(
    "cache-mount-collision",
    "a cache mount is shared by steps that must not share it",
    Severity::Medium,
    check,
)
.fixable();

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mounts = mounts(project);
    let mut by_id: BTreeMap<&str, Vec<&CacheMount<'_>>> = BTreeMap::new();
    for mount in &mounts {
        by_id.entry(mount.id.as_str()).or_default().push(mount);
    }
    // Two Dockerfiles that share several caches are one finding.
    let mut shared: BTreeMap<(FileId, FileId), Finding> = BTreeMap::new();
    for (id, mounts) in &by_id {
        let mut outputs = mounts
            .iter()
            .filter(|mount| matches!(mount.kind, Kind::Outputs { .. }));
        if let Some(mount) = outputs.clone().find(|mount| mount.collides_by_platform()) {
            findings.push(by_platform(id, mount));
            continue;
        }
        let first = outputs.next();
        let other = first.and_then(|first| outputs.find(|other| first.collides_with(other)));
        if let Some((first, other)) = first.zip(other) {
            let finding = match shared.remove(&(first.file, other.file)) {
                Some(known) => known.also(other.place(), "so is this"),
                None => by_project(id, first, other),
            };
            shared.insert((first.file, other.file), finding);
        }
    }
    findings.extend(shared.into_values());
    apt(project, &by_id, findings);
}

fn by_platform(id: &str, mount: &CacheMount<'_>) -> Finding {
    let message = format!(
        "cache mount `{id}` has outputs of a build, and is the same one for {}: what is built for one can be taken for another",
        mount.platforms.join(" and ")
    );
    let help = format!(
        "give each platform its own: declare `ARG TARGETPLATFORM` in the stage and add `id={}-$TARGETPLATFORM`",
        mount.name()
    );
    let mut finding = Finding::new(RULE.id, RULE.severity, Confidence::High, message, mount.place()).help(help);
    if let Some(build) = mount.built_by {
        finding = finding.also(build.place(), "builds for several platforms");
    }
    finding
}

fn by_project(id: &str, first: &CacheMount<'_>, other: &CacheMount<'_>) -> Finding {
    let what = match first.base == other.base {
        true => "of different projects".to_owned(),
        false => format!("on different base images (`{}` and `{}`)", first.base, other.base),
    };
    let message = format!("cache mount `{id}` has outputs of builds {what}: one takes up what the other left");
    let help = format!("give each an `id` of its own, such as `id={}-…`; or cache downloads instead of outputs", other.name());
    Finding::new(RULE.id, RULE.severity, Confidence::Medium, message, other.place())
        .help(help)
        .also(first.place(), "uses the same cache")
}

/// apt's folders without a lock: one finding for a Dockerfile.
fn apt(project: &Project, by_id: &BTreeMap<&str, Vec<&CacheMount<'_>>>, findings: &mut Vec<Finding>) {
    let mut by_file: BTreeMap<FileId, (Vec<&CacheMount<'_>>, bool)> = BTreeMap::new();
    for mounts in by_id.values() {
        // A stage never runs beside one that it is based on.
        let is_beside = |one: &CacheMount<'_>, other: &CacheMount<'_>| {
            one.file != other.file || !one.chain.contains(&other.stage) && !other.chain.contains(&one.stage)
        };
        let has_partner = |mount: &CacheMount<'_>| mounts.iter().any(|other| is_beside(mount, other));
        for mount in mounts {
            if mount.kind == Kind::Apt && mount.sharing == "shared" {
                let (unlocked, is_parallel) = by_file.entry(mount.file).or_default();
                unlocked.push(mount);
                *is_parallel |= has_partner(mount) || mount.platforms.len() > 1;
            }
        }
    }
    for (file, (mut mounts, is_parallel)) in by_file {
        mounts.sort_by_key(|mount| mount.mount.span);
        let Some((first, others)) = mounts.split_first() else {
            continue;
        };
        let severity = if is_parallel { Severity::Low } else { Severity::Info };
        let message = format!(
            "cache mount `{}` is used by apt without `sharing=locked`: of steps at the same time, all but one fail to get apt's lock",
            first.target
        );
        let edits: Option<Vec<Edit>> = mounts.iter().map(|mount| lock(project, mount)).collect();
        let fix = edits.map(|edits| Fix {
            title: "add sharing=locked to apt's cache mounts".to_owned(),
            change: "Added sharing=locked to apt's cache mounts".to_owned(),
            impact: "Steps that use apt wait for each other".to_owned(),
            applicability: Applicability::Safe,
            edits,
        });
        let mut finding = Finding::new(RULE.id, severity, Confidence::High, message, (file, first.mount.span))
            .help("add `sharing=locked` to the mount")
            .fix(fix);
        for other in others {
            finding = finding.also(other.place(), "so is this");
        }
        findings.push(finding);
    }
}

/// The edit that makes a mount a locked one.
fn lock(project: &Project, mount: &CacheMount<'_>) -> Option<Edit> {
    let text = mount.mount.span.slice(project.file(mount.file).source.text());
    if text.contains(['"', '\'']) {
        return None;
    }
    let (span, content) = match mount.mount.option("sharing") {
        Some(sharing) => (sharing.value_span?, "locked"),
        None => {
            let last = mount.mount.options.last()?;
            let end = last.value_span.unwrap_or(last.key_span).end;
            (Span::new(end, end), ",sharing=locked")
        }
    };
    Some(Edit {
        file: mount.file,
        span,
        content: content.to_owned(),
    })
}
