//! How an entry of a snapshot is announced: fsutil's STAT, with a time that stands for the content.

use crate::proto::fsutil::Stat;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use unstale_context::{Entry, Kind};

/// Nanoseconds that stand for the content and the extended attributes of an entry. `None` where neither
/// exists: then the entry's own time is as good as any, since the daemon compares all the rest.
fn salt(entry: &Entry) -> Option<i64> {
    let content: &[u8] = match &entry.kind {
        Kind::File { sha256, .. } => sha256,
        _ if entry.xattrs.is_empty() => return None,
        _ => &[],
    };
    let mut hash = Sha256::new();
    hash.update(content);
    for (name, value) in &entry.xattrs {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((value.len() as u64).to_le_bytes());
        hash.update(value);
    }
    let digest = hash.finalize();
    let word = u64::from_le_bytes([
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
    ]);
    Some((word % 1_000_000_000) as i64)
}

/// The STATs of entries in their order.
///
/// A hard link has size and time of the file that it stands for: the daemon takes it for changed if they are not
/// those of what it holds, and then links it anew over itself, which leaves a file named `.tmp.…` in the context.
pub(super) fn stats(entries: &[Entry]) -> impl Iterator<Item = Stat> {
    let mut firsts: HashMap<&str, (i64, i64)> = HashMap::new();
    for entry in entries {
        if let Kind::HardLink { to } = &entry.kind {
            firsts.insert(to, (0, 0));
        }
    }
    entries.iter().map(move |entry| {
        let mut stat = stat(entry);
        match &entry.kind {
            Kind::HardLink { to } => {
                if let Some(first) = firsts.get(&**to) {
                    (stat.size, stat.mod_time) = *first;
                }
            }
            _ => {
                if let Some(first) = firsts.get_mut(&*entry.path) {
                    *first = (stat.size, stat.mod_time);
                }
            }
        }
        stat
    })
}

/// The STAT of an entry as fsutil's sender writes it: owned by root, with Go's mode bits. What a hard link has of its
/// first name is left out.
fn stat(entry: &Entry) -> Stat {
    let (seconds, nanoseconds) = entry.mtime;
    let nanoseconds = salt(entry).unwrap_or_else(|| i64::from(nanoseconds));
    let mut stat = Stat {
        path: entry.path.to_string(),
        mode: go_mode(entry.mode),
        mod_time: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        xattrs: entry.xattrs.iter().cloned().collect(),
        ..Stat::default()
    };
    match &entry.kind {
        Kind::File { size, .. } => stat.size = i64::try_from(*size).unwrap_or(i64::MAX),
        Kind::HardLink { to } => stat.linkname = to.to_string(),
        Kind::Symlink { target } => {
            stat.size = i64::try_from(target.len()).unwrap_or(i64::MAX);
            stat.linkname = target.to_string();
        }
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            (stat.devmajor, stat.devminor) = (i64::from(*major), i64::from(*minor));
        }
        Kind::Directory | Kind::Fifo => {}
    }
    stat
}

/// A unix `st_mode` in the bits of Go's `os.FileMode`.
fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170000 {
        0o040000 => 1 << 31,
        0o120000 => 1 << 27,
        0o060000 => 1 << 26,
        0o020000 => (1 << 26) | (1 << 21),
        0o010000 => 1 << 25,
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special
        .iter()
        .filter(|(unix, _)| mode & unix != 0)
        .fold(0, |bits, (_, go)| bits | go);
    kind | special | (mode & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_go_file_modes() {
        // The values are Go's os.ModeDir, ModeSymlink … as documented in package io/fs.
        assert_eq!(go_mode(0o100644), 0o644);
        assert_eq!(go_mode(0o104755), (1 << 23) | 0o755);
        assert_eq!(go_mode(0o041777), (1 << 31) | (1 << 20) | 0o777);
        assert_eq!(go_mode(0o120777), (1 << 27) | 0o777);
        assert_eq!(go_mode(0o020600), (1 << 26) | (1 << 21) | 0o600);
        assert_eq!(go_mode(0o010600), (1 << 25) | 0o600);
    }

    #[test]
    fn the_time_sent_depends_on_content_and_attributes_only() {
        let entry = |byte: u8, xattrs: &[(&str, &str)]| Entry {
            path: "a".into(),
            mode: 0o100644,
            mtime: (1_700_000_000, 5),
            xattrs: xattrs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            kind: Kind::File {
                size: 1,
                sha256: [byte; 32],
                tarsum: [byte; 32],
            },
        };
        let time = |entry: &Entry| stat(entry).mod_time;
        let one = entry(1, &[]);
        assert_eq!(
            time(&one),
            time(&Entry {
                mtime: (1_700_000_000, 999),
                ..entry(1, &[])
            })
        );
        assert_ne!(time(&one), time(&entry(2, &[])));
        assert_ne!(time(&one), time(&entry(1, &[("user.a", "b")])));
        assert_ne!(
            time(&entry(1, &[("user.a", "b")])),
            time(&entry(1, &[("user.ab", "")]))
        );
        assert_eq!(
            time(&one) / 1_000_000_000,
            1_700_000_000,
            "the whole seconds are the file's own"
        );
    }

    #[test]
    fn a_hard_link_is_sent_with_size_and_time_of_its_file() {
        let entry = |path: &str, kind: Kind| Entry {
            path: path.into(),
            mode: 0o100644,
            mtime: (1_700_000_000, 5),
            xattrs: Vec::new(),
            kind,
        };
        let file = Kind::File {
            size: 7,
            sha256: [1; 32],
            tarsum: [1; 32],
        };
        let entries = [entry("a", file), entry("b", Kind::HardLink { to: "a".into() })];
        let sent: Vec<Stat> = stats(&entries).collect();
        assert_eq!((sent[1].linkname.as_str(), sent[1].size), ("a", 7));
        assert_eq!(sent[1].mod_time, sent[0].mod_time);
    }
}
