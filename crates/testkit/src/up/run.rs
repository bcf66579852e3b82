//! Runs a program to its end: bounded in time, its last words kept for the error.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Error, Result};

/// How many bytes of a failed program's output an error shows.
const SHOWN: usize = 1500;

/// A program that is ended (by coreutils' `timeout`) when it takes longer than `limit`.
pub(super) fn bounded(limit: Duration, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command
        .arg("--kill-after=10")
        .arg(limit.as_secs().to_string())
        .arg(program);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Runs a [`bounded`] program and answers what it wrote to standard output.
pub(super) fn output(command: &mut Command) -> Result<String> {
    // Without `timeout`'s own arguments.
    let shown: Vec<_> = command.get_args().skip(2).map(OsStr::to_string_lossy).collect();
    let shown = shown.join(" ");
    let failed = |output| Error::Command {
        command: shown.clone(),
        output,
    };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Err(failed(format!("{}: {}", output.status, tail(&text))))
}

/// The last lines of a log file.
pub(super) fn log_tail(path: &Path) -> String {
    tail(&String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()))
}

fn tail(text: &str) -> String {
    let text = text.trim();
    let mut start = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].replace('\n', " | ")
}
