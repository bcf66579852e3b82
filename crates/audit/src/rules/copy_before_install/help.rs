//! What to do instead: which files an install needs, and how it runs without the code.

use super::find;
use crate::Project;
use crate::facts::{BuildContext, DependencyInstall, Manager, PathKind, workspace_manifests};
use crate::rules::words::listed;

/// How to install before the code is there.
pub(super) fn help(project: &Project, context: &BuildContext, behind: &[(&DependencyInstall, Option<String>)]) -> String {
    let mut known: Vec<&str> = Vec::new();
    let mut installs: Vec<String> = Vec::new();
    let mut files: Vec<String> = Vec::new();
    let mut extra: Option<String> = None;
    let mut later: Vec<&str> = Vec::new();
    let mut packages_later = false;
    let mut composer = false;
    let text = project.file(context.dockerfile).source.text();
    for (install, manifest) in behind {
        let scripts = manifest.as_deref().map_or(Vec::new(), |manifest| scripts_of(project, context, install, manifest));
        // Composer's scripts are the application's own, and run as well behind it.
        let is_later = install.manager == Manager::Composer && !scripts.is_empty();
        if is_later && later.is_empty() {
            later.clone_from(&scripts);
        }
        let script = scripts.first().copied();
        if !known.contains(&install.name.as_str()) {
            known.push(&install.name);
            let has_scripts = manifest.as_deref().is_some_and(|manifest| packages_have_scripts(project, context, install, manifest));
            packages_later |= has_scripts;
            let option = without_project(install, text)
                .or(composer_options(install, text, is_later))
                .or(has_scripts.then(|| without_scripts(project, context, install, manifest.as_deref())));
            composer |= install.manager == Manager::Composer && !text.contains("dump-autoload");
            installs.push(option.map_or(install.name.clone(), |option| format!("{} {option}", install.name)));
        }
        let Some(manifest) = manifest else { continue };
        for file in std::iter::once(manifest.clone()).chain(beside(project, context, install, manifest)) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        extra = extra.or_else(|| with_manifest(project, context, manifest, script.filter(|_| !is_later)));
    }
    let quoted = |names: &[&str]| -> Vec<String> { names.iter().map(|name| format!("`{name}`")).collect() };
    let installs: Vec<&str> = installs.iter().map(String::as_str).collect();
    let what = listed(&quoted(&installs));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut copied = quoted(&files);
    copied.extend(extra);
    match (copied.is_empty(), installs.len()) {
        (true, 1) => format!("run {what} before the code is copied: it needs none of it"),
        (true, _) => format!("run {what} before the code is copied: they need none of it"),
        (false, _) => {
            // What Composer loads classes by lists those that are there; the scripts around that run with it.
            let dump = composer.then_some("composer dump-autoload");
            later.retain(|script| !(composer && script.ends_with("autoload-dump")));
            let there: Vec<&str> = dump.into_iter().chain(later).collect();
            let rest = match () {
                () if !there.is_empty() => format!("copy the rest behind it, and run {} there", listed(&quoted(&there))),
                () if packages_later => "copy the rest behind it, and run the scripts of the workspace's packages there".to_owned(),
                () => "and copy the rest behind it".to_owned(),
            };
            format!("copy {} alone, run {what}, {rest}", listed(&copied))
        }
    }
}

/// The options with which Composer needs nothing of the project's code.
fn composer_options(install: &DependencyInstall, text: &str, has_scripts: bool) -> Option<&'static str> {
    let is_given = install.span.slice(text).contains("--no-autoloader");
    match (install.manager, is_given, has_scripts) {
        (Manager::Composer, false, true) => Some("--no-autoloader --no-scripts"),
        (Manager::Composer, false, false) => Some("--no-autoloader"),
        (Manager::Composer, true, true) => Some("--no-scripts"),
        _ => None,
    }
}

/// The option with which a manager of JavaScript packages runs no scripts. Yarn since 2 has another one than all others.
fn without_scripts(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: Option<&str>) -> &'static str {
    let folder = manifest.and_then(|manifest| manifest.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let is_berry = install.manager == Manager::Yarn && find(project, context, folder, ".yarnrc.yml").is_some();
    if is_berry { "--mode=skip-build" } else { "--ignore-scripts" }
}

/// The option with which a manager leaves out the project itself, where it would install that too, and needs its code for it.
fn without_project(install: &DependencyInstall, text: &str) -> Option<&'static str> {
    let option = match (install.manager, install.name.as_str()) {
        (Manager::Poetry, _) => "--no-root",
        (Manager::Uv, "uv sync") => "--no-install-project",
        (Manager::Pdm, _) => "--no-self",
        _ => return None,
    };
    let is_given = |part: &str| install.span.slice(text).contains(part);
    (!["--no-root", "--only-root", "--no-install-", "--no-self"].iter().any(|part| is_given(part))).then_some(option)
}

/// What a manager of packages reads beside its manifest.
fn read_beside(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::Npm => &["package-lock.json", "npm-shrinkwrap.json", ".npmrc"],
        Manager::Yarn => &["yarn.lock", ".npmrc", ".yarnrc.yml"],
        Manager::Pnpm => &["pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc"],
        Manager::Bun => &["bun.lock", "bun.lockb", ".npmrc"],
        Manager::Poetry => &["poetry.lock"],
        Manager::Uv => &["uv.lock"],
        Manager::Pipenv => &["Pipfile.lock"],
        Manager::Pdm => &["pdm.lock"],
        Manager::Go => &["go.sum"],
        Manager::Cargo => &["Cargo.lock"],
        Manager::Bundler => &["Gemfile.lock"],
        // Flex, a plugin of Composer, makes the configuration anew of what `symfony.lock` does not list.
        Manager::Composer => &["composer.lock", "symfony.lock"],
        Manager::Mix => &["mix.lock"],
        Manager::Dart => &["pubspec.lock"],
        Manager::Swift => &["Package.resolved"],
        _ => &[],
    }
}

/// The lock files and settings beside a manifest.
fn beside(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: &str) -> Vec<String> {
    let folder = manifest.rsplit_once('/').map_or("", |(folder, _)| folder);
    let names = read_beside(install.manager).iter();
    let mut beside: Vec<String> =
        names.filter_map(|name| find(project, context, folder, name)).filter(|path| path != manifest).collect();
    // Yarn itself can be there, as the settings say.
    let own = match folder {
        "" => ".yarn".to_owned(),
        folder => format!("{folder}/.yarn"),
    };
    if install.manager == Manager::Yarn && context.kind(project, &own) == Some(PathKind::Folder) {
        beside.push(own);
    }
    beside
}

/// The first script of a manifest that an install runs.
pub(super) fn script_of(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: &str) -> Option<&'static str> {
    scripts_of(project, context, install, manifest).first().copied()
}

/// The scripts of a manifest that an install runs.
fn scripts_of(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: &str) -> Vec<&'static str> {
    let text = install.span.slice(project.file(context.dockerfile).source.text());
    if ["--ignore-scripts", "--no-scripts"].iter().any(|option| text.contains(option)) {
        return Vec::new();
    }
    let base = manifest.rsplit('/').next().unwrap_or(manifest);
    // Where packages are parts of a workspace, the scripts of its top run.
    let packages = [manifest, base].map(|path| project.package(&context.join(path)));
    let mut scripts = packages.into_iter().flatten().map(|package| package.install_scripts.clone());
    scripts.find(|scripts| !scripts.is_empty()).unwrap_or_default()
}

/// Whether packages of a workspace have scripts of their own that an install runs, and that need their code.
fn packages_have_scripts(project: &Project, context: &BuildContext, install: &DependencyInstall, manifest: &str) -> bool {
    let text = install.span.slice(project.file(context.dockerfile).source.text());
    // Yarn runs `prepare` for who publishes alone.
    let is_run = |script: &&str| install.manager != Manager::Yarn || *script != "prepare";
    let has_scripts = |path: &String| project.package(path).is_some_and(|package| package.install_scripts.iter().any(is_run));
    matches!(install.manager, Manager::Npm | Manager::Pnpm | Manager::Yarn)
        && !["--ignore-scripts", "skip-build"].iter().any(|option| text.contains(option))
        && workspace_manifests(project, &context.join(manifest)).iter().any(has_scripts)
}

/// What else an install needs: the manifests of a workspace, the code of scripts.
fn with_manifest(project: &Project, context: &BuildContext, manifest: &str, script: Option<&str>) -> Option<String> {
    let (folder, base) = manifest.rsplit_once('/').unwrap_or(("", manifest));
    let is_package = |file: &str| file != manifest && file.ends_with("/package.json");
    let is_top = || project.package(&context.join(manifest)).is_some_and(|package| package.has_workspaces);
    let is_workspace = base == "package.json"
        && context.files_below(project, folder).any(is_package)
        && (is_top() || find(project, context, folder, "pnpm-workspace.yaml").is_some());
    let names_files = project.package(&context.join(manifest)).is_some_and(|package| !package.local.is_empty());
    let parts = [
        is_workspace.then(|| "the manifests of the workspace's packages (with the files that these name)".to_owned()),
        (names_files && !is_workspace).then(|| format!("the files that `{base}` names")),
        script.map(|script| format!("what `{script}` needs of the code")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", and "))
}
