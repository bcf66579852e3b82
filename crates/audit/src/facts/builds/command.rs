//! Builds by commands: `docker build`, `docker buildx build`, `podman build`.

use super::{Build, BuildArg, CacheUse, Setting, Via, set_paths};
use crate::docker::{self, Action};
use crate::facts::DockerUse;
use crate::shell::Editor;
use crate::{Edit, Project, ScriptPlace};
use std::ops::Range;

pub(super) fn builds(project: &Project, builds: &mut Vec<Build>) {
    for found in project.docker_commands() {
        let Action::Build(build) = &found.docker.action else {
            continue;
        };
        let scripts = &project.file(found.file).scripts;
        let number = scripts
            .iter()
            .position(|script| std::ptr::eq(script, found.script));
        builds.push(of(project, found, build, number.unwrap_or_default()));
    }
}

fn of(project: &Project, found: DockerUse<'_>, build: &docker::Build, number: usize) -> Build {
    let source = &project.file(found.file).source;
    let editor = Editor::new(found.file, source);
    let removal = |words: &Range<usize>| -> Vec<Edit> {
        editor
            .remove_words(found.command, words.clone())
            .into_iter()
            .collect()
    };
    let words: Vec<&str> = found
        .command
        .words
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let name = format!(
        "`{}`",
        words.get(..=found.docker.verb).unwrap_or_default().join(" ")
    );
    let mut result = Build::new(
        Via::Command(number, found.index),
        found.file,
        found.command.span,
        name,
    );
    // Scripts are run from the project's folder as a rule, which is above their own.
    let folder = match found.script.place {
        ScriptPlace::Recipe(..) => source.folder(),
        _ => "",
    };
    let context = build
        .context
        .as_ref()
        .map_or(".", |context| context.text.as_str());
    set_paths(
        &mut result,
        project,
        folder,
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
                removal: removal(&cache.words),
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
    result.args = build
        .build_args
        .iter()
        .map(|arg| BuildArg {
            name: arg.name.clone(),
            value: arg.value.clone(),
            file: found.file,
            span: arg.span,
            removal: removal(&arg.words),
        })
        .collect();
    result.cache_from = caches(&build.cache_from);
    result.cache_to = caches(&build.cache_to);
    result.tags = settings("tag");
    result.secrets = settings("secret");
    result.platforms = build.platforms.clone();
    result.pull = build.pull;
    result.no_cache = build.no_cache.then(|| {
        let flag = found.docker.flags.all("no-cache").last();
        flag.map_or(found.command.span, |flag| flag.span)
    });
    result.load = build.load;
    result.push = build.push;
    result.outputs = build.outputs.clone();
    result.builder = build.builder.clone();
    result.is_open = found.docker.is_open;
    result
}
