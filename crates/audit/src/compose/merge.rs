//! Lays one service over another, as Compose does with several files and with `extends`.
//!
//! Source of the rules: the Compose specification, "Merge": texts are replaced, mappings merged by key, lists appended
//! but for volumes (by target), configs and secrets (by source), `command`, `entrypoint` and `healthcheck.test` (replaced).

use super::model::*;
use std::sync::Arc;

/// Lays `over` over `base`.
pub(super) fn merge(mut base: Service, over: Service) -> Service {
    for path in &over.clears {
        clear(&mut base, path);
    }
    Service {
        name: over.name,
        name_span: over.name_span,
        image: over.image.or(base.image),
        build: match (base.build, over.build) {
            (Some(base), Some(over)) => Some(merge_build(base, over)),
            (base, over) => over.or(base),
        },
        container_name: over.container_name.or(base.container_name),
        volumes: by(base.volumes, over.volumes, |mount| mount.target.clone()),
        configs: by(base.configs, over.configs, grant_key),
        secrets: by(base.secrets, over.secrets, grant_key),
        environment: by(base.environment, over.environment, pair_key),
        env_file: appended(base.env_file, over.env_file),
        command: over.command.or(base.command),
        entrypoint: over.entrypoint.or(base.entrypoint),
        healthcheck: match (base.healthcheck, over.healthcheck) {
            (Some(base), Some(over)) => Some(Healthcheck {
                is_disabled: over.is_disabled || (base.is_disabled && over.test.is_none()),
                test: over.test.or(base.test),
                place: over.place,
            }),
            (base, over) => over.or(base),
        },
        depends_on: by(base.depends_on, over.depends_on, |dependency| {
            dependency.service.clone()
        }),
        pull_policy: over.pull_policy.or(base.pull_policy),
        platform: over.platform.or(base.platform),
        profiles: appended(base.profiles, over.profiles),
        restart: over.restart.or(base.restart),
        replicas: over.replicas.or(base.replicas),
        watch: base.watch.into_iter().chain(over.watch).collect(),
        labels: by(base.labels, over.labels, pair_key),
        extends: over.extends,
        unknown: by(base.unknown, over.unknown, |key| key.value.clone()),
        clears: Vec::new(),
        is_reset: false,
        place: over.place,
    }
}

fn merge_build(base: Build, over: Build) -> Build {
    Build {
        place: over.place,
        is_short: base.is_short && over.is_short,
        context: over.context.or(base.context),
        dockerfile: over.dockerfile.or(base.dockerfile),
        dockerfile_inline: over.dockerfile_inline.or(base.dockerfile_inline),
        args: by(base.args, over.args, pair_key),
        target: over.target.or(base.target),
        cache_from: appended(base.cache_from, over.cache_from),
        cache_to: appended(base.cache_to, over.cache_to),
        no_cache: over.no_cache.or(base.no_cache),
        pull: over.pull.or(base.pull),
        platforms: appended(base.platforms, over.platforms),
        tags: appended(base.tags, over.tags),
        secrets: by(base.secrets, over.secrets, grant_key),
        additional_contexts: by(base.additional_contexts, over.additional_contexts, pair_key),
        labels: by(base.labels, over.labels, pair_key),
        network: over.network.or(base.network),
    }
}

fn pair_key(pair: &Pair) -> String {
    pair.name.clone()
}

fn grant_key(grant: &Grant) -> String {
    grant.source.clone()
}

/// Each key once, at its first place, with its last value.
fn by<T>(base: Vec<T>, over: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut merged: Vec<T> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for item in base.into_iter().chain(over) {
        match places.entry(key(&item)) {
            std::collections::hash_map::Entry::Occupied(at) => {
                let at: usize = *at.get();
                merged[at] = item;
            }
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(merged.len());
                merged.push(item);
            }
        }
    }
    merged
}

fn appended(base: Vec<Text>, over: Vec<Text>) -> Vec<Text> {
    by(base, over, |text| text.value.clone())
}

/// Takes out what `!reset` or `!override` names.
fn clear(service: &mut Service, path: &str) {
    let (key, rest) = path
        .split_once('.')
        .map_or((path, None), |(key, rest)| (key, Some(rest)));
    let without = |pairs: &mut Vec<Pair>| match rest {
        Some(name) => pairs.retain(|pair| pair.name != name),
        None => pairs.clear(),
    };
    match key {
        "" => {
            let empty = Service {
                image: None,
                build: None,
                container_name: None,
                volumes: Vec::new(),
                configs: Vec::new(),
                secrets: Vec::new(),
                environment: Vec::new(),
                env_file: Vec::new(),
                command: None,
                entrypoint: None,
                healthcheck: None,
                depends_on: Vec::new(),
                pull_policy: None,
                platform: None,
                profiles: Vec::new(),
                restart: None,
                replicas: None,
                watch: Vec::new(),
                labels: Vec::new(),
                extends: None,
                unknown: Vec::new(),
                clears: Vec::new(),
                is_reset: false,
                name: std::mem::take(&mut service.name),
                name_span: service.name_span,
                place: service.place.clone(),
            };
            *service = empty;
        }
        "image" => service.image = None,
        "build" => match (rest, &mut service.build) {
            (Some(rest), Some(build)) => clear_build(build, rest),
            _ => service.build = None,
        },
        "container_name" => service.container_name = None,
        "volumes" => service.volumes.clear(),
        "configs" => service.configs.clear(),
        "secrets" => service.secrets.clear(),
        "environment" => without(&mut service.environment),
        "env_file" => service.env_file.clear(),
        "command" => service.command = None,
        "entrypoint" => service.entrypoint = None,
        "healthcheck" => service.healthcheck = None,
        "depends_on" => match rest {
            Some(name) => service.depends_on.retain(|dependency| dependency.service != name),
            None => service.depends_on.clear(),
        },
        "pull_policy" => service.pull_policy = None,
        "platform" => service.platform = None,
        "profiles" => service.profiles.clear(),
        "restart" => service.restart = None,
        "scale" | "deploy" => service.replicas = None,
        "develop" => service.watch.clear(),
        "labels" => without(&mut service.labels),
        _ => {}
    }
}

fn clear_build(build: &mut Build, path: &str) {
    let (key, rest) = path
        .split_once('.')
        .map_or((path, None), |(key, rest)| (key, Some(rest)));
    let without = |pairs: &mut Vec<Pair>| match rest {
        Some(name) => pairs.retain(|pair| pair.name != name),
        None => pairs.clear(),
    };
    match key {
        "context" => build.context = None,
        "dockerfile" => build.dockerfile = None,
        "dockerfile_inline" => build.dockerfile_inline = None,
        "args" => without(&mut build.args),
        "target" => build.target = None,
        "cache_from" => build.cache_from.clear(),
        "cache_to" => build.cache_to.clear(),
        "no_cache" => build.no_cache = None,
        "pull" => build.pull = None,
        "platforms" => build.platforms.clear(),
        "tags" => build.tags.clear(),
        "secrets" => build.secrets.clear(),
        "additional_contexts" => without(&mut build.additional_contexts),
        "labels" => without(&mut build.labels),
        "network" => build.network = None,
        _ => {}
    }
}

/// Makes the paths that a service names relative to `folder`.
pub(super) fn set_folder(service: &mut Service, folder: &Arc<str>) {
    let set = |place: &mut Place| place.folder = folder.clone();
    if let Some(build) = &mut service.build {
        let texts = [&mut build.context, &mut build.dockerfile];
        texts.into_iter().flatten().for_each(|text| set(&mut text.place));
        build
            .additional_contexts
            .iter_mut()
            .for_each(|pair| set(&mut pair.place));
        build.place.iter_mut().for_each(set);
    }
    service.volumes.iter_mut().for_each(|mount| set(&mut mount.place));
    service.env_file.iter_mut().for_each(|text| set(&mut text.place));
    for watch in &mut service.watch {
        watch.path.iter_mut().for_each(|text| set(&mut text.place));
    }
    set(&mut service.place);
}
