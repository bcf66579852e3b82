//! Builds of services of Compose projects.

use super::{Build, BuildArg, CacheUse, Setting, Via};
use crate::compose::project::{ComposeProject, context_of, dockerfile_of};
use crate::compose::{self, Place, Service, Text, interpolate};
use crate::{Content, Edit, FileId, Project};

pub(super) fn builds(project: &Project, compose: &ComposeProject, builds: &mut Vec<Build>) {
    for service in &compose.services {
        if let Some(build) = &service.build {
            builds.extend(of(project, service, build));
        }
    }
}

fn of(project: &Project, service: &Service, build: &compose::Build) -> Option<Build> {
    // The build section says where it stands; the service may be said again in another file.
    let file = project.find(&build.place.as_ref().unwrap_or(&service.place).path)?;
    let span = match project.find(&service.place.path) {
        Some(own) if own == file => service.name_span,
        _ => build.place.as_ref().map_or(service.name_span, |place| place.span),
    };
    let name = format!("service `{}`", service.name);
    let mut result = Build::new(Via::Service(service.name.clone()), file, span, name);
    result.context = context_of(build).filter(|context| !context.starts_with(".."));
    result.dockerfile = dockerfile_of(build).and_then(|path| project.find(&path));
    result.target = build.target.as_ref().map(value);
    result.args = build
        .args
        .iter()
        .filter_map(|arg| {
            Some(BuildArg {
                name: arg.name.clone(),
                value: arg.value.clone(),
                file: project.find(&arg.place.path)?,
                span: arg.place.span,
                removal: removal(project, &arg.place),
            })
        })
        .collect();
    let caches = |texts: &[Text]| -> Vec<CacheUse> {
        let cache = |text: &Text| {
            let file = project.find(&text.place.path)?;
            Some(CacheUse::new(
                &value(text),
                file,
                text.place.span,
                removal(project, &text.place),
            ))
        };
        texts.iter().filter_map(cache).collect()
    };
    result.cache_from = caches(&build.cache_from);
    result.cache_to = caches(&build.cache_to);
    let setting = |text: &Text| Setting {
        text: value(text),
        span: text.place.value,
    };
    result.tags = service.image.iter().chain(&build.tags).map(setting).collect();
    result.platforms = build.platforms.iter().map(value).collect();
    result.secrets = build
        .secrets
        .iter()
        .map(|grant| Setting {
            text: grant.source.clone(),
            span: grant.place.span,
        })
        .collect();
    result.pull = build.pull.as_ref().is_some_and(|pull| pull.value)
        || service
            .pull_policy
            .as_ref()
            .is_some_and(|policy| policy.value == "always");
    result.no_cache = build
        .no_cache
        .as_ref()
        .filter(|no_cache| no_cache.value)
        .map(|no_cache| no_cache.place.span);
    Some(result)
}

/// A text with the defaults of its variables, or as written where one has none.
fn value(text: &Text) -> String {
    interpolate(&text.value)
        .value
        .unwrap_or_else(|| text.value.clone())
}

/// What to edit so that an entry or item is gone.
fn removal(project: &Project, place: &Place) -> Vec<Edit> {
    let edits = |file: FileId| {
        let Content::Compose(compose) = &project.file(file).content else {
            return None;
        };
        let spans = compose.removal(place)?;
        Some(
            spans
                .into_iter()
                .map(|span| Edit {
                    file,
                    span,
                    content: String::new(),
                })
                .collect(),
        )
    };
    project.find(&place.path).and_then(edits).unwrap_or_default()
}
