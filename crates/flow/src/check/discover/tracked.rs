//! What git keeps although its ignore files name it: it is no output of the host.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// How many paths are asked for; whoever has more has them of one kind.
const MOST_ASKED: usize = 256;

/// Those of some paths below `root` that are in git's index, or have something in them that is. Nothing where there is no git and no
/// repository.
pub(super) fn tracked<'p>(root: &Path, paths: impl Iterator<Item = &'p str>) -> HashSet<String> {
    let asked: Vec<&str> = paths.take(MOST_ASKED).collect();
    if asked.is_empty() {
        return HashSet::new();
    }
    let mut git = Command::new("git");
    git.args([
        "--no-optional-locks",
        "--literal-pathspecs",
        "-c",
        "core.fsmonitor=false",
        "-C",
    ])
    .arg(root)
    .args(["ls-files", "-z", "--cached", "--"])
    .args(&asked)
    .env("LC_ALL", "C")
    .stdin(Stdio::null())
    .stderr(Stdio::null());
    let Some(output) = git.output().ok().filter(|output| output.status.success()) else {
        return HashSet::new();
    };
    let files: Vec<&str> = output
        .stdout
        .split(|byte| *byte == 0)
        .filter_map(|path| std::str::from_utf8(path).ok())
        .collect();
    let is_in = |file: &str, path: &str| {
        file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    };
    let is_kept = |path: &&str| files.iter().any(|file| is_in(file, path));
    asked.into_iter().filter(is_kept).map(str::to_owned).collect()
}
