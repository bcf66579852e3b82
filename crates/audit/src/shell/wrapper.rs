//! Programs that run another program, and programs that run a script: `sudo`, `timeout 60`, `ssh host "…"`, `bash -c`.
//!
//! Which of their options take a value is from their manuals (sudo, coreutils, util-linux, findutils, OpenSSH, bash,
//! procps).

use super::command::{Wrapper, base_name};
use super::word::Word;

/// A program that runs the rest of its words.
struct Program {
    name: &'static str,
    /// Letters of options that take a value.
    short: &'static str,
    /// Long options that take the next word as their value.
    long: &'static [&'static str],
    /// How many words of its own follow the options.
    own: usize,
    /// Whether `NAME=value` words may stand before the command.
    sets: bool,
}

const fn program(name: &'static str, short: &'static str, own: usize) -> Program {
    Program {
        name,
        short,
        long: &[],
        own,
        sets: false,
    }
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "sudo",
        short: "CDghpRrTtUu",
        long: &[
            "--user", "--group", "--host", "--prompt", "--chdir", "--chroot", "--role", "--type",
        ],
        own: 0,
        sets: true,
    },
    Program {
        name: "doas",
        short: "Cu",
        long: &[],
        own: 0,
        sets: false,
    },
    Program {
        name: "env",
        short: "uCS",
        long: &["--unset", "--chdir"],
        own: 0,
        sets: true,
    },
    program("time", "fo", 0),
    program("nohup", "", 0),
    program("exec", "a", 0),
    program("command", "", 0),
    program("builtin", "", 0),
    program("coproc", "", 0),
    program("nice", "n", 0),
    program("ionice", "cnpPu", 0),
    Program {
        name: "timeout",
        short: "ks",
        long: &["--kill-after", "--signal"],
        own: 1,
        sets: false,
    },
    program("gtimeout", "ks", 1),
    program("stdbuf", "ioe", 0),
    program("unbuffer", "", 0),
    program("setsid", "", 0),
    program("chronic", "", 0),
    program("caffeinate", "tw", 0),
    program("chroot", "", 1),
    program("flock", "wE", 1),
    program("sshpass", "pfdP", 0),
    Program {
        name: "xargs",
        short: "adEeILnPs",
        long: &[
            "--arg-file",
            "--delimiter",
            "--max-args",
            "--max-procs",
            "--max-lines",
            "--max-chars",
            "--replace",
        ],
        own: 0,
        sets: false,
    },
    program("watch", "n", 0),
];

/// Programs that run what stands behind `--`.
const BEHIND_DASHES: &[&str] = &[
    "doppler",
    "op",
    "aws-vault",
    "chamber",
    "infisical",
    "dotenv",
    "sops",
    "teller",
];

/// Takes off what wraps the command. At least one word is left.
pub(super) fn strip(words: &mut Vec<Word>, runners: impl Fn(&str) -> bool) -> (Vec<Wrapper>, Vec<Word>) {
    let mut wrappers = Vec::new();
    let mut sets = Vec::new();
    while let Some(length) = length(words, &runners) {
        let rest = words.split_off(length);
        let own = std::mem::replace(words, rest);
        sets.extend(own.iter().skip(1).filter(|word| is_assignment(word)).cloned());
        wrappers.push(Wrapper { words: own });
    }
    (wrappers, sets)
}

/// How many words of the front belong to a program that runs the rest.
fn length(words: &[Word], runners: &impl Fn(&str) -> bool) -> Option<usize> {
    let name = base_name(&words.first()?.text);
    if BEHIND_DASHES.contains(&name) {
        let dashes = words.iter().position(|word| word.text == "--")?;
        return (dashes + 1 < words.len()).then_some(dashes + 1);
    }
    if runners(name) {
        return (words.len() > 1).then_some(1);
    }
    let program = PROGRAMS.iter().find(|program| program.name == name)?;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if name == "command" && matches!(text, "-v" | "-V") {
            return None;
        }
        if text == "--" {
            at += 1;
            break;
        }
        if program.sets && is_assignment(word) {
            at += 1;
        } else if let Some(long) = text.strip_prefix("--") {
            at += if !long.contains('=') && program.long.contains(&text) {
                2
            } else {
                1
            };
        } else if text.len() > 1 && text.starts_with('-') {
            at += if takes_next(text, program.short) { 2 } else { 1 };
        } else {
            break;
        }
    }
    at += program.own;
    // `NAME=value` also follows `--`.
    while program.sets && words.get(at).is_some_and(is_assignment) {
        at += 1;
    }
    (at < words.len()).then_some(at)
}

/// Whether an option word takes the next word: its last letter takes a value that does not stand in it.
fn takes_next(text: &str, short: &str) -> bool {
    let letters: Vec<char> = text.chars().skip(1).collect();
    match letters.iter().position(|letter| short.contains(*letter)) {
        Some(at) => at + 1 == letters.len(),
        None => false,
    }
}

/// `NAME=value`.
pub(super) fn is_assignment(word: &Word) -> bool {
    word.text
        .split_once('=')
        .is_some_and(|(name, _)| is_name(name.trim_end_matches('+')))
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A script that a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inner {
    /// The words from one index up to another, joined by blanks.
    Words { from: usize, to: usize, how: How },
    /// The words from one index up to another, as one command of words.
    Command { from: usize, to: usize },
    /// What comes on its standard input.
    Input(How),
}

/// How a script is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// By the same shell: `eval`.
    Same,
    /// By the same shell, later: `trap`.
    Trap,
    /// By a shell of its own, begun with this command line.
    Shell(String),
    /// On another machine, which the word with this index names.
    Remote { host: usize },
    /// In a container.
    Container,
}

/// The scripts that a command runs, by its words.
pub(super) fn inner(words: &[Word]) -> Vec<Inner> {
    let Some(name) = words.first().map(|word| base_name(&word.text)) else {
        return Vec::new();
    };
    let whole = |from: usize, how| match from < words.len() {
        true => vec![Inner::Words {
            from,
            to: words.len(),
            how,
        }],
        false => Vec::new(),
    };
    match name {
        "eval" => whole(1, How::Same),
        "trap" => match words.get(1) {
            Some(word) if !word.text.starts_with('-') && !word.text.is_empty() && words.len() > 2 => {
                vec![Inner::Words {
                    from: 1,
                    to: 2,
                    how: How::Trap,
                }]
            }
            _ => Vec::new(),
        },
        "ssh" | "autossh" => ssh(words),
        "su" | "runuser" => option(words, &["-c", "--command"], How::Shell("sh".into())),
        "script" => option(words, &["-c", "--command"], How::Shell("sh".into())),
        "flock" => option(words, &["-c", "--command"], How::Shell("sh".into())),
        "gcloud" if words.iter().any(|word| word.text == "ssh") => {
            let host = words
                .iter()
                .position(|word| word.text == "ssh")
                .map_or(0, |at| at + 1);
            option(words, &["--command"], How::Remote { host })
        }
        "vagrant" if words.get(1).is_some_and(|word| word.text == "ssh") => {
            option(words, &["-c", "--command"], How::Remote { host: 0 })
        }
        "find" => find(words),
        "docker" | "podman" | "nerdctl" | "docker-compose" | "kubectl" | "podman-compose" => container(words),
        _ if is_shell(name) => shell(words),
        _ => Vec::new(),
    }
}

pub(super) fn is_shell(name: &str) -> bool {
    matches!(name, "bash" | "sh" | "dash" | "zsh" | "ash" | "ksh")
}

/// `bash -ec "…"`, `bash -s`.
fn shell(words: &[Word]) -> Vec<Inner> {
    let mut at = 1;
    let mut script = false;
    let mut input = false;
    let mut line = "sh".to_owned();
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            at += 1;
            break;
        }
        if !text.starts_with(['-', '+']) || text.len() < 2 {
            break;
        }
        line.push(' ');
        line.push_str(text);
        at += 1;
        if text.starts_with("--") {
            at += usize::from(matches!(text, "--rcfile" | "--init-file"));
            continue;
        }
        script |= text.contains('c');
        input |= text.contains('s');
        if text.ends_with(['o', 'O'])
            && let Some(name) = words.get(at)
        {
            line.push(' ');
            line.push_str(&name.text);
            at += 1;
        }
    }
    let how = How::Shell(line);
    match (script, at < words.len()) {
        (true, true) => vec![Inner::Words {
            from: at,
            to: at + 1,
            how,
        }],
        (true, false) => Vec::new(),
        (false, true)
            if !input
                && words
                    .get(at)
                    .is_none_or(|word| word.text != "-" && word.text != "/dev/stdin") =>
        {
            Vec::new()
        }
        (false, _) => vec![Inner::Input(how)],
    }
}

/// The value of an option as a script.
fn option(words: &[Word], names: &[&str], how: How) -> Vec<Inner> {
    for (at, word) in words.iter().enumerate().skip(1) {
        if names.contains(&word.text.as_str()) && at + 1 < words.len() {
            return vec![Inner::Words {
                from: at + 1,
                to: at + 2,
                how,
            }];
        }
    }
    Vec::new()
}

/// Letters of ssh's options that take a value.
const SSH: &str = "BbcDEeFIiJLlmOoPpQRSWw";

fn ssh(words: &[Word]) -> Vec<Inner> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if !text.starts_with('-') || text.len() < 2 {
            break;
        }
        // `$SSH_OPTIONS` cannot be told from a host: what begins with a dash is an option.
        at += if takes_next(text, SSH) { 2 } else { 1 };
    }
    // Unquoted variables in front of something that is more like a host hold options.
    while words.get(at).is_some_and(is_option_variable) && at + 1 < words.len() {
        at += 1;
    }
    if at >= words.len() {
        return Vec::new();
    }
    let host = at;
    let mut from = host + 1;
    // Options may stand behind the host as well.
    while let Some(word) = words.get(from)
        && word.text.starts_with('-')
        && word.text.len() > 1
    {
        from += if takes_next(&word.text, SSH) { 2 } else { 1 };
    }
    let how = How::Remote { host };
    match words.get(from) {
        None => vec![Inner::Input(how)],
        Some(first) if is_shell(base_name(&first.text)) && !shell(&words[from..]).is_empty() => {
            match shell(&words[from..]).into_iter().next() {
                Some(Inner::Input(_)) => vec![Inner::Input(how)],
                _ => vec![Inner::Words {
                    from,
                    to: words.len(),
                    how,
                }],
            }
        }
        Some(first) if from + 1 == words.len() && is_shell_line(&first.text) => vec![Inner::Input(how)],
        Some(_) => vec![Inner::Words {
            from,
            to: words.len(),
            how,
        }],
    }
}

/// `'bash -s'` as one word.
fn is_shell_line(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let name = words.next().map_or("", base_name);
    let (name, mut words) = match name {
        "sudo" => (words.next().map_or("", base_name), words),
        name => (name, words),
    };
    is_shell(name) && words.all(|word| word.starts_with('-') && !word.contains('c') || word == "pipefail")
}

fn is_option_variable(word: &Word) -> bool {
    let quoted = word.parts.iter().any(|part| part.quoted);
    let name = word.as_variable().unwrap_or_default().to_ascii_uppercase();
    !quoted && (name.contains("OPT") || name.contains("ARGS") || name.contains("FLAGS"))
        || word.text.contains("[@]")
}

/// `find … -exec command {} ;`.
fn find(words: &[Word]) -> Vec<Inner> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok") {
            let rest = &words[at + 1..];
            let length = rest
                .iter()
                .position(|word| word.text == ";" || word.text == "+")
                .unwrap_or(rest.len());
            if length > 0 {
                found.push(Inner::Command {
                    from: at + 1,
                    to: at + 1 + length,
                });
            }
        }
    }
    found
}

/// `docker exec container sh -c "…"`.
fn container(words: &[Word]) -> Vec<Inner> {
    let runs = words
        .iter()
        .take(8)
        .position(|word| matches!(word.text.as_str(), "exec" | "run"));
    let Some(runs) = runs else {
        return Vec::new();
    };
    for at in runs + 2..words.len() {
        if is_shell(base_name(&words[at].text))
            && let Some(Inner::Words { from, to, .. }) = shell(&words[at..]).into_iter().next()
        {
            return vec![Inner::Words {
                from: at + from,
                to: at + to,
                how: How::Container,
            }];
        }
    }
    Vec::new()
}
