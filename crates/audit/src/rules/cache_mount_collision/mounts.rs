//! The cache mounts of a project, with what a step keeps in them.

use crate::facts::{Build, below, working_folders};
use crate::{FileId, Project, Span};
use std::collections::BTreeSet;
use unstale_dockerfile::{Dockerfile, Mount, Stage, base_chain};

/// Folders that builds put outputs into, by the last part of their paths.
const OUTPUTS: &[&str] = &[
    ".next", ".output", ".venv", "_build", "bin", "build", "dist", "node_modules", "obj", "out", "target", "venv",
];

pub(super) struct CacheMount<'a> {
    pub file: FileId,
    pub stage: usize,
    /// The stages that it is based on, and itself.
    pub chain: BTreeSet<usize>,
    pub mount: &'a Mount,
    pub id: String,
    pub target: String,
    pub sharing: String,
    pub kind: Kind,
    /// The image that the stage is made from in the end.
    pub base: String,
    /// Where the Dockerfile's build takes its files from.
    context: String,
    /// Whether the step works where the mount is: it runs in a folder above it, or names it.
    is_used: bool,
    /// What the Dockerfile is built for; empty if the stage always runs on the builder's own platform.
    pub platforms: Vec<String>,
    /// What builds it for several.
    pub built_by: Option<&'a Build>,
}

/// What is in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What a build makes. Cargo tells platforms and packages apart within its folder, but for the programs it makes in the end.
    Outputs { cargo: bool },
    /// apt's lists and packages.
    Apt,
    /// Downloads, or what is not known.
    Other,
}

impl CacheMount<'_> {
    pub fn place(&self) -> (FileId, Span) {
        (self.file, self.mount.span)
    }

    /// The last part of its path.
    pub fn name(&self) -> &str {
        let end = self.target.trim_end_matches('/');
        end.rsplit('/').next().unwrap_or(end).trim_start_matches('.')
    }

    /// Whether steps for several platforms get the same folder.
    pub fn collides_by_platform(&self) -> bool {
        let is_safe = self.kind == Kind::Outputs { cargo: true } && self.sharing != "shared";
        self.platforms.len() > 1 && !is_safe && !self.is_told_apart()
    }

    /// Whether another step with a cache of the same name builds something else.
    pub fn collides_with(&self, other: &CacheMount<'_>) -> bool {
        let is_cargo = [self.kind, other.kind].contains(&Kind::Outputs { cargo: true });
        let is_unknown = [&self.base, &other.base].iter().any(|base| base.contains('$') || base.is_empty());
        let other_base = self.base != other.base && !is_unknown;
        let other_project = self.file != other.file && self.context != other.context;
        self.is_used && other.is_used && !is_cargo && (other_base || other_project)
    }

    /// Whether a variable of the platform is in its name.
    fn is_told_apart(&self) -> bool {
        ["TARGETPLATFORM", "TARGETARCH", "TARGETPAIR", "ARCH", "PLATFORM"].iter().any(|part| self.id.contains(part))
    }
}

/// All cache mounts of `RUN`s.
pub(super) fn mounts(project: &Project) -> Vec<CacheMount<'_>> {
    let builds = &project.facts().builds;
    let mut found = Vec::new();
    for (file, text, dockerfile) in project.dockerfiles() {
        let own = || builds.iter().filter(move |build| build.dockerfile == Some(file));
        let context = own().find_map(|build| build.context.clone());
        let context = context.unwrap_or_else(|| text.source.folder().to_owned());
        let built_by = own().find(|build| platforms(build).len() > 1);
        let stages = dockerfile.stages();
        let folders = working_folders(dockerfile, &stages);
        for stage in &stages {
            let chain: Vec<&Stage> = base_chain(&stages, stage.index).collect();
            let root = chain.last().copied().unwrap_or(stage);
            let is_fixed = root.platform.as_deref().is_some_and(|platform| !platform.contains("TARGET"));
            let needed = built_by.is_some_and(|build| is_needed(dockerfile, &stages, build, stage));
            let built_by = built_by.filter(|_| !is_fixed && needed);
            for index in stage.instructions.clone() {
                let Some(instruction) = dockerfile.instructions.get(index) else {
                    continue;
                };
                for mount in instruction.mounts.iter().filter(|mount| mount.kind() == "cache") {
                    let Some(target) = mount.value("target") else { continue };
                    let id = mount.value("id").filter(|id| !id.is_empty()).unwrap_or(target.trim_end_matches('/'));
                    found.push(CacheMount {
                        file,
                        stage: stage.index,
                        chain: chain.iter().map(|stage| stage.index).collect(),
                        mount,
                        id: id.to_owned(),
                        target: target.to_owned(),
                        sharing: mount.value("sharing").unwrap_or("shared").to_owned(),
                        kind: kind(target, &instruction.args),
                        base: root.resolved_base.clone(),
                        context: context.clone(),
                        is_used: match folders.get(index).and_then(Option::as_deref) {
                            Some(folder) => below(target, folder).is_some() || instruction.args.contains(target),
                            None => true,
                        },
                        platforms: built_by.map(platforms).unwrap_or_default(),
                        built_by,
                    });
                }
            }
        }
    }
    found
}

/// Whether a build makes a stage.
fn is_needed(dockerfile: &Dockerfile, stages: &[Stage], build: &Build, stage: &Stage) -> bool {
    let target = match &build.target {
        None => stages.last(),
        Some(target) => stages.iter().find(|stage| stage.name.as_deref() == Some(target.to_lowercase().as_str())),
    };
    target.is_none_or(|target| dockerfile.needed_stages(target.index).contains(&stage.index))
}

fn kind(target: &str, command: &str) -> Kind {
    let path = target.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    if path.starts_with("/var/cache/apt") || path.starts_with("/var/lib/apt") {
        return Kind::Apt;
    }
    let is_of_jvm = ["mvn", "sbt", "maven", "gradle"].iter().any(|tool| command.contains(tool));
    match OUTPUTS.contains(&name) && !path.contains("/.cache") && !path.starts_with("/root/.") {
        true => Kind::Outputs {
            cargo: name == "target" && !is_of_jvm,
        },
        false => Kind::Other,
    }
}

/// The platforms of a build, if all of them are known.
fn platforms(build: &Build) -> Vec<String> {
    let all = build.platforms.iter().flat_map(|text| text.split(','));
    let all: BTreeSet<&str> = all.map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_known = all.iter().all(|name| !name.contains(['$', '{', ' ']));
    match is_known {
        true => all.into_iter().map(str::to_owned).collect(),
        false => Vec::new(),
    }
}
