//! Puts the files of one project together: base and override, `-f a -f b`, `include`, `extends`.
//!
//! Pure: files come from a function from paths to what was read. A file that is not there is left out.

#[cfg(test)]
mod tests;

use super::merge::{merge, set_folder};
use super::model::{Extends, Resource, Service, Text};
use super::path::{join, resolve};
use super::{Build, ComposeFile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The names of a base file, the first first. Source: Compose (`compose-go`, `DefaultFileNames`).
const BASES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];
/// The names of an override file, the first first.
const OVERRIDES: &[&str] = &[
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];
/// How deep `include` and `extends` may go.
const DEPTH: usize = 32;
/// How many times one project may take in a file, so that includes that multiply come to an end.
const FILES: usize = 2_000;
/// How many times one project may take in a service by `extends`.
const SERVICES: usize = 100_000;

/// A project: its services with what each value of them comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeProject {
    /// The folder that its paths are relative to.
    pub folder: String,
    /// The files that were read, in order, included and extended ones too.
    pub files: Vec<String>,
    /// `name`.
    pub name: Option<Text>,
    /// The services, merged.
    pub services: Vec<Service>,
    /// Volumes at the top.
    pub volumes: Vec<Resource>,
    /// Configs at the top.
    pub configs: Vec<Resource>,
    /// Secrets at the top.
    pub secrets: Vec<Resource>,
    /// Files that are named and were not found.
    pub missing: Vec<String>,
}

/// The files that Compose takes in each folder if none are named: the base file, and the override file if there is one.
pub fn default_files<'p>(paths: impl IntoIterator<Item = &'p str>) -> Vec<Vec<String>> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        folders.entry(folder).or_default().push(name);
    }
    let first = |names: &[&str], wanted: &[&str]| {
        let found = wanted.iter().find(|name| names.contains(name));
        found.map(|name| (*name).to_owned())
    };
    let mut found = Vec::new();
    for (folder, names) in folders {
        let Some(base) = first(&names, BASES) else {
            continue;
        };
        let files = [Some(base), first(&names, OVERRIDES)];
        found.push(
            files
                .into_iter()
                .flatten()
                .map(|name| join(folder, &name))
                .collect(),
        );
    }
    found
}

/// Reads a project of the files that `-f` names, in their order. Paths are relative to the first one's folder.
pub fn load<'f>(files: &[String], lookup: &dyn Fn(&str) -> Option<&'f ComposeFile>) -> ComposeProject {
    let folder = files
        .first()
        .and_then(|file| file.rsplit_once('/'))
        .map_or("", |(folder, _)| folder);
    let mut loader = Loader {
        lookup,
        files: Vec::new(),
        missing: Vec::new(),
        files_left: FILES,
        services_left: SERVICES,
    };
    let parts = loader.parts(files, &folder.into(), &mut Vec::new());
    ComposeProject {
        folder: folder.to_owned(),
        files: loader.files,
        missing: loader.missing,
        name: parts.name,
        services: parts.services,
        volumes: parts.volumes,
        configs: parts.configs,
        secrets: parts.secrets,
    }
}

/// The context's folder relative to the checked folder, as [`resolve`] says; the project's folder where none is named.
pub fn context_of(build: &Build) -> Option<String> {
    match (&build.context, &build.place) {
        (Some(context), _) => resolve(&context.place.folder, &context.value),
        (None, Some(place)) => Some(place.folder.to_string()),
        (None, None) => None,
    }
}

/// The Dockerfile relative to the checked folder; nothing if it is not a file of it.
pub fn dockerfile_of(build: &Build) -> Option<String> {
    if build.dockerfile_inline.is_some() {
        return None;
    }
    let context = context_of(build)?;
    match &build.dockerfile {
        Some(dockerfile) => resolve(&context, &dockerfile.value),
        None => Some(join(&context, "Dockerfile")),
    }
}

#[derive(Default)]
struct Parts {
    name: Option<Text>,
    services: Vec<Service>,
    volumes: Vec<Resource>,
    configs: Vec<Resource>,
    secrets: Vec<Resource>,
}

struct Loader<'l, 'f> {
    lookup: &'l dyn Fn(&str) -> Option<&'f ComposeFile>,
    files: Vec<String>,
    missing: Vec<String>,
    files_left: usize,
    services_left: usize,
}

impl<'f> Loader<'_, 'f> {
    fn file(&mut self, path: &str) -> Option<&'f ComposeFile> {
        self.files_left = self.files_left.checked_sub(1)?;
        let file = (self.lookup)(path);
        let list = match file {
            Some(_) => &mut self.files,
            None => &mut self.missing,
        };
        if !list.iter().any(|known| known == path) {
            list.push(path.to_owned());
        }
        file
    }

    /// Reads files one over the other. `open` are the files that are being included.
    fn parts(&mut self, files: &[String], folder: &Arc<str>, open: &mut Vec<String>) -> Parts {
        let mut parts = Parts::default();
        for path in files {
            if open.len() >= DEPTH || open.contains(path) {
                continue;
            }
            let Some(file) = self.file(path) else { continue };
            open.push(path.clone());
            let mut included = Parts::default();
            for include in &file.include {
                let resolved = |text: &Text| resolve(folder, &text.value);
                let paths: Vec<String> = include.paths.iter().filter_map(resolved).collect();
                let own = paths.first().map(|path| folder_of(path).to_owned());
                let below = include.project_directory.as_ref().and_then(resolved).or(own);
                let more = self.parts(&paths, &below.unwrap_or_default().into(), open);
                included = over(included, more);
            }
            open.pop();
            // What a file includes is below what it says itself.
            parts = over(included, parts);
            let mut services = Vec::new();
            for service in &file.services {
                let extended = self.extended(file, service, folder, &mut Vec::new());
                services.push(extended);
            }
            let own = Parts {
                name: file.name.clone(),
                services,
                volumes: file.volumes.clone(),
                configs: file.configs.clone(),
                secrets: file.secrets.clone(),
            };
            parts = over(parts, own);
        }
        parts
    }

    /// A service laid over those that it extends.
    fn extended(
        &mut self,
        file: &'f ComposeFile,
        service: &'f Service,
        folder: &Arc<str>,
        open: &mut Vec<(String, String)>,
    ) -> Service {
        let mut own = service.clone();
        set_folder(&mut own, folder);
        let Some(extends) = &service.extends else {
            return own;
        };
        let here = (file.path().to_owned(), service.name.clone());
        if open.len() >= DEPTH || open.contains(&here) {
            return own;
        }
        open.push(here);
        let below = self.extended_service(file, extends, folder, open);
        open.pop();
        match below {
            Some(mut below) => {
                let (extends, is_reset) = (own.extends.clone(), own.is_reset);
                let clears = own.clears.clone();
                below.name.clone_from(&own.name);
                let mut merged = merge(below, own);
                (merged.extends, merged.is_reset, merged.clears) = (extends, is_reset, clears);
                merged
            }
            None => own,
        }
    }

    fn extended_service(
        &mut self,
        file: &'f ComposeFile,
        extends: &Extends,
        folder: &Arc<str>,
        open: &mut Vec<(String, String)>,
    ) -> Option<Service> {
        let (other, below): (&'f ComposeFile, Arc<str>) = match &extends.file {
            None => (file, folder.clone()),
            Some(path) => {
                let path = resolve(folder, &path.value)?;
                let below: Arc<str> = folder_of(&path).into();
                (self.file(&path)?, below)
            }
        };
        self.services_left = self.services_left.checked_sub(1)?;
        let service = other.service(&extends.service)?;
        Some(self.extended(other, service, &below, open))
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn over(base: Parts, over: Parts) -> Parts {
    let mut services = base.services;
    for service in over.services {
        match services.iter().position(|known| known.name == service.name) {
            Some(at) if service.is_reset => {
                services.remove(at);
            }
            Some(at) => {
                let base = services[at].clone();
                services[at] = merge(base, service);
            }
            None if service.is_reset => {}
            None => services.push(service),
        }
    }
    Parts {
        name: over.name.or(base.name),
        services,
        volumes: resources(base.volumes, over.volumes),
        configs: resources(base.configs, over.configs),
        secrets: resources(base.secrets, over.secrets),
    }
}

fn resources(mut base: Vec<Resource>, over: Vec<Resource>) -> Vec<Resource> {
    for resource in over {
        match base.iter_mut().find(|known| known.name == resource.name) {
            Some(known) => *known = resource,
            None => base.push(resource),
        }
    }
    base
}
