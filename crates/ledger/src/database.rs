//! Opening the ledger: making it, checking it, and setting a damaged one aside.
//!
//! Nothing is ever deleted here. A damaged file keeps its bytes under another name, with its write-ahead log.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::schema::{self, Kind};
use crate::{DEFAULT_RETENTION, LedgerError, secret};

/// How long a call waits for another process that is writing, before it gives up with [`LedgerError::Busy`].
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the check for damage may take when a ledger is opened. A ledger too big to be read in that time is checked
/// as far as the time goes.
const CHECK_BUDGET: Duration = Duration::from_millis(500);

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    connection: Mutex<Connection>,
    path: PathBuf,
    pub(crate) secrets: secret::Keeper,
    pub(crate) retention: u32,
}

/// What [`Ledger::open`] gives.
#[derive(Debug)]
pub struct Opened {
    /// The ledger.
    pub ledger: Ledger,
    /// Where a damaged file was moved, in whose place this ledger was begun. To be said loudly.
    pub set_aside: Option<PathBuf>,
}

impl Ledger {
    /// Opens the ledger at `path`, and begins a new one if there is none or the file is damaged.
    ///
    /// Missing parent directories are made for this user alone (0700), and so is the file (0600). A damaged file —
    /// no database, or one whose pages do not hold together — is renamed to `<name>.damaged-<unix-seconds>` together
    /// with its `-wal` and `-shm`. An empty file is not damaged, it is a new ledger.
    ///
    /// # Errors
    /// Every reason why there is no ledger to write to. A file of a later schema and another program's database are
    /// left as they are.
    pub fn open(path: &Path) -> Result<Opened, LedgerError> {
        if let Some(parent) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(|error| LedgerError::filesystem(parent, "create the directory", error))?;
        }
        // Two processes must not set aside each other's new ledger, nor switch the same file to WAL at once.
        let lock = lock_opening(path)?;
        let (mut connection, set_aside) = match open_sound(path) {
            Err(LedgerError::Damaged { .. }) => {
                let moved = set_aside(path)?;
                (open_sound(path)?, Some(moved))
            }
            other => (other?, None),
        };
        let salt = prepare(&mut connection)
            .map_err(|error| LedgerError::sqlite(path, "prepare the ledger", error))?;
        drop(lock);
        let ledger = Self {
            connection: Mutex::new(connection),
            path: path.to_owned(),
            secrets: secret::Keeper::new(salt),
            retention: DEFAULT_RETENTION,
        };
        Ok(Opened { ledger, set_aside })
    }

    /// Where the ledger stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the last `builds` builds of each project instead of [`DEFAULT_RETENTION`], at least one.
    pub fn with_retention(mut self, builds: u32) -> Self {
        self.retention = builds.max(1);
        self
    }

    /// The one connection. A panic of another thread while it held it has rolled its transaction back.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn failed(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError + '_ {
        move |error| LedgerError::sqlite(&self.path, action, error)
    }
}

/// `path` with `suffix` added to its last component.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The lock that is held while a ledger is opened; released when the file is dropped.
fn lock_opening(path: &Path) -> Result<File, LedgerError> {
    let lock_path = beside(path, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(|error| LedgerError::filesystem(&lock_path, "open the lock", error))?;
    // The system's blocking lock has no time limit; polling has, as SQLite's own busy handler does it.
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Busy {
                    path: path.to_owned(),
                    source: None,
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(LedgerError::filesystem(&lock_path, "lock", error));
            }
        }
    }
}

/// Opens or makes the file, and looks whether it is a sound ledger of a schema that we know. Writes nothing to a
/// file that is not.
fn open_sound(path: &Path) -> Result<Connection, LedgerError> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => {
            return Err(LedgerError::NotAFile {
                path: path.to_owned(),
            });
        }
        Ok(metadata) => check_header(path, metadata.len())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| LedgerError::filesystem(path, "create", error))?;
        }
        Err(error) => return Err(LedgerError::filesystem(path, "open", error)),
    }
    let failed = |error| LedgerError::sqlite(path, "open", error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // As long as the file may be damaged, closing must not write the log into it.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(failed)?;
    match schema::kind(&connection).map_err(failed)? {
        Kind::Empty => {}
        Kind::Ours => check(&mut connection, path)?,
        Kind::Foreign => {
            return Err(LedgerError::Foreign {
                path: path.to_owned(),
            });
        }
        Kind::Newer(found) => {
            return Err(LedgerError::NewerSchema {
                path: path.to_owned(),
                found,
                known: schema::KNOWN,
            });
        }
    }
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(failed)?;
    Ok(connection)
}

/// Whether the file begins as every SQLite database does. SQLite itself would take a file that is shorter than its
/// smallest page for an empty one, and write over it.
fn check_header(path: &Path, length: u64) -> Result<(), LedgerError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    const SMALLEST_PAGE: u64 = 512;
    if length == 0 {
        return Ok(());
    }
    let mut start = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) if length >= SMALLEST_PAGE && start == *MAGIC => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(LedgerError::filesystem(path, "read", error))
        }
        _ => Err(LedgerError::Damaged {
            path: path.to_owned(),
            detail: "not a SQLite database".to_owned(),
        }),
    }
}

/// Looks for damage, for at most [`CHECK_BUDGET`].
fn check(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let deadline = Instant::now() + CHECK_BUDGET;
    let failed = |error| LedgerError::sqlite(path, "check", error);
    connection
        .progress_handler(1000, Some(move || Instant::now() > deadline))
        .map_err(failed)?;
    let verdict = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .optional();
    connection
        .progress_handler(0, None::<fn() -> bool>)
        .map_err(failed)?;
    match verdict {
        Ok(Some(verdict)) if verdict != "ok" => Err(LedgerError::Damaged {
            path: path.to_owned(),
            detail: verdict,
        }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(()),
        other => other.map(|_| ()).map_err(failed),
    }
}

/// Settings of the connection, the schema, and the salt.
fn prepare(connection: &mut Connection) -> rusqlite::Result<[u8; secret::SALT_LENGTH]> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Safe against a killed process; a power cut may lose the last transactions, never the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    // SQLite zeroes what it deletes: nothing of a build stays in the file after its retention.
    connection.pragma_update(None, "secure_delete", true)?;
    schema::migrate(connection)?;
    connection.execute(
        "INSERT OR IGNORE INTO meta (name, value) VALUES ('salt', ?1)",
        [rand::random::<[u8; secret::SALT_LENGTH]>()],
    )?;
    connection.query_row("SELECT value FROM meta WHERE name = 'salt'", [], |row| row.get(0))
}

/// Renames the file and its companions; gives the new name.
fn set_aside(path: &Path) -> Result<PathBuf, LedgerError> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let free = |target: &PathBuf| {
        !["", "-wal", "-shm"]
            .iter()
            .any(|s| beside(target, s).symlink_metadata().is_ok())
    };
    let target = (0_u32..)
        .map(|n| {
            beside(
                path,
                &if n == 0 {
                    format!(".damaged-{seconds}")
                } else {
                    format!(".damaged-{seconds}.{n}")
                },
            )
        })
        .find(free)
        .unwrap_or_else(|| beside(path, ".damaged"));
    for suffix in ["", "-wal", "-shm"] {
        let from = beside(path, suffix);
        match std::fs::rename(&from, beside(&target, suffix)) {
            Err(error) if suffix.is_empty() || error.kind() != io::ErrorKind::NotFound => {
                return Err(LedgerError::filesystem(&from, "set aside", error));
            }
            _ => {}
        }
    }
    Ok(target)
}
