//! The report of a campaign.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Done;
use super::judge::Wrong;
use super::tally::Counts;
use crate::report;

/// The columns of mistakes.
const COLUMNS: [(Wrong, &str); 5] = [
    (Wrong::FalseHit, "false hits"),
    (Wrong::FalseRun, "false runs"),
    (Wrong::Cause, "wrong causes"),
    (Wrong::Origin, "wrong or unknown origins"),
    (Wrong::Shape, "other steps"),
];

/// The whole page.
pub fn markdown(runs: u64, seed: u64, engines: &[String], done: &[Done], elapsed: Duration) -> String {
    let mut text = report::head(
        "Plan against build",
        &format!(
            "cargo xtask campaign --runs {runs} --seed {seed} --engines {} --report",
            engines.join(",")
        ),
        "Random Compose projects and bare folders with random Dockerfiles. After each of a chain of random edits `unstale plan` \
         says what will happen to every step, then `unstale build` tells what did. *False hit*: planned as cached, and it ran. \
         *False run*: planned to run, and it was cached. *Wrong cause*: what plan or build gives as the reason for a step that \
         runs is not what the edit changed (the generator knows: files by name, arguments by name, the first step of the \
         chain). *Wrong or unknown origin*: a cached step without an origin, or with one that cannot be. *Maybe*: what the plan \
         left open. All projects on an engine share one ledger, as those of one machine do; the engine's cache is emptied before the first.",
    );
    text.push_str("| engine | projects | plans | steps | run | cached | maybe | maybe share |");
    text.push_str(&COLUMNS.map(|(_, name)| format!(" {name} |")).concat());
    text.push_str(&format!("\n|---|{}\n", "--:|".repeat(7 + COLUMNS.len())));
    for done in done {
        let total = done.tally.total();
        text.push_str(&format!(
            "| {} {} | {} | {} | {:.1} % | {} |\n",
            done.engine.name,
            done.engine.version,
            done.tally.projects,
            numbers(&total),
            100.0 * total.maybe_share(),
            wrong(&total)
        ));
    }
    let mean = |time: Duration, done: &Done| {
        let pairs = u32::try_from(done.tally.total().pairs).unwrap_or(1).max(1);
        (time / pairs).as_secs_f64()
    };
    for done in done {
        text.push_str(&format!(
            "\n{}: a plan took {:.1} s, the build after it {:.1} s, on the average.",
            done.engine.name,
            mean(done.tally.planning, done),
            mean(done.tally.building, done)
        ));
    }
    text.push_str(&format!(
        "\n\nAll engines at once took {} minutes.\n",
        elapsed.as_secs().div_ceil(60)
    ));
    for done in done {
        text.push_str(&format!(
            "\n## {} {}\n\n| edit | plans | steps | run | cached | maybe |",
            done.engine.name, done.engine.version
        ));
        text.push_str(&COLUMNS.map(|(_, name)| format!(" {name} |")).concat());
        text.push_str(&format!("\n|---|{}\n", "--:|".repeat(5 + COLUMNS.len())));
        for (kind, counts) in &done.tally.kinds {
            text.push_str(&format!(
                "| {} | {} | {} |\n",
                kind.name(),
                numbers(counts),
                wrong(counts)
            ));
        }
        if !done.tally.given_up.is_empty() {
            text.push_str("\nProjects that were not built to their end:\n\n");
            for problem in &done.tally.given_up {
                text.push_str(&format!("- {}\n", report::cell(problem)));
            }
        }
    }
    text.push_str(&forms(done));
    text.push_str(&left_out(done));
    text
}

fn numbers(counts: &Counts) -> String {
    let numbers = [
        counts.pairs,
        counts.steps,
        counts.run,
        counts.cached,
        counts.maybe,
    ];
    numbers.map(|number| number.to_string()).join(" | ")
}

fn wrong(counts: &Counts) -> String {
    let count = |wrong| counts.wrong.get(&wrong).copied().unwrap_or(0).to_string();
    COLUMNS.map(|(wrong, _)| count(wrong)).join(" | ")
}

fn forms(done: &[Done]) -> String {
    let mut rows: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for done in done {
        for (form, count) in &done.tally.forms {
            rows.entry(form).or_default().push(count.to_string());
        }
    }
    let names: String = done
        .iter()
        .map(|done| format!(" {} |", done.engine.name))
        .collect();
    let mut text = format!(
        "\n## What the projects had\n\n| projects with |{names}\n|---|{}\n",
        "--:|".repeat(done.len())
    );
    for (form, counts) in rows {
        text.push_str(&format!("| {form} | {} |\n", counts.join(" | ")));
    }
    text
}

fn left_out(done: &[Done]) -> String {
    let mut text = "\n## What was left out\n\n".to_owned();
    for done in done {
        for (form, error) in &done.probed.refused {
            text.push_str(&format!(
                "- {}: {form}, which is refused: {}\n",
                done.engine.name,
                report::cell(error)
            ));
        }
        if done.engine.store == testkit::Store::Classic {
            text.push_str(&format!(
                "- {}: export of a cache to a registry: the classic image store has none\n",
                done.engine.name
            ));
        }
    }
    text.push_str(
        "- SSH mounts, `ADD` of URLs and git repositories, other platforms: not in the generator\n",
    );
    text
}
