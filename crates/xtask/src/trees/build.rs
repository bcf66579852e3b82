//! One build of a context by one tool, and what the tool said of its COPY and ADD steps.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use testkit::{Engine, Project, unique, unstale_binary};

use crate::run;

/// Who builds.
#[derive(Debug, Clone, Copy)]
pub enum Tool {
    /// `unstale build`.
    Unstale,
    /// `docker buildx build`.
    Buildx,
}

/// What the cache may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `--no-cache`: every step runs, so the image holds what this builder sent.
    Fresh,
    /// As usual.
    Cached,
}

/// How a build ended.
#[derive(Debug)]
pub enum Built {
    /// An image.
    Image {
        /// Its name in the engine.
        tag: String,
        /// The COPY and ADD steps by name, and whether each was cached.
        copies: Vec<(String, bool)>,
    },
    /// A failure, and what was said of it.
    Failed(String),
}

/// Builds a context.
///
/// # Errors
/// When the tool cannot be run, or what it prints is not understood.
pub fn build(
    project: &Project,
    engine: &Engine,
    context: &Path,
    dockerfile: &Path,
    tool: Tool,
    mode: Mode,
) -> Result<Built, String> {
    let tag = format!("{}:{}", project.name(), unique("t"));
    let mut command = match tool {
        Tool::Unstale => run::bounded(project, engine, unstale_binary()),
        Tool::Buildx => run::bounded(project, engine, "docker"),
    };
    match tool {
        Tool::Unstale => command.args(["build", "--progress", "plain", "--format", "json", "--dockerfile"]),
        Tool::Buildx => command.args(["buildx", "build", "--progress", "rawjson", "--file"]),
    };
    command.arg(dockerfile).args(["--tag", &tag]);
    if mode == Mode::Fresh {
        command.arg("--no-cache");
    }
    let output = run::output(command.arg(context))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // A build that failed, and not a crash or the time limit. Buildx has a code for some gRPC statuses.
        let failed: &[i32] = match tool {
            Tool::Unstale => &[1, 20],
            Tool::Buildx => &[1, 100],
        };
        if output.status.code().is_some_and(|code| failed.contains(&code)) {
            return Ok(Built::Failed(last_words(&errors)));
        }
        return Err(format!(
            "{tool:?} ended with {}: {}",
            output.status,
            last_words(&errors)
        ));
    }
    let copies = match tool {
        Tool::Unstale => own_steps(&output.stdout)?,
        Tool::Buildx => vertexes(&errors),
    };
    Ok(Built::Image { tag, copies })
}

fn own_steps(document: &[u8]) -> Result<Vec<(String, bool)>, String> {
    let document: Value =
        serde_json::from_slice(document).map_err(|error| format!("unstale printed no JSON: {error}"))?;
    let steps = document["services"][0]["steps"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let steps = steps
        .iter()
        .map(|step| (text(&step["name"]), step["outcome"] == "cached"));
    Ok(steps.filter(|(name, _)| is_copy(name)).collect())
}

/// Buildx's progress: one JSON document a line, each with what is new of some vertexes.
fn vertexes(progress: &str) -> Vec<(String, bool)> {
    let mut last: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for line in progress.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        for vertex in line["vertexes"].as_array().into_iter().flatten() {
            let name = text(&vertex["name"]);
            if is_copy(&name) {
                last.insert(text(&vertex["digest"]), (name, vertex["cached"] == true));
            }
        }
    }
    last.into_values().collect()
}

fn is_copy(name: &str) -> bool {
    let instruction = name.split_once("] ").map_or(name, |(_, instruction)| instruction);
    name.starts_with('[') && ["COPY ", "ADD "].iter().any(|word| instruction.starts_with(word))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The error in what a tool printed: the last line that says so, else the last line.
fn last_words(errors: &str) -> String {
    let lines = || {
        errors
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with("{\""))
    };
    let error = lines().rfind(|line| line.to_ascii_lowercase().starts_with("error"));
    error
        .or_else(|| lines().next_back())
        .unwrap_or("(nothing)")
        .to_owned()
}
