//! Progress on a terminal: one line for each service and each step that runs, above them what has ended.

use super::plain::amount;
use super::{Style, commit_line, of_service, style};
use crate::text::{line, log_line, seconds, short_digest, step_name};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use unstale_flow::build::{is_cancellation, name_in_service};
use unstale_flow::event::{Event, Outcome, ServiceOutcome, StepRef};

/// Lines of a step's output that are kept, to be shown if it fails.
const TAIL: usize = 20;
/// How often the elapsed times move.
const TICK: Duration = Duration::from_millis(100);

/// The live view.
pub struct Live {
    screen: MultiProgress,
    services: HashMap<String, ProgressBar>,
    running: HashMap<StepRef, ProgressBar>,
    names: HashMap<StepRef, String>,
    tails: HashMap<StepRef, VecDeque<String>>,
    counts: HashMap<String, (u32, u32)>,
}

impl Live {
    /// An empty view.
    pub fn new() -> Live {
        Live {
            screen: MultiProgress::new(),
            services: HashMap::new(),
            running: HashMap::new(),
            names: HashMap::new(),
            tails: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    /// Shows an event.
    pub fn show(&mut self, event: Event) {
        match event {
            Event::BuildStarted { builder, commit, .. } => {
                self.print(format!("Building on {}", line(&builder)));
                if let Some(commit) = commit {
                    self.print(commit_line(&commit));
                }
            }
            Event::ServiceStarted { service } => {
                let bar = self.screen.add(bar("{spinner} {prefix:.bold} {elapsed} {msg}"));
                bar.set_prefix(line(&service));
                bar.enable_steady_tick(TICK);
                self.services.insert(service, bar);
            }
            Event::StepFound { step, name } => {
                self.names
                    .insert(step.clone(), step_name(&name_in_service(&step.service, &name)));
            }
            Event::StepStarted { step } => {
                let bar = bar("  {spinner} {wide_msg} {elapsed}");
                let bar = match self.services.get(&step.service) {
                    Some(service) => self.screen.insert_after(service, bar),
                    None => self.screen.add(bar),
                };
                bar.set_message(self.name(&step));
                bar.enable_steady_tick(TICK);
                self.running.insert(step, bar);
            }
            Event::StepProgress {
                step,
                what,
                current,
                total,
                ..
            } => {
                if let Some(bar) = self.running.get(&step) {
                    bar.set_message(format!(
                        "{} {} {}",
                        self.name(&step),
                        line(&what),
                        amount(current, total)
                    ));
                }
            }
            Event::StepLog { step, data, .. } => self.log(step, &data),
            Event::StepFinished {
                step,
                outcome,
                duration,
                error,
                ..
            } => self.step_finished(&step, outcome, duration, error),
            Event::Warning { service, message } => {
                self.print(format!(
                    "{} {}",
                    style("warning:", Style::Warning),
                    of_service(service.as_deref(), &message)
                ));
            }
            Event::ServiceFinished {
                service,
                outcome,
                image,
                image_id,
                duration,
            } => {
                if let Some(bar) = self.services.remove(&service) {
                    bar.finish_and_clear();
                }
                let took = seconds(duration);
                let name = line(&service);
                self.print(match outcome {
                    ServiceOutcome::Built => {
                        let id = image_id.unwrap_or_default();
                        let image = line(&image.unwrap_or_default());
                        format!(
                            "{} {name} {image} {} in {took}",
                            style("built", Style::Good),
                            short_digest(&id)
                        )
                    }
                    ServiceOutcome::Failed => {
                        format!("{} {name} after {took}", style("failed", Style::Error))
                    }
                    ServiceOutcome::Cancelled => {
                        format!("{} {name} after {took}", style("stopped", Style::Warning))
                    }
                    ServiceOutcome::NotReached => format!("{} {name}", style("not begun", Style::Dim)),
                });
            }
        }
    }

    /// Leaves the screen as it is.
    pub fn finish(self) {
        for bar in self.running.values().chain(self.services.values()) {
            bar.finish_and_clear();
        }
    }

    fn name(&self, step: &StepRef) -> String {
        self.names.get(step).cloned().unwrap_or_default()
    }

    fn print(&self, text: String) {
        let _ = self.screen.println(text);
    }

    /// Keeps the last lines, and shows the last one beside the step.
    fn log(&mut self, step: StepRef, data: &[u8]) {
        let name = self.name(&step);
        let tail = self.tails.entry(step.clone()).or_default();
        for line in data
            .split(|&byte| byte == b'\n')
            .map(log_line)
            .filter(|line| !line.is_empty())
        {
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        }
        if let (Some(bar), Some(last)) = (self.running.get(&step), tail.back()) {
            bar.set_message(format!("{name}  {}", style(last, Style::Dim)));
        }
    }

    fn step_finished(
        &mut self,
        step: &StepRef,
        outcome: Outcome,
        duration: Option<Duration>,
        error: Option<String>,
    ) {
        if let Some(bar) = self.running.remove(step) {
            bar.finish_and_clear();
        }
        let tail = self.tails.remove(step);
        let name = self.name(step);
        match (error, outcome) {
            (Some(error), _) if is_cancellation(&error) => {
                self.print(format!("{} {name}", style("  stop", Style::Warning)));
            }
            (Some(error), _) => {
                self.print(format!("{} {name}", style(" ERROR", Style::Error)));
                for line in tail.into_iter().flatten() {
                    self.print(format!("       {} {line}", style("│", Style::Dim)));
                }
                self.print(format!("       {}", line(&error)));
            }
            (None, Outcome::Cached) => self.print(format!("{} {name}", style("CACHED", Style::Dim))),
            (None, Outcome::Ran) => {
                self.print(format!(
                    "{} {name}",
                    style(
                        &format!("{:>6}", seconds(duration.unwrap_or_default())),
                        Style::Good
                    )
                ));
            }
            (None, Outcome::NotReached) => return,
        }
        let counts = self.counts.entry(step.service.clone()).or_default();
        match outcome {
            Outcome::Cached => counts.1 += 1,
            _ => counts.0 += 1,
        }
        if let Some(bar) = self.services.get(&step.service) {
            bar.set_message(format!("{} ran, {} cached", counts.0, counts.1));
        }
    }
}

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
