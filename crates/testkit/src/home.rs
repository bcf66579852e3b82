//! The folder that holds everything the testkit unpacks, starts and writes. Paths only, no policy.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::error::{Error, Result};

/// A Unix socket's path may have 107 bytes; the longest one below a home is containerd's debug socket.
const LONGEST_HOME: usize = 60;

/// The testkit's folder: `$UNSTALE_TEST_HOME`, else `/var/tmp/unstale-testkit`. It survives runs, so the second is fast.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

impl Home {
    /// The home that the environment names. It need not exist.
    pub fn from_env() -> Self {
        let path = env::var_os("UNSTALE_TEST_HOME").filter(|path| !path.is_empty());
        Self(path.map_or_else(|| PathBuf::from("/var/tmp/unstale-testkit"), PathBuf::from))
    }

    /// Makes the folder, or says why it cannot serve as a home.
    ///
    /// Root runs programs that are kept here, and keys that lead to root are too: the folder is its owner's alone, and
    /// one that somebody else put at a well-known place is not trusted.
    pub(crate) fn create(&self) -> Result<()> {
        let path = &self.0;
        let unfit = |rule: &str| Error::Unavailable(format!("the testkit's home {} {rule}", path.display()));
        if !path.is_absolute() || path.as_os_str().len() > LONGEST_HOME {
            return Err(unfit(&format!(
                "must be an absolute path of at most {LONGEST_HOME} bytes"
            )));
        }
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(Error::io("create", path))?;
        let metadata = fs::symlink_metadata(path).map_err(Error::io("read", path))?;
        if !metadata.is_dir() || metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(unfit(
                "must be a folder of this user's that nobody else can write to",
            ));
        }
        Ok(())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path below the home.
    pub fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.join(relative)
    }

    /// The folder of one daemon: socket, data, pid file, log.
    pub fn daemon(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The socket of one daemon.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.0.join(name).join(if name == "buildkitd" {
            "buildkitd.sock"
        } else {
            "docker.sock"
        })
    }

    /// The folder with the `docker` client that suits the engines, and nothing else (for `PATH`).
    pub fn client(&self) -> PathBuf {
        self.0.join("client")
    }

    /// Client plugins (compose, buildx), to be linked into a `DOCKER_CONFIG` as `cli-plugins`.
    pub fn plugins(&self) -> PathBuf {
        self.0.join("plugins")
    }

    /// A `DOCKER_CONFIG` with the plugins, for a shell; tests have one of their own each.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn client_configuration(&self) -> Result<PathBuf> {
        let folder = self.0.join("configuration");
        let link = folder.join("cli-plugins");
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        if !link.exists() {
            symlink(self.plugins(), &link).map_err(Error::io("link", &link))?;
        }
        Ok(folder)
    }

    /// Opens (and makes) a file to lock.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.0.join("locks").join(name);
        fs::create_dir_all(self.0.join("locks")).map_err(Error::io("create", self.0.join("locks")))?;
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io("open", &path))
    }
}
