//! A project for a test: a folder with files, a git repository with pinned dates, an environment of its own, and a
//! unique name under which the engine's leftovers are found and removed again.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Engine;
use crate::http;
use crate::scratch::{self, Scratch};

/// The first commit's date (2024-01-01T00:00:00Z); each later one is a minute after.
const FIRST_COMMIT: u64 = 1_704_067_200;

/// A name for images, containers and projects that no other test uses: `prefix`, then letters and digits.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_micros());
    format!("{prefix}-{:x}-{:x}{count:x}", process::id(), now & 0xffff_ffff)
}

/// A temporary project folder. Dropping it removes the folder and, on every engine that it was used with, the
/// containers, networks, volumes and image tags whose names contain the project's name.
#[derive(Debug)]
pub struct Project {
    name: String,
    folder: TempDir,
    scratch: Scratch,
    commits: AtomicU64,
    used: Mutex<BTreeMap<String, PathBuf>>,
}

impl Project {
    /// An empty folder, whose own name is the project's name: [`unique`] of the prefix.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    pub fn new(prefix: &str) -> Self {
        let name = unique(prefix);
        let folder =
            scratch::temporary().unwrap_or_else(|error| panic!("cannot make a temporary folder: {error}"));
        let scratch = fs::create_dir(folder.path().join(&name))
            .and_then(|()| Scratch::create(folder.path().join("environment")))
            .unwrap_or_else(|error| panic!("cannot make project {name}: {error}"));
        Self {
            name,
            folder,
            scratch,
            commits: AtomicU64::new(0),
            used: Mutex::default(),
        }
    }

    /// The unique name: also Compose's default project name for the folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The project's folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// Writes a file below the project's folder, with the folders that it needs; answers its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(relative);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Sets a file's permission bits.
    ///
    /// # Panics
    /// When the file is not there.
    pub fn chmod(&self, relative: impl AsRef<Path>, mode: u32) {
        let path = self.path().join(relative);
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .unwrap_or_else(|error| panic!("cannot set the mode of {}: {error}", path.display()));
    }

    /// A program in the project's folder and environment, with an engine. Its images and containers, where named
    /// after the project, are removed from that engine in the end.
    pub fn command(&self, engine: &Engine, program: impl AsRef<OsStr>) -> Command {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(engine.name.clone(), engine.socket.clone());
        let mut command = self.scratch.command(Some(engine), program);
        command.current_dir(self.path());
        command
    }

    /// A program in the project's folder and environment, with no engine that answers.
    pub fn command_without_engine(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.scratch.command(None, program);
        command.current_dir(self.path());
        command
    }

    /// The `unstale` under test, in the project's folder and environment.
    pub fn unstale(&self, engine: &Engine) -> Command {
        self.command(engine, scratch::unstale_binary())
    }

    /// Runs git and answers its trimmed output.
    ///
    /// # Panics
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        let date = FIRST_COMMIT + 60 * self.commits.load(Ordering::Relaxed);
        let mut command = self.command_without_engine("git");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Test")
                .env(format!("GIT_{role}_EMAIL"), "test@example.com");
            command.env(format!("GIT_{role}_DATE"), format!("@{date} +0000"));
        }
        command
            .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"])
            .args(arguments);
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("cannot run git: {error}"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?} failed: {message}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits all files (in a repository that the first call makes) and answers the commit's full hash, which
    /// depends on the files and messages only.
    pub fn commit(&self, message: &str) -> String {
        if !self.path().join(".git").exists() {
            self.git(&["init", "--quiet"]);
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.git(&["rev-parse", "HEAD"])
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in used.values() {
            remove_named(socket, &self.name);
        }
    }
}

/// Removes what carries the name, in the order that dependencies demand. What fails stays: `testkit down` sweeps.
fn remove_named(socket: &Path, name: &str) {
    let list = |path: &str, key: &str| -> Vec<Value> {
        let answer = http::json(socket, "GET", path).unwrap_or_default();
        let all = if key.is_empty() {
            answer
        } else {
            answer[key].clone()
        };
        all.as_array().cloned().unwrap_or_default()
    };
    let delete = |path: String| drop(http::json(socket, "DELETE", &path));
    let text = |value: &Value| value.as_str().map(http::escape).unwrap_or_default();
    for container in list("/containers/json?all=1", "") {
        let labels = &container["Labels"]["com.docker.compose.project"];
        if labels == name
            || container["Names"].to_string().contains(name)
            || container["Image"].to_string().contains(name)
        {
            delete(format!("/containers/{}?force=1&v=1", text(&container["Id"])));
        }
    }
    for network in list("/networks", "")
        .iter()
        .filter(|network| network["Name"].to_string().contains(name))
    {
        delete(format!("/networks/{}", text(&network["Id"])));
    }
    for volume in list("/volumes", "Volumes")
        .iter()
        .filter(|volume| volume["Name"].to_string().contains(name))
    {
        delete(format!("/volumes/{}?force=1", text(&volume["Name"])));
    }
    let tags = |image: &Value| image["RepoTags"].as_array().cloned().unwrap_or_default();
    for tag in list("/images/json", "")
        .iter()
        .flat_map(tags)
        .filter(|tag| tag.to_string().contains(name))
    {
        delete(format!("/images/{}?force=1", text(&tag)));
    }
}
