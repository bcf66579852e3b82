//! The accuracy of `unstale plan`: random projects, random edits; after each edit a plan and then a build, compared step by
//! step.
//!
//! No step that was planned as cached may run, none that was planned to run may be cached; every step that ran has a cause
//! that the edit makes true, every cached one an origin.

mod dockerfile;
mod edit;
mod files;
mod judge;
mod page;
mod picture;
mod probe;
mod project;
mod recipe;
mod steps;
mod tally;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use clap::Args;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use testkit::{Engine, Project};

use self::edit::{Edit, Kind};
use self::judge::{Known, Mistake, Past};
use self::probe::Probed;
use self::project::{Cache, Work};
use self::steps::Report;
use self::tally::Tally;
use crate::{report, run};

/// How many builds a project has: the first one, and one after each edit.
const BUILDS: u64 = 6;

/// Which runs, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many plans are compared with builds, on each engine; six of them are one project
    #[arg(long, default_value_t = 300)]
    runs: u64,
    /// What projects and edits follow from: the same seed, the same projects
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do the project of this one run only, up to it
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
    /// Copy the project and both reports of each run with a mistake or a `maybe` into this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Plan nothing: print what the engine did after each edit
    #[arg(long, conflicts_with = "report")]
    builds_only: bool,
    /// Write docs/benchmarks/plan.md
    #[arg(long)]
    report: bool,
}

/// What came of the runs on one engine.
pub struct Done {
    /// The engine.
    pub engine: &'static Engine,
    /// What its frontend takes.
    pub probed: Probed,
    /// The counts.
    pub tally: Tally,
}

/// Runs the campaign; `false` when there was a mistake, or too much that the plan did not know.
///
/// # Errors
/// When no engine answers, or one cannot be used at all.
pub fn campaign(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    run::build_unstale()?;
    let started = Instant::now();
    let done: Vec<Result<Done, String>> = thread::scope(|scope| {
        let threads: Vec<_> = engines
            .iter()
            .map(|engine| scope.spawn(|| on_engine(engine, arguments)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or(Err("a thread panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    let done = done.into_iter().collect::<Result<Vec<Done>, String>>()?;
    let text = page::markdown(
        arguments.runs,
        arguments.seed,
        &arguments.engines,
        &done,
        started.elapsed(),
    );
    println!("{text}");
    if arguments.report {
        report::write("plan.md", &text)?;
    }
    Ok(done.iter().all(|done| done.tally.is_good()))
}

fn on_engine(engine: &'static Engine, arguments: &Arguments) -> Result<Done, String> {
    let probed = {
        let _hold = engine.shared();
        probe::probe(engine)?
    };
    let mut done = Done {
        engine,
        probed,
        tally: Tally::default(),
    };
    // What earlier campaigns left is in no ledger.
    {
        let _hold = engine.exclusive();
        let emptied = engine.api("POST", "/build/prune?all=1");
        emptied.map_err(|error| error.full())?;
    }
    let ledger = Project::new("campaign-ledger");
    let state = ledger.path();
    let planned = arguments.runs.div_ceil(BUILDS);
    let (mut number, last) = match arguments.only {
        Some(run) => (run / BUILDS, run / BUILDS + 1),
        // For a project that is given up there is another one.
        None => (0, planned.saturating_mul(2)),
    };
    while number < last {
        let builds = match arguments.only {
            Some(run) => run + 1 - number * BUILDS,
            None => BUILDS.min(arguments.runs.saturating_sub(done.tally.total().pairs)),
        };
        if builds == 0 {
            break;
        }
        let _hold = engine.exclusive();
        if let Err(problem) = one_project(&mut done, arguments, &state, number, builds) {
            eprintln!("{}: project {number} was given up: {problem}", engine.name);
            done.tally.given_up.push(format!("project {number}: {problem}"));
        }
        let total = done.tally.total();
        eprintln!(
            "{}: {} plans, {} mistakes",
            engine.name,
            total.pairs,
            total.wrong.values().sum::<u64>()
        );
        number += 1;
    }
    Ok(done)
}

/// One project with its edits.
fn one_project(
    done: &mut Done,
    arguments: &Arguments,
    state: &Path,
    number: u64,
    builds: u64,
) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(arguments.seed.wrapping_mul(1_000_003).wrapping_add(number));
    let mut work = Work::invent(done.engine, state, done.probed.features, &mut random)?;
    done.tally.forms(&work);
    let (mut saved, mut past): (Vec<_>, Vec<Past>) = (Vec::new(), Vec::new());
    let (mut pruned, mut imports) = (false, false);
    let mut before = String::new();
    for build in 0..builds {
        let run = number * BUILDS + build;
        let edit = if build == 0 {
            Edit {
                kind: Kind::FirstBuild,
                what: String::new(),
            }
        } else {
            edit::make(&mut work, &saved, &mut random)?
        };
        pruned |= edit.kind.prunes();
        imports |= work.import.is_some();
        let context = |problem| format!("run {run}, {}: {problem}", edit.kind.name());
        let now = work.picture()?;
        let timed = |verb| {
            let started = Instant::now();
            work.unstale(verb)
                .map(|report| (report, started.elapsed()))
                .map_err(context)
        };
        let (plan, planning) = if arguments.builds_only {
            Default::default()
        } else {
            timed("plan")?
        };
        let (built, building) = timed("build")?;
        let known = Known {
            past: &past,
            now: &now,
            no_cache: work.no_cache,
            pruned,
            emptied: edit.kind.empties(),
            imports,
        };
        if arguments.builds_only {
            println!(
                "{} run {run}: {} ({})",
                done.engine.name,
                edit.kind.name(),
                edit.what
            );
            for step in &built.steps {
                println!("    {:<8} {}", step.outcome, step.name);
            }
            for step in judge::unexplained(&built, &known) {
                println!("    no reason known for {step}");
            }
        } else {
            let mut mistakes = judge::outcomes(&plan, &built);
            mistakes.extend(judge::reasons(&plan, &known));
            mistakes.extend(judge::reasons(&built, &known));
            tell(&work, arguments, run, &edit, &before, &mistakes);
            let is_open = plan.steps.iter().any(|step| step.outcome == "maybe");
            if let (Some(folder), true) = (&arguments.keep, is_open || !mistakes.is_empty()) {
                keep(folder, &work, run, &edit, &plan, &built)?;
            }
            done.tally.add(edit.kind, &plan, mistakes, planning, building);
        }
        past.push(Past {
            build: built.build.clone(),
            ran: judge::ran(&built, &now),
            picture: now,
        });
        saved.push(work.save()?);
        before = work.text();
        if edit.kind == Kind::ExportInline && work.export == Some(Cache::Inline) {
            work.docker(&["push", "--quiet", &work.image()])?;
        }
    }
    Ok(())
}

/// Tells of mistakes, with all that is needed to see them again.
fn tell(work: &Work, arguments: &Arguments, run: u64, edit: &Edit, before: &str, mistakes: &[Mistake]) {
    if mistakes.is_empty() {
        return;
    }
    let name = &work.engine.name;
    let mut text = format!("{name}: run {run}: {} ({})\n", edit.kind.name(), edit.what);
    for mistake in mistakes {
        // All of it is in the reports that --keep writes.
        let detail: String = mistake.detail.chars().take(600).collect();
        text.push_str(&format!("  {:?}: {}: {detail}\n", mistake.wrong, mistake.step));
    }
    let dockerfile = work.text();
    let changed = if before == dockerfile || before.is_empty() {
        String::new()
    } else {
        format!("\n  before:\n{}", indented(before))
    };
    text.push_str(&format!(
        "  Dockerfile:\n{}{changed}  again: cargo xtask campaign --seed {} --only {run} --engines {name}",
        indented(&dockerfile),
        arguments.seed
    ));
    eprintln!("{text}");
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Copies a project and what was said of it.
fn keep(
    folder: &Path,
    work: &Work,
    run: u64,
    edit: &Edit,
    plan: &Report,
    built: &Report,
) -> Result<(), String> {
    let target = folder.join(format!("{}-{run}", work.engine.name));
    let failed = |error| format!("cannot keep {}: {error}", target.display());
    fs::create_dir_all(&target).map_err(failed)?;
    let mut copy = std::process::Command::new("cp");
    copy.arg("--archive")
        .arg(work.project.path())
        .arg(target.join("project"));
    run::output(&mut copy)?;
    fs::write(
        target.join("edit"),
        format!("{} ({})\n", edit.kind.name(), edit.what),
    )
    .map_err(failed)?;
    for (name, report) in [("plan.json", plan), ("build.json", built)] {
        fs::write(target.join(name), format!("{:#}", report.document)).map_err(failed)?;
    }
    Ok(())
}
