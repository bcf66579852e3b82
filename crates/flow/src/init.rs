//! Files that unstale writes into a project: the workflow that clears caches with its script, and the contract.
//!
//! What is not the same as what would be written is never overwritten unasked, and nothing is written outside of the
//! project or of its git repository.

mod contract;

pub use contract::contract;

use crate::build::project_folder;
use crate::check::CheckError;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use unstale_docker::compose::ProjectOptions;
use unstale_docker::{Compose, Environment};

const WORKFLOW: &str = include_str!("init/clear-caches.yml");
const SCRIPT: &str = include_str!("init/clear-caches.sh");

/// What [`clear_caches`] is asked for.
#[derive(Debug, Clone)]
pub struct InitRequest {
    /// Which project.
    pub project: ProjectOptions,
    /// The folder that paths on the command line start from, absolute.
    pub cwd: PathBuf,
    /// Overwrite files that stand there already.
    pub force: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitReport {
    /// The files, each as it is wanted by now.
    pub files: Vec<InitFile>,
    /// What is worth a warning, for example why no services are offered.
    pub notes: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitFile {
    /// Where it stands, absolute.
    pub path: PathBuf,
    /// Whether it was written. Otherwise it stood there, and is the same.
    pub written: bool,
}

/// Why the files cannot be written. Nothing was written, unless the disk failed in between.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Other files stand in their place.
    #[error("there already, and different: {}", list(paths))]
    Exists {
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// A link leads out of the project.
    #[error("{} leads out of {}", path.display(), root.display())]
    Outside {
        /// The folder that is a link, or below one.
        path: PathBuf,
        /// Where the file has to be.
        root: PathBuf,
    },
    /// The project's folder has a name that a workflow cannot hold.
    #[error("a workflow cannot name the folder {folder:?}")]
    FolderName {
        /// Relative to the git repository.
        folder: PathBuf,
    },
    /// The settings state a contract already.
    #[error("{} has a [contract] already", path.display())]
    HasContract {
        /// The settings.
        path: PathBuf,
    },
    /// Nothing in the project can be promised.
    #[error("nothing to promise: no file builds images, clears caches or carries the commit")]
    NoContract,
    /// The project cannot be read.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The system refused something.
    #[error("cannot {action} {}", path.display())]
    Filesystem {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl InitError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            InitError::Exists { .. } => Some("--force overwrites; nothing was written".to_owned()),
            InitError::Outside { .. } => Some("take the link away, or write the file by hand".to_owned()),
            InitError::FolderName { .. } => Some("rename it: no line breaks, no `${{`, and UTF-8".to_owned()),
            InitError::HasContract { .. } => {
                Some("take the section out to have it written anew; nothing was written".to_owned())
            }
            InitError::NoContract => Some("unstale check says what can go wrong".to_owned()),
            InitError::Check(error) => error.hint(),
            InitError::Filesystem { .. } => None,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// Writes the workflow that clears caches into the git repository (or the project's folder), and its script into
/// the project's folder. The workflow offers the services that Compose finds; without Compose it offers none.
///
/// # Errors
/// See [`InitError`].
pub async fn clear_caches(environment: &Environment, request: &InitRequest) -> Result<InitReport, InitError> {
    let failed = |action, path: &Path| {
        let path = path.to_path_buf();
        move |source| InitError::Filesystem { action, path, source }
    };
    let folder = project_folder(&request.project, &request.cwd);
    let folder = folder.canonicalize().map_err(failed("find", &folder))?;
    let root = folder.ancestors().find(|folder| folder.join(".git").exists());
    let root = root.unwrap_or(&folder);
    let below = folder.strip_prefix(root).unwrap_or(Path::new(""));

    let (services, notes) = services(environment, &request.project).await;
    let workflow = workflow(&services, below).ok_or_else(|| InitError::FolderName {
        folder: below.to_path_buf(),
    })?;
    let files = [
        Planned::new(root, ".github/workflows/clear-caches.yml", workflow, 0o644)?,
        Planned::new(&folder, "scripts/clear-caches.sh", SCRIPT.to_owned(), 0o755)?,
    ];
    // All are looked at before the first is written.
    let conflicts = files.iter().filter(|file| file.found == Found::Different);
    let paths: Vec<PathBuf> = conflicts.map(|file| file.path.clone()).collect();
    if !paths.is_empty() && !request.force {
        return Err(InitError::Exists { paths });
    }
    for file in files.iter().filter(|file| file.found != Found::Same) {
        file.write(request.force).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => InitError::Exists {
                paths: vec![file.path.clone()],
            },
            _ => failed("write", &file.path)(error),
        })?;
    }
    let files = files.into_iter().map(|file| InitFile {
        written: file.found != Found::Same,
        path: file.path,
    });
    Ok(InitReport {
        files: files.collect(),
        notes,
    })
}

/// The services that have a build section, and what hinders from offering some of them.
async fn services(environment: &Environment, options: &ProjectOptions) -> (Vec<String>, Vec<String>) {
    let resolved = match Compose::resolve_to_look(environment, options, &[]).await {
        Ok(resolved) => resolved,
        Err(error) => {
            let note = format!("the workflow offers no services: {error}");
            return (Vec::new(), vec![note]);
        }
    };
    let built = resolved.project.services.into_values();
    let names = built
        .filter(|service| service.build.is_some())
        .map(|service| service.name);
    let (offered, others): (Vec<String>, Vec<String>) = names.partition(|name| can_be_offered(name));
    let notes = others.into_iter().map(|name| {
        format!("the workflow does not offer the service {name:?}: the name means something else there")
    });
    (offered, notes.collect())
}

/// Whether a service can be a choice: Compose's own rule for names, and no word that means a target.
fn can_be_offered(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    // The targets stand in the workflow itself.
    let is_target = WORKFLOW
        .lines()
        .any(|line| line.trim().strip_prefix("- ") == Some(name));
    !name.is_empty() && name.chars().all(is_plain) && !is_target
}

/// The workflow of a project in the folder `below` the repository's root. [`None`] if YAML or GitHub would understand the
/// folder's name as something else.
fn workflow(services: &[String], below: &Path) -> Option<String> {
    let below = below.to_str()?;
    // YAML has line breaks that are no control characters.
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if below.contains("${{") || below.chars().any(is_break) {
        return None;
    }
    let mut text = String::with_capacity(WORKFLOW.len());
    for line in WORKFLOW.split_inclusive('\n') {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim() {
            // In quotes: a service may be called `on` or `1.0`.
            "# services" => text.extend(services.iter().map(|name| format!("{indent}- '{name}'\n"))),
            "# working-directory" if below.is_empty() => {}
            "# working-directory" => {
                let quoted = below.replace('\'', "''");
                text.push_str(&format!("{indent}working-directory: '{quoted}'\n"));
            }
            _ => text.push_str(line),
        }
    }
    Some(text)
}

/// A file that is to be written.
struct Planned {
    path: PathBuf,
    content: String,
    mode: u32,
    found: Found,
}

/// What stands in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Same,
    /// The same content with other permissions.
    Mode,
    Different,
}

impl Planned {
    fn new(root: &Path, relative: &str, content: String, mode: u32) -> Result<Planned, InitError> {
        let path = root.join(relative);
        stays_inside(root, &path)?;
        let failed = |source| InitError::Filesystem {
            action: "read",
            path: path.clone(),
            source,
        };
        let found = match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Found::Nothing,
            Err(error) => return Err(failed(error)),
            Ok(meta) if !meta.is_file() || meta.len() != content.len() as u64 => Found::Different,
            Ok(meta) => match fs::read(&path).map_err(failed)? == content.as_bytes() {
                false => Found::Different,
                true if meta.permissions().mode() & 0o111 == mode & 0o111 => Found::Same,
                true => Found::Mode,
            },
        };
        Ok(Planned {
            path,
            content,
            mode,
            found,
        })
    }

    /// Writes it whole or not at all. What came to stand there meanwhile is replaced only by `force`.
    fn write(&self, force: bool) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(self.content.as_bytes())?;
        file.as_file()
            .set_permissions(Permissions::from_mode(self.mode))?;
        file.as_file().sync_all()?;
        let persisted = if force || self.found == Found::Mode {
            file.persist(&self.path)
        } else {
            file.persist_noclobber(&self.path)
        };
        persisted.map(drop).map_err(|error| error.error)
    }
}

/// Sees that no link on the way to a file leads out of a folder: what is written through it would change files of others.
fn stays_inside(root: &Path, path: &Path) -> Result<(), InitError> {
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != root);
    for folder in folders.filter(|folder| folder.symlink_metadata().is_ok()) {
        if !folder.canonicalize().is_ok_and(|real| real.starts_with(root)) {
            return Err(InitError::Outside {
                path: folder.to_path_buf(),
                root: root.to_path_buf(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_name_cannot_be_mistaken() {
        for name in ["web", "on", "1.0", "-x", "a_b.c-d", "services"] {
            assert!(can_be_offered(name), "{name}");
        }
        for name in [
            "",
            "all",
            "ci",
            "ledger",
            "a b",
            "a'",
            "${{ secrets.X }}",
            "a\nb",
            "\u{e4}",
        ] {
            assert!(!can_be_offered(name), "{name}");
        }
        let text = workflow(&["on".to_owned(), "web".to_owned()], Path::new("")).unwrap();
        assert!(text.contains("          - ledger\n          - 'on'\n          - 'web'\n\npermissions:"));
    }

    #[test]
    fn a_folder_below_the_repository_is_the_place_where_the_script_runs() {
        let text = |folder: &str| workflow(&[], Path::new(folder));
        assert!(!text("").unwrap().contains("working-directory"));
        assert!(
            text("it's/a b")
                .unwrap()
                .contains("        working-directory: 'it''s/a b'\n        env:")
        );
        for folder in ["a${{ secrets.X }}", "a\nb", "a\u{85}b", "a\u{2028}b"] {
            assert_eq!(text(folder), None, "{folder:?}");
        }
    }

    #[test]
    fn no_value_is_put_into_a_command() {
        let text = workflow(&[], Path::new("")).unwrap();
        let commands: Vec<&str> = text.lines().filter(|line| line.contains("run:")).collect();
        assert_eq!(commands, ["        run: bash scripts/clear-caches.sh"]);
    }
}
