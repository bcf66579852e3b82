//! `unstale log` for people.

use super::table::rows;
use super::why::row;
use crate::text::{line, seconds, short_digest, timestamp};
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use unstale_ledger::{ArgValue, BuildRecord, BuildState, BuildSummary, StepKind, StoredService};

/// A table of builds.
pub fn builds(builds: &[BuildSummary]) -> String {
    if builds.is_empty() {
        return "no builds are recorded".to_owned();
    }
    let mut table = vec![
        [
            "BUILD", "STARTED", "TOOK", "PROJECT", "COMMIT", "RESULT", "SERVICES",
        ]
        .map(str::to_owned),
    ];
    table.extend(builds.iter().map(|build| {
        [
            build.id.clone(),
            time(build.started_ms),
            took(build.started_ms, build.completed_ms),
            line(&build.project),
            commit(build),
            state(build.state).to_owned(),
            services(build),
        ]
    }));
    let widths: Vec<usize> = (0..7)
        .map(|column| {
            table
                .iter()
                .map(|row| crate::text::width(&row[column]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in table {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell}{}", " ".repeat(width - crate::text::width(cell))));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

/// One build with its services and steps.
pub fn build(record: &BuildRecord) -> String {
    let build = &record.summary;
    let mut text = String::new();
    let _ = writeln!(text, "build    {}", build.id);
    let _ = writeln!(text, "command  {}", line(&build.command));
    let _ = writeln!(text, "started  {}", time(build.started_ms));
    let _ = writeln!(
        text,
        "result   {} {}",
        state(build.state),
        took(build.started_ms, build.completed_ms)
    );
    let _ = writeln!(
        text,
        "project  {} in {}",
        line(&build.project),
        line(&build.project_dir)
    );
    let _ = writeln!(text, "commit   {}", commit(build));
    let engine = &build.engine;
    let _ = writeln!(
        text,
        "engine   docker {} ({} image store), builder {}",
        line(&engine.version),
        line(&engine.store),
        line(&build.builder)
    );
    if let Some(error) = &build.error {
        let _ = writeln!(text, "error    {}", line(error));
    }
    for service in &record.services {
        text.push_str(&service_text(service));
    }
    text
}

fn service_text(service: &StoredService) -> String {
    let mut text = String::new();
    let image = service.image.first().map(|image| line(image)).unwrap_or_default();
    let id = short_digest(service.image_id.as_deref().unwrap_or_default()).to_owned();
    let _ = writeln!(
        text,
        "\n{}  {}  {image}  {id}",
        line(&service.service),
        service.outcome
    );
    if let Some(revision) = &service.revision {
        let _ = writeln!(text, "  revision {}", line(revision));
    }
    for base in &service.bases {
        let digest = base
            .digest
            .as_deref()
            .map(short_digest)
            .unwrap_or("(digest unknown)");
        let _ = writeln!(text, "  base {} {digest}", line(&base.reference));
    }
    for arg in &service.args {
        let value = match arg.value() {
            ArgValue::Plain(value) => line(value),
            ArgValue::Salted(_) => "(secret)".to_owned(),
        };
        let _ = writeln!(text, "  arg {}={value}", line(arg.name()));
    }
    // The engine asks for a folder several times; what it got nothing from needs no line.
    for context in service.manifests.iter().filter(|context| context.files > 0) {
        let _ = writeln!(
            text,
            "  {} {}: {} files, {} bytes",
            line(&context.context),
            line(&context.root),
            context.files,
            context.bytes
        );
    }
    text.push_str(&rows(
        service
            .steps
            .iter()
            .filter(|step| step.kind != StepKind::Internal)
            .map(row)
            .collect(),
    ));
    text
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

fn time(ms: i64) -> String {
    let at: SystemTime = UNIX_EPOCH + milliseconds(ms);
    // Seconds are enough for people.
    timestamp(at)
        .split('.')
        .next()
        .unwrap_or_default()
        .replace('T', " ")
}

fn took(start: i64, end: Option<i64>) -> String {
    end.map(|end| seconds(milliseconds(end - start)))
        .unwrap_or_else(|| "-".to_owned())
}

fn commit(build: &BuildSummary) -> String {
    match &build.commit {
        Some(hash) => format!(
            "{}{}",
            hash.get(..7).unwrap_or(hash),
            if build.dirty { "-dirty" } else { "" }
        ),
        None => "-".to_owned(),
    }
}

fn state(state: BuildState) -> &'static str {
    state.as_str()
}

fn services(build: &BuildSummary) -> String {
    let one = |service: &unstale_ledger::ServiceSummary| {
        format!(
            "{} ({} ran, {} cached)",
            line(&service.service),
            service.ran,
            service.cached
        )
    };
    build.services.iter().map(one).collect::<Vec<_>>().join(", ")
}
