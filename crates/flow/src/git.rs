//! What git knows of the tree that is built: the commit, what differs from it, and which commit last changed a
//! set of inputs.
//!
//! The `git` program is asked, since it alone applies the user's filters, ignore rules, worktrees and ownership
//! checks as the user's own `git status` does. It is only read from, without taking a lock.

use crate::event::Commit;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// How long one question to git may take. The status of a very large tree on a cold disk is the slowest.
const BOUND: Duration = Duration::from_secs(120);

/// Why git could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program could not be started.
    #[error("cannot run git")]
    Start(#[source] std::io::Error),
    /// The program failed. Its own words are the message.
    #[error("git {command} failed: {message}")]
    Failed {
        /// The subcommand.
        command: &'static str,
        /// What git wrote on its standard error.
        message: String,
    },
    /// The program did not end in time.
    #[error("git {command} did not end within {} s", BOUND.as_secs())]
    Timeout {
        /// The subcommand.
        command: &'static str,
    },
}

/// A checked-out repository with at least one commit.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
    head: String,
    /// Paths below the root that differ from the commit. Those that git ignores are marked.
    changes: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    /// Relative to the root; a folder whose whole content differs ends in `/`.
    path: PathBuf,
    is_folder: bool,
    is_ignored: bool,
}

/// The inputs of a service as paths: which of them, whether they exist or not, does the service read?
pub trait Inputs: Sync {
    /// Folders and files below which all inputs are, as absolute paths.
    fn roots(&self) -> Vec<PathBuf>;
    /// Whether a file is an input, by its name alone, since it may be gone.
    fn selects(&self, path: &Path) -> bool;
    /// Whether an input can lie below a folder.
    fn enters(&self, folder: &Path) -> bool;
}

/// The commit that last changed a set of inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The full hash.
    pub commit: String,
    /// The inputs hold something else than the commit.
    pub dirty: bool,
}

impl Revision {
    /// The value of the image's label and, with `scope = "service"`, of the build argument.
    pub fn value(&self) -> String {
        format!("{}{}", self.commit, if self.dirty { "-dirty" } else { "" })
    }
}

impl Repository {
    /// The repository that holds a folder. `None` if there is none, or none with a commit, or no git program.
    pub async fn find(folder: &Path) -> Result<Option<Repository>, GitError> {
        let head = ["rev-parse", "--show-toplevel", "--verify", "HEAD^{commit}"];
        // Its paths begin at the root, wherever in the repository it runs.
        let status = [
            "status",
            "--porcelain",
            "-z",
            "--untracked-files=all",
            "--ignored=matching",
            "--no-renames",
        ];
        let (head, status) = tokio::join!(git(folder, &head), git(folder, &status));
        let output = match head {
            Ok(output) => output,
            Err(GitError::Start(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(GitError::Failed { message, .. })
                if message.contains("not a git repository")
                    || message.contains("Needed a single revision") =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&output).into_owned();
        let Some((root, head)) = text.trim_end().rsplit_once('\n') else {
            return Ok(None);
        };
        Ok(Some(Repository {
            root: root.into(),
            head: head.to_owned(),
            changes: changes(&status?),
        }))
    }

    /// The commit that is checked out. What git ignores does not make a tree dirty.
    pub fn commit(&self) -> Commit {
        let changed_files = self.changes.iter().filter(|change| !change.is_ignored).count();
        Commit {
            hash: self.head.clone(),
            changed_files,
        }
    }

    /// The commit that last changed one of the inputs, and whether the inputs on disk are those of the commit.
    /// An ignored file that is an input is not in any commit, so it makes the inputs dirty.
    ///
    /// `None` if the inputs are not all inside the repository, or were never committed.
    pub async fn revision(&self, inputs: &impl Inputs) -> Result<Option<Revision>, GitError> {
        let roots = inputs.roots();
        let relative = |path: &PathBuf| path.strip_prefix(&self.root).map(Path::to_path_buf).ok();
        let Some(pathspecs) = roots.iter().map(relative).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let dirty = self.changes.iter().any(|change| self.is_input(change, inputs));
        let Some(commit) = self.last_change(&pathspecs, inputs).await? else {
            return Ok(None);
        };
        Ok(Some(Revision { commit, dirty }))
    }

    fn is_input(&self, change: &Change, inputs: &impl Inputs) -> bool {
        let path = self.root.join(&change.path);
        if covers_root(&path, inputs) {
            return true;
        }
        if change.is_folder {
            holds_input(&path, inputs)
        } else {
            inputs.selects(&path)
        }
    }

    /// Goes back from HEAD to the first commit that touches an input. Files that were deleted count as well,
    /// which a list of today's files would miss.
    async fn last_change(
        &self,
        pathspecs: &[PathBuf],
        inputs: &impl Inputs,
    ) -> Result<Option<String>, GitError> {
        const COMMAND: &str = "log";
        let mut command = command(&self.root);
        command.args([
            "log",
            "--format=%x01%H",
            "--name-only",
            "-z",
            "--no-renames",
            "--diff-merges=dense-combined",
        ]);
        command.args([self.head.as_str(), "--"]);
        // The root itself is every path, for which git wants no pathspec.
        let everything = pathspecs.iter().any(|path| path.as_os_str().is_empty());
        for path in pathspecs.iter().filter(|_| !everything) {
            let mut pathspec = std::ffi::OsString::from(":(top,literal)");
            pathspec.push(path);
            command.arg(pathspec);
        }
        let mut child = command.spawn().map_err(GitError::Start)?;
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Ok(None);
        };
        let search = async {
            let mut tokens = BufReader::new(stdout);
            let (mut commit, mut token) = (None, Vec::new());
            while tokens.read_until(0, &mut token).await.map_err(GitError::Start)? > 0 {
                let text = token.strip_suffix(&[0]).unwrap_or(&token);
                let text = text.strip_prefix(b"\n").unwrap_or(text);
                if let Some(hash) = text.strip_prefix(&[1]) {
                    commit = Some(String::from_utf8_lossy(hash).trim().to_owned());
                } else if !text.is_empty() {
                    let path = self.root.join(bytes_to_path(text));
                    if inputs.selects(&path) || covers_root(&path, inputs) {
                        return Ok(commit);
                    }
                }
                token.clear();
            }
            let mut message = String::new();
            let _ = stderr.read_to_string(&mut message).await;
            match child.wait().await {
                Ok(status) if status.success() => Ok(None),
                _ => Err(GitError::Failed {
                    command: COMMAND,
                    message: message.trim().to_owned(),
                }),
            }
        };
        let found = tokio::time::timeout(BOUND, search).await;
        found.map_err(|_| GitError::Timeout { command: COMMAND })?
    }
}

/// Whether a whole set of inputs lies at or below a path: git names a submodule, and a folder of which nothing is
/// tracked, as one entry.
fn covers_root(path: &Path, inputs: &impl Inputs) -> bool {
    inputs.roots().iter().any(|root| root.starts_with(path))
}

/// Whether a folder that git does not track holds an input. Stops at the first one.
fn holds_input(folder: &Path, inputs: &impl Inputs) -> bool {
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            if !is_folder && inputs.selects(&path) {
                return true;
            }
            if is_folder && inputs.enters(&path) {
                pending.push(path);
            }
        }
    }
    false
}

/// The entries of `git status --porcelain -z`.
fn changes(status: &[u8]) -> Vec<Change> {
    let entries = status.split(|&byte| byte == 0).filter(|entry| entry.len() > 3);
    let change = |entry: &[u8]| {
        let path = &entry[3..];
        Change {
            path: bytes_to_path(path),
            is_folder: path.ends_with(b"/"),
            is_ignored: entry.starts_with(b"!!"),
        }
    };
    entries.map(change).collect()
}

fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--no-optional-locks")
        .arg("-C")
        .arg(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The address of the remote `origin`; `None` if there is none, or no repository.
pub async fn origin(folder: &Path) -> Option<String> {
    let address = git(folder, &["remote", "get-url", "origin"]).await.ok()?;
    Some(String::from_utf8_lossy(&address).trim().to_owned())
}

async fn git(folder: &Path, arguments: &[&'static str]) -> Result<Vec<u8>, GitError> {
    let name = arguments.first().copied().unwrap_or_default();
    let run = command(folder).args(arguments).output();
    let output = tokio::time::timeout(BOUND, run)
        .await
        .map_err(|_| GitError::Timeout { command: name })?;
    let output = output.map_err(GitError::Start)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GitError::Failed {
        command: name,
        message,
    })
}

#[cfg(test)]
mod tests;
