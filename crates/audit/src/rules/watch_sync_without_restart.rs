//! `docker compose watch` copies changed code into a container whose program does not look at it: `action: sync` with a program
//! that is compiled, or that reads its code only when it starts.
//!
//! ## Why
//!
//! The file in the container is new, and the process is older than it: what answers is the old code. Nothing fails, and the
//! output of `watch` says that the file was synced.
//!
//! ## Example
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   api:
//!     build: .
//!     develop:
//!       watch:
//!         - action: sync
//!           path: ./api
//!           target: /src/api
//! ```
//!
//! ```dockerfile
//! FROM golang:1.25
//! WORKDIR /src
//! COPY . .
//! RUN go build -o /usr/local/bin/api ./api
//! CMD ["/usr/local/bin/api"]
//! ```
//!
//! `api/main.go`:
//!
//! ```go
//! package main
//! ```
//!
//! ## Instead
//!
//! `action: rebuild` for compiled code; `action: sync+restart` for code that is read at the start:
//!
//! `compose.yaml`:
//!
//! ```yaml
//! services:
//!   api:
//!     build: .
//!     develop:
//!       watch:
//!         - action: rebuild
//!           path: ./api
//! ```
//!
//! ```dockerfile
//! FROM golang:1.25
//! WORKDIR /src
//! COPY . .
//! RUN go build -o /usr/local/bin/api ./api
//! CMD ["/usr/local/bin/api"]
//! ```
//!
//! `api/main.go`:
//!
//! ```go
//! package main
//! ```
//!
//! ## References
//!
//! - Docker, "Use Compose Watch": "`sync` is ideal for frameworks that support hot reload or equivalent functionality";
//!   `rebuild` "is ideal for compiled languages".

use super::Rule;
use crate::compose::{Watch, resolve};
use crate::facts::{BuiltService, built_services, files_below};
use crate::{Confidence, Finding, Project, Severity};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "watch-sync-without-restart",
    "code is synced into a container whose program does not read it again",
    Severity::Low,
    check,
);

/// Ends of the names of files that are compiled before they run.
const COMPILED: &[&str] = &["c", "cc", "cpp", "cs", "fs", "go", "java", "kt", "rs", "scala", "swift"];
/// Ends of the names of files that may be read while a program runs.
const READ: &[&str] = &["css", "erb", "ex", "exs", "html", "js", "jsx", "php", "py", "rb", "scss", "svelte", "ts", "tsx", "tmpl", "vue"];
/// What looks at its sources, or stands for what is not known: scripts, task runners.
const WATCHERS: &[&str] = &[
    "air", "reflex", "CompileDaemon", "gow", "fresh", "realize", "modd", "entr", "watch", "reload", "dev", "nodemon", "bacon",
    "systemfd", "gradle", "gradlew", "mvn", "mvnw", "quarkus", "tilt", "skaffold", "make", "just", "task", "npm", "yarn", "pnpm", "bun", "sleep",
    "tail", "debug", "dlv", "turbo", "lite", "supervisord", "wgo", "arelo", "gin", "sbt",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for built in built_services(project) {
        for rule in &built.service.watch {
            let place = project.find(&rule.place.path).map(|file| (file, rule.place.span));
            let Some(place) = place.filter(|place| seen.insert(*place)) else {
                continue;
            };
            let Some(what) = unread(project, &built, rule) else {
                continue;
            };
            let service = &built.service.name;
            let path = rule.path.as_ref().map_or("", |path| path.value.as_str());
            let message = format!("`{path}` is synced into service `{service}`, which goes on running {}", what.0);
            findings.push(Finding::new(RULE.id, RULE.severity, Confidence::Medium, message, place).help(what.1));
        }
    }
}

/// What goes on running, and what to do, if a sync alone changes nothing.
fn unread(project: &Project, built: &BuiltService<'_>, rule: &Watch) -> Option<(&'static str, &'static str)> {
    if rule.action.as_ref()?.value != "sync" {
        return None;
    }
    let path = rule.path.as_ref()?;
    let folder = resolve(&path.place.folder, &path.value)?;
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let files = &project.tree().files;
    let own = files.get(&folder).map(String::as_str);
    let ends: BTreeSet<&str> = own
        .into_iter()
        .chain(files_below(files, &prefix))
        .filter_map(|path| path.rsplit('/').next()?.rsplit_once('.').map(|(_, end)| end))
        .collect();
    let has = |wanted: &[&str]| wanted.iter().any(|end| ends.contains(end));
    let start = start(built)?;
    let words: Vec<&str> = start.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.'))).filter(|word| !word.is_empty()).collect();
    let is_watching = words.iter().any(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        WATCHERS.contains(&name) || name.ends_with(".sh")
    });
    if is_watching {
        return None;
    }
    let program = words.first().map(|word| word.rsplit('/').next().unwrap_or(word))?;
    if has(COMPILED) && !has(READ) && !matches!(program, "sh" | "bash" | "go" | "cargo") {
        return Some(("what was compiled before", "use `action: rebuild` for code that is compiled"));
    }
    let reads = match program {
        "node" => &["js", "mjs", "cjs", "ts"][..],
        "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "waitress" => &["py"],
        _ => return None,
    };
    let is_asset = ["public", "static", "assets", "templates", "views"].iter().any(|part| folder.split('/').any(|own| own == *part));
    (has(reads) && !is_asset).then_some((
        "the code that it read when it started",
        "use `action: sync+restart`, or let the program look for changes",
    ))
}

/// What the container runs; none if no file says it.
fn start(built: &BuiltService<'_>) -> Option<String> {
    let join = |command: &crate::compose::Command| {
        let words: Vec<&str> = command.words.iter().map(|word| word.value.as_str()).collect();
        words.join(" ")
    };
    let entrypoint = built.service.entrypoint.as_ref().map(join);
    let own = entrypoint.is_some();
    let entrypoint = entrypoint.or_else(|| built.paths.entrypoint.clone());
    let command = built.service.command.as_ref().map(join);
    // An entrypoint of the service takes the image's command away.
    let command = command.or_else(|| built.paths.command.clone().filter(|_| !own));
    let parts: Vec<String> = entrypoint.into_iter().chain(command).collect();
    let text = parts.join(" ");
    (!text.trim().is_empty() && !text.contains('$')).then_some(text)
}
