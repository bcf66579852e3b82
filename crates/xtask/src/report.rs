//! The reports in `docs/benchmarks`: generated, with the command, the date and the machine.

use std::fs;
use std::process::Command;

use crate::run::workspace;

/// The head of a report: what was measured, with which command, when and on what.
pub fn head(title: &str, command: &str, what: &str) -> String {
    head_with_peers(title, command, what, &peers())
}

/// The head of a report that has other peers than the client's plugins.
pub fn head_with_peers(title: &str, command: &str, what: &str, peers: &str) -> String {
    format!(
        "# {title}\n\n{what}\n\n- command: `{command}`\n- date: {}\n- machine: {}\n- peers: {peers}\n\n\
         This page is written by the command; do not edit it.\n\n",
        date(),
        machine()
    )
}

/// Writes a report, which is complete in itself.
///
/// # Errors
/// When it cannot be written.
pub fn write(name: &str, text: &str) -> Result<(), String> {
    let folder = workspace().join("docs/benchmarks");
    let path = folder.join(name);
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

/// Writes the part of a page that stands between the comments `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
///
/// # Errors
/// When the page cannot be read or written, or has no such part.
pub fn write_section(page: &str, name: &str, text: &str) -> Result<(), String> {
    let path = workspace().join(page);
    let failed = |error| format!("cannot rewrite {}: {error}", path.display());
    let old = fs::read_to_string(&path).map_err(failed)?;
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let parts = old.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| format!("{page} has no part {name}"))?;
    fs::write(
        &path,
        format!("{before}{begin}\n{}\n\n{end}{after}", text.trim_end()),
    )
    .map_err(failed)?;
    println!("written: {}", path.display());
    Ok(())
}

/// A text for a table's cell.
pub fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    text.chars().take(160).collect()
}

/// Today.
pub fn date() -> String {
    let date = Command::new("date").args(["--utc", "+%Y-%m-%d"]).output();
    date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// Cores and memory, as the kernel tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: f64 = total
        .and_then(|total| total.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0);
    format!(
        "{cores} cores, {:.0} GiB",
        (kibibytes / f64::from(1 << 20)).ceil()
    )
}

/// The versions of the client's plugins.
pub fn peers() -> String {
    let version = |plugin: &str| {
        let output = match testkit::engines().first() {
            Some(engine) => engine.command("docker").args([plugin, "version"]).output(),
            None => return String::new(),
        };
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let text = text.unwrap_or_default();
        let number = text.split_whitespace().find(|word| {
            word.trim_start_matches('v')
                .starts_with(|first: char| first.is_ascii_digit())
        });
        format!("{plugin} {}", number.unwrap_or("?"))
    };
    [version("buildx"), version("compose")].join(", ")
}
