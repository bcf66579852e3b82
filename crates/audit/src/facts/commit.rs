//! Arguments that carry the commit which is built: where Dockerfiles declare and use them, and which builds give them.

mod given;

pub use given::{Given, given};

use crate::shell::{Command, PartKind};
use crate::{Content, FileId, Project, ScriptPlace, Span};
use std::collections::BTreeMap;
use unstale_dockerfile::{Declaration, DeclarationKind, Dockerfile, Scope};

/// The name that is the default of `[commit] arg`.
pub const DEFAULT_COMMIT_ARG: &str = "GIT_COMMIT_HASH";

/// Names that carry the commit of what is built, as projects use them.
const NAMES: &[&str] = &[
    "BUILD_COMMIT",
    "BUILD_GIT_HASH",
    "BUILD_GIT_SHA",
    "BUILD_REVISION",
    "BUILD_SHA",
    "BUILD_VCS_REF",
    "CI_COMMIT_SHA",
    "CI_COMMIT_SHORT_SHA",
    "COMMIT",
    "COMMIT_HASH",
    "COMMIT_ID",
    "COMMIT_REF",
    "COMMIT_SHA",
    "COMMITHASH",
    "COMMITSHA",
    "COMMIT_SHORT_SHA",
    "CURRENT_COMMIT",
    "GITCOMMIT",
    "GITHASH",
    "GITHUB_SHA",
    "GITSHA",
    "GIT_COMMIT",
    "GIT_COMMIT_HASH",
    "GIT_COMMIT_ID",
    "GIT_COMMIT_SHA",
    "GIT_COMMIT_SHORT",
    "GIT_HASH",
    "GIT_HEAD",
    "GIT_REV",
    "GIT_REVISION",
    "GIT_SHA",
    "GIT_SHA1",
    "GIT_SHORT_SHA",
    "IMAGE_REVISION",
    "LAST_COMMIT",
    "REVISION",
    "SHORT_SHA",
    "SOURCE_COMMIT",
    "SOURCE_REVISION",
    "VCS_COMMIT",
    "VCS_REF",
    "VCS_REVISION",
    "VCS_SHA",
];

/// What frameworks and projects put before such a name.
const PREFIXES: &[&str] = &[
    "NEXT_PUBLIC_",
    "REACT_APP_",
    "VITE_",
    "VUE_APP_",
    "NUXT_",
    "PUBLIC_",
    "APP_",
    "IMAGE_",
    "DOCKER_",
];

/// Defaults that stand for no commit.
const PLACEHOLDERS: &[&str] = &[
    "",
    "unknown",
    "none",
    "null",
    "nil",
    "na",
    "n/a",
    "undefined",
    "unset",
    "unspecified",
    "not-set",
    "dev",
    "develop",
    "development",
    "local",
    "dirty",
    "head",
    "latest",
    "snapshot",
    "0",
    "test",
    "-",
    "empty",
    "default",
    "unversioned",
    "0000000",
    "0000000000000000000000000000000000000000",
    "git-commit",
    "commit",
    "sha",
    "hash",
];

/// An argument of a Dockerfile that carries the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitArg {
    /// The Dockerfile.
    pub dockerfile: FileId,
    /// Its name.
    pub name: String,
    /// Its declarations, in order: not empty.
    pub declarations: Vec<Declaration>,
    /// Where it is used, in order.
    pub uses: Vec<CommitUse>,
}

/// An instruction that uses the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitUse {
    /// The instruction's index in the file.
    pub instruction: usize,
    /// Where the name stands.
    pub span: Span,
}

impl Project {
    /// Whether a name is one that carries the commit of what is built: the project's own, or one that is common.
    pub fn is_commit_name(&self, name: &str) -> bool {
        if name == self.commit_arg() {
            return true;
        }
        let upper = name.to_ascii_uppercase();
        let bare = PREFIXES.iter().find_map(|prefix| upper.strip_prefix(prefix));
        NAMES.contains(&upper.as_str()) || bare.is_some_and(|bare| NAMES.contains(&bare))
    }
}

/// The arguments of a Dockerfile that carry the commit, by name. One that decides what is fetched from elsewhere carries
/// somebody else's commit, as one does whose default is a commit.
pub fn commit_args(project: &Project, id: FileId) -> Vec<CommitArg> {
    let Content::Dockerfile(dockerfile) = &project.file(id).content else {
        return Vec::new();
    };
    let mut declared: BTreeMap<String, Vec<Declaration>> = BTreeMap::new();
    for declaration in dockerfile.declarations() {
        if declaration.kind == DeclarationKind::Arg && project.is_commit_name(&declaration.name) {
            declared
                .entry(declaration.name.clone())
                .or_default()
                .push(declaration);
        }
    }
    let mut found: Vec<CommitArg> = declared
        .into_iter()
        .filter(|(_, declarations)| declarations.iter().all(has_placeholder))
        .filter(|(name, _)| !selects_what_is_fetched(project, id, name))
        .map(|(name, declarations)| CommitArg {
            dockerfile: id,
            uses: uses(project, id, dockerfile, &name),
            name,
            declarations,
        })
        .collect();
    found.sort_by_key(|arg| arg.declarations.first().map(|first| first.instruction));
    found
}

/// Whether an argument's default is no commit: none, `unknown`, another argument.
fn has_placeholder(declaration: &Declaration) -> bool {
    let Some(value) = &declaration.value else {
        return true;
    };
    let text = value.raw.trim_matches(['"', '\'']).to_ascii_lowercase();
    text.contains('$') || text.starts_with(['<', '[', '(']) || PLACEHOLDERS.contains(&text.as_str())
}

/// Whether a `RUN` fetches what the argument says: `git checkout $COMMIT`, `curl …/$COMMIT.tar.gz`.
fn selects_what_is_fetched(project: &Project, id: FileId, name: &str) -> bool {
    let scripts = project.file(id).scripts.iter();
    scripts
        .filter(|script| matches!(script.place, ScriptPlace::Run(_)))
        .flat_map(|script| script.script.commands())
        .any(|command| {
            let by_any = fetches(command);
            command.written.iter().any(|word| {
                let is_address = word.text.contains("://") || word.text.contains('@');
                (by_any || is_address) && uses_variable(word, name)
            })
        })
}

fn fetches(command: &Command) -> bool {
    let verb = command
        .arguments()
        .iter()
        .find(|word| !word.text.starts_with('-'))
        .map(|word| word.text.as_str());
    match command.name() {
        "curl" | "wget" | "aria2c" | "svn" | "hg" => true,
        "git" => {
            matches!(
                verb,
                Some(
                    "clone"
                        | "checkout"
                        | "fetch"
                        | "reset"
                        | "pull"
                        | "switch"
                        | "submodule"
                        | "cherry-pick"
                        | "merge"
                )
            ) || command
                .arguments()
                .iter()
                .any(|word| matches!(word.text.as_str(), "checkout" | "fetch" | "clone" | "reset"))
        }
        _ => false,
    }
}

fn uses_variable(word: &crate::shell::Word, name: &str) -> bool {
    word.parts.iter().any(|part| match &part.kind {
        PartKind::Variable { name: used, .. } => used == name,
        _ => false,
    })
}

/// Where a Dockerfile uses a name: where the engine expands it, and where a `RUN`, `CMD` or the like has it in its text.
fn uses(project: &Project, id: FileId, dockerfile: &Dockerfile, name: &str) -> Vec<CommitUse> {
    let text = project.file(id).source.text();
    let mut uses = Vec::new();
    for (index, instruction) in dockerfile.instructions.iter().enumerate() {
        let mut spans: Vec<Span> = instruction
            .references
            .iter()
            .filter(|reference| reference.name == name)
            .map(|reference| reference.name_span)
            .collect();
        if matches!(
            instruction.keyword.as_str(),
            "RUN" | "ONBUILD" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK" | "SHELL"
        ) {
            spans.extend(words_in(text, instruction.span, name));
        }
        if matches!(instruction.keyword.as_str(), "COPY" | "ADD") {
            let bodies = instruction.heredocs.iter().filter(|heredoc| heredoc.expand);
            spans.extend(bodies.flat_map(|heredoc| words_in(text, heredoc.body, name)));
        }
        spans.sort();
        spans.dedup();
        uses.extend(spans.into_iter().map(|span| CommitUse {
            instruction: index,
            span,
        }));
    }
    uses
}

/// Where a name stands as a word of its own within a part of a text.
fn words_in<'t>(text: &'t str, within: Span, name: &'t str) -> impl Iterator<Item = Span> + use<'t> {
    let part = within.slice(text);
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    part.match_indices(name).filter_map(move |(at, _)| {
        let bytes = part.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let end = at + name.len();
        (!is_word(before) && !is_word(bytes.get(end)))
            .then(|| Span::new(within.start + at, within.start + end))
    })
}

/// Whether a text has a name as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    words_in(text, Span::new(0, text.len()), name).next().is_some()
}

impl CommitArg {
    /// The declarations that count in a stage, and those in stages that it is based on.
    pub fn declarations_in(&self, stage: usize) -> impl Iterator<Item = &Declaration> {
        self.declarations
            .iter()
            .filter(move |declaration| declaration.scope == Scope::Stage(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> Project {
        Project::of_texts(files.iter().copied())
    }

    fn names(dockerfile: &str) -> Vec<String> {
        let project = project(&[("Dockerfile", dockerfile)]);
        commit_args(&project, FileId::default())
            .into_iter()
            .map(|arg| format!("{} {}", arg.name, arg.uses.len()))
            .collect()
    }

    #[test]
    fn what_carries_the_own_commit_is_told_from_what_pins_others() {
        assert_eq!(
            names("FROM x\nARG GIT_COMMIT_HASH=unknown\nRUN echo $GIT_COMMIT_HASH ${GIT_COMMIT_HASH}x\n"),
            ["GIT_COMMIT_HASH 2"]
        );
        assert_eq!(
            names("FROM x\nARG NEXT_PUBLIC_GIT_SHA\nLABEL a=$NEXT_PUBLIC_GIT_SHA\n"),
            ["NEXT_PUBLIC_GIT_SHA 1"]
        );
        assert_eq!(
            names("FROM x\nARG GIT_SHA\nRUN go install -ldflags \"-X m.c=$GIT_SHA\" ./...\n"),
            ["GIT_SHA 1"]
        );
        assert_eq!(names("FROM x\nARG VCS_REF\nRUN echo $VCS_REFS\n"), ["VCS_REF 0"]);
        for other in [
            "FROM x\nARG GIT_COMMIT=8ac3b1f2\n",
            "FROM x\nARG COMMIT=\nRUN git clone u && git checkout $COMMIT\n",
            "FROM x\nARG REVISION\nRUN curl -L https://u/${REVISION}.tgz | tar x\n",
            "FROM x\nARG NGINX_COMMIT\n",
            "FROM x\nARG GIT_SHA\nRUN go install example.com/tool@$GIT_SHA\n",
            "FROM x\nARG COMMIT_MESSAGE\n",
        ] {
            assert_eq!(names(other), [""; 0], "{other}");
        }
    }

    #[test]
    fn an_argument_of_a_compose_command_is_given_to_services() {
        let compose = "services:\n  a:\n    build: .\n";
        let dockerfile = "FROM x\nARG GIT_COMMIT\n";
        let of = |script: &str| {
            let project = project(&[
                ("Dockerfile", dockerfile),
                ("compose.yaml", compose),
                ("build.sh", script),
            ]);
            given(&project, FileId::default(), "GIT_COMMIT")
        };
        assert!(of("docker compose build\n").by_none());
        assert!(!of("docker compose build --build-arg GIT_COMMIT=$(git rev-parse HEAD)\n").by_none());
        assert!(!of("docker compose build $OPTIONS\n").by_none());
        assert!(!of("ARGS=\"--build-arg=GIT_COMMIT=1\"\nbuild_args+=(GIT_COMMIT=1)\n").by_none());
    }
}
