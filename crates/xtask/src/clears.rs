//! Clears against builds: random histories of a project, `unstale clear`, and then what the next build really reuses.
//!
//! A clear that calls itself proven must be followed by a plain build that reuses nothing; and a build of unstale must
//! never reuse what is from before the clear without saying so, whatever the clear could prove.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use testkit::{Engine, Project, Registry};

use crate::run::succeed;
use crate::{plain, report, run};

/// How long a build that runs beside a clear may take to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// How much is done, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many histories each engine has
    #[arg(long, default_value_t = 100)]
    runs: u64,
    /// What the histories follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this one of the histories
    #[arg(long, value_name = "RUN")]
    only: Option<u64>,
    /// Engines by name
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME,…",
        default_value = "d20,d28,d28c"
    )]
    engines: Vec<String>,
    /// Write docs/benchmarks/clears.md
    #[arg(long)]
    report: bool,
}

/// What came of the histories of one engine.
#[derive(Default)]
struct Tally {
    histories: u64,
    proven: u64,
    /// Clears that were not proven, by the reason.
    unproven: BTreeMap<String, u64>,
    /// How often each thing was in a history.
    events: BTreeMap<&'static str, u64>,
    /// Clears that were proven, and a plain build reused something.
    false_proofs: Vec<String>,
    /// Clears that were not proven, and a plain build reused nothing.
    needless: Vec<String>,
    /// Builds of unstale that reused something from before.
    unnoticed: Vec<String>,
}

/// Runs all histories; `false` when one of them shows a mistake.
///
/// # Errors
/// When an engine or the registry does not answer, or a build fails that has to succeed.
pub fn campaign(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    let registry = testkit::registry().ok_or("no registry answers: run `testkit up registry`")?;
    run::build_unstale()?;
    let tallies: Vec<Result<Tally, String>> = thread::scope(|scope| {
        let registry = &registry;
        let threads: Vec<_> = engines
            .iter()
            .map(|engine| scope.spawn(move || on_engine(engine, registry, arguments)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or(Err("a thread panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    let tallies = tallies.into_iter().collect::<Result<Vec<Tally>, String>>()?;
    let text = page(arguments, &engines, &tallies);
    println!("{text}");
    if arguments.report {
        report::write("clears.md", &text)?;
    }
    Ok(tallies.iter().all(|tally| {
        tally.false_proofs.is_empty() && tally.needless.is_empty() && tally.unnoticed.is_empty()
    }))
}

fn on_engine(engine: &'static Engine, registry: &Registry, arguments: &Arguments) -> Result<Tally, String> {
    let mut tally = Tally::default();
    for number in 0..arguments.runs {
        if arguments.only.is_some_and(|only| only != number) {
            continue;
        }
        let random = StdRng::seed_from_u64(arguments.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let _alone = engine.exclusive();
        let mut history = History::new(engine, registry, random);
        let done = history.live(&mut tally);
        history.end();
        let judged = done.map_err(|problem| format!("{}, history {number}: {problem}", engine.name))?;
        let which = format!("{} {number}: {}", engine.name, history.words.join(", "));
        judged.count(&mut tally, &which);
    }
    Ok(tally)
}

/// One project, and what happens to it.
struct History {
    engine: &'static Engine,
    project: Project,
    random: StdRng,
    image: String,
    words: Vec<&'static str>,
    meanwhile: Option<Child>,
}

/// What a clear said, and what followed.
struct Judged {
    proven: bool,
    reasons: Vec<String>,
    /// How many steps a plain build reused; unknown if unstale built first.
    plain: Option<usize>,
    /// The steps that a build of unstale right after the clear reused.
    reused: Vec<String>,
}

impl History {
    fn new(engine: &'static Engine, registry: &Registry, mut random: StdRng) -> History {
        let project = Project::new("clears");
        let name = project.name().to_owned();
        let (inline, imports) = (random.random_bool(0.5), random.random_bool(0.5));
        let image = format!("{}/{name}:latest", registry.host);
        let mut words = Vec::new();
        words.extend(inline.then_some("inline cache"));
        words.extend(imports.then_some("cache_from"));
        let mount = if random.random_bool(0.3) {
            words.push("cache mount");
            format!("RUN --mount=type=cache,target=/kept echo {name} >> /kept/log\n")
        } else {
            String::new()
        };
        let dockerfile =
            format!("FROM unstale-base\nRUN echo {name} > /name\n{mount}COPY code /code\nRUN cat /code\n");
        project.write("Slowly", format!("{dockerfile}RUN echo {name}; sleep 2\n"));
        project.write("Dockerfile", dockerfile);
        project.write("code", "one");
        let args = if inline {
            ", args: {BUILDKIT_INLINE_CACHE: 1}"
        } else {
            ""
        };
        let from = if imports {
            format!(", cache_from: [\"{image}\"]")
        } else {
            String::new()
        };
        let build = format!("{{context: .{args}{from}}}");
        let service = format!("{{image: \"{image}\", build: {build}, command: sleep 1000, init: true}}");
        project.write(
            "compose.yaml",
            format!("name: {name}\nservices: {{app: {service}}}\n"),
        );
        History {
            engine,
            project,
            random,
            image,
            words,
            meanwhile: None,
        }
    }

    /// Lives through some events, the clear, and the builds after it.
    fn live(&mut self, tally: &mut Tally) -> Result<Judged, String> {
        for number in 0..self.random.random_range(1..5) {
            self.happen(number)?;
        }
        self.plain_build()?;
        if self.random.random_bool(0.25) {
            self.words.push("container");
            self.docker(&["compose", "up", "--detach", "--no-build"])?;
        }
        if self.random.random_bool(0.2) {
            self.words.push("build beside the clear");
            self.begin_slow_build()?;
        }
        let document = self.clear()?;
        if let Some(mut build) = self.meanwhile.take() {
            let _ = build.wait();
        }
        for word in &self.words {
            *tally.events.entry(word).or_default() += 1;
        }
        let unstale_first = self.random.random_bool(0.5);
        let plain = match unstale_first {
            true => None,
            false => Some(self.plain_build()?.len()),
        };
        // What a plain build brought back is from before the clear as well, but what it made itself is not.
        let reused = match unstale_first {
            true => self.unstale_build()?,
            false => Vec::new(),
        };
        let stores = document["stores"].as_array().into_iter().flatten();
        let left = stores.flat_map(|store| store["leftovers"].as_array().into_iter().flatten());
        let left = left.filter(|left| left["can_answer"] == true);
        Ok(Judged {
            proven: document["proven"] == true,
            reasons: left
                .map(|left| {
                    left["reason"]
                        .as_str()
                        .unwrap_or_default()
                        .replace(&self.image, "IMAGE")
                        .replace(self.project.name(), "PROJECT")
                })
                .collect(),
            plain,
            reused,
        })
    }

    fn happen(&mut self, number: u32) -> Result<(), String> {
        match self.random.random_range(0..7) {
            0 => {
                self.words.push("edit");
                self.project.write("code", format!("edit {number}"));
            }
            1 => {
                self.words.push("docker builder prune -f");
                self.docker(&["builder", "prune", "--force"])?;
            }
            2 => {
                self.words.push("unstale build");
                self.unstale_build()?;
            }
            3 => {
                self.words.push("push");
                self.plain_build()?;
                self.docker(&["push", &self.image.clone()])?;
            }
            4 if self.is_classic() && !self.words.contains(&"cache mount") => {
                self.words.push("classic builder");
                let mut command = run::bounded(&self.project, self.engine, "docker");
                command.args(["build", "--tag", &format!("{}-classic", self.project.name()), "."]);
                succeed(command.env("DOCKER_BUILDKIT", "0"))?;
            }
            _ => {
                self.words.push("docker compose build");
                self.plain_build()?;
            }
        }
        Ok(())
    }

    fn is_classic(&self) -> bool {
        ["d20", "d28"].contains(&self.engine.name.as_str())
    }

    fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let (stdout, stderr) = succeed(run::bounded(&self.project, self.engine, "docker").args(arguments))?;
        // Docker's progress is on either of the two.
        Ok(stdout + &stderr)
    }

    /// The instructions that a plain build reuses.
    fn plain_build(&self) -> Result<Vec<String>, String> {
        let output = self.docker(&["compose", "--progress", "plain", "build"])?;
        Ok(plain::reused(&output))
    }

    /// The instructions that a build of unstale reuses.
    fn unstale_build(&self) -> Result<Vec<String>, String> {
        let mut command = self.unstale();
        let (output, _) = succeed(command.args(["build", "--progress", "quiet", "--format", "json"]))?;
        let document: Value = serde_json::from_str(&output).map_err(|error| format!("{error}: {output}"))?;
        let steps = document["services"][0]["steps"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let reused = steps
            .iter()
            .filter(|step| step["kind"] == "instruction" && step["outcome"] == "cached");
        Ok(reused
            .map(|step| step["instruction"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    fn clear(&self) -> Result<Value, String> {
        let mut command = self.unstale();
        command.args(["clear", "--target", "all", "--yes", "--format", "json"]);
        let output = run::output(&mut command)?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn unstale(&self) -> Command {
        let mut command = self.project.unstale(self.engine);
        command.env("NO_COLOR", "1");
        command
    }

    fn begin_slow_build(&mut self) -> Result<(), String> {
        let mut command = run::bounded(&self.project, self.engine, "docker");
        command
            .args(["build", "--file", "Slowly", "."])
            .env("DOCKER_BUILDKIT", "1");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.meanwhile = Some(child.map_err(|error| format!("cannot run docker: {error}"))?);
        let end = Instant::now() + BEGIN;
        while Instant::now() < end {
            // Containerd's store cannot sum itself up while it lets go of a snapshot.
            let Ok(usage) = self.engine.api("GET", "/system/df?type=build-cache") else {
                continue;
            };
            let mut records = usage["BuildCache"].as_array().into_iter().flatten();
            if records
                .any(|record| record["InUse"] == true && record["Description"].to_string().contains("sleep"))
            {
                return Ok(());
            }
        }
        Err("the build beside the clear does not begin".to_owned())
    }

    /// Leaves nothing behind.
    fn end(&mut self) {
        if let Some(mut build) = self.meanwhile.take() {
            let _ = build.wait();
        }
        let _ = self.docker(&["compose", "down", "--timeout", "0"]);
        let _ = self.docker(&["image", "rm", "--force", &self.image.clone()]);
    }
}

impl Judged {
    fn count(&self, tally: &mut Tally, which: &str) {
        tally.histories += 1;
        match self.proven {
            true => tally.proven += 1,
            false => *tally.unproven.entry(self.reasons.join("; ")).or_default() += 1,
        }
        if !self.reused.is_empty() {
            tally
                .unnoticed
                .push(format!("{which}: {}", self.reused.join("; ")));
        }
        match (self.proven, self.plain) {
            (true, Some(1..)) => tally.false_proofs.push(which.to_owned()),
            (false, Some(0)) => tally
                .needless
                .push(format!("{which}: {}", self.reasons.join("; "))),
            _ => {}
        }
    }
}

fn page(arguments: &Arguments, engines: &[&Engine], tallies: &[Tally]) -> String {
    let what = "Random histories of a project (builds by `docker compose build`, by unstale and by the classic builder; edits, pushes, \
                prunes; inline caches, `cache_from`, cache mounts, containers that run, a build beside the clear), each on an engine held \
                alone. Then `unstale clear --target all --yes`, and a build. By turns that build is a plain one, which must reuse \
                nothing after a proven clear, and something after one that was not proven; or one of unstale, which must \
                reuse nothing in either case.";
    let command = format!(
        "cargo xtask clears --runs {} --seed {} --engines {} --report",
        arguments.runs,
        arguments.seed,
        arguments.engines.join(",")
    );
    let mut text = report::head("Clears against builds", &command, what);
    text.push_str("| engine | histories | proven | not proven | proven, and something reused | not proven, and nothing reused | unnoticed reuse by unstale |\n");
    text.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for (engine, tally) in engines.iter().zip(tallies) {
        text.push_str(&format!(
            "| {} {} | {} | {} | {} | {} | {} | {} |\n",
            engine.name,
            engine.version,
            tally.histories,
            tally.proven,
            tally.histories - tally.proven,
            tally.false_proofs.len(),
            tally.needless.len(),
            tally.unnoticed.len(),
        ));
    }
    for (engine, tally) in engines.iter().zip(tallies) {
        let counted = |counts: Vec<(String, u64)>| {
            let counts = counts
                .iter()
                .map(|(what, count)| format!("- {count} × {}\n", report::cell(what)));
            counts.collect::<String>()
        };
        let events = tally
            .events
            .iter()
            .map(|(what, count)| ((*what).to_owned(), *count));
        text.push_str(&format!(
            "\n## {}\n\nIn the histories:\n\n{}",
            engine.name,
            counted(events.collect())
        ));
        let reasons = tally.unproven.iter().map(|(what, count)| (what.clone(), *count));
        text.push_str(&format!(
            "\nNot proven because of:\n\n{}",
            counted(reasons.collect())
        ));
        let mistakes = [&tally.false_proofs, &tally.needless, &tally.unnoticed];
        for mistake in mistakes.into_iter().flatten() {
            text.push_str(&format!("\nMistake: {mistake}\n"));
        }
    }
    text
}
