//! Gets Debian packages from the archive that this machine is set up to use, without installing them: they are
//! unpacked into a folder, so neither the machine's own Docker nor its services change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::{bounded, output};
use crate::error::{Error, Result};

/// A slow mirror may take this long for an index or a package.
const LIMIT: Duration = Duration::from_secs(300);

/// One `deb` source of the machine's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// A deb822 value: a keyring's path, or a key with its lines.
    signed_by: Option<String>,
}

/// Where apt gets packages from.
#[derive(Debug)]
pub(super) enum Archive {
    /// The machine's own release, through its own configuration.
    Own,
    /// Debian testing, on the same mirror and with the same key as the machine's own release.
    Testing(PathBuf),
}

impl Archive {
    /// Debian testing, derived from the machine's sources; its index is kept in `folder`.
    pub(super) fn testing(folder: &Path) -> Result<Self> {
        let release = fs::read_to_string("/etc/os-release").map_err(Error::io("read", "/etc/os-release"))?;
        let value = |key: &str| {
            let line = release
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        if value("ID") != "debian" {
            return Err(Error::Unavailable(format!(
                "this is {}, not Debian: no Debian testing packages",
                value("ID")
            )));
        }
        let codename = value("VERSION_CODENAME");
        let source = own_sources()?.into_iter().find(|source| {
            // Debian testing itself names no codename; there any Debian suite will do.
            let suite = source
                .suites
                .iter()
                .any(|suite| *suite == codename || codename.is_empty());
            suite && source.components.iter().any(|component| component == "main")
        });
        let source = source.ok_or_else(|| {
            Error::Unavailable(format!(
                "no apt source of this machine has the suite {codename:?} with main"
            ))
        })?;
        let lists = folder.join("lists/partial");
        fs::create_dir_all(&lists).map_err(Error::io("create", &lists))?;
        let archives = folder.join("cache/archives/partial");
        fs::create_dir_all(&archives).map_err(Error::io("create", &archives))?;
        let file = folder.join("testing.sources");
        fs::write(&file, testing_stanza(&source)).map_err(Error::io("write", &file))?;
        Ok(Self::Testing(folder.to_owned()))
    }

    fn command(&self) -> std::process::Command {
        let mut command = bounded(LIMIT, "apt-get");
        command.args(["-qq", "-o", "Acquire::Retries=2", "-o", "APT::Sandbox::User=root"]);
        if let Self::Testing(folder) = self {
            let path = |name: &str| folder.join(name).display().to_string();
            command.args(["-o", &format!("Dir::Etc::sourcelist={}", path("testing.sources"))]);
            command.args(["-o", "Dir::Etc::sourceparts=-"]);
            command.args(["-o", &format!("Dir::State::lists={}", path("lists"))]);
            command.args(["-o", &format!("Dir::Cache={}", path("cache"))]);
        }
        command
    }

    /// Downloads the packages and unpacks them into `target`. A missing optional one is no error.
    pub(super) fn unpack(&self, required: &[&str], optional: &[&str], target: &Path) -> Result<()> {
        let debs = target.join("debs");
        fs::create_dir_all(&debs).map_err(Error::io("create", &debs))?;
        let fetch = |packages: &[&str]| {
            output(self.command().arg("download").args(packages).current_dir(&debs)).map(drop)
        };
        if matches!(self, Self::Testing(_)) {
            output(self.command().arg("update"))?;
            fetch(required)?;
        } else if fetch(required).is_err() {
            // Fresh machines and containers come without an index, and an old one names files that are gone.
            output(self.command().arg("update"))?;
            fetch(required)?;
        }
        for package in optional {
            let _ = fetch(&[package]);
        }
        for entry in fs::read_dir(&debs).map_err(Error::io("read", &debs))? {
            let deb = entry.map_err(Error::io("read", &debs))?.path();
            output(bounded(LIMIT, "dpkg").arg("--extract").arg(&deb).arg(target))?;
        }
        fs::remove_dir_all(&debs).map_err(Error::io("remove", &debs))
    }
}

/// Installs small system packages; for the few that cannot be used from a folder.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let install = || {
        let mut command = Archive::Own.command();
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "--no-install-recommends"]);
        output(command.args(packages)).map(drop)
    };
    install().or_else(|_| output(Archive::Own.command().arg("update")).and_then(|_| install()))
}

fn testing_stanza(source: &Source) -> String {
    let uris = source.uris.join(" ");
    let mut stanza = format!("Types: deb\nURIs: {uris}\nSuites: testing\nComponents: main\n");
    if let Some(key) = &source.signed_by {
        stanza.push_str(&format!("Signed-By: {key}\n"));
    }
    stanza
}

fn own_sources() -> Result<Vec<Source>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    files.extend(parts.map(|entry| entry.path()));
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => sources.extend(deb822(&text)),
            Some("list") => sources.extend(text.lines().filter_map(one_line)),
            _ => {}
        }
    }
    if sources.is_empty() {
        return Err(Error::Unavailable("apt has no sources on this machine".into()));
    }
    Ok(sources)
}

/// Reads stanzas as in sources.list(5), "DEB822-STYLE FORMAT".
fn deb822(text: &str) -> Vec<Source> {
    let mut stanzas: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let stanza = stanzas.last_mut();
        if line.trim().is_empty() {
            stanzas.push(Vec::new());
        } else if let (true, Some((_, value))) =
            (line.starts_with([' ', '\t']), stanza.and_then(|s| s.last_mut()))
        {
            value.push('\n');
            value.push_str(line);
        } else if let (Some((key, value)), Some(stanza)) = (line.split_once(':'), stanzas.last_mut()) {
            stanza.push((key.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let read = |stanza: Vec<(String, String)>| {
        let value = |key: &str| {
            stanza
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.clone())
        };
        let words = |key: &str| -> Vec<String> {
            value(key)
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        };
        let off = matches!(value("enabled").as_deref(), Some("no" | "false" | "0"));
        let deb = words("types").iter().any(|kind| kind == "deb");
        (deb && !off).then(|| Source {
            uris: words("uris"),
            suites: words("suites"),
            components: words("components"),
            signed_by: value("signed-by"),
        })
    };
    stanzas.into_iter().filter_map(read).collect()
}

/// Reads a line as in sources.list(5), "ONE-LINE-STYLE FORMAT".
fn one_line(line: &str) -> Option<Source> {
    let mut rest = line
        .split('#')
        .next()?
        .trim()
        .strip_prefix("deb")?
        .trim_start_matches([' ', '\t']);
    let mut signed_by = None;
    if let Some((options, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        signed_by = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(str::to_owned);
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    uri.contains(':').then(|| Source {
        uris: vec![uri],
        suites: vec![suite],
        components: words.collect(),
        signed_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_gives_its_mirror_and_key_to_testing() {
        let text = "# a comment\nTypes: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main\nSigned-By: /usr/share/keyrings/debian.gpg\n\nTypes: deb\nEnabled: no\nURIs: x:y\n\
                    Suites: z\n\nTypes: deb-src\nURIs: x:y\nSuites: z\n";
        let sources = deb822(text);
        assert_eq!(sources.len(), 1);
        let expected = "Types: deb\nURIs: http://mirror.example/debian\nSuites: testing\nComponents: main\n\
                        Signed-By: /usr/share/keyrings/debian.gpg\n";
        assert_eq!(testing_stanza(&sources[0]), expected);
    }

    #[test]
    fn a_key_within_a_stanza_keeps_its_lines() {
        let text = "Types: deb\nURIs: http://m/\nSuites: s\nSigned-By:\n -----BEGIN-----\n .\n abc\n";
        assert_eq!(
            deb822(text)[0].signed_by.as_deref(),
            Some("\n -----BEGIN-----\n .\n abc")
        );
    }

    #[test]
    fn a_line_is_read_with_and_without_options() {
        let line = one_line(
            "deb [arch=amd64 signed-by=/k.gpg] https://m.example/debian bookworm main contrib # note",
        );
        let line = line.expect("a source");
        assert_eq!(line.signed_by.as_deref(), Some("/k.gpg"));
        assert_eq!(
            (line.uris, line.suites),
            (vec!["https://m.example/debian".into()], vec!["bookworm".into()])
        );
        assert_eq!(line.components, ["main", "contrib"]);
        assert_eq!(
            one_line("deb http://m/ s main").expect("a source").signed_by,
            None
        );
        for other in [
            "",
            "# deb http://m/ s main",
            "deb-src http://m/ s main",
            "nonsense",
        ] {
            assert_eq!(one_line(other), None, "{other}");
        }
    }
}
