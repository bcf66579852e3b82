//! A plan as a table for people.

use super::table::{Row, reason, rows};
use super::{Style, style_data};
use crate::text::{line, step_name};
use std::fmt::Write;
use unstale_flow::build::{PlanReport, PlannedStep, Predicted, StepKind};

/// All services, each with the steps of its Dockerfile, and what it comes to.
pub fn plan(report: &PlanReport) -> String {
    let mut text = String::new();
    for service in &report.services {
        let name = style_data(&line(&service.build.service), Style::Bold);
        let image = line(service.build.images.first().map_or("", String::as_str));
        let _ = writeln!(text, "\n{name}  {image}");
        let steps = service
            .steps
            .iter()
            .filter(|step| step.kind != StepKind::Internal);
        text.push_str(&rows(steps.map(row).collect()));
    }
    let count = |outcome| report.count(outcome);
    let (run, cached, maybe) = (
        count(Predicted::Run),
        count(Predicted::Cached),
        count(Predicted::Maybe),
    );
    let _ = writeln!(text, "\n{run} to run, {cached} cached, {maybe} unknown");
    text
}

fn row(step: &PlannedStep) -> Row {
    let note = step
        .note
        .map(|note| format!("; {}", note.text()))
        .unwrap_or_default();
    Row {
        name: step_name(&step.name),
        outcome: step.outcome.as_str().to_owned(),
        duration: None,
        failed: false,
        why: match (&step.cause, &step.origin) {
            (Some(cause), _) => reason(cause),
            (None, Some(origin)) => format!("{}{note}", line(&origin.summary())),
            (None, None) => String::new(),
        },
    }
}
