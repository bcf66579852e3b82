//! Installs of dependencies in Dockerfiles: which `RUN` runs which package manager, and what files it reads.

mod python;

use python::{conda, pip, uv};

use super::{BuildContext, context_copies};
use crate::shell::Command;
use crate::{Content, FileId, Project, ScriptPlace, Span};
use std::collections::BTreeSet;

/// A command of a `RUN` that installs what others wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyInstall {
    /// The `RUN`'s index in the file.
    pub instruction: usize,
    /// The stage.
    pub stage: usize,
    /// The command.
    pub span: Span,
    /// What people call it: `npm ci`.
    pub name: String,
    /// The package manager.
    pub manager: Manager,
    /// What it installs.
    pub what: Installs,
    /// The files that say what is installed, by name or path, the most needed first; of several that mean the same, all.
    /// Empty unless [`Installs::Manifest`].
    pub manifests: Vec<String>,
}

/// What is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installs {
    /// What files of the project list.
    Manifest,
    /// What the command names.
    Named,
    /// The project itself with what it needs: `pip install .`.
    Project,
}

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manager {
    /// npm.
    Npm,
    /// Yarn.
    Yarn,
    /// pnpm.
    Pnpm,
    /// Bun.
    Bun,
    /// pip, also through uv.
    Pip,
    /// Poetry.
    Poetry,
    /// uv.
    Uv,
    /// Pipenv.
    Pipenv,
    /// PDM.
    Pdm,
    /// conda, mamba, micromamba.
    Conda,
    /// Go's modules.
    Go,
    /// Cargo.
    Cargo,
    /// Bundler.
    Bundler,
    /// RubyGems.
    Gem,
    /// Composer.
    Composer,
    /// Maven.
    Maven,
    /// Gradle.
    Gradle,
    /// NuGet through dotnet.
    Dotnet,
    /// Mix.
    Mix,
    /// pub, also through Flutter.
    Dart,
    /// Swift's packages.
    Swift,
    /// The distribution's: apt, apk, dnf, yum, zypper, pacman.
    System,
}

impl Manager {
    /// The folder beside the manifest into which it installs; [`None`] if that is elsewhere.
    pub fn folder(self) -> Option<&'static str> {
        match self {
            Manager::Npm | Manager::Yarn | Manager::Pnpm | Manager::Bun => Some("node_modules"),
            Manager::Composer => Some("vendor"),
            Manager::Mix => Some("deps"),
            Manager::Uv => Some(".venv"),
            Manager::Dotnet => Some("obj"),
            _ => None,
        }
    }
}

/// The installs of a Dockerfile, in order.
pub fn dependency_installs(project: &Project, dockerfile: FileId) -> Vec<DependencyInstall> {
    let file = project.file(dockerfile);
    let Content::Dockerfile(content) = &file.content else {
        return Vec::new();
    };
    let stages = content.stages();
    let mut installs = Vec::new();
    for script in &file.scripts {
        let ScriptPlace::Run(instruction) = script.place else {
            continue;
        };
        let Some(stage) = stages
            .iter()
            .find(|stage| stage.instructions.contains(&instruction))
        else {
            continue;
        };
        for command in script.script.commands() {
            if let Some(found) = recognise(command) {
                installs.push(DependencyInstall {
                    instruction,
                    stage: stage.index,
                    span: command.span,
                    name: found.name,
                    manager: found.manager,
                    what: found.what,
                    manifests: found.manifests,
                });
            }
        }
    }
    installs
}

/// The manifests that the installs of a context's Dockerfile read and that [`crate::PackageManifest`] knows, as paths of the checked
/// folder: those of the folders that it copies.
pub fn package_manifests(project: &Project, context: &BuildContext) -> Vec<String> {
    let installs = dependency_installs(project, context.dockerfile);
    let named = installs
        .iter()
        .filter(|install| is_read(install.manager))
        .flat_map(|install| &install.manifests);
    // A path of the image can be called what its last part is called here.
    let names: BTreeSet<&str> = named
        .flat_map(|path| {
            [
                path.trim_start_matches("./"),
                path.rsplit('/').next().unwrap_or(path),
            ]
        })
        .filter(|name| !name.starts_with('/') && !name.contains(['$', '*']))
        .filter(|name| !["lock", ".sum"].iter().any(|end| name.ends_with(end)))
        .collect();
    let Content::Dockerfile(dockerfile) = &project.file(context.dockerfile).content else {
        return Vec::new();
    };
    if names.is_empty() {
        return Vec::new();
    }
    let copies = context_copies(dockerfile);
    let copied = copies.iter().flat_map(|copy| &copy.sources);
    let mut folders: BTreeSet<&str> = copied
        .filter(|source| !source.is_pattern())
        .filter_map(|source| source.path.as_deref())
        .collect();
    folders.insert("");
    let paths = folders.iter().flat_map(|folder| {
        names.iter().map(move |name| match *folder {
            "" => (*name).to_owned(),
            folder => format!("{folder}/{name}"),
        })
    });
    let tops: Vec<String> = paths
        .map(|path| context.join(&path))
        .filter(|path| project.tree().files.contains(path))
        .collect();
    let packages: Vec<String> = tops
        .iter()
        .flat_map(|top| workspace_manifests(project, top))
        .collect();
    tops.into_iter().chain(packages).collect()
}

/// The most packages of a workspace that are read.
const MOST_PACKAGES: usize = 500;

/// The manifests of the packages of a workspace, if the manifest of its top is one: `package.json` with workspaces, or beside a
/// `pnpm-workspace.yaml`. Which of them are left out by a pattern is not looked at.
pub fn workspace_manifests(project: &Project, top: &str) -> Vec<String> {
    let Some(folder) = top.strip_suffix("package.json") else {
        return Vec::new();
    };
    let files = &project.tree().files;
    let is_top = project.package(top).is_some_and(|package| package.has_workspaces)
        || files.contains(&format!("{folder}pnpm-workspace.yaml"));
    if !is_top {
        return Vec::new();
    }
    let below = super::files_below(files, folder);
    let is_package = |file: &&str| *file != top && file.ends_with("/package.json");
    below
        .filter(is_package)
        .take(MOST_PACKAGES)
        .map(str::to_owned)
        .collect()
}

/// Whether the manifests of a manager are read.
fn is_read(manager: Manager) -> bool {
    use Manager::{Bun, Bundler, Cargo, Composer, Go, Npm, Pdm, Pip, Pnpm, Poetry, Uv, Yarn};
    [
        Bun, Bundler, Cargo, Composer, Go, Npm, Pdm, Pip, Pnpm, Poetry, Uv, Yarn,
    ]
    .contains(&manager)
}

struct Found {
    name: String,
    manager: Manager,
    what: Installs,
    manifests: Vec<String>,
}

impl Found {
    fn of(name: &str, manager: Manager, manifests: &[&str]) -> Option<Found> {
        Some(Found {
            name: name.to_owned(),
            manager,
            what: Installs::Manifest,
            manifests: manifests.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    fn named(name: &str, manager: Manager) -> Option<Found> {
        Some(Found {
            what: Installs::Named,
            ..Found::of(name, manager, &[])?
        })
    }

    fn own(name: &str, manager: Manager) -> Option<Found> {
        Some(Found {
            what: Installs::Project,
            ..Found::of(name, manager, &[])?
        })
    }
}

/// What a command installs, if it does.
fn recognise(command: &Command) -> Option<Found> {
    let words: Vec<&str> = command
        .arguments()
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let name = command.name();
    let plain: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !word.starts_with('-'))
        .collect();
    let verb = plain.first().copied().unwrap_or_default();
    let has = |wanted: &str| words.contains(&wanted);
    match name {
        "npm" => npm(verb, &plain, has("-g") || has("--global")),
        "yarn" | "yarnpkg" => match (verb, plain.get(1)) {
            ("", _) if !has("--version") && !has("-v") => Found::of("yarn", Manager::Yarn, NODE),
            ("install", _) => Found::of("yarn install", Manager::Yarn, NODE),
            ("workspaces", Some(&"focus")) => Found::of("yarn workspaces focus", Manager::Yarn, NODE),
            ("global", Some(&"add")) => Found::named("yarn global add", Manager::Yarn),
            _ => None,
        },
        "pnpm" => match verb {
            "install" | "i" | "fetch" => Found::of(&format!("pnpm {verb}"), Manager::Pnpm, NODE),
            "add" if has("-g") || has("--global") => Found::named("pnpm add -g", Manager::Pnpm),
            _ => None,
        },
        "bun" => match verb {
            "install" | "i" | "ci" if plain.len() == 1 => {
                Found::of(&format!("bun {verb}"), Manager::Bun, NODE)
            }
            _ => None,
        },
        "corepack" => {
            let inner: Vec<&str> = plain.iter().copied().skip(1).collect();
            match (verb, inner.first()) {
                ("pnpm", Some(&"install" | &"i")) => Found::of("pnpm install", Manager::Pnpm, NODE),
                ("yarn", None | Some(&"install")) => Found::of("yarn install", Manager::Yarn, NODE),
                _ => None,
            }
        }
        "pip" | "pip3" => pip(&words, "pip install"),
        "uv" => uv(&words, &plain),
        "poetry" if verb == "install" => Found::of(
            "poetry install",
            Manager::Poetry,
            &["pyproject.toml", "poetry.lock"],
        ),
        "pipenv" if matches!(verb, "install" | "sync") && plain.len() == 1 => Found::of(
            &format!("pipenv {verb}"),
            Manager::Pipenv,
            &["Pipfile", "Pipfile.lock"],
        ),
        "pdm" if matches!(verb, "install" | "sync") => Found::of(
            &format!("pdm {verb}"),
            Manager::Pdm,
            &["pyproject.toml", "pdm.lock"],
        ),
        "conda" | "mamba" | "micromamba" => conda(name, &words, &plain),
        "go" => match (verb, plain.get(1)) {
            ("mod", Some(&"download")) => Found::of("go mod download", Manager::Go, &["go.mod", "go.sum"]),
            _ => None,
        },
        "cargo" => match (verb, plain.get(1)) {
            ("fetch", _) => Found::of("cargo fetch", Manager::Cargo, &["Cargo.toml", "Cargo.lock"]),
            ("install", Some(_)) if !has("--path") => Found::named("cargo install", Manager::Cargo),
            ("chef", Some(&"cook")) => Found::named("cargo chef cook", Manager::Cargo),
            _ => None,
        },
        "bundle" | "bundler" if matches!(verb, "install" | "") && !has("--version") => {
            Found::of("bundle install", Manager::Bundler, &["Gemfile", "Gemfile.lock"])
        }
        "gem" if verb == "install" => Found::named("gem install", Manager::Gem),
        "composer" | "composer.phar" => composer(verb),
        "php"
            if plain
                .first()
                .is_some_and(|word| word.ends_with("composer.phar") || word.ends_with("/composer")) =>
        {
            composer(plain.get(1).copied().unwrap_or_default())
        }
        "mvn" | "mvnw" => plain
            .iter()
            .find(|goal| {
                goal.contains("dependency:go-offline")
                    || goal.contains("dependency:resolve")
                    || goal.contains("dependency-plugin")
                        && (goal.ends_with(":go-offline") || goal.ends_with(":resolve"))
                    || goal.contains("de.qaware.maven:go-offline")
            })
            .and_then(|_| Found::of("mvn dependency:go-offline", Manager::Maven, &["pom.xml"])),
        "gradle" | "gradlew" => plain
            .iter()
            .find(|task| {
                matches!(
                    **task,
                    "dependencies" | "downloadDependencies" | "resolveDependencies"
                )
            })
            .and_then(|task| {
                Found::of(
                    &format!("gradle {task}"),
                    Manager::Gradle,
                    &["build.gradle", "build.gradle.kts", "settings.gradle"],
                )
            }),
        "dotnet" if verb == "restore" => Found::of(
            "dotnet restore",
            Manager::Dotnet,
            &["*.csproj", "*.sln", "*.fsproj"],
        ),
        "mix" if verb == "deps.get" => Found::of("mix deps.get", Manager::Mix, &["mix.exs", "mix.lock"]),
        "dart" | "flutter" if verb == "pub" && plain.get(1) == Some(&"get") => Found::of(
            &format!("{name} pub get"),
            Manager::Dart,
            &["pubspec.yaml", "pubspec.lock"],
        ),
        "swift" if verb == "package" && plain.get(1) == Some(&"resolve") => Found::of(
            "swift package resolve",
            Manager::Swift,
            &["Package.swift", "Package.resolved"],
        ),
        "apt-get" | "apt" | "aptitude" | "dnf" | "yum" | "microdnf" | "zypper" | "tdnf"
            if plain.iter().any(|word| matches!(*word, "install" | "in")) =>
        {
            Found::named(&format!("{name} install"), Manager::System)
        }
        "apk" if plain.contains(&"add") => Found::named("apk add", Manager::System),
        "pacman" if words.iter().any(|word| word.starts_with("-S")) => {
            Found::named("pacman -S", Manager::System)
        }
        _ if name.starts_with("python") || name.starts_with("pypy") => match words.as_slice() {
            ["-m", "pip" | "pip3", rest @ ..] => pip(rest, "pip install"),
            ["-m", "poetry", "install", ..] => Found::of(
                "poetry install",
                Manager::Poetry,
                &["pyproject.toml", "poetry.lock"],
            ),
            _ => None,
        },
        _ if name.starts_with("pip3.") || name.starts_with("pip2") => pip(&words, "pip install"),
        _ => None,
    }
}

const NODE: &[&str] = &["package.json"];

fn npm(verb: &str, plain: &[&str], global: bool) -> Option<Found> {
    let is_install = matches!(verb, "install" | "i" | "add" | "in");
    match verb {
        "ci" | "clean-install" | "install-clean" => Found::of(&format!("npm {verb}"), Manager::Npm, NODE),
        _ if is_install && global => Found::named("npm install -g", Manager::Npm),
        // A number or a path behind an option is its value.
        _ if is_install && plain.len() == 1 => Found::of(&format!("npm {verb}"), Manager::Npm, NODE),
        _ => None,
    }
}

fn composer(verb: &str) -> Option<Found> {
    (verb == "install")
        .then(|| {
            Found::of(
                "composer install",
                Manager::Composer,
                &["composer.json", "composer.lock"],
            )
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, FileKind, Source, Tree};

    fn installs(run: &str) -> Vec<String> {
        let text = format!("FROM x\nRUN {run}\n");
        let file = File::read(Source::new("Dockerfile", text), FileKind::Dockerfile);
        let project = Project::new([file], Tree::default());
        dependency_installs(&project, FileId::default())
            .into_iter()
            .map(|install| {
                format!(
                    "{} {:?} {}",
                    install.name,
                    install.what,
                    install.manifests.join(",")
                )
            })
            .collect()
    }

    #[test]
    fn what_is_installed_is_told_from_what_only_looks_like_it() {
        for (run, expected) in [
            (
                "npm ci --omit=dev && npm run build",
                &["npm ci Manifest package.json"][..],
            ),
            ("npm install express", &[]),
            ("npm i -g pm2", &["npm install -g Named "]),
            ("yarn --frozen-lockfile", &["yarn Manifest package.json"]),
            ("yarn build", &[]),
            (
                "pip install --no-cache-dir -r requirements/base.txt",
                &["pip install -r Manifest requirements/base.txt"],
            ),
            ("python3 -m pip install -U pip", &["pip install Named "]),
            ("pip install -e .", &["pip install Project "]),
            (
                "uv pip install --system -r requirements.txt",
                &["uv pip install -r Manifest requirements.txt"],
            ),
            ("go mod download -x", &["go mod download Manifest go.mod,go.sum"]),
            ("go mod tidy", &[]),
            (
                "./mvnw -B dependency:go-offline",
                &["mvn dependency:go-offline Manifest pom.xml"],
            ),
            ("mvn package", &[]),
            (
                "apt-get update && apt-get install -y git",
                &["apt-get install Named "],
            ),
            ("apk --no-cache add git", &["apk add Named "]),
            ("bundle exec rake", &[]),
            (
                "cd /app; composer install --no-dev",
                &["composer install Manifest composer.json,composer.lock"],
            ),
        ] {
            assert_eq!(installs(run), expected, "{run}");
        }
    }
}
