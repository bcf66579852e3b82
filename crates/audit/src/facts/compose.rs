//! Compose projects: which files go together.

use crate::compose::project::{ComposeProject, default_files, load};
use crate::compose::{ComposeFile, Service};
use crate::{Content, Project};
use std::collections::BTreeSet;

/// The projects that the Compose files make: in each folder the base file with its override, and each other file alone, or
/// upon the base file if it only adds to services.
pub(super) fn projects(project: &Project) -> Vec<ComposeProject> {
    let all: Vec<(&str, &ComposeFile)> = project
        .files()
        .filter_map(|(_, file)| match &file.content {
            Content::Compose(compose) => Some((file.source.path(), compose)),
            _ => None,
        })
        .collect();
    let lookup = |path: &str| project.compose_file(path);
    let defaults = default_files(all.iter().map(|(path, _)| *path));
    let mut projects: Vec<ComposeProject> = defaults.iter().map(|files| load(files, &lookup)).collect();
    let mut used: BTreeSet<String> = projects
        .iter()
        .flat_map(|project| project.files.clone())
        .collect();
    let folder_of = |path: &str| {
        path.rsplit_once('/')
            .map_or(String::new(), |(folder, _)| folder.to_owned())
    };
    for (path, file) in all {
        if used.contains(path) {
            continue;
        }
        let base = defaults
            .iter()
            .filter_map(|files| files.first())
            .find(|base| folder_of(base) == folder_of(path));
        let files: Vec<String> = match base {
            Some(base) if is_addition(file) => vec![base.clone(), path.to_owned()],
            _ => vec![path.to_owned()],
        };
        let loaded = load(&files, &lookup);
        used.extend(loaded.files.iter().cloned());
        projects.push(loaded);
    }
    projects
}

/// Whether some service of a file has neither an image nor a build: it is made for another file.
fn is_addition(file: &ComposeFile) -> bool {
    let is_partial =
        |service: &Service| service.image.is_none() && service.build.is_none() && service.extends.is_none();
    file.services.iter().any(is_partial)
}
