//! All that was read: the files, and the paths of the tree that they are in.

use crate::{FileKind, Source};

/// A file of a [`Project`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub(crate) u32);

/// A file that is checked.
#[derive(Debug)]
pub struct File {
    /// Its text.
    pub source: Source,
    /// What it is read as.
    pub kind: FileKind,
}

/// All that a check looks at.
#[derive(Debug, Default)]
pub struct Project {
    files: Vec<File>,
}

impl Project {
    /// Reads the texts.
    pub fn new(files: Vec<File>) -> Project {
        Project { files }
    }

    /// The files with their ids, in order.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &File)> {
        self.files
            .iter()
            .enumerate()
            .map(|(index, file)| (FileId(index as u32), file))
    }

    /// A file.
    pub fn file(&self, id: FileId) -> &File {
        &self.files[id.0 as usize]
    }
}
