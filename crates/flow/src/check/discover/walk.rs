//! The walk over the tree, by several threads.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};
use unstale_audit::{CONTENT_HEAD, FileKind, is_aside};

use super::tracked::tracked;
use super::{Discovery, EntryKind, FoundFile, LARGEST_FILE, MOST_PATHS, Note, TreePath};

/// Never searched: a repository's own, and the packages of others.
const NEVER_SEARCHED: &[&str] = &[".git", ".hg", ".svn", "node_modules"];

/// What builds, package managers and people leave in a tree, and git is often told to ignore.
const LEFT_BEHIND: &[&str] = &[
    ".cache",
    ".env",
    ".env.local",
    ".git",
    ".gradle",
    ".next",
    ".nuxt",
    ".terraform",
    ".tox",
    ".venv",
    "__pycache__",
    "bin",
    "build",
    "coverage",
    "dist",
    "env",
    "logs",
    "node_modules",
    "obj",
    "out",
    "target",
    "tmp",
    "vendor",
    "venv",
];

/// Files beside which a build or a package manager leaves what it makes.
const MANIFESTS: &[&str] = &[
    ".gitignore",
    "Cargo.toml",
    "Gemfile",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "go.mod",
    "mix.exs",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
];

/// What was asked for, with true names.
pub(super) struct Asked {
    /// Folders that are checked whole.
    pub(super) whole: Vec<PathBuf>,
    /// Files that are checked.
    pub(super) named: Vec<PathBuf>,
}

/// What one thread has found.
#[derive(Default)]
struct Found {
    files: Vec<FoundFile>,
    paths: Vec<TreePath>,
    notes: Vec<Note>,
    /// Folders in which to look for what is left behind.
    folders: HashSet<String>,
}

/// Gives what a thread has found to the others when it ends.
struct Collector<'a> {
    found: Found,
    all: &'a Mutex<Found>,
}

impl Drop for Collector<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.files.append(&mut self.found.files);
        all.paths.append(&mut self.found.paths);
        all.notes.append(&mut self.found.notes);
        all.folders.extend(self.found.folders.drain());
    }
}

/// Walks over `folders`, none of which holds another.
pub(super) fn walk(root: PathBuf, folders: &[PathBuf], asked: &Asked) -> Discovery {
    let all = Mutex::new(Found::default());
    let count = AtomicUsize::new(0);
    // The folders of a repository are one walk: each walk starts threads of its own.
    let mut repositories: BTreeMap<Option<&Path>, Vec<&Path>> = BTreeMap::new();
    for folder in folders {
        let repository = folder.ancestors().find(|folder| folder.join(".git").exists());
        repositories.entry(repository).or_default().push(folder);
    }
    for (repository, folders) in repositories {
        let threads = std::thread::available_parallelism()
            .map_or(2, usize::from)
            .clamp(2, 8);
        let Some((first, more)) = folders.split_first() else {
            continue;
        };
        let mut walker = WalkBuilder::new(first);
        for folder in more {
            walker.add(folder);
        }
        walker
            .standard_filters(false)
            .git_ignore(true)
            .git_exclude(true)
            .git_global(true)
            // Outside of a repository, the tree's own files hold, and nobody else's.
            .require_git(repository.is_some())
            .parents(repository.is_some())
            .follow_links(false)
            .threads(threads)
            .filter_entry(|entry| {
                entry.depth() == 0
                    || !entry
                        .file_name()
                        .to_str()
                        .is_some_and(|name| NEVER_SEARCHED.contains(&name))
            });
        let visitor = Visitor {
            root: &root,
            kind_base: repository,
            asked,
        };
        walker.build_parallel().run(|| {
            let mut collector = Collector {
                found: Found::default(),
                all: &all,
            };
            let (visitor, count) = (&visitor, &count);
            Box::new(move |entry| {
                if count.fetch_add(1, Ordering::Relaxed) >= MOST_PATHS {
                    collector.found.notes.push(Note::Endless);
                    return WalkState::Quit;
                }
                match entry {
                    Ok(entry) => visitor.visit(&entry, &mut collector.found),
                    Err(error) => collector.found.notes.push(visitor.failed(&error)),
                }
                WalkState::Continue
            })
        });
    }
    let mut found = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    add_named(&root, asked, &mut found);
    finish(root, found)
}

struct Visitor<'a> {
    root: &'a Path,
    /// The repository's folder: names of folders above it say nothing about its files.
    kind_base: Option<&'a Path>,
    asked: &'a Asked,
}

impl Visitor<'_> {
    fn visit(&self, entry: &DirEntry, found: &mut Found) {
        let path = entry.path();
        let Some(relative) = relative(self.root, path, found) else {
            return;
        };
        let Some(kind) = entry.file_type() else {
            return;
        };
        if entry.depth() == 0 {
            found.folders.insert(relative.clone());
        }
        if kind.is_file() {
            let is_manifest = entry
                .file_name()
                .to_str()
                .is_some_and(|name| MANIFESTS.contains(&name));
            let is_asked = |whole: &PathBuf| {
                let within = path.strip_prefix(whole).ok();
                within.is_some_and(|within| within.to_str().is_none_or(|within| !is_aside(within)))
            };
            let is_checked = self.asked.whole.iter().any(is_asked) && self.check(path, &relative, found);
            if is_manifest || is_checked {
                found.folders.insert(folder_of(&relative).to_owned());
            }
        }
        if !relative.is_empty() {
            found.paths.push(TreePath {
                path: relative,
                entry: entry_kind(kind),
            });
        }
    }

    /// Adds a file if it is one to check.
    fn check(&self, path: &Path, relative: &str, found: &mut Found) -> bool {
        let in_repository = self
            .kind_base
            .and_then(|base| path.strip_prefix(base).ok())
            .unwrap_or(path)
            .to_str()
            .unwrap_or(relative);
        let kind = FileKind::of_path(in_repository);
        if kind.is_none() && !FileKind::depends_on_content(in_repository) {
            return false;
        }
        add_file(
            path,
            relative,
            found,
            |head| kind.or_else(|| FileKind::of_content(head)),
            kind.is_some(),
        )
    }

    fn failed(&self, error: &ignore::Error) -> Note {
        let (path, message) = place_of(error);
        let relative = path.map(|path| {
            path.strip_prefix(self.root)
                .unwrap_or(path)
                .to_string_lossy()
                .into_owned()
        });
        Note::Unreadable {
            path: relative.unwrap_or_default(),
            message,
        }
    }
}

/// Adds a file by its first bytes. What cannot be read is a note if it is sure to be one to check.
fn add_file(
    path: &Path,
    relative: &str,
    found: &mut Found,
    decide: impl Fn(&[u8]) -> Option<FileKind>,
    is_sure: bool,
) -> bool {
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        // A file on a disk gives in one go what is there.
        let mut head = vec![0; CONTENT_HEAD];
        let length = file.read(&mut head)?;
        head.truncate(length);
        Ok((head, size))
    };
    let path = relative.to_owned();
    let (head, size) = match read() {
        Ok(read) => read,
        Err(error) => {
            if is_sure {
                let message = error.to_string();
                found.notes.push(Note::Unreadable { path, message });
            }
            return false;
        }
    };
    let Some(kind) = decide(&head) else {
        return false;
    };
    if head.contains(&0) {
        found.notes.push(Note::Binary { path });
        return false;
    }
    if size > LARGEST_FILE {
        found.notes.push(Note::Large { path, size });
        return false;
    }
    found.files.push(FoundFile { path, kind });
    true
}

/// Adds the files that were asked for by name, whatever git and their names say.
fn add_named(root: &Path, asked: &Asked, found: &mut Found) {
    let known: HashSet<String> = found.files.iter().map(|file| file.path.clone()).collect();
    for path in &asked.named {
        let Some(relative) = relative(root, path, found) else {
            continue;
        };
        if known.contains(&relative) {
            continue;
        }
        // Opening a pipe waits for somebody to write.
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        let absolute = path.to_str().unwrap_or(&relative);
        let notes = found.notes.len();
        let is_added = is_file
            && add_file(
                path,
                &relative,
                found,
                |head| FileKind::of_named(absolute, head),
                true,
            );
        if is_added {
            found.folders.insert(folder_of(&relative).to_owned());
        } else if found.notes.len() == notes {
            found.notes.push(Note::Unknown { path: relative });
        }
    }
}

fn finish(root: PathBuf, mut found: Found) -> Discovery {
    found.files.sort();
    found.files.dedup();
    found.paths.sort();
    found.paths.dedup();
    found.notes.sort();
    found.notes.dedup();
    let mut left_out: Vec<TreePath> = found
        .folders
        .iter()
        .flat_map(|folder| left_behind(&root, folder))
        .collect();
    left_out.retain(|path| found.paths.binary_search(path).is_err());
    let is_of_git = |path: &&TreePath| path.path != ".git" && !path.path.ends_with("/.git");
    let kept = tracked(
        &root,
        left_out.iter().filter(is_of_git).map(|path| path.path.as_str()),
    );
    left_out.retain(|path| !kept.contains(&path.path));
    left_out.sort();
    Discovery {
        root,
        files: found.files,
        paths: found.paths,
        left_out,
        notes: found.notes,
    }
}

/// What stands in a folder under a name of [`LEFT_BEHIND`]. Listing the folder is cheaper than asking for each name.
fn left_behind(root: &Path, folder: &str) -> Vec<TreePath> {
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        // It is gone by now, or was a note before.
        return Vec::new();
    };
    let entry = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str().filter(|name| LEFT_BEHIND.contains(name))?;
        let kind = entry.file_type().ok()?;
        if kind.is_dir() && is_kept_empty(&entry.path()) {
            return None;
        }
        let path = match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        let entry = entry_kind(kind);
        Some(TreePath { path, entry })
    };
    entries.flatten().filter_map(entry).collect()
}

/// Whether a folder holds nothing but the file with which git keeps it.
fn is_kept_empty(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut names = entries.flatten().map(|entry| entry.file_name()).peekable();
    names.peek().is_some()
        && names.all(|name| [".gitignore", ".gitkeep", ".keep"].iter().any(|own| name == *own))
}

fn entry_kind(kind: std::fs::FileType) -> EntryKind {
    match () {
        () if kind.is_dir() => EntryKind::Folder,
        () if kind.is_symlink() => EntryKind::Link,
        () => EntryKind::File,
    }
}

/// A path as it is told: relative, in UTF-8. Otherwise it is a note.
fn relative(root: &Path, path: &Path, found: &mut Found) -> Option<String> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    match relative.to_str() {
        Some(relative) => Some(relative.to_owned()),
        None => {
            let path = relative.to_string_lossy().into_owned();
            found.notes.push(Note::Name { path });
            None
        }
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The path that an error of the walk speaks of, and its words.
fn place_of(error: &ignore::Error) -> (Option<&Path>, String) {
    match error {
        ignore::Error::WithPath { path, err } => (Some(path), place_of(err).1),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => place_of(err),
        other => (None, other.to_string()),
    }
}
