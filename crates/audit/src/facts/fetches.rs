//! What a shell command takes from the network, and whether what it names can be another thing tomorrow.
//!
//! Only what a command names itself is looked at: nothing is asked, and installations of packages from distributions are
//! not among them.

use crate::shell::{Command, PartKind, Word};

/// Something that a command takes from the network by a name that does not say which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// How.
    pub kind: FetchKind,
    /// What: the address or package, as written.
    pub what: String,
}

/// How something is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FetchKind {
    /// `git clone`.
    Clone,
    /// `git pull` in what an earlier step cloned.
    Pull,
    /// `curl`, `wget`.
    Download,
    /// A package manager that is given a branch, or `@latest`.
    Package,
}

/// Names in addresses that mean another thing from time to time.
const MOVING: &[&str] = &["latest", "master", "main", "HEAD", "trunk", "nightly", "develop"];
/// What is no program or code: keys, lists, fonts, pictures.
const NOT_CODE: &[&str] = &[
    ".asc", ".gpg", ".key", ".pub", ".pem", ".crt", ".repo", ".list", ".sha256", ".md5", ".ttf", ".otf",
    ".woff", ".woff2", ".png", ".jpg", ".jpeg", ".svg", ".md",
];

/// What a command takes. `value` gives what a variable that no script sets is by default.
pub fn fetch_of(command: &Command, value: &dyn Fn(&str) -> Option<String>) -> Option<Fetch> {
    let found = |kind, what: &str| {
        Some(Fetch {
            kind,
            what: what.to_owned(),
        })
    };
    match command.name() {
        "git" => match git_verb(command) {
            Some((at, "clone")) => clone(command, at, value),
            Some((_, "pull")) => found(FetchKind::Pull, "git pull"),
            _ => None,
        },
        "curl" | "wget" | "aria2c" => {
            let word = command.arguments().iter().find(|word| is_moving_address(word))?;
            found(FetchKind::Download, &word.text)
        }
        "pip" | "pip3" | "pipx" | "uv" | "python" | "python3" => {
            let word = command
                .arguments()
                .iter()
                .find(|word| is_moving_requirement(word, value))?;
            found(FetchKind::Package, &word.text)
        }
        "npm" | "yarn" | "pnpm" | "npx" | "bun" | "corepack" => {
            let ends = ["@latest", "@next", "@canary", "@nightly"];
            let moves = |word: &&Word| ends.iter().any(|end| word.text.ends_with(end));
            found(FetchKind::Package, &command.arguments().iter().find(moves)?.text)
        }
        "go" => {
            let ends = ["@latest", "@master", "@main", "@HEAD", "@upgrade"];
            let moves = |word: &&Word| ends.iter().any(|end| word.text.ends_with(end));
            let mut packages = command.arguments().iter().filter(|word| word.text.contains('@'));
            let first = packages.next()?;
            // What is run leaves nothing behind.
            if command.arguments().first().is_some_and(|verb| verb.text == "run") {
                return None;
            }
            // `go install` refuses packages of more than one module.
            let is_refused = packages.any(|other| module_host(&other.text) != module_host(&first.text));
            found(FetchKind::Package, &command.arguments().iter().find(moves)?.text).filter(|_| !is_refused)
        }
        "cargo" => {
            let has = |option: &str| {
                command
                    .arguments()
                    .iter()
                    .any(|word| word.text.starts_with(option))
            };
            let at = command.words.iter().position(|word| word.text == "--git")?;
            let address = command.words.get(at + 1)?;
            let is_install = command.arguments().iter().any(|word| word.text == "install");
            let moves = is_install && !has("--rev") && !has("--tag") && !address.text.contains('$');
            moves.then(|| found(FetchKind::Package, &address.text)).flatten()
        }
        _ => None,
    }
}

/// What modules of one repository have in common: `github.com/OWNER/NAME`.
fn module_host(package: &str) -> Vec<&str> {
    package
        .split('@')
        .next()
        .unwrap_or_default()
        .split('/')
        .take(3)
        .collect()
}

/// The verb of a `git` command, and its index among the words.
pub fn git_verb(command: &Command) -> Option<(usize, &str)> {
    if command.name() != "git" {
        return None;
    }
    let mut at = 1;
    while let Some(word) = command.words.get(at) {
        match word.text.as_str() {
            "-C" | "-c" | "--git-dir" | "--work-tree" => at += 2,
            text if text.starts_with('-') => at += 1,
            text => return Some((at, text)),
        }
    }
    None
}

/// Whether a command of a script brings what was cloned to a commit or version that it names.
pub fn pins_clone(command: &Command) -> bool {
    let Some((at, verb)) = git_verb(command) else {
        return matches!(command.name(), "sha256sum" | "sha512sum");
    };
    let arguments = command.words.get(at + 1..).unwrap_or_default();
    let names = |word: &Word| {
        word.text
            .contains(|c: char| c == '$' || c == '`' || c.is_ascii_digit())
    };
    matches!(
        verb,
        "checkout" | "switch" | "reset" | "fetch" | "merge" | "worktree" | "cherry-pick" | "am" | "apply"
    ) && arguments.iter().any(names)
}

/// Whether a command compares a content with what is known of it.
pub fn checks_content(command: &Command) -> bool {
    matches!(
        command.name(),
        "sha256sum" | "sha512sum" | "sha384sum" | "sha1sum" | "md5sum" | "shasum" | "b2sum"
    ) || command
        .arguments()
        .iter()
        .any(|word| word.text.starts_with("--checksum="))
}

/// Whether a branch, tag or commit moves: it names no number. What a variable that has no default is, its giver decides.
fn is_moving_reference(text: &str, value: &dyn Fn(&str) -> Option<String>) -> bool {
    let name = text.strip_prefix('$').map(|name| name.trim_matches(['{', '}']));
    let text = match name {
        Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => match value(name) {
            Some(value) => value,
            None => return false,
        },
        Some(_) => return false,
        None => text.to_owned(),
    };
    !text.is_empty() && !text.contains(|c: char| c == '$' || c == '`' || c.is_ascii_digit())
}

fn clone(command: &Command, verb: usize, value: &dyn Fn(&str) -> Option<String>) -> Option<Fetch> {
    let arguments = command.words.get(verb + 1..).unwrap_or_default();
    let address = arguments.iter().map(|word| word.text.as_str()).find(|text| {
        let is_remote = text.contains("://") || text.starts_with("git@");
        is_remote && !text.starts_with("file:") && !text.starts_with('-')
    })?;
    let mut branch = None;
    for (at, word) in arguments.iter().enumerate() {
        match word.text.as_str() {
            "-b" | "--branch" | "--revision" => branch = arguments.get(at + 1).map(|word| word.text.as_str()),
            text => {
                let inline = text
                    .strip_prefix("--branch=")
                    .or_else(|| text.strip_prefix("--revision="));
                branch = inline.or(branch);
            }
        }
    }
    let is_open = arguments.iter().any(|word| {
        word.as_variable().is_some()
            && word.parts.iter().all(|part| !part.quoted)
            && !word.is_known()
            && Some(word.text.as_str()) != branch
    });
    // An address that a variable decides can name anything.
    let moves = branch.is_none_or(|branch| is_moving_reference(branch, value))
        && !address.contains(['$', '`'])
        && !(branch.is_none() && is_open);
    moves.then(|| Fetch {
        kind: FetchKind::Clone,
        what: address.to_owned(),
    })
}

fn is_moving_address(word: &Word) -> bool {
    let text = word.text.as_str();
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let Some((host, path)) = rest.split_once('/') else {
        return false;
    };
    let is_elsewhere =
        host.starts_with("169.254.") || host.starts_with("localhost") || host.starts_with("127.");
    let is_package = path.contains("pool/") || path.contains("dists/");
    let is_other = NOT_CODE.iter().any(|end| path.ends_with(end));
    if is_elsewhere || is_package || is_other || has_version(path) || !names_machine_alone(word) {
        return false;
    }
    path.split('/').any(|part| {
        let stem = part.split('.').next().unwrap_or(part);
        MOVING.contains(&part) || MOVING.contains(&stem)
    })
}

/// Whether nothing but the machine's kind is left open in a word: `$(uname -m)`, `${TARGETARCH}`.
fn names_machine_alone(word: &Word) -> bool {
    word.is_known()
        || word.parts.iter().all(|part| match &part.kind {
            PartKind::Literal => true,
            PartKind::Variable { name, .. } => {
                let name = name.to_ascii_uppercase();
                ["ARCH", "PLATFORM", "MACHINE"]
                    .iter()
                    .any(|end| name.contains(end))
            }
            PartKind::Substitution => ["uname", "dpkg", "arch"]
                .iter()
                .any(|name| part.text.contains(name)),
            _ => false,
        })
}

/// Whether a path names a version (`1.2`) or a commit.
fn has_version(path: &str) -> bool {
    let mut parts = path.split('/');
    let is_commit = |part: &str| part.len() >= 20 && part.chars().all(|c| c.is_ascii_hexdigit());
    let bytes = path.as_bytes();
    let has_dot = bytes
        .windows(3)
        .any(|three| three[0].is_ascii_digit() && three[1] == b'.' && three[2].is_ascii_digit());
    has_dot || parts.any(is_commit)
}

fn is_moving_requirement(word: &Word, value: &dyn Fn(&str) -> Option<String>) -> bool {
    let Some((_, address)) = word.text.split_once("git+") else {
        return false;
    };
    let address = address.split(['#', '\'', '"']).next().unwrap_or(address);
    let Some((_, path)) = address.split_once("://") else {
        return false;
    };
    let path = path.split_once('/').map_or("", |(_, path)| path);
    match path.rsplit_once('@') {
        Some((_, reference)) => is_moving_reference(reference, value),
        None => !path.is_empty() && !address.contains(['$', '`']),
    }
}
