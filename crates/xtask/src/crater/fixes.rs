//! What must hold of fixes: alone, each changes nothing but its own bytes and leaves the file readable; together, they come
//! to an end, and then there is nothing left to fix.

use std::fmt;
use unstale_audit::{Applicability, Checker, Edit, FileId, Finding, Fix, Project, Settings, edit, mend};

/// What was tried.
#[derive(Debug, Default)]
pub struct Tally {
    alone: usize,
    applied: usize,
    refused: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            alone,
            applied,
            refused,
        } = self;
        write!(
            formatter,
            "{alone} fixes tried alone; {applied} applied together, {refused} refused"
        )
    }
}

/// The faults of a project's fixes.
pub fn check(project: &Project, findings: &[Finding], tally: &mut Tally) -> Vec<String> {
    let mut faults = Vec::new();
    for finding in findings {
        if let Some(fix) = &finding.fix {
            tally.alone += 1;
            faults.extend(alone(project, finding, fix));
        }
    }
    for boldest in [Applicability::Safe, Applicability::Unsafe] {
        faults.extend(together(project, boldest, tally));
    }
    faults
}

fn alone(project: &Project, finding: &Finding, fix: &Fix) -> Option<String> {
    let place = |file: FileId| project.file(file).source.path().to_owned();
    let what = format!("{} in {}: {}", finding.rule, place(finding.place().0), fix.title);
    let (edits, taken) = edit::choose(&[fix]);
    if taken != [true] {
        return Some(format!("{what}: the edits of the fix do not go together"));
    }
    for (file, edits) in edits {
        let before = project.file(file).source.text();
        let after = edit::apply(before, &edits);
        if project.would_break(file, &after) {
            return Some(format!("{what}: {} cannot be read after it", place(file)));
        }
        if let Some(fault) = other_bytes(before, &after, &edits) {
            return Some(format!("{what}: {fault}"));
        }
    }
    None
}

/// Whether bytes outside of the edits differ: the text is walked through from both ends and between edits.
fn other_bytes(before: &str, after: &str, edits: &[&Edit]) -> Option<String> {
    let (mut old, mut new) = (0, 0);
    let ends = edits
        .iter()
        .map(|edit| (edit.span.start, edit.span.end, edit.content.as_str()));
    for (start, end, content) in ends.chain([(before.len(), before.len(), "")]) {
        let kept = before.get(old..start)?;
        if after.get(new..new + kept.len()) != Some(kept) {
            return Some("bytes outside of its edits change".to_owned());
        }
        new += kept.len();
        if after.get(new..new + content.len()) != Some(content) {
            return Some("what it inserts is not what it says".to_owned());
        }
        (old, new) = (end, new + content.len());
    }
    (new != after.len()).then(|| "something is left behind the last edit".to_owned())
}

fn together(project: &Project, boldest: Applicability, tally: &mut Tally) -> Vec<String> {
    let Ok(checker) = Checker::new(Settings::default(), &[]) else {
        return Vec::new();
    };
    let mended = mend(&checker, project.clone(), boldest);
    tally.applied += mended.applied.len();
    tally.refused += mended.refused.len();
    let mut faults: Vec<String> = mended
        .refused
        .iter()
        .map(|refused| {
            let path = project.file(refused.file).source.path();
            format!(
                "{path}: refused {} ({}): {}",
                refused.title, refused.rule, refused.reason
            )
        })
        .collect();
    for ((id, before), (_, after)) in project.files().zip(mended.project.files()) {
        if before.problem().is_none() && after.problem().is_some() {
            faults.push(format!(
                "{}: cannot be read after the fixes",
                project.file(id).source.path()
            ));
        }
    }
    let again = mend(&checker, mended.project, boldest);
    if !again.applied.is_empty() {
        let first = &again.applied[0];
        faults.push(format!(
            "{} fixes are left after the fixes: {} ({})",
            again.applied.len(),
            first.change,
            first.rule
        ));
    }
    faults
}
