//! Writes changed files: the old one stays until the new one is whole, and its mode is kept.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why a file could not be written. It is as it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// Replaces a file's content. A symbolic link stays one: what it leads to is replaced.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<(), WriteError> {
    let with_path = |source| WriteError {
        path: path.to_owned(),
        source,
    };
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(with_path(error)),
    };
    write(&target, text).map_err(with_path)
}

fn write(target: &Path, text: &str) -> std::io::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut new = tempfile::Builder::new()
        .prefix(".unstale-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    new.write_all(text.as_bytes())?;
    match fs::metadata(target) {
        Ok(old) => new.as_file().set_permissions(old.permissions())?,
        // A temporary file is its owner's alone; a new one is what a program would make.
        Err(_) => default_mode(new.as_file())?,
    }
    new.as_file().sync_all()?;
    new.persist(target).map_err(|error| error.error)?;
    Ok(())
}

fn default_mode(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_mode_and_a_link_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("build.sh");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("build.sh", &link).unwrap();
        replace(&link, "new\r\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new\r\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_said_and_stays() {
        let error = replace(Path::new("/proc/unstale/none"), "x").unwrap_err();
        assert_eq!(error.to_string(), "cannot write /proc/unstale/none");
    }
}
