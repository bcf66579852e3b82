//! Same tree, same image: random contexts are built by us and by buildx, on each engine.
//!
//! For every run the two images must have the same file tree (names, modes, owners, link targets, hard links, contents,
//! attributes), each sent by its own builder (`--no-cache`); and a build of the one right after the other must find
//! every COPY in the cache, which compares BuildKit's own digests of the two contexts. The order changes from run to run.
//! Where one builder fails, the other must too.

mod build;
mod recipe;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
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
    /// Build with buildx both times: how often does an engine miss its own cache?
    #[arg(long, conflicts_with = "report")]
    control: bool,
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
    /// Times that the second builder missed the cache, and did not when the same was tried again under new cache keys.
    missed: u64,
    /// Runs in which buildx sent a file without its content (see [`emptied`]), and all else was the same.
    emptied: u64,
    /// Both builders failed, by what the engine said.
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
        let dockerfile = plant(folder, arguments.seed, number, "planted")?;
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
            "{}: {} same ({} paths), {} steps cached, {} missed once, {} emptied by buildx, {} failed in both, {} differences",
            engine.name,
            tally.same,
            tally.paths,
            tally.cached,
            tally.missed,
            tally.emptied,
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
        tally.differences.is_empty()
            && tally.same + tally.emptied + tally.failed.values().sum::<u64>() == expected
    }))
}

/// How often a run is tried before a cache miss counts as a difference: contexts with other digests miss every time. What
/// an engine misses on its own, `--control` tells.
const TRIES: u64 = 3;

/// What came of one run.
enum Outcome {
    Same { paths: u64, cached: u64 },
    BothFailed(String),
    PeerEmptied,
    Missed(String),
}

fn on_engine(engine: &Engine, arguments: &Arguments) -> Tally {
    let mut tally = Tally::default();
    let numbers = arguments.only.map_or(0..arguments.runs, |only| only..only + 1);
    for number in numbers {
        let _hold = engine.shared();
        let mut misses = 0;
        let difference = loop {
            match one(engine, arguments, number) {
                Ok(Outcome::Same { paths, cached }) => {
                    tally.same += 1;
                    tally.paths += paths;
                    tally.cached += cached;
                    break None;
                }
                Ok(Outcome::BothFailed(reason)) => {
                    *tally.failed.entry(reason).or_default() += 1;
                    break None;
                }
                Ok(Outcome::PeerEmptied) => {
                    tally.emptied += 1;
                    break None;
                }
                Ok(Outcome::Missed(what)) => {
                    misses += 1;
                    eprintln!("{}: run {number}: {what}", engine.name);
                    if misses == TRIES {
                        break Some(what);
                    }
                }
                Err(difference) => break Some(difference),
            }
        };
        let Some(difference) = difference else {
            tally.missed += misses;
            continue;
        };
        let seed = arguments.seed;
        eprintln!(
            "{}: run {number}: {difference}\n  again: cargo xtask trees --seed {seed} --only {number} --engines {}",
            engine.name, engine.name
        );
        tally.differences.push(format!("run {number}: {difference}"));
    }
    tally
}

/// Plants the context of one run; answers its Dockerfile.
fn plant(root: &Path, seed: u64, number: u64, mark: &str) -> Result<PathBuf, String> {
    let failed = |error| format!("cannot make the tree in {}: {error}", root.display());
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let tree = tree::plant(root, &mut random).map_err(failed)?;
    recipe::write(root, &tree, mark, &mut random).map_err(failed)
}

fn one(engine: &Engine, arguments: &Arguments, number: u64) -> Result<Outcome, String> {
    let project = Project::new("trees");
    let context = project.path().join("context");
    fs::create_dir(&context).map_err(|error| format!("cannot create {}: {error}", context.display()))?;
    let dockerfile = plant(&context, arguments.seed, number, project.name())?;
    let order = match number % 2 {
        _ if arguments.control => [Tool::Buildx, Tool::Buildx],
        0 => [Tool::Unstale, Tool::Buildx],
        _ => [Tool::Buildx, Tool::Unstale],
    };
    let build = |tool, mode| build::build(&project, engine, &context, &dockerfile, tool, mode);
    let first = build(order[0], Mode::Fresh)?;
    let second = build(order[1], Mode::Cached)?;
    let (first, copies) = match (first, second) {
        (Built::Failed(first), Built::Failed(second)) => {
            return Ok(Outcome::BothFailed(reason(&first, &second)));
        }
        (Built::Failed(why), _) => return Err(format!("only {:?} failed: {why}", order[0])),
        (_, Built::Failed(why)) => return Err(format!("only {:?} failed: {why}", order[1])),
        (Built::Image { tag, .. }, Built::Image { copies, .. }) => (tag, copies),
    };
    if copies.is_empty() {
        return Err(format!("{:?} told of no COPY", order[1]));
    }
    let second = match build(order[1], Mode::Fresh)? {
        Built::Image { tag, .. } => tag,
        Built::Failed(why) => return Err(format!("{:?} failed with --no-cache only: {why}", order[1])),
    };
    let tree = |tag: &str| image_tree(engine, tag).map_err(|error| error.full());
    let (one, two) = (tree(&first)?, tree(&second)?);
    let (ours, peers) = if number.is_multiple_of(2) {
        (&one, &two)
    } else {
        (&two, &one)
    };
    let emptied = emptied(&context, ours, peers)?;
    if let Some(difference) = difference(ours, peers, &emptied) {
        return Err(format!("ours and buildx's differ: {difference}"));
    }
    if !emptied.is_empty() {
        return Ok(Outcome::PeerEmptied);
    }
    if let Some((name, _)) = copies.iter().find(|(_, cached)| !cached) {
        let (first, second) = (order[0], order[1]);
        return Ok(Outcome::Missed(format!(
            "{second:?} after {first:?} was not cached: {name}"
        )));
    }
    Ok(Outcome::Same {
        paths: one.len() as u64,
        cached: copies.len() as u64,
    })
}

/// The files that buildx sent without their content, where ours have the content of a file on disk.
///
/// Buildx's client asks its ignore patterns twice, when it lists a file and when it opens it, by rules that differ
/// where a pattern behind an exception matches a folder above the file. A file that it listed and then does not find is
/// sent as an empty one, without a word.
fn emptied(
    context: &Path,
    ours: &BTreeMap<PathBuf, Node>,
    peers: &BTreeMap<PathBuf, Node>,
) -> Result<BTreeSet<PathBuf>, String> {
    let is_empty = |node: &Node| node.sha256.as_deref() == Some(EMPTY);
    let candidates = ours.iter().filter(|(path, node)| {
        let with_content = |peer: &Node| Node {
            sha256: node.sha256.clone(),
            ..peer.clone()
        };
        !is_empty(node)
            && peers
                .get(*path)
                .is_some_and(|peer| is_empty(peer) && with_content(peer) == **node)
    });
    let candidates: Vec<_> = candidates.collect();
    if candidates.is_empty() {
        return Ok(BTreeSet::new());
    }
    // Root's `find` enters every folder, and names with a line end do not matter here: only the hashes are looked at.
    let mut hashes = std::process::Command::new("find");
    hashes
        .arg(context)
        .args(["-type", "f", "-exec", "sha256sum", "--zero", "{}", "+"]);
    let hashes = String::from_utf8_lossy(&run::output(&mut hashes)?.stdout).into_owned();
    let on_disk = |hash: &str| hashes.split('\0').any(|line| line.starts_with(hash));
    let found = candidates
        .into_iter()
        .filter(|(_, node)| node.sha256.as_deref().is_some_and(on_disk));
    Ok(found.map(|(path, _)| path.clone()).collect())
}

/// The SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Why both builders failed: what each must say, and the words for it in the report. Anything else is told in full.
const REASONS: [(&str, &str, &str); 10] = [
    (
        "non-printable ascii",
        "non-printable ascii",
        "a control character in a pattern or source",
    ),
    (
        "protocol_error",
        "connection is draining",
        "a control character in a pattern or source",
    ),
    (
        "unknown flag",
        "unknown flag",
        "a flag that the engine does not know",
    ),
    (
        "unexpected end of statement",
        "unexpected end of statement",
        "a quote in a source",
    ),
    (
        "syntax error in pattern",
        "syntax error in pattern",
        "a malformed pattern",
    ),
    (
        "not a directory",
        "not a directory",
        "a folder is to replace a file, or the other way round",
    ),
    (
        "cannot copy to non-directory",
        "cannot copy to non-directory",
        "a folder is to replace a file, or the other way round",
    ),
    ("not found", "not found", "the source is not in the context"),
    (
        "not found",
        "no such file or directory",
        "the source is not in the context",
    ),
    (
        "no such file or directory",
        "no such file or directory",
        "the source is not in the context",
    ),
];

fn reason(first: &str, second: &str) -> String {
    let (one_says, other_says) = (first.to_lowercase(), second.to_lowercase());
    let known = REASONS.iter().find(|(one, two, _)| {
        other_says.contains(one) && one_says.contains(two)
            || other_says.contains(two) && one_says.contains(one)
    });
    known.map_or_else(
        || format!("{first} | {second}"),
        |(.., label)| (*label).to_owned(),
    )
}

/// The first path that is not the same in two trees, but for those that are excused.
fn difference(
    ours: &BTreeMap<PathBuf, Node>,
    peers: &BTreeMap<PathBuf, Node>,
    excused: &BTreeSet<PathBuf>,
) -> Option<String> {
    let paths = ours
        .keys()
        .chain(peers.keys())
        .filter(|path| !excused.contains(*path));
    let path = paths.filter(|path| ours.get(*path) != peers.get(*path)).min()?;
    Some(format!(
        "{path:?}: {:?} against {:?}",
        ours.get(path),
        peers.get(path)
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
         the second builder right after the first must find every COPY and ADD in the cache. A run that misses is done \
         again under new cache keys, up to three times: contexts with other digests miss every time. *Files emptied by buildx*: runs in which buildx listed a file and then sent it empty, \
         because its two readings of the ignore file differ (an exception, then a pattern that matches a folder above the \
         file); ours had the content that is on disk, and everything else was the same.",
    );
    text.push_str("| engine | version | trees | same image | paths compared | steps hit across builders | missed once | files emptied by buildx | failed in both | differences |\n");
    text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (engine, tally) in tallies {
        let failed: u64 = tally.failed.values().sum();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {failed} | {} |\n",
            engine.name,
            engine.version,
            tally.same + tally.emptied + failed + tally.differences.len() as u64,
            tally.same,
            tally.paths,
            tally.cached,
            tally.missed,
            tally.emptied,
            tally.differences.len()
        ));
    }
    text.push_str(&format!(
        "\nAll engines at once took {} minutes.\n",
        seconds.div_ceil(60)
    ));
    text.push_str("\nBuilds that failed in both builders, by what the engine said:\n\n| reason |");
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
