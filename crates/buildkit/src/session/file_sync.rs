//! `moby.filesync.v1.FileSync`: sends folders to the daemon, content-exact.
//!
//! The daemon names a folder and a selection; the folder is snapshotted (every selected file hashed), its
//! entries are announced, and the files that the daemon then asks for are streamed and checked against the
//! snapshot. A file that changed in between ends the build with an error: what the daemon holds afterwards is
//! the snapshot or nothing.
//!
//! # Why modification times are not sent as they are
//! A daemon keeps what it received and asks again only for files whose size, time, mode or link target
//! changed; it never compares contents or extended attributes. A file replaced by one of equal size and time
//! (`rsync -t`, a restored CI cache, a fast edit on a coarse clock) would stay old. So the nanoseconds that we
//! send are derived from the content: another content always has another time, and the same content the same.
//! Times are in no cache key, so this changes no hit.

use super::{Failure, Failures};
use crate::proto::file_sync::file_sync_server;
use crate::proto::fsutil::{Packet, Stat, packet::PacketType};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use unstale_context::{ContextError, Entry, HashIndex, Kind, Selector, Snapshot, snapshot};

/// A folder that the daemon may ask for.
#[derive(Clone)]
pub struct Folder {
    /// The folder on this machine.
    pub root: PathBuf,
    /// Remembers the hashes of files that did not change, if there is one.
    pub index: Option<Arc<HashIndex>>,
}

/// One request of the daemon for a folder, and what was sent for it.
#[derive(Clone)]
pub struct Transfer {
    /// The folder's name in the build's graph.
    pub folder: String,
    /// What of it the daemon asked for.
    pub selector: Selector,
    /// The selected files as they were announced.
    pub snapshot: Arc<Snapshot>,
    /// Bytes of file content that the daemon asked for, which it did not hold from an earlier build.
    pub bytes: Arc<AtomicU64>,
}

#[derive(Clone, Default)]
pub(super) struct Transfers(Arc<Mutex<Vec<Transfer>>>);

impl Transfers {
    pub(super) fn all(&self) -> Vec<Transfer> {
        self.0.lock().map(|list| list.clone()).unwrap_or_default()
    }

    fn add(&self, transfer: Transfer) {
        if let Ok(mut list) = self.0.lock() {
            list.push(transfer);
        }
    }
}

/// Bytes per DATA packet: large enough that the packet's cost does not show, small enough for any receiver.
const CHUNK: usize = 256 << 10;
/// Packets that wait for the network; with [`CHUNK`] this bounds the memory of one transfer.
const QUEUE: usize = 32;
/// Files that are read at the same time.
const READERS: usize = 2;

type Packets = mpsc::Sender<Result<Packet, Status>>;

pub(super) struct FileSync {
    folders: HashMap<String, Folder>,
    transfers: Transfers,
    failures: Failures,
    cancel: CancellationToken,
}

impl FileSync {
    pub(super) fn new(
        folders: HashMap<String, Folder>,
        transfers: Transfers,
        failures: Failures,
        cancel: CancellationToken,
    ) -> FileSync {
        FileSync {
            folders,
            transfers,
            failures,
            cancel,
        }
    }
}

#[tonic::async_trait]
impl file_sync_server::FileSync for FileSync {
    type DiffCopyStream = ReceiverStream<Result<Packet, Status>>;
    type TarStreamStream = tokio_stream::Empty<Result<Packet, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let (name, selector) = wanted(request.metadata())?;
        let folder = self.folders.get(&name);
        let folder = folder
            .ok_or_else(|| Status::not_found(format!("no access allowed to dir {name:?}")))?
            .clone();
        let incoming = request.into_inner();
        let (packets, answer) = mpsc::channel(QUEUE);
        let (transfers, failures) = (self.transfers.clone(), self.failures.clone());
        let cancel = self.cancel.clone();
        tokio::spawn(async move {
            let sending = send(&name, folder, selector, incoming, packets.clone(), transfers);
            let result = tokio::select! {
                result = sending => result,
                () = cancel.cancelled() => return,
            };
            if let Err(error) = result {
                let text =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(": ");
                if let SendError::Context(source) = error {
                    failures.set(Failure::Context { folder: name, source });
                }
                // The receiver fails the build with this text; without it, it would wait for more.
                let _ = packets
                    .send(Ok(packet(PacketType::PacketErr, 0, text.into_bytes())))
                    .await;
            }
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("folders are sent by DiffCopy"))
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error("the daemon broke the transfer off")]
    Disconnected,
    #[error("the daemon asked for file {0}, which was not announced or was asked for before")]
    BadRequest(u32),
}

/// Sends one selection of a folder from the first STAT to the final FIN.
async fn send(
    name: &str,
    folder: Folder,
    selector: Selector,
    mut incoming: Streaming<Packet>,
    packets: Packets,
    transfers: Transfers,
) -> Result<(), SendError> {
    let stop = Arc::new(AtomicBool::new(false));
    let _stop_on_drop = StopOnDrop(stop.clone());
    let (root, asked) = (folder.root.clone(), selector.clone());
    let scan = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || snapshot(&root, &asked, folder.index.as_deref(), &stop)
    });
    let snapshot = Arc::new(scan.await.map_err(|_| SendError::Disconnected)??);
    let bytes = Arc::new(AtomicU64::new(0));
    transfers.add(Transfer {
        folder: name.to_owned(),
        selector,
        snapshot: snapshot.clone(),
        bytes: bytes.clone(),
    });

    let announce = tokio::spawn(announce(snapshot.clone(), packets.clone()));
    let (wanted, queue) = mpsc::unbounded_channel::<u32>(); // bounded by `open`: each file is asked for once
    let queue = Arc::new(Mutex::new(queue));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..READERS {
        let (snapshot, packets, queue) = (snapshot.clone(), packets.clone(), queue.clone());
        let (bytes, stop) = (bytes.clone(), stop.clone());
        readers.spawn_blocking(move || read_files(&snapshot, &queue, &packets, &bytes, &stop));
    }
    let mut open = vec![true; snapshot.entries().len()];
    loop {
        tokio::select! {
            // A reader ends before the queue closes only if it failed.
            Some(ended) = readers.join_next() => ended.map_err(|_| SendError::Disconnected)??,
            message = incoming.next() => {
                let Some(Ok(message)) = message else { return Err(SendError::Disconnected) };
                match message.r#type() {
                    PacketType::PacketReq => match open.get_mut(message.id as usize) {
                        Some(open) if *open => {
                            *open = false;
                            wanted.send(message.id).map_err(|_| SendError::Disconnected)?;
                        }
                        _ => return Err(SendError::BadRequest(message.id)),
                    },
                    PacketType::PacketFin => break,
                    PacketType::PacketErr => return Err(SendError::Disconnected),
                    PacketType::PacketStat | PacketType::PacketData => {}
                }
            }
        }
    }
    announce.await.map_err(|_| SendError::Disconnected)??;
    packets
        .send(Ok(packet(PacketType::PacketFin, 0, Vec::new())))
        .await
        .map_err(|_| SendError::Disconnected)
}

/// Ends the blocking work of a transfer when the transfer is over, however it ended.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Announces every entry, then the end of the list.
async fn announce(snapshot: Arc<Snapshot>, packets: Packets) -> Result<(), SendError> {
    for stat in stats(snapshot.entries()) {
        let packet = Packet {
            r#type: PacketType::PacketStat.into(),
            stat: Some(stat),
            ..Packet::default()
        };
        packets
            .send(Ok(packet))
            .await
            .map_err(|_| SendError::Disconnected)?;
    }
    let end = Packet {
        r#type: PacketType::PacketStat.into(),
        ..Packet::default()
    };
    packets.send(Ok(end)).await.map_err(|_| SendError::Disconnected)
}

/// Reads the files that are asked for, one after the other, until the queue is closed.
fn read_files(
    snapshot: &Snapshot,
    queue: &Mutex<mpsc::UnboundedReceiver<u32>>,
    packets: &Packets,
    bytes: &AtomicU64,
    stop: &AtomicBool,
) -> Result<(), SendError> {
    let next = || queue.lock().ok().and_then(|mut queue| queue.blocking_recv());
    while let Some(id) = next() {
        let is_file = |entry: &Entry| matches!(entry.kind, Kind::File { .. });
        if !snapshot.entries().get(id as usize).is_some_and(is_file) {
            return Err(SendError::BadRequest(id));
        }
        let mut file = snapshot.open(id as usize)?;
        let mut buffer = vec![0; CHUNK];
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let read = file
                .read(&mut buffer)
                .map_err(|error| read_error(snapshot, id, error))?;
            bytes.fetch_add(read as u64, Ordering::Relaxed);
            // An empty DATA packet is the end of the file.
            let data = packet(PacketType::PacketData, id, buffer[..read].to_vec());
            packets
                .blocking_send(Ok(data))
                .map_err(|_| SendError::Disconnected)?;
            if read == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// A reader of the snapshot wraps its own error; any other is the operating system's.
fn read_error(snapshot: &Snapshot, id: u32, error: std::io::Error) -> ContextError {
    error
        .downcast::<ContextError>()
        .unwrap_or_else(|source| ContextError::Unreadable {
            path: snapshot.entries()[id as usize].path.to_string(),
            source,
        })
}

fn packet(r#type: PacketType, id: u32, data: Vec<u8>) -> Packet {
    Packet {
        r#type: r#type.into(),
        id,
        data,
        stat: None,
    }
}

/// Reads which folder and which part of it a request is for.
fn wanted(metadata: &MetadataMap) -> Result<(String, Selector), Status> {
    let name = values(metadata, "dir-name").pop().unwrap_or_default();
    let selector = Selector {
        include: values(metadata, "include-patterns"),
        exclude: values(metadata, "exclude-patterns"),
        follow: values(metadata, "followpaths"),
    };
    Ok((name, selector))
}

/// The values of a metadata key. Since BuildKit 0.12, one value that is not ASCII makes all values of its key
/// query-escaped, and `<key>-encoded` says so.
fn values(metadata: &MetadataMap, key: &str) -> Vec<String> {
    let flag = format!("{key}-encoded");
    let encoded = metadata
        .get(flag.as_str())
        .is_some_and(|value| matches!(value.as_bytes(), b"1" | b"true"));
    let raw = metadata.get_all(key);
    let text = raw
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if encoded {
        text.map(|value| unescape(&value)).collect()
    } else {
        text.collect()
    }
}

/// Undoes Go's `url.QueryEscape`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| tail.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
                continue;
            }
            (b'+', ..) => bytes.push(b' '),
            (&byte, ..) => bytes.push(byte),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

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
fn stats(entries: &[Entry]) -> impl Iterator<Item = Stat> {
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
    fn escaped_metadata_is_read() {
        let mut metadata = MetadataMap::new();
        metadata.insert("dir-name", "context".parse().unwrap());
        metadata.append("exclude-patterns", "caf%C3%A9%2F%2A".parse().unwrap());
        metadata.append("exclude-patterns", "a+b%2".parse().unwrap());
        metadata.insert("exclude-patterns-encoded", "1".parse().unwrap());
        metadata.append("followpaths", "100%25".parse().unwrap());
        let (name, selector) = wanted(&metadata).unwrap();
        assert_eq!(name, "context");
        assert_eq!(selector.exclude, ["café/*", "a b%2"]);
        assert_eq!(selector.follow, ["100%25"], "plain values are taken as they are");
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
