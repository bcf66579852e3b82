//! A Dockerfile copies the project's code and declares no commit argument, while others that are built together with it do.
//!
//! ## Why
//!
//! Where some images of a project say which commit they are made of and others do not, the others are those that stay old
//! unnoticed. With the argument behind the install of dependencies, every image can be asked, and a new commit makes the code
//! layers anew.
//!
//! ## Example
//!
//! `compose.yaml`:
//! ```yaml
//! services:
//!   api:
//!     build: api
//!   web:
//!     build: web
//! ```
//!
//! `api/Dockerfile`:
//! ```dockerfile
//! FROM alpine:3.20
//! ARG GIT_COMMIT_HASH=unknown
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! COPY . /app
//! ```
//!
//! `web/Dockerfile`:
//! ```dockerfile
//! FROM alpine:3.20
//! COPY . /app
//! ```
//!
//! ## Instead
//!
//! `compose.yaml`:
//! ```yaml
//! services:
//!   api:
//!     build: api
//!   web:
//!     build: web
//! ```
//!
//! `api/Dockerfile`:
//! ```dockerfile
//! FROM alpine:3.20
//! ARG GIT_COMMIT_HASH=unknown
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! COPY . /app
//! ```
//!
//! `web/Dockerfile`:
//! ```dockerfile
//! FROM alpine:3.20
//! ARG GIT_COMMIT_HASH=unknown
//! RUN echo "$GIT_COMMIT_HASH" > /etc/commit
//! COPY . /app
//! ```

use super::Rule;
use crate::facts::{CommitArg, Via, commit_args, context_copies};
use crate::{Confidence, FileId, Finding, Project, Severity, Span};
use std::collections::{BTreeMap, BTreeSet};
use unstale_dockerfile::Dockerfile;

pub(super) const RULE: Rule = Rule::new(
    "commit-arg-missing",
    "a Dockerfile without the commit argument that its neighbours have",
    Severity::Info,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let dockerfiles: BTreeMap<FileId, &Dockerfile> = project
        .dockerfiles()
        .map(|(id, _, dockerfile)| (id, dockerfile))
        .collect();
    let mut with: BTreeMap<FileId, CommitArg> = BTreeMap::new();
    for id in dockerfiles.keys() {
        let used = commit_args(project, *id)
            .into_iter()
            .find(|arg| !arg.uses.is_empty());
        with.extend(used.map(|arg| (*id, arg)));
    }
    if with.is_empty() {
        return;
    }
    // What one Compose project, bake file, job or script builds is built together.
    let mut together: BTreeMap<(FileId, usize), BTreeSet<FileId>> = BTreeMap::new();
    for build in &project.facts().builds {
        if let Some(dockerfile) = build.dockerfile {
            let part = match build.via {
                Via::Service(_) | Via::Target(_) => 0,
                Via::Step(part, _) | Via::Command(part, _) | Via::ComposeCommand(part, _) => part,
            };
            together.entry((build.file, part)).or_default().insert(dockerfile);
        }
    }
    let mut told = BTreeSet::new();
    for built in together.values() {
        // One that fetches its code by the commit has it from elsewhere.
        let has_code = |id: &&FileId| dockerfiles.get(*id).is_some_and(|one| code_copy(project, **id, one).is_some());
        let Some(model) = built.iter().filter(has_code).find_map(|id| with.get(id)) else {
            continue;
        };
        for id in built {
            let Some(dockerfile) = dockerfiles.get(id) else {
                continue;
            };
            let has_one = dockerfile
                .declarations()
                .iter()
                .any(|declared| project.is_commit_name(&declared.name));
            let Some(span) = code_copy(project, *id, dockerfile) else {
                continue;
            };
            if has_one || copies_git(dockerfile) || !told.insert(*id) {
                continue;
            }
            let path = project.file(model.dockerfile).source.path();
            let mut finding = Finding::new(
                RULE.id,
                Severity::Info,
                Confidence::Medium,
                format!("code is copied without `{}`, which `{path}` declares", model.name),
                (*id, span),
            )
            .help(format!(
                "declare and use it right before the code is copied, behind the install of dependencies: `ARG {}=unknown`",
                model.name
            ));
            if let Some(declaration) = model.declarations.first() {
                finding = finding.also((model.dockerfile, declaration.name_span), "declared here");
            }
            findings.push(finding);
        }
    }
}

/// Where code is copied: the whole context, or a folder of it with more than configuration in it.
fn code_copy(project: &Project, id: FileId, dockerfile: &Dockerfile) -> Option<Span> {
    let contexts = &project.facts().contexts;
    let context = contexts.iter().find(|context| context.dockerfile == id)?;
    let copies = context_copies(dockerfile);
    let mut sources = copies.iter().flat_map(|copy| &copy.sources);
    let is_code = |path: &str| {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        super::dockerignore_hides_source::CODE.contains(&extension)
    };
    let found = sources.find(|source| match &source.path {
        Some(path) if !source.is_pattern() || source.is_whole() => {
            let folder = if source.is_whole() { "" } else { path.as_str() };
            context.files_below(project, folder).any(is_code) || source.is_whole()
        }
        _ => false,
    })?;
    Some(found.span)
}

/// Whether a Dockerfile copies `.git`, which says the commit.
fn copies_git(dockerfile: &Dockerfile) -> bool {
    let mut copies = dockerfile.instructions.iter().filter_map(|instruction| instruction.copy_arguments());
    copies.any(|copy| {
        let mut sources = copy.sources.iter();
        sources.any(|source| source.text.trim_start_matches("./").trim_matches('/') == ".git")
    })
}
