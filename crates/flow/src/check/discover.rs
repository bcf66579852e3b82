//! Which files a check reads, and which paths there are around them, as git sees the tree.
//!
//! Only names are decided on, and the first bytes of files whose names do not say what they are. Nothing is read whole,
//! and no symbolic link is followed.

mod tracked;
mod walk;

use std::path::{Component, Path, PathBuf};

use unstale_audit::FileKind;

/// The largest file that is checked, in bytes.
pub const LARGEST_FILE: u64 = 1024 * 1024;

/// How many paths of a tree are listed at most.
pub const MOST_PATHS: usize = 1_000_000;

/// What is in the tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The folder that holds all that was asked for, absolute and without links in it. All paths are relative to it, with
    /// `/` between their parts.
    pub root: PathBuf,
    /// What is to be checked, sorted.
    pub files: Vec<FoundFile>,
    /// All that git does not ignore, sorted.
    pub paths: Vec<TreePath>,
    /// What builds and package managers leave behind and is not among the paths, since git ignores it (and `node_modules`
    /// and `.git`, which are never searched), sorted. Looked for beside files that are checked and beside manifests.
    pub left_out: Vec<TreePath>,
    /// What could not be looked at.
    pub notes: Vec<Note>,
}

/// A file to check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundFile {
    /// Where it is.
    pub path: String,
    /// What it is read as.
    pub kind: FileKind,
}

/// A path of the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreePath {
    /// Where it is.
    pub path: String,
    /// What it is.
    pub entry: EntryKind,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A file, or a device, pipe or socket.
    File,
    /// A symbolic link, wherever it leads.
    Link,
}

/// Something that was not looked at, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// A name that is not UTF-8.
    Name {
        /// The path with replacement characters.
        path: String,
    },
    /// A file or folder that cannot be read.
    Unreadable {
        /// Where it is.
        path: String,
        /// The system's words.
        message: String,
    },
    /// A file larger than [`LARGEST_FILE`].
    Large {
        /// Where it is.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A file to check that is no text.
    Binary {
        /// Where it is.
        path: String,
    },
    /// A file that was asked for by its name, and is nothing that is checked.
    Unknown {
        /// Where it is.
        path: String,
    },
    /// There are more paths than [`MOST_PATHS`]; the rest was not looked at.
    Endless,
}

impl std::fmt::Display for Note {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Note::Name { path } => write!(formatter, "{path} is not checked: its name is no UTF-8"),
            Note::Unreadable { path, message } => write!(formatter, "{path} cannot be read: {message}"),
            Note::Large { path, size } => write!(
                formatter,
                "{path} is not checked: its {size} bytes are more than {LARGEST_FILE}"
            ),
            Note::Binary { path } => write!(formatter, "{path} is not checked: it is no text"),
            Note::Unknown { path } => {
                write!(
                    formatter,
                    "{path} is not checked: it is nothing that unstale reads"
                )
            }
            Note::Endless => write!(
                formatter,
                "more than {MOST_PATHS} paths: the rest was not looked at"
            ),
        }
    }
}

/// Why nothing could be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A path does not exist.
    #[error("{} does not exist", path.display())]
    Missing {
        /// As it was given.
        path: PathBuf,
    },
    /// A path cannot be opened.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// As it was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl DiscoverError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            DiscoverError::Missing { .. } => {
                Some("give files or folders that exist, or none for the current folder".to_owned())
            }
            DiscoverError::Unreadable { .. } => None,
        }
    }
}

/// Looks for files in `paths`, files and folders; a file that is given by its name is checked whatever git says of it. The
/// root is `base`, a folder, if all of them are in it; the repository that they are in, if `base` is outside of that.
///
/// Blocks for as long as the disk takes.
///
/// # Errors
/// Fails if a path does not exist or cannot be opened. What cannot be read below is a [`Note`].
pub fn discover(base: &Path, paths: &[PathBuf]) -> Result<Discovery, DiscoverError> {
    let mut folders = Vec::new();
    let mut named = Vec::new();
    for path in paths {
        let unreadable = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => DiscoverError::Missing { path: path.clone() },
            _ => DiscoverError::Unreadable {
                path: path.clone(),
                source,
            },
        };
        let is_folder = std::fs::metadata(path).map_err(unreadable)?.is_dir();
        if is_folder {
            folders.push(std::fs::canonicalize(path).map_err(unreadable)?);
            continue;
        }
        // The file keeps its name, also if it is a link; the folder that it is in is known by its true name.
        let name = path.file_name().map(PathBuf::from).unwrap_or_default();
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        named.push(std::fs::canonicalize(parent).map_err(unreadable)?.join(name));
    }
    let common = common_folder(&folders, &named);
    let base = std::fs::canonicalize(base).unwrap_or_default();
    let repository = common.ancestors().find(|folder| folder.join(".git").exists());
    let root = match repository {
        // What its files name is meant from its top.
        Some(repository) if !base.starts_with(repository) => repository.to_path_buf(),
        _ if common.starts_with(&base) && base.is_absolute() => base,
        _ => common,
    };
    // What is known of the tree around a file that is named decides about it too.
    folders.extend(
        named
            .iter()
            .filter_map(|file| file.parent())
            .map(Path::to_path_buf),
    );
    folders.sort();
    folders.dedup();
    let mut outer: Vec<PathBuf> = Vec::new();
    for folder in folders {
        // Sorted by parts: what a folder holds comes right behind it.
        if outer.last().is_none_or(|last| !folder.starts_with(last)) {
            outer.push(folder);
        }
    }
    let asked = walk::Asked {
        whole: paths_of_folders(paths, &outer),
        named,
    };
    Ok(walk::walk(root, &outer, &asked))
}

/// The folders that were asked for as such.
fn paths_of_folders(paths: &[PathBuf], outer: &[PathBuf]) -> Vec<PathBuf> {
    let folders = paths.iter().filter(|path| path.is_dir());
    let mut whole: Vec<PathBuf> = folders
        .filter_map(|path| std::fs::canonicalize(path).ok())
        .collect();
    whole.sort();
    whole.dedup();
    debug_assert!(
        whole
            .iter()
            .all(|path| outer.iter().any(|outer| path.starts_with(outer)))
    );
    whole
}

/// The deepest folder that holds all of the folders and the files.
fn common_folder(folders: &[PathBuf], files: &[PathBuf]) -> PathBuf {
    let parents = files.iter().filter_map(|file| file.parent());
    let mut all = folders.iter().map(PathBuf::as_path).chain(parents);
    let Some(first) = all.next() else {
        return PathBuf::new();
    };
    let mut common: Vec<Component<'_>> = first.components().collect();
    for path in all {
        let same = common
            .iter()
            .zip(path.components())
            .take_while(|(one, other)| *one == other);
        let same = same.count();
        common.truncate(same);
    }
    common.iter().collect()
}

#[cfg(test)]
mod tests;
