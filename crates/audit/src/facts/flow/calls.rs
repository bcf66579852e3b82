//! Which script, and which target of a Makefile, a command runs.

use super::folder;
use crate::shell::Command;
use crate::{Content, FileId, FileKind, Project};

/// What a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Called {
    /// A script as a program of its own.
    Script(FileId),
    /// A script in the same shell: `source`.
    Sourced(FileId),
    /// Targets of a Makefile, as indexes of its recipes.
    Targets(FileId, Vec<usize>),
}

/// What a command runs, if the project has it. `known` is the folder that it runs in.
pub(super) fn called(
    project: &Project,
    own_file: FileId,
    command: &Command,
    known: Option<&str>,
) -> Option<Called> {
    let own = project.file(own_file).source.folder();
    let arguments = command.arguments();
    let first = command.words.first()?.text.as_str();
    let script = |text: &str| -> Option<FileId> {
        let paths = folder::paths(text, known, own);
        paths.iter().find_map(|path| {
            let id = project.find(path)?;
            (project.file(id).kind == FileKind::Script).then_some(id)
        })
    };
    match command.name() {
        "source" | "." if first == command.name() => {
            return script(&arguments.first()?.text).map(Called::Sourced);
        }
        "bash" | "sh" | "dash" | "zsh" | "ash" | "ksh" => {
            let mut words = arguments.iter();
            while let Some(word) = words.next() {
                let text = word.text.as_str();
                if !text.starts_with(['-', '+']) {
                    return script(text).map(Called::Script);
                }
                if !text.starts_with("--") && text.contains(['c', 's']) {
                    return None;
                }
                if text.ends_with(['o', 'O']) {
                    words.next();
                }
            }
            return None;
        }
        "make" | "gmake" => return targets(project, own_file, command, known),
        _ => {}
    }
    // `$(MAKE)` of a recipe.
    if first == "${MAKE}" || first == "$MAKE" {
        return targets(project, own_file, command, known);
    }
    first
        .contains('/')
        .then(|| script(first))
        .flatten()
        .map(Called::Script)
}

fn targets(project: &Project, own_file: FileId, command: &Command, known: Option<&str>) -> Option<Called> {
    let own = &project.file(own_file).source;
    let mut folder = known.map(str::to_owned);
    let mut file = None;
    let mut names = Vec::new();
    let mut words = command.arguments().iter().map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        match word {
            "-C" | "--directory" => folder = crate::facts::resolve(known.unwrap_or_default(), words.next()?),
            "-f" | "--file" | "--makefile" => file = words.next(),
            "-j" | "-k" | "-s" | "-B" | "-n" => {}
            option if option.starts_with('-') => {
                if let Some(path) = option.strip_prefix("--directory=").or(option.strip_prefix("-C")) {
                    folder = crate::facts::resolve(known.unwrap_or_default(), path);
                }
            }
            text if text.contains('=') => {}
            text => names.push(text),
        }
    }
    let folders = folder::candidates(folder.as_deref(), own.folder());
    let found = folders.iter().find_map(|folder| match file {
        Some(file) => project.find(&crate::facts::resolve(folder, file)?),
        None => ["GNUmakefile", "makefile", "Makefile"]
            .iter()
            .find_map(|name| project.find(&crate::facts::resolve(folder, name)?)),
    });
    let id = found?;
    let Content::Makefile(makefile) = &project.file(id).content else {
        return None;
    };
    if names.is_empty() {
        let first = makefile.recipes.iter().position(|recipe| {
            recipe
                .targets
                .first()
                .is_some_and(|target| !target.starts_with('.') && !target.contains('%'))
        })?;
        return Some(Called::Targets(id, vec![first]));
    }
    let recipes = &makefile.recipes;
    let of_name = |name: &&str| {
        recipes
            .iter()
            .position(|recipe| recipe.targets.iter().any(|target| target == name))
    };
    let indexes: Vec<usize> = names.iter().filter_map(of_name).collect();
    (!indexes.is_empty()).then_some(Called::Targets(id, indexes))
}
