//! `BUILDKIT_INLINE_CACHE` where no build hears it: in the environment of commands or containers, in `ENV` and `ARG`.

use super::{RULE, removal};
use crate::compose::Place;
use crate::facts::caches::{self, INLINE_CACHE, is_true};
use crate::facts::environment::settings;
use crate::{Confidence, Content, Edit, FileId, Finding, Project, Severity, Span};

/// Where it is said, and no build hears it.
pub(super) fn check(project: &Project, findings: &mut Vec<Finding>) {
    let builds = &project.facts().builds;
    let is_taken = builds
        .iter()
        .flat_map(|build| &build.args)
        .filter_map(caches::variable_of)
        .any(|name| name == INLINE_CACHE);
    let is_variable = project.files().any(|(_, file)| match &file.content {
        Content::Bake(bake) => bake
            .variables
            .iter()
            .any(|variable| variable.name == INLINE_CACHE),
        _ => false,
    });
    if !is_taken && !is_variable {
        for setting in settings(project, INLINE_CACHE)
            .into_iter()
            .filter(|setting| is_true(&setting.value))
        {
            let place = (setting.file, setting.span);
            findings.push(unheard(
                "the environment",
                place,
                &setting.removal,
                true,
                "the environment",
            ));
        }
    }
    for (file, read, dockerfile) in project.dockerfiles() {
        for declaration in dockerfile.declarations() {
            let is_on = declaration
                .value
                .as_ref()
                .is_some_and(|value| is_true(value.raw.trim_matches(['"', '\''])));
            let instruction = dockerfile.instructions.get(declaration.instruction);
            let (Some(instruction), true) = (instruction, is_on && declaration.name == INLINE_CACHE) else {
                continue;
            };
            let keyword = &instruction.keyword;
            let edit = Edit {
                file,
                span: read.source.whole_lines(instruction.span),
                content: String::new(),
            };
            let edits = if instruction.assignments.len() == 1 {
                vec![edit]
            } else {
                Vec::new()
            };
            let place = (file, declaration.name_span);
            let is_safe = keyword == "ARG";
            findings.push(unheard(
                &format!("`{keyword}`"),
                place,
                &edits,
                is_safe,
                "the Dockerfile",
            ));
        }
    }
    for compose in &project.facts().compose {
        for service in &compose.services {
            for pair in &service.environment {
                let is_on = pair.name == INLINE_CACHE && pair.value.as_deref().is_some_and(is_true);
                let place = project.find(&pair.place.path).map(|file| (file, pair.place.span));
                if let (true, Some(place)) = (is_on, place) {
                    let edits = compose_removal(project, place.0, &pair.place);
                    let name = format!("{}'s environment", service.name);
                    findings.push(unheard(
                        "the container's environment",
                        place,
                        &edits,
                        false,
                        &name,
                    ));
                }
            }
        }
    }
    findings.dedup_by(|one, other| one.rule == other.rule && one.place() == other.place());
}

fn compose_removal(project: &Project, file: FileId, place: &Place) -> Vec<Edit> {
    let Content::Compose(compose) = &project.file(file).content else {
        return Vec::new();
    };
    let edit = |span: Span| Edit {
        file,
        span,
        content: String::new(),
    };
    compose
        .removal(place)
        .unwrap_or_default()
        .into_iter()
        .map(edit)
        .collect()
}

fn unheard(by: &str, place: (FileId, Span), edits: &[Edit], is_safe: bool, from: &str) -> Finding {
    Finding::new(
        RULE.id,
        Severity::Low,
        Confidence::High,
        format!("`{INLINE_CACHE}` has no effect in {by}: only build arguments are asked for it"),
        place,
    )
    .help(
        "remove it: it says that the image carries its cache, and it does not. As a build argument it would",
    )
    .fix(removal(
        &format!("{INLINE_CACHE} from {from}"),
        "Nobody looks for a cache that is not there".to_owned(),
        edits,
        is_safe,
    ))
}
