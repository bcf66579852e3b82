//! Everything that the program writes. Data goes to standard output; progress, warnings and errors to standard error.
//!
//! A stream that nobody reads any more (`unstale log | head`) is no error of ours: what cannot be written is dropped.

pub mod check;
pub mod clear;
pub mod experiment;
pub mod json;
mod live;
pub mod log;
mod plain;
pub mod plan;
pub mod table;
pub mod why;

use crate::args::Progress;
use crate::text;
use std::io::{IsTerminal, Write};
use tokio::sync::mpsc;
use unstale_flow::event::{Commit, Event};

/// Writes data, with a line break at its end.
pub fn data(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    }
}

/// Writes data for programs, byte for byte.
pub fn exact(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Writes an error and its hint.
pub fn error(message: &str, hint: Option<&str>) {
    let mut stream = std::io::stderr().lock();
    let _ = writeln!(stream, "{} {message}", style("error:", Style::Error));
    if let Some(hint) = hint {
        let _ = writeln!(stream, "{} {}", style("hint:", Style::Hint), text::lines(hint));
    }
}

/// Writes what is neither data nor trouble.
pub fn note(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text::lines(message));
}

/// Writes a warning.
pub fn warning(message: &str) {
    let _ = writeln!(
        std::io::stderr().lock(),
        "{} {}",
        style("warning:", Style::Warning),
        text::lines(message)
    );
}

/// Whether progress is shown as a live view.
pub fn is_live(progress: Progress) -> bool {
    match progress {
        Progress::Tty => true,
        Progress::Auto => {
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
        Progress::Plain | Progress::Quiet => false,
    }
}

/// Follows a command's events to their end.
pub async fn progress(progress: Progress, mut events: mpsc::Receiver<Event>) {
    if is_live(progress) {
        let mut view = live::Live::new();
        while let Some(event) = events.recv().await {
            view.show(event);
        }
        view.finish();
        return;
    }
    let mut plain = plain::Plain::default();
    while let Some(event) = events.recv().await {
        if let (Event::Warning { service, message }, Progress::Quiet) = (&event, progress) {
            warning(&of_service(service.as_deref(), message));
        }
        if progress != Progress::Quiet {
            let text = plain.show(event);
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// The line that says which commit is built.
fn commit_line(commit: &Commit) -> String {
    match commit.changed_files {
        0 => format!("Building from commit: {}...", commit.short()),
        1 => format!("Building from commit: {} (1 file differs)", commit.short()),
        files => format!("Building from commit: {} ({files} files differ)", commit.short()),
    }
}

fn of_service(service: Option<&str>, message: &str) -> String {
    match service {
        Some(service) => format!("{}: {}", text::line(service), text::line(message)),
        None => text::line(message),
    }
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Error,
    Warning,
    Hint,
    Good,
    Bad,
    Dim,
    Bold,
}

/// Colours text for standard error, if that is a terminal and `NO_COLOR` is not set.
pub(crate) fn style(text: &str, style: Style) -> String {
    paint(text, style, std::io::stderr().is_terminal())
}

/// Colours text for standard output in the same way.
pub(crate) fn style_data(text: &str, style: Style) -> String {
    paint(text, style, std::io::stdout().is_terminal())
}

/// Whether data is coloured: standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn data_has_colour() -> bool {
    has_colour(std::io::stdout().is_terminal())
}

fn has_colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn paint(text: &str, style: Style, is_terminal: bool) -> String {
    match has_colour(is_terminal) {
        true => coloured(text, style),
        false => text.to_owned(),
    }
}

/// The text with its colour, whoever reads it.
pub(crate) fn coloured(text: &str, style: Style) -> String {
    let code = match style {
        Style::Error => "1;31",
        Style::Warning => "1;33",
        Style::Hint => "1;36",
        Style::Good => "32",
        Style::Bad => "31",
        Style::Dim => "2",
        Style::Bold => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
