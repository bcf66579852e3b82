//! Progress one line after the other, in the shape of Docker's plain output.

use super::{commit_line, of_service};
use crate::text::{line, log_line, seconds, step_name};
use std::collections::HashMap;
use std::fmt::Write;
use unstale_flow::build::{is_cancellation, name_in_service};
use unstale_flow::event::{Event, Outcome, ServiceOutcome, StepRef};

/// The state of the output: pure, so that it can be tested as text.
#[derive(Default)]
pub struct Plain {
    names: HashMap<StepRef, String>,
    /// The step that the last line was about.
    current: Option<StepRef>,
    /// Output after a step's last line break.
    unfinished: HashMap<StepRef, Vec<u8>>,
    one_service: bool,
}

/// A log line without an end is cut here, in bytes.
const MAX_LINE: usize = 64 << 10;

impl Plain {
    /// What an event adds to the output.
    pub fn show(&mut self, event: Event) -> String {
        let mut text = String::new();
        match event {
            Event::BuildStarted {
                builder,
                commit,
                services,
                ..
            } => {
                self.one_service = services.len() == 1;
                let _ = writeln!(text, "Building on {}", line(&builder));
                if let Some(commit) = commit {
                    let _ = writeln!(text, "{}", commit_line(&commit));
                }
            }
            Event::StepFound { step, name } => {
                self.names
                    .insert(step.clone(), step_name(&name_in_service(&step.service, &name)));
            }
            Event::StepStarted { step } => self.head(&mut text, &step),
            Event::StepProgress {
                step,
                what,
                current,
                total,
                done,
            } => {
                // Each part is told once, at its end; a live view has room for more.
                if done {
                    self.head(&mut text, &step);
                    let amount = amount(current, total);
                    let _ = writeln!(text, "#{} {} {amount}done", step.number, line(&what));
                }
            }
            Event::StepLog { step, offset, data } => {
                let mut pending = self.unfinished.remove(&step).unwrap_or_default();
                pending.extend(data);
                while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
                    let rest = pending.split_off(end + 1);
                    self.log(&mut text, &step, offset.as_secs_f64(), &pending);
                    pending = rest;
                }
                if pending.len() > MAX_LINE {
                    self.log(&mut text, &step, offset.as_secs_f64(), &pending);
                } else if !pending.is_empty() {
                    self.unfinished.insert(step, pending);
                }
            }
            Event::StepFinished {
                step,
                outcome,
                duration,
                error,
                why,
            } => {
                if outcome == Outcome::NotReached {
                    return text;
                }
                if let Some(pending) = self.unfinished.remove(&step) {
                    self.log(
                        &mut text,
                        &step,
                        duration.unwrap_or_default().as_secs_f64(),
                        &pending,
                    );
                }
                self.head(&mut text, &step);
                let number = step.number;
                let why = why.map(|why| format!("  ({})", line(&why))).unwrap_or_default();
                let _ = match (error, outcome) {
                    (Some(error), _) if is_cancellation(&error) => writeln!(text, "#{number} CANCELED"),
                    (Some(error), _) => writeln!(text, "#{number} ERROR: {}", line(&error)),
                    (None, Outcome::Cached) => writeln!(text, "#{number} CACHED{why}"),
                    (None, _) => {
                        let took = seconds(duration.unwrap_or_default());
                        writeln!(text, "#{number} DONE {took}{why}")
                    }
                };
                self.current = None;
            }
            Event::Warning { service, message } => {
                self.current = None;
                let _ = writeln!(text, "\nwarning: {}", of_service(service.as_deref(), &message));
            }
            Event::ServiceFinished {
                service,
                outcome,
                image,
                image_id,
                duration,
            } => {
                self.current = None;
                let service = line(&service);
                let took = seconds(duration);
                let _ = match outcome {
                    ServiceOutcome::Built => writeln!(
                        text,
                        "\n{service}: built {} {} in {took}",
                        line(&image.unwrap_or_default()),
                        crate::text::short_digest(&image_id.unwrap_or_default()),
                    ),
                    ServiceOutcome::Failed => writeln!(text, "\n{service}: failed after {took}"),
                    ServiceOutcome::Cancelled => writeln!(text, "\n{service}: stopped after {took}"),
                    ServiceOutcome::NotReached => writeln!(text, "\n{service}: not begun"),
                };
            }
            Event::ServiceStarted { .. } => {}
        }
        text
    }

    /// Names the step before the first line about it, and again when another step was in between.
    fn head(&mut self, text: &mut String, step: &StepRef) {
        if self.current.as_ref() == Some(step) {
            return;
        }
        let name = self.names.get(step).map_or("", String::as_str);
        let _ = writeln!(text, "\n#{} {name}", step.number);
        self.current = Some(step.clone());
    }

    fn log(&mut self, text: &mut String, step: &StepRef, at: f64, data: &[u8]) {
        self.head(text, step);
        let _ = writeln!(text, "#{} {at:.3} {}", step.number, log_line(data));
    }
}

/// `12.34kB / 1.20MB `, or nothing where nothing is counted.
pub(super) fn amount(current: i64, total: i64) -> String {
    match (
        u64::try_from(current).unwrap_or(0),
        u64::try_from(total).unwrap_or(0),
    ) {
        (0, 0) => String::new(),
        (current, 0) => format!("{} ", bytes(current)),
        (current, total) => format!("{} / {} ", bytes(current), bytes(total)),
    }
}

/// A size as Docker writes it: decimal units, three significant places.
fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 || unit == "GB" {
            return if unit == "B" {
                format!("{count}B")
            } else {
                format!("{value:.2}{unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{count}B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use unstale_flow::event::Commit;

    fn step(number: u32) -> StepRef {
        StepRef {
            service: "backend".to_owned(),
            number,
        }
    }

    #[test]
    fn the_output_has_dockers_shape() {
        let mut plain = Plain::default();
        let events = vec![
            Event::BuildStarted {
                build_id: "b1".into(),
                builder: "docker 28.5.2 (classic image store)".into(),
                commit: Some(Commit {
                    hash: "abc1234def".into(),
                    changed_files: 0,
                }),
                services: vec!["backend".into(), "frontend".into()],
            },
            Event::StepFound {
                step: step(6),
                name: "[stage-1 5/9] RUN echo hello".into(),
            },
            Event::StepFound {
                step: step(7),
                name: "[stage-1 6/9] COPY . /app/".into(),
            },
            Event::StepStarted { step: step(6) },
            Event::StepLog {
                step: step(6),
                offset: Duration::from_millis(234),
                data: b"hel".to_vec(),
            },
            Event::StepLog {
                step: step(6),
                offset: Duration::from_millis(235),
                data: b"lo\n\x1b[31mred".to_vec(),
            },
            Event::StepFinished {
                step: step(6),
                outcome: Outcome::Ran,
                duration: Some(Duration::from_millis(260)),
                error: None,
                why: Some("src/app.sh (content)".into()),
            },
            Event::StepFinished {
                step: step(7),
                outcome: Outcome::Cached,
                duration: None,
                error: None,
                why: None,
            },
            Event::ServiceFinished {
                service: "backend".into(),
                outcome: ServiceOutcome::Built,
                image: Some("shop-backend".into()),
                image_id: Some("sha256:0123456789abcdef".into()),
                duration: Duration::from_secs(2),
            },
        ];
        let text: String = events.into_iter().map(|event| plain.show(event)).collect();
        let expected = "\
Building on docker 28.5.2 (classic image store)
Building from commit: abc1234...

#6 [backend stage-1 5/9] RUN echo hello
#6 0.235 hello
#6 0.260 red
#6 DONE 0.3s  (src/app.sh (content))

#7 [backend stage-1 6/9] COPY . /app/
#7 CACHED

backend: built shop-backend sha256:0123456789ab in 2.0s
";
        assert_eq!(text, expected);
    }

    #[test]
    fn sizes_are_decimal() {
        assert_eq!(
            (bytes(2), bytes(1234), bytes(5_600_000)),
            ("2B".into(), "1.23kB".into(), "5.60MB".into())
        );
        assert_eq!(amount(-1, -1), "");
    }
}
