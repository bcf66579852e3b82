//! Draws findings to be judged by hand: as many of each rule as go, spread over projects.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use unstale_audit::{Finding, Project};

/// A finding in words.
struct Entry {
    project: String,
    place: String,
    text: String,
    message: String,
}

/// Draws while findings come.
pub struct Drawn {
    random: StdRng,
    wanted: usize,
    /// By rule: how many were offered, and those that are kept.
    rules: BTreeMap<&'static str, (usize, Vec<Entry>)>,
}

/// How many of a rule are kept to draw from.
const KEPT: usize = 200;

impl Drawn {
    pub fn new(seed: u64, wanted: usize) -> Drawn {
        Drawn {
            random: StdRng::seed_from_u64(seed),
            wanted,
            rules: BTreeMap::new(),
        }
    }

    /// Keeps a finding, or not (reservoir sampling).
    pub fn offer(&mut self, name: &str, project: &Project, finding: &Finding) {
        if self.wanted == 0 {
            return;
        }
        let (offered, kept) = self.rules.entry(finding.rule).or_default();
        *offered += 1;
        let at = match kept.len() < KEPT {
            true => kept.len(),
            false => self.random.random_range(0..*offered),
        };
        if at >= KEPT {
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
        let mut queues: Vec<(&str, Vec<Entry>)> = Vec::new();
        for (rule, (_, mut kept)) in std::mem::take(&mut self.rules) {
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
            turns.sort_by_key(|(turn, _)| std::cmp::Reverse(*turn));
            queues.push((rule, turns.into_iter().map(|(_, entry)| entry).collect()));
        }
        let mut number = 0;
        while number < self.wanted && queues.iter().any(|(_, queue)| !queue.is_empty()) {
            for (rule, queue) in &mut queues {
                let Some(entry) = queue.pop().filter(|_| number < self.wanted) else {
                    continue;
                };
                number += 1;
                let cell = |text: &str| crate::report::cell(text).replace('`', "'");
                println!(
                    "| {number} | {rule} | {}/{} | `{}` | {} | |",
                    cell(&entry.project),
                    cell(&entry.place),
                    cell(&entry.text),
                    cell(&entry.message)
                );
            }
        }
    }
}
