//! The scrubbed environment that every program of a test runs in: nothing of the machine's or the developer's own
//! settings reaches it, and what it writes stays in a folder of its own.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;

use crate::engine::Engine;
use crate::home::Home;

/// Where the machine keeps programs; searched after the folder of the engines' client.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Each variable that points to a private folder, and the folder's name.
const FOLDERS: [(&str, &str); 8] = [
    ("DOCKER_CONFIG", "docker"),
    ("HOME", "home"),
    ("TMPDIR", "tmp"),
    ("UNSTALE_STATE_DIR", "state"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_STATE_HOME", "state"),
];

/// A folder with the private homes of one environment.
#[derive(Debug)]
pub(crate) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Makes the folders below `root`.
    pub(crate) fn create(root: PathBuf) -> io::Result<Self> {
        for (_, folder) in FOLDERS {
            fs::create_dir_all(root.join(folder))?;
        }
        let runtime = root.join("run");
        fs::create_dir_all(&runtime)?;
        fs::set_permissions(&runtime, Permissions::from_mode(0o700))?;
        symlink(Home::from_env().plugins(), root.join("docker/cli-plugins"))?;
        Ok(Self { root })
    }

    /// A program in this environment; without an engine it has no `DOCKER_HOST` that answers.
    pub(crate) fn command(&self, engine: Option<&Engine>, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(resolve(program.as_ref()));
        command
            .env_clear()
            .env("PATH", search_path())
            .env("LC_ALL", "C")
            .env("TZ", "UTC");
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("XDG_RUNTIME_DIR", self.root.join("run"));
        for (variable, folder) in FOLDERS {
            command.env(variable, self.root.join(folder));
        }
        // The example's base image is made of it, and the machine need not have one.
        let home = Home::from_env();
        let busybox = ["bin", "usr/bin"].map(|folder| home.join(format!("dist/native/{folder}/busybox")));
        if let Some(busybox) = busybox.into_iter().find(|path| path.exists()) {
            command.env("BUSYBOX", busybox);
        }
        let nowhere = || format!("unix://{}", self.root.join("no-engine.sock").display());
        command.env(
            "DOCKER_HOST",
            engine.map_or_else(nowhere, |engine| engine.docker_host.clone()),
        );
        command.current_dir(self.root.join("home"));
        command
    }
}

/// The environment that all commands of this process share, unless a [`crate::Project`] gives them its own. `testkit
/// up` and `down` remove those of processes that are gone.
pub(crate) fn process() -> &'static Scratch {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let folder = temporary().unwrap_or_else(|error| panic!("cannot make a temporary folder: {error}"));
        Scratch::create(folder.keep()).unwrap_or_else(|error| panic!("cannot make an environment: {error}"))
    })
}

/// A temporary folder named after this process, below the testkit's home where that is writable.
pub(crate) fn temporary() -> io::Result<tempfile::TempDir> {
    let below = Home::from_env().join("tmp");
    let prefix = format!("{}-", process::id());
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        builder
    };
    fs::create_dir_all(&below)
        .and_then(|()| builder().tempdir_in(&below))
        .or_else(|_| builder().prefix(&format!("unstale-test-{prefix}")).tempdir())
}

/// A folder that holds links to the named system programs only: a `PATH` for tests of what happens when one is missing.
///
/// # Panics
/// When a program is not on this machine or the folder cannot be made.
pub fn tool_path(programs: &[&str]) -> PathBuf {
    let folder = temporary()
        .unwrap_or_else(|error| panic!("cannot make a temporary folder: {error}"))
        .keep();
    for name in programs {
        let program = find(name, &search_path()).unwrap_or_else(|| panic!("{name} is not on this machine"));
        symlink(program, folder.join(name)).unwrap_or_else(|error| panic!("cannot link {name}: {error}"));
    }
    folder
}

/// The `unstale` under test: `$UNSTALE_TEST_BINARY`, else the one that cargo built beside the running test.
///
/// # Panics
/// When there is none: build the workspace first (`cargo build`).
pub fn unstale_binary() -> PathBuf {
    if let Some(path) = env::var_os("UNSTALE_TEST_BINARY") {
        return path.into();
    }
    let running = env::current_exe().unwrap_or_else(|error| panic!("cannot tell the running test: {error}"));
    let beside = running
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join("unstale"));
    beside.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no unstale binary beside {}: run `cargo build` first",
            running.display()
        )
    })
}

/// Finds a program in a search path.
pub(crate) fn find(name: &str, search: &OsStr) -> Option<PathBuf> {
    env::split_paths(search)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// `Command` looks a bare name up in the *caller's* `PATH` on some systems; here the scrubbed one counts.
fn resolve(program: &OsStr) -> OsString {
    let name = program.to_str().filter(|name| !name.contains('/'));
    name.and_then(|name| find(name, &search_path()))
        .map_or_else(|| program.to_owned(), PathBuf::into_os_string)
}

fn search_path() -> OsString {
    let mut folders = vec![Home::from_env().client()];
    folders.extend(env::split_paths(SYSTEM_PATH));
    // A machine's own client may live elsewhere; it serves when the testkit unpacked none.
    let inherited = env::var_os("PATH").unwrap_or_default();
    folders.extend(find("docker", &inherited).and_then(|docker| docker.parent().map(Path::to_owned)));
    env::join_paths(folders).unwrap_or_else(|_| SYSTEM_PATH.into())
}
