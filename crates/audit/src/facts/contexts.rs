//! Build contexts: which folder a Dockerfile is built with, which ignore file counts, and what of the tree is sent.

use super::{Build, context_copies, dependency_installs, resolve};
use crate::dockerignore::{IgnoreFile, candidates};
use crate::{Confidence, Content, FileId, Project};
use unstale_dockerfile::Dockerfile;

/// The context that a Dockerfile is built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildContext {
    /// The Dockerfile.
    pub dockerfile: FileId,
    /// The folder, relative to the checked folder; empty for that itself.
    pub folder: String,
    /// How it is known.
    pub origin: ContextOrigin,
    /// The builds that name it, as indexes of [`Facts::builds`](super::Facts::builds).
    pub builds: Vec<usize>,
    /// The ignore file that counts.
    pub ignore: ContextIgnore,
}

/// How a context is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextOrigin {
    /// Nothing says so: it is the folder that the Dockerfile is in.
    Assumed,
    /// What the Dockerfile copies is in that folder.
    Fits,
    /// A build names it.
    Named,
}

/// The ignore file of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextIgnore {
    /// There is none.
    Missing,
    /// There is one.
    File(FileId),
    /// There is one, or something like one, that was not read.
    Unread,
}

impl BuildContext {
    /// How sure what follows from the context is.
    pub fn confidence(&self) -> Confidence {
        match self.origin {
            ContextOrigin::Named => Confidence::High,
            ContextOrigin::Fits => Confidence::Medium,
            ContextOrigin::Assumed => Confidence::Low,
        }
    }

    /// The ignore file.
    pub fn ignore_file<'p>(&self, project: &'p Project) -> Option<&'p IgnoreFile> {
        match self.ignore {
            ContextIgnore::File(id) => match &project.file(id).content {
                Content::Ignore(file) => Some(file),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a path of the context, relative to it, is kept from the build.
    pub fn ignores(&self, project: &Project, path: &str, is_folder: bool) -> bool {
        let file = self.ignore_file(project);
        file.is_some_and(|file| file.ignores(path, is_folder) && !(is_folder && file.enters(path)))
    }

    /// A path of the checked folder for one of the context.
    pub fn join(&self, path: &str) -> String {
        match (self.folder.as_str(), path) {
            ("", path) => path.to_owned(),
            (folder, "") => folder.to_owned(),
            (folder, path) => format!("{folder}/{path}"),
        }
    }

    /// The files below a folder of the context that git would keep, ignored ones too, relative to the context.
    pub fn files_below<'p>(
        &self,
        project: &'p Project,
        path: &str,
    ) -> impl Iterator<Item = &'p str> + use<'p> {
        let cut = if self.folder.is_empty() {
            0
        } else {
            self.folder.len() + 1
        };
        below(&project.tree().files, &self.join(path)).filter_map(move |path| path.get(cut..))
    }

    /// The folders below a folder of the context that hold files, relative to the context.
    pub fn folders_below(&self, project: &Project, path: &str) -> impl Iterator<Item = String> + use<> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut folders = std::collections::BTreeSet::new();
        for file in self.files_below(project, path) {
            let mut folder = file.rsplit_once('/').map(|(folder, _)| folder);
            while let Some(own) =
                folder.filter(|own| own.starts_with(&prefix) && folders.insert((*own).to_owned()))
            {
                folder = own.rsplit_once('/').map(|(above, _)| above);
            }
        }
        folders.into_iter()
    }

    /// The files and folders of the context that git ignores and that are there, relative to the context. What is in
    /// such a folder is not listed.
    pub fn left_behind<'p>(&self, project: &'p Project) -> impl Iterator<Item = &'p str> + use<'p> {
        let cut = if self.folder.is_empty() {
            0
        } else {
            self.folder.len() + 1
        };
        below(&project.tree().ignored, &self.folder).filter_map(move |path| path.get(cut..))
    }

    /// What a path of the context is: whether it is there, and whether it is a folder.
    pub fn kind(&self, project: &Project, path: &str) -> Option<PathKind> {
        let tree = project.tree();
        let whole = self.join(path);
        if tree.files.contains(&whole) {
            return Some(PathKind::File);
        }
        let has_files = self.files_below(project, path).next().is_some();
        (has_files || tree.ignored.contains(&whole)).then_some(PathKind::Folder)
    }
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A file or a link.
    File,
    /// A folder.
    Folder,
}

/// What of a sorted set of paths is below a folder, or below the top for an empty one.
fn below<'p>(
    paths: &'p std::collections::BTreeSet<String>,
    folder: &str,
) -> impl Iterator<Item = &'p str> + use<'p> {
    let prefix = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    paths
        .range(prefix.clone()..)
        .take_while(move |path| path.starts_with(&prefix))
        .map(String::as_str)
}

/// The contexts of all Dockerfiles, in order of the files: those that builds name; for one that no build names, the folder
/// that fits what it copies, or its own.
pub(super) fn of(project: &Project, builds: &[Build]) -> Vec<BuildContext> {
    let mut contexts: Vec<BuildContext> = Vec::new();
    for (id, file, dockerfile) in project.dockerfiles() {
        let first = contexts.len();
        for (index, build) in builds.iter().enumerate() {
            let (Some(folder), true) = (&build.context, build.dockerfile == Some(id)) else {
                continue;
            };
            let known = contexts
                .iter()
                .skip(first)
                .position(|context| context.folder == *folder);
            match known.and_then(|known| contexts.get_mut(first + known)) {
                Some(context) => context.builds.push(index),
                None => contexts.push(context(project, id, folder, ContextOrigin::Named, vec![index])),
            }
        }
        // Of several folders, those in which a copy finds nothing are not built with.
        let own = contexts.split_off(first);
        let has_sources = |context: &BuildContext| has_sources(project, &context.folder, dockerfile);
        let some_fit = own.iter().any(has_sources);
        contexts.extend(
            own.into_iter()
                .filter(|context| !some_fit || has_sources(context)),
        );
        if contexts.len() == first {
            let (folder, origin) = match fitting(project, file.source.folder(), dockerfile, id) {
                // At the top there is no other.
                (folder, ContextOrigin::Assumed) if folder.is_empty() => (folder, ContextOrigin::Fits),
                found => found,
            };
            contexts.push(context(project, id, &folder, origin, Vec::new()));
        }
    }
    contexts
}

fn context(
    project: &Project,
    dockerfile: FileId,
    folder: &str,
    origin: ContextOrigin,
    builds: Vec<usize>,
) -> BuildContext {
    let path = project.file(dockerfile).source.path();
    let mut ignore = ContextIgnore::Missing;
    for candidate in candidates(path, folder) {
        match project.find(&candidate) {
            Some(id) if matches!(project.file(id).content, Content::Ignore(_)) => {
                ignore = ContextIgnore::File(id);
                break;
            }
            found if found.is_some() || project.tree().files.contains(&candidate) => {
                ignore = ContextIgnore::Unread;
                break;
            }
            _ => {}
        }
    }
    // Podman and Buildah take it before `.dockerignore`: which one counts depends on who builds.
    if ignore != ContextIgnore::Unread {
        let other = resolve(folder, ".containerignore");
        if other.is_some_and(|other| project.tree().files.contains(&other)) {
            ignore = ContextIgnore::Unread;
        }
    }
    BuildContext {
        dockerfile,
        folder: folder.to_owned(),
        origin,
        builds,
        ignore,
    }
}

/// Whether a folder has every path that a Dockerfile copies by its name.
fn has_sources(project: &Project, folder: &str, dockerfile: &Dockerfile) -> bool {
    let files = &project.tree().files;
    let copies = context_copies(dockerfile);
    let mut sources = copies
        .iter()
        .flat_map(|copy| &copy.sources)
        .filter(|source| !source.is_pattern());
    sources.all(|source| {
        let path = source.path.as_deref().unwrap_or_default();
        let whole = [folder, path]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("/");
        files.contains(&whole) || below(files, &whole).next().is_some()
    })
}

/// The nearest folder, from the Dockerfile's own upwards, that has what the Dockerfile copies, or what its installs read.
fn fitting(project: &Project, own: &str, dockerfile: &Dockerfile, id: FileId) -> (String, ContextOrigin) {
    let copies = context_copies(dockerfile);
    let mut wanted: Vec<String> = copies
        .iter()
        .flat_map(|copy| &copy.sources)
        .filter(|source| !source.is_pattern())
        .filter_map(|source| source.path.clone())
        .filter(|path| !path.is_empty())
        .collect();
    let by_copies = !wanted.is_empty();
    if !by_copies && copies.iter().any(|copy| copy.whole().is_some()) {
        let installs = dependency_installs(project, id);
        let first = installs.iter().flat_map(|install| install.manifests.first());
        wanted.extend(first.cloned());
        wanted.truncate(1);
    }
    if wanted.is_empty() {
        return (own.to_owned(), ContextOrigin::Assumed);
    }
    let mut folder = own;
    loop {
        let has = |path: &String| {
            let whole = match folder {
                "" => path.clone(),
                folder => format!("{folder}/{path}"),
            };
            let files = &project.tree().files;
            files.contains(&whole) || below(files, &whole).next().is_some()
        };
        if wanted.iter().all(has) {
            // A manifest alone may be that of one part of a larger project, which has one at its top.
            let origin = match by_copies || !has_above(project, folder, &wanted) {
                true => ContextOrigin::Fits,
                false => ContextOrigin::Assumed,
            };
            return (folder.to_owned(), origin);
        }
        match folder.rsplit_once('/') {
            Some((parent, _)) => folder = parent,
            None if folder.is_empty() => return (own.to_owned(), ContextOrigin::Assumed),
            None => folder = "",
        }
    }
}

/// Whether a folder above has files of these names too.
fn has_above(project: &Project, folder: &str, names: &[String]) -> bool {
    let mut folder = folder;
    while !folder.is_empty() {
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        let path = |name: &String| match folder {
            "" => name.clone(),
            folder => format!("{folder}/{name}"),
        };
        if names
            .iter()
            .all(|name| project.tree().files.contains(&path(name)))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> Project {
        Project::of_texts(files.iter().copied())
    }

    #[test]
    fn a_context_is_named_or_fits_or_is_assumed() {
        let project = project(&[
            (
                "compose.yaml",
                "services:\n  a:\n    build:\n      context: .\n      dockerfile: a/Dockerfile\n",
            ),
            ("a/Dockerfile", "FROM x\nCOPY . .\n"),
            ("a/Dockerfile.dockerignore", "*.md\n"),
            ("docker/b/Dockerfile", "FROM x\nCOPY src /src\n"),
            ("docker/b/x.md", ""),
            (".dockerignore", "src/t\n"),
            ("src/t/y", ""),
            ("src/z", ""),
            ("c/Dockerfile", "FROM x\nCOPY . .\nRUN npm ci\n"),
        ]);
        let shown: Vec<String> = project
            .facts()
            .contexts
            .iter()
            .map(|context| {
                let path = project.file(context.dockerfile).source.path();
                let ignore = match context.ignore {
                    ContextIgnore::File(id) => project.file(id).source.path(),
                    _ => "-",
                };
                format!("{path} in {:?} {:?} {ignore}", context.folder, context.origin)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a/Dockerfile in \"\" Named a/Dockerfile.dockerignore",
                "docker/b/Dockerfile in \"\" Fits .dockerignore",
                "c/Dockerfile in \"c\" Assumed -",
            ]
        );
        let fits = &project.facts().contexts[1];
        assert!(fits.ignores(&project, "src/t", true) && !fits.ignores(&project, "src", true));
        assert_eq!(
            fits.files_below(&project, "src").collect::<Vec<_>>(),
            ["src/t/y", "src/z"]
        );
        assert_eq!(fits.kind(&project, "src"), Some(PathKind::Folder));
        assert_eq!(fits.kind(&project, "none"), None);
    }
}
