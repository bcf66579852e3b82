//! The engines that were asked for, and programs run against them: bounded in time, output taken.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::{Engine, Project, engines};

/// No single build takes longer than this many seconds.
const LIMIT: &str = "300";

/// The engines named in a list such as `d20,d28c`; all that answer without one.
///
/// # Errors
/// When one does not answer, or none does.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Engine>, String> {
    if let Some(absent) = names.iter().find(|name| testkit::engine(name).is_none()) {
        return Err(format!(
            "engine {absent} does not answer: run `testkit up {absent}`"
        ));
    }
    let wanted = |engine: &&Engine| names.is_empty() || names.contains(&engine.name);
    let chosen: Vec<_> = engines().iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err("no engine answers: run `testkit up`".to_owned());
    }
    Ok(chosen)
}

/// Builds the `unstale` that is measured, in the profile of this program, unless `UNSTALE_TEST_BINARY` names one.
///
/// # Errors
/// When it does not compile.
pub fn build_unstale() -> Result<(), String> {
    if env::var_os("UNSTALE_TEST_BINARY").is_some() {
        return Ok(());
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "unstale"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    match cargo.current_dir(workspace()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo build failed: {status}")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}

/// The release build of `unstale`, or what `UNSTALE_TEST_BINARY` names.
///
/// # Errors
/// When it does not compile.
pub fn release_build() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("UNSTALE_TEST_BINARY") {
        return Ok(path.into());
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--package", "unstale"]);
    let status = cargo.current_dir(workspace()).status();
    if !status
        .map_err(|error| format!("cannot run cargo: {error}"))?
        .success()
    {
        return Err("unstale does not compile".to_owned());
    }
    let own = env::current_exe().map_err(|error| format!("cannot tell the running program: {error}"))?;
    let target = own.ancestors().nth(2).unwrap_or(&own);
    Ok(target.join("release/unstale"))
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest)
}

/// A program in a project's environment that is ended when it takes too long.
pub fn bounded(project: &Project, engine: &Engine, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = project.command(engine, "timeout");
    command.args(["--kill-after=10", LIMIT]).arg(program);
    // Attestations are buildx's own addition: with them the images of two builders differ by design.
    command
        .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
        .env("NO_COLOR", "1");
    command
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started.
pub fn output(command: &mut Command) -> Result<Output, String> {
    command
        .output()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))
}

/// Runs a program that must succeed, and gives what it wrote: standard output, standard error.
///
/// # Errors
/// When it does not.
pub fn succeed(command: &mut Command) -> Result<(String, String), String> {
    let output = output(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    match output.status.success() {
        true => Ok((stdout, stderr)),
        false => Err(format!("{command:?} failed: {stdout}{stderr}")),
    }
}
