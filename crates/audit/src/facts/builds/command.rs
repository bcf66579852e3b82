//! Builds by commands: `docker build`, `docker buildx build`, `podman build`.

use super::{Build, BuildArg, CacheUse, Setting, Via, set_paths};
use crate::docker::{self, Action};
use crate::facts::{DockerUse, resolve};
use crate::shell::Editor;
use crate::{Content, Edit, Project, ScriptPlace, Span};
use std::ops::Range;

pub(super) fn builds(project: &Project, builds: &mut Vec<Build>) {
    for found in project.docker_commands() {
        let scripts = &project.file(found.file).scripts;
        let number = scripts
            .iter()
            .position(|script| std::ptr::eq(script, found.script))
            .unwrap_or_default();
        match &found.docker.action {
            Action::Build(build) => builds.push(of(project, found, build, number)),
            Action::ComposeBuild(build) => builds.push(of_compose(project, found, build, number)),
            _ => {}
        }
    }
}

fn args(project: &Project, found: DockerUse<'_>, args: &[docker::BuildArg]) -> Vec<BuildArg> {
    let arg = |arg: &docker::BuildArg| BuildArg {
        name: arg.name.clone(),
        value: arg.value.clone(),
        file: found.file,
        span: arg.span,
        removal: removal(project, found, &arg.words),
    };
    args.iter().map(arg).collect()
}

/// What to edit so that words of a command are gone.
fn removal(project: &Project, found: DockerUse<'_>, words: &Range<usize>) -> Vec<Edit> {
    let editor = Editor::new(found.file, &project.file(found.file).source);
    editor
        .remove_words(found.command, words.clone())
        .into_iter()
        .collect()
}

/// Where a command says that nothing cached is used.
fn no_cache(found: DockerUse<'_>) -> Span {
    let flag = found.docker.flags.all("no-cache").last();
    flag.map_or(found.command.span, |flag| flag.span)
}

fn of_compose(project: &Project, found: DockerUse<'_>, build: &docker::ComposeBuild, number: usize) -> Build {
    let via = Via::ComposeCommand(number, found.index);
    let mut result = Build::new(
        via,
        found.file,
        found.command.span,
        format!("`{}`", found.name(project)),
    );
    result.args = args(project, found, &build.build_args);
    result.no_cache = build.no_cache.then(|| no_cache(found));
    result.pull = build.pull;
    result.push = build.push;
    result.builder = build.builder.clone();
    result.is_open = found.docker.is_open;
    result
}

fn of(project: &Project, found: DockerUse<'_>, build: &docker::Build, number: usize) -> Build {
    let source = &project.file(found.file).source;
    let via = Via::Command(number, found.index);
    let mut result = Build::new(
        via,
        found.file,
        found.command.span,
        format!("`{}`", found.name(project)),
    );
    // Scripts are run from the project's folder as a rule, which is above their own.
    let folder = match (found.script.place, &project.file(found.file).content) {
        (ScriptPlace::Recipe(..), _) => source.folder().to_owned(),
        (ScriptPlace::Step(job, step), Content::GithubWorkflow(workflow)) => {
            let step = workflow.jobs.get(job).and_then(|job| job.steps.get(step));
            let named = step.and_then(|step| step.run.as_ref()?.working_directory.as_ref());
            named
                .and_then(|named| resolve("", &named.value))
                .unwrap_or_default()
        }
        _ => String::new(),
    };
    let context = build
        .context
        .as_ref()
        .map_or(".", |context| context.text.as_str());
    set_paths(
        &mut result,
        project,
        &folder,
        context,
        build.dockerfile.as_deref(),
        false,
    );
    if result.dockerfile.is_none() && result.context.is_some() {
        set_paths(
            &mut result,
            project,
            source.folder(),
            context,
            build.dockerfile.as_deref(),
            false,
        );
    }
    let caches = |caches: &[docker::Cache]| -> Vec<CacheUse> {
        caches
            .iter()
            .map(|cache| CacheUse {
                cache: cache.clone(),
                text: cache.span.slice(source.text()).to_owned(),
                file: found.file,
                span: cache.span,
                removal: removal(project, found, &cache.words),
            })
            .collect()
    };
    let settings = |option: &str| -> Vec<Setting> {
        let flags = found.docker.flags.all(option);
        flags
            .filter_map(|flag| {
                Some(Setting {
                    text: flag.value.clone()?,
                    span: flag.span,
                })
            })
            .collect()
    };
    result.target = build.target.clone();
    result.args = args(project, found, &build.build_args);
    result.cache_from = caches(&build.cache_from);
    result.cache_to = caches(&build.cache_to);
    result.tags = settings("tag");
    result.secrets = settings("secret");
    result.platforms = build.platforms.clone();
    result.pull = build.pull;
    result.no_cache = build.no_cache.then(|| no_cache(found));
    result.load = build.load;
    result.push = build.push;
    result.outputs = build.outputs.clone();
    result.builder = build.builder.clone();
    result.is_open = found.docker.is_open;
    result
}
