//! Checks real projects by the hundred: nothing panics, nothing takes long, every fix comes to an end, leaves its file
//! readable and touches nothing but what it says. And it draws findings to be judged by hand.
//!
//! The projects are the folders of a corpus (`cargo xtask corpus`). Nothing in them is run or changed.

mod fixes;
mod sample;

use clap::Args;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use unstale_audit::rules::RULES;
use unstale_audit::{Checker, Confidence, File, Finding, Project, Settings, Source};
use unstale_flow::check::discover::{Discovery, LARGEST_FILE, discover};
use unstale_flow::check::{add_named, tree};

/// No file, and no rule on a project, may take longer, in time of the processor: what else runs on the machine is not ours.
const LIMIT: Duration = Duration::from_secs(1);

/// What is checked, and what is drawn from it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder of projects (cargo xtask corpus --to FOLDER makes one)
    #[arg(long, value_name = "FOLDER")]
    corpus: PathBuf,
    /// Only projects whose folder's name has this in it
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Leave the fixes out
    #[arg(long)]
    no_fixes: bool,
    /// Draw so many findings to be judged by hand
    #[arg(long, value_name = "N", default_value_t = 0)]
    sample: usize,
    /// Draw every finding as likely as any other (of a rule in a project five at most), and not as many of each rule as go
    #[arg(long)]
    uniform: bool,
    /// Draw from the findings that a check shows only if it is told to
    #[arg(long)]
    unsure: bool,
    /// What is drawn
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// What was seen.
#[derive(Debug, Default)]
struct Tally {
    projects: usize,
    files: usize,
    /// By rule: how many a check shows, and how many it counts only.
    findings: BTreeMap<&'static str, (usize, usize)>,
    slowest: Vec<(Duration, String)>,
    faults: Vec<String>,
    fixes: fixes::Tally,
}

/// Checks all projects; `false` if something is wrong with us.
///
/// # Errors
/// If the corpus cannot be read.
pub fn campaign(arguments: &Arguments) -> Result<bool, String> {
    let entries = std::fs::read_dir(&arguments.corpus).map_err(|error| {
        let folder = arguments.corpus.display();
        format!("cannot read {folder}: {error}; cargo xtask corpus --to {folder} makes it")
    })?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let mut tally = Tally::default();
    let mut drawn = sample::Drawn::new(arguments.seed, arguments.sample, arguments.uniform);
    // The message of a panic is in the report; the default hook would print each.
    std::panic::set_hook(Box::new(|_| {}));
    for folder in &folders {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if arguments
            .only
            .as_ref()
            .is_some_and(|only| !name.contains(only.as_str()))
        {
            continue;
        }
        match discover(folder, std::slice::from_ref(folder)) {
            Ok(found) => check(&name, folder, &found, arguments, &mut tally, &mut drawn),
            Err(error) => println!("left out: {name}: {error}"),
        }
    }
    let _ = std::panic::take_hook();
    print(&mut tally);
    drawn.print();
    Ok(tally.faults.is_empty() && tally.projects > 0)
}

fn check(
    name: &str,
    folder: &Path,
    found: &Discovery,
    arguments: &Arguments,
    tally: &mut Tally,
    drawn: &mut sample::Drawn,
) {
    let mut files = Vec::new();
    for file in &found.files {
        let Ok(bytes) = std::fs::read(folder.join(&file.path)) else {
            continue;
        };
        let Some(text) = String::from_utf8(bytes)
            .ok()
            .filter(|text| text.len() as u64 <= LARGEST_FILE)
        else {
            continue;
        };
        let what = format!("{name}/{}", file.path);
        let source = Source::new(file.path.as_str(), text);
        if let Some(file) = timed(tally, &what, || File::read(source, file.kind)) {
            files.push(file);
        }
    }
    if files.is_empty() {
        return;
    }
    tally.projects += 1;
    tally.files += files.len();
    let mut project = Project::new(files, tree(found));
    let reported: Vec<_> = project.files().map(|(id, _)| id).collect();
    project.report_only(reported);
    add_named(&found.root, &mut project);
    let _ = timed(tally, &format!("{name}: facts"), || project.facts().builds.len());
    let mut all: Vec<Finding> = Vec::new();
    for rule in RULES {
        let Ok(checker) = Checker::new(Settings::default(), &[rule]) else {
            continue;
        };
        let what = format!("{name}: rule {}", rule.id);
        let Some(report) = timed(tally, &what, || checker.check(&project)) else {
            continue;
        };
        let shown = report.findings.iter().filter(|finding| is_shown(finding)).count();
        let counts = tally.findings.entry(rule.id).or_default();
        *counts = (counts.0 + shown, counts.1 + report.findings.len() - shown);
        all.extend(report.findings);
    }
    drawn.offer(
        name,
        &project,
        all.iter().filter(|finding| is_shown(finding) != arguments.unsure),
    );
    if !arguments.no_fixes {
        let faults = match catch_unwind(AssertUnwindSafe(|| {
            fixes::check(&project, &all, &mut tally.fixes)
        })) {
            Ok(faults) => faults,
            Err(_) => vec!["fixing panicked".to_owned()],
        };
        tally
            .faults
            .extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
}

/// Whether a check of a project shows it unless it is told otherwise. Rules that run alone show all.
fn is_shown(finding: &Finding) -> bool {
    finding.confidence >= Confidence::SHOWN
}

/// Runs something; a panic or a long time is a fault.
fn timed<T>(tally: &mut Tally, what: &str, run: impl FnOnce() -> T) -> Option<T> {
    let started = processor_time();
    let result = catch_unwind(AssertUnwindSafe(run));
    let took = processor_time().saturating_sub(started);
    if took > LIMIT {
        tally
            .faults
            .push(format!("{what}: took {:.1} s", took.as_secs_f64()));
    }
    if took > LIMIT / 20 {
        tally.slowest.push((took, what.to_owned()));
    }
    match result {
        Ok(value) => Some(value),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            tally.faults.push(format!("{what}: panicked: {message}"));
            None
        }
    }
}

/// What this thread has used so far.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn print(tally: &mut Tally) {
    println!("{} projects, {} files", tally.projects, tally.files);
    println!("\n| rule | findings | less sure |\n|---|---:|---:|");
    for (rule, (shown, unsure)) in &tally.findings {
        println!("| {rule} | {shown} | {unsure} |");
    }
    println!("\n{}", tally.fixes);
    tally.slowest.sort();
    println!("\nslowest:");
    for (took, what) in tally.slowest.iter().rev().take(8) {
        println!("  {:4} ms  {what}", took.as_millis());
    }
    println!("\n{} faults", tally.faults.len());
    for fault in &tally.faults {
        println!("  {fault}");
    }
}
