//! An argument that carries the commit is declared before the install of dependencies: every commit installs all of them
//! again.
//!
//! ## Why
//!
//! An argument with a value is part of the environment of every `RUN` behind its declaration, whether the command uses it or
//! not, and so part of its cache key. Where it stands before `npm ci` or `apt-get install`, no commit ever finds these in the
//! cache. That is slow, and people who have a slow build take the argument out, or stop to pass it: then nothing shows which
//! commit an image is made of.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! ARG GIT_COMMIT_HASH=unknown
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! COPY . .
//! RUN GIT_COMMIT=$GIT_COMMIT_HASH npm run build
//! ```
//!
//! `deploy.sh`:
//! ```sh
//! docker build --build-arg GIT_COMMIT_HASH="$(git rev-parse HEAD)" -t shop .
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! ARG GIT_COMMIT_HASH=unknown
//! COPY . .
//! RUN GIT_COMMIT=$GIT_COMMIT_HASH npm run build
//! ```
//!
//! `deploy.sh`:
//! ```sh
//! docker build --build-arg GIT_COMMIT_HASH="$(git rev-parse HEAD)" -t shop .
//! ```
//!
//! ## Fix safety
//!
//! The fix moves the declaration, with labels and variables that stand right behind it and use it, below the install, if
//! nothing between uses it. An install may read the variable from its environment, so the fix is unsafe.
//!
//! ## References
//!
//! - [Impact of build arguments on the cache](https://docs.docker.com/reference/dockerfile/#impact-on-build-caching)

use super::Rule;
use crate::facts::{
    CommitArg, DependencyInstall, Installs, commit_args, context_copies, dependency_installs, given,
};
use crate::{Applicability, Confidence, Edit, FileId, Finding, Fix, Project, Severity, Source, Span};
use unstale_dockerfile::{Declaration, DeclarationKind, Dockerfile, Instruction, Scope, base_chain};

pub(super) const RULE: Rule = Rule::new(
    "commit-arg-busts-dependencies",
    "a commit argument that is declared before the install of dependencies",
    Severity::Medium,
    check,
)
.fixable();

/// How many installs are shown.
const SHOWN: usize = 3;

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file, dockerfile) in project.dockerfiles() {
        let args = commit_args(project, id);
        if args.is_empty() || project.never_reuses(id) {
            continue;
        }
        let stages = dockerfile.stages();
        let installs = dependency_installs(project, id);
        // Behind a copy of the whole context every commit runs an install again, with the argument and without it.
        let copies = context_copies(dockerfile);
        let is_based_on =
            |stage: usize, wanted: usize| base_chain(&stages, stage).any(|stage| stage.index == wanted);
        let is_behind_copy = |install: &DependencyInstall| {
            copies.iter().any(|copy| {
                copy.whole().is_some()
                    && copy.instruction < install.instruction
                    && is_based_on(install.stage, copy.stage)
            })
        };
        for arg in args {
            // Without a value it busts nothing: that is `commit-arg-not-passed`.
            let given = given(project, id, &arg.name);
            if given.by_none() || given.giving.is_empty() && is_given_without_cache(project, &arg.name) {
                continue;
            }
            let mut told = Vec::new();
            for declaration in &arg.declarations {
                let Scope::Stage(stage) = declaration.scope else {
                    continue;
                };
                let busted: Vec<&DependencyInstall> = installs
                    .iter()
                    .filter(|install| install.what != Installs::Project && !is_behind_copy(install))
                    .filter(|install| !told.contains(&install.instruction))
                    .filter(|install| install.instruction > declaration.instruction)
                    .filter(|install| is_based_on(install.stage, stage))
                    .collect();
                let Some(first) = busted.first() else {
                    continue;
                };
                told.extend(busted.iter().map(|install| install.instruction));
                let confidence = match (given.giving.is_empty(), given.elsewhere) {
                    (false, _) => Confidence::High,
                    (true, true) => Confidence::Medium,
                    // Nobody is known to give it.
                    (true, false) => Confidence::Low,
                };
                let last = busted
                    .iter()
                    .filter(|install| install.stage == stage)
                    .map(|install| install.instruction)
                    .max();
                let mut finding = Finding::new(
                    RULE.id,
                    Severity::Medium,
                    confidence,
                    format!(
                        "`{}` is declared before `{}`: {} runs it again",
                        arg.name,
                        first.name,
                        match confidence {
                            Confidence::High => "every commit",
                            _ => "each commit that a build gives it",
                        }
                    ),
                    (id, declaration.name_span),
                )
                .help(match early_use(id, project, dockerfile, &arg, declaration, first) {
                    _ if busted.iter().any(|install| install.stage != stage) => format!(
                        "declare it, and what uses `{}`, in the stages that are built on this one, below their installs",
                        arg.name
                    ),
                    Some(line) => format!(
                        "declare it below the install, and move what uses `{}` there too (line {line})",
                        arg.name
                    ),
                    None => format!("declare it below the install, right before what uses `{}`", arg.name),
                })
                .fix(
                    last.filter(|_| busted.iter().all(|install| install.stage == stage))
                        .and_then(|last| moved(id, &file.source, dockerfile, &arg, declaration, last)),
                );
                if let Some((other, note)) = changes_too(dockerfile, declaration, first.instruction) {
                    finding = finding.also((id, other.name_span), note);
                }
                for install in busted.iter().take(SHOWN) {
                    finding = finding.also((id, install.span), "runs again with every commit");
                }
                findings.push(finding);
            }
        }
    }
}

/// Whether all builds that give an argument to a Dockerfile that they do not tell find nothing in a cache.
fn is_given_without_cache(project: &Project, name: &str) -> bool {
    let builds = project.facts().builds.iter();
    let mut unknown = builds.filter(|build| build.dockerfile.is_none() && build.arg(name).is_some()).peekable();
    unknown.peek().is_some() && unknown.all(|build| project.finds_no_cache(build))
}

/// The line of the first instruction between the declaration and an install that uses the argument.
fn early_use(
    file: FileId,
    project: &Project,
    dockerfile: &Dockerfile,
    arg: &CommitArg,
    declaration: &Declaration,
    install: &DependencyInstall,
) -> Option<usize> {
    let source = &project.file(file).source;
    let names = [arg.name.clone()];
    let mut between = dockerfile.instructions.get(declaration.instruction + 1..install.instruction)?.iter();
    between.find(|instruction| uses(instruction, &names, source)).map(|found| found.start_line)
}

/// Another argument before an install whose value changes as often, and what to say of it: a time or a number that no two builds
/// share, a version that `git describe` may give.
fn changes_too(dockerfile: &Dockerfile, own: &Declaration, install: usize) -> Option<(Declaration, &'static str)> {
    let note = |name: &str| {
        let name = name.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if has(&["DATE", "TIME", "BUILD_NUMBER", "BUILD_ID", "RUN_ID"]) {
            return Some("changes with every build too: move it as well");
        }
        matches!(name.as_str(), "VERSION" | "APP_VERSION" | "BUILD_VERSION").then_some("move it as well where it changes with every commit")
    };
    let before = dockerfile.declarations().into_iter().filter(|other| {
        other.kind == DeclarationKind::Arg && other.scope == own.scope && other.instruction < install
    });
    let mut noted: Vec<(Declaration, &str)> = before.filter_map(|other| note(&other.name).map(|note| (other, note))).collect();
    noted.sort_by_key(|(_, note)| !note.starts_with("changes"));
    noted.into_iter().next()
}

/// Moves the declaration below the install `last`, if nothing on the way needs it.
fn moved(
    file: FileId,
    source: &Source,
    dockerfile: &Dockerfile,
    arg: &CommitArg,
    declaration: &Declaration,
    last: usize,
) -> Option<Fix> {
    let instructions = &dockerfile.instructions;
    let own = instructions.get(declaration.instruction)?;
    if own.assignments.len() != 1 {
        return None;
    }
    // Labels and variables right behind it go with it.
    let mut end = declaration.instruction;
    let mut names = vec![arg.name.clone()];
    while let Some(next) = instructions.get(end + 1).filter(|_| end + 1 < last) {
        let goes_along = matches!(next.keyword.as_str(), "LABEL" | "ENV")
            && next.assignments.len() == 1
            && uses(next, &names, source);
        if !goes_along {
            break;
        }
        if next.keyword == "ENV" {
            names.extend(
                next.assignments
                    .first()
                    .map(|assignment| assignment.name.raw.clone()),
            );
        }
        end += 1;
    }
    let between = instructions.get(end + 1..=last)?;
    if between
        .iter()
        .any(|instruction| uses(instruction, &names, source) || sets(instruction, &names))
    {
        return None;
    }
    let moved = instructions.get(end)?;
    let whole = source.whole_lines(Span::new(own.span.start, moved.span.end));
    // A comment right above speaks of it.
    let mut first = source.position(own.span.start).line;
    let is_comment = |line: usize| {
        let text = source
            .line(line)
            .map_or("", |span| span.slice(source.text()))
            .trim_start();
        text.starts_with('#') && dockerfile.comments.iter().any(|comment| comment.line == line)
    };
    while first > 1 && is_comment(first - 1) {
        first -= 1;
    }
    let start = source.line(first)?.start;
    let cut = Span::new(start, whole.end);
    let target = source.whole_lines(instructions.get(last)?.span).end;
    let line_break = if source.text().contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let text = cut.slice(source.text());
    if text.is_empty() || target <= cut.end {
        return None;
    }
    let needs_break = !source.text().get(..target)?.ends_with('\n');
    let content = match needs_break {
        true => format!("{line_break}{}", text.trim_end_matches(['\r', '\n'])),
        false => text.to_owned(),
    };
    // Where it stood between empty lines, one of them goes with it.
    let empty = |line: usize| {
        source
            .line(line)
            .is_some_and(|span| span.slice(source.text()).trim().is_empty())
    };
    let after = source.position(cut.end).line;
    let stands_alone = first > 1 && empty(first - 1) && empty(after);
    let cut = match stands_alone {
        true => Span::new(cut.start, source.whole_lines(Span::new(cut.end, cut.end)).end),
        false => cut,
    };
    Some(Fix {
        title: format!("declare {} below the install", arg.name),
        change: format!("Moved {} below the install of dependencies", arg.name),
        impact: "A commit no longer installs all dependencies again".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![
            Edit {
                file,
                span: cut,
                content: String::new(),
            },
            Edit {
                file,
                span: Span::new(target, target),
                content,
            },
        ],
    })
}

/// Whether an instruction has one of the names anywhere in it.
fn uses(instruction: &Instruction, names: &[String], source: &Source) -> bool {
    let text = instruction.span.slice(source.text());
    names.iter().any(|name| text.contains(name.as_str()))
}

fn sets(instruction: &Instruction, names: &[String]) -> bool {
    instruction.keyword == "FROM"
        || instruction
            .assignments
            .iter()
            .any(|assignment| names.contains(&assignment.name.raw))
}
