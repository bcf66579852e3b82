//! Reads what is checked, and the files that these name: the Dockerfiles of a Compose file, what it extends and includes.

use super::discover::{self, Discovery, EntryKind, FoundFile, LARGEST_FILE};
use super::{CheckError, CheckRequest};
use crate::config::Config;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use unstale_audit::{File, Project, Source, Tree};
use unstale_context::Selector;

/// How often files that files name are followed.
const ROUNDS: usize = 8;

/// What was read.
pub(super) struct Loaded {
    pub root: PathBuf,
    pub config: Config,
    pub project: Project,
    pub notes: Vec<String>,
}

pub(super) fn load(request: &CheckRequest) -> Result<Loaded, CheckError> {
    let paths = match request.paths.is_empty() {
        true => vec![request.cwd.clone()],
        false => request.paths.iter().map(|path| request.cwd.join(path)).collect(),
    };
    let found = discover::discover(&request.cwd, &paths)?;
    let config = Config::load(&found.root)?;
    let exclude = Selector::new(config.check.exclude.clone(), Vec::new(), Vec::new()).matcher()?;
    let is_excluded = |path: &str| !config.check.exclude.is_empty() && exclude.selects(path, false);
    let wanted: Vec<FoundFile> = found
        .files
        .iter()
        .filter(|file| !is_excluded(&file.path))
        .cloned()
        .collect();
    if wanted.is_empty() {
        return Err(CheckError::Nothing);
    }
    let mut notes: Vec<String> = found.notes.iter().map(ToString::to_string).collect();
    if std::fs::canonicalize(&request.cwd).is_ok_and(|cwd| cwd != found.root) {
        notes.push(format!("paths are those in {}", found.root.display()));
    }
    let files = read_all(&found.root, &wanted, &mut notes);
    let mut project = Project::new(files, tree(&found));
    project.set_commit_arg(&config.commit.arg);
    let reported: Vec<_> = project.files().map(|(id, _)| id).collect();
    project.report_only(reported);
    add_named(&found.root, &mut project);
    Ok(Loaded {
        root: found.root,
        config,
        project,
        notes,
    })
}

/// Adds the files of the folder that files of the project name, and those that these name.
pub fn add_named(root: &Path, project: &mut Project) {
    let mut tried: BTreeSet<String> = BTreeSet::new();
    for _ in 0..ROUNDS {
        let named: Vec<FoundFile> = project
            .references()
            .into_iter()
            .filter(|(path, _)| tried.insert(path.clone()) && is_within(root, path))
            .map(|(path, kind)| FoundFile { path, kind })
            .collect();
        if named.is_empty() {
            break;
        }
        // What cannot be read is for the rule that looks for it to tell.
        for file in read_all(root, &named, &mut Vec::new()) {
            project.add(file);
        }
    }
}

/// Whether a path leads to a file of the folder, without a link on the way that leads out.
fn is_within(root: &Path, path: &str) -> bool {
    let real = std::fs::canonicalize(root.join(path));
    real.is_ok_and(|real| real.starts_with(root) && real.is_file())
}

/// The paths around what is checked.
pub fn tree(found: &Discovery) -> Tree {
    let are = |wanted: fn(EntryKind) -> bool| {
        let paths = found.paths.iter().filter(move |path| wanted(path.entry));
        paths.map(|path| path.path.clone()).collect()
    };
    Tree {
        files: are(|entry| entry != EntryKind::Folder),
        ignored: found.left_out.iter().map(|path| path.path.clone()).collect(),
        links: are(|entry| entry == EntryKind::Link),
    }
}

/// Reads files side by side, and gives them in their order. What cannot be read is a note.
fn read_all(root: &Path, wanted: &[FoundFile], notes: &mut Vec<String>) -> Vec<File> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(wanted.len()));
    let work = || {
        let mut own = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = wanted.get(index) else {
                break;
            };
            own.push((index, read_one(root, file)));
        }
        done.lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .extend(own);
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, |count| count.get())
        .min(wanted.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(index, _)| *index);
    let mut files = Vec::with_capacity(done.len());
    for (_, result) in done {
        match result {
            Ok(file) => files.push(file),
            Err(note) => notes.push(note),
        }
    }
    files
}

fn read_one(root: &Path, wanted: &FoundFile) -> Result<File, String> {
    use std::io::Read;
    let path = &wanted.path;
    let cannot = |error: std::io::Error| format!("{path} cannot be read: {error}");
    let file = std::fs::File::open(root.join(path)).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("{path} is not checked: it is larger than 1 MiB"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(File::read(Source::new(path.as_str(), text), wanted.kind)),
        Err(_) => Err(format!("{path} is not checked: it is no UTF-8 text")),
    }
}
