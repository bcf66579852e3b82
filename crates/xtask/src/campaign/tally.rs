//! Counts of a campaign on one engine.

use std::collections::BTreeMap;
use std::time::Duration;

use super::edit::Kind;
use super::judge::{Mistake, Wrong};
use super::project::Work;
use super::steps::Report;

/// The most that a plan may leave open, of all steps.
const MOST_MAYBE: f64 = 0.02;

/// The forms of instructions that are counted, by a part of their text.
const FORMS: [(&str, &str); 17] = [
    ("several stages", " AS build"),
    ("`COPY --from`", "--from="),
    ("`COPY .`", " . /in"),
    ("wildcard", "*."),
    ("several sources", "main.txt src"),
    ("`ADD`", "\nADD "),
    ("`--link`", "--link"),
    ("`--chmod`", "--chmod"),
    ("`--chown` numeric", "--chown=1000"),
    ("`--chown` by name", "--chown=daemon"),
    ("`--exclude`", "--exclude"),
    ("`--parents`", "--parents"),
    ("heredoc", "<<EOF"),
    ("mount of the context", "target=/ctx"),
    ("mount of a stage", "target=/mnt"),
    ("cache, secret, tmpfs mount", "target=/cache"),
    ("`USER`", "\nUSER "),
];

/// Counts for one kind of edit.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Plans compared with builds.
    pub pairs: u64,
    /// Steps compared.
    pub steps: u64,
    /// Steps planned to run.
    pub run: u64,
    /// Steps planned as cached.
    pub cached: u64,
    /// Steps that the plan left open.
    pub maybe: u64,
    /// Mistakes.
    pub wrong: BTreeMap<Wrong, u64>,
}

/// Counts of all runs on one engine.
#[derive(Debug, Default)]
pub struct Tally {
    /// By kind of edit.
    pub kinds: BTreeMap<Kind, Counts>,
    /// How many projects have a form of instruction.
    pub forms: BTreeMap<&'static str, u64>,
    /// Projects.
    pub projects: u64,
    /// Projects that could not be built or planned to their end.
    pub given_up: Vec<String>,
    /// Time in `unstale plan`.
    pub planning: Duration,
    /// Time in `unstale build`.
    pub building: Duration,
}

impl Tally {
    /// Counts a project.
    pub fn forms(&mut self, work: &Work) {
        self.projects += 1;
        let text = work.text();
        let mut has = |form: &'static str, has: bool| *self.forms.entry(form).or_default() += u64::from(has);
        for (form, part) in FORMS {
            let others =
                form.starts_with("cache,") && (text.contains("id=token") || text.contains("/scratch"));
            has(form, text.contains(part) || others);
        }
        has("folder without Compose file", work.is_bare);
        has("git repository", work.branch.is_some());
    }

    /// Counts a plan and its build.
    pub fn add(
        &mut self,
        kind: Kind,
        plan: &Report,
        mistakes: Vec<Mistake>,
        planning: Duration,
        building: Duration,
    ) {
        self.planning += planning;
        self.building += building;
        let counts = self.kinds.entry(kind).or_default();
        counts.pairs += 1;
        for step in &plan.steps {
            counts.steps += 1;
            match step.outcome.as_str() {
                "run" => counts.run += 1,
                "cached" => counts.cached += 1,
                _ => counts.maybe += 1,
            }
        }
        for mistake in mistakes {
            *counts.wrong.entry(mistake.wrong).or_default() += 1;
        }
    }

    /// All kinds together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.kinds.values() {
            total.pairs += counts.pairs;
            total.steps += counts.steps;
            total.run += counts.run;
            total.cached += counts.cached;
            total.maybe += counts.maybe;
            for (wrong, count) in &counts.wrong {
                *total.wrong.entry(*wrong).or_default() += count;
            }
        }
        total
    }

    /// Whether nothing was wrong and little was left open.
    pub fn is_good(&self) -> bool {
        let total = self.total();
        total.wrong.is_empty() && self.given_up.is_empty() && total.maybe_share() < MOST_MAYBE
    }
}

impl Counts {
    /// The part of the steps that was left open.
    #[allow(clippy::cast_precision_loss, reason = "counts of steps are small")]
    pub fn maybe_share(&self) -> f64 {
        self.maybe as f64 / self.steps.max(1) as f64
    }
}
