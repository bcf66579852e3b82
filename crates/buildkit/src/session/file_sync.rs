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

mod selection;
mod stat;

use super::{Failure, Failures};
use crate::proto::file_sync::file_sync_server;
use crate::proto::fsutil::{Packet, packet::PacketType};
use selection::wanted;
use stat::stats;
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use unstale_context::{ContextError, Entry, HashIndex, Kind, Selector, Snapshot, snapshot};

/// A folder that the daemon may ask for.
#[derive(Clone)]
pub struct Folder {
    /// The folder on this machine.
    pub root: PathBuf,
    /// Remembers the hashes of files that did not change, if there is one.
    pub index: Option<Arc<HashIndex>>,
    /// Snapshots that were taken before the daemon asked for them.
    pub taken: Taken,
}

/// The snapshots of a folder by what they select. The clones share them.
#[derive(Clone, Debug, Default)]
pub struct Taken(Arc<Mutex<HashMap<Selector, Arc<Snapshot>>>>);

impl Folder {
    /// A folder of which nothing is known yet.
    pub fn new(root: PathBuf, index: Option<Arc<HashIndex>>) -> Folder {
        Folder {
            root,
            index,
            taken: Taken::default(),
        }
    }

    /// The snapshot of a selection, as the daemon will get it: taken once. Blocks while files are read; `stop` ends it.
    ///
    /// # Errors
    /// As [`unstale_context::snapshot`].
    pub fn snapshot(&self, selector: &Selector, stop: &AtomicBool) -> Result<Arc<Snapshot>, ContextError> {
        let known = self
            .taken
            .0
            .lock()
            .ok()
            .and_then(|taken| taken.get(selector).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let new = Arc::new(snapshot(&self.root, selector, self.index.as_deref(), stop)?);
        if let Ok(mut taken) = self.taken.0.lock() {
            taken.insert(selector.clone(), new.clone());
        }
        Ok(new)
    }
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
    let scan = tokio::task::spawn_blocking({
        let (stop, asked) = (stop.clone(), selector.clone());
        move || folder.snapshot(&asked, &stop)
    });
    let snapshot = scan.await.map_err(|_| SendError::Disconnected)??;
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
