//! An ignore file leaves out what the Dockerfile copies: the file that a `COPY` names, what its pattern should find, or code
//! below a folder that it copies.
//!
//! ## Why
//!
//! What is ignored is not in the context, for the engine as if it were not there. A `COPY` that names it fails; the deploy
//! script that goes on all the same starts the image from before. A folder or a pattern takes what is left, without a word:
//! the change never reaches the image, or the lock file is missing and other versions are installed.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! ```
//!
//! ```dockerignore
//! node_modules
//! package-lock.json
//! ```
//!
//! `package-lock.json`:
//! ```json
//! {}
//! ```
//!
//! `package.json`:
//! ```json
//! {}
//! ```
//!
//! ## Instead
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY package.json package-lock.json ./
//! RUN npm ci
//! ```
//!
//! ```dockerignore
//! node_modules
//! ```
//!
//! `package-lock.json`:
//! ```json
//! {}
//! ```
//!
//! `package.json`:
//! ```json
//! {}
//! ```
//!
//! ## References
//!
//! - [CopyIgnoredFile](https://docs.docker.com/reference/build-checks/copy-ignored-file/), a check of the engine's for the
//!   first of these

use super::Rule;
use crate::dockerignore::{Content, IgnoreFile, Line};
use crate::facts::{BuildContext, ContextIgnore, ContextOrigin, ContextSource, PathKind, context_copies};
use crate::{Confidence, FileId, Finding, Project, Severity};
use std::collections::BTreeSet;
use unstale_context::{Matcher, Selector};

pub(super) const RULE: Rule = Rule::new(
    "dockerignore-hides-source",
    "an ignore file that leaves out what the Dockerfile copies",
    Severity::High,
    check,
);

/// How many files below one folder are looked at.
const MOST_FILES: usize = 20_000;

/// Extensions of code.
pub(super) const CODE: &[&str] = &[
    "c", "cc", "clj", "cpp", "cs", "css", "dart", "ex", "exs", "fs", "go", "h", "hpp", "hs", "html", "java",
    "jl", "js", "jsx", "kt", "kts", "lua", "mjs", "php", "pl", "proto", "py", "rb", "rs", "scala", "scss",
    "sql", "svelte", "swift", "tmpl", "ts", "tsx", "vue",
];

/// Names of folders for outputs, which code has too.
const OUTPUT_NAMES: &[&str] = &[
    "bin", "build", "cache", "coverage", "dist", "env", "lib", "log", "logs", "obj", "out", "target", "tmp",
    "vendor",
];

/// Folders below which code is.
const CODE_FOLDERS: &[&str] = &[
    "app", "apps", "cmd", "internal", "lib", "libs", "packages", "pkg", "src",
];

/// Files without which others are installed than those that were locked.
pub(super) const LOCK_FILES: &[&str] = &[
    "Cargo.lock",
    "Gemfile.lock",
    "Pipfile.lock",
    "bun.lock",
    "bun.lockb",
    "composer.lock",
    "go.sum",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "yarn.lock",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut folders_told: BTreeSet<(FileId, usize)> = BTreeSet::new();
    for (id, _, dockerfile) in project.dockerfiles() {
        let contexts: Vec<&BuildContext> = project
            .facts()
            .contexts
            .iter()
            .filter(|context| context.dockerfile == id)
            .collect();
        let copies = context_copies(dockerfile);
        for context in &contexts {
            let (Some(ignore), ContextIgnore::File(ignore_id)) =
                (context.ignore_file(project), context.ignore)
            else {
                continue;
            };
            let place = Place {
                project,
                context,
                ignore,
                ignore_id,
            };
            for copy in &copies {
                for source in &copy.sources {
                    let found = place.hidden(source).or_else(|| {
                        let (found, line) = place.hidden_below(source)?;
                        folders_told.insert((ignore_id, line)).then_some(found)
                    });
                    findings.extend(found);
                }
            }
        }
    }
}

struct Place<'p> {
    project: &'p Project,
    context: &'p BuildContext,
    ignore: &'p IgnoreFile,
    ignore_id: FileId,
}

impl<'p> Place<'p> {
    fn finding(&self, severity: Severity, source: &ContextSource, line: &Line, message: String) -> Finding {
        let path = self.project.file(self.ignore_id).source.path();
        Finding::new(
            RULE.id,
            severity,
            self.context.confidence(),
            message,
            (self.context.dockerfile, source.span),
        )
        .also((self.ignore_id, line.span), "leaves it out")
        .help(format!(
            "take the line out of `{path}`, or bring back what is copied with a line `!…` below it"
        ))
    }

    fn text(&self, line: &Line) -> &str {
        line.span
            .slice(self.project.file(self.ignore_id).source.text())
            .trim()
    }

    /// What a source names, if nothing of it is in the context.
    fn hidden(&self, source: &ContextSource) -> Option<Finding> {
        let path = source.path.as_deref()?;
        if source.is_whole() {
            return self.all_hidden(source);
        }
        if source.is_pattern() {
            return self.hidden_matches(source, path);
        }
        let kind = self.context.kind(self.project, path);
        // Where nobody says which folder the context is, only what is there tells.
        if kind.is_none() && self.context.origin != ContextOrigin::Named {
            return None;
        }
        let is_folder = kind != Some(PathKind::File);
        let decision = self
            .ignore
            .decision(path, is_folder)
            .filter(|decision| decision.ignored)?;
        if is_folder && self.ignore.enters(path) {
            // A line that brings back a folder below brings back this one.
            let mut folders = self.context.folders_below(self.project, path);
            if folders.any(|folder| !self.ignore.ignores(&folder, true)) {
                return None;
            }
            let mut files = self
                .context
                .files_below(self.project, path)
                .take(MOST_FILES)
                .peekable();
            // Something may be brought back that no file shows.
            files.peek()?;
            if files.any(|file| !self.ignore.ignores(file, false)) {
                return None;
            }
        }
        let line = self.text(decision.line);
        let message = format!(
            "`{}` is not in the context: `{line}` leaves it out, and the build fails",
            source.text
        );
        Some(self.finding(Severity::High, source, decision.line, message))
    }

    /// A copy of the whole context of which nothing is left.
    fn all_hidden(&self, source: &ContextSource) -> Option<Finding> {
        // Something may be brought back that is made before the build.
        let brings_back = |line: &Line| matches!(line.content, Content::Pattern { exception: true, .. });
        if self.context.origin != ContextOrigin::Named && self.ignore.lines().iter().any(brings_back) {
            return None;
        }
        let mut hiding = None;
        let mut count = 0;
        for file in self.context.files_below(self.project, "").take(MOST_FILES) {
            match self
                .ignore
                .decision(file, false)
                .filter(|decision| decision.ignored)
            {
                Some(decision) => hiding = Some(decision.line),
                None => return None,
            }
            count += 1;
        }
        // The Dockerfile and the ignore file are in every context.
        let line = hiding.filter(|_| count > 2)?;
        let message = format!(
            "`{}` copies nothing: `{}` leaves all files out",
            source.text,
            self.text(line)
        );
        Some(self.finding(Severity::High, source, line, message))
    }

    /// A pattern that would find files of which the ignore file leaves out all, or a lock file.
    fn hidden_matches(&self, source: &ContextSource, pattern: &str) -> Option<Finding> {
        let matcher = matcher(pattern)?;
        let folder = pattern
            .split(['*', '?', '['])
            .next()
            .and_then(|start| start.rsplit_once('/'))
            .map_or("", |(folder, _)| folder);
        let depth = pattern.split('/').count();
        let mut hidden = Vec::new();
        let mut left = 0;
        for file in self.context.files_below(self.project, folder).take(MOST_FILES) {
            if file.split('/').count() != depth || !matcher.selects(file, false) {
                continue;
            }
            match self
                .ignore
                .decision(file, false)
                .filter(|decision| decision.ignored)
            {
                Some(decision) => hidden.push((file, decision.line)),
                None => left += 1,
            }
        }
        let is_lock = |file: &str| LOCK_FILES.contains(&file.rsplit('/').next().unwrap_or(file));
        let (file, line) = *match left {
            0 => hidden.first()?,
            _ => hidden.iter().find(|(file, _)| is_lock(file))?,
        };
        let text = self.text(line);
        let (severity, message) = match left {
            0 => (
                Severity::High,
                format!(
                    "`{}` finds nothing in the context: `{text}` leaves `{file}` out",
                    source.text
                ),
            ),
            _ => (
                Severity::Medium,
                format!(
                    "`{}` does not bring `{file}`: `{text}` leaves it out",
                    source.text
                ),
            ),
        };
        Some(self.finding(severity, source, line, message))
    }

    /// Code below a copied folder that a line for outputs leaves out too. Gives the line's number with it.
    fn hidden_below(&self, source: &ContextSource) -> Option<(Finding, usize)> {
        let path = source
            .path
            .as_deref()
            .filter(|_| source.is_whole() || !source.is_pattern())?;
        let folder = if source.is_whole() { "" } else { path };
        let is_broad =
            |line: &Line| !self.text(line).starts_with('!') && output_name(self.text(line)).is_some();
        if !self.ignore.lines().iter().any(is_broad) {
            return None;
        }
        for file in self.context.files_below(self.project, folder).take(MOST_FILES) {
            let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
            if !CODE.contains(&extension) || is_test(file) {
                continue;
            }
            let Some(decision) = self
                .ignore
                .decision(file, false)
                .filter(|decision| decision.ignored)
            else {
                continue;
            };
            let line = self.text(decision.line);
            if !is_too_broad(line, file) {
                continue;
            }
            let message = format!(
                "`{}` does not bring `{file}`: `{line}` leaves it out",
                source.text
            );
            let mut finding = self.finding(Severity::Medium, source, decision.line, message);
            finding.confidence = finding.confidence.min(Confidence::Medium);
            return Some((finding, decision.line.number));
        }
        None
    }
}

/// The name of outputs that a pattern leaves out at any depth: `build` of `**/build/`.
fn output_name(pattern: &str) -> Option<&str> {
    let bare = pattern
        .trim_end_matches("/**")
        .trim_end_matches("/*")
        .trim_matches('/');
    bare.strip_prefix("**/")
        .filter(|name| OUTPUT_NAMES.contains(name))
}

/// Whether a pattern for outputs at any depth leaves out a file that is code by its place: `**/build` and `src/build/x.ts`.
fn is_too_broad(pattern: &str, file: &str) -> bool {
    let Some(name) = output_name(pattern) else {
        return false;
    };
    let parts: Vec<&str> = file.split('/').collect();
    let Some(at) = parts.iter().position(|part| *part == name) else {
        return false;
    };
    parts.iter().take(at).any(|part| CODE_FOLDERS.contains(part))
        && !parts.iter().any(|part| matches!(*part, "node_modules" | "vendor" | "third_party"))
        // A package of a workspace has outputs of its own.
        && !parts.windows(3).any(|three| matches!(three, ["packages" | "apps" | "libs", _, last] if *last == name))
}

fn is_test(file: &str) -> bool {
    file.split('/').any(|part| {
        matches!(
            part,
            "test" | "tests" | "__tests__" | "spec" | "testdata" | "fixtures" | "e2e" | "examples" | "docs"
        )
    }) || file.contains(".test.")
        || file.contains(".spec.")
}

fn matcher(pattern: &str) -> Option<Matcher> {
    Selector::new(vec![pattern.to_owned()], Vec::new(), Vec::new())
        .matcher()
        .ok()
}
