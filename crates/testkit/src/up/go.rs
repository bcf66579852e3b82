//! Builds the daemons that Debian has no package of, where a Go toolchain is present.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::run::{bounded, output};
use crate::error::{Error, Result};
use crate::home::Home;
use crate::scratch::find;

/// BuildKit has half a thousand packages: minutes on two cores.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A program of a Go module.
#[derive(Debug)]
pub(super) struct GoProgram {
    /// The file's name.
    name: &'static str,
    module: &'static str,
    /// The package's path below the module.
    package: &'static str,
    /// The variable that holds the program's version.
    version: &'static str,
}

/// The newest BuildKit daemon.
pub(super) const BUILDKITD: GoProgram = GoProgram {
    name: "buildkitd",
    module: "github.com/moby/buildkit",
    package: "cmd/buildkitd",
    version: "version.Version",
};

/// The newest Docker daemon, for its API ≥ 1.53.
pub(super) const DOCKERD: GoProgram = GoProgram {
    name: "dockerd",
    module: "github.com/moby/moby/v2",
    package: "cmd/dockerd",
    version: "dockerversion.Version",
};

/// The program below the home, built when it is not there yet.
pub(super) fn program(home: &Home, wanted: &GoProgram) -> Result<PathBuf> {
    let bin = home.join("go");
    let program = bin.join(wanted.name);
    if program.is_file() {
        return Ok(program);
    }
    let go = toolchain()?;
    // A module of our own requires it: `go install …@version` refuses modules with `exclude` directives.
    let folder = bin.join(format!("{}.module", wanted.name));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let run = |arguments: &[&str]| {
        let mut command = bounded(LIMIT, &go);
        command
            .args(arguments)
            .current_dir(&folder)
            .env("GOBIN", &bin)
            .env("GOWORK", "off");
        output(&mut command)
    };
    let package = format!("{}/{}", wanted.module, wanted.package);
    run(&["mod", "init", "testkit.invalid/build"])?;
    // `latest` knows no pre-releases while there is a release, but a module with none but pre-releases has no other.
    run(&["get", &format!("{package}@latest")])?;
    let version = run(&["list", "-m", "-f", "{{.Version}}", wanted.module])?;
    let stamp = format!(
        "-ldflags=-s -w -X {}/{}={}",
        wanted.module,
        wanted.version,
        version.trim()
    );
    run(&["install", "-buildvcs=false", &stamp, &package])?;
    fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
    Ok(program)
}

fn toolchain() -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders.push("/usr/local/go/bin".into());
    let search = env::join_paths(folders).unwrap_or_default();
    find("go", &search).ok_or_else(|| Error::Unavailable("no Go toolchain on this machine".into()))
}
