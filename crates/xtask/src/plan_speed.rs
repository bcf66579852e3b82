//! How long a plan takes, beside `docker compose build` with nothing to do; and that it leaves the engine alone: no
//! container, no context, no record of the cache but the copies of the Dockerfile and of the ignore file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::Value;
use testkit::{Engine, Project, measure};

use crate::times::Times;
use crate::{report, run};

/// A plan must take less than this part of a build.
const LIMIT: f64 = 0.25;

/// How often an engine is asked for its disk usage at most.
const USAGE_TRIES: usize = 20;

/// What a daemon calls the folders that it received; ignore files come from contexts.
const DOCKERFILE: &str = "local source for dockerfile";
const CONTEXT: &str = "local source for context";

/// How many services the example builds, each with a context and an ignore file of its own.
const SERVICES: usize = 2;

/// Where it is measured, and how often.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An engine by name; all that answer without it
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<String>,
    /// How many times each is run
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: usize,
    /// Write docs/benchmarks/plan-speed.md
    #[arg(long)]
    report: bool,
}

/// Measures on all engines; `false` when a plan was too slow or did more than it may.
///
/// # Errors
/// When an engine does not answer, or a build or plan fails.
pub fn measure_all(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    let unstale = run::release_build()?;
    let names: String = arguments
        .engines
        .iter()
        .map(|name| format!(" --engine {name}"))
        .collect();
    let mut text = report::head(
        "The speed of a plan",
        &format!("cargo xtask plan-speed{names} --report"),
        &format!(
            "The example project (`examples/watch-party`, two services, 19 steps), committed and built by both, with nothing \
             to do: `unstale plan` (release build) and `docker compose build` by turns, {} times each, the engine held alone. \
             Times are those of the whole command. A plan must take less than a quarter of the build's median. It must also \
             start no container (the engine's events and its list of containers); leave no record in the build cache but the \
             engine's copies of the Dockerfile and of the ignore file; and send no context: of the engine's copies of folders, a build \
             uses those of the ignore files and those of the contexts, and a plan the former only.",
            arguments.rounds
        ),
    );
    text.push_str("| engine | plan: median | min | max | build: median | min | max | ratio | containers | records | copies of contexts used by a plan, a build |\n");
    text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    let mut good = true;
    for engine in engines {
        let line = on_engine(engine, &unstale, arguments.rounds)?;
        good &= line.is_good();
        let row = line.row(engine);
        print!("{row}");
        text.push_str(&row);
    }
    if arguments.report {
        report::write("plan-speed.md", &text)?;
    }
    Ok(good)
}

/// One line of the report.
struct Line {
    plan: Times,
    build: Times,
    /// Containers that plans started.
    containers: usize,
    /// Records of the cache that a plan left, but for what it may.
    records: Vec<String>,
    /// How many of the engine's copies of contexts, ignore files among them, a plan and a build used.
    contexts: (usize, usize),
}

impl Line {
    fn ratio(&self) -> f64 {
        self.plan.median() / self.build.median()
    }

    fn is_good(&self) -> bool {
        self.ratio() < LIMIT
            && self.containers == 0
            && self.records.is_empty()
            && self.contexts == (SERVICES, 2 * SERVICES)
    }

    fn row(&self, engine: &Engine) -> String {
        let records = if self.records.is_empty() {
            "none".to_owned()
        } else {
            report::cell(&self.records.join("; "))
        };
        format!(
            "| {} {} | {} | {} | {:.2} | {} | {records} | {}, {} |\n",
            engine.name,
            engine.version,
            self.plan.cells(),
            self.build.cells(),
            self.ratio(),
            self.containers,
            self.contexts.0,
            self.contexts.1,
        )
    }
}

fn on_engine(engine: &Engine, unstale: &Path, rounds: usize) -> Result<Line, String> {
    let _alone = engine.exclusive();
    let project = example(engine)?;
    let plan = || {
        let mut command = project.command(engine, unstale);
        command.arg("plan");
        command
    };
    let compose = || {
        let mut command = project.command(engine, "docker");
        command.args(["compose", "build"]);
        command
    };
    timed(project.command(engine, unstale).arg("build"))?;
    timed(&mut compose())?;
    let (before, listed) = (SystemTime::now(), containers(engine)?);
    let (mut plans, mut builds) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Whatever comes second may find a warmer machine.
        for turn in [round, round + 1] {
            if turn % 2 == 0 {
                // Fails unless there is nothing to do.
                plans.push(timed(plan().arg("--detailed-exitcode"))?);
            } else {
                builds.push(timed(&mut compose())?);
            }
        }
    }

    let known = records(engine)?;
    timed(plan().arg("--detailed-exitcode"))?;
    let after_plan = records(engine)?;
    let (started, listed_after) = (started(&project, engine, before)?, containers(engine)?);
    timed(project.command(engine, unstale).arg("build"))?;
    let after_build = records(engine)?;
    let new = after_plan.iter().filter(|(id, _)| !known.contains_key(*id));
    let unexpected = new.filter(|(_, record)| ![DOCKERFILE, CONTEXT].contains(&record.description.as_str()));
    Ok(Line {
        plan: Times::new(&plans),
        build: Times::new(&builds),
        containers: started.max(listed_after.abs_diff(listed)),
        records: unexpected.map(|(_, record)| record.description.clone()).collect(),
        contexts: (used(&known, &after_plan), used(&after_plan, &after_build)),
    })
}

/// A committed copy of the example with image names of its own, and its base image.
fn example(engine: &Engine) -> Result<Project, String> {
    let project = Project::new("planspeed");
    let from = run::workspace().join("examples/watch-party/.");
    let mut copy = project.command(engine, "cp");
    timed(copy.arg("-R").arg(from).arg(project.path()))?;
    for file in ["docker-compose.yml", "backend/Dockerfile", "frontend/Dockerfile"] {
        let path = project.path().join(file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        project.write(file, text.replace("watchparty-", &format!("{}-", project.name())));
    }
    let mut base = project.command(engine, "bash");
    let image = format!("{}-base:latest", project.name());
    timed(base.arg("scripts/make-base-image.sh").env("IMAGE", image))?;
    project.commit("the example");
    Ok(project)
}

/// Runs a program that must succeed.
fn timed(command: &mut Command) -> Result<Duration, String> {
    let program = format!("{command:?}");
    let measured = measure(command).map_err(|error| format!("cannot run {program}: {error}"))?;
    if measured.status.success() {
        Ok(measured.duration)
    } else {
        Err(format!("{program} failed: {}", measured.stderr))
    }
}

/// A record of the build cache.
struct Record {
    description: String,
    uses: u64,
}

/// The engine's build cache, by id.
fn records(engine: &Engine) -> Result<BTreeMap<String, Record>, String> {
    // Containerd's store cannot sum itself up while it lets go of a snapshot.
    let usage = (1..USAGE_TRIES)
        .find_map(|_| engine.api("GET", "/system/df").ok())
        .map_or_else(|| engine.api("GET", "/system/df"), Ok);
    let usage = usage.map_err(|error| error.to_string())?;
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let records = usage["BuildCache"].as_array().into_iter().flatten();
    let own = |record: &Value| {
        let description = text(record, "Description");
        let uses = record["UsageCount"].as_u64().unwrap_or(0);
        (text(record, "ID"), Record { description, uses })
    };
    Ok(records.map(own).collect())
}

/// How many copies of contexts were used between two looks at the records.
fn used(before: &BTreeMap<String, Record>, after: &BTreeMap<String, Record>) -> usize {
    let contexts = after.iter().filter(|(_, record)| record.description == CONTEXT);
    let uses = |id: &String| before.get(id).map(|record| record.uses);
    contexts
        .filter(|(id, record)| uses(id) != Some(record.uses))
        .count()
}

/// How many containers the engine has, running or not.
fn containers(engine: &Engine) -> Result<usize, String> {
    let list = engine
        .api("GET", "/containers/json?all=1")
        .map_err(|error| error.to_string())?;
    Ok(list.as_array().map_or(0, Vec::len))
}

/// How many containers the engine's events tell of since a time.
fn started(project: &Project, engine: &Engine, since: SystemTime) -> Result<usize, String> {
    let stamp = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
    };
    let mut command = project.command(engine, "docker");
    let (since, until) = (stamp(since), stamp(SystemTime::now()));
    command.args([
        "events",
        "--filter",
        "type=container",
        "--since",
        &since,
        "--until",
        &until,
    ]);
    let output = run::output(&mut command)?;
    if !output.status.success() {
        return Err(format!(
            "docker events failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().count())
}
