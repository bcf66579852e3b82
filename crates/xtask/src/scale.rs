//! Contexts of a size that projects reach: how much memory a build needs, and how long it takes.
//!
//! Ours must stay below a fixed peak of memory and must not open a file of an unchanged tree; buildx is measured beside.

use std::fs;
use std::path::Path;

use clap::Args;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use testkit::{Engine, Measured, Openings, Project, measure, unstale_binary};

use crate::{report, run};

/// The most memory that one of our builds may need.
const MOST_MEMORY: u64 = 150_000_000;

/// What is built, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Engines by name
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME,…",
        default_value = "d20,d28c"
    )]
    engines: Vec<String>,
    /// Write docs/benchmarks/scale.md
    #[arg(long)]
    report: bool,
}

/// One line of the report.
struct Line {
    context: &'static str,
    build: &'static str,
    ours: Measured,
    peer: Measured,
    /// Files that ours opened.
    opened: Option<u64>,
}

/// Measures all contexts; `false` when ours needed too much.
///
/// # Errors
/// When an engine does not answer, or a build fails.
pub fn measure_all(arguments: &Arguments) -> Result<bool, String> {
    let engines = run::chosen(&arguments.engines)?;
    run::build_unstale()?;
    let mut text = report::head(
        "Large contexts",
        &format!(
            "cargo xtask scale --engines {} --report",
            arguments.engines.join(",")
        ),
        &format!(
            "The context is sent whole (`RUN --mount=type=bind`), into an empty cache, and again unchanged. Memory is the \
             peak of the resident set as the kernel counts it for the program (for Docker: the larger one of `docker` and \
             its plugin); ours must stay below {} MB. Files opened are counted by the kernel (inotify) in the context \
             folders. The engines' own work is in the times of both.",
            MOST_MEMORY / 1_000_000
        ),
    );
    text.push_str("| engine | context | build | our memory | buildx memory | our time | buildx time | ratio | files we opened |\n");
    text.push_str("|---|---|---|--:|--:|--:|--:|--:|--:|\n");
    let mut good = true;
    for engine in engines {
        for line in on_engine(engine)? {
            good &= line.ours.peak_memory < MOST_MEMORY && line.opened.unwrap_or(0) == 0;
            let row = row(engine, &line);
            print!("{row}");
            text.push_str(&row);
        }
    }
    if arguments.report {
        report::write("scale.md", &text)?;
    }
    Ok(good)
}

fn row(engine: &Engine, line: &Line) -> String {
    let megabytes = |measured: &Measured| format!("{} MB", measured.peak_memory / 1_000_000);
    let seconds = |measured: &Measured| measured.duration.as_secs_f64();
    format!(
        "| {} {} | {} | {} | {} | {} | {:.1} s | {:.1} s | {:.2} | {} |\n",
        engine.name,
        engine.version,
        line.context,
        line.build,
        megabytes(&line.ours),
        megabytes(&line.peer),
        seconds(&line.ours),
        seconds(&line.peer),
        seconds(&line.ours) / seconds(&line.peer),
        line.opened
            .map_or_else(|| "–".to_owned(), |count| count.to_string()),
    )
}

fn on_engine(engine: &Engine) -> Result<Vec<Line>, String> {
    type Write = fn(&Path) -> std::io::Result<()>;
    let contexts: [(&str, Write); 2] = [("one file of 1 GB", one_file), ("100,000 files", many_files)];
    let mut lines = Vec::new();
    for (context, write) in contexts {
        let _hold = engine.shared();
        // Each builder has a folder of its own, so that both meet an empty cache.
        let projects = [Project::new("scale"), Project::new("scale")];
        for (number, project) in projects.iter().enumerate() {
            let dockerfile = format!(
                "FROM unstale-base\nRUN --mount=type=bind,target=/context echo {}-{number}\n",
                project.name()
            );
            project.write("Dockerfile", dockerfile);
            write(&project.path())
                .map_err(|error| format!("cannot write {}: {error}", project.path().display()))?;
        }
        let [own, peers] = &projects;
        let mut openings = Openings::watch(folders(&own.path())).map_err(|error| error.to_string())?;
        for build in ["first", "unchanged"] {
            let ours = build_ours(engine, own)?;
            let opened = openings.count().map_err(|error| error.to_string())?;
            let peer = build_peers(engine, peers)?;
            let opened = (build == "unchanged").then_some(opened);
            lines.push(Line {
                context,
                build,
                ours,
                peer,
                opened,
            });
        }
        // What the daemon holds of the contexts goes when they are sent once more, empty.
        for project in &projects {
            for folder in folders(&project.path()) {
                fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            }
        }
        build_ours(engine, own)?;
        build_peers(engine, peers)?;
    }
    Ok(lines)
}

/// The folders right in a project, which hold all files but the Dockerfile.
fn folders(root: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

fn build_ours(engine: &Engine, project: &Project) -> Result<Measured, String> {
    let mut command = project.unstale(engine);
    succeeded(
        measure(command.args(["build", "--progress", "plain", "."])),
        unstale_binary().display(),
    )
}

fn build_peers(engine: &Engine, project: &Project) -> Result<Measured, String> {
    let mut command = project.command(engine, "docker");
    let tag = format!("{}:latest", project.name());
    command.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
    succeeded(
        measure(command.args(["buildx", "build", "--tag", &tag, "--progress", "plain", "."])),
        "docker",
    )
}

fn succeeded(
    measured: std::io::Result<Measured>,
    program: impl std::fmt::Display,
) -> Result<Measured, String> {
    let measured = measured.map_err(|error| format!("cannot run {program}: {error}"))?;
    if measured.status.success() {
        return Ok(measured);
    }
    Err(format!("{program} failed: {}", measured.stderr))
}

/// Random bytes, which nothing can compress or share.
fn one_file(root: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    fs::create_dir(root.join("data"))?;
    let mut file = fs::File::create(root.join("data/large"))?;
    let mut random = StdRng::from_os_rng();
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..1_000 {
        random.fill_bytes(&mut chunk);
        file.write_all(&chunk)?;
    }
    Ok(())
}

/// 100 folders with 1,000 small files each.
fn many_files(root: &Path) -> std::io::Result<()> {
    for folder in 0..100 {
        let folder = root.join(format!("package-{folder:03}"));
        fs::create_dir(&folder)?;
        for number in 0..1_000 {
            let path = folder.join(format!("module_{number:04}.js"));
            fs::write(&path, format!("export const path = {path:?};\n"))?;
        }
    }
    Ok(())
}
