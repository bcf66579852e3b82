//! A volume over a path that the image fills with code, dependencies or build outputs. Docker fills a volume from the image
//! once, when it is new and empty; from then on the container sees what is in the volume, whatever a newer image has there.
//!
//! ## Why
//!
//! The image is new, its labels say so, and the old code is served: a named volume keeps the first version for ever, and
//! Compose takes an anonymous volume over to the container that it makes anew, so that `up --build` does not renew it either.
//! Nothing that clears a build cache reaches it.
//!
//! ## Example
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//!     volumes:
//!       - app:/app
//! volumes:
//!   app:
//! ```
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! RUN npm ci
//! ```
//!
//! ## Instead
//!
//! A volume holds what the service writes, and the image holds the code:
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   web:
//!     build: .
//!     volumes:
//!       - uploads:/var/lib/app/uploads
//! volumes:
//!   uploads:
//! ```
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! RUN npm ci
//! ```
//!
//! ## References
//!
//! - Docker: "If you start a container which creates a new volume, and the container has files or directories in the directory
//!   to be mounted, Docker copies the directory's contents into the volume"; an existing volume that is not empty hides them.
//! - `docker compose up --renew-anon-volumes`: "Recreate anonymous volumes instead of retrieving data from the previous
//!   containers".
//! - coollabsio/coolify#4145
//! - A `VOLUME` with a slash at its end (`VOLUME /data/`) is none of them: Compose 2.40 begins with a new volume each time it makes
//!   the container anew, as it does not know the path again (measured with Docker 28.5).

mod declared;

use super::Rule;
use crate::compose::{Mount, MountKind};
use crate::docker::Action;
use crate::facts::{Purpose, purpose_within, BuiltService, Filled, Filling, built_services, is_code, is_ignored, mount_place, mount_target};
use crate::{Confidence, FileId, Finding, Project, Severity};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULE: Rule = Rule::new(
    "volume-masks-image",
    "a volume over a path that the image fills: the first version stays",
    Severity::High,
    check,
);

/// How many places of the Dockerfile are shown.
const SHOWN: usize = 3;

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let services = built_services(project);
    let mut seen = BTreeSet::new();
    // A volume of several services is one habit.
    let mut shared: BTreeMap<(FileId, String, String), usize> = BTreeMap::new();
    for built in &services {
        for mount in &built.service.volumes {
            let Some(place) = mount_place(project, mount) else {
                continue;
            };
            let finding = of_mount(project, built, mount);
            let Some(finding) = finding.filter(|_| seen.insert(place)) else {
                continue;
            };
            let name = mount.source.clone().filter(|_| mount.kind == MountKind::Named);
            let key = name.zip(mount_target(mount)).map(|(name, target)| (place.0, name, target));
            let known = key.as_ref().and_then(|key| shared.get(key)).copied();
            match known.and_then(|index| findings.get_mut(index)) {
                Some(known) => {
                    *known = known.clone().also(place, format!("service `{}` has it too", built.service.name));
                }
                None => {
                    shared.extend(key.map(|key| (key, findings.len())));
                    findings.push(finding);
                }
            }
        }
    }
    declared::check(project, &services, findings);
}

fn of_mount(project: &Project, built: &BuiltService<'_>, mount: &Mount) -> Option<Finding> {
    let is_named = match mount.kind {
        MountKind::Named => true,
        MountKind::Anonymous => false,
        _ => return None,
    };
    if is_named && is_bound(built, mount) || !is_named && (renews(project) || is_run_and_removed(project, built)) {
        return None;
    }
    let target = mount_target(mount)?;
    let hidden = hidden(project, built, &target)?.for_purpose(purpose_within(project, built.compose, &mount.place.path, built.service));
    let service = &built.service.name;
    let volume = match &mount.source {
        Some(name) if is_named => format!("volume `{name}`"),
        _ => "an anonymous volume".to_owned(),
    };
    let message = match &hidden.installed {
        Some(command) => format!(
            "{volume} over `{target}` keeps what `{command}` installed first: service `{service}` does not see the dependencies of a newer image"
        ),
        None => format!(
            "{volume} over `{target}` keeps the first version of what the image has there: service `{service}` does not see a newer one"
        ),
    };
    let stays = hidden.installed.is_some() || is_in_bind(built, &target);
    let renew = match (is_named, stays) {
        (true, false) => format!(
            "remove the volume once (`docker compose down`, then `docker volume rm`) so that `{service}` gets the new files"
        ),
        (true, true) => format!(
            "remove the volume with each change (`docker compose down`, then `docker volume rm`) so that `{service}` gets the new files"
        ),
        (false, _) => format!(
            "renew it with every change: `docker compose up --build --renew-anon-volumes {service}`{}",
            if has_other_anonymous(built, mount) { " (its other anonymous volumes too: give names to those that hold data)" } else { "" }
        ),
    };
    let help = match () {
        () if hidden.installed.is_some() => renew,
        () if stays => format!("save what services have written to it, and {renew}"),
        () => format!(
            "move what the service writes to a folder of its own, mount that, and leave `{target}` to the image; save what the volume \
             has of it, and {renew}"
        ),
    };
    let finding = Finding::new(
        RULE.id,
        hidden.severity,
        hidden.confidence,
        message,
        mount_place(project, mount)?,
    );
    Some(shown(finding.help(help), built.dockerfile, &hidden))
}

fn shown(mut finding: Finding, file: FileId, hidden: &Hidden<'_>) -> Finding {
    for filled in hidden.filled.iter().take(SHOWN) {
        finding = finding.also((file, filled.span), "what it hides");
    }
    finding
}

/// What a volume hides.
struct Hidden<'a> {
    severity: Severity,
    confidence: Confidence,
    /// What fills the path, the most telling first, each instruction once.
    filled: Vec<&'a Filled>,
    /// The command, if nothing but dependencies are hidden.
    installed: Option<String>,
}

impl Hidden<'_> {
    /// Old code does less harm where the code is developed or tested.
    fn for_purpose(mut self, purpose: Purpose) -> Self {
        if purpose == Purpose::Development {
            self.severity = self.severity.min(Severity::Medium);
        }
        self
    }
}

/// What a volume at a path hides, if anything that a new image could bring.
fn hidden<'a>(project: &'a Project, built: &'a BuiltService<'_>, target: &'a str) -> Option<Hidden<'a>> {
    // Over the whole system nothing is left of the image: that is not what such a mount is for.
    if matches!(target, "/" | "/root" | "/home" | "/tmp" | "/var/tmp" | "/var/log" | "/run" | "/usr" | "/var") {
        return None;
    }
    let mut filled: Vec<&Filled> = built.paths.hidden_by(target).collect();
    filled.sort_by_cached_key(|filled| weight(project, filled));
    filled.dedup_by_key(|filled| filled.instruction);
    let Some(first) = filled.first() else {
        return of_parts(project, built, target);
    };
    let data = is_data(target);
    let (severity, confidence) = match &first.content {
        Filling::Folder(_) | Filling::Clone if weight(project, first) == 0 && !data => (Severity::High, Confidence::High),
        Filling::Other if !data => (Severity::High, Confidence::Medium),
        Filling::Output(_) => (Severity::High, Confidence::Medium),
        Filling::Install(_) if starts_with_install(built) => return None,
        Filling::File(None) if data => return None,
        // The application writes over what it was given to begin with.
        Filling::Folder(_) if data || has_settings_alone(project, first) => (Severity::Medium, Confidence::Low),
        _ => (Severity::Medium, Confidence::Medium),
    };
    let installed = match &first.content {
        Filling::Install(command) => Some(command.clone()),
        _ => None,
    };
    Some(Hidden {
        severity,
        confidence,
        filled,
        installed,
    })
}

/// Whether a copied folder holds nothing but settings: `.env`.
fn has_settings_alone(project: &Project, filled: &Filled) -> bool {
    let Filling::Folder(folder) = &filled.content else {
        return false;
    };
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut files = crate::facts::files_below(&project.tree().files, &prefix);
    files.all(|file| file.rsplit('/').next().is_some_and(|name| name.starts_with(".env") || name.starts_with(".git")))
}

/// Whether a service has more anonymous volumes, which are renewed with this one.
fn has_other_anonymous(built: &BuiltService<'_>, own: &Mount) -> bool {
    built.service.volumes.iter().any(|mount| mount.kind == MountKind::Anonymous && mount.place.span != own.place.span)
}

/// Whether a volume lies in a folder that the host puts over the image: it keeps what the image has there from that.
fn is_in_bind(built: &BuiltService<'_>, target: &str) -> bool {
    let binds = built.service.volumes.iter().filter(|mount| mount.kind == MountKind::Bind);
    let mut folders = binds.filter_map(mount_target);
    folders.any(|folder| target.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/')))
}

/// A folder within one that is copied.
fn of_parts<'a>(project: &'a Project, built: &'a BuiltService<'_>, target: &'a str) -> Option<Hidden<'a>> {
    if is_data(target) {
        return None;
    }
    let ignored = |path: &str| is_ignored(project, built.dockerfile, built.context.as_deref(), path);
    let code = |path: &str| !is_code(path) || ignored(path);
    let parts = built.paths.parts_hidden_by(project, &code, target);
    let (filled, _) = parts.first()?;
    Some(Hidden {
        severity: Severity::High,
        confidence: Confidence::Medium,
        filled: vec![filled],
        installed: None,
    })
}

/// How telling it is that a path is filled so: the smaller, the more.
fn weight(project: &Project, filled: &Filled) -> u8 {
    match &filled.content {
        Filling::Folder(folder) => {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let mut files = crate::facts::files_below(&project.tree().files, &prefix);
            if files.any(is_code) { 0 } else { 3 }
        }
        Filling::Clone => 0,
        Filling::Other => 1,
        Filling::Output(_) => 2,
        Filling::Pattern => 3,
        Filling::File(_) => 4,
        Filling::Install(_) => 5,
    }
}

/// Whether a path is for what a service writes, by its last part.
pub(super) fn is_data(path: &str) -> bool {
    const DATA: &[&str] = &[
        "backup", "backups", "cache", "data", "database", "databases", "db", "files", "log", "logs", "media", "persist", "state",
        "storage", "store", "tmp", "upload", "uploads", "var",
    ];
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let mut words = name.split(['.', '-', '_']);
    words.any(|word| DATA.contains(&word)) || path.starts_with("/data/") || path.starts_with("/var/lib/")
}

/// Whether a named volume is a folder of the host in truth.
fn is_bound(built: &BuiltService<'_>, mount: &Mount) -> bool {
    let name = mount.source.as_deref().unwrap_or_default();
    let mut volumes = built.compose.volumes.iter();
    volumes.any(|volume| volume.name == name && volume.device.is_some())
}

/// Whether a command of the project renews anonymous volumes.
fn renews(project: &Project) -> bool {
    project.docker_commands().any(|found| match &found.docker.action {
        Action::ComposeUp(up) => up.renew_anonymous_volumes,
        _ => false,
    })
}

/// Whether a service is a tool, whose containers are removed after each run, with their anonymous volumes: `run --rm`.
fn is_run_and_removed(project: &Project, built: &BuiltService<'_>) -> bool {
    let name = &built.service.name;
    !built.service.profiles.is_empty()
        && project.docker_commands().any(|found| match &found.docker.action {
            Action::ComposeRun(run) => {
                run.service.as_ref().is_some_and(|service| service.text == *name) && found.docker.flags.is_on("rm")
            }
            _ => false,
        })
}

/// Whether dependencies are installed whenever the container starts.
fn starts_with_install(built: &BuiltService<'_>) -> bool {
    let installs = |text: &str| {
        let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words.any(|word| matches!(word, "install" | "ci" | "i"))
    };
    let own = built.service.command.iter().chain(&built.service.entrypoint);
    if own.flat_map(|command| &command.words).any(|word| installs(&word.value)) {
        return true;
    }
    let mut starts = built.paths.entrypoint.iter().chain(&built.paths.command);
    starts.any(|text| installs(text))
}
