//! What a script does with the lists of packages that `apt-get` and `apk` keep.

use crate::Span;
use crate::shell::Script;

/// Programs that can install from the lists of packages, or read them.
const READERS: &[&str] = &[
    "bash",
    "sh",
    "make",
    "python",
    "python3",
    "xargs",
    "eval",
    "apt-cache",
    "apt-file",
    "add-apt-repository",
    "gdebi",
    "mk-build-deps",
    "curl",
    "wget",
];

/// What a step does with the lists of packages.
#[derive(Debug, Clone, Default)]
pub struct PackageLists {
    /// Where it takes them.
    pub update: Option<Span>,
    /// Where it installs from them.
    pub install: Option<Span>,
    /// Whether something may use the lists that a name does not tell.
    pub may_use: bool,
    /// Whether they are those of `apk`.
    pub is_apk: bool,
}

impl PackageLists {
    /// Reads a script.
    pub fn of(script: &Script) -> PackageLists {
        let mut lists = PackageLists::default();
        for command in script.commands() {
            lists.is_apk |= command.name() == "apk";
            let has = |words: &[&str]| {
                command
                    .arguments()
                    .iter()
                    .any(|word| words.contains(&word.text.as_str()))
            };
            match command.name() {
                "apt-get" | "apt" | "aptitude" if has(&["update"]) => {
                    lists.update = lists.update.or(Some(command.span))
                }
                "apt-get" | "apt" | "aptitude"
                    if has(&[
                        "install",
                        "build-dep",
                        "upgrade",
                        "dist-upgrade",
                        "full-upgrade",
                        "satisfy",
                        "download",
                        "source",
                        "safe-upgrade",
                    ]) =>
                {
                    lists.install = lists.install.or(Some(command.span));
                }
                "apk" if has(&["update"]) => lists.update = lists.update.or(Some(command.span)),
                "apk"
                    if has(&["add", "upgrade"])
                        && has(&["--no-cache", "-U", "--update", "--update-cache"]) =>
                {
                    lists.may_use = true;
                }
                "apk" if has(&["add", "upgrade"]) => {
                    lists.install = lists.install.or(Some(command.span));
                }
                name if name.contains('/') || name.ends_with(".sh") || READERS.contains(&name) => {
                    lists.may_use = true
                }
                _ => {}
            }
        }
        lists
    }
}
