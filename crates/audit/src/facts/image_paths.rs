//! Which paths of an image its Dockerfile fills, and which it declares to be volumes: for rules that ask whether a mount
//! hides what was built.
//!
//! Of the stage that is built and of those that it is based on, in the order in which they are made. A path that depends on
//! what no file says (a variable without a value, the working folder of an unknown base) is left out.

mod run;
mod scope;
#[cfg(test)]
mod tests;

use crate::{Content, FileId, Project, ScriptPlace, Span};
use scope::StageScope;
use std::collections::BTreeSet;
use std::ops::Bound;
use unstale_dockerfile::{CopyArguments, Dockerfile, Instruction, Stage, base_chain};

/// What a Dockerfile puts where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImagePaths {
    /// What is filled, in order.
    pub filled: Vec<Filled>,
    /// `VOLUME`s.
    pub volumes: Vec<DeclaredVolume>,
    /// The working folder of the container; none if it is not known.
    pub workdir: Option<String>,
    /// The last `ENTRYPOINT`, as written.
    pub entrypoint: Option<String>,
    /// The last `CMD`, as written.
    pub command: Option<String>,
}

/// A path that is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Absolute, without a slash at its end.
    pub path: String,
    /// With what.
    pub content: Filling,
    /// The instruction's index in the Dockerfile.
    pub instruction: usize,
    /// The instruction.
    pub span: Span,
}

/// What a path is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filling {
    /// What is in a folder of the context: the folder, relative to the checked folder.
    Folder(String),
    /// A file of the context, relative to the checked folder, or the text of a heredoc.
    File(Option<String>),
    /// Files of the context that a pattern names, somewhere below the path.
    Pattern,
    /// Something of another stage or image, or of the context that is not there: a file or a folder.
    Other,
    /// A repository that a `RUN` clones.
    Clone,
    /// Dependencies that a `RUN` installs; the command that does.
    Install(String),
    /// What a `RUN` builds; the command that does. It is not sure that it is this path.
    Output(String),
}

/// A path that is declared to be a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredVolume {
    /// Absolute, without a slash at its end.
    pub path: String,
    /// The instruction; of a base image, its name.
    pub span: Span,
    /// The base image that declares it, if it is not the Dockerfile.
    pub base: Option<String>,
}

/// What the image of a Dockerfile has where. `context` is the folder of the build, relative to the checked folder; `target`
/// is the stage, the last one if none is named. Nothing if there is no such stage.
pub fn image_paths(
    project: &Project,
    dockerfile: FileId,
    context: Option<&str>,
    target: Option<&str>,
) -> Option<ImagePaths> {
    let Content::Dockerfile(parsed) = &project.file(dockerfile).content else {
        return None;
    };
    let stages = parsed.stages();
    let last = match target {
        None => stages.last(),
        Some(target) => {
            let named = stages
                .iter()
                .rfind(|stage| stage.name.as_deref() == Some(target.to_lowercase().as_str()));
            named.or_else(|| stages.get(target.parse::<usize>().ok()?))
        }
    }?;
    let reader = Reader {
        project,
        file: dockerfile,
        dockerfile: parsed,
        stages: &stages,
        context,
    };
    Some(reader.stage(last))
}

/// A path of an image with `.` and `..` taken off, without a slash at its end; the root is `/`. [`None`] for what is not
/// absolute or of Windows.
pub fn clean(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains(['\\', '$', '\n']) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// A path that may start from a folder.
fn within(folder: Option<&str>, path: &str) -> Option<String> {
    match path.starts_with('/') {
        true => clean(path),
        false => clean(&format!("{}/{path}", folder?)),
    }
}

/// What comes behind `folder` in a path that lies below it; empty for the folder itself.
pub fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest),
        None => rest.is_empty().then_some(""),
    }
}

impl ImagePaths {
    /// What a mount at a path hides as a whole.
    pub fn hidden_by<'a>(&'a self, mount: &'a str) -> impl Iterator<Item = &'a Filled> {
        self.filled
            .iter()
            .filter(move |filled| below(&filled.path, mount).is_some())
    }

    /// The files of the context that a mount at a path hides and that were copied with a folder above it, relative to the
    /// checked folder, and the copy. What the ignore file leaves out is not among them.
    pub fn parts_hidden_by<'a>(
        &'a self,
        project: &'a Project,
        ignored: &dyn Fn(&str) -> bool,
        mount: &str,
    ) -> Vec<(&'a Filled, &'a str)> {
        let mut found = Vec::new();
        for filled in &self.filled {
            let Filling::Folder(folder) = &filled.content else {
                continue;
            };
            let Some(inner) = below(mount, &filled.path).filter(|inner| !inner.is_empty()) else {
                continue;
            };
            let prefix = match folder.as_str() {
                "" => format!("{inner}/"),
                folder => format!("{folder}/{inner}/"),
            };
            let files = files_below(&project.tree().files, &prefix);
            found.extend(files.filter(|path| !ignored(path)).map(|path| (filled, path)));
        }
        found
    }
}

/// The paths that begin with `prefix`.
pub fn files_below<'a>(files: &'a BTreeSet<String>, prefix: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let own = prefix.to_owned();
    files
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .map(String::as_str)
        .take_while(move |path| path.starts_with(&own))
}

struct Reader<'a> {
    project: &'a Project,
    file: FileId,
    dockerfile: &'a Dockerfile,
    stages: &'a [Stage],
    context: Option<&'a str>,
}

impl Reader<'_> {
    fn stage(&self, last: &Stage) -> ImagePaths {
        let chain: Vec<&Stage> = base_chain(self.stages, last.index).collect();
        let base = chain.last().map_or("", |first| first.resolved_base.as_str());
        let mut scope = StageScope::new(self.dockerfile, base);
        let mut paths = ImagePaths::default();
        paths
            .volumes
            .extend(chain.last().into_iter().flat_map(|first| volumes_of_base(first)));
        for stage in chain.into_iter().rev() {
            scope.enter();
            for index in stage.instructions.clone().skip(1) {
                let Some(instruction) = self.dockerfile.instructions.get(index) else {
                    continue;
                };
                match instruction.keyword.as_str() {
                    "COPY" | "ADD" => self.copy(index, instruction, &scope, &mut paths),
                    "RUN" => run::filled(
                        self.project.file(self.file),
                        index,
                        instruction,
                        &scope,
                        &mut paths.filled,
                    ),
                    "ENTRYPOINT" => paths.entrypoint = Some(instruction.args.clone()),
                    "CMD" => paths.command = Some(instruction.args.clone()),
                    "VOLUME" => volumes(instruction, &scope, &mut paths),
                    _ => scope.apply(instruction),
                }
            }
        }
        paths.workdir = scope.workdir().map(str::to_owned);
        paths
    }

    fn copy(&self, index: usize, instruction: &Instruction, scope: &StageScope<'_>, paths: &mut ImagePaths) {
        let Some(arguments) = instruction.copy_arguments() else {
            return;
        };
        let Some(written) = scope.expand(instruction, &arguments.destination, arguments.destination_span)
        else {
            return;
        };
        let Some(destination) = scope.absolute(&written) else {
            return;
        };
        let is_folder =
            written.ends_with('/') || matches!(written.as_str(), "." | "..") || arguments.sources.len() > 1;
        let mut add = |path: String, content: Filling| {
            paths.filled.push(Filled {
                path,
                content,
                instruction: index,
                span: instruction.span,
            });
        };
        let from_elsewhere = instruction
            .flags
            .iter()
            .any(|flag| flag.name == "from" || flag.name == "parents");
        let stage = instruction.flag("from").and_then(|name| self.named(name));
        for (source, content) in self.sources(instruction, &arguments, scope, from_elsewhere) {
            if stage.is_some_and(|stage| self.is_empty_folder(stage, &source)) {
                continue;
            }
            let name = source
                .rsplit('/')
                .find(|part| !part.is_empty())
                .unwrap_or_default();
            let is_file = matches!(content, Filling::File(_));
            match is_folder && is_file && !name.is_empty() {
                true => add(format!("{}/{name}", destination.trim_end_matches('/')), content),
                false => add(destination.clone(), content),
            }
        }
    }

    fn named(&self, name: &str) -> Option<&Stage> {
        let name = name.to_lowercase();
        self.stages
            .iter()
            .rfind(|stage| stage.name.as_ref() == Some(&name))
    }

    /// Whether a stage makes a folder and puts nothing into it: `mkdir` names it, and nothing else.
    fn is_empty_folder(&self, stage: &Stage, path: &str) -> bool {
        let Some(path) = clean(path) else {
            return false;
        };
        let mut is_made = false;
        // Built on itself last: a stage's working folder is that of the one that it is based on.
        let chain: Vec<&Stage> = base_chain(self.stages, stage.index).collect();
        let mut workdir: Option<String> = None;
        for stage in chain.into_iter().rev() {
            for index in stage.instructions.clone().skip(1) {
                let Some(instruction) = self.dockerfile.instructions.get(index) else {
                    continue;
                };
                if instruction.keyword == "RUN" {
                    let own = self.project.file(self.file).scripts.iter();
                    let own = own.filter(|script| script.place == ScriptPlace::Run(index));
                    let commands = own.flat_map(|script| script.script.commands());
                    for command in
                        commands.filter(|command| command.words.iter().any(|word| word.text.contains(&path)))
                    {
                        match command.name() {
                            "mkdir" => is_made = true,
                            "chown" | "chmod" => {}
                            _ => return false,
                        }
                    }
                } else if instruction.keyword == "WORKDIR" {
                    workdir = within(workdir.as_deref(), instruction.args.trim());
                } else if let Some(arguments) = instruction.copy_arguments() {
                    let to = within(workdir.as_deref(), &arguments.destination);
                    if to.is_none_or(|to| below(&path, &to).is_some() || below(&to, &path).is_some()) {
                        return false;
                    }
                }
            }
        }
        is_made
    }

    /// What is copied: each source as written, and what it is.
    fn sources(
        &self,
        instruction: &Instruction,
        arguments: &CopyArguments,
        scope: &StageScope<'_>,
        from_elsewhere: bool,
    ) -> Vec<(String, Filling)> {
        let mut all = Vec::new();
        for source in &arguments.sources {
            if source.heredoc {
                let name = source
                    .text
                    .trim_start_matches(['<', '-'])
                    .trim_matches(['"', '\'']);
                all.push((name.to_owned(), Filling::File(None)));
                continue;
            }
            let text = scope.expand(instruction, &source.text, source.span);
            let content = match &text {
                Some(text) if !from_elsewhere => self.of_context(text),
                _ => Filling::Other,
            };
            all.push((text.unwrap_or_default(), content));
        }
        all
    }

    fn of_context(&self, source: &str) -> Filling {
        if source.contains("://") || source.starts_with("git@") {
            return Filling::Other;
        }
        if source.contains(['*', '?', '[']) {
            return Filling::Pattern;
        }
        // In a context, a leading slash means the context itself.
        let inner = source.trim_start_matches('/');
        let Some(path) = self.context.and_then(|context| super::resolve(context, inner)) else {
            return Filling::Other;
        };
        let files = &self.project.tree().files;
        if files.contains(&path) {
            return Filling::File(Some(path));
        }
        let is_whole = matches!(inner.trim_end_matches('/'), "" | ".");
        let is_there = is_whole || files_below(files, &format!("{path}/")).next().is_some();
        match is_there {
            true => Filling::Folder(path),
            false => Filling::Other,
        }
    }
}

fn volumes(instruction: &Instruction, scope: &StageScope<'_>, paths: &mut ImagePaths) {
    let words = instruction
        .words
        .iter()
        .map(|word| (word.raw.as_str(), word.span));
    let items = instruction
        .exec
        .iter()
        .flatten()
        .map(|item| (item.value.as_str(), item.span));
    for (text, span) in words.chain(items) {
        // With a slash at its end Compose does not know it again among the container's mounts, and begins with a new volume.
        let path = scope
            .expand(instruction, text, span)
            .filter(|path| !path.ends_with('/'))
            .and_then(|path| clean(&path));
        paths.volumes.extend(path.map(|path| DeclaredVolume {
            path,
            span: instruction.span,
            base: None,
        }));
    }
}

/// The volumes that well-known images declare.
///
/// Source: the images' Dockerfiles.
const BASE_VOLUMES: &[(&str, &str)] = &[
    ("ghost", "/var/lib/ghost/content"),
    ("jenkins/jenkins", "/var/jenkins_home"),
    ("joomla", "/var/www/html"),
    ("mariadb", "/var/lib/mysql"),
    ("mongo", "/data/db"),
    ("mysql", "/var/lib/mysql"),
    ("nextcloud", "/var/www/html"),
    ("redis", "/data"),
    ("wordpress", "/var/www/html"),
];

fn volumes_of_base(first: &Stage) -> impl Iterator<Item = DeclaredVolume> {
    let name = scope::name_of(&first.resolved_base).to_owned();
    let (base, span) = (first.resolved_base.clone(), first.base_span);
    let known = BASE_VOLUMES.iter().filter(move |(image, _)| *image == name);
    known.map(move |(_, path)| DeclaredVolume {
        path: (*path).to_owned(),
        span,
        base: Some(base.clone()),
    })
}
