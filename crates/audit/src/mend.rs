//! Applies fixes until there is nothing left to fix.
//!
//! A fix is applied whole or not at all. After each round every changed file is read again: a fix that breaks a file's
//! syntax is taken back and refused.

use crate::check::{Checker, Report};
use crate::{Applicability, Edit, FileId, Finding, Fix, Project, edit};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds after which fixes that bring each other back are given up.
const ROUNDS: usize = 50;

/// A project with its fixes applied.
#[derive(Debug)]
pub struct Mended {
    /// The project as it is then.
    pub project: Project,
    /// What is left to find in it.
    pub report: Report,
    /// The fixes that were applied, in order.
    pub applied: Vec<Applied>,
    /// The fixes that were not, with the reason.
    pub refused: Vec<Refused>,
}

/// A fix that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The rule that asked for it.
    pub rule: &'static str,
    /// The files that it changed.
    pub files: Vec<FileId>,
    /// What it did: `Removed …`.
    pub change: String,
    /// What is better now.
    pub impact: String,
}

/// A fix that was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The rule that asked for it.
    pub rule: &'static str,
    /// The file of its first edit.
    pub file: FileId,
    /// What it would have done.
    pub title: String,
    /// Why it was not.
    pub reason: &'static str,
}

/// Applies all fixes that are at most as bold as `boldest` and stay within the files whose findings are reported.
pub fn mend(checker: &Checker, mut project: Project, boldest: Applicability) -> Mended {
    let mut applied = Vec::new();
    let mut refused: Vec<Refused> = Vec::new();
    let mut banned: BTreeSet<(FileId, &'static str, String)> = BTreeSet::new();
    let mut seen: BTreeSet<Vec<(FileId, String)>> = BTreeSet::new();
    let mut round = 0;
    loop {
        round += 1;
        let report = checker.check(&project);
        let wanted: Vec<(&Finding, &Fix)> = report
            .findings
            .iter()
            .filter_map(|finding| Some((finding, finding.fix.as_ref()?)))
            .filter(|(_, fix)| fix.applicability <= boldest)
            .filter(|(_, fix)| fix.edits.iter().all(|edit| project.is_reported(edit.file)))
            .filter(|(finding, fix)| !banned.contains(&name(finding, fix)))
            .collect();
        if wanted.is_empty() || round > ROUNDS {
            let reason = "it does not come to an end: another fix brings the finding back";
            refused.extend(wanted.iter().map(|(finding, fix)| refusal(finding, fix, reason)));
            return Mended {
                project,
                report,
                applied,
                refused,
            };
        }
        let (texts, taken) = without_breaking(&project, &wanted);
        let state: Vec<_> = texts.iter().map(|(id, text)| (*id, text.clone())).collect();
        let repeats = !seen.insert(state);
        for ((finding, fix), outcome) in wanted.iter().zip(taken) {
            let reason = match outcome {
                Outcome::Applied if !repeats => {
                    applied.push(Applied {
                        rule: finding.rule,
                        files: files(fix).into_iter().collect(),
                        change: fix.change.clone(),
                        impact: fix.impact.clone(),
                    });
                    continue;
                }
                // It comes again in the next round, if its finding does.
                Outcome::Later if !repeats => continue,
                Outcome::Applied | Outcome::Later => {
                    "it does not come to an end: another fix brings the finding back"
                }
                Outcome::Breaks => "the file could not be read any more after it",
                Outcome::Misfits => "its edits do not go together",
            };
            banned.insert(name(finding, fix));
            refused.push(refusal(finding, fix, reason));
        }
        if !repeats {
            project = project.with_texts(texts);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Applied,
    /// Another fix of this round touches the same bytes.
    Later,
    Breaks,
    Misfits,
}

/// The texts with as many of the fixes as go together and leave every file readable.
fn without_breaking(
    project: &Project,
    wanted: &[(&Finding, &Fix)],
) -> (BTreeMap<FileId, String>, Vec<Outcome>) {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; wanted.len()];
    loop {
        let open: Vec<usize> = (0..wanted.len())
            .filter(|&index| outcomes[index].is_none())
            .collect();
        let fixes: Vec<&Fix> = open.iter().map(|&index| wanted[index].1).collect();
        let (edits, taken) = edit::choose(&fixes);
        let texts = texts(project, &edits);
        let broken: BTreeSet<FileId> = texts
            .iter()
            .filter(|(id, text)| project.would_break(**id, text))
            .map(|(id, _)| *id)
            .collect();
        let in_broken: Vec<usize> = open
            .iter()
            .zip(&taken)
            .filter(|(index, taken)| {
                **taken && files(wanted[**index].1).iter().any(|file| broken.contains(file))
            })
            .map(|(index, _)| *index)
            .collect();
        if in_broken.is_empty() {
            for (index, taken) in open.iter().zip(taken) {
                outcomes[*index] = Some(match taken {
                    true => Outcome::Applied,
                    false if fits_alone(wanted[*index].1) => Outcome::Later,
                    false => Outcome::Misfits,
                });
            }
            return (texts, outcomes.into_iter().flatten().collect());
        }
        // Which of them breaks its file? Each is tried alone; if none does alone, the last one waits for the next round.
        let mut found = false;
        for &index in &in_broken {
            let (edits, _) = edit::choose(&[wanted[index].1]);
            let alone = self::texts(project, &edits);
            if alone.iter().any(|(id, text)| project.would_break(*id, text)) {
                outcomes[index] = Some(Outcome::Breaks);
                found = true;
            }
        }
        if let (false, Some(&last)) = (found, in_broken.last()) {
            outcomes[last] = Some(if in_broken.len() == 1 {
                Outcome::Breaks
            } else {
                Outcome::Later
            });
        }
    }
}

fn texts(project: &Project, edits: &BTreeMap<FileId, Vec<&Edit>>) -> BTreeMap<FileId, String> {
    let text = |id: FileId, edits: &Vec<&Edit>| edit::apply(project.file(id).source.text(), edits);
    edits.iter().map(|(&id, edits)| (id, text(id, edits))).collect()
}

fn fits_alone(fix: &Fix) -> bool {
    edit::choose(&[fix]).1 == [true]
}

fn files(fix: &Fix) -> BTreeSet<FileId> {
    fix.edits.iter().map(|edit| edit.file).collect()
}

fn name(finding: &Finding, fix: &Fix) -> (FileId, &'static str, String) {
    (finding.place().0, finding.rule, fix.title.clone())
}

fn refusal(finding: &Finding, fix: &Fix, reason: &'static str) -> Refused {
    Refused {
        rule: finding.rule,
        file: fix.edits.first().map_or(finding.place().0, |edit| edit.file),
        title: fix.title.clone(),
        reason,
    }
}
