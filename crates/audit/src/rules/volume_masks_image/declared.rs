//! Volumes that an image declares itself, or its base image.

use super::{RULE, hidden, shown};
use crate::compose::MountKind;
use crate::facts::{BuiltService, DeclaredVolume, below, mount_target, purpose_within};
use crate::{FileId, Finding, Project, Span};
use std::collections::BTreeSet;

/// Compose takes the anonymous volume that it makes for each over to the next container.
pub(super) fn check(project: &Project, services: &[BuiltService<'_>], findings: &mut Vec<Finding>) {
    if super::renews(project) {
        return;
    }
    let mut seen: BTreeSet<(FileId, Span)> = BTreeSet::new();
    for built in services {
        for volume in &built.paths.volumes {
            let place = (built.dockerfile, volume.span);
            if is_mounted(built, volume) || seen.contains(&place) {
                continue;
            }
            // What fills it as a whole: a part of a copied folder may be there by accident.
            let hidden = hidden(project, built, &volume.path).filter(|hidden| {
                let filled = hidden.filled.first();
                filled.is_some_and(|filled| below(&filled.path, &volume.path).is_some())
            });
            let Some(hidden) = hidden else {
                continue;
            };
            seen.insert(place);
            let (path, service) = (&volume.path, &built.service.name);
            let message = match &volume.base {
                None => format!(
                    "`VOLUME {path}` keeps the first version of what the image has there: Compose takes it over to every new container of service `{service}`"
                ),
                Some(base) => format!(
                    "the base image `{base}` declares `{path}` a volume, which keeps its first version: Compose takes it over to every new container of service `{service}`"
                ),
            };
            let help = match &volume.base {
                None => format!(
                    "declare a folder that holds nothing but data, or none; until then start with `docker compose up --renew-anon-volumes {service}`"
                ),
                Some(_) => format!(
                    "copy to a path outside of `{path}`, or start with `docker compose up --renew-anon-volumes {service}`"
                ),
            };
            let hidden = hidden.for_purpose(purpose_within(project, built.compose, &built.service.place.path, built.service));
            let (severity, confidence) = (hidden.severity, hidden.confidence);
            let finding = Finding::new(RULE.id, severity, confidence, message, place).help(help);
            findings.push(shown(finding, built.dockerfile, &hidden));
        }
    }
}

/// Whether the service mounts something of its own there, or above it.
fn is_mounted(built: &BuiltService<'_>, volume: &DeclaredVolume) -> bool {
    let mut mounts = built.service.volumes.iter();
    mounts.any(|mount| match mount_target(mount) {
        Some(target) => target == volume.path || mount.kind == MountKind::Bind && below(&volume.path, &target).is_some(),
        None => true,
    })
}
