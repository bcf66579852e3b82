//! The file tree of an image, read from `docker save`: layers applied in order, whiteouts included. Times are left
//! out on purpose: they are in no cache key, and no promise is made of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::http;

/// What a path in an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character or block device.
    Device,
    /// A named pipe.
    Fifo,
}

/// One path of an image's file tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u64,
    /// The owning group.
    pub gid: u64,
    /// A symbolic link's target; of a hard link, the path that came first; of a device, `major:minor`.
    pub link: Option<PathBuf>,
    /// A file's content, as lower-case hex.
    pub sha256: Option<String>,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// Reads an image's file tree; paths are relative to the root, which itself is not in it.
///
/// # Errors
/// When the engine has no such image, or it is stored in a form that is not understood.
pub fn image_tree(engine: &Engine, image: &str) -> Result<BTreeMap<PathBuf, Node>> {
    let mut file = tempfile::tempfile().map_err(Error::io("create", std::env::temp_dir()))?;
    let failed = || Error::io("read the image from", &engine.socket);
    let path = format!("/images/get?names={}", http::escape(image));
    io::copy(&mut http::request(&engine.socket, "GET", &path, &[])?, &mut file).map_err(failed())?;
    let members = index(&mut file).map_err(failed())?;
    let not_understood = |what: &str| Error::Unavailable(format!("image {image}: {what}"));
    let (start, size) = *members
        .get(Path::new("manifest.json"))
        .ok_or_else(|| not_understood("no manifest"))?;
    let manifest = read_at(&mut file, start, size)
        .and_then(|member| serde_json::from_reader::<_, Value>(member).map_err(io::Error::from));
    let manifest = manifest.map_err(failed())?;
    let mut tree = BTreeMap::new();
    for layer in manifest[0]["Layers"]
        .as_array()
        .ok_or_else(|| not_understood("no layers"))?
    {
        let name = Path::new(layer.as_str().unwrap_or_default());
        let (start, size) = *members
            .get(name)
            .ok_or_else(|| not_understood("a layer is missing"))?;
        let layer = read_at(&mut file, start, size)
            .and_then(decompress)
            .map_err(failed())?;
        apply(&mut tree, layer).map_err(failed())?;
    }
    Ok(tree)
}

/// Where each member of the saved archive is: offset and size. Engines before 25 save a repeated layer as a link.
fn index(file: &mut File) -> io::Result<BTreeMap<PathBuf, (u64, u64)>> {
    file.seek(SeekFrom::Start(0))?;
    let (mut members, mut links) = (BTreeMap::new(), Vec::new());
    for entry in Archive::new(&*file).entries()? {
        let entry = entry?;
        let name = normal(&entry.path()?);
        if let Some(target) = entry.link_name()? {
            links.push((normal(&name.parent().unwrap_or(Path::new("")).join(target)), name));
        } else {
            members.insert(name, (entry.raw_file_position(), entry.size()));
        }
    }
    for (target, name) in links {
        if let Some(place) = members.get(&target).copied() {
            members.insert(name, place);
        }
    }
    Ok(members)
}

fn read_at(file: &mut File, start: u64, size: u64) -> io::Result<impl Read> {
    file.seek(SeekFrom::Start(start))?;
    Ok(io::BufReader::new(file.take(size)))
}

fn decompress<'a>(mut layer: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut magic = [0; 4];
    layer.read_exact(&mut magic)?;
    let whole = io::Cursor::new(magic).chain(layer);
    match magic {
        [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a layer is zstd-compressed",
        )),
        _ => Ok(Box::new(whole)),
    }
}

fn apply(tree: &mut BTreeMap<PathBuf, Node>, layer: impl Read) -> io::Result<()> {
    let mut added: BTreeMap<PathBuf, Node> = BTreeMap::new();
    let mut pax = Pax::default();
    for entry in Archive::new(layer).entries()?.raw(true) {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::XHeader => {
                pax = Pax::read(&mut entry)?;
                continue;
            }
            EntryType::XGlobalHeader => continue,
            EntryType::GNULongName | EntryType::GNULongLink => {
                return Err(io::Error::other(
                    "a layer is in GNU's format, which engines do not write",
                ));
            }
            _ => {}
        }
        let pax = std::mem::take(&mut pax);
        let path = match pax.get("path") {
            Some(path) => normal(Path::new(OsStr::from_bytes(path))),
            None => normal(&entry.path()?),
        };
        let (folder, name) = (
            path.parent().unwrap_or(Path::new("")),
            path.file_name().unwrap_or_default(),
        );
        if name == ".wh..wh..opq" {
            tree.retain(|path, _| path == folder || !path.starts_with(folder));
        } else if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            let hidden = folder.join(OsStr::from_bytes(hidden));
            tree.retain(|path, _| !path.starts_with(&hidden));
        } else if entry.header().entry_type() == EntryType::Link {
            let target = normal(&link(&entry, &pax)?);
            let found = added.get(&target).or_else(|| tree.get(&target)).cloned();
            let found = found
                .ok_or_else(|| io::Error::other(format!("hard link to nothing: {}", target.display())))?;
            added.insert(
                path,
                Node {
                    link: Some(target),
                    ..found
                },
            );
        } else if !name.is_empty() {
            let node = node(&mut entry, &pax)?;
            added.insert(path, node);
        }
    }
    for (path, node) in added {
        if node.kind != Kind::Directory {
            tree.retain(|other, _| !other.starts_with(&path));
        }
        tree.insert(path, node);
    }
    Ok(())
}

/// The records of a PAX header. The tar crate takes a line end within a value for the record's end, so that a name
/// with a line end, or a binary attribute, would not be read.
#[derive(Debug, Default)]
struct Pax(BTreeMap<String, Vec<u8>>);

impl Pax {
    fn read(header: &mut impl Read) -> io::Result<Self> {
        let mut data = Vec::new();
        header.read_to_end(&mut data)?;
        let (mut records, mut rest) = (BTreeMap::new(), data.as_slice());
        while !rest.is_empty() {
            // `<length of the record> <key>=<value>\n`
            let record = || -> Option<(usize, String, Vec<u8>)> {
                let space = rest.iter().position(|byte| *byte == b' ')?;
                let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
                let record = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
                let equals = record.iter().position(|byte| *byte == b'=')?;
                let key = String::from_utf8_lossy(&record[..equals]).into_owned();
                Some((length, key, record[equals + 1..].to_vec()))
            };
            let (length, key, value) =
                record().ok_or_else(|| io::Error::other("a layer has a malformed PAX header"))?;
            records.insert(key, value);
            rest = &rest[length..];
        }
        Ok(Self(records))
    }

    fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// A number that the header may have no room for.
    fn number(&self, key: &str, header: u64) -> u64 {
        let text = self.get(key).and_then(|value| std::str::from_utf8(value).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(header)
    }
}

fn link<R: Read>(entry: &Entry<'_, R>, pax: &Pax) -> io::Result<PathBuf> {
    Ok(match pax.get("linkpath") {
        Some(target) => PathBuf::from(OsStr::from_bytes(target)),
        None => entry.link_name()?.unwrap_or_default().into_owned(),
    })
}

fn node<R: Read>(entry: &mut Entry<'_, R>, pax: &Pax) -> io::Result<Node> {
    let attribute = |(key, value): (&String, &Vec<u8>)| {
        let name = key.strip_prefix("SCHILY.xattr.")?;
        Some((name.to_owned(), value.clone()))
    };
    let xattrs = pax.0.iter().filter_map(attribute).collect();
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Char | EntryType::Block => Kind::Device,
        EntryType::Fifo => Kind::Fifo,
        _ => Kind::File,
    };
    let device = || -> io::Result<_> {
        let number = |part: Option<u32>| part.unwrap_or_default();
        Ok(PathBuf::from(format!(
            "{}:{}",
            number(header.device_major()?),
            number(header.device_minor()?)
        )))
    };
    let link = match kind {
        Kind::Symlink => Some(link(entry, pax)?),
        Kind::Device => Some(device()?),
        _ => None,
    };
    let mode = header.mode()? & 0o7777;
    let (uid, gid) = (pax.number("uid", header.uid()?), pax.number("gid", header.gid()?));
    let mut hash = Sha256::new();
    let sha256 = match kind {
        Kind::File => Some(io::copy(entry, &mut hash).map(|_| hex::encode(hash.finalize()))?),
        _ => None,
    };
    Ok(Node {
        kind,
        mode,
        uid,
        gid,
        link,
        sha256,
        xattrs,
    })
}

/// The path without `.`, `..` and a leading or trailing slash.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => drop(normal.pop()),
            _ => {}
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pax_value_may_hold_a_line_end() {
        let pax = Pax::read(&mut &b"14 path=a\nb/c\n23 SCHILY.xattr.u=x\n=\n\n"[..]).expect("well-formed");
        assert_eq!(pax.get("path"), Some(b"a\nb/c".as_slice()));
        assert_eq!(pax.get("SCHILY.xattr.u"), Some(b"x\n=\n".as_slice()));
        assert!(Pax::read(&mut &b"13 path=a\nb/c\n"[..]).is_err());
    }
}
