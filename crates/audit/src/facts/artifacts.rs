//! What builds and package managers leave in a build context on the machine of whoever builds.

use super::{BuildContext, ContextCopy, DependencyInstall, dependency_installs, is_of_tests};
use crate::shell::Command;
use crate::{Content, EmbeddedScript, File, FileKind, Project, ScriptPlace};
use std::collections::BTreeSet;
use unstale_dockerfile::{Instruction, Stage, base_chain};

/// Something of the host that a build context can hold and that no commit does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artifact {
    /// Where it is or will be, relative to the context.
    pub path: String,
    /// What it is.
    pub kind: ArtifactKind,
    /// Whether it is there now.
    pub present: bool,
    /// The manifest that makes it, relative to the context; none for what is only known by being there.
    pub manifest: Option<String>,
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactKind {
    /// Dependencies as they were installed on the host: `node_modules`.
    Dependencies,
    /// What a build on the host made: `dist`, `target`.
    Output,
    /// What programs remember: `__pycache__`.
    Cache,
    /// The repository: `.git`.
    Repository,
    /// Settings of the host: `.env`.
    Settings,
}

impl Artifact {
    /// The line of an ignore file that leaves it out, wherever it is.
    pub fn pattern(&self) -> String {
        match self.path.rsplit_once('/') {
            None => self.path.clone(),
            Some((_, name)) => format!("**/{name}"),
        }
    }

    /// Its last part.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The folder that it is in, relative to the context.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The install whose result it replaces when the context is copied by `copy`: an install before the copy, in the same
    /// place.
    pub fn replaces<'i>(
        &self,
        copy: &ContextCopy,
        installs: &'i [DependencyInstall],
        stages: &[Stage],
        folders: &[Option<String>],
    ) -> Option<&'i DependencyInstall> {
        let destination = copy.destination.as_deref()?;
        let place = match self.folder() {
            "" => destination.to_owned(),
            folder => format!("{}/{folder}", destination.trim_end_matches('/')),
        };
        installs.iter().find(|install| {
            install.manager.folder() == Some(self.name())
                && !install.manifests.is_empty()
                && install.instruction < copy.instruction
                && folders.get(install.instruction).cloned().flatten().as_deref() == Some(place.as_str())
                && base_chain(stages, copy.stage).any(|stage| stage.index == install.stage)
        })
    }
}

/// Files beside which a build leaves its output.
const BUILDS: &[&str] = &[
    "CMakeLists.txt",
    "Cargo.toml",
    "Makefile",
    "build.gradle",
    "build.gradle.kts",
    "build.sbt",
    "go.mod",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "setup.py",
];

/// What a manifest's tools leave beside it.
fn made_by(manifest: &str) -> &'static [(&'static str, ArtifactKind)] {
    match manifest {
        "package.json" => &[("node_modules", ArtifactKind::Dependencies)],
        "composer.json" => &[("vendor", ArtifactKind::Dependencies)],
        "Cargo.lock" | "pom.xml" => &[("target", ArtifactKind::Output)],
        "build.gradle" | "build.gradle.kts" => &[("build", ArtifactKind::Output)],
        "mix.exs" => &[
            ("_build", ArtifactKind::Output),
            ("deps", ArtifactKind::Dependencies),
        ],
        name if name.ends_with(".csproj") || name.ends_with(".fsproj") => {
            &[("bin", ArtifactKind::Output), ("obj", ArtifactKind::Output)]
        }
        _ => &[],
    }
}

/// What a name stands for when something of that name is there and git ignores it.
fn kind_of(name: &str) -> Option<ArtifactKind> {
    Some(match name {
        "node_modules" | "vendor" | ".venv" | "venv" => ArtifactKind::Dependencies,
        "dist" | "build" | "target" | "out" | "bin" | "obj" | ".next" | ".nuxt" => ArtifactKind::Output,
        "__pycache__" | ".cache" | ".tox" | ".gradle" | "coverage" => ArtifactKind::Cache,
        ".git" => ArtifactKind::Repository,
        ".env" | ".env.local" => ArtifactKind::Settings,
        _ => return None,
    })
}

/// Whether Yarn resolves packages without a `node_modules` in a folder or above it.
fn has_plug_and_play(project: &Project, folder: &str) -> bool {
    let mut folder = Some(folder);
    while let Some(own) = folder {
        let files = &project.tree().files;
        let beside = |name: &str| {
            if own.is_empty() {
                name.to_owned()
            } else {
                format!("{own}/{name}")
            }
        };
        if [".pnp.cjs", ".pnp.loader.mjs"]
            .iter()
            .any(|name| files.contains(&beside(name)))
        {
            return true;
        }
        folder = (!own.is_empty()).then(|| own.rsplit_once('/').map_or("", |(above, _)| above));
    }
    false
}

/// What the manifests of the checked folder leave behind: pairs of the manifest's path and the artifact's.
#[derive(Debug, Default)]
pub struct Manifests(Vec<(String, String, ArtifactKind)>);

impl Manifests {
    /// Whether something that builds is beside a path of the checked folder.
    fn has_project(&self, path: &str, project: &Project) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        BUILDS.iter().any(|name| {
            let beside = if folder.is_empty() {
                (*name).to_owned()
            } else {
                format!("{folder}/{name}")
            };
            project.tree().files.contains(&beside)
        }) || self.0.iter().any(|(_, made, _)| made == path)
    }

    /// Those of a project.
    pub fn of(project: &Project) -> Manifests {
        let mut all = Vec::new();
        for path in &project.tree().files {
            let (folder, name) = path
                .rsplit_once('/')
                .map_or((None, path.as_str()), |(folder, name)| (Some(folder), name));
            // What is in a workspace is built at its top.
            if name == "Cargo.lock" && is_below_another(project, path) {
                continue;
            }
            // Yarn's "Plug'n'Play" makes none.
            if name == "package.json" && has_plug_and_play(project, folder.unwrap_or_default()) {
                continue;
            }
            for (artifact, kind) in made_by(name) {
                let made = folder.map_or((*artifact).to_owned(), |folder| format!("{folder}/{artifact}"));
                all.push((path.clone(), made, *kind));
            }
        }
        Manifests(all)
    }

    /// What is or will be in a context beside what git keeps, and is not ignored by its ignore file. `.git` is left out
    /// if the build reads it.
    pub fn artifacts(&self, project: &Project, context: &BuildContext) -> Vec<Artifact> {
        let prefix = context.join("");
        let within = |path: &str| match prefix.as_str() {
            "" => Some(path.to_owned()),
            prefix => path.strip_prefix(prefix)?.strip_prefix('/').map(str::to_owned),
        };
        let mut found: BTreeSet<Artifact> = BTreeSet::new();
        for path in context.left_behind(project) {
            let name = path.rsplit('/').next().unwrap_or(path);
            let Some(kind) = kind_of(name) else {
                continue;
            };
            if kind == ArtifactKind::Settings && is_example(path) || is_of_tests(path) {
                continue;
            }
            if kind == ArtifactKind::Output && !self.has_project(&context.join(path), project) {
                continue;
            }
            let is_folder = kind != ArtifactKind::Settings;
            let is_kept = context.files_below(project, path).next().is_some();
            if !is_kept && !leaves_out(project, context, path, is_folder) {
                found.insert(Artifact {
                    path: path.to_owned(),
                    kind,
                    present: true,
                    manifest: None,
                });
            }
        }
        let present: BTreeSet<String> = found.iter().map(|artifact| artifact.path.clone()).collect();
        for (manifest, made, kind) in &self.0 {
            let (Some(manifest), Some(path)) = (within(manifest), within(made)) else {
                continue;
            };
            let is_there = present.contains(&path);
            let is_kept = context.files_below(project, &path).next().is_some();
            if !is_there
                && !is_kept
                && !leaves_out(project, context, &path, true)
                && !leaves_out(project, context, &manifest, false)
                && !is_example(&path)
                && !is_of_tests(made)
                && (*kind != ArtifactKind::Dependencies || is_installed(project, context, &manifest))
            {
                found.insert(Artifact {
                    path,
                    kind: *kind,
                    present: false,
                    manifest: Some(manifest),
                });
            }
        }
        if reads_repository(project, context) {
            found.retain(|artifact| artifact.kind != ArtifactKind::Repository);
        }
        // What a line brings back by its name is wanted.
        let is_wanted = |artifact: &Artifact| {
            context
                .ignore_file(project)
                .is_some_and(|file| file.brings_back(&artifact.path))
        };
        found.retain(|artifact| !is_wanted(artifact));
        found.into_iter().collect()
    }
}

/// Whether a folder above that of a file has one of the same name.
fn is_below_another(project: &Project, path: &str) -> bool {
    let Some((mut folder, name)) = path.rsplit_once('/') else {
        return false;
    };
    loop {
        let above = folder.rsplit_once('/').map(|(above, _)| above);
        let other = above.map_or_else(|| name.to_owned(), |above| format!("{above}/{name}"));
        if project.tree().files.contains(&other) {
            return true;
        }
        match above {
            Some(above) => folder = above,
            None => return false,
        }
    }
}

/// Whether people install in the folder of a manifest: it has a lock file, or the Dockerfile itself installs it.
fn is_installed(project: &Project, context: &BuildContext, manifest: &str) -> bool {
    if project
        .package(&context.join(manifest))
        .is_some_and(|package| !package.has_dependencies)
    {
        return false;
    }
    let (folder, name) = manifest.rsplit_once('/').unwrap_or(("", manifest));
    let locks: &[&str] = match name {
        "package.json" => &[
            "package-lock.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
            "bun.lockb",
            "npm-shrinkwrap.json",
        ],
        "composer.json" => &["composer.lock"],
        "mix.exs" => &["mix.lock"],
        _ => return true,
    };
    let has = |lock: &&str| {
        let path = if folder.is_empty() {
            (*lock).to_owned()
        } else {
            format!("{folder}/{lock}")
        };
        project.tree().files.contains(&context.join(&path))
    };
    let installs = dependency_installs(project, context.dockerfile);
    locks.iter().any(has)
        || folder.is_empty()
            && installs
                .iter()
                .any(|install| install.manifests.iter().any(|own| own == name))
}

/// Whether the ignore file leaves something out, but for what it may bring back of it.
fn leaves_out(project: &Project, context: &BuildContext, path: &str, is_folder: bool) -> bool {
    context.ignore_file(project).is_some_and(|file| {
        // `node_modules/*` leaves out all that is in it.
        file.ignores(path, is_folder) || is_folder && file.ignores(&format!("{path}/x"), true)
    })
}

/// Whether a path is in a folder whose manifests nobody installs in place.
fn is_example(path: &str) -> bool {
    path.split('/').any(|part| {
        matches!(
            part,
            "vendor"
                | "third_party"
                | "site"
                | "test"
                | "tests"
                | "testdata"
                | "fixtures"
                | "__fixtures__"
                | "examples"
                | "example"
                | "docs"
                | "templates"
        )
    })
}

/// Whether the build of a Dockerfile is known to read the repository: it runs git, names `.git`, or runs a script or Makefile that runs
/// git.
pub fn reads_repository(project: &Project, context: &BuildContext) -> bool {
    let file = project.file(context.dockerfile);
    let Content::Dockerfile(dockerfile) = &file.content else {
        return false;
    };
    let names_it = |text: &str| {
        let mut words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | ',' | ':'));
        words.any(|word| {
            word == ".git" || word.contains("/.git/") || word.ends_with("/.git") || word.starts_with(".git/")
        })
    };
    let text = file.source.text();
    if dockerfile
        .instructions
        .iter()
        .any(|instruction| names_it(instruction.span.slice(text)))
    {
        return true;
    }
    let is_run = |script: &&EmbeddedScript| matches!(script.place, ScriptPlace::Run(_));
    let commands: Vec<&Command> = file
        .scripts
        .iter()
        .filter(is_run)
        .flat_map(|script| script.script.commands())
        .collect();
    let runs_git = |file: &File| {
        file.scripts
            .iter()
            .flat_map(|script| script.script.commands())
            .any(|command| command.name() == "git")
    };
    // What a container starts reads what its image holds.
    let starts = |one: &&Instruction| matches!(one.keyword.as_str(), "CMD" | "ENTRYPOINT");
    let starts = dockerfile.instructions.iter().filter(starts);
    let started = starts.flat_map(|one| {
        let words = one
            .span
            .slice(text)
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']'));
        words.filter(|word| !word.is_empty())
    });
    let makes = commands
        .iter()
        .any(|command| matches!(command.name(), "make" | "gmake"));
    let runs = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        commands
            .iter()
            .flat_map(|command| &command.words)
            .any(|word| word.text.rsplit('/').next() == Some(name))
            || started.clone().any(|word| word.rsplit('/').next() == Some(name))
    };
    commands.iter().any(|command| command.name() == "git")
        || project.files().any(|(_, other)| {
            let path = other.source.path();
            let is_meant = match other.kind {
                FileKind::Makefile => makes,
                FileKind::Script => runs(path),
                _ => false,
            };
            is_meant && (runs_git(other) || other.source.text().contains("$(shell git"))
        })
}
