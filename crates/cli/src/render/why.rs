//! `unstale why` for people.

use super::table::{Row, reason, rows};
use super::{Style, style_data};
use crate::text::{line, lines, log_line, seconds, short_digest, step_name, timestamp};
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use unstale_flow::build::{Change, is_cancellation};
use unstale_flow::why::{ForeignBuild, Later, Story, Told, is_shown, place};
use unstale_ledger::{StepKind, StepOutcome, StepRecord, StoredService};

/// How many changes are listed; JSON has all.
const LISTED: usize = 10;

/// All services of a build, each with its steps and their reasons; and what the engine knows of a build since.
pub fn story(story: &Story) -> String {
    let mut text = String::new();
    if let Some(build) = &story.build {
        let summary = &build.summary;
        let _ = write!(
            text,
            "build {}  {}  {}",
            line(&summary.id),
            time(summary.started_ms),
            line(&summary.command)
        );
        if let Some(commit) = &summary.commit {
            let _ = write!(text, "  {}", line(commit.get(..7).unwrap_or(commit)));
        }
        text.push('\n');
    } else {
        text.push_str("unstale has recorded no build of it\n");
    }
    for service in story.services() {
        let name = style_data(&line(&service.service), Style::Bold);
        let _ = writeln!(text, "\n{name}  {}", service.outcome);
        text.push_str(&steps(&service.steps));
        for violation in &service.violations {
            let _ = writeln!(
                text,
                "  run again, because the result that was reused was from before a clear: {} ({})",
                step_name(&violation.step),
                line(&violation.origin)
            );
        }
        if let Some(error) = &service.error {
            let _ = writeln!(text, "  {}", style_data(&line(error), Style::Error));
        }
    }
    match &story.later {
        Later::None => {}
        Later::Build(foreign) => {
            let _ = writeln!(text, "\n{}", foreign_head(story, foreign));
            text.push_str(&steps(&foreign.steps));
            if let Some(error) = &foreign.error {
                let _ = writeln!(text, "  {}", style_data(&line(error), Style::Error));
            }
            text.push_str(
                "  why its steps ran or were reused is not known: the engine keeps neither the files nor the keys\n",
            );
        }
        Later::Unknown(reason) => {
            let _ = writeln!(
                text,
                "\nwhether something else built it since is not known: {}",
                line(reason)
            );
        }
    }
    text
}

/// That the engine knows of a later build, for where only steps of the recorded one are told; empty if it does not.
pub fn later(story: &Story) -> String {
    match &story.later {
        Later::Build(foreign) => format!("\n{}\n", foreign_head(story, foreign)),
        Later::None | Later::Unknown(_) => String::new(),
    }
}

fn foreign_head(story: &Story, foreign: &ForeignBuild) -> String {
    let when = foreign.created.map(timestamp).unwrap_or_default();
    let what = match &story.build {
        Some(_) => "built since, not recorded by unstale",
        None => "the engine's last build of it",
    };
    format!("{what}: {}  {when}", line(&foreign.reference))
}

/// Steps with their reasons, and after them what failed ones wrote.
fn steps(steps: &[StepRecord]) -> String {
    let shown = steps.iter().filter(|step| is_shown(step));
    let mut text = rows(shown.clone().map(row).collect());
    for step in shown {
        text.push_str(&output(step));
    }
    text
}

fn time(ms: i64) -> String {
    timestamp(UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// A step with its outcome and its reason.
pub(super) fn row(step: &StepRecord) -> Row {
    let told = Told::new(step);
    let is_stopped = step.error.as_deref().is_some_and(is_cancellation);
    let took = step
        .started_ms
        .zip(step.completed_ms)
        .map(|(start, end)| end - start);
    let ran = matches!(step.outcome, StepOutcome::Ran | StepOutcome::Failed);
    Row {
        name: step_name(&step.name),
        outcome: if is_stopped {
            "stopped"
        } else {
            step.outcome.as_str()
        }
        .to_owned(),
        duration: took
            .filter(|_| ran)
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis),
        failed: step.outcome == StepOutcome::Failed && !is_stopped,
        why: why(&told),
    }
}

/// Why it ran, or where its result came from, as far as it was recorded.
fn why(told: &Told<'_>) -> String {
    let note = told.step.explained.note.as_deref();
    match (&told.cause, &told.origin) {
        (Some(cause), _) => reason(cause),
        (None, Some(origin)) => {
            let note = note.map(|note| format!("; {}", line(note))).unwrap_or_default();
            format!("{}{note}", line(&origin.summary()))
        }
        (None, None) => String::new(),
    }
}

/// The end of what a failed step wrote.
fn output(step: &StepRecord) -> String {
    let Some(output) = &step.explained.output else {
        return String::new();
    };
    let mut text = format!("\n  > {}:\n", step_name(&step.name));
    for written in output.trim_end().lines() {
        let _ = writeln!(text, "    {}", log_line(written.as_bytes()));
    }
    text
}

/// The whole story of one step.
pub fn step(service: &StoredService, told: &Told<'_>) -> String {
    let step = told.step;
    let mut text = format!(
        "{}  {}\n",
        style_data(&line(&service.service), Style::Bold),
        step_name(&step.name)
    );
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<12} {}", value.replace('\n', "\n               "));
        }
    };
    let took = step
        .started_ms
        .zip(step.completed_ms)
        .and_then(|(start, end)| u64::try_from(end - start).ok());
    let ran = matches!(step.outcome, StepOutcome::Ran | StepOutcome::Failed);
    let took = took
        .filter(|_| ran)
        .map(|ms| format!(" in {}", seconds(Duration::from_millis(ms))))
        .unwrap_or_default();
    say("outcome", format!("{}{took}", step.outcome));
    say("why", why(told));
    say(
        "instruction",
        told.facts
            .as_ref()
            .map(|facts| lines(&facts.text))
            .unwrap_or_default(),
    );
    say(
        "place",
        step.location
            .as_ref()
            .map(|location| line(&place(location)))
            .unwrap_or_default(),
    );
    let changes = told.cause.iter().flat_map(|cause| &cause.changes);
    let shown: Vec<String> = changes.clone().take(LISTED).map(change).collect();
    let rest = told.cause.as_ref().map_or(0, |cause| cause.more_changes);
    let more = changes.count().saturating_sub(shown.len()) + rest;
    let more = if more > 0 {
        format!("\nand {more} more")
    } else {
        String::new()
    };
    say("changes", format!("{}{more}", shown.join("\n")));
    let inputs = step
        .inputs
        .iter()
        .filter_map(|digest| service.steps.iter().find(|step| step.digest == *digest));
    let inputs: Vec<String> = inputs
        .map(|input| match input.kind {
            // It hands over what is there; whether the builder counts that as work, says nothing.
            StepKind::Internal => step_name(&input.name),
            StepKind::Instruction | StepKind::Source => {
                format!("{} ({})", step_name(&input.name), input.outcome)
            }
        })
        .collect();
    say("builds on", inputs.join("\n"));
    say(
        "content",
        told.contents()
            .iter()
            .map(|digest| short_digest(digest).to_owned())
            .collect::<Vec<_>>()
            .join(", "),
    );
    say(
        "record",
        told.made
            .as_ref()
            .and_then(|made| made.record.clone())
            .map(|id| line(&id))
            .unwrap_or_default(),
    );
    say(
        "made",
        told.origin
            .as_ref()
            .and_then(|origin| origin.created_ms)
            .map(age)
            .unwrap_or_default(),
    );
    say(
        "key",
        step.explained
            .key
            .as_deref()
            .map(|key| short_digest(key).to_owned())
            .unwrap_or_default(),
    );
    say("error", step.error.as_deref().map(lines).unwrap_or_default());
    text.push_str(&output(step));
    text
}

/// A time and how long ago that is.
fn age(ms: i64) -> String {
    let then = UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let age = SystemTime::now().duration_since(then).unwrap_or_default();
    let age = match age.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    };
    format!("{} ({age} ago)", timestamp(then))
}

/// A change in one line; an instruction in two, as a diff shows it.
fn change(change: &Change) -> String {
    let from_to = |old: &Option<String>, new: &Option<String>| match (old, new) {
        (None, None) => "another value, which is kept secret".to_owned(),
        (old, new) => format!(
            "{} → {}",
            old.as_deref().map_or_else(|| "(none)".to_owned(), line),
            new.as_deref().map_or_else(|| "(none)".to_owned(), line)
        ),
    };
    match change {
        Change::File { path, change } => format!("{}  {}", line(path), change.as_str()),
        Change::Arg {
            arg,
            old,
            new,
            source,
        } => {
            let source = source
                .as_deref()
                .map(|source| format!("  (from {source})"))
                .unwrap_or_default();
            format!("{}: {}{source}", line(arg), from_to(old, new))
        }
        Change::Env { env, old, new } => format!("{}: {}", line(env), from_to(old, new)),
        Change::Instruction { old, instruction } => {
            let old = old
                .as_deref()
                .map(|old| format!("- {}\n", line(old)))
                .unwrap_or_default();
            format!("{old}+ {}", line(instruction))
        }
        Change::Base { base, old, new } => format!("{}: {}", line(base), from_to(old, new)),
        Change::Setting { setting } => line(setting),
    }
}
