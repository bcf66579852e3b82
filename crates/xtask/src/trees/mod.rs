//! Same tree, same image: random contexts are built by us and by buildx, on each engine.
//!
//! For every run the two images must have the same file tree (names, modes, owners, link targets, hard links, contents,
//! attributes), each sent by its own builder (`--no-cache`); and a build of the one right after the other must find
//! every COPY in the cache, which compares BuildKit's own digests of the two contexts. The order changes from run to run.
//! Where one builder fails, the other must too.

mod build;
mod recipe;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use clap::Args;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use testkit::{Engine, Node, Project, image_tree};

use self::build::{Built, Mode, Tool};
use crate::{report, run};

/// Which runs, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many random trees
    #[arg(long, default_value_t = 200)]
    runs: u64,
    /// What the trees follow from: the same seed, the same trees
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do this one run only
    #[arg(long, value_name = "RUN")]
    only: Option<u64>,
    /// Engines by name (default: all that answer)
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    engines: Vec<String>,
    /// Write the context of --only into this folder, which must not exist, and build nothing
    #[arg(long, requires = "only", value_name = "FOLDER")]
    plant: Option<PathBuf>,
    /// Write docs/benchmarks/trees.md
    #[arg(long)]
    report: bool,
}

/// What came of the runs on one engine.
#[derive(Debug, Default)]
struct Tally {
    /// Both images were built and are the same.
    same: u64,
    /// Paths in the images that were compared.
    paths: u64,
    /// COPY and ADD steps that the second builder found in the cache.
    cached: u64,
    /// Both builders failed, by the engine's reason.
    failed: BTreeMap<String, u64>,
    /// What must not be.
    differences: Vec<String>,
}

/// Runs the campaign; `false` when there was a difference.
///
/// # Errors
/// When no engine answers, or a program cannot be run at all.
pub fn campaign(arguments: &Arguments) -> Result<bool, String> {
    if let (Some(folder), Some(number)) = (&arguments.plant, arguments.only) {
        fs::create_dir(folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let dockerfile = plant(folder, arguments.seed, number)?;
        println!("planted; the Dockerfile is {}", dockerfile.display());
        return Ok(true);
    }
    let engines = run::chosen(&arguments.engines)?;
    run::build_unstale()?;
    let started = Instant::now();
    let tallies: Vec<(&Engine, Tally)> = thread::scope(|scope| {
        let threads: Vec<_> = engines
            .iter()
            .map(|engine| (*engine, scope.spawn(|| on_engine(engine, arguments))))
            .collect();
        threads
            .into_iter()
            .map(|(engine, thread)| (engine, thread.join().unwrap_or_default()))
            .collect()
    });
    let elapsed = started.elapsed();
    for (engine, tally) in &tallies {
        println!(
            "{}: {} same ({} paths), {} steps cached, {} failed in both, {} differences",
            engine.name,
            tally.same,
            tally.paths,
            tally.cached,
            tally.failed.values().sum::<u64>(),
            tally.differences.len()
        );
        for (reason, count) in &tally.failed {
            println!("  {count} × {reason}");
        }
    }
    if arguments.report {
        report::write("trees.md", &markdown(arguments, &tallies, elapsed.as_secs()))?;
    }
    let expected = if arguments.only.is_some() {
        1
    } else {
        arguments.runs
    };
    Ok(tallies.iter().all(|(_, tally)| {
        tally.differences.is_empty() && tally.same + tally.failed.values().sum::<u64>() == expected
    }))
}

fn on_engine(engine: &Engine, arguments: &Arguments) -> Tally {
    let mut tally = Tally::default();
    let numbers = arguments.only.map_or(0..arguments.runs, |only| only..only + 1);
    for number in numbers {
        let _hold = engine.shared();
        if let Err(difference) = one(engine, arguments.seed, number, &mut tally) {
            let seed = arguments.seed;
            eprintln!(
                "{}: run {number}: {difference}\n  again: cargo xtask trees --seed {seed} --only {number} --engines {}",
                engine.name, engine.name
            );
            tally.differences.push(format!("run {number}: {difference}"));
        }
    }
    tally
}

/// Plants the context of one run; answers its Dockerfile.
fn plant(root: &Path, seed: u64, number: u64) -> Result<PathBuf, String> {
    let failed = |error| format!("cannot make the tree in {}: {error}", root.display());
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let tree = tree::plant(root, &mut random).map_err(failed)?;
    recipe::write(root, &tree, &mut random).map_err(failed)
}

fn one(engine: &Engine, seed: u64, number: u64, tally: &mut Tally) -> Result<(), String> {
    let project = Project::new("trees");
    let context = project.path().join("context");
    fs::create_dir(&context).map_err(|error| format!("cannot create {}: {error}", context.display()))?;
    let dockerfile = plant(&context, seed, number)?;
    let order = if number % 2 == 0 {
        [Tool::Unstale, Tool::Buildx]
    } else {
        [Tool::Buildx, Tool::Unstale]
    };
    let build = |tool, mode| build::build(&project, engine, &context, &dockerfile, tool, mode);
    let first = build(order[0], Mode::Fresh)?;
    let second = build(order[1], Mode::Cached)?;
    match (&first, &second) {
        (Built::Failed(one), Built::Failed(two)) => {
            // In the end both pass on the engine's own words, if it was the engine that failed.
            let reason = reason(one, two);
            *tally.failed.entry(reason).or_default() += 1;
            return Ok(());
        }
        (Built::Image { .. }, Built::Image { copies, .. }) => {
            if let Some((name, _)) = copies.iter().find(|(_, cached)| !cached) {
                return Err(format!(
                    "{:?} after {:?} was not cached: {name}",
                    order[1], order[0]
                ));
            }
            if copies.is_empty() {
                return Err(format!("{:?} told of no COPY", order[1]));
            }
            tally.cached += copies.len() as u64;
        }
        (Built::Failed(why), _) => return Err(format!("only {:?} failed: {why}", order[0])),
        (_, Built::Failed(why)) => return Err(format!("only {:?} failed: {why}", order[1])),
    }
    let second = build(order[1], Mode::Fresh)?;
    let (Built::Image { tag: one, .. }, Built::Image { tag: two, .. }) = (first, second) else {
        return Err(format!("{:?} failed with --no-cache only", order[1]));
    };
    let tree = |tag: &str| image_tree(engine, tag).map_err(|error| error.full());
    let (one, two) = (tree(&one)?, tree(&two)?);
    if let Some(difference) = difference(&one, &two) {
        return Err(format!("{:?} and {:?} differ: {difference}", order[0], order[1]));
    }
    tally.same += 1;
    tally.paths += one.len() as u64;
    Ok(())
}

/// A short common reason of two failures: the words of the longer common tail, without digests and names.
fn reason(one: &str, two: &str) -> String {
    const KNOWN: [&str; 13] = [
        "non-printable ascii characters",
        "not found",
        "no such file or directory",
        "cannot copy to non-directory",
        "not a directory",
        "is a directory",
        "file exists",
        "too many levels of symbolic links",
        "too many links",
        "syntax error in pattern",
        "unknown flag",
        "must be a directory and end with a /",
        "invalid argument",
    ];
    let known = KNOWN
        .iter()
        .find(|known| one.contains(**known) && two.contains(**known));
    known.map_or_else(|| format!("{one} | {two}"), |known| (*known).to_owned())
}

/// The first path that is not the same in two trees.
fn difference(one: &BTreeMap<PathBuf, Node>, two: &BTreeMap<PathBuf, Node>) -> Option<String> {
    let paths = one.keys().chain(two.keys());
    let path = paths.filter(|path| one.get(*path) != two.get(*path)).min()?;
    Some(format!(
        "{path:?}: {:?} against {:?}",
        one.get(path),
        two.get(path)
    ))
}

fn markdown(arguments: &Arguments, tallies: &[(&Engine, Tally)], seconds: u64) -> String {
    let names: Vec<&str> = tallies.iter().map(|(engine, _)| engine.name.as_str()).collect();
    let command = format!(
        "cargo xtask trees --runs {} --seed {} --engines {} --report",
        arguments.runs,
        arguments.seed,
        names.join(",")
    );
    let mut text = report::head(
        "Same tree, same image",
        &command,
        "Random trees (nested folders, symbolic links of every kind, hard links, random modes with setuid, setgid and \
         sticky, random owners, fifos, sockets, devices, odd names, extended attributes, empty files and large ones) with \
         random ignore files and COPY or ADD instructions. Each tree is built by `unstale build` and by `docker buildx \
         build`, in an order that changes from run to run. The images' file trees are compared path by path (kind, mode, \
         owner, link target, content, attributes; not times), each sent by its own builder with `--no-cache`; a build by \
         the second builder right after the first must find every COPY and ADD in the cache.",
    );
    text.push_str("| engine | version | trees | same image | paths compared | steps hit across builders | failed in both | differences |\n");
    text.push_str("|---|---|--:|--:|--:|--:|--:|--:|\n");
    for (engine, tally) in tallies {
        let failed: u64 = tally.failed.values().sum();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {failed} | {} |\n",
            engine.name,
            engine.version,
            tally.same + failed + tally.differences.len() as u64,
            tally.same,
            tally.paths,
            tally.cached,
            tally.differences.len()
        ));
    }
    text.push_str(&format!(
        "\nAll engines at once took {} minutes.\n",
        seconds.div_ceil(60)
    ));
    text.push_str("\nBuilds that failed in both builders, by the engine's reason:\n\n| reason |");
    let mut reasons: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (number, (engine, tally)) in tallies.iter().enumerate() {
        text.push_str(&format!(" {} |", engine.name));
        for (reason, count) in &tally.failed {
            reasons.entry(reason).or_insert_with(|| vec![0; tallies.len()])[number] = *count;
        }
    }
    text.push_str(&format!("\n|---|{}\n", "--:|".repeat(tallies.len())));
    for (reason, counts) in reasons {
        let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
        text.push_str(&format!(
            "| {} | {} |\n",
            report::cell(reason),
            counts.join(" | ")
        ));
    }
    text
}
