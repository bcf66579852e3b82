//! What stands between a copy and an install: whether it may make what the install needs.

use super::script_of_step;
use crate::Project;
use crate::facts::BuildContext;
use crate::shell::Command;

/// Whether a command does nothing with the code that was copied.
pub(super) fn prepares(command: &Command) -> bool {
    let arguments = command.arguments();
    let verb = arguments.iter().map(|word| word.text.as_str()).find(|word| !word.starts_with('-'));
    match command.name() {
        "npm" | "yarn" | "pnpm" | "bun" => matches!(
            verb,
            None | Some("install" | "i" | "ci" | "clean-install" | "add" | "global" | "config" | "set" | "cache" | "fetch")
        ),
        "go" => matches!(verb, Some("env" | "install" | "mod")),
        "cargo" => matches!(verb, Some("install" | "fetch")),
        "bundle" | "bundler" => matches!(verb, None | Some("config" | "install")),
        "composer" => matches!(verb, Some("config" | "install" | "self-update" | "global")),
        "python" | "python3" => arguments.first().is_some_and(|word| word.text == "-m"),
        "poetry" => matches!(verb, Some("install" | "config" | "self" | "add")),
        "git" => verb == Some("config"),
        name => {
            name.starts_with("docker-php-")
                || name.starts_with("pip")
                || [
                    "[", "addgroup", "adduser", "apk", "apt", "apt-get", "cd", "chmod", "chown", "conda", "corepack", "curl",
                    "dnf", "echo", "export", "gem", "gpg", "groupadd", "ls", "microdnf", "mkdir", "pecl", "phpize", "pipenv",
                    "printf", "rm", "rustup", "set", "tar", "test", "touch", "true", "unzip", "useradd", "uv",
                    "virtualenv", "wget", "yum", "zypper",
                ]
                .contains(&name)
        }
    }
}

/// Whether a `RUN` does nothing but install packages by name, and clean up behind it.
pub(super) fn only_installs(project: &Project, context: &BuildContext, instruction: usize) -> bool {
    let Some(script) = script_of_step(project, context, instruction) else {
        return false;
    };
    let is_plain = |command: &Command| {
        let arguments = command.arguments();
        let is_local = arguments.iter().any(|word| {
            !word.text.starts_with("/var/")
                && !word.text.starts_with("/usr/share/")
                && !word.text.starts_with("/tmp/*")
                && (word.text.starts_with(['/', '.', '$', '`', '<']) || word.text.ends_with(".deb"))
        });
        match command.name() {
            "apt-get" | "apt" | "apk" | "dnf" | "yum" | "microdnf" | "zypper" | "gem" | "npm" | "pip"
            | "pip3" => !is_local,
            "rm" => arguments.iter().all(|word| word.text.starts_with(['-', '/'])),
            "set" | "true" | "export" => true,
            _ => false,
        }
    };
    !script.script.is_broken() && script.script.commands().iter().all(is_plain)
}
