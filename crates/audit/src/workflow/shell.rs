//! What runs a script, and what happens when one of its commands fails.

/// What runs a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The command as CI calls it, with `{0}` for the script: `bash -e {0}`.
    pub command: String,
    /// The shell's name, such as `bash`; [`None`] for what is none: PowerShell, Python, cmd.
    pub name: Option<String>,
    /// Whether a command that fails ends the script (`-e`).
    pub errexit: bool,
    /// Whether a pipe fails with any of its commands (`-o pipefail`).
    pub pipefail: bool,
}

impl Shell {
    /// A command with its flags.
    pub fn of_command(command: &str) -> Shell {
        let mut shell = Shell {
            command: command.to_owned(),
            name: None,
            errexit: false,
            pipefail: false,
        };
        let mut words = command.split_whitespace();
        // `nix develop -c bash -e {0}`: what stands before the shell is its caller's.
        shell.name = words.find_map(|word| {
            let name = word.rsplit('/').next().unwrap_or_default();
            ["bash", "sh", "dash", "ash", "ksh", "zsh"]
                .contains(&name)
                .then(|| name.to_owned())
        });
        let mut option = false;
        for word in words.take_while(|word| *word != "{0}") {
            if std::mem::take(&mut option) {
                shell.errexit |= word == "errexit";
                shell.pipefail |= word == "pipefail";
            } else if let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.starts_with('-')) {
                shell.errexit |= flags.contains('e');
                option = flags.ends_with('o');
            }
        }
        shell
    }

    /// `shell:` of GitHub Actions, by its name or as a command. `container`: whether the job runs in one; `windows`: whether
    /// the runner is Windows.
    ///
    /// Source: "Workflow syntax for GitHub Actions", `jobs.<job_id>.steps[*].shell`.
    pub fn of_github(shell: Option<&str>, container: bool, windows: bool) -> Shell {
        match shell.map(str::trim) {
            None | Some("") if windows => Shell::of_command("pwsh -command \". '{0}'\""),
            None | Some("") if container => Shell::of_command("sh -e {0}"),
            None | Some("") => Shell::of_command("bash -e {0}"),
            Some("bash") => Shell::of_command("bash --noprofile --norc -eo pipefail {0}"),
            Some("sh") => Shell::of_command("sh -e {0}"),
            Some(command) => Shell::of_command(command),
        }
    }

    /// What GitLab's runner gives a job's lines to, all of them in one: bash if the image has it, with both options set.
    pub fn of_gitlab() -> Shell {
        Shell::of_command("bash -eo pipefail")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_from_the_command() {
        let told = |shell: Shell| (shell.name, shell.errexit, shell.pipefail);
        let bash = || Some("bash".to_owned());
        assert_eq!(told(Shell::of_github(None, false, false)), (bash(), true, false));
        assert_eq!(
            told(Shell::of_github(Some("bash"), false, false)),
            (bash(), true, true)
        );
        assert_eq!(
            told(Shell::of_github(Some("sh"), false, false)),
            (Some("sh".to_owned()), true, false)
        );
        assert_eq!(
            told(Shell::of_github(None, true, false)),
            (Some("sh".to_owned()), true, false)
        );
        assert_eq!(
            told(Shell::of_github(Some("bash {0}"), false, false)),
            (bash(), false, false)
        );
        assert_eq!(
            told(Shell::of_github(Some("bash -l -euo pipefail {0}"), false, false)),
            (bash(), true, true)
        );
        assert_eq!(
            told(Shell::of_github(Some("bash --noprofile {0} -e"), false, false)),
            (bash(), false, false)
        );
        for other in ["pwsh", "python", "cmd", "powershell"] {
            assert_eq!(
                told(Shell::of_github(Some(other), false, false)),
                (None, false, false)
            );
        }
        assert_eq!(told(Shell::of_github(None, false, true)).0, None);
    }
}
