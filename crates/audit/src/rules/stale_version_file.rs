//! A version, commit or date in an image that is not that of the build: a commit that is written out in a Dockerfile or Compose file, a
//! date of creation likewise, a file with a commit that is in git itself, or a `git describe` within a build whose context
//! has no `.git`.
//!
//! Versions that people set for a release (`VERSION=1.4.0`) are no findings: they are meant to be written by hand.
//!
//! ## Why
//!
//! Whoever asks what runs looks there first. The answer is the same for every build, so that old code looks new or new
//! code looks old; and a page that says the right commit proves nothing if nobody wrote it at the build. A commit cannot stand
//! in a file of that commit: whatever such a file says is of another one.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM debian:12
//! LABEL org.opencontainers.image.revision="1f0c2ab94de8"
//! COPY . /app
//! ```
//!
//! ## Instead
//!
//! Let the build say it:
//!
//! ```dockerfile
//! FROM debian:12
//! COPY . /app
//! ARG GIT_COMMIT_HASH
//! LABEL org.opencontainers.image.revision="${GIT_COMMIT_HASH}"
//! ```

use super::Rule;
use crate::dockerignore::candidates;
use crate::facts::{Build, git_verb, resolve};
use crate::{Confidence, Content, File, FileId, Finding, Project, ScriptPlace, Severity, Span};
use std::collections::BTreeSet;
use unstale_dockerfile::{Dockerfile, Instruction};

pub(super) const RULE: Rule = Rule::new(
    "stale-version-file",
    "a commit or date in the image that is not that of the build",
    Severity::Low,
    check,
);

/// Names of labels and variables for the commit that is built.
const COMMITS: &[&str] = &[
    "org.opencontainers.image.revision",
    "org.label-schema.vcs-ref",
    "vcs-ref",
    "vcs_ref",
    "git_commit",
    "git-commit",
    "git_commit_hash",
    "git_sha",
    "git_hash",
    "git_rev",
    "git_revision",
    "commit_sha",
    "commit_hash",
    "source_commit",
    "build_commit",
    "build_sha",
    "build_revision",
];
/// Names of labels for the time of the build.
const DATES: &[&str] = &[
    "org.opencontainers.image.created",
    "org.label-schema.build-date",
    "build-date",
    "build_date",
];
/// Names of files for the commit that is built.
const FILES: &[&str] = &[
    "commit",
    "commit.txt",
    "commit_hash",
    "commit_sha",
    "commit-hash",
    "commit-hash.txt",
    "git_commit",
    "git-commit",
    "gitcommit",
    "git_hash",
    "git_sha",
    "git_rev",
    "git_revision",
    "git-commit.txt",
    "git_commit.txt",
    "revision",
    "revision.txt",
    ".commit",
    ".git_commit",
    ".revision",
    ".git-commit",
    "git-rev.txt",
    "git_sha.txt",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file, dockerfile) in project.dockerfiles() {
        written_out(id, file, dockerfile, findings);
        let builds: Vec<&Build> = project
            .facts()
            .builds
            .iter()
            .filter(|build| build.dockerfile == Some(id))
            .collect();
        committed(project, id, file, dockerfile, &builds, findings);
        without_repository(project, id, file, dockerfile, &builds, findings);
    }
    let mut seen = BTreeSet::new();
    for build in &project.facts().builds {
        for arg in &build.args {
            let value = arg.value.as_deref().unwrap_or_default();
            if is_one_of(COMMITS, &arg.name)
                && is_commit(value)
                && !clones(project, build.dockerfile)
                && seen.insert((arg.file, arg.span))
            {
                findings.push(
                    Finding::new(
                        RULE.id,
                        Severity::Low,
                        Confidence::Medium,
                        format!(
                            "`{}` is always `{value}`, whatever commit {} is built from",
                            arg.name, build.name
                        ),
                        (arg.file, arg.span),
                    )
                    .help("take it from git when the build is started: `git rev-parse HEAD`"),
                );
            }
        }
    }
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.contains(&name.trim_matches(['"', '\'']).to_ascii_lowercase().as_str())
}

/// Whether a text is a commit: hexadecimal, with digits and letters.
fn is_commit(text: &str) -> bool {
    let text = text.trim_matches(['"', '\'']);
    let is_hex = text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    is_hex
        && (7..=64).contains(&text.len())
        && text.contains(|c: char| c.is_ascii_digit())
        && text.contains(|c: char| c.is_ascii_alphabetic())
}

/// Whether a text is a day: it begins with a year, and no variable is in it.
fn is_day(text: &str) -> bool {
    let text = text.trim_matches(['"', '\'']);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (text.starts_with("20") || text.starts_with("19")) && digits >= 8 && !text.contains('$')
}

/// Whether a Dockerfile takes its code from a repository, so that a commit in it is that of the code.
fn clones(project: &Project, dockerfile: Option<FileId>) -> bool {
    dockerfile.is_some_and(|id| file_clones(project.file(id)))
}

fn file_clones(file: &File) -> bool {
    let mut commands = file.scripts.iter().flat_map(|script| script.script.commands());
    commands.any(|command| {
        let verb = git_verb(command).map(|(_, verb)| verb);
        matches!(verb, Some("clone" | "checkout" | "fetch" | "init" | "pull"))
            || matches!(command.name(), "curl" | "wget")
    })
}

/// Commits and dates that are written out.
fn written_out(id: FileId, file: &File, dockerfile: &Dockerfile, findings: &mut Vec<Finding>) {
    let fetches = || {
        let is_remote = |one: &Instruction| one.keyword == "ADD" && one.args.contains("://");
        file_clones(file) || dockerfile.instructions.iter().any(is_remote)
    };
    for instruction in &dockerfile.instructions {
        for assignment in &instruction.assignments {
            let Some(value) = &assignment.value else { continue };
            let name = assignment.name.raw.trim_matches(['"', '\'']);
            let span = Span::new(assignment.name.span.start, value.span.end);
            let shown = value.raw.trim_matches(['"', '\'']);
            if is_one_of(COMMITS, name) && is_commit(&value.raw) && !fetches() {
                findings.push(
                    Finding::new(
                        RULE.id,
                        Severity::Low,
                        Confidence::Medium,
                        format!("`{name}` is always `{shown}`, whatever commit is built"),
                        (id, span),
                    )
                    .help("let the build say it: `ARG GIT_COMMIT_HASH`, and its value instead of the commit"),
                );
            } else if instruction.keyword == "LABEL" && is_one_of(DATES, name) && is_day(&value.raw) {
                findings.push(
                    Finding::new(
                        RULE.id,
                        Severity::Info,
                        Confidence::High,
                        format!("`{name}` is always `{shown}`, whenever the image is built"),
                        (id, span),
                    )
                    .help("leave the label to the build: `--label`, or an action that sets it"),
                );
            }
        }
    }
}

/// Files with a commit that are in git and are copied into the image.
fn committed(
    project: &Project,
    id: FileId,
    file: &File,
    dockerfile: &Dockerfile,
    builds: &[&Build],
    findings: &mut Vec<Finding>,
) {
    let context = match builds.iter().find_map(|build| build.context.as_deref()) {
        Some(context) => context,
        None => file.source.folder(),
    };
    for instruction in &dockerfile.instructions {
        let Some(arguments) = instruction
            .copy_arguments()
            .filter(|_| instruction.copy_from().is_none())
        else {
            continue;
        };
        for source in arguments.sources.iter().filter(|source| !source.heredoc) {
            let name = source.text.rsplit('/').next().unwrap_or_default();
            let path = resolve(context, source.text.trim_start_matches('/'));
            let Some(path) =
                path.filter(|path| is_one_of(FILES, name) && project.tree().files.contains(path))
            else {
                continue;
            };
            let message = format!("`{path}` is in git: it cannot name the commit that it is a part of");
            findings.push(
                Finding::new(RULE.id, Severity::Low, Confidence::Medium, message, (id, source.span))
                    .help("write the commit during the build, from `ARG GIT_COMMIT_HASH`, and take the file out of git"),
            );
        }
    }
}

/// Steps that ask git for a version where the context has no repository.
fn without_repository(
    project: &Project,
    id: FileId,
    file: &File,
    dockerfile: &Dockerfile,
    builds: &[&Build],
    findings: &mut Vec<Finding>,
) {
    let Some(context) = builds.iter().find_map(|build| build.context.as_deref()) else {
        return;
    };
    let ignore = candidates(file.source.path(), context)
        .into_iter()
        .find_map(|path| project.find(&path))
        .map(|ignore| (ignore, &project.file(ignore).content));
    let Some((ignore, Content::Ignore(patterns))) = ignore else {
        return;
    };
    let Some(decision) = patterns
        .decision(".git", true)
        .filter(|decision| decision.ignored)
    else {
        return;
    };
    if patterns.enters(".git") || file_clones(file) {
        return;
    }
    for script in &file.scripts {
        let ScriptPlace::Run(instruction) = script.place else {
            continue;
        };
        let asks = script.script.commands().iter().find(|command| {
            matches!(
                git_verb(command),
                Some((_, "describe" | "rev-parse" | "log" | "rev-list" | "show"))
            )
        });
        let Some(command) = asks.filter(|_| copies_all(dockerfile, instruction)) else {
            continue;
        };
        let words: Vec<&str> = command
            .words
            .iter()
            .take(2)
            .map(|word| word.text.as_str())
            .collect();
        let message = format!(
            "`{}` finds no repository in the build: the version that it gives is not that of the code",
            words.join(" ")
        );
        findings.push(
            Finding::new(
                RULE.id,
                Severity::Low,
                Confidence::Medium,
                message,
                (id, command.span),
            )
            .help("ask git before the build, and pass the answer as a build argument")
            .also((ignore, decision.line.span), "leaves `.git` out"),
        );
    }
}

/// Whether the whole context was copied before an instruction, in its stage.
fn copies_all(dockerfile: &Dockerfile, instruction: usize) -> bool {
    let before = dockerfile
        .instructions
        .get(..instruction)
        .unwrap_or_default()
        .iter()
        .rev();
    let mut in_stage = before.take_while(|one| one.keyword != "FROM");
    in_stage.any(|one| {
        let is_all = |text: &str| matches!(text, "." | "./" | "/");
        one.copy_from().is_none()
            && one
                .copy_arguments()
                .is_some_and(|all| all.sources.iter().any(|source| is_all(&source.text)))
    })
}
