//! The snapshot: every selected path of a context with what is sent of it, and the hash of every file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rustix::fs::{FileType, Stat, major, minor};
use sha2::{Digest, Sha256};

use crate::error::ContextError;
use crate::filter::Filter;
use crate::follow;
use crate::hashing::{self, Job};
use crate::index::{HashIndex, Identity};
use crate::root::Root;
use crate::selector::Selector;
use crate::verified::VerifiedFile;
use crate::walk::{Found, walk};

/// A content-exact description of what a [`Selector`] picks from a folder.
#[derive(Debug)]
pub struct Snapshot {
    root: Root,
    entries: Vec<Entry>,
    counters: Counters,
}

/// One path of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the root, with slashes; clean and relative.
    pub path: Box<str>,
    /// `st_mode` of unix: type and permissions.
    pub mode: u32,
    /// Time of the last modification: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Extended attributes as they are sent, sorted by name.
    pub xattrs: Vec<(String, Vec<u8>)>,
    /// What lies at the path.
    pub kind: Kind,
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A regular file. A socket is one too, without content: that is what the engine's own client makes of it.
    File {
        /// Length in bytes.
        size: u64,
        /// SHA-256 of the content.
        sha256: [u8; 32],
        /// SHA-256 of BuildKit's header and the content: the digest under which BuildKit knows the file.
        tarsum: [u8; 32],
    },
    /// A further name of an earlier entry.
    HardLink {
        /// The first path under which it is sent.
        to: Box<str>,
    },
    /// A symbolic link.
    Symlink {
        /// The target as it is written in the link.
        target: Box<str>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// How much of the disk a snapshot had to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Files whose content was read.
    pub files_read: u64,
    /// Bytes read from them.
    pub bytes_read: u64,
    /// Files whose hash came from the index.
    pub index_hits: u64,
}

/// Describes what `selector` picks from the folder `root`.
///
/// Every selected file is read once, several at a time, unless `index` knows it unchanged. Nothing else is opened.
/// `cancel` may be raised from another thread; it is asked between files and within long ones.
///
/// # Errors
/// Fails if the root is no folder, a selected path cannot be read or has a name that is not UTF-8, a pattern is
/// malformed, a file changes while it is read, or `cancel` is raised.
pub fn snapshot(
    root: &Path,
    selector: &Selector,
    index: Option<&HashIndex>,
    cancel: &AtomicBool,
) -> Result<Snapshot, ContextError> {
    let root = Root::open(root)?;
    let targets = follow::resolve(&root, &selector.follow)?;
    let filter = Filter::new(selector, targets)?;

    let mut entries: Vec<Entry> = Vec::new();
    let mut files: Vec<File> = Vec::new();
    let mut linked: HashMap<(u64, u64), usize> = HashMap::new();
    walk(&root, &filter, cancel, |found| {
        let kind = FileType::from_raw_mode(found.stat.st_mode);
        if kind == FileType::RegularFile || kind == FileType::Socket {
            files.push(File {
                entry: entries.len(),
                identity: Identity::of(&found.stat),
                local: found.local,
            });
        }
        let mut first = None;
        if found.stat.st_nlink > 1 && !matches!(kind, FileType::Directory | FileType::Symlink) {
            let number = *linked
                .entry((found.stat.st_dev, found.stat.st_ino))
                .or_insert(entries.len());
            first = entries.get(number).map(|first| first.path.clone());
        }
        if first.is_some() {
            files.pop_if(|file| file.entry == entries.len());
        }
        entries.push(entry(found, first));
    })?;
    let counters = fill(&root, &mut entries, &files, index, cancel)?;
    entries.shrink_to_fit();
    Ok(Snapshot {
        root,
        entries,
        counters,
    })
}

/// A file whose hash is wanted.
struct File {
    entry: usize,
    identity: Identity,
    local: bool,
}

/// Puts the hashes of the files into their entries.
fn fill(
    root: &Root,
    entries: &mut [Entry],
    files: &[File],
    index: Option<&HashIndex>,
    cancel: &AtomicBool,
) -> Result<Counters, ContextError> {
    let mut counters = Counters::default();
    let mut unread: Vec<&File> = Vec::new();
    let identities = || files.iter().map(|file| &file.identity);
    let known = index.map_or_else(Vec::new, |index| index.look_up(identities()));
    for (number, file) in files.iter().enumerate() {
        match known.get(number).copied().flatten().filter(|_| file.local) {
            Some(hashes) => {
                counters.index_hits += 1;
                entries[file.entry].set_hashes(hashes);
            }
            None => unread.push(file),
        }
    }

    let jobs: Vec<Job<'_>> = unread
        .iter()
        .map(|file| Job {
            entry: &entries[file.entry],
            identity: &file.identity,
        })
        .collect();
    let hashed = hashing::hash(root, &jobs, cancel)?;
    drop(jobs);
    for (file, hashed) in unread.iter().zip(&hashed) {
        counters.files_read += 1;
        counters.bytes_read += file.identity.size;
        entries[file.entry].set_hashes(hashed.hashes);
    }
    if let Some(index) = index {
        let read = unread
            .iter()
            .zip(&hashed)
            .filter(|(file, hashed)| hashed.settled && file.local);
        index.record(read.map(|(file, hashed)| (&file.identity, &hashed.hashes)));
    }
    Ok(counters)
}

impl Entry {
    fn set_hashes(&mut self, hashes: crate::index::Hashes) {
        if let Kind::File { sha256, tarsum, .. } = &mut self.kind {
            (*sha256, *tarsum) = (hashes.sha256, hashes.tarsum);
        }
    }
}

fn entry(found: Found, first: Option<Box<str>>) -> Entry {
    let stat: &Stat = &found.stat;
    let mut mode = stat.st_mode;
    let kind = match (first, FileType::from_raw_mode(mode)) {
        (Some(to), _) => Kind::HardLink { to },
        (None, FileType::Directory) => Kind::Directory,
        (None, FileType::Symlink) => Kind::Symlink {
            target: found.link.unwrap_or_default(),
        },
        (None, FileType::Fifo) => Kind::Fifo,
        (None, FileType::CharacterDevice) => Kind::CharDevice {
            major: major(stat.st_rdev),
            minor: minor(stat.st_rdev),
        },
        (None, FileType::BlockDevice) => Kind::BlockDevice {
            major: major(stat.st_rdev),
            minor: minor(stat.st_rdev),
        },
        (None, _) => Kind::File {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            sha256: [0; 32],
            tarsum: [0; 32],
        },
    };
    if FileType::from_raw_mode(mode) == FileType::Socket {
        mode = (mode & 0o7777) | FileType::RegularFile.as_raw_mode();
    }
    let mtime = (stat.st_mtime, stat.st_mtime_nsec as u32);
    Entry {
        path: found.path,
        mode,
        mtime,
        xattrs: found.xattrs,
        kind,
    }
}

impl Snapshot {
    /// The context folder, without symbolic links.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The selected paths in the order in which they are sent: parents first, siblings by the bytes of their names.
    /// The root itself is not among them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How much had to be read.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Opens the file of an entry for reading, held to its size and hash.
    ///
    /// # Errors
    /// [`ContextError::NotAFile`] if the entry is no regular file; [`ContextError::ChangedDuringBuild`] if something
    /// else lies at its path by now; [`ContextError::Unreadable`] if it cannot be opened.
    ///
    /// # Panics
    /// If `entry` is not an index into [`Snapshot::entries`].
    pub fn open(&self, entry: usize) -> Result<VerifiedFile, ContextError> {
        let entry = &self.entries[entry];
        match &entry.kind {
            Kind::File { size, sha256, .. } => VerifiedFile::open(&self.root, &entry.path, *size, *sha256),
            _ => Err(ContextError::NotAFile {
                path: entry.path.to_string(),
            }),
        }
    }

    /// A digest of everything that an image can hold of the snapshot: paths, modes, attributes, links and contents, but
    /// not modification times. Equal digests mean equal trees.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        for entry in &self.entries {
            field(entry.path.as_bytes());
            field(&entry.mode.to_le_bytes());
            field(&(entry.xattrs.len() as u64).to_le_bytes());
            for (name, value) in &entry.xattrs {
                field(name.as_bytes());
                field(value);
            }
            match &entry.kind {
                Kind::Directory | Kind::Fifo => field(b""),
                Kind::File { sha256, .. } => field(sha256),
                Kind::HardLink { to } => {
                    field(b"hard link");
                    field(to.as_bytes());
                }
                Kind::Symlink { target } => field(target.as_bytes()),
                Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
                    field(&[major.to_le_bytes(), minor.to_le_bytes()].concat());
                }
            }
        }
        hasher.finalize().into()
    }
}
