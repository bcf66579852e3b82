//! The walk: everything that a filter selects, in the order in which it is sent.
//!
//! Pre-order, siblings by the bytes of their names. A folder that is not selected itself comes right before the
//! first selected path below it. File contents are not opened here.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, FileType, Stat, fstatfs, readlinkat, statat};
use rustix::io::Errno;

use crate::error::{ContextError, escaped};
use crate::filter::{Filter, State};
use crate::root::{Root, is_absent, list, unreadable, utf8_link, xattrs};

/// One path that is sent.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: Box<str>,
    pub(crate) stat: Stat,
    pub(crate) link: Option<Box<str>>,
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
    /// The file lies on a file system of this machine, whose clock is the kernel's.
    pub(crate) local: bool,
}

/// Walks `root` and hands every selected path to `emit`.
pub(crate) fn walk(
    root: &Root,
    filter: &Filter,
    cancel: &AtomicBool,
    mut emit: impl FnMut(Found),
) -> Result<(), ContextError> {
    let mut walk = Walk {
        root,
        filter,
        cancel,
        devices: HashMap::new(),
    };
    let top = walk.children(b"", None, true)?;
    let mut folders = vec![Folder {
        children: top.into_iter(),
        unsent: None,
    }];
    while let Some(folder) = folders.last_mut() {
        let Some(child) = folder.children.next() else {
            folders.pop();
            continue;
        };
        let grandchildren = match &child.below {
            Some(state) => walk.children(&child.path, Some(state), child.selected)?,
            None => Vec::new(),
        };
        let is_folder = child.below.is_some();
        let mut unsent = Some(child);
        if unsent.as_ref().is_some_and(|child| child.selected) {
            let parents = folders.iter_mut().filter_map(|folder| folder.unsent.take());
            for sent in parents.chain(unsent.take()) {
                emit(sent.found()?);
            }
        }
        if is_folder {
            folders.push(Folder {
                children: grandchildren.into_iter(),
                unsent,
            });
        }
    }
    Ok(())
}

/// A folder on the way down.
struct Folder {
    children: std::vec::IntoIter<Child>,
    /// The folder itself, if nothing selected has been found below it so far.
    unsent: Option<Child>,
}

/// A path that is sent, or may have to be because of what lies below it.
struct Child {
    path: Vec<u8>,
    selected: bool,
    /// For a folder to look into: what its children need to know.
    below: Option<State>,
    stat: Stat,
    link: Option<Box<str>>,
    xattrs: Vec<(String, Vec<u8>)>,
    local: bool,
}

impl Child {
    fn found(self) -> Result<Found, ContextError> {
        let path = String::from_utf8(self.path).map_err(|error| ContextError::NotUtf8 {
            what: "file name",
            escaped: escaped(error.as_bytes()),
        })?;
        Ok(Found {
            path: path.into(),
            stat: self.stat,
            link: self.link,
            xattrs: self.xattrs,
            local: self.local,
        })
    }
}

struct Walk<'w> {
    root: &'w Root,
    filter: &'w Filter,
    cancel: &'w AtomicBool,
    /// Whether the file system of a device number is local.
    devices: HashMap<u64, bool>,
}

impl Walk<'_> {
    /// The children of a folder that matter.
    fn children(
        &mut self,
        path: &[u8],
        state: Option<&State>,
        sent: bool,
    ) -> Result<Vec<Child>, ContextError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(ContextError::Cancelled);
        }
        let opened = self.root.open_folder(path);
        let (folder, names) =
            match opened.and_then(|folder| list(folder.as_fd()).map(|names| (folder, names))) {
                Ok(opened) => opened,
                // As fsutil does: a folder that is not sent itself may be closed to us.
                Err(Errno::ACCESS) if !sent => return Ok(Vec::new()),
                Err(error) if is_absent(error) => {
                    return Err(ContextError::ChangedDuringBuild { path: escaped(path) });
                }
                Err(error) => return Err(unreadable(path, error)),
            };
        let folder = folder.as_fd();
        let local = self.is_local(folder).map_err(|error| unreadable(path, error))?;
        let mut children = Vec::new();
        for (name, kind) in names {
            let path = if path.is_empty() {
                name
            } else {
                [path, b"/", &name].concat()
            };
            match self.child(folder, path, kind, state, local) {
                Ok(child) => children.extend(child),
                Err(Failure::Vanished) => {}
                Err(Failure::Error(error)) => return Err(error),
            }
        }
        Ok(children)
    }

    fn child(
        &self,
        folder: BorrowedFd<'_>,
        path: Vec<u8>,
        kind: FileType,
        state: Option<&State>,
        (device, local): (u64, bool),
    ) -> Result<Option<Child>, Failure> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Failure::Error(ContextError::Cancelled));
        }
        let failed = |error| {
            if error == Errno::NOENT {
                Failure::Vanished
            } else {
                Failure::Error(unreadable(&path, error))
            }
        };
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(&path);
        let stat_now = || statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed);
        let (kind, known) = match kind {
            FileType::Unknown => {
                let stat = stat_now()?;
                (FileType::from_raw_mode(stat.st_mode), Some(stat))
            }
            kind => (kind, None),
        };
        let is_dir = kind == FileType::Directory;
        let visit = self
            .filter
            .visit(&for_matching(&path), is_dir, state)
            .map_err(Failure::Error)?;
        let descend = is_dir && visit.descend;
        if !visit.selected && !descend {
            return Ok(None);
        }
        let stat = known.map_or_else(stat_now, Ok)?;
        if FileType::from_raw_mode(stat.st_mode) != kind {
            return Err(Failure::Error(ContextError::ChangedDuringBuild {
                path: escaped(&path),
            }));
        }
        let link = match kind {
            FileType::Symlink => {
                let target = readlinkat(folder, name, Vec::new()).map_err(failed)?;
                Some(utf8_link(&path, target).map_err(Failure::Error)?.into())
            }
            _ => None,
        };
        let xattrs = xattrs(folder, self.root, &path).map_err(failed)?;
        let below = descend.then_some(visit.state);
        let local = local && stat.st_dev == device;
        Ok(Some(Child {
            selected: visit.selected,
            below,
            stat,
            link,
            xattrs,
            local,
            path,
        }))
    }

    /// The device of an opened folder, and whether it is a local file system.
    fn is_local(&mut self, folder: BorrowedFd<'_>) -> Result<(u64, bool), Errno> {
        let device = rustix::fs::fstat(folder)?.st_dev;
        if let Some(local) = self.devices.get(&device) {
            return Ok((device, *local));
        }
        let local = !REMOTE.contains(&(fstatfs(folder)?.f_type as u32));
        self.devices.insert(device, local);
        Ok((device, local))
    }
}

enum Failure {
    /// The name went away after its folder was read: it never was part of the context.
    Vanished,
    Error(ContextError),
}

/// `statfs` magic numbers of file systems whose timestamps are not made by this machine's kernel clock.
const REMOTE: [u32; 16] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xfe53_4d42, // SMB2
    0xff53_4d42, // CIFS
    0x0102_1997, // 9p
    0x6573_5546, // FUSE
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x7375_7245, // Coda
    0x0bd0_0bd0, // Lustre
    0x786f_4256, // VirtualBox shared folder
    0xbacb_acbc, // VMware shared folder
    0x7c7c_6673, // Parallels shared folder
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
];

/// A path for the pattern matcher, which counts every byte outside of UTF-8 as one U+FFFD.
fn for_matching(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}
