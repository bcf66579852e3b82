//! The Dockerfile reader against the engine's own frontend: a corpus, and mutations of it.
//!
//! Three things must be equal for every file: whether it parses; where it does not, the line of the error, if the engine
//! names one; where it does, the list of instructions with their first and last lines. The engine is asked through its
//! frontend's questions about a file (`frontend.targets`, `frontend.lint`), so nothing is built, and no image is needed.

mod ask;
mod compare;
mod corpus;
mod mutate;
mod page;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use testkit::Engine;

use crate::{report, run};
use ask::Asker;
use corpus::File;
use page::Tally;

/// Which files, and what is asked.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder of Dockerfiles: every file in it is taken for one. Copy in what there is: your own projects', those of
    /// cloned repositories
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// How many mutated files besides
    #[arg(long, default_value_t = 10_000)]
    mutations: usize,
    /// What the mutations follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the file of this name in the list of disagreements
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Engines by name; they must have BuildKit 0.25 or a frontend with the same rules
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", default_value = "d28c")]
    engines: Vec<String>,
    /// Write every file of a disagreement into this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Write docs/benchmarks/dockerfiles.md
    #[arg(long)]
    report: bool,
}

/// Compares all files on all engines; `false` when there is a disagreement.
///
/// # Errors
/// When there is no corpus, or an engine does not answer.
pub fn compare_all(arguments: &Arguments) -> Result<bool, String> {
    let real = corpus::read(&arguments.corpus)?;
    let mut files = real.clone();
    files.extend(mutate::all(&real, arguments.mutations, arguments.seed));
    if let Some(only) = &arguments.only {
        files.retain(|file| file.name == *only);
    }
    let engines = run::chosen(&arguments.engines)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    let mut tallies = Vec::new();
    for engine in engines {
        let _shared = engine.shared();
        let tally = runtime.block_on(on_engine(engine, &files))?;
        tallies.push((engine, tally));
    }
    for (_, tally) in &tallies {
        if let Some(folder) = &arguments.keep {
            tally.keep(folder, &files)?;
        }
    }
    let command = format!(
        "cargo xtask dockerfiles --corpus DIR --mutations {} --seed {} --engines {} --report",
        arguments.mutations,
        arguments.seed,
        arguments.engines.join(",")
    );
    let text = page::page(&command, &real, &tallies);
    println!("{text}");
    if arguments.report {
        report::write("dockerfiles.md", &text)?;
    }
    Ok(tallies.iter().all(|(_, tally)| tally.disagreements.is_empty()))
}

async fn on_engine(engine: &'static Engine, files: &[File]) -> Result<Tally, String> {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let work = || async {
        let mut asker = Asker::connect(engine).await?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else { break };
            let answer = asker.ask(&file.bytes).await;
            let answer = answer.map_err(|why| format!("{}: {why}", file.name))?;
            let compared = compare::compare(&file.bytes, &answer);
            let Ok(mut tally) = tally.lock() else { break };
            tally.count(file, &answer, compared);
            if index % 1000 == 999 {
                let (found, seconds) = (tally.disagreements.len(), begun.elapsed().as_secs());
                eprintln!(
                    "{}: {} files, {found} disagreements, {seconds} s",
                    engine.name,
                    index + 1
                );
            }
        }
        asker.close().await
    };
    // They wait for the engine, not for the processor: one task is enough for all.
    let (one, two, three, four) = tokio::join!(work(), work(), work(), work());
    one.and(two).and(three).and(four)?;
    let mut tally = tally.into_inner().map_err(|_| "a worker panicked".to_owned())?;
    tally.seconds = begun.elapsed().as_secs();
    tally
        .disagreements
        .sort_by(|one, other| one.file.cmp(&other.file));
    Ok(tally)
}
