//! All code is copied before the dependencies are installed: every edit installs them again.
//!
//! ## Why
//!
//! A `RUN` is taken from the cache only if everything before it is. Behind a `COPY` of all code the install runs with every
//! edit, and what it fetches is what the registries have at that time: two builds of almost the same code get different
//! dependencies. With the manifest alone copied first, the install runs when the manifest changes.
//!
//! A script of the manifest that runs with the install (`postinstall`, Composer's `post-autoload-dump`) may need the code: leave it
//! out of the install (`--ignore-scripts`, `--no-scripts`), and run what it does behind the copy.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! RUN npm ci
//! RUN npm run build
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
//! RUN npm run build
//! ```
//!
//! `package.json`:
//! ```json
//! { "name": "app", "dependencies": { "express": "^5.0.0" } }
//! ```
//!
//! ## References
//!
//! - [Order your layers](https://docs.docker.com/build/cache/optimize/#order-your-layers)

use super::Rule;
use crate::facts::{
    BuildContext, ContextCopy, ContextSource, DependencyInstall, Installs, Manager, PathKind, context_copies,
    dependency_installs,
};
use crate::shell::Command;
use crate::{Confidence, Finding, Project, ScriptPlace, Severity};
use unstale_dockerfile::Dockerfile;

pub(super) const RULE: Rule = Rule::new(
    "copy-before-install",
    "all code is copied before dependencies are installed",
    Severity::Low,
    check,
);

/// How many installs are shown.
const SHOWN: usize = 3;

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, _, dockerfile) in project.dockerfiles() {
        let installs = dependency_installs(project, id);
        if installs.is_empty() {
            continue;
        }
        let Some(context) = project
            .facts()
            .contexts
            .iter()
            .find(|context| context.dockerfile == id)
        else {
            continue;
        };
        let copies = context_copies(dockerfile);
        let mut told: Vec<usize> = Vec::new();
        for copy in &copies {
            let Some(source) = broad(project, context, copy) else {
                continue;
            };
            let behind: Vec<(&DependencyInstall, Option<String>)> = installs
                .iter()
                .filter(|install| install.instruction > copy.instruction && install.stage == copy.stage)
                .filter(|install| !told.contains(&install.instruction))
                .filter(|install| !ran_before(&installs, install, copy))
                .filter_map(|install| {
                    Some((
                        install,
                        wanted(project, context, dockerfile, (copy, source), install)?,
                    ))
                })
                .collect();
            let Some((first, manifest)) = behind.first() else {
                continue;
            };
            told.extend(behind.iter().map(|(install, _)| install.instruction));
            let help = match manifest {
                Some(manifest) => help(project, context, first, manifest),
                None => format!(
                    "run `{}` before the code is copied: it needs none of it",
                    first.name
                ),
            };
            let mut finding = Finding::new(
                RULE.id,
                Severity::Low,
                context.confidence().max(Confidence::Medium),
                format!(
                    "`{}` is copied before `{}`: every edit runs it again",
                    source.text, first.name
                ),
                (id, source.span),
            )
            .help(help);
            for (install, _) in behind.iter().take(SHOWN) {
                finding = finding.also((id, install.span), "runs again with every edit");
            }
            findings.push(finding);
        }
    }
}

/// How to install before the code is there.
fn help(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: &str) -> String {
    let files = with_locks(project, context, manifest);
    let name = &install.name;
    let base = manifest.rsplit('/').next().unwrap_or(manifest);
    let text = project.file(context.dockerfile).source.text();
    let option = install.without_scripts().filter(|option| !install.span.slice(text).contains(option));
    // Where packages are parts of a workspace, the scripts of its top run.
    let packages = [manifest, base].map(|path| project.package(&context.join(path)));
    let script = packages.into_iter().flatten().find_map(|package| package.install_scripts.first());
    match (option, script) {
        (Some(option), Some(script)) => format!(
            "copy {files} alone, run `{name} {option}`, copy the rest, and run what `{script}` does behind it: it may need the code"
        ),
        _ => format!("copy {files} alone, run `{name}`, and copy the rest behind it"),
    }
}

/// A manifest and the lock files beside it, for a message.
fn with_locks(project: &Project, context: &BuildContext, manifest: &str) -> String {
    let folder = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let locks = super::dockerignore_hides_source::LOCK_FILES.iter();
    let beside = locks.filter(|lock| **lock != manifest).filter_map(|lock| find(project, context, folder, lock));
    let names: Vec<String> = std::iter::once(manifest.to_owned())
        .chain(beside)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The source that brings code: the whole context, or a folder of it with more than a few files.
fn broad<'c>(project: &Project, context: &BuildContext, copy: &'c ContextCopy) -> Option<&'c ContextSource> {
    copy.sources.iter().find(|source| {
        source.is_whole()
            || source.path.as_deref().is_some_and(|path| {
                context.kind(project, path) == Some(PathKind::Folder)
                    && context.files_below(project, path).any(|file| {
                        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
                        super::dockerignore_hides_source::CODE.contains(&extension)
                    })
            })
    })
}

/// Whether dependencies were installed before the copy too: what comes behind adds what the code asks for.
fn ran_before(installs: &[DependencyInstall], install: &DependencyInstall, copy: &ContextCopy) -> bool {
    let is_same = |other: &Manager| *other == install.manager && *other != Manager::System;
    installs
        .iter()
        .any(|other| other.instruction < copy.instruction && is_same(&other.manager))
}

/// Whether an install could stand before the copy, and which manifest it would need there. [`None`] if the files do not say
/// that it could.
fn wanted(
    project: &Project,
    context: &BuildContext,
    dockerfile: &Dockerfile,
    (copy, source): (&ContextCopy, &ContextSource),
    install: &DependencyInstall,
) -> Option<Option<String>> {
    // With a cache of its own the package manager fetches nothing twice.
    let run = dockerfile.instructions.get(install.instruction)?;
    if run.mounts.iter().any(|mount| mount.kind() == "cache") {
        return None;
    }
    match install.what {
        Installs::Project => None,
        // What runs between may make what the install needs.
        Installs::Named => (copy.instruction + 1..=install.instruction)
            .filter(|index| {
                dockerfile
                    .instructions
                    .get(*index)
                    .is_some_and(|one| one.keyword == "RUN")
            })
            .all(|index| only_installs(project, context, index))
            .then_some(None),
        Installs::Manifest => {
            let folder = source
                .path
                .as_deref()
                .filter(|_| !source.is_whole())
                .unwrap_or_default();
            let manifest = install
                .manifests
                .iter()
                .find_map(|name| manifest(project, context, folder, name))?;
            let package = project.package(&context.join(&manifest));
            let installs_nothing = package.is_some_and(|package| !package.has_dependencies);
            (!installs_nothing).then_some(Some(manifest))
        }
    }
}

/// Where the copied folder has a manifest: under the name as the command gives it, or beside the top.
fn manifest(project: &Project, context: &BuildContext, folder: &str, name: &str) -> Option<String> {
    let name = name.trim_start_matches("./");
    if name.contains(['$', '*']) || name.starts_with('/') {
        // A path of the image: what it is called there is what it is called here.
        let base = name
            .rsplit('/')
            .next()
            .filter(|base| !base.contains(['$', '*']))?;
        return find(project, context, folder, base);
    }
    find(project, context, folder, name)
}

fn find(project: &Project, context: &BuildContext, folder: &str, name: &str) -> Option<String> {
    let path = match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    };
    let is_there =
        project.tree().files.contains(&context.join(&path)) && !context.ignores(project, &path, false);
    is_there.then_some(path)
}

/// Whether a `RUN` does nothing but install packages by name, and clean up behind it.
fn only_installs(project: &Project, context: &BuildContext, instruction: usize) -> bool {
    let place = ScriptPlace::Run(instruction);
    let Some(script) = project
        .file(context.dockerfile)
        .scripts
        .iter()
        .find(|script| script.place == place)
    else {
        return false;
    };
    let is_plain = |command: &Command| {
        let arguments = command.arguments();
        let is_local = arguments.iter().any(|word| {
            !word.text.starts_with("/var/")
                && !word.text.starts_with("/usr/share/")
                && !word.text.starts_with("/tmp/*")
                && (word.text.starts_with(['/', '.', '$', '`', '<']) || word.text.ends_with(".deb"))
        });
        match command.name() {
            "apt-get" | "apt" | "apk" | "dnf" | "yum" | "microdnf" | "zypper" | "gem" | "npm" | "pip"
            | "pip3" => !is_local,
            "rm" => arguments.iter().all(|word| word.text.starts_with(['-', '/'])),
            "set" | "true" | "export" => true,
            _ => false,
        }
    };
    !script.script.is_broken() && script.script.commands().iter().all(is_plain)
}
