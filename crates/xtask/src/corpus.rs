//! A corpus of real files to try `unstale check` on: Dockerfiles, Compose files, scripts, workflows and what belongs to
//! them, from packages that the ordinary clients get (`packages.txt`), and from checkouts that a person has.
//!
//! Must not: run any code of a package, or put a collected file into the repository.

mod clients;
pub mod kind;
mod packages;
pub mod store;

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use tempfile::TempDir;

use self::clients::{Apt, Unpacked};
use self::packages::Client;
use self::store::Store;
use crate::run::succeed;

/// What is collected, and where to.
///
/// Needs cargo, npm, python3 with pip, and apt-get with the archives of Debian or Ubuntu (root is not needed), GNU tar
/// with xz and bzip2. What a client cannot get is left out, and said.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The folder to fill; it must be new or empty, and outside of the repository
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The clients to ask; all without it
    #[arg(long = "client", value_name = "NAME,…", value_delimiter = ',')]
    clients: Option<Vec<Client>>,
    /// A folder of checkouts (each of its folders is one source) to take as well
    #[arg(long = "extra", value_name = "DIR")]
    extras: Vec<PathBuf>,
}

/// Collects; `false` when something could not be had.
///
/// # Errors
/// When the folder cannot be filled.
pub fn collect(arguments: &Arguments) -> Result<bool, String> {
    let mut store = Store::create(&arguments.to)?;
    let clients = arguments.clients.as_deref().unwrap_or(&Client::ALL);
    let packages: Vec<_> = packages::listed()?
        .into_iter()
        .filter(|package| clients.contains(&package.client))
        .collect();
    let mut complete = true;
    let apt_folder = scratch()?;
    let apt = clients
        .contains(&Client::Apt)
        .then(|| Apt::set_up(apt_folder.path()));
    if let Some(Err(problem)) = &apt {
        println!("apt: {}", last_line(problem));
    }
    let apt = apt.and_then(Result::ok);
    let mut take = |name: &str, client: Client, got: Result<Unpacked, String>| -> Result<(), String> {
        match got {
            Ok(Unpacked { folder, version }) => {
                let added = store.add(name, client.name(), &version, &folder);
                let added = added.map_err(|error| format!("cannot take {name}: {error}"))?;
                println!("{} {name} {version}: {added} files", client.name());
            }
            Err(problem) => {
                complete = false;
                println!("{} {name}: left out: {}", client.name(), last_line(&problem));
            }
        }
        Ok(())
    };
    if clients.contains(&Client::Cargo) {
        let scratch = scratch()?;
        take("crates", Client::Cargo, clients::crates(scratch.path()))?;
    }
    for package in &packages {
        let scratch = scratch()?;
        let name = format!("{}-{}", package.client.name(), package.name.replace('/', "-"));
        take(
            &name,
            package.client,
            clients::get(package, apt.as_ref(), scratch.path()),
        )?;
    }
    for extra in &arguments.extras {
        add_checkouts(&mut store, extra)?;
    }
    let totals = store
        .finish()
        .map_err(|error| format!("cannot write SOURCES.md: {error}"))?;
    println!("{totals}");
    Ok(complete)
}

/// Each folder in a folder is a source, with the commit that is checked out if it is one.
fn add_checkouts(store: &mut Store, extra: &std::path::Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", extra.display());
    let entries = std::fs::read_dir(extra).map_err(failed)?;
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut git = Command::new("git");
        // Not the commit of a repository that the folder merely lies in.
        git.arg("--git-dir")
            .arg(folder.join(".git"))
            .args(["rev-parse", "HEAD"]);
        let version =
            succeed(&mut git).map_or_else(|_| "?".to_owned(), |(commit, _)| commit.trim().to_owned());
        let added = store.add(&name, "checkout", &version, folder);
        let added = added.map_err(|error| format!("cannot take {name}: {error}"))?;
        println!("checkout {name} {version}: {added} files");
    }
    Ok(())
}

fn scratch() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))
}

/// Programs say much; the last line that says something is most often the reason.
fn last_line(problem: &str) -> &str {
    let mut lines = problem.lines().rev();
    lines
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_checkout_is_a_source_with_its_commit() {
        let scratch = tempfile::tempdir().expect("a folder");
        let extra = scratch.path().join("extra");
        for name in ["one", "other"] {
            fs::create_dir_all(extra.join(name)).expect("a folder");
            fs::write(extra.join(name).join("Dockerfile"), format!("FROM {name}\n")).expect("written");
        }
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(extra.join("one"))
                .args(["-c", "user.name=a", "-c", "user.email=a@b.test"]);
            succeed(git.args(arguments)).expect("git does it").0
        };
        git(&["init", "--quiet"]);
        git(&["commit", "--quiet", "--allow-empty", "--message", "a"]);
        let commit = git(&["rev-parse", "HEAD"]);
        let to = scratch.path().join("to");
        let arguments = Arguments {
            to: to.clone(),
            clients: Some(Vec::new()),
            extras: vec![extra],
        };
        assert!(collect(&arguments).expect("collected"));
        let sources = fs::read_to_string(to.join("SOURCES.md")).expect("a list");
        assert!(
            sources.contains(&format!("| one | checkout | {} | 1 |", commit.trim())),
            "{sources}"
        );
        assert!(sources.contains("| other | checkout | ? | 1 |"), "{sources}");
        assert!(to.join("dockerfiles/other__Dockerfile").is_file());
    }
}
