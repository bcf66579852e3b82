//! A folder of the host mounted over a path that the image fills with code: what runs is what lies on the host, not what was
//! built.
//!
//! ## Why
//!
//! Builds, their checks and their labels say nothing of what such a service runs. After a deploy the host's folder may be an
//! older checkout, or lack what the build makes (`dist`, `node_modules`); and the other way round, an edit on the host is live
//! without any build. For development that is what the mount is for; where a service is deployed it makes images pointless.
//! The finding is less severe the more the files say that the service is for development.
//!
//! ## Example
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//!     restart: always
//!     volumes:
//!       - .:/app
//! ```
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! RUN npm ci && npm run build
//! CMD ["node", "dist/server.js"]
//! ```
//!
//! `src/server.js`:
//!
//! ```js
//! import "./routes.js";
//! ```
//!
//! ## Instead
//!
//! Mount what is data or configuration, and nothing over the code. A mount for development belongs into
//! `compose.override.yaml`, which deploys leave out with `-f compose.yaml`.
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//!     restart: always
//!     volumes:
//!       - ./uploads:/var/lib/app/uploads
//! ```
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! RUN npm ci && npm run build
//! CMD ["node", "dist/server.js"]
//! ```
//!
//! `src/server.js`:
//!
//! ```js
//! import "./routes.js";
//! ```
//!
//! ## References
//!
//! - Docker, "Bind mounts": "If you bind mount file or directory into a directory in the container in which files or
//!   directories exist, the pre-existing files are obscured by the mount".

use super::Rule;
use super::volume_masks_image::is_data;
use crate::compose::{Mount, MountKind, Service};
use crate::facts::{
    BuiltService, Filled, Filling, Purpose, built_services, files_below, is_code, is_ignored, mount_place, mount_target, purpose_within,
};
use crate::{Confidence, FileId, Finding, Project, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULE: Rule = Rule::new(
    "bind-masks-image",
    "a folder of the host over the code of the image",
    Severity::Medium,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let services = built_services(project);
    let mut seen = BTreeSet::new();
    // One finding for a Compose file and what its services are for: it is the same for each of them.
    let mut groups: BTreeMap<(FileId, Severity), Vec<Mask<'_>>> = BTreeMap::new();
    for built in &services {
        let masks = built
            .service
            .volumes
            .iter()
            .filter_map(|mount| mask(project, built, mount));
        for mask in masks {
            if seen.insert(mask.place) {
                groups.entry((mask.place.0, mask.severity)).or_default().push(mask);
            }
        }
    }
    for masks in groups.into_values() {
        if let Some((first, others)) = masks.split_first() {
            findings.push(finding(first, others));
        }
    }
}

/// A mount that hides code.
struct Mask<'a> {
    service: &'a Service,
    dockerfile: FileId,
    severity: Severity,
    mount: &'a Mount,
    place: (FileId, Span),
    target: String,
    copied: Span,
}

/// Whether a file is an override that the project's own deploys leave out: a command names its base and not this one.
fn is_left_out(project: &Project, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((start, end)) = name.split_once(".override.") else {
        return false;
    };
    let base = format!("{start}.{end}");
    project.docker_commands().any(|used| {
        let files = used.docker.project.iter().flat_map(|project| &project.files);
        let names: Vec<&str> = files.map(|file| file.rsplit('/').next().unwrap_or(file)).collect();
        names.contains(&base.as_str()) && !names.contains(&name)
    })
}

fn mask<'a>(project: &Project, built: &BuiltService<'a>, mount: &'a Mount) -> Option<Mask<'a>> {
    if mount.kind != MountKind::Bind || is_left_out(project, &mount.place.path) {
        return None;
    }
    let target = mount_target(mount).filter(|target| target != "/")?;
    let is_meant = |filled: &Filled| filled.content != Filling::Other || !is_of_data(mount);
    let is_code_hidden = |filled: &&Filled| is_meant(filled) && is_code_of(project, filled, &target);
    let whole = built.paths.hidden_by(&target).find(is_code_hidden).map(|filled| filled.span);
    let copied = whole.or_else(|| {
        let ignored = |path: &str| is_ignored(project, built.dockerfile, built.context.as_deref(), path);
        let other = |path: &str| !is_code(path) || ignored(path);
        built.paths.parts_hidden_by(project, &other, &target).first().map(|(filled, _)| filled.span)
    })?;
    let severity = match purpose_within(project, built.compose, &mount.place.path, built.service) {
        Purpose::Development => Severity::Info,
        Purpose::Unsaid => Severity::Low,
        Purpose::Deployment => Severity::Medium,
    };
    Some(Mask {
        service: built.service,
        dockerfile: built.dockerfile,
        severity,
        mount,
        place: mount_place(project, mount)?,
        target,
        copied,
    })
}

/// Whether a mount's source is in a folder for what services write.
fn is_of_data(mount: &Mount) -> bool {
    mount.source.iter().flat_map(|source| source.split('/')).any(is_data)
}

/// Whether it is code that a mount hides, and not a single file, which is told elsewhere.
fn is_code_of(project: &Project, filled: &Filled, target: &str) -> bool {
    match &filled.content {
        Filling::Folder(folder) => {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            files_below(&project.tree().files, &prefix).any(is_code)
        }
        Filling::File(Some(file)) => {
            let folder = filled.path.rsplit_once('/').map(|(folder, _)| folder);
            folder == Some(target) && is_code(file)
        }
        Filling::Other => {
            let name = target.rsplit('/').next().unwrap_or_default();
            filled.path == target && !is_data(target) && (is_code(target) || !name.contains('.') && !name.ends_with("file"))
        }
        Filling::Clone => true,
        Filling::File(None) | Filling::Pattern | Filling::Install(_) | Filling::Output(_) => false,
    }
}

fn finding(first: &Mask<'_>, others: &[Mask<'_>]) -> Finding {
    let help = match first.severity {
        Severity::Info => "good for development; see to it that what is deployed does not have the mount",
        Severity::Low => "good for development; where the service is deployed, leave the mount out, so that the image's files run",
        _ => {
            "leave out the mount where the service is deployed, so that the image's files run; for development, keep it in a Compose file of its own"
        }
    };
    let source = first.mount.source.as_deref().unwrap_or("a folder");
    let message = format!(
        "`{source}` of the host hides what the image has at `{}`: service `{}` runs the host's files, not what was built",
        first.target, first.service.name
    );
    let mut finding = Finding::new(RULE.id, first.severity, Confidence::High, message, first.place)
        .help(help)
        .also((first.dockerfile, first.copied), "what it hides");
    for other in others {
        finding = finding.also(other.place, format!("so does this, of service `{}`", other.service.name));
    }
    finding
}
