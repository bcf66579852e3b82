//! The hash index: which content a file had when its timestamps were these, so that it need not be read again.
//!
//! A SQLite file that may be lost at any time: whatever is wrong with it costs reading, never a build. The rule that
//! keeps it truthful is git's for racy timestamps: see [`Identity::is_settled`]. As with git, a program that writes
//! through a memory mapping can change a file for some time without changing its timestamps, and a clock set back can
//! make a timestamp come twice.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use rustix::fs::Stat;
use sha2::{Digest, Sha256};

use crate::error::IndexError;

/// Raised when the meaning of a row changes; an index of another version is replaced.
const VERSION: i64 = 1;
/// Rows that no build asked for within this time are dropped.
const KEPT_DAYS: i64 = 60;
/// How long to wait for another process that writes; after that we go on without.
const BUSY: Duration = Duration::from_millis(500);

/// What makes a file the same file with the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Seconds and nanoseconds.
    pub(crate) ctime: (i64, u32),
}

impl Identity {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime, stat.st_ctime_nsec as u32),
        }
    }

    /// Whether a change made at or after `now` (nanoseconds of the kernel's clock) would show in the timestamps: both
    /// must be older by more than the clock's granularity, which is a jiffy, or 2 s where a file system keeps
    /// no fractions of a second.
    pub(crate) fn is_settled(&self, now: i128) -> bool {
        let nanoseconds =
            |(seconds, fraction): (i64, u32)| i128::from(seconds) * 1_000_000_000 + i128::from(fraction);
        let coarse = self.mtime.1 == 0 && self.ctime.1 == 0;
        let margin = if coarse { 2_000_000_000 } else { 20_000_000 };
        nanoseconds(self.mtime).max(nanoseconds(self.ctime)) + margin < now
    }

    fn key(&self) -> (i64, i64) {
        (self.device.cast_signed(), self.inode.cast_signed())
    }
}

/// The two digests of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// SHA-256 of the content.
    pub(crate) sha256: [u8; 32],
    /// SHA-256 of BuildKit's header and the content.
    pub(crate) tarsum: [u8; 32],
}

/// Remembers the hashes of files across builds and processes. Safe to share between threads.
#[derive(Debug)]
pub struct HashIndex {
    path: PathBuf,
    /// `None` once the file has failed in a way that we cannot repair.
    connection: Mutex<Option<Connection>>,
}

impl HashIndex {
    /// Opens the index file, and creates it and its folder where missing. A damaged file, or one of another version,
    /// is replaced by an empty one.
    ///
    /// # Errors
    /// Fails if the file can be neither opened nor created; a build then goes on without an index.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| IndexError::Io {
                path: path.to_owned(),
                source,
            })?;
        }
        let connection = match connect(path) {
            Err(error) if is_damage(&error) => {
                remove(path)?;
                connect(path)
            }
            connected => connected,
        };
        let connection = connection.map_err(|source| IndexError::Sqlite {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(Some(connection)),
        })
    }

    /// The recorded hashes of each identity, `None` where it is unknown.
    pub(crate) fn look_up<'i>(
        &self,
        identities: impl ExactSizeIterator<Item = &'i Identity>,
    ) -> Vec<Option<Hashes>> {
        let mut found = vec![None; identities.len()];
        self.guarded(|connection| {
            let today = today();
            let mut stale = Vec::new();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            {
                let mut query = transaction.prepare_cached(
                    "SELECT size, mtime, mtime_ns, ctime, ctime_ns, sha256, tarsum, seal, used FROM file
                     WHERE device = ?1 AND inode = ?2",
                )?;
                for (identity, found) in identities.zip(&mut found) {
                    let row = query.query_row(identity.key(), |row| {
                        let stored = Identity {
                            size: row.get::<_, i64>(0)?.cast_unsigned(),
                            mtime: (row.get(1)?, row.get(2)?),
                            ctime: (row.get(3)?, row.get(4)?),
                            ..*identity
                        };
                        let hashes = Hashes {
                            sha256: row.get(5)?,
                            tarsum: row.get(6)?,
                        };
                        Ok((stored, hashes, row.get::<_, [u8; 8]>(7)?, row.get::<_, i64>(8)?))
                    });
                    match row.optional() {
                        Ok(Some((stored, hashes, sealed, used))) => {
                            if stored == *identity && sealed == seal(&stored, &hashes) {
                                *found = Some(hashes);
                                if used != today {
                                    stale.push(identity.key());
                                }
                            }
                        }
                        Ok(None) => {}
                        // A row that does not read as one is as good as none.
                        Err(rusqlite::Error::SqliteFailure(error, message)) => {
                            return Err(rusqlite::Error::SqliteFailure(error, message));
                        }
                        Err(_) => {}
                    }
                }
            }
            transaction.commit()?;
            if !stale.is_empty() {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                {
                    let mut update = transaction
                        .prepare_cached("UPDATE file SET used = ?3 WHERE device = ?1 AND inode = ?2")?;
                    for (device, inode) in stale {
                        update.execute(params![device, inode, today])?;
                    }
                }
                transaction.commit()?;
            }
            Ok(())
        });
        found
    }

    /// Records files that were settled when they were read. Nothing is written if another process holds the index.
    pub(crate) fn record<'i>(&self, files: impl Iterator<Item = (&'i Identity, &'i Hashes)>) {
        let mut files = files.peekable();
        if files.peek().is_none() {
            return;
        }
        self.guarded(|connection| {
            let today = today();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM file WHERE used < ?1", [today - KEPT_DAYS])?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT OR REPLACE INTO file
                     (device, inode, size, mtime, mtime_ns, ctime, ctime_ns, sha256, tarsum, seal, used)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                )?;
                for (identity, hashes) in files {
                    let (device, inode) = identity.key();
                    insert.execute(params![
                        device,
                        inode,
                        identity.size.cast_signed(),
                        identity.mtime.0,
                        identity.mtime.1,
                        identity.ctime.0,
                        identity.ctime.1,
                        hashes.sha256,
                        hashes.tarsum,
                        seal(identity, hashes),
                        today,
                    ])?;
                }
            }
            transaction.commit()
        });
    }

    /// How many files are remembered.
    pub fn files(&self) -> u64 {
        let mut count = 0;
        self.guarded(|connection| {
            count = connection.query_row("SELECT count(*) FROM file", [], |row| row.get::<_, i64>(0))?;
            Ok(())
        });
        count.cast_unsigned()
    }

    /// Forgets all files: each is read again by the next build. As with every use, a busy or read-only index stays as it
    /// is; [`HashIndex::files`] tells.
    pub fn forget(&self) {
        self.guarded(|connection| connection.execute("DELETE FROM file", []).map(drop));
    }

    /// Runs one use of the database. A damaged file is replaced for the next use; other failures (a busy or read-only
    /// file, a full disk) leave it as it is.
    fn guarded(&self, action: impl FnOnce(&mut Connection) -> rusqlite::Result<()>) {
        let mut guard: MutexGuard<'_, Option<Connection>> = self
            .connection
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(connection) = guard.as_mut() else { return };
        if let Err(error) = action(connection)
            && is_damage(&error)
        {
            *guard = None;
            *guard = remove(&self.path).ok().and_then(|()| connect(&self.path).ok());
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "normal")?;
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    if version(&connection)? != VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if version(&transaction)? != VERSION {
            transaction.execute_batch(
                "DROP TABLE IF EXISTS file;
                 CREATE TABLE file (
                     device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
                     mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
                     ctime INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
                     sha256 BLOB NOT NULL, tarsum BLOB NOT NULL, seal BLOB NOT NULL, used INTEGER NOT NULL,
                     PRIMARY KEY (device, inode)
                 ) WITHOUT ROWID;",
            )?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
    }
    connection
        .query_row("SELECT sha256 FROM file LIMIT 1", [], |_| Ok(()))
        .optional()?;
    Ok(connection)
}

/// Removes the index file and the journal that SQLite may have left beside it.
fn remove(path: &Path) -> Result<(), IndexError> {
    for suffix in ["", "-journal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(IndexError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether an error means that the file is no index of ours (any more).
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => {
            matches!(
                error.code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
            )
        }
        _ => false,
    }
}

/// A check over a whole row, so that a damaged one is never believed.
fn seal(identity: &Identity, hashes: &Hashes) -> [u8; 8] {
    let mut hasher = Sha256::new();
    for number in [identity.device, identity.inode, identity.size] {
        hasher.update(number.to_le_bytes());
    }
    for (seconds, nanoseconds) in [identity.mtime, identity.ctime] {
        hasher.update(seconds.to_le_bytes());
        hasher.update(nanoseconds.to_le_bytes());
    }
    hasher.update(hashes.sha256);
    hasher.update(hashes.tarsum);
    let digest: [u8; 32] = hasher.finalize().into();
    let mut seal = [0; 8];
    seal.copy_from_slice(&digest[..8]);
    seal
}

/// Days since 1970.
fn today() -> i64 {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    (seconds / 86_400).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(mtime: (i64, u32), ctime: (i64, u32)) -> Identity {
        Identity {
            device: 1,
            inode: 2,
            size: 3,
            mtime,
            ctime,
        }
    }

    proptest! {
        /// Whatever is written at or after the read gets a timestamp of at least the clock at the read, rounded down to
        /// the clock's or the file system's granularity. Such a timestamp must differ from a recorded one.
        #[test]
        fn no_later_change_can_have_a_recorded_timestamp(
            now in 10_000_000_000_i128..4_000_000_000_000_000_000,
            before in 0_i128..5_000_000_000,
            later in 0_i128..5_000_000_000,
            granularity in prop::sample::select(vec![1_i128, 1_000_000, 4_000_000, 10_000_000, 1_000_000_000, 2_000_000_000]),
        ) {
            let stamp = |nanoseconds: i128| {
                let nanoseconds = nanoseconds / granularity * granularity;
                ((nanoseconds / 1_000_000_000) as i64, (nanoseconds % 1_000_000_000) as u32)
            };
            let old = identity(stamp(now - before), stamp(now - before));
            let new = identity(stamp(now + later), stamp(now + later));
            if old.is_settled(now) {
                prop_assert_ne!(old, new);
            }
        }
    }

    #[test]
    fn both_timestamps_must_be_older_than_the_margin() {
        let now = 100_000_000_000;
        let settled = |mtime, ctime| identity(mtime, ctime).is_settled(now);
        assert!(settled((99, 979_999_999), (99, 979_999_999)));
        assert!(!settled((99, 980_000_000), (99, 1)));
        assert!(!settled((99, 1), (99, 980_000_000)));
        assert!(!settled((98, 0), (98, 0)));
        assert!(settled((97, 0), (97, 0)));
        assert!(!settled((200, 1), (50, 1)));
    }
}
