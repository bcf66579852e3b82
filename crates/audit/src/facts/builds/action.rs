//! Builds by `docker/build-push-action` in a workflow.

use super::{Build, BuildArg, CacheUse, Setting, Via, set_paths};
use crate::workflow::{Item, Job, Step, Workflow, expressions};
use crate::{Edit, FileId, Project, Span};

pub(super) fn builds(project: &Project, file: FileId, workflow: &Workflow, builds: &mut Vec<Build>) {
    for (job, of_job) in workflow.jobs.iter().enumerate() {
        for (number, step) in of_job.steps.iter().enumerate() {
            if step.builds_image() {
                builds.push(of(project, file, (workflow, of_job, step), (job, number)));
            }
        }
    }
}

/// The action without its version.
fn name_of(step: &Step) -> &str {
    let text = step
        .uses
        .as_ref()
        .map_or("docker/build-push-action", |uses| uses.text.as_str());
    text.split('@').next().unwrap_or(text)
}

fn of(
    project: &Project,
    file: FileId,
    (workflow, of_job, step): (&Workflow, &Job, &Step),
    (job, number): (usize, usize),
) -> Build {
    let span = step.uses.as_ref().map_or(step.span, |uses| uses.span);
    let name = match step.name.as_ref().or(step.id.as_ref()) {
        Some(name) => format!("step `{}`", name.value),
        None => format!("step `{}`", name_of(step)),
    };
    let mut build = Build::new(Via::Step(job, number), file, span, name);
    let text = |name: &str| step.with(name).map(|pair| pair.text().trim().to_owned());
    let removal = |span: Span| {
        vec![Edit {
            file,
            span,
            content: String::new(),
        }]
    };
    // Without a context, the action builds what git has, at the repository's root.
    let context = text("context")
        .filter(|context| !context.starts_with("{{"))
        .unwrap_or_else(|| ".".to_owned());
    set_paths(&mut build, project, "", &context, text("file").as_deref(), false);
    let lines = |name: &str| -> Vec<Item> { step.with(name).map_or(Vec::new(), |pair| pair.lines()) };
    let items = |name: &str| -> Vec<Item> { step.with(name).map_or(Vec::new(), |pair| pair.items()) };
    // Jobs may give one variable different values.
    let known = |text: &str| workflow.with_environment(of_job, step, text);
    let caches = |name: &str| -> Vec<CacheUse> {
        let all = lines(name).into_iter();
        all.map(|item| CacheUse::new(&known(item.as_str()), file, item.span, removal(item.removal)))
            .collect()
    };
    let settings = |items: Vec<Item>| -> Vec<Setting> {
        let setting = |item: Item| Setting {
            text: known(item.as_str()),
            span: item.span,
        };
        items.into_iter().map(setting).collect()
    };
    build.target = text("target");
    build.args = lines("build-args")
        .into_iter()
        .map(|item| {
            let (name, value) = match item.name_value() {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (item.as_str().to_owned(), None),
            };
            BuildArg {
                name,
                value,
                file,
                span: item.span,
                removal: removal(item.removal),
            }
        })
        .collect();
    build.cache_from = caches("cache-from");
    build.cache_to = caches("cache-to");
    build.tags = settings(items("tags"));
    build.secrets = settings(lines("secrets"));
    build.platforms = items("platforms")
        .iter()
        .map(|item| item.as_str().to_owned())
        .collect();
    build.outputs = lines("outputs")
        .iter()
        .map(|item| known(&usually(item.as_str())))
        .collect();
    // Another step gives what is pushed by its digest its tags.
    build.has_open_tag = build
        .outputs
        .iter()
        .any(|output| output.contains("push-by-digest=true"));
    // An expression may say either.
    let may_be_true = |name: &str| step.with(name).is_some_and(|pair| pair.text().trim() != "false");
    build.pull = may_be_true("pull");
    build.no_cache = step
        .with("no-cache")
        .filter(|pair| pair.is_true())
        .map(|pair| pair.span);
    build.load = may_be_true("load");
    build.push = may_be_true("push");
    build.builder = text("builder");
    build
}

/// A text with the last of the choices that its expressions make: `${{ env.NAME }}` of `${{ inputs.test && env.OTHER || env.NAME }}`.
fn usually(text: &str) -> String {
    let mut result = text.to_owned();
    for span in expressions(text).into_iter().rev() {
        let inner = span.slice(text).trim_end_matches('}').rsplit_once("||");
        if let Some(name) = inner
            .map(|(_, last)| last.trim())
            .filter(|last| last.starts_with("env."))
        {
            result.replace_range(span.start..span.end, &format!("${{{{ {name} }}}}"));
        }
    }
    result
}
