//! Reading and hashing files, several at once.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{Stat, fstat};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

use crate::error::ContextError;
use crate::index::{Hashes, Identity};
use crate::root::{Root, is_absent, unreadable};
use crate::snapshot::Entry;
use crate::tarsum::Header;

/// Bytes read at once; the cancel flag is asked as often.
const CHUNK: usize = 256 * 1024;
/// More threads than this do not make disks faster.
const MOST_THREADS: usize = 16;

/// A file to read.
#[derive(Debug)]
pub(crate) struct Job<'j> {
    pub(crate) entry: &'j Entry,
    pub(crate) identity: &'j Identity,
}

/// What reading a file gave.
#[derive(Debug)]
pub(crate) struct Hashed {
    pub(crate) hashes: Hashes,
    /// The file was at rest for long enough before it was read: its identity stands for its content.
    pub(crate) settled: bool,
}

/// Hashes all files; the results are in the order of the jobs.
pub(crate) fn hash(root: &Root, jobs: &[Job<'_>], cancel: &AtomicBool) -> Result<Vec<Hashed>, ContextError> {
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MOST_THREADS)
        .min(jobs.len());
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<(usize, ContextError)>> = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut buffer = vec![0; CHUNK];
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { break };
            match read(root, job, &mut buffer, cancel) {
                Ok(read) => done.push((number, read)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    let mut first = failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if first.as_ref().is_none_or(|(other, _)| number < *other) {
                        *first = Some((number, error));
                    }
                }
            }
        }
        done
    };
    let mut done: Vec<(usize, Hashed)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for worker in workers {
            match worker.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    if let Some((_, error)) = failure
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
    {
        return Err(error);
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, read)| read).collect())
}

fn read(root: &Root, job: &Job<'_>, buffer: &mut [u8], cancel: &AtomicBool) -> Result<Hashed, ContextError> {
    let changed = || ContextError::ChangedDuringBuild {
        path: job.entry.path.to_string(),
    };
    let failed = |error| {
        if is_absent(error) {
            changed()
        } else {
            unreadable(job.entry.path.as_bytes(), error)
        }
    };
    let unchanged = |stat: Stat| Identity::of(&stat) == *job.identity && stat.st_mode == job.entry.mode;

    let settled = job.identity.is_settled(now());
    let file = match root.open_file(job.entry.path.as_bytes()) {
        // A socket, which is sent as an empty file.
        Err(Errno::NXIO) if job.identity.size == 0 => {
            let tarsum =
                Sha256::digest(Header::File { size: 0 }.bytes(job.entry.mode, &job.entry.xattrs)).into();
            return Ok(Hashed {
                hashes: Hashes {
                    sha256: Sha256::digest([]).into(),
                    tarsum,
                },
                settled: false,
            });
        }
        opened => opened.map_err(failed)?,
    };
    if !unchanged(fstat(&file).map_err(failed)?) {
        return Err(changed());
    }
    let size = job.identity.size;
    let mut content = Sha256::new();
    let mut tarsum = Sha256::new_with_prefix(Header::File { size }.bytes(job.entry.mode, &job.entry.xattrs));
    let mut file = File::from(file);
    let mut length = 0;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(ContextError::Cancelled);
        }
        let read = match file.read(buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(ContextError::Unreadable {
                    path: job.entry.path.to_string(),
                    source,
                });
            }
        };
        length += read as u64;
        if length > size {
            return Err(changed());
        }
        content.update(&buffer[..read]);
        tarsum.update(&buffer[..read]);
    }
    if length != size || !unchanged(fstat(&file).map_err(failed)?) {
        return Err(changed());
    }
    Ok(Hashed {
        hashes: Hashes {
            sha256: content.finalize().into(),
            tarsum: tarsum.finalize().into(),
        },
        settled,
    })
}

/// The clock that the kernel stamps files with, as nanoseconds.
fn now() -> i128 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}
