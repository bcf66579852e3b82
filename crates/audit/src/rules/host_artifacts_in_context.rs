//! What builds and package managers leave on the host (`node_modules`, `dist`, `target`, `.git` …) is in the context, the
//! ignore file does not leave it out, and a `COPY` of the whole context takes it into the image.
//!
//! ## Why
//!
//! What was built on the host is as old as the last build there. Copied over what the image's own build made, it is what runs:
//! the new code is in the image, and the old output is served. `node_modules` of the host that replaces the one which
//! `npm ci` has just installed has other versions, and binaries for another system. `.git` changes with every fetch, and
//! with it the cache key of the layer.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! COPY . .
//! ```
//!
//! `package.json`:
//! ```json
//! { "name": "app", "dependencies": { "express": "^5.0.0" } }
//! ```
//!
//! ```dockerignore
//! .git
//! *.log
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
//! ```
//!
//! `package.json`:
//! ```json
//! { "name": "app", "dependencies": { "express": "^5.0.0" } }
//! ```
//!
//! ```dockerignore
//! .git
//! *.log
//! node_modules
//! ```
//!
//! ## Fix safety
//!
//! The fix adds lines to the ignore file. A project may mean to ship what its host has built, so the fix is unsafe.

use super::{Rule, words};
use crate::facts::{
    Artifact, ArtifactKind, BuildContext, ContextCopy, ContextIgnore, ContextSource, DependencyInstall,
    Manifests, context_copies, dependency_installs, working_folders,
};
use crate::{
    Applicability, Confidence, Content, Edit, FileId, Finding, Fix, Project, Severity, Source, Span,
};
use std::collections::BTreeSet;
use unstale_dockerfile::{Stage, base_chain};

pub(super) const RULE: Rule = Rule::new(
    "host-artifacts-in-context",
    "outputs of the host that a copy of the context takes into the image",
    Severity::High,
    check,
)
.fixable();

/// How many artifacts a message names.
const NAMED: usize = 3;

/// The copy of a whole context that does most harm.
pub(super) struct Found<'a> {
    /// What is copied.
    pub source: ContextSource,
    /// The artifact that replaces what was installed before, and the install.
    pub replaced: Option<(&'a Artifact, DependencyInstall)>,
}

impl Found<'_> {
    /// How sure it is that the artifacts are there: something is, or a manifest makes it.
    pub(super) fn confidence(&self, artifacts: &[Artifact]) -> Confidence {
        match artifacts.iter().any(|artifact| artifact.present) {
            true => Confidence::High,
            false => Confidence::Medium,
        }
    }
}

/// Which copy of the whole context is worst: one that replaces what an install before it made, or the first.
pub(super) fn worst<'a>(
    project: &Project,
    context: &BuildContext,
    artifacts: &'a [Artifact],
) -> Option<Found<'a>> {
    let Content::Dockerfile(dockerfile) = &project.file(context.dockerfile).content else {
        return None;
    };
    let copies: Vec<(ContextCopy, ContextSource)> = context_copies(dockerfile)
        .into_iter()
        .filter(|copy| !copy.excludes)
        .filter_map(|copy| {
            let source = copy.whole().cloned()?;
            Some((copy, source))
        })
        .collect();
    let (_, first) = copies.first()?;
    let installs = dependency_installs(project, context.dockerfile);
    let stages = dockerfile.stages();
    let folders = working_folders(dockerfile, &stages);
    for (copy, source) in &copies {
        for artifact in artifacts {
            if let Some(install) = artifact.replaces(copy, &installs, &stages, &folders) {
                return Some(Found {
                    source: source.clone(),
                    replaced: Some((artifact, install.clone())),
                });
            }
        }
    }
    Some(Found {
        source: first.clone(),
        replaced: None,
    })
}

/// Whether the Dockerfile copies its context whole.
pub(super) fn copies_whole(project: &Project, context: &BuildContext) -> bool {
    match &project.file(context.dockerfile).content {
        Content::Dockerfile(dockerfile) => context_copies(dockerfile)
            .iter()
            .any(|copy| !copy.excludes && copy.whole().is_some()),
        _ => false,
    }
}

/// Their names for a message.
pub(super) fn listed(artifacts: &[Artifact]) -> String {
    let mut patterns: Vec<String> = Vec::new();
    for artifact in artifacts {
        let shown = format!("`{}`", artifact.path);
        if !patterns.contains(&shown) {
            patterns.push(shown);
        }
    }
    let more = patterns.len().saturating_sub(NAMED);
    patterns.truncate(NAMED);
    match more {
        0 => words::listed(&patterns),
        more => format!("{} and {more} more", patterns.join(", ")),
    }
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let manifests = Manifests::of(project);
    let mut told: BTreeSet<(FileId, &str)> = BTreeSet::new();
    for context in &project.facts().contexts {
        let ContextIgnore::File(ignore) = context.ignore else {
            continue;
        };
        if !copies_whole(project, context) || !told.insert((ignore, &context.folder)) {
            continue;
        }
        let mut artifacts = manifests.artifacts(project, context);
        let Some(found) = worst(project, context, &artifacts) else {
            continue;
        };
        let stage = build_stage(project, context, &found.source);
        // Settings do harm in the image.
        artifacts.retain(|artifact| stage.is_none() || artifact.kind != ArtifactKind::Settings);
        let is_sure = drop_repository(&mut artifacts, stage.as_ref());
        if artifacts.is_empty() {
            continue;
        }
        let Some(found) = worst(project, context, &artifacts) else {
            continue;
        };
        let severity = match &found.replaced {
            Some(_) => Severity::High,
            // In a stage of the build it costs time.
            None if stage.is_some() => Severity::Low,
            None => artifacts.iter().map(severity).max().unwrap_or(Severity::Low),
        };
        let path = project.file(ignore).source.path();
        let message = match &found.replaced {
            Some((artifact, install)) => format!(
                "the host's `{}` replaces what `{}` installed: `{path}` does not leave it out",
                artifact.path, install.name
            ),
            None => format!(
                "`{}` takes {} of the host into {}: `{path}` does not leave {} out",
                found.source.text,
                listed(&artifacts),
                place_name(stage.as_ref()),
                if artifacts.len() == 1 { "it" } else { "them" }
            ),
        };
        let lines = lines(&artifacts);
        let is_link = project.tree().links.contains(path);
        let mut finding = Finding::new(
            RULE.id,
            severity,
            if is_sure { context.confidence().min(found.confidence(&artifacts)) } else { Confidence::Low },
            message,
            (context.dockerfile, found.source.span),
        )
        .help(match is_link {
            true => format!("make `{path}`, which is a link, a file of its own, and add to it: {}", shown(&lines)),
            false => format!("add to `{path}`: {}", shown(&lines)),
        });
        if let Some((_, install)) = &found.replaced {
            finding = finding.also((context.dockerfile, install.span), "installed here");
        }
        // What a link leads to is of something else.
        let fix = (!is_link).then(|| add(ignore, &project.file(ignore).source, &lines));
        findings.push(finding.fix(fix));
    }
}

/// Leaves the repository out of what a stage of the build takes, and says whether something else is left: a build may read it (Go puts
/// its commit into the program, `build.rs` asks git for a version), which no file here says.
pub(super) fn drop_repository(artifacts: &mut Vec<Artifact>, stage: Option<&Stage>) -> bool {
    let has_others = artifacts.iter().any(|artifact| artifact.kind != ArtifactKind::Repository);
    if stage.is_some() && has_others {
        artifacts.retain(|artifact| artifact.kind != ArtifactKind::Repository);
    }
    stage.is_none() || has_others
}

/// What people call the place that a copy goes to.
pub(super) fn place_name(stage: Option<&Stage>) -> String {
    match stage {
        None => "the image".to_owned(),
        Some(Stage { name: Some(name), .. }) => format!("stage `{name}`"),
        Some(_) => "a stage of the build".to_owned(),
    }
}

/// Where a copy goes: [`None`] for the image, or the stage that the image only takes results from.
pub(super) fn build_stage(project: &Project, context: &BuildContext, source: &ContextSource) -> Option<Stage> {
    let Content::Dockerfile(dockerfile) = &project.file(context.dockerfile).content else {
        return None;
    };
    let stages = dockerfile.stages();
    let holds = |stage: &&Stage| {
        let mut own = stage.instructions.clone().filter_map(|index| dockerfile.instructions.get(index));
        own.any(|instruction| instruction.span.contains(source.span))
    };
    let own = stages.iter().find(holds)?;
    let mut image = base_chain(&stages, stages.len() - 1);
    (!image.any(|stage| stage.index == own.index)).then(|| own.clone())
}

fn severity(artifact: &Artifact) -> Severity {
    match (artifact.kind, artifact.present) {
        (ArtifactKind::Output, _) | (ArtifactKind::Dependencies, true) => Severity::Medium,
        _ => Severity::Low,
    }
}

/// The lines that leave artifacts out.
fn lines(artifacts: &[Artifact]) -> Vec<String> {
    let patterns: BTreeSet<String> = artifacts.iter().map(Artifact::pattern).collect();
    // `**/x` leaves out `x` too.
    let is_covered = |line: &String| patterns.contains(&format!("**/{line}"));
    patterns
        .iter()
        .filter(|line| !is_covered(line))
        .cloned()
        .collect()
}

fn shown(lines: &[String]) -> String {
    let quoted: Vec<String> = lines.iter().map(|line| format!("`{line}`")).collect();
    quoted.join(", ")
}

fn add(file: FileId, source: &Source, lines: &[String]) -> Fix {
    let text = source.text();
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut content = String::new();
    if !text.is_empty() && !text.ends_with('\n') {
        content.push_str(line_break);
    }
    for line in lines {
        content.push_str(line);
        content.push_str(line_break);
    }
    let end = Span::new(text.len(), text.len());
    Fix {
        title: format!("add {} to {}", lines.join(", "), source.path()),
        change: format!("Added {} to {}", lines.join(", "), source.path()),
        impact: "Images hold nothing that the host has built".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![Edit {
            file,
            span: end,
            content,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(names: &[(&str, ArtifactKind)], stage: Option<&Stage>) -> (Vec<String>, bool) {
        let of = |(path, kind): &(&str, ArtifactKind)| Artifact {
            path: (*path).to_owned(),
            kind: *kind,
            present: true,
            manifest: None,
        };
        let mut artifacts = names.iter().map(of).collect();
        let is_sure = drop_repository(&mut artifacts, stage);
        (artifacts.into_iter().map(|artifact| artifact.path).collect(), is_sure)
    }

    #[test]
    fn a_build_may_read_the_repository() {
        let (git, modules) = ((".git", ArtifactKind::Repository), ("node_modules", ArtifactKind::Dependencies));
        let dockerfile = unstale_dockerfile::Dockerfile::parse("FROM a\n");
        let stage = dockerfile.stages().into_iter().next();
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(dropped(&[git, modules], None), (all(&[".git", "node_modules"]), true));
        assert_eq!(dropped(&[git], None), (all(&[".git"]), true));
        assert_eq!(dropped(&[git, modules], stage.as_ref()), (all(&["node_modules"]), true));
        assert_eq!(dropped(&[git], stage.as_ref()), (all(&[".git"]), false));
    }
}
