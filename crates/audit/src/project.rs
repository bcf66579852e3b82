//! All that was read: the files, and the paths of the tree that they are in.

use crate::compose::ComposeFile;
use crate::compose::project as compose;
use crate::content::{self, Content, EmbeddedScript, Read};
use crate::facts::{self, Facts, resolve};
use crate::{Confidence, FileKind, PackageManifest, Source, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use unstale_dockerfile::Dockerfile;

/// A file of a [`Project`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(u32);

/// A file that was read.
#[derive(Debug)]
pub struct File {
    /// Its text.
    pub source: Source,
    /// What it is read as.
    pub kind: FileKind,
    /// What it says.
    pub content: Content,
    /// The shell scripts in it.
    pub scripts: Vec<EmbeddedScript>,
    problem: Option<Problem>,
}

/// Why a file cannot be read as what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong there.
    pub message: String,
    /// Whether what reads the file in the end refuses it too.
    pub confidence: Confidence,
}

/// The paths of the folder that is checked, all relative to it.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Every file that git would keep (or that is there, without git), in order.
    pub files: BTreeSet<String>,
    /// Files and folders that git ignores and that are there, without what is in them, in order.
    pub ignored: BTreeSet<String>,
    /// Those of the files that are symbolic links.
    pub links: BTreeSet<String>,
}

/// All that a check looks at.
#[derive(Debug, Clone, Default)]
pub struct Project {
    files: Vec<Arc<File>>,
    by_path: BTreeMap<String, FileId>,
    reported: Option<BTreeSet<FileId>>,
    tree: Arc<Tree>,
    facts: OnceLock<Arc<Facts>>,
    commit_arg: Option<String>,
}

impl File {
    /// Reads a text.
    pub fn read(source: Source, kind: FileKind) -> File {
        let Read {
            content,
            scripts,
            problem,
        } = content::read(&source, kind);
        File {
            source,
            kind,
            content,
            scripts,
            problem,
        }
    }

    /// Why it cannot be read.
    pub fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }
}

impl Project {
    /// A project of these files. Of several with the same path, the first stays.
    pub fn new(files: impl IntoIterator<Item = File>, tree: Tree) -> Project {
        let mut project = Project {
            tree: Arc::new(tree),
            ..Project::default()
        };
        for file in files {
            project.add(file);
        }
        project
    }

    /// Adds a file.
    pub fn add(&mut self, file: File) -> FileId {
        if let Some(known) = self.find(file.source.path()) {
            return known;
        }
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.by_path.insert(file.source.path().to_owned(), id);
        self.files.push(Arc::new(file));
        self.facts = OnceLock::new();
        id
    }

    /// Only findings in these files are reported; the others are read for what they say about these.
    pub fn report_only(&mut self, files: impl IntoIterator<Item = FileId>) {
        self.reported = Some(files.into_iter().collect());
    }

    /// Whether findings in a file are reported.
    pub fn is_reported(&self, id: FileId) -> bool {
        self.reported
            .as_ref()
            .is_none_or(|reported| reported.contains(&id))
    }

    /// The files with their ids, in order.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &File)> {
        self.files
            .iter()
            .zip(0..)
            .map(|(file, index)| (FileId(index), file.as_ref()))
    }

    /// A file.
    ///
    /// # Panics
    /// If the id is of another project.
    pub fn file(&self, id: FileId) -> &File {
        &self.files[id.0 as usize]
    }

    /// The file with a path.
    pub fn find(&self, path: &str) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// What can be said of the project as a whole.
    pub fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| Arc::new(Facts::of(self)))
    }

    /// The Dockerfiles, in order.
    pub fn dockerfiles(&self) -> impl Iterator<Item = (FileId, &File, &Dockerfile)> {
        self.files().filter_map(|(id, file)| match &file.content {
            Content::Dockerfile(dockerfile) => Some((id, file, dockerfile)),
            _ => None,
        })
    }

    /// The manifest of a package manager at a path, if it was read.
    pub fn package(&self, path: &str) -> Option<&PackageManifest> {
        match &self.file(self.find(path)?).content {
            Content::Package(manifest) => Some(manifest),
            _ => None,
        }
    }

    /// The Compose file with a path.
    pub fn compose_file(&self, path: &str) -> Option<&ComposeFile> {
        match &self.file(self.find(path)?).content {
            Content::Compose(compose) => Some(compose),
            _ => None,
        }
    }

    /// The build argument that carries the commit, as the project sets it in `unstale.toml`.
    pub fn commit_arg(&self) -> &str {
        self.commit_arg.as_deref().unwrap_or(facts::DEFAULT_COMMIT_ARG)
    }

    /// Sets the build argument that carries the commit.
    pub fn set_commit_arg(&mut self, name: &str) {
        self.commit_arg = Some(name.to_owned());
    }

    /// The paths of the checked folder.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The files that files of the project name and that are not read yet, by path: Dockerfiles, ignore files, what a Compose
    /// file extends or includes, manifests of packages that a Dockerfile installs. They need not exist.
    pub fn references(&self) -> Vec<(String, FileKind)> {
        let mut wanted = BTreeMap::new();
        for compose in &self.facts().compose {
            for service in &compose.services {
                let dockerfile = service.build.as_ref().and_then(compose::dockerfile_of);
                wanted.extend(dockerfile.map(|path| (path, FileKind::Dockerfile)));
            }
            wanted.extend(
                compose
                    .missing
                    .iter()
                    .map(|path| (path.clone(), FileKind::Compose)),
            );
        }
        for build in &self.facts().builds {
            let Some(context) = &build.context else {
                continue;
            };
            let join = |name: &str| resolve(context, name);
            wanted.extend(join(".dockerignore").map(|path| (path, FileKind::DockerIgnore)));
            if build.dockerfile.is_none() {
                wanted.extend(join("Dockerfile").map(|path| (path, FileKind::Dockerfile)));
            }
        }
        for (_, file, _) in self.dockerfiles() {
            let own = format!("{}.dockerignore", file.source.path());
            wanted.insert(own, FileKind::DockerIgnore);
            wanted.extend(
                resolve(file.source.folder(), ".dockerignore").map(|path| (path, FileKind::DockerIgnore)),
            );
        }
        for context in &self.facts().contexts {
            let manifests = facts::package_manifests(self, context).into_iter();
            wanted.extend(manifests.map(|path| (path, FileKind::Package)));
        }
        wanted
            .into_iter()
            .filter(|(path, _)| self.find(path).is_none() && !path.starts_with(".."))
            .collect()
    }

    /// The project with other texts in some files.
    pub fn with_texts(&self, texts: BTreeMap<FileId, String>) -> Project {
        let mut project = self.clone();
        project.facts = OnceLock::new();
        for (id, text) in texts {
            let old = self.file(id);
            let source = Source::new(old.source.path(), text);
            project.files[id.0 as usize] = Arc::new(File::read(source, old.kind));
        }
        project
    }

    /// Whether a file that can be read could not be any more with another text.
    pub fn would_break(&self, id: FileId, text: &str) -> bool {
        let file = self.file(id);
        file.problem.is_none() && {
            let source = Source::new(file.source.path(), text);
            File::read(source, file.kind).problem.is_some()
        }
    }
}

#[cfg(test)]
impl Project {
    /// A project of these files and no others: paths and texts.
    pub(crate) fn of_texts<P: AsRef<str>, T: Into<String>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Project {
        let texts: Vec<(String, String)> = files
            .into_iter()
            .map(|(path, text)| (path.as_ref().to_owned(), text.into()))
            .collect();
        let tree = Tree {
            files: texts.iter().map(|(path, _)| path.clone()).collect(),
            ..Tree::default()
        };
        let read = |(wanted, kind): (String, FileKind)| {
            let (path, text) = texts.iter().find(|(path, _)| *path == wanted)?;
            Some(File::read(Source::new(path, text.as_str()), kind))
        };
        let known = texts
            .iter()
            .filter_map(|(path, _)| Some((path.clone(), FileKind::of_path(path)?)));
        let mut project = Project::new(known.filter_map(read), tree);
        for named in project.references() {
            if let Some(file) = read(named) {
                project.add(file);
            }
        }
        project
    }
}
