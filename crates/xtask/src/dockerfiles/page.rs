//! The counts, and docs/benchmarks/dockerfiles.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use testkit::Engine;

use super::ask::Answer;
use super::compare::Compared;
use super::corpus::File;
use crate::report;

/// The words by which messages of the engine are told apart: what it says of a file whose syntax it takes, before it
/// looks for the target that does not exist. None of them is about syntax as its parser sees it.
const LATER: [&str; 9] = [
    "target stage \"unstale-no-such-target\" could not be found",
    "failed to process",
    "base name",
    "empty platform value from expression",
    "failed to parse platform",
    "failed to process arguments for platform",
    "failed to parse stage name",
    "invalid stage index",
    "variable expansion is not supported for --from",
];

/// A file on which reader and engine do not agree.
#[derive(Debug)]
pub struct Disagreement {
    /// Its name.
    pub file: String,
    /// What the reader says.
    pub ours: String,
    /// What the engine says.
    pub theirs: String,
}

/// What came of all files on one engine.
#[derive(Debug, Default)]
pub struct Tally {
    /// Real and mutated files.
    files: [usize; 2],
    taken: [usize; 2],
    refused: [usize; 2],
    instructions: usize,
    without_line: usize,
    counted: BTreeMap<&'static str, usize>,
    messages: BTreeMap<String, usize>,
    later: BTreeMap<String, usize>,
    /// The disagreements.
    pub disagreements: Vec<Disagreement>,
    /// How long it took.
    pub seconds: u64,
}

impl Tally {
    /// Counts one file.
    pub fn count(&mut self, file: &File, answer: &Answer, compared: Compared) {
        let kind = usize::from(file.mutated);
        self.files[kind] += 1;
        if let Err((message, _)) = &answer.syntax {
            *self.messages.entry(shape(message)).or_default() += 1;
        }
        if let Some(message) = &answer.later {
            let known = LATER.iter().find(|known| message.contains(**known));
            let class = known.map_or_else(
                || format!("not in the list: {}", shape(message)),
                |known| (*known).to_owned(),
            );
            *self.later.entry(class).or_default() += 1;
        }
        match compared {
            Compared::Taken(instructions) => {
                self.taken[kind] += 1;
                self.instructions += instructions;
            }
            Compared::Disagreement { ours, theirs } => self.disagreements.push(Disagreement {
                file: file.name.clone(),
                ours,
                theirs,
            }),
            refused => {
                self.refused[kind] += 1;
                match refused {
                    Compared::RefusedSomewhere => self.without_line += 1,
                    Compared::RefusedCounted(why) => *self.counted.entry(why).or_default() += 1,
                    _ => {}
                }
            }
        }
    }

    /// Writes the files of disagreements into a folder.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self, folder: &Path, files: &[File]) -> Result<(), String> {
        let failed = |error| format!("cannot write into {}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(failed)?;
        for (index, one) in self.disagreements.iter().enumerate() {
            if let Some(file) = files.iter().find(|file| file.name == one.file) {
                fs::write(folder.join(format!("{index}")), &file.bytes).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// A message without what is of one file: words in quotes, numbers, names after a colon.
fn shape(message: &str) -> String {
    let message = message.split(" (did you mean").next().unwrap_or(message);
    let mut text = String::new();
    let mut quote = None;
    for c in message.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' && !text.ends_with(char::is_alphanumeric) => {
                text.push('…');
                quote = Some(c);
            }
            None if c.is_ascii_digit() && text.ends_with('N') => {}
            None if c.is_ascii_digit() => text.push('N'),
            None => text.push(c),
        }
    }
    for begin in [
        "unknown instruction: ",
        "unknown flag: ",
        "duplicate flag specified: ",
        "missing a value on flag: ",
    ] {
        if let Some(at) = text.find(begin) {
            text.truncate(at + begin.len());
            text.push('…');
        }
    }
    text.chars().take(100).collect()
}

/// The page.
pub fn page(command: &str, real: &[File], tallies: &[(&'static Engine, Tally)]) -> String {
    let what = format!(
        "Whether the reader of Dockerfiles (`crates/dockerfile`) and the engine's own frontend agree: on {} real Dockerfiles, \
         and on mutations of them. Equal must be: whether the file parses; where it does not, the line of the first problem, if \
         the engine names one; where it does, the list of instructions, each with its first and last line. The engine is asked \
         with the questions `frontend.targets` and `frontend.lint`, which build nothing; its built-in frontend is asked even where \
         a `syntax` directive names another.",
        real.len()
    );
    let mut text = report::head("Dockerfiles, read by us and by the engine", command, &what);
    text += "| engine | real files | taken by both | refused by both | mutated files | taken by both | refused by both | \
             instructions compared | disagreements | seconds |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for (engine, tally) in tallies {
        let _ = writeln!(
            text,
            "| {} {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            engine.name,
            engine.version,
            tally.files[0],
            tally.taken[0],
            tally.refused[0],
            tally.files[1],
            tally.taken[1],
            tally.refused[1],
            tally.instructions,
            tally.disagreements.len(),
            tally.seconds
        );
    }
    for (engine, tally) in tallies {
        let _ = write!(text, "\n## {}\n", engine.name);
        list(&mut text, "Refused, by the engine's message:", &tally.messages);
        let counted = tally
            .counted
            .iter()
            .map(|(why, count)| ((*why).to_owned(), *count));
        let mut lines: BTreeMap<String, usize> = counted.collect();
        if tally.without_line > 0 {
            lines.insert("the engine names no line".to_owned(), tally.without_line);
        }
        list(
            &mut text,
            "Of these, lines that are not compared as they stand:",
            &lines,
        );
        list(
            &mut text,
            "What the engine says next of files whose syntax it takes (the questions end at a target that does not exist; \
             all other messages are about values, not about syntax):",
            &tally.later,
        );
        if !tally.disagreements.is_empty() {
            text += "\nDisagreements:\n\n| file | reader | engine |\n|---|---|---|\n";
        }
        for one in tally.disagreements.iter().take(60) {
            let cell = report::cell;
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                cell(&one.file),
                cell(&one.ours),
                cell(&one.theirs)
            );
        }
    }
    text += "\nDocker 20.10 has another frontend (BuildKit 0.8: no heredocs, fewer flags, no `frontend.lint`), and is not compared: \
             the reader's rules are those of BuildKit 0.25.\n";
    text
}

fn list(text: &mut String, title: &str, counts: &BTreeMap<String, usize>) {
    if counts.is_empty() {
        return;
    }
    let _ = write!(text, "\n{title}\n\n");
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (what, count) in counts {
        let _ = writeln!(text, "- {count} × {}", report::cell(what));
    }
}
