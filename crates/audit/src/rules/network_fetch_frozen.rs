//! A `RUN` that takes something from the network by a name that does not say which version: `git clone` of a branch, a download
//! of `latest` or `master`, a package `@latest`, `pip install git+…` without a tag; and an `apt-get update` in a step of its
//! own.
//!
//! Names with a number, a commit or a variable without a default are no findings, and neither are downloads whose checksum is
//! tested, nor steps after something that changes with each build or with its source: an `ARG` for that purpose, a remote `ADD` (for
//! which BuildKit asks the server at every build).
//!
//! A clone that is all the code a Dockerfile brings is of medium severity, others are of low.
//!
//! Confidence is low in a stage of tests, and for what tests read: an old one may be good enough; behind a copy of code, with
//! whose edits the step runs again; and where an `ARG` must be given another value than its own for the step to take anything.
//!
//! ## Why
//!
//! The cache key of a `RUN` is its text and what lies below it. The network is not in it: the step ran once, and its result is
//! reused until the text changes, however often the branch moves. The build is green, and the code in the image is of the day of
//! the first build on that machine; another machine has that of another day.
//!
//! With `apt-get update` alone in a step, the lists of packages are frozen, and the `apt-get install` of a later step takes
//! packages that may not be on the servers any more. For `apk update` alone the confidence is low: `apk` takes lists again by itself
//! once they are older than four hours, but not in old releases of Alpine.
//!
//! ## Example
//!
//! ```dockerfile
//! FROM debian:12
//! RUN apt-get update && apt-get install -y git
//! RUN git clone https://git.example/shop.git /app
//! ```
//!
//! ## Instead
//!
//! Name the commit or the version; its change is then a change of the step:
//!
//! ```dockerfile
//! FROM debian:12
//! RUN apt-get update && apt-get install -y git
//! ARG SHOP_VERSION=v2.4.1
//! RUN git clone --branch ${SHOP_VERSION} https://git.example/shop.git /app
//! ```
//!
//! ## References
//!
//! - <https://docs.docker.com/build/cache/invalidation/>
//! - <https://docs.docker.com/build/building/best-practices/#apt-get>

mod lists;

use super::Rule;
use crate::facts::{ContextCopy, Fetch, FetchKind, brings_code, checks_content, context_copies, fetch_of, git_verb, is_by_choice, is_named_for_tests, is_of_tests, pins_clone};
use crate::shell::Command;
use crate::{Confidence, EmbeddedScript, FileId, Finding, Project, ScriptPlace, Severity};
use std::collections::BTreeMap;
use unstale_dockerfile::{Declaration, DeclarationKind, Dockerfile, Instruction, Stage, base_chain};

pub(super) const RULE: Rule = Rule::new(
    "network-fetch-frozen",
    "a step that takes what moves from the network, and is cached",
    Severity::Medium,
    check,
);

/// Parts of names of arguments that are given another value so that steps run again.
const BUSTERS: &[&str] = &[
    "BUST",
    "CACHE",
    "COMMIT",
    "REVISION",
    "SHA",
    "VCS_REF",
    "TIMESTAMP",
    "BUILD_DATE",
    "BUILD_ID",
    "BUILD_TIME",
    "NONCE",
    "DATE",
];

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file, dockerfile) in project.dockerfiles() {
        if project.never_reuses(id) {
            continue;
        }
        let runs: Vec<(usize, &EmbeddedScript)> = file
            .scripts
            .iter()
            .filter_map(|script| match script.place {
                ScriptPlace::Run(instruction) => Some((instruction, script)),
                _ => None,
            })
            .collect();
        let declared: Vec<usize> = dockerfile
            .declarations()
            .iter()
            .map(|declaration| declaration.instruction)
            .collect();
        let mut visible = (None, BTreeMap::new());
        for (at, (instruction, script)) in runs.iter().enumerate() {
            if !may_fetch(script) || script.script.commands().iter().any(swallows_a_command) {
                continue;
            }
            let later = runs.get(at + 1..).unwrap_or_default().iter();
            let later = later
                .take_while(|(later, _)| is_same_stage(dockerfile, *instruction, *later))
                .map(|(_, script)| *script);
            // Steps with no declaration and no stage between see the same.
            let before = dockerfile
                .instructions
                .get(visible.0.unwrap_or_default()..*instruction)
                .unwrap_or_default();
            let is_same = visible.0.is_some()
                && before.iter().all(|one| one.keyword != "FROM")
                && declared.partition_point(|at| at < instruction)
                    == declared.partition_point(|at| Some(*at) < visible.0);
            if !is_same {
                visible = (Some(*instruction), dockerfile.visible(*instruction));
            }
            let place = Step {
                project,
                id,
                dockerfile,
                instruction: *instruction,
                visible: &visible.1,
                is_pinned_later: later.clone().any(|script| script.script.commands().iter().any(checks_out)),
                switches: later.chain([*script]).any(|script| script.script.commands().iter().any(switches)),
            };
            place.fetches(script, findings);
        }
        lists::alone(project, id, dockerfile, &runs, findings);
    }
}

/// Whether a step has commands that can take something from the network.
fn may_fetch(script: &EmbeddedScript) -> bool {
    let is_candidate = |name: &str| {
        [
            "git", "curl", "wget", "aria2c", "pip", "pip3", "pipx", "uv", "python", "python3", "npm", "yarn",
            "pnpm", "npx", "bun", "corepack", "go", "cargo",
        ]
        .contains(&name)
    };
    script
        .script
        .commands()
        .iter()
        .any(|command| is_candidate(command.name()))
}

/// Whether an install is given another command, as `&&` is missing before it: the step fails, and nothing is cached.
fn swallows_a_command(command: &Command) -> bool {
    const COMMANDS: &[&str] = &["mkdir", "rm", "cp", "mv", "ln", "cd", "chmod", "chown", "echo"];
    let words = || command.arguments().iter().map(|word| word.text.as_str());
    let installs = matches!(command.name(), "apt-get" | "apt" | "apk" | "dnf" | "yum") && words().any(|word| matches!(word, "install" | "add"));
    let pairs = words().zip(words().skip(1));
    installs && pairs.into_iter().any(|(word, next)| COMMANDS.contains(&word) && next.starts_with(['-', '/', '.']))
}

/// Whether no stage begins between two instructions.
fn is_same_stage(dockerfile: &Dockerfile, first: usize, later: usize) -> bool {
    let between = dockerfile.instructions.get(first..later).unwrap_or_default();
    between.iter().all(|one| one.keyword != "FROM")
}

/// Whether a command brings a clone of an earlier step to a commit or version that it names.
fn checks_out(command: &Command) -> bool {
    matches!(git_verb(command), Some((_, "checkout" | "switch" | "reset"))) && pins_clone(command)
}

/// Whether a command brings a clone to another branch.
fn switches(command: &Command) -> bool {
    matches!(git_verb(command), Some((_, "checkout" | "switch")))
}

/// Whether what is downloaded is an installer that is told which version to install.
fn installs_version(address: &str, command: &Command, text: &str) -> bool {
    let pipeline = command.pipeline.slice(text);
    let rest = pipeline.split_once('|').map_or("", |(_, rest)| rest);
    let bytes = rest.as_bytes();
    let has_number = bytes
        .windows(3)
        .any(|three| three[0].is_ascii_digit() && three[1] == b'.' && three[2].is_ascii_digit());
    address.ends_with(".sh") && (has_number || rest.to_ascii_uppercase().contains("VERSION"))
}

/// A `RUN`, and what it sees.
struct Step<'a> {
    project: &'a Project,
    id: FileId,
    dockerfile: &'a Dockerfile,
    instruction: usize,
    visible: &'a BTreeMap<String, Declaration>,
    /// Whether a later step of the stage brings a clone to what it names.
    is_pinned_later: bool,
    /// Whether it, or a later step of the stage, brings a clone to another branch.
    switches: bool,
}

impl Step<'_> {
    fn fetches(&self, script: &EmbeddedScript, findings: &mut Vec<Finding>) {
        let Step {
            project,
            id,
            dockerfile,
            instruction,
            visible,
            is_pinned_later,
            switches,
        } = *self;
        let commands = script.script.commands();
        let is_busted = visible.iter().any(|(name, declaration)| {
            let name = name.to_ascii_uppercase();
            declaration.kind == DeclarationKind::Arg && BUSTERS.iter().any(|part| name.contains(part))
        });
        if is_busted || follows_remote_add(dockerfile, instruction) {
            return;
        }
        // What a build gives can name a commit.
        let is_given = |name: &str| {
            project
                .facts()
                .builds
                .iter()
                .any(|build| build.arg(name).is_some())
        };
        let value = |name: &str| {
            if is_given(name) {
                return None;
            }
            let word = visible.get(name)?.value.as_ref()?;
            Some(word.raw.trim_matches(['"', '\'']).to_owned())
        };
        let is_pinned = commands.iter().any(pins_clone);
        let is_checked = commands.iter().any(checks_content);
        let text = project.file(id).source.text();
        let has_clone = commands
            .iter()
            .any(|command| command.arguments().iter().any(|word| word.text == "clone"));
        let mut by_kind: BTreeMap<FetchKind, Vec<(&Command, Fetch)>> = BTreeMap::new();
        for command in commands {
            let Some(fetch) = fetch_of(command, &value) else {
                continue;
            };
            let is_fixed = match fetch.kind {
                FetchKind::Clone => is_pinned || is_pinned_later,
                FetchKind::Pull => is_pinned || has_clone,
                FetchKind::Download => is_checked || installs_version(&fetch.what, command, text),
                FetchKind::Package => false,
            };
            if !is_fixed {
                by_kind.entry(fetch.kind).or_default().push((command, fetch));
            }
        }
        for (kind, found) in by_kind {
            let is_data = found.iter().any(|(_, fetch)| fetch.what.contains("://huggingface.co/"));
            let is_all =
                kind == FetchKind::Clone && found.len() == 1 && !is_data && is_only_source(project, id, dockerfile);
            let is_chosen = found.iter().all(|(command, _)| is_by_choice(dockerfile, instruction, command));
            let is_of_tests = is_stage_of_tests(dockerfile, instruction)
                || found.iter().all(|(_, fetch)| is_test_input(&fetch.what) || is_placeholder(&fetch.what));
            let confidence = match is_of_tests || is_chosen || follows_code(project, id, dockerfile, instruction) {
                true => Confidence::Low,
                false => Confidence::Medium,
            };
            let is_all = is_all && !is_of_tests && !is_chosen;
            let finding = of_kind(id, is_all, kind, confidence, &found, text);
            // A tag for the clone would be left again.
            findings.extend(finding.map(|finding| match kind == FetchKind::Clone && switches {
                true => finding.help("let `git checkout` name a tag or commit in the place of a branch"),
                false => finding,
            }));
        }
    }
}

/// Whether code is copied before an instruction, from the context or with what another stage made of it: every edit runs it again.
fn follows_code(project: &Project, id: FileId, dockerfile: &Dockerfile, instruction: usize) -> bool {
    let stages = dockerfile.stages();
    let Some(stage) = stages.iter().find(|stage| stage.instructions.contains(&instruction)) else {
        return false;
    };
    let mut contexts = project.facts().contexts.iter().filter(|context| context.dockerfile == id);
    let Some(context) = contexts.next() else {
        return false;
    };
    let copies = context_copies(dockerfile);
    let is_below = |stage: usize, of: usize| base_chain(&stages, of).any(|base| base.index == stage);
    let brings = |copy: &ContextCopy| brings_code(project, context, copy).is_some();
    // What a stage has at its end is what another one copies.
    let has_code = |other: usize| copies.iter().any(|copy| is_below(copy.stage, other) && brings(copy));
    let index_of = |name: &str| {
        let is_it = |stage: &&Stage| stage.name.as_deref() == Some(name.to_lowercase().as_str()) || stage.index.to_string() == name;
        stages.iter().find(is_it).map(|stage| stage.index)
    };
    let made = |index: usize| {
        let from = dockerfile.instructions.get(index).and_then(Instruction::copy_from);
        from.and_then(|(name, _)| index_of(name)).is_some_and(has_code)
    };
    copies.iter().any(|copy| copy.instruction < instruction && is_below(copy.stage, stage.index) && brings(copy))
        || base_chain(&stages, stage.index).any(|base| base.instructions.clone().any(|index| index < instruction && made(index)))
}

/// Whether an instruction stands in a stage that tests what others make.
fn is_stage_of_tests(dockerfile: &Dockerfile, instruction: usize) -> bool {
    let stages = dockerfile.stages();
    let stage = stages.iter().find(|stage| stage.instructions.contains(&instruction));
    stage.and_then(|stage| stage.name.as_deref()).is_some_and(is_named_for_tests)
}

/// Whether what an address names is there for tests, by its path.
fn is_test_input(address: &str) -> bool {
    let path = address.split_once("://").map_or(address, |(_, rest)| rest);
    path.split_once('/').is_some_and(|(_, path)| is_of_tests(path))
}

/// What to do instead of a download of what moves, and of an installer.
const DOWNLOAD: &str = "name a version in the address, or use `ADD <address>`, for which the builder asks each time";
const INSTALLER: &str =
    "name a version in the address, and tell the installer which version to install, best by an `ARG`, if it takes one";
const LOOKUP: &str = "name the version in the place of the lookup, best by an `ARG`, so that a newer one comes with a commit";

/// Whether an address answers with the number of the newest version.
fn is_lookup(address: &str) -> bool {
    address.contains("://api.github.com/repos/") && address.contains("/releases/latest")
}

/// Whether what is downloaded installs something of another address: a script of that name, or one that a shell is given.
fn is_installer(address: &str, command: &Command, text: &str) -> bool {
    let name = address.rsplit('/').next().unwrap_or(address);
    let is_script = name.ends_with(".sh") && name.contains("install");
    let mut rest = command.pipeline.slice(text).split('|').skip(1);
    is_script || rest.any(|next| next.split_whitespace().any(|word| matches!(word, "sh" | "bash")))
}

/// Whether an owner's name in an address is one to be replaced: `git@github.com:youruser/app.git`.
fn is_placeholder(address: &str) -> bool {
    address.split(['/', ':', '@']).any(|part| part.starts_with("your"))
}

fn of_kind(
    id: FileId,
    is_all: bool,
    kind: FetchKind,
    confidence: Confidence,
    found: &[(&Command, Fetch)],
    text: &str,
) -> Option<Finding> {
    let (command, fetch) = found.first()?;
    let what = &fetch.what;
    let severity = match kind {
        FetchKind::Clone if is_all => Severity::Medium,
        FetchKind::Pull => Severity::Medium,
        _ => Severity::Low,
    };
    let (message, help) = match kind {
        FetchKind::Clone => (
            format!("the clone of `{what}` is cached: its later commits never arrive"),
            "name a tag or commit (`--branch v1.2.3`), or use `ADD <repository>.git#<branch>`, for which the builder asks each time",
        ),
        FetchKind::Pull => (
            "`git pull` is cached: it pulls once, and later commits never arrive".to_owned(),
            "check out a commit that an `ARG` names, or `COPY` the code from the context",
        ),
        FetchKind::Download => (
            format!(
                "the download of `{what}` is cached: what it names moves on, and the image keeps the first"
            ),
            // What an installer fetches is not in its address, and neither is what a lookup finds.
            match () {
                () if is_lookup(what) => LOOKUP,
                () if is_installer(what, command, text) => INSTALLER,
                () => DOWNLOAD,
            },
        ),
        FetchKind::Package => (
            format!("`{what}` is taken once and cached: the image keeps the version of the first build"),
            "name a version, best by an `ARG`",
        ),
    };
    let mut finding = Finding::new(RULE.id, severity, confidence, message, (id, command.span)).help(help);
    for (other, _) in found.iter().skip(1).take(5) {
        finding = finding.also((id, other.span), "cached too");
    }
    Some(finding)
}

/// Whether a remote `ADD` stands before an instruction in its stage: the builder asks for what it names at every build.
fn follows_remote_add(dockerfile: &Dockerfile, instruction: usize) -> bool {
    let before = dockerfile
        .instructions
        .get(..instruction)
        .unwrap_or_default()
        .iter()
        .rev();
    let mut in_stage = before.take_while(|one| one.keyword != "FROM");
    in_stage.any(|one| {
        let sources = one
            .copy_arguments()
            .map(|arguments| arguments.sources)
            .unwrap_or_default();
        one.keyword == "ADD"
            && sources
                .iter()
                .any(|source| source.text.contains("://") || source.text.starts_with("git@"))
    })
}

/// Whether a Dockerfile has a single clone, takes nothing from the context, and says what runs: the clone is the program.
fn is_only_source(project: &Project, id: FileId, dockerfile: &Dockerfile) -> bool {
    let scripts = &project.file(id).scripts;
    let commands = scripts.iter().flat_map(|script| script.script.commands());
    let clones = commands.filter(|command| matches!(git_verb(command), Some((_, "clone"))));
    let runs = |one: &Instruction| matches!(one.keyword.as_str(), "CMD" | "ENTRYPOINT");
    clones.count() == 1 && dockerfile.instructions.iter().any(runs) && !copies_from_context(dockerfile)
}

/// Whether anything comes from the build's context.
fn copies_from_context(dockerfile: &Dockerfile) -> bool {
    dockerfile.instructions.iter().any(|one| {
        let is_mounted = one
            .mounts
            .iter()
            .any(|mount| mount.kind() == "bind" && mount.option("from").is_none());
        let is_copied = one.copy_from().is_none()
            && one.copy_arguments().is_some_and(|arguments| {
                arguments
                    .sources
                    .iter()
                    .any(|source| !source.heredoc && !source.text.contains("://"))
            });
        is_mounted || is_copied
    })
}
