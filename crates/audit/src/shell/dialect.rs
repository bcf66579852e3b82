//! Which shell reads a script, and with which settings it begins.

/// The settings that a script begins with. A `#!` line and `set` in the script change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// Whether a command that fails ends the script.
    pub errexit: bool,
    /// Whether a pipeline fails when any of its commands does.
    pub pipefail: bool,
    /// Whether whoever runs the script ignores that it fails: a recipe line of Make with `-`.
    pub ignored: bool,
}

impl Dialect {
    /// A script that is run as a program.
    pub fn script() -> Dialect {
        Dialect::default()
    }

    /// A `run` of GitHub Actions without `shell`: `bash -e {0}`
    /// (<https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#jobsjob_idstepsshell>).
    pub fn github() -> Dialect {
        Dialect::of_command("bash -e {0}")
    }

    /// A `run` of GitHub Actions with `shell: bash`.
    pub fn github_bash() -> Dialect {
        Dialect::of_command("bash --noprofile --norc -eo pipefail {0}")
    }

    /// A `script` of GitLab CI: the runner's shell sets errexit, and pipefail where the shell knows it.
    pub fn gitlab() -> Dialect {
        Dialect {
            errexit: true,
            pipefail: true,
            ignored: false,
        }
    }

    /// A line of a recipe: Make runs each in `/bin/sh -c`, and stops at one that fails unless it begins with `-`.
    pub fn make(ignored: bool) -> Dialect {
        Dialect {
            ignored,
            ..Dialect::default()
        }
    }

    /// The shell form of a `RUN` instruction: `/bin/sh -c`.
    pub fn dockerfile() -> Dialect {
        Dialect::default()
    }

    /// What a command line of a shell sets: `bash -eo pipefail {0}`, `/bin/sh -ec`, or the text after `#!`.
    pub fn of_command(command: &str) -> Dialect {
        let mut dialect = Dialect::default();
        let mut words = command.split_whitespace().skip(1).peekable();
        while let Some(word) = words.next() {
            let sign = word.chars().next();
            let on = sign == Some('-');
            if word.starts_with("--") || !matches!(sign, Some('-' | '+')) {
                continue;
            }
            for letter in word.chars().skip(1) {
                match letter {
                    'e' => dialect.errexit = on,
                    'o' => dialect.set_option(words.peek().copied().unwrap_or_default(), on),
                    _ => {}
                }
            }
        }
        dialect
    }

    /// The settings of the `#!` line, if the text begins with one.
    pub(super) fn with_shebang(self, text: &str) -> Dialect {
        let Some(line) = text.strip_prefix("#!").and_then(|rest| rest.lines().next()) else {
            return self;
        };
        // `env` takes the interpreter as its argument; its own options do not matter here.
        let line = line.trim();
        let line = match line.split_once(char::is_whitespace) {
            Some((program, rest)) if program.ends_with("/env") => rest.trim().trim_start_matches("-S").trim(),
            _ => line,
        };
        let own = Dialect::of_command(line);
        Dialect {
            errexit: self.errexit || own.errexit,
            pipefail: self.pipefail || own.pipefail,
            ignored: self.ignored,
        }
    }

    pub(super) fn set_option(&mut self, name: &str, on: bool) {
        match name {
            "errexit" => self.errexit = on,
            "pipefail" => self.pipefail = on,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_of_a_shell_says_what_it_sets() {
        let both = |command| {
            let dialect = Dialect::of_command(command);
            (dialect.errexit, dialect.pipefail)
        };
        assert_eq!(both("bash -e {0}"), (true, false));
        assert_eq!(both("bash --noprofile --norc -eo pipefail {0}"), (true, true));
        assert_eq!(both("/bin/sh -c"), (false, false));
        assert_eq!(both("/bin/bash -euxo pipefail -c"), (true, true));
        assert_eq!(both("bash -o errexit"), (true, false));
        assert_eq!(both(""), (false, false));
    }

    #[test]
    fn the_first_line_of_a_script_says_what_it_sets() {
        let errexit = |text| Dialect::script().with_shebang(text).errexit;
        assert!(errexit("#!/bin/bash -e\nx"));
        assert!(errexit("#!/usr/bin/env -S bash -e\nx"));
        assert!(!errexit("#!/usr/bin/env bash\nset -e"));
        assert!(!errexit("# bash -e"));
    }
}
