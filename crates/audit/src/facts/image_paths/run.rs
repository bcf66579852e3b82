//! What `RUN` fills: repositories that it clones, dependencies that it installs, and outputs of well-known builds.

use super::scope::StageScope;
use super::{Filled, Filling, clean};
use crate::ScriptPlace;
use crate::project::File;
use crate::shell::Command;
use unstale_dockerfile::Instruction;

/// The folders that builds of web projects write to by default: Vite, webpack, Parcel, Rollup; Create React App; Next.js.
const WEB_OUTPUTS: &[&str] = &["dist", "build", "out", ".next", ".output", "public/build"];
/// Where Django projects collect static files as a rule.
const STATIC_OUTPUTS: &[&str] = &["static", "staticfiles", "static_root", "assets"];

pub(super) fn filled(
    file: &File,
    index: usize,
    instruction: &Instruction,
    scope: &StageScope<'_>,
    found: &mut Vec<Filled>,
) {
    let own = file
        .scripts
        .iter()
        .filter(|script| script.place == ScriptPlace::Run(index));
    for script in own {
        let mut folder = scope.workdir().map(str::to_owned);
        for command in script.script.commands() {
            if command.name() == "cd" {
                folder = match command.arguments() {
                    [to] if to.is_known() => within(folder.as_deref(), &to.text),
                    _ => None,
                };
                continue;
            }
            let mut add = |path: Option<String>, content: Filling| {
                found.extend(path.map(|path| Filled {
                    path,
                    content,
                    instruction: index,
                    span: instruction.span,
                }));
            };
            let name = spoken(command);
            match kind(command) {
                Kind::Clone(to) => add(within(folder.as_deref(), &to), Filling::Clone),
                Kind::Install(to) => add(within(folder.as_deref(), to), Filling::Install(name)),
                Kind::Build(outputs) => {
                    for output in outputs {
                        add(within(folder.as_deref(), output), Filling::Output(name.clone()));
                    }
                }
                Kind::Other => {}
            }
        }
    }
}

enum Kind {
    Clone(String),
    Install(&'static str),
    Build(&'static [&'static str]),
    Other,
}

fn kind(command: &Command) -> Kind {
    let words: Vec<&str> = command
        .arguments()
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let plain: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_global = words
        .iter()
        .any(|word| matches!(*word, "-g" | "--global" | "global"));
    let moves = words
        .iter()
        .any(|word| word.starts_with("--prefix") || matches!(*word, "-C" | "--cwd" | "--dir"));
    match (command.name(), plain.as_slice()) {
        ("git", ["clone", ..]) => clone(command),
        ("npm" | "pnpm" | "bun", ["ci" | "install" | "i" | "clean-install"]) if !is_global && !moves => {
            Kind::Install("node_modules")
        }
        ("yarn", [] | ["install"]) if !is_global && !moves && !words.contains(&"--version") => {
            Kind::Install("node_modules")
        }
        ("composer", ["install" | "update"]) if !is_global => Kind::Install("vendor"),
        ("npm" | "pnpm" | "yarn" | "bun", ["run", script] | [script]) if is_build(script) && !moves => {
            Kind::Build(WEB_OUTPUTS)
        }
        ("vite" | "next" | "react-scripts" | "nuxt", ["build"]) => Kind::Build(WEB_OUTPUTS),
        (_, words) if words.contains(&"collectstatic") => Kind::Build(STATIC_OUTPUTS),
        _ => Kind::Other,
    }
}

fn is_build(script: &str) -> bool {
    script == "build" || script.starts_with("build:")
}

/// `git clone [options] address [folder]`.
fn clone(command: &Command) -> Kind {
    /// Options whose value is a word of its own.
    const WITH_VALUE: &[&str] = &[
        "-b",
        "--branch",
        "--depth",
        "-c",
        "--config",
        "-o",
        "--origin",
        "--reference",
        "--filter",
        "-j",
        "--jobs",
        "--shallow-since",
        "--template",
        "--separate-git-dir",
        "-u",
        "--upload-pack",
        "--server-option",
    ];
    let mut words = command.arguments().iter();
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word.text.as_str()) {
            words.next();
        } else if !word.text.starts_with('-') {
            plain.push(word);
        }
    }
    match plain.as_slice() {
        [_, address] if address.is_known() => {
            let name = address
                .text
                .trim_end_matches('/')
                .rsplit(['/', ':'])
                .next()
                .unwrap_or_default();
            Kind::Clone(name.trim_end_matches(".git").to_owned())
        }
        [_, _, folder] if folder.is_known() => Kind::Clone(folder.text.clone()),
        _ => Kind::Other,
    }
}

fn within(folder: Option<&str>, path: &str) -> Option<String> {
    match path.starts_with('/') {
        true => clean(path),
        false if path.contains(['~', '$']) => None,
        false => clean(&format!("{}/{path}", folder?.trim_end_matches('/'))),
    }
}

/// The command as people call it: its first words.
fn spoken(command: &Command) -> String {
    let words: Vec<&str> = command
        .words
        .iter()
        .take(3)
        .map(|word| word.text.as_str())
        .collect();
    words.join(" ")
}
