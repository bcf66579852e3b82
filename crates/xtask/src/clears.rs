//! Clears against builds: random histories of a project, `unstale clear`, and then what the next builds really reuse.
//!
//! A clear that calls itself proven must be followed by plain builds that reuse nothing; and a build of unstale must
//! never reuse what is from before the clear without saying so, whatever the clear could prove.

mod forwarder;
mod history;
mod tally;
mod traits;

use std::thread;
use std::time::Instant;

use clap::Args;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use testkit::{Buildkitd, Engine, Project, Registry};

use crate::run::succeed;
use crate::{report, run};
use history::{History, Place};
use tally::Tally;

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

/// Runs all histories; `false` when one of them shows a mistake.
///
/// # Errors
/// When an engine, the registry or the second builder does not answer, or a build fails that has to succeed.
pub fn campaign(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    let registry = testkit::registry().ok_or("no registry answers: run `testkit up registry`")?;
    let buildkitd = testkit::buildkitd().ok_or("no buildkitd answers: run `testkit up buildkitd`")?;
    run::build_unstale()?;
    let tallies: Vec<Result<Tally, String>> = thread::scope(|scope| {
        let (registry, buildkitd) = (&registry, &buildkitd);
        let threads: Vec<_> = engines
            .iter()
            .map(|engine| scope.spawn(move || on_engine(engine, registry, buildkitd, arguments)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or(Err("a thread panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    let tallies = tallies.into_iter().collect::<Result<Vec<Tally>, String>>()?;
    let command = format!(
        "cargo xtask clears --runs {} --seed {} --engines {} --report",
        arguments.runs,
        arguments.seed,
        arguments.engines.join(",")
    );
    let text = tally::page(&command, &engines, &tallies);
    println!("{text}");
    if arguments.report {
        report::write("clears.md", &text)?;
    }
    Ok(tallies.iter().all(Tally::is_right))
}

fn on_engine(
    engine: &'static Engine,
    registry: &Registry,
    buildkitd: &Buildkitd,
    arguments: &Arguments,
) -> Result<Tally, String> {
    let images = Project::new("clears-base");
    let place = Place {
        engine,
        registry,
        buildkitd,
        base: &format!("{}/{}:latest", registry.host, images.name()),
    };
    let docker = |arguments: &[&str]| succeed(run::bounded(&images, engine, "docker").args(arguments));
    docker(&["tag", "unstale-base", place.base])?;
    docker(&["push", "--quiet", place.base])?;
    let mut tally = Tally::default();
    for number in 0..arguments.runs {
        if arguments.only.is_some_and(|only| only != number) {
            continue;
        }
        let random = StdRng::seed_from_u64(arguments.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let _alone = engine.exclusive();
        let begun = Instant::now();
        let mut words = Vec::new();
        let judged = History::new(place, random).and_then(|mut history| {
            let judged = history.live();
            words.clone_from(&history.words);
            judged
        });
        let which = format!("{} {number}: {}", engine.name, words.join(", "));
        let judged = judged.map_err(|problem| format!("{which}: {problem}"))?;
        eprintln!("{which}: {:.1} s", begun.elapsed().as_secs_f64());
        tally.count(judged, &which, &words);
    }
    Ok(tally)
}
