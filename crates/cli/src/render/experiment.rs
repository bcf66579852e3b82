//! Which ways of clearing work, as a table for people.

use super::{Style, style_data};
use crate::text::{line, width};
use std::fmt::Write;
use unstale_flow::clear::experiment::{ExperimentReport, Trial};

/// The builder, and a row for each way.
pub fn experiment(report: &ExperimentReport) -> String {
    const HEAD: &str = "WAY OF CLEARING";
    let commands = report.trials.iter().map(|trial| trial.command);
    let widest = commands.chain([HEAD]).map(width).max().unwrap_or(0);
    let mut text = format!("{}\n\n{HEAD:widest$}  THE NEXT BUILD\n", line(&report.builder));
    for trial in &report.trials {
        let _ = writeln!(text, "{:widest$}  {}", trial.command, found(trial));
    }
    text
}

fn found(trial: &Trial) -> String {
    let Trial { steps, reused, .. } = trial;
    match trial.works() {
        true => format!("runs every step: {}", style_data("works", Style::Good)),
        false => format!(
            "reuses {reused} of {steps} steps: {}",
            style_data("does not work", Style::Error)
        ),
    }
}
