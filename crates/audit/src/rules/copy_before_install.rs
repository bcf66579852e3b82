//! All code is copied before the dependencies are installed: every edit installs them again.
//!
//! ## Why
//!
//! A `RUN` is taken from the cache only if everything before it is. Behind a `COPY` of all code the install runs with every
//! edit, and what it fetches is what the registries have at that time: two builds of almost the same code get different
//! dependencies. With the manifest alone copied first, the install runs when the manifest changes.
//!
//! A script of the manifest that runs with the install (`postinstall`, Composer's `post-autoload-dump`) may need some of the code:
//! copy that as well, or leave the script out of the install (`--no-scripts`) and run it behind the copy. A workspace needs the
//! manifests of all its packages, and their scripts run with the install as well. Composer lists the classes that are there when it
//! installs: `composer dump-autoload` makes the list anew behind the copy.
//!
//! Confidence is low if commands between the copy and the install do more than prepare it (`mkdir`, `chown`, another install): they may
//! make what it needs.
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

mod between;
mod help;

use self::between::{only_installs, prepares};
use super::Rule;
use crate::facts::{
    BuildContext, ContextCopy, ContextSource, DependencyInstall, Installs, Manager, brings_code, context_copies, is_by_choice,
    dependency_installs,
};
use crate::shell::Command;
use crate::{Confidence, EmbeddedScript, Finding, Project, ScriptPlace, Severity};
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
        // An install that one copy is sure to be in the way of is not told with another.
        for (is_clear, copy) in [true, false].into_iter().flat_map(|is_clear| copies.iter().map(move |copy| (is_clear, copy))) {
            let Some(source) = brings_code(project, context, copy) else {
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
                .filter(|(install, manifest)| {
                    let needs_more = needs_more(project, context, &copies, install, manifest.as_deref())
                        || is_chosen(project, context, dockerfile, install);
                    is_clear == (only_prepares(project, copy.instruction, install, context) && !needs_more)
                })
                .collect();
            told.extend(behind.iter().map(|(install, _)| install.instruction));
            if !behind.is_empty() {
                findings.push(finding(project, context, source, &behind, is_clear));
            }
        }
    }
}

fn finding(
    project: &Project,
    context: &BuildContext,
    source: &ContextSource,
    behind: &[(&DependencyInstall, Option<String>)],
    is_clear: bool,
) -> Finding {
    let id = context.dockerfile;
    let first = behind.first().map_or("the install", |(install, _)| &install.name);
    let (confidence, rest) = match is_clear {
        true => (context.confidence(), ""),
        false => (Confidence::Low, ", if that is all it needs"),
    };
    let message = format!("`{}` is copied before `{first}`: every edit runs it again", source.text);
    let mut finding = Finding::new(RULE.id, Severity::Low, confidence, message, (id, source.span))
        .help(format!("{}{rest}", help::help(project, context, behind)));
    for (install, _) in behind.iter().take(SHOWN) {
        finding = finding.also((id, install.span), "runs again with every edit");
    }
    finding
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
    if run.mounts.iter().any(|mount| mount.kind() == "cache") || is_removed(project, context, install) {
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

/// The script of a `RUN`.
fn script_of_step<'p>(project: &'p Project, context: &BuildContext, instruction: usize) -> Option<&'p EmbeddedScript> {
    let place = ScriptPlace::Run(instruction);
    let mut scripts = project.file(context.dockerfile).scripts.iter();
    scripts.find(|script| script.place == place)
}

/// The commands of a `RUN`.
fn commands<'p>(project: &'p Project, context: &BuildContext, instruction: usize) -> &'p [Command] {
    script_of_step(project, context, instruction).map_or(&[], |script| script.script.commands())
}

/// Whether the step removes again what it installed: in a step of its own it would stay in the image.
fn is_removed(project: &Project, context: &BuildContext, install: &DependencyInstall) -> bool {
    let Some(folder) = install.manager.folder() else {
        return false;
    };
    let removes = |command: &Command| {
        let mut words = command.arguments().iter();
        command.name() == "rm" && words.any(|word| word.text.trim_end_matches('/').rsplit('/').next() == Some(folder))
    };
    commands(project, context, install.instruction).iter().any(removes)
}

/// Whether nothing between a copy and an install makes what the install may need.
fn only_prepares(project: &Project, copy: usize, install: &DependencyInstall, context: &BuildContext) -> bool {
    (copy + 1..=install.instruction).all(|instruction| {
        let before = commands(project, context, instruction).iter();
        before.take_while(|command| command.span != install.span).all(prepares)
    })
}

/// Whether an install needs more than its manifest, as far as is known.
fn needs_more(
    project: &Project,
    context: &BuildContext,
    copies: &[ContextCopy],
    install: &DependencyInstall,
    manifest: Option<&str>,
) -> bool {
    let Some(manifest) = manifest else {
        return false;
    };
    let (folder, base) = manifest.rsplit_once('/').unwrap_or(("", manifest));
    // Who copies the manifest by itself and some code besides knows that the install needs that: a module, a part of a workspace.
    let is_manifest = |source: &ContextSource| {
        let path = source.path.as_deref().unwrap_or_default();
        path.rsplit('/').next() == Some(base)
    };
    let is_copied = copies.iter().any(|copy| {
        copy.stage == install.stage && copy.instruction < install.instruction && copy.sources.iter().any(is_manifest)
    });
    let builds = help::script_of(project, context, install, manifest).is_some()
        && project.package(&context.join(manifest)).is_some_and(|package| package.builds_on_install);
    let text = project.file(context.dockerfile).source.text();
    // A gem takes its dependencies from its specification, which lists its files.
    let is_beside = |file: &str| file.rsplit_once('/').map_or("", |(above, _)| above) == folder;
    let is_gem = || context.files_below(project, folder).any(|file| file.ends_with(".gemspec") && is_beside(file));
    let is_other_gemfile = install.manager == Manager::Bundler && (text.contains("BUNDLE_GEMFILE") || is_gem());
    let is_of_project = project.package(&context.join(manifest)).is_some_and(|package| package.local.iter().any(|path| path == "."));
    is_copied
        || builds
        || is_of_project
        || is_other_gemfile
        || is_elsewhere(project, context, install, manifest)
        || reads_others(project, context, install)
}

/// Whether an install runs in another folder than its manifest's, as the last `cd` before it says.
fn is_elsewhere(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: &str) -> bool {
    let before = commands(project, context, install.instruction).iter().take_while(|command| command.span != install.span);
    let Some(to) = before.filter(|command| command.name() == "cd").last().and_then(|command| command.arguments().first()) else {
        return false;
    };
    let name = to.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let folder = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
    // Of the top nobody knows what the image calls it.
    match folder.is_empty() {
        // Of the top nobody knows what the image calls it, but a path through folders goes below it.
        true => to.text.contains('/') && !to.text.starts_with(['/', '.', '$', '~']),
        false => folder.rsplit('/').next() != Some(name),
    }
}

/// Whether an install runs only if a build asks for it.
fn is_chosen(project: &Project, context: &BuildContext, dockerfile: &Dockerfile, install: &DependencyInstall) -> bool {
    let mut own = commands(project, context, install.instruction).iter().filter(|command| command.span == install.span);
    own.any(|command| is_by_choice(dockerfile, install.instruction, command))
}

/// Whether the step installs from files that only the code can name: `-r "$plugin/requirements.txt"`.
fn reads_others(project: &Project, context: &BuildContext, install: &DependencyInstall) -> bool {
    let installs = dependency_installs(project, context.dockerfile);
    let mut same_step = installs.iter().filter(|other| other.instruction == install.instruction && other.manager == install.manager);
    same_step.any(|other| other.manifests.iter().any(|manifest| manifest.starts_with('$')))
}
