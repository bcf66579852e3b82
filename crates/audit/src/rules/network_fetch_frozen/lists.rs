//! Lists of packages that a step takes alone, and a later one installs from.

use super::{RULE, follows_code};
use crate::facts::PackageLists;
use crate::{Confidence, EmbeddedScript, FileId, Finding, Project, Severity, Span};
use unstale_dockerfile::Dockerfile;

/// Findings about steps that take the lists of packages alone, where a later step of the stage installs from them.
pub(super) fn alone(
    project: &Project,
    id: FileId,
    dockerfile: &Dockerfile,
    runs: &[(usize, &EmbeddedScript)],
    findings: &mut Vec<Finding>,
) {
    let mut last: Option<(Span, usize)> = None;
    let all = dockerfile.instructions.iter().enumerate();
    let froms: Vec<usize> = all
        .filter(|(_, one)| one.keyword == "FROM")
        .map(|(index, _)| index)
        .collect();
    let stage_of = |instruction: usize| froms.partition_point(|from| *from <= instruction);
    for (instruction, script) in runs {
        let lists = PackageLists::of(&script.script);
        let is_same_stage = last.is_some_and(|(_, from)| stage_of(from) == stage_of(*instruction));
        if !is_same_stage {
            last = None;
        }
        match (lists.update, lists.install) {
            (Some(update), None) if !lists.may_use => last = Some((update, *instruction)),
            (Some(_), _) => last = None,
            (None, Some(install)) => {
                let Some((update, at)) = last.take() else { continue };
                // Later versions of `apk` take lists again that are older than four hours.
                let (program, confidence) = match lists.is_apk {
                    true => ("apk update", Confidence::Low),
                    false => ("apt-get update", Confidence::High),
                };
                // Every edit of the code takes them again.
                let confidence = match follows_code(project, id, dockerfile, at) {
                    true => Confidence::Low,
                    false => confidence,
                };
                let message = format!(
                    "`{program}` alone in a step is cached: what later steps install comes from old lists"
                );
                let finding =
                    Finding::new(RULE.id, Severity::Medium, confidence, message, (id, update))
                        .help("put it into the step that installs, joined with `&&`")
                        .also((id, install), "installs from these lists");
                findings.push(finding);
            }
            (None, None) => {}
        }
    }
}
