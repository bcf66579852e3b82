//! What each way of clearing does to the next build, on each engine: the table in `docs/clearing.md`.
//!
//! The builds are those that people run. What unstale says of its own clears must hold, or the command fails.

mod ways;

use std::fs::{self, File};
use std::thread;

use clap::Args;
use serde_json::Value;
use testkit::{Engine, Project, Registry, Store};

use crate::{plain, report, run};
use ways::{Cache, EDIT, Next, PRUNE_ALL, WAYS, Way};

/// The instructions of the project that may be reused.
const STEPS: usize = 3;

/// How often an engine is asked for its disk usage at most.
const USAGE_TRIES: usize = 20;

/// Where the table stands.
const PAGE: &str = "docs/clearing.md";

/// Where it is measured.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Engines by name; all that answer without it
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    engines: Vec<String>,
    /// Write the table into docs/clearing.md
    #[arg(long)]
    report: bool,
}

/// What was seen.
struct Seen {
    text: String,
    /// It is as unstale promises, if it promises anything.
    kept: bool,
}

/// Tries all ways on all engines; `false` when unstale does not keep a promise.
///
/// # Errors
/// When an engine or the registry does not answer, or a command fails that has to succeed.
pub fn measure(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    let registry = testkit::registry().ok_or("no registry answers: run `testkit up registry`")?;
    run::build_unstale()?;
    let columns: Vec<Result<Vec<Seen>, String>> = thread::scope(|scope| {
        let registry = &registry;
        let on_engine = |engine: &'static Engine| {
            let tried = WAYS.iter().map(|way| {
                let _alone = engine.exclusive();
                let trial = Trial::new(engine, registry, way)?;
                trial
                    .run()
                    .map_err(|problem| format!("{}, {}: {problem}", engine.name, way.words()))
            });
            tried.collect()
        };
        let threads: Vec<_> = engines
            .iter()
            .map(|&engine| scope.spawn(move || on_engine(engine)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or(Err("a thread panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    let columns = columns.into_iter().collect::<Result<Vec<_>, String>>()?;
    let text = table(&engines, &columns);
    println!("{text}");
    if arguments.report {
        report::write_section(PAGE, "clearing-table", &text)?;
    }
    Ok(columns.iter().flatten().all(|seen| seen.kept))
}

/// A project of its own for one way on one engine.
struct Trial<'a> {
    engine: &'static Engine,
    way: &'a Way,
    project: Project,
    image: String,
    base: String,
}

impl<'a> Trial<'a> {
    fn new(engine: &'static Engine, registry: &Registry, way: &'a Way) -> Result<Trial<'a>, String> {
        let project = Project::new("clearing");
        let name = project.name().to_owned();
        let trial = Trial {
            engine,
            way,
            image: format!("{}/{name}:latest", registry.host),
            base: format!("{}/{name}-base:latest", registry.host),
            project,
        };
        let from = match way.next {
            Next::DockerPull => &trial.base,
            _ => "unstale-base",
        };
        let dockerfile = format!("FROM {from}\nRUN echo {name} > /name\nCOPY code /code\nRUN cat /code\n");
        trial.project.write("Dockerfile", dockerfile);
        trial.project.write("code", "one");
        let args = match way.cache {
            Cache::None => "",
            _ => ", args: {BUILDKIT_INLINE_CACHE: 1}",
        };
        let imports = match way.cache {
            Cache::None | Cache::Inline => String::new(),
            Cache::Imported | Cache::Pushed => format!(", cache_from: [\"{}\"]", trial.image),
        };
        let service = format!(
            "{{image: \"{}\", build: {{context: .{args}{imports}}}}}",
            trial.image
        );
        trial.project.write(
            "compose.yaml",
            format!("name: {name}\nservices: {{app: {service}}}\n"),
        );
        Ok(trial)
    }

    fn run(&self) -> Result<Seen, String> {
        self.shell(PRUNE_ALL)?;
        // Containerd's store cannot sum itself up while it lets go of a snapshot.
        let usage = || self.engine.api("GET", "/system/df?type=build-cache").ok();
        let usage = (0..USAGE_TRIES).find_map(|_| usage());
        let usage = usage.ok_or("the engine does not say what its cache holds")?;
        if let Some(records @ 1..) = usage["BuildCache"].as_array().map(Vec::len) {
            return Err(format!("{records} records stay in the cache: restart the engine"));
        }
        if self.way.next == Next::DockerPull {
            self.shell(&format!(
                "docker tag unstale-base {0} && docker push {0}",
                self.base
            ))?;
        }
        let first = self.docker_build("")?;
        if !first.is_empty() {
            return Err(format!("the first build reused {}", first.join(", ")));
        }
        if self.way.cache == Cache::Pushed {
            self.shell(&format!("docker push {}", self.image))?;
        }
        let before = self.layers()?;
        let mut proven = None;
        for &command in self.way.commands {
            match command {
                EDIT => self.edit()?,
                _ if command.starts_with("unstale ") => proven = Some(self.clear(command)?),
                _ => self.shell_and_other_images(command)?,
            }
        }
        let without_cache = self
            .way
            .commands
            .iter()
            .any(|command| command.ends_with("--no-cache"));
        let between = if without_cache { self.layers()? } else { Vec::new() };
        let reused = match self.way.next {
            Next::Docker => self.docker_build("")?,
            Next::DockerPull => self.docker_build("--pull")?,
            Next::Unstale => self.unstale_build()?,
        };
        let mut text = match reused.len() {
            0 => "all run".to_owned(),
            STEPS => "all reused".to_owned(),
            _ => format!(
                "only `{}` reused",
                reused.join("`, `").replace(self.project.name(), "NAME")
            ),
        };
        let mut kept = true;
        match proven {
            Some(true) => {
                text.push_str("; said: proven");
                kept &= reused.is_empty();
            }
            Some(false) => text.push_str("; said: not proven"),
            None => {}
        }
        if self.way.next == Next::Unstale {
            kept &= proven.is_none() || reused.is_empty();
        }
        if without_cache {
            let layers = self.layers()?;
            let whose = match () {
                () if layers == between => "; they are from that build",
                () if layers == before => "; they are from before it",
                () => "",
            };
            text.push_str(whose);
        }
        if self.way.commands.contains(&EDIT) {
            let code = self.shell(&format!(
                "docker run --rm --network none {} cat /code",
                self.image
            ))?;
            let is_new = code == "two";
            text.push_str(if is_new { "; new code" } else { "; **old code**" });
            kept &= is_new || self.way.next != Next::Unstale;
        }
        // Images whose names the last build has taken.
        self.shell("docker image prune -f")?;
        Ok(Seen { text, kept })
    }

    /// Runs a command line, and gives what it wrote.
    fn shell(&self, command: &str) -> Result<String, String> {
        let mut shell = run::bounded(&self.project, self.engine, "sh");
        let (stdout, stderr) = run::succeed(shell.args(["-c", command]))?;
        // Docker's progress is on either of the two.
        Ok(stdout + &stderr)
    }

    /// Runs a command that may remove everybody's images, and brings those back that are not the project's, like a registry
    /// would.
    fn shell_and_other_images(&self, command: &str) -> Result<(), String> {
        let removes = command.contains("image prune") || command.contains("system prune -af");
        if !removes {
            return self.shell(command).map(drop);
        }
        let list = self.shell("docker image ls --format '{{.Repository}}:{{.Tag}}'")?;
        let others = list
            .lines()
            .filter(|name| !name.contains(self.project.name()) && !name.contains("<none>"));
        let archive = self.project.path().with_extension("tar");
        let others: Vec<&str> = others.collect();
        self.shell(&format!(
            "docker save --output {} {}",
            archive.display(),
            others.join(" ")
        ))?;
        let done = self.shell(command);
        self.shell(&format!("docker load --input {}", archive.display()))?;
        done.map(drop)
    }

    /// The instructions that a plain build reuses.
    fn docker_build(&self, option: &str) -> Result<Vec<String>, String> {
        let output = self.shell(&format!("docker compose --progress plain build {option}"))?;
        Ok(plain::reused(&output))
    }

    /// The instructions that a build of unstale reuses.
    fn unstale_build(&self) -> Result<Vec<String>, String> {
        let mut command = self.project.unstale(self.engine);
        let (output, _) = run::succeed(command.args(["build", "--progress", "quiet", "--format", "json"]))?;
        let document: Value = serde_json::from_str(&output).map_err(|error| format!("{error}: {output}"))?;
        let steps = document["services"][0]["steps"].as_array().into_iter().flatten();
        let reused = steps.filter(|step| step["kind"] == "instruction" && step["outcome"] == "cached");
        Ok(reused
            .map(|step| step["instruction"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// Whether a clear of unstale calls itself proven.
    fn clear(&self, command: &str) -> Result<bool, String> {
        let mut unstale = self.project.unstale(self.engine);
        unstale
            .args(command.split(' ').skip(1))
            .args(["--format", "json"]);
        let output = run::output(&mut unstale)?;
        let document: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(document["proven"] == true)
    }

    /// What tells one result from another.
    fn layers(&self) -> Result<Vec<String>, String> {
        let layers = self.shell(&format!(
            "docker image inspect --format '{{{{join .RootFS.Layers \"\\n\"}}}}' {}",
            self.image
        ))?;
        Ok(layers.lines().map(str::to_owned).collect())
    }

    fn edit(&self) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot edit code: {error}");
        let path = self.project.path().join("code");
        let time = fs::metadata(&path)
            .and_then(|metadata| metadata.modified())
            .map_err(failed)?;
        self.project.write("code", "two");
        let file = File::options().write(true).open(&path).map_err(failed)?;
        file.set_modified(time).map_err(failed)
    }
}

fn table(engines: &[&Engine], columns: &[Vec<Seen>]) -> String {
    let names: Vec<&str> = engines.iter().map(|engine| engine.name.as_str()).collect();
    let command = format!(
        "cargo xtask clearing-table --engines {} --report",
        names.join(",")
    );
    let mut text = format!(
        "Three steps (`RUN`, `COPY`, `RUN`) on a base image, built with `docker compose build` into an empty cache, cleared, and \
         built again; the engine held alone. Measured by `{command}` on {} ({}); do not edit it.\n\n",
        report::date(),
        report::peers()
    );
    text.push_str("| cleared by | the project's cache | then | ");
    for engine in engines {
        let store = match engine.store {
            Store::Classic => "classic",
            Store::Containerd => "containerd",
        };
        text.push_str(&format!("{}, {store} | ", engine.version));
    }
    text.push_str(&format!("\n|---|---|---|{}\n", "---|".repeat(engines.len())));
    for (number, way) in WAYS.iter().enumerate() {
        text.push_str(&format!(
            "| {} | {} | {} | ",
            way.words(),
            way.cache.words(),
            way.next.words()
        ));
        for column in columns {
            text.push_str(&format!("{} | ", report::cell(&column[number].text)));
        }
        text.push('\n');
    }
    text.replace(" | \n", " |\n")
}
