//! The engines' programs, unpacked below the home: `native` from this release, `testing` from Debian testing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::apt::{self, Archive};
use super::run::{bounded, output};
use super::system_path;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::scratch::find;

/// Programs of the system that dockerd and the testkit call, with their packages.
const SYSTEM: [(&str, &str); 2] = [("ip", "iproute2"), ("iptables", "iptables")];

/// An unpacked set of programs.
#[derive(Debug, Clone)]
pub(super) struct Dist {
    root: PathBuf,
}

impl Dist {
    /// This release's engine, whatever its version, with runc, the registry and a static busybox.
    pub(super) fn native(home: &Home) -> Result<Self> {
        let optional = [
            // Client and plugins are packages of their own in later releases.
            "docker-cli",
            "docker-buildx",
            "docker-compose-v2",
            "docker-compose",
            "docker-registry",
            // What docker-init is a link to.
            "tini",
            // Libraries that a minimal system may lack.
            "libdevmapper1.02.1",
            "libseccomp2",
        ];
        let required = ["docker.io", "containerd", "runc", "busybox-static"];
        Self::ensure(home, "native", |target| {
            Archive::Own.unpack(&required, &optional, target)
        })
    }

    /// Debian testing's engine, client and plugins. They need the C library that this release has.
    pub(super) fn testing(home: &Home) -> Result<Self> {
        let required = [
            "docker.io",
            "docker-cli",
            "docker-buildx",
            "docker-compose",
            "containerd",
        ];
        Self::ensure(home, "testing", |target| {
            Archive::testing(&home.join("apt"))?.unpack(&required, &["tini"], target)
        })
    }

    /// Unpacks once: the folder gets its name only when it is whole.
    fn ensure(home: &Home, name: &str, unpack: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let root = home.join("dist").join(name);
        if !root.exists() {
            let partial = root.with_extension("partial");
            let _ = fs::remove_dir_all(&partial);
            unpack(&partial)?;
            fs::rename(&partial, &root).map_err(Error::io("rename", &partial))?;
        }
        Ok(Self { root })
    }

    /// A program of this set.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        let missing = || Error::Unavailable(format!("the packages of this release have no {name}"));
        find(name, &env::join_paths(self.folders()).unwrap_or_default()).ok_or_else(missing)
    }

    /// A search path with this set's programs first, then those of `others`, then the system's.
    pub(super) fn search_path(&self, others: &[&Self]) -> OsString {
        let mut folders = self.folders();
        folders.extend(others.iter().flat_map(|dist| dist.folders()));
        folders.extend(env::split_paths(&system_path()));
        env::join_paths(folders).unwrap_or_default()
    }

    /// Where this set's own libraries are, as a value for `LD_LIBRARY_PATH`.
    pub(super) fn libraries(&self) -> OsString {
        let triplet = format!("{}-linux-gnu", env::consts::ARCH);
        let folders = ["usr/lib", "lib"].map(|folder| self.root.join(folder).join(&triplet));
        env::join_paths(folders).unwrap_or_default()
    }

    /// Checks that a program's libraries are all on this machine.
    pub(super) fn check(&self, name: &str) -> Result<PathBuf> {
        let program = self.program(name)?;
        let mut ldd = bounded(Duration::from_secs(20), "ldd");
        let listing = output(ldd.env("LD_LIBRARY_PATH", self.libraries()).arg(&program)).unwrap_or_default();
        let missing: Vec<&str> = listing
            .lines()
            .filter(|line| line.contains("not found"))
            .map(str::trim)
            .collect();
        if missing.is_empty() {
            return Ok(program);
        }
        Err(Error::Unavailable(format!(
            "{} lacks libraries: {}",
            program.display(),
            missing.join(", ")
        )))
    }

    fn folders(&self) -> Vec<PathBuf> {
        ["usr/sbin", "usr/bin", "sbin", "bin"]
            .map(|folder| self.root.join(folder))
            .into()
    }
}

/// A program of the system itself.
pub(super) fn find_system(name: &str) -> Option<PathBuf> {
    find(name, &system_path())
}

/// Installs what must be on the system itself.
pub(super) fn system_programs() -> Result<()> {
    let missing = SYSTEM
        .iter()
        .filter(|(program, _)| find_system(program).is_none());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        apt::install(&missing)
    }
}

/// Links the newest client and plugins of the given sets (best first) into the home.
pub(super) fn link_client(home: &Home, dists: &[&Dist]) -> Result<()> {
    for folder in [home.client(), home.plugins()] {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    }
    for dist in dists {
        let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
        links.extend(
            dist.program("docker")
                .ok()
                .map(|docker| (docker, home.client().join("docker"))),
        );
        let plugins = fs::read_dir(dist.root.join("usr/libexec/docker/cli-plugins"))
            .into_iter()
            .flatten()
            .flatten();
        links.extend(plugins.map(|entry| (entry.path(), home.plugins().join(entry.file_name()))));
        for (program, link) in links.iter().filter(|(_, link)| !link.exists()) {
            symlink(program, link).map_err(Error::io("link", link))?;
        }
    }
    Ok(())
}
