//! Getting packages with their ordinary clients, and unpacking them.
//!
//! Must not: run any code of a package. Therefore npm runs no scripts, pip takes wheels alone (it would run a source
//! distribution's build to learn its name), and Debian's sources are downloaded and not built or unpacked by dpkg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{Client, Package};
use crate::run::{self, succeed};

/// What came of getting a package.
#[derive(Debug)]
pub struct Unpacked {
    /// Its files.
    pub folder: PathBuf,
    /// Which version it is.
    pub version: String,
}

/// Gets a package into a folder, which must be empty.
///
/// # Errors
/// When its client is not there or cannot get it.
pub fn get(package: &Package, apt: Option<&Apt>, scratch: &Path) -> Result<Unpacked, String> {
    let Package {
        client,
        name,
        version,
    } = package;
    let folder = scratch.join("files");
    let downloads = scratch.join("downloads");
    for new in [&folder, &downloads] {
        fs::create_dir_all(new).map_err(|error| format!("cannot make {}: {error}", new.display()))?;
    }
    let exact = version.clone().unwrap_or_default();
    let mut command = match client {
        Client::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--ignore-scripts", "--silent"])
                .arg(format!("{name}@{exact}"));
            npm
        }
        Client::Pip => {
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
            ]);
            pip.arg(format!("{name}=={exact}"));
            pip
        }
        Client::Apt => {
            let apt = apt.ok_or("apt is not set up")?;
            let mut get = apt.command();
            get.args(["--quiet", "source", "--download-only"]).arg(name);
            get
        }
        Client::Cargo => return Err("crates are got together".to_owned()),
    };
    succeed(command.current_dir(&downloads))?;
    let mut found = exact;
    for archive in entries(&downloads)? {
        let file_name = archive
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let Some(stem) = file_name.strip_suffix(".dsc") {
            found = stem.rsplit('_').next().unwrap_or_default().to_owned();
        } else {
            unpack(&archive, &file_name, &folder)?;
        }
    }
    Ok(Unpacked {
        folder,
        version: found,
    })
}

/// Unpacks an archive into a folder; other files are left.
fn unpack(archive: &Path, name: &str, folder: &Path) -> Result<(), String> {
    let is_tar = name.ends_with(".tgz") || name.contains(".tar.") && !name.ends_with(".asc");
    // What Debian adds is packaging, most of it the same in each package, but for its pipelines.
    let into = if name.contains(".debian.tar.") {
        folder.join("debian-packaging")
    } else {
        folder.to_owned()
    };
    let mut command = if is_tar {
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--no-same-owner", "--no-same-permissions", "--file"])
            .arg(archive);
        tar.arg("--directory").arg(&into);
        tar
    } else if name.ends_with(".whl") {
        let mut zip = Command::new("python3");
        zip.args(["-m", "zipfile", "-e"]).arg(archive).arg(&into);
        zip
    } else {
        return Ok(());
    };
    fs::create_dir_all(&into).map_err(|error| format!("cannot make {}: {error}", into.display()))?;
    succeed(&mut command).map(drop)
}

/// The crates that the workspace is locked to, each in a folder of its own; from the registry, or from cargo's cache.
///
/// # Errors
/// When cargo cannot get them.
pub fn crates(scratch: &Path) -> Result<Unpacked, String> {
    let folder = scratch.join("files");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["vendor", "--quiet", "--locked", "--versioned-dirs"])
        .arg(&folder);
    succeed(cargo.current_dir(run::workspace()))?;
    Ok(Unpacked {
        folder,
        version: "Cargo.lock".to_owned(),
    })
}

/// apt with lists of its own, which have the archives' sources: the machine's configuration stays as it is.
#[derive(Debug)]
pub struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Reads the machine's archives, and fetches the lists of their sources.
    ///
    /// # Errors
    /// When apt is not there, or an archive does not answer.
    pub fn set_up(folder: &Path) -> Result<Apt, String> {
        let failed = |error: std::io::Error| format!("cannot set up apt: {error}");
        for new in ["sources.list.d", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(new)).map_err(failed)?;
        }
        let mut lists = vec![PathBuf::from("/etc/apt/sources.list")];
        lists.extend(entries(Path::new("/etc/apt/sources.list.d")).unwrap_or_default());
        for list in lists.into_iter().filter(|list| list.is_file()) {
            let Some(name) = list.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.ends_with(".list") || name.ends_with(".sources") {
                let text = fs::read_to_string(&list).map_err(failed)?;
                fs::write(folder.join("sources.list.d").join(name), sources_only(&text)).map_err(failed)?;
            }
        }
        let apt = Apt {
            folder: folder.to_owned(),
        };
        succeed(apt.command().args(["--quiet", "update"]))?;
        Ok(apt)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        let folder = |inner: &str| self.folder.join(inner).display().to_string();
        for (option, value) in [
            ("Dir::Etc::SourceList", "/dev/null".to_owned()),
            ("Dir::Etc::SourceParts", folder("sources.list.d")),
            ("Dir::State::Lists", folder("lists")),
            ("Dir::Cache", folder("cache")),
        ] {
            command.arg("-o").arg(format!("{option}={value}"));
        }
        command
    }
}

/// A list of archives, of either form, with their sources in place of their packages.
fn sources_only(text: &str) -> String {
    let line = |line: &str| {
        if let Some(rest) = line.strip_prefix("deb ") {
            return format!("deb-src {rest}\n");
        }
        let is_types = line.to_ascii_lowercase().starts_with("types:");
        if is_types {
            "Types: deb-src\n".to_owned()
        } else {
            format!("{line}\n")
        }
    };
    text.lines().map(line).collect()
}

/// What a folder holds, in order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_list_of_archives_give_sources() {
        let old = "# main\ndeb [signed-by=/k] http://archive.test/debian stable main\ndeb-src http://archive.test/debian stable main\n";
        assert_eq!(
            sources_only(old),
            "# main\ndeb-src [signed-by=/k] http://archive.test/debian stable main\ndeb-src http://archive.test/debian stable main\n"
        );
        let new = "Types: deb deb-src\nURIs: http://archive.test/debian\nSuites: stable\n";
        assert_eq!(
            sources_only(new),
            "Types: deb-src\nURIs: http://archive.test/debian\nSuites: stable\n"
        );
    }
}
