//! What is different between two builds, as it is told to people and in JSON.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Change {
    /// A file of a folder.
    File {
        /// Its path below the folder.
        path: String,
        /// What about it.
        change: FileChange,
    },
    /// A build argument. The values of secret ones are left out.
    Arg {
        /// Its name.
        arg: String,
        /// The value in the previous build.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// The value in this build.
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<String>,
        /// Where the value comes from.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    /// A variable of the step's environment that is no build argument.
    Env {
        /// Its name.
        env: String,
        /// The value in the previous build.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// The value in this build.
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<String>,
    },
    /// The text of the instruction.
    Instruction {
        /// As it was; absent for a new instruction.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// As it is.
        instruction: String,
    },
    /// The base image.
    Base {
        /// Its name.
        base: String,
        /// What the name stood for.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// What it stands for.
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<String>,
    },
    /// Something that an earlier instruction or an option of the build sets: user, working directory, network, …
    Setting {
        /// What.
        setting: String,
    },
}

/// What is different about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content.
    Content,
    /// Its permissions.
    Mode,
    /// Where the link leads.
    LinkTarget,
    /// It is something else now: a folder, a link, …
    Kind,
}

impl FileChange {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            FileChange::Added => "added",
            FileChange::Removed => "removed",
            FileChange::Content => "content",
            FileChange::Mode => "mode",
            FileChange::LinkTarget => "link target",
            FileChange::Kind => "kind",
        }
    }
}

/// A file of a folder, as far as it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Its path below the folder.
    pub path: String,
    /// `file`, `directory`, `symlink`, …
    pub kind: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// The hash of a file's content, the target of a link.
    pub content: Option<String>,
}

/// The differences between two states of a folder. Both come in the order of a walk: folders before what is in them,
/// siblings by the bytes of their names.
pub fn files(
    old: impl Iterator<Item = FileState>,
    new: impl Iterator<Item = FileState>,
) -> Vec<(String, FileChange)> {
    let (mut old, mut new) = (old.peekable(), new.peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => walk_order(&old.path, &new.path),
        };
        changes.extend(match order {
            Ordering::Less => old.next().map(|file| (file.path, FileChange::Removed)),
            Ordering::Greater => new.next().map(|file| (file.path, FileChange::Added)),
            Ordering::Equal => old.next().zip(new.next()).and_then(|(old, new)| {
                let change = difference(&old, &new)?;
                Some((new.path, change))
            }),
        });
    }
    changes
}

fn walk_order(left: &str, right: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    left.bytes().map(key).cmp(right.bytes().map(key))
}

fn difference(old: &FileState, new: &FileState) -> Option<FileChange> {
    if old.kind != new.kind {
        Some(FileChange::Kind)
    } else if old.content != new.content {
        Some(if new.kind == "symlink" {
            FileChange::LinkTarget
        } else {
            FileChange::Content
        })
    } else if old.mode != new.mode {
        Some(FileChange::Mode)
    } else {
        None
    }
}
