//! Builds by targets of a bake file.

use super::{Build, BuildArg, CacheUse, Setting, Via, set_paths};
use crate::bake::{BakeFile, Entry, Field, Form, Item, Items, Target};
use crate::{Edit, FileId, Project, Span};
use std::collections::BTreeSet;

pub(super) fn builds(project: &Project, file: FileId, bake: &BakeFile, builds: &mut Vec<Build>) {
    for own in &bake.targets {
        // A target that others are made from is built by them.
        let is_base = own.name.starts_with('_')
            || (own.context.is_none()
                && own.tags.is_none()
                && own.inherits.is_none()
                && own.dockerfile.is_none()
                && is_inherited(bake, &own.name));
        if let (false, Some(target)) = (is_base, bake.resolved(&own.name)) {
            builds.push(of(project, file, bake, &target));
        }
    }
}

fn is_inherited(bake: &BakeFile, name: &str) -> bool {
    let inherits = bake.targets.iter().filter_map(|target| target.inherits.as_ref());
    inherits
        .flat_map(|items| &items.value)
        .any(|item| item.value.text == name)
}

/// The target that `docker/metadata-action` writes, and what projects call one of their own that CI fills.
const TAGGED_BY_CI: &[&str] = &["docker-metadata-action", "meta-helper"];

/// Whether a target is made from one with one of these names, however far above.
fn is_made_from(bake: &BakeFile, target: &str, names: &[&str]) -> bool {
    let mut open = vec![target.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if names.contains(&name.as_str()) {
            return true;
        }
        if seen.insert(name.clone()) {
            let of_name = bake.targets.iter().filter(|target| target.name == name);
            let above = of_name.filter_map(|target| target.inherits.as_ref());
            open.extend(
                above
                    .flat_map(|items| &items.value)
                    .map(|item| item.value.text.clone()),
            );
        }
    }
    false
}

/// The map of a cache as the text that says the same.
fn written(fields: &[Field]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|field| format!("{}={}", field.name, field.value))
        .collect();
    fields.join(",")
}

/// Whether a variable stands where the tag of an image is: the environment can give it any value.
fn has_open_tag(item: &Item) -> bool {
    let text = &item.value.text;
    let at = text.rfind(':').filter(|at| !text[*at..].contains('/'));
    at.is_some_and(|at| text[at..].contains("${"))
}

fn of(project: &Project, file: FileId, bake: &BakeFile, target: &Target) -> Build {
    let name = format!("target `{}`", target.name);
    let mut build = Build::new(Via::Target(target.name.clone()), file, target.name_span, name);
    let text = |entry: &Option<Entry>| entry.as_ref().and_then(|entry| bake.resolve(&entry.value));
    let removal = |span: Span| {
        vec![Edit {
            file,
            span,
            content: String::new(),
        }]
    };
    let context = match &target.context {
        None => Some(".".to_owned()),
        Some(_) => text(&target.context),
    };
    let folder = project.file(file).source.folder();
    if let Some(context) = context {
        set_paths(
            &mut build,
            project,
            folder,
            &context,
            text(&target.dockerfile).as_deref(),
            true,
        );
    }
    let items = |items: &Option<Items>| items.as_ref().map_or(Vec::new(), |items| items.value.clone());
    let caches = |of: &Option<Items>| -> Vec<CacheUse> {
        // The only item of a list goes with the list.
        let whole = of
            .as_ref()
            .filter(|items| items.value.len() == 1)
            .map(|items| items.removal);
        items(of)
            .into_iter()
            .map(|item| {
                // What an expression makes is not known here: it may be any image.
                let text = match (item.value.form, item.fields.is_empty()) {
                    (Form::Expression, false) => written(&item.fields),
                    (_, is_name) => bake.resolve(&item.value).unwrap_or_else(|| {
                        match is_name && item.value.text.contains('(') {
                            true => "${…}".to_owned(),
                            false => item.value.text.clone(),
                        }
                    }),
                };
                CacheUse::new(
                    &text,
                    file,
                    item.value.span,
                    removal(whole.unwrap_or(item.removal)),
                )
            })
            .collect()
    };
    let settings = |of: &Option<Items>| -> Vec<Setting> {
        items(of)
            .into_iter()
            .map(|item| Setting {
                text: bake.resolve(&item.value).unwrap_or(item.value.text),
                span: item.value.span,
            })
            .collect()
    };
    let is_true = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.value.text == "true");
    build.target = text(&target.stage);
    build.args = target
        .args
        .iter()
        .flat_map(|args| &args.value)
        .map(|arg| BuildArg {
            name: arg.name.clone(),
            value: Some(bake.resolve(&arg.value).unwrap_or_else(|| arg.value.text.clone())),
            file,
            span: arg.span,
            removal: removal(arg.removal),
        })
        .collect();
    build.cache_from = caches(&target.cache_from);
    build.cache_to = caches(&target.cache_to);
    build.tags = settings(&target.tags);
    build.has_open_tag =
        is_made_from(bake, &target.name, TAGGED_BY_CI) || items(&target.tags).iter().any(has_open_tag);
    build.secrets = settings(&target.secret);
    build.platforms = settings(&target.platforms)
        .into_iter()
        .map(|setting| setting.text)
        .collect();
    build.outputs = settings(&target.output)
        .into_iter()
        .map(|setting| setting.text)
        .collect();
    build.pull = is_true(&target.pull);
    build.no_cache = target
        .no_cache
        .as_ref()
        .filter(|entry| entry.value.text == "true")
        .map(|entry| entry.span);
    build
}
