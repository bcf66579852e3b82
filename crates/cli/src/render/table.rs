//! The result of a build as a table for people.

use super::{Style, style_data};
use crate::text::{line, seconds, short_digest, shorten, step_name, width};
use std::fmt::Write;
use std::time::Duration;
use unstale_flow::build::{BuildReport, Cause, ServiceReport, Step, StepKind};
use unstale_flow::event::{Outcome, ServiceOutcome};

/// How wide a step's name may be, in columns.
const NAME: usize = 72;
/// How wide a reason may be, in columns.
const WHY: usize = 90;

/// A row: a step's name, its outcome, and how long it ran.
pub(super) struct Row {
    pub name: String,
    pub outcome: String,
    pub duration: Option<Duration>,
    pub failed: bool,
    /// Why it ran, or where its result came from.
    pub why: String,
}

/// All services of a build, each with the steps of its Dockerfile.
pub fn build(report: &BuildReport) -> String {
    let mut text = String::new();
    for service in &report.services {
        let _ = writeln!(text, "\n{}", head(service));
        let steps = service
            .steps
            .iter()
            .filter(|step| step.kind != StepKind::Internal);
        text.push_str(&rows(steps.map(row).collect()));
    }
    let ran = count(report, Outcome::Ran);
    let cached = count(report, Outcome::Cached);
    let not_reached = count(report, Outcome::NotReached);
    let _ = write!(text, "\n{ran} ran, {cached} cached");
    if not_reached > 0 {
        let _ = write!(text, ", {not_reached} not reached");
    }
    let _ = writeln!(text, "   (build {})", report.build_id);
    text
}

/// One image identity a line, for scripts.
pub fn image_ids(report: &BuildReport) -> String {
    let ids = report
        .services
        .iter()
        .filter_map(|service| service.image_id.as_deref());
    ids.collect::<Vec<_>>().join("\n")
}

fn count(report: &BuildReport, outcome: Outcome) -> usize {
    let steps = report.services.iter().flat_map(|service| &service.steps);
    steps
        .filter(|step| step.kind == StepKind::Instruction && step.outcome == outcome)
        .count()
}

fn head(service: &ServiceReport) -> String {
    let name = style_data(&line(&service.build.service), Style::Bold);
    let took = seconds(
        service
            .completed
            .duration_since(service.started)
            .unwrap_or_default(),
    );
    match service.outcome {
        ServiceOutcome::Built => {
            let image = line(service.build.images.first().map_or("", String::as_str));
            let id = short_digest(service.image_id.as_deref().unwrap_or_default()).to_owned();
            format!("{name}  {image}  {id}  {took}")
        }
        ServiceOutcome::Failed => format!("{name}  {}  {took}", style_data("failed", Style::Error)),
        ServiceOutcome::Cancelled => format!("{name}  stopped  {took}"),
        ServiceOutcome::NotReached => format!("{name}  not begun"),
    }
}

fn row(step: &Step) -> Row {
    Row {
        name: step_name(&step.name),
        outcome: match step.error {
            Some(_) if step.is_stopped() => "stopped",
            Some(_) => "failed",
            None => step.outcome.as_str(),
        }
        .to_owned(),
        duration: step.duration().filter(|_| step.outcome == Outcome::Ran),
        failed: step.error.is_some() && !step.is_stopped(),
        why: match (&step.cause, &step.origin) {
            (Some(cause), _) => reason(cause),
            (None, Some(origin)) => line(&origin.summary()),
            (None, None) => String::new(),
        },
    }
}

/// A cause in a few words.
pub(super) fn reason(cause: &Cause) -> String {
    shorten(&format!("{}: {}", cause.kind.as_str(), line(&cause.summary)), WHY)
}

/// Rows in columns, the names on the left.
pub(super) fn rows(rows: Vec<Row>) -> String {
    let mut text = String::new();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| Row {
            name: shorten(&row.name, NAME),
            ..row
        })
        .collect();
    let widest = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    for row in rows {
        let padding = " ".repeat(widest - width(&row.name));
        let outcome = match row.outcome.as_str() {
            "ran" | "run" | "maybe" => Style::Bold,
            _ if row.failed => Style::Error,
            _ => Style::Dim,
        };
        let time = row.duration.map(seconds).unwrap_or_default();
        let cell = style_data(&format!("{:<11}", row.outcome), outcome);
        let _ = writeln!(
            text,
            "{}",
            format!(
                "  {}{padding}  {cell} {time:>6}  {}",
                row.name,
                style_data(&row.why, Style::Dim)
            )
            .trim_end()
        );
    }
    text
}
