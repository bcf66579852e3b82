//! A single file that is mounted into a container. The mount is of the file that is there when the container starts, and not
//! of its name: once something puts a new file in its place, the container goes on with the old one until it starts again.
//!
//! No findings are what is read once, when a container starts or a database is made (scripts, realms, what is mounted into `/tmp`),
//! services that end by themselves, and projects that are ended by what starts them (`up --exit-code-from`, tests).
//!
//! ## Why
//!
//! Most editors write a new file and rename it over the old one, and so do `git pull` and `git checkout`. The file on the
//! host is new, `docker compose up -d` sees nothing to do (it looks at the configuration, not at files), and a reload of the
//! program (`nginx -s reload`) reads the old text again.
//!
//! ## Example
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   proxy:
//!     image: nginx:1.29
//!     volumes:
//!       - ./proxy/nginx.conf:/etc/nginx/nginx.conf:ro
//! ```
//!
//! `proxy/nginx.conf`:
//!
//! ```nginx
//! events {}
//! ```
//!
//! ## Instead
//!
//! Restart the service after each change, or mount the folder, where the image has nothing else in it:
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   proxy:
//!     image: nginx:1.29
//!     volumes:
//!       - ./proxy:/etc/nginx/conf.d:ro
//! ```
//!
//! `proxy/nginx.conf`:
//!
//! ```nginx
//! events {}
//! ```
//!
//! ## References
//!
//! - moby/moby#22627, moby/moby#15793

use super::Rule;
use crate::compose::project::ComposeProject;
use crate::compose::{Mount, MountKind, Service, resolve};
use crate::docker::Action;
use crate::facts::{DockerUse, has_ports, is_named_for_tests, mount_place, mount_target};
use crate::{Confidence, Content, FileId, Finding, Project, Severity, Span};
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule::new(
    "single-file-bind",
    "a single file is mounted: the container keeps the old one when it is replaced",
    Severity::Info,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut files: BTreeMap<FileId, BTreeMap<Span, (&Service, &Mount, String)>> = BTreeMap::new();
    for compose in project.facts().compose.iter().filter(|compose| !is_short_lived(project, compose)) {
        for service in compose.services.iter().filter(|service| !runs_once(compose, service)) {
            for mount in &service.volumes {
                if let (Some(path), Some((file, span))) = (single_file(project, mount), mount_place(project, mount)) {
                    files.entry(file).or_default().entry(span).or_insert((service, mount, path));
                }
            }
        }
    }
    // One finding for a Compose file: it is the same for each of its mounts.
    for (file, mounts) in files {
        let count = mounts.len();
        // One of a service that goes on running tells it best.
        let mut mounts: Vec<(Span, (&Service, &Mount, String))> = mounts.into_iter().collect();
        mounts.sort_by_key(|(span, (service, ..))| (!serves(project, service), *span));
        let mut mounts = mounts.into_iter();
        let Some((span, (service, mount, path))) = mounts.next() else {
            continue;
        };
        let more = match count {
            1 => String::new(),
            2 => " (one more is mounted so)".to_owned(),
            count => format!(" ({} more are mounted so)", count - 1),
        };
        let message = format!(
            "`{path}` is mounted as a single file: when an editor or `git pull` replaces it, service `{}` keeps the old one until it restarts{more}",
            service.name
        );
        let target = mount_target(mount).unwrap_or_default();
        let is_renamed = target.rsplit('/').next() != path.rsplit('/').next();
        let folder = match is_renamed || is_in_folder_of_others(&target) {
            true => "",
            false => "; or mount the folder that the file is in, where the image has nothing else there",
        };
        let named = file_option(project, file).map_or(String::new(), |name| format!(" -f {name}"));
        let help = format!("restart after each change: `docker compose{named} restart {}`{folder}", service.name);
        let mut finding = Finding::new(RULE.id, RULE.severity, Confidence::High, message, (file, span)).help(help);
        for (span, (service, ..)) in mounts {
            finding = finding.also((file, span), format!("service `{}`", service.name));
        }
        findings.push(finding);
    }
}

/// The name of a Compose file that Compose takes only if it is told to, and that is a project by itself.
fn file_option(project: &Project, file: FileId) -> Option<&str> {
    const DEFAULTS: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
    let source = &project.file(file).source;
    // Without the files that it is merged with it may be none that Compose takes.
    let has = |compose: &ComposeProject, name: &str| compose.services.iter().any(|service| service.name == name);
    let is_whole = |compose: &ComposeProject| {
        let mut services = compose.services.iter();
        services.all(|service| {
            let is_made = service.image.is_some() || service.build.is_some();
            is_made && service.depends_on.iter().all(|one| has(compose, &one.service))
        })
    };
    let mut projects = project.facts().compose.iter();
    let is_alone = projects.any(|compose| compose.files.len() == 1 && compose.files[0] == source.path() && is_whole(compose));
    (is_alone && !DEFAULTS.contains(&source.name())).then_some(source.name())
}

/// Whether all that starts a project ends it again: `up --exit-code-from`, or a script for tests beside it; or the file is among
/// those of a CI. What a CI runs else says nothing about others.
fn is_short_lived(project: &Project, compose: &ComposeProject) -> bool {
    let is_of_ci = |file: &String| file.starts_with(".github/") || is_named_for_tests(file.rsplit('/').next().unwrap_or(file));
    if compose.files.iter().all(is_of_ci) {
        return true;
    }
    let is_ci = |file| matches!(project.file(file).content, Content::GithubWorkflow(_) | Content::GitlabPipeline(_));
    // Among others that a variable may hold.
    let names = |found: &DockerUse<'_>| {
        let named = found.docker.project.iter().flat_map(|named| &named.files);
        let folder = project.file(found.file).source.folder();
        let mut paths = named.filter_map(|file| resolve(folder, file));
        paths.any(|path| compose.files.last() == Some(&path))
    };
    let starts = project.docker_commands().filter(|found| {
        matches!(found.docker.action, Action::ComposeUp(_))
            && !is_ci(found.file)
            && (project.compose_projects_of(*found).into_iter().any(|one| std::ptr::eq(one, compose)) || names(found))
    });
    let ends = |found: &DockerUse<'_>| {
        let ended = ["exit-code-from", "abort-on-container-exit", "abort-on-container-failure"];
        let source = &project.file(found.file).source;
        let is_beside = !source.folder().is_empty() && compose.files.iter().all(|file| file.rsplit_once('/').map(|(folder, _)| folder) == Some(source.folder()));
        ended.iter().any(|flag| found.docker.flags.value(flag).is_some() || found.docker.flags.is_on(flag)) || is_beside && is_named_for_tests(source.name())
    };
    let mut starts = starts.peekable();
    starts.peek().is_some() && starts.all(|found| ends(&found))
}

/// Whether a service ends by itself: others wait for its end, or its name says so. It reads its files anew each time.
fn runs_once(compose: &ComposeProject, service: &Service) -> bool {
    const TASKS: &[&str] = &[
        "bootstrap", "init", "migrate", "migration", "migrations", "provision", "runner", "seed", "setup", "test", "tests",
    ];
    let restarts = service.restart.as_ref().is_some_and(|restart| !matches!(restart.value.as_str(), "no" | "on-failure"));
    let says_what = service.command.is_some() || service.entrypoint.is_some();
    if says_what && !restarts && service.name.split(['-', '_']).any(|word| TASKS.contains(&word)) {
        return true;
    }
    let mut dependencies = compose.services.iter().flat_map(|other| &other.depends_on);
    dependencies.any(|one| one.service == service.name && one.condition == "service_completed_successfully")
}

/// Whether a service is there to answer: it has ports, or starts again by itself.
fn serves(project: &Project, service: &Service) -> bool {
    let restarts = service.restart.as_ref().is_some_and(|restart| restart.value != "no");
    restarts || has_ports(project, service)
}

/// Whether a folder is for what runs when a container starts: `/docker-entrypoint-initdb.d`, `/etc/init/ready.d`.
fn is_in_folder_of_start(target: &str) -> bool {
    let folder = target.rsplit_once('/').map_or("", |(folder, _)| folder);
    let words = folder.split(['/', '-', '_', '.']);
    words.into_iter().any(|word| matches!(word, "init" | "initdb" | "entrypoint" | "bootstrap" | "startup" | "import" | "seed"))
}

/// Whether the folder of a path is one that programs of the image share: nothing can be mounted over it.
fn is_in_folder_of_others(target: &str) -> bool {
    let folder = target.rsplit_once('/').map_or("", |(folder, _)| folder);
    let depth = folder.matches('/').count();
    depth < 2 || matches!(folder, "/usr/bin" | "/usr/sbin" | "/usr/lib" | "/usr/local" | "/usr/share" | "/var/lib" | "/var/tmp") || folder.ends_with("/bin")
}

/// Whether a file is read when data is made, and never again: a realm of Keycloak, the servers of pgAdmin, the
/// settings of ProxySQL (it keeps them in a database of its own), answers of a setup.
fn is_of_first_start(target: &str) -> bool {
    let name = target.rsplit('/').next().unwrap_or(target).to_ascii_lowercase();
    let mut words = name.split(['.', '-', '_']);
    words.any(|word| matches!(word, "realm" | "import" | "seed" | "setup" | "bootstrap" | "init")) || target.ends_with("pgadmin4/servers.json")
        || name == "proxysql.cnf"
}

/// The file of the checked folder that is mounted, and that matters while the service runs.
fn single_file(project: &Project, mount: &Mount) -> Option<String> {
    if mount.kind != MountKind::Bind {
        return None;
    }
    let path = resolve(&mount.place.folder, mount.source.as_deref()?)?;
    let target = mount_target(mount)?;
    // Read once, when a container starts or a database is made: what is new there needs a restart however it is mounted.
    // What a start takes from `/tmp` it puts elsewhere.
    let is_of_start = target.starts_with("/tmp/")
        || [&target, &path].iter().any(|path| path.ends_with(".sh") || path.ends_with(".sql"))
        || is_in_folder_of_start(&target)
        || is_in_folder_of_start(&path)
        || is_of_first_start(&target)
        || is_of_first_start(&path);
    (project.tree().files.contains(&path) && !is_of_start).then_some(path)
}
