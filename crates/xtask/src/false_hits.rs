//! No false hit: what each tool makes of a change that keeps size and time, measured side by side.
//!
//! Ours must see every change; what the peers do is recorded as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use clap::Args;
use serde_json::Value;
use testkit::false_hits::{CASES, Case, Observed, Verdict};
use testkit::{Engine, Project, image_tree, unique, unstale_binary};

use crate::{report, run};

/// Where, and whether the report is written.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Engines by name (default: all that answer)
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    engines: Vec<String>,
    /// Write docs/benchmarks/false-hits.md
    #[arg(long)]
    report: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Unstale,
    Buildx,
    Compose,
}

const TOOLS: [(Tool, &str); 3] = [
    (Tool::Unstale, "unstale build"),
    (Tool::Buildx, "docker buildx build"),
    (Tool::Compose, "docker compose build"),
];

type Results = BTreeMap<(&'static str, &'static str), Result<Verdict, String>>;

/// Measures all cases; `false` when ours did not see a change.
///
/// # Errors
/// When no engine answers.
pub fn measure(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    run::build_unstale()?;
    let results: Vec<(&Engine, Results)> = thread::scope(|scope| {
        let threads: Vec<_> = engines
            .iter()
            .map(|engine| (*engine, scope.spawn(|| on_engine(engine))))
            .collect();
        threads
            .into_iter()
            .map(|(engine, thread)| (engine, thread.join().unwrap_or_default()))
            .collect()
    });
    let text = markdown(&results, &arguments.engines);
    println!("{text}");
    if arguments.report {
        report::write("false-hits.md", &text)?;
    }
    let ours = |results: &Results| {
        CASES
            .iter()
            .all(|case| matches!(results.get(&(case.name, TOOLS[0].1)), Some(Ok(Verdict::New))))
    };
    Ok(results.iter().all(|(_, results)| ours(results)))
}

fn on_engine(engine: &Engine) -> Results {
    let mut results = Results::new();
    for case in &CASES {
        for (tool, name) in TOOLS {
            let _hold = engine.shared();
            results.insert((case.name, name), judge(engine, case, tool));
        }
    }
    results
}

fn judge(engine: &Engine, case: &Case, tool: Tool) -> Result<Verdict, String> {
    let project = Project::new("false-hits");
    case.judge(&project.path(), |context| {
        let tag = format!("{}:{}", project.name(), unique("t"));
        let copy_ran = build(&project, engine, context, &tag, tool)?;
        Ok(Observed {
            tree: image_tree(engine, &tag).map_err(|error| error.full())?,
            copy_ran,
        })
    })
}

/// Builds a context and answers whether its COPY ran.
fn build(project: &Project, engine: &Engine, context: &Path, tag: &str, tool: Tool) -> Result<bool, String> {
    let mut command = match tool {
        Tool::Unstale => run::bounded(project, engine, unstale_binary()),
        Tool::Buildx | Tool::Compose => run::bounded(project, engine, "docker"),
    };
    match tool {
        Tool::Unstale => command
            .args(["build", "--progress", "quiet", "--format", "json", "--tag", tag])
            .arg(context),
        Tool::Buildx => command
            .args(["buildx", "build", "--progress", "plain", "--tag", tag])
            .arg(context),
        Tool::Compose => {
            let service = serde_json::json!({ "build": context, "image": tag });
            let file = serde_json::json!({ "services": { "app": service } });
            let path = project.path().with_file_name("compose.json");
            std::fs::write(&path, file.to_string())
                .map_err(|error| format!("{}: {error}", path.display()))?;
            command
                .args(["compose", "--progress", "plain", "--file"])
                .arg(path)
                .arg("build")
        }
    };
    let output = run::output(&mut command)?;
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(printed.into_owned());
    }
    let ran = match tool {
        Tool::Unstale => copy_in_report(&output.stdout),
        Tool::Buildx | Tool::Compose => copy_in_progress(&printed),
    };
    ran.ok_or_else(|| format!("no COPY step in {printed:?}"))
}

fn copy_in_report(document: &[u8]) -> Option<bool> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let steps = document["services"][0]["steps"].as_array()?;
    let copy = steps
        .iter()
        .find(|step| step["name"].as_str().is_some_and(|name| name.contains("] COPY ")))?;
    Some(copy["outcome"] == "ran")
}

/// In Docker's plain progress a step is named by a line `#7 [2/2] COPY …`, and cached if there is a line `#7 CACHED`.
fn copy_in_progress(printed: &str) -> Option<bool> {
    let copy = printed
        .lines()
        .find(|line| line.starts_with('#') && line.contains("] COPY "))?;
    let number = copy.split_whitespace().next()?;
    Some(!printed.contains(&format!("{number} CACHED")))
}

fn markdown(results: &[(&Engine, Results)], engines: &[String]) -> String {
    let names = if engines.is_empty() {
        String::new()
    } else {
        format!(" --engines {}", engines.join(","))
    };
    let mut text = report::head(
        "No false hit",
        &format!("cargo xtask false-hits{names} --report"),
        "A context is built, changed, and built again; size and modification time of what changes stay the same, as \
         after `rsync -t`, a restored CI cache, or `git checkout` with restored times. *New*: the second image holds what is \
         on disk. **Old**: it holds what was there before. Of a symbolic link's target and of an extended attribute the \
         step is looked at: it ran (new) or was taken from the cache (old); no engine writes user attributes into an \
         image, but RUN steps see them.",
    );
    text.push_str("| change |");
    for (engine, _) in results {
        for (_, tool) in TOOLS {
            text.push_str(&format!(" {} {}: `{tool}` |", engine.name, engine.version));
        }
    }
    text.push_str(&format!(
        "\n|---|{}\n",
        "---|".repeat(results.len() * TOOLS.len())
    ));
    for case in &CASES {
        text.push_str(&format!("| {} |", case.name));
        for (_, results) in results {
            for (_, tool) in TOOLS {
                let cell = match results.get(&(case.name, tool)) {
                    Some(Ok(Verdict::New)) => "new".to_owned(),
                    Some(Ok(Verdict::Old)) => "**old**".to_owned(),
                    Some(Ok(Verdict::Mixed)) => "**mixed**".to_owned(),
                    Some(Err(error)) => format!("failed: {}", report::cell(error)),
                    None => "not run".to_owned(),
                };
                text.push_str(&format!(" {cell} |"));
            }
        }
        text.push('\n');
    }
    text
}
