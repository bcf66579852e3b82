//! What came of the histories, and what of it is a mistake.

use std::collections::BTreeMap;

use testkit::Engine;

use crate::report;

/// What a clear said, and what followed.
pub struct Judged {
    pub proven: bool,
    /// Why it was not.
    pub reasons: Vec<String>,
    /// The registry did not answer during the clear.
    pub is_registry_down: bool,
    /// Builds ask it for a cache.
    pub asks_registry: bool,
    /// What is in the registry was to be cleared, too.
    pub is_remote: bool,
    /// How many steps plain builds reused; unknown if unstale built first.
    pub plain: Option<usize>,
    /// The steps from before the clear that a build of unstale reused.
    pub reused: Vec<String>,
}

/// What came of the histories of one engine.
#[derive(Default)]
pub struct Tally {
    histories: u64,
    proven: u64,
    /// Clears that were not proven, and a plain build reused nothing, but nobody could know while the registry was down.
    unknowable: u64,
    /// Clears that were not proven, by the reason.
    unproven: BTreeMap<String, u64>,
    /// How often each thing was in a history.
    events: BTreeMap<&'static str, u64>,
    /// Clears that were proven, and a plain build reused something, or could have.
    false_proofs: Vec<String>,
    /// Clears that were not proven, and a plain build reused nothing.
    needless: Vec<String>,
    /// Builds of unstale that reused something from before.
    unnoticed: Vec<String>,
}

impl Tally {
    /// Counts one history: `which` it was, and the `words` for what was in it.
    pub fn count(&mut self, judged: Judged, which: &str, words: &[&'static str]) {
        let reasons = judged.reasons.join("; ");
        self.histories += 1;
        for word in words {
            *self.events.entry(word).or_default() += 1;
        }
        if !judged.reused.is_empty() {
            self.unnoticed
                .push(format!("{which}: {}", judged.reused.join("; ")));
        }
        match (judged.proven, judged.plain) {
            (true, Some(1..)) => self.false_proofs.push(which.to_owned()),
            // Nobody has looked into what builds import from.
            (true, _) if judged.is_registry_down && judged.asks_registry => {
                self.false_proofs.push(which.to_owned());
            }
            (false, Some(0)) if judged.is_for_registry_alone() => self.unknowable += 1,
            (false, Some(0)) => self.needless.push(format!("{which}: {reasons}")),
            (false, _) if judged.leaves_what_was_to_go() => self.needless.push(format!("{which}: {reasons}")),
            _ => {}
        }
        match judged.proven {
            true => self.proven += 1,
            false => *self.unproven.entry(reasons).or_default() += 1,
        }
    }

    /// No history shows a mistake.
    pub fn is_right(&self) -> bool {
        self.false_proofs.is_empty() && self.needless.is_empty() && self.unnoticed.is_empty()
    }
}

impl Judged {
    /// Nothing but a registry that was down kept the clear from being proven.
    fn is_for_registry_alone(&self) -> bool {
        self.is_registry_down
            && self
                .reasons
                .iter()
                .all(|reason| reason.contains("cannot reach the registry"))
    }

    /// Something is in the registry still that was to be deleted there.
    fn leaves_what_was_to_go(&self) -> bool {
        self.is_remote
            && self
                .reasons
                .iter()
                .any(|reason| reason.contains("in its registry"))
    }
}

/// The report: a table, and for each engine what was in the histories, why clears were not proven, and the mistakes.
pub fn page(command: &str, engines: &[&Engine], tallies: &[Tally]) -> String {
    let what = "Random histories of a project (builds by `docker compose build`, by unstale and by the classic builder, some of them on a \
                second builder of buildx's; edits, pushes, prunes; inline caches, caches in a registry, `cache_from`, a shared cache, \
                cache mounts, containers that run, a build beside the clear), each on an engine held alone. Then \
                `unstale clear --target all --yes`, in some with `--remote`, in some while the registry is down; and builds on \
                every builder. By turns these are plain ones, which must reuse nothing after a proven clear, and something after one \
                that was not proven, unless the registry was down and nobody could know; or ones of unstale, which must reuse \
                nothing in either case. After a plain build unstale builds as well, and must reuse nothing that the plain one did.";
    let mut text = report::head("Clears against builds", command, what);
    text.push_str(
        "| engine | histories | proven | not proven | could not be known | proven, and something reused | \
         not proven, and nothing reused | unnoticed reuse by unstale |\n",
    );
    text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for (engine, tally) in engines.iter().zip(tallies) {
        text.push_str(&format!(
            "| {} {} | {} | {} | {} | {} | {} | {} | {} |\n",
            engine.name,
            engine.version,
            tally.histories,
            tally.proven,
            tally.histories - tally.proven,
            tally.unknowable,
            tally.false_proofs.len(),
            tally.needless.len(),
            tally.unnoticed.len(),
        ));
    }
    for (engine, tally) in engines.iter().zip(tallies) {
        text.push_str(&format!(
            "\n## {}\n\nIn the histories:\n\n{}\nNot proven because of:\n\n{}",
            engine.name,
            list(&tally.events),
            list(&tally.unproven)
        ));
        let mistakes = [
            ("proven", &tally.false_proofs),
            ("needless", &tally.needless),
            ("unnoticed", &tally.unnoticed),
        ];
        for (kind, mistakes) in mistakes {
            for mistake in mistakes {
                text.push_str(&format!("\nMistake ({kind}): {mistake}\n"));
            }
        }
    }
    text
}

fn list(counts: &BTreeMap<impl AsRef<str>, u64>) -> String {
    let lines = counts
        .iter()
        .map(|(what, count)| format!("- {count} × {}\n", report::cell(what.as_ref())));
    lines.collect()
}
