//! The opened context folder, and every access to what lies below it.
//!
//! Paths are opened below the folder's own handle without following a symbolic link anywhere on the way, so that a
//! folder swapped for a link during a walk leads nowhere.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat, statat};
use rustix::io::Errno;

use crate::error::{ContextError, escaped};

/// An opened context folder.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    handle: OwnedFd,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Root {
    /// Opens a folder; the path may lead there through symbolic links.
    pub(crate) fn open(asked: &Path) -> Result<Self, ContextError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ContextError::RootMissing {
                path: asked.to_owned(),
            },
            io::ErrorKind::NotADirectory => ContextError::RootNotDirectory {
                path: asked.to_owned(),
            },
            _ => ContextError::RootUnreadable {
                path: asked.to_owned(),
                source,
            },
        };
        let path = asked.canonicalize().map_err(failed)?;
        let handle = rustix::fs::open(&path, FOLDER, Mode::empty()).map_err(|error| failed(error.into()))?;
        Ok(Self { path, handle })
    }

    /// The folder's path without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder below the root (the root itself for the empty path or `.`).
    pub(crate) fn open_folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open_below(path, FOLDER)
    }

    /// Opens a file below the root for reading. A fifo does not block.
    pub(crate) fn open_file(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open_below(
            path,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        )
    }

    fn open_below(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.handle, path, flags, Mode::empty(), resolve) {
            // Kernels before 5.6 do not have the call, and sandboxes may refuse it.
            Err(Errno::NOSYS | Errno::PERM) => self.open_by_parts(path, flags),
            opened => opened,
        }
    }

    fn open_by_parts(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut folder: Option<OwnedFd> = None;
        let mut parts = path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        loop {
            let at = folder.as_ref().map_or(self.handle.as_fd(), AsFd::as_fd);
            let part = match parts.next() {
                Some(b"..") | None => return Err(Errno::NOENT),
                Some(part) => part,
            };
            if parts.peek().is_none() {
                return openat(at, part, flags | OFlags::NOFOLLOW, Mode::empty());
            }
            let opened = openat(at, part, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
            folder = Some(opened);
        }
    }

    /// The target of the symbolic link at `path`; `None` if there is no link, or nothing at all.
    pub(crate) fn link(&self, path: &str) -> Result<Option<String>, ContextError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return Ok(None);
        }
        let read = || {
            let folder = self.open_folder(folder.as_bytes())?;
            let stat = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
            is_link.then(|| readlinkat(&folder, name, Vec::new())).transpose()
        };
        match read() {
            Ok(target) => target
                .map(|target| utf8_link(path.as_bytes(), target))
                .transpose(),
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(unreadable(path.as_bytes(), error)),
        }
    }

    /// The names in the folder at `path`, sorted by their bytes; none if it is not a folder.
    pub(crate) fn names(&self, path: &str) -> Result<Vec<Vec<u8>>, ContextError> {
        let read = || list(self.open_folder(path.as_bytes())?.as_fd());
        match read() {
            Ok(names) => Ok(names.into_iter().map(|(name, _)| name).collect()),
            Err(error) if is_absent(error) => Ok(Vec::new()),
            Err(error) => Err(unreadable(path.as_bytes(), error)),
        }
    }
}

/// The names in an opened folder with the types that the file system tells, sorted by their bytes.
pub(crate) fn list(folder: BorrowedFd<'_>) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push((name.to_owned(), entry.file_type()));
        }
    }
    names.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(names)
}

/// The extended attributes of a name in an opened folder, sorted, as fsutil sends them: Apple's own are left out, and
/// so is one that cannot be read.
pub(crate) fn xattrs(
    folder: BorrowedFd<'_>,
    root: &Root,
    path: &[u8],
) -> Result<Vec<(String, Vec<u8>)>, Errno> {
    // There is no call that takes a folder handle and a name; the handle's entry in /proc stands for it.
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let mut place = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    place.extend_from_slice(name);
    let names = match list_xattrs(&place) {
        Err(Errno::NOENT) => {
            place = root
                .path
                .join(std::ffi::OsStr::from_bytes(path))
                .as_os_str()
                .as_bytes()
                .to_owned();
            list_xattrs(&place)?
        }
        names => names?,
    };
    let mut found = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        if !name.starts_with("com.apple.")
            && let Ok(value) = grown(|buffer| rustix::fs::lgetxattr(place.as_slice(), name, buffer))
        {
            found.push((name.to_owned(), value));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn list_xattrs(place: &[u8]) -> Result<Vec<u8>, Errno> {
    match grown(|buffer| rustix::fs::llistxattr(place, buffer)) {
        Err(Errno::NOTSUP) => Ok(Vec::new()),
        names => names,
    }
}

/// Calls with a larger buffer for as long as the answer does not fit; the kernel's own limit is 64 KiB.
fn grown(mut call: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 16, 0),
            Err(error) => return Err(error),
        }
    }
}

/// A link target as text.
pub(crate) fn utf8_link(path: &[u8], target: CString) -> Result<String, ContextError> {
    target.into_string().map_err(|error| ContextError::NotUtf8 {
        what: "link target",
        escaped: format!(
            "{} -> {}",
            escaped(path),
            escaped(error.into_cstring().to_bytes())
        ),
    })
}

/// An error about a path below the root.
pub(crate) fn unreadable(path: &[u8], error: Errno) -> ContextError {
    ContextError::Unreadable {
        path: escaped(path),
        source: error.into(),
    }
}

/// Whether an error says that there is nothing at a path, or not what was there before.
pub(crate) fn is_absent(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Where the one call is not to be had, opening part by part must give the same answers.
    #[test]
    fn opening_by_parts_is_as_strict_as_the_one_call() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("context/a/b")).unwrap();
        fs::write(at("context/a/b/file"), "inside").unwrap();
        fs::write(at("outside"), "outside").unwrap();
        symlink("a", at("context/link")).unwrap();
        symlink("/etc/passwd", at("context/escape")).unwrap();
        symlink("b/file", at("context/a/last")).unwrap();
        let root = Root::open(&at("context")).unwrap();
        for path in [
            "a/b/file",
            "a/b",
            ".",
            "link/b/file",
            "a/last",
            "escape",
            "../outside",
            "a/../../outside",
            "none",
            "a/b/file/x",
        ] {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let one_call = root.open_below(path.as_bytes(), flags).is_ok();
            let by_parts = root.open_by_parts(path.as_bytes(), flags).is_ok();
            assert_eq!(one_call, by_parts, "{path}");
            assert_eq!(one_call, matches!(path, "a/b/file" | "a/b" | "."), "{path}");
        }
    }
}
