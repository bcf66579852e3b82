//! Draws findings to be judged by hand: as many of each rule as go, spread over projects, or all alike.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use unstale_audit::{Finding, Project};

/// A finding in words.
struct Entry {
    rule: &'static str,
    project: String,
    place: String,
    text: String,
    message: String,
}

/// Draws while findings come.
pub struct Drawn {
    random: StdRng,
    wanted: usize,
    /// Whether every finding is as likely as any other.
    uniform: bool,
    /// By rule, or for all: how many were offered, and those that are kept.
    rules: BTreeMap<&'static str, (usize, Vec<Entry>)>,
}

/// How many of a rule in a project are offered.
const ALIKE: usize = 5;

/// How many of a rule are kept to draw from.
const KEPT: usize = 200;

impl Drawn {
    pub fn new(seed: u64, wanted: usize, uniform: bool) -> Drawn {
        Drawn {
            random: StdRng::seed_from_u64(seed),
            wanted,
            uniform,
            rules: BTreeMap::new(),
        }
    }

    /// Keeps some of a project's findings, or none; of a thousand files that are alike, a few.
    pub fn offer<'f>(&mut self, name: &str, project: &Project, findings: impl Iterator<Item = &'f Finding>) {
        if self.wanted == 0 {
            return;
        }
        let mut by_rule: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in findings {
            by_rule.entry(finding.rule).or_default().push(finding);
        }
        for mut findings in by_rule.into_values() {
            findings.shuffle(&mut self.random);
            for finding in findings.into_iter().take(ALIKE) {
                self.keep(name, project, finding);
            }
        }
    }

    /// Keeps a finding, or not (reservoir sampling).
    fn keep(&mut self, name: &str, project: &Project, finding: &Finding) {
        let (key, limit) = match self.uniform {
            true => ("", self.wanted),
            false => (finding.rule, KEPT),
        };
        let (offered, kept) = self.rules.entry(key).or_default();
        *offered += 1;
        let at = match kept.len() < limit {
            true => kept.len(),
            false => self.random.random_range(0..*offered),
        };
        if at >= limit {
            return;
        }
        let (file, span) = finding.place();
        let source = &project.file(file).source;
        let position = source.position(span.start);
        let line = source
            .line(position.line)
            .unwrap_or_default()
            .slice(source.text());
        let entry = Entry {
            rule: finding.rule,
            project: name.to_owned(),
            place: format!("{}:{}", source.path(), position.line),
            text: line.trim().chars().take(120).collect(),
            message: format!(
                "{:?}/{:?}: {}",
                finding.severity, finding.confidence, finding.message
            ),
        };
        match at < kept.len() {
            true => kept[at] = entry,
            false => kept.push(entry),
        }
    }

    /// Prints as many as were wanted, in turns over the rules, at most one of a rule and a project while others are there.
    pub fn print(&mut self) {
        if self.wanted == 0 {
            return;
        }
        println!("\n| # | rule | where | line | finding | right? |\n|---:|---|---|---|---|---|");
        let mut queues: Vec<Vec<Entry>> = Vec::new();
        for (_, mut kept) in std::mem::take(&mut self.rules).into_values() {
            kept.shuffle(&mut self.random);
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            let mut turns: Vec<(usize, Entry)> = kept
                .into_iter()
                .map(|entry| {
                    let count = seen.entry(entry.project.clone()).or_default();
                    *count += 1;
                    (*count, entry)
                })
                .collect();
            if !self.uniform {
                turns.sort_by_key(|(turn, _)| std::cmp::Reverse(*turn));
            }
            queues.push(turns.into_iter().map(|(_, entry)| entry).collect());
        }
        let mut number = 0;
        while number < self.wanted && queues.iter().any(|queue| !queue.is_empty()) {
            for queue in &mut queues {
                let Some(entry) = queue.pop().filter(|_| number < self.wanted) else {
                    continue;
                };
                number += 1;
                let cell = |text: &str| crate::report::cell(text).replace('`', "'");
                println!(
                    "| {number} | {} | {}/{} | `{}` | {} | |",
                    entry.rule,
                    cell(&entry.project),
                    cell(&entry.place),
                    cell(&entry.text),
                    cell(&entry.message)
                );
            }
        }
    }
}
