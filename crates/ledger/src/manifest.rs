//! The lists of context files: how they are kept, each once, and read back one by one.
//!
//! A list is one JSON line per file. It is cut into chunks after lines that the path chooses (its CRC), so that equal
//! stretches of two lists are equal chunks: a list of 100,000 files with one change costs one chunk more. Chunks are
//! compressed and stored under their SHA-256. Neither writing nor reading holds more than a chunk.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use crate::{FileRecord, Ledger, LedgerError};

/// A chunk ends after a line with a probability of one in this many.
const LINES_PER_CHUNK: u32 = 512;
/// A chunk ends at the latest when it has grown to this many bytes.
const CHUNK_LIMIT: usize = 1024 * 1024;

/// Stores the list, unless it is there already, and gives its key.
pub(crate) fn store(transaction: &Transaction<'_>, files: &[FileRecord]) -> rusqlite::Result<i64> {
    let mut digest = Sha256::new();
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    for file in files {
        serde_json::to_writer(&mut chunk, file).map_err(into_sqlite)?;
        chunk.push(b'\n');
        if ends_chunk(file) || chunk.len() >= CHUNK_LIMIT {
            digest.update(&chunk);
            chunks.push(store_chunk(transaction, &chunk)?);
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        digest.update(&chunk);
        chunks.push(store_chunk(transaction, &chunk)?);
    }
    let digest: [u8; 32] = digest.finalize().into();

    let known = transaction
        .prepare_cached("SELECT key FROM manifest WHERE digest = ?1")?
        .query_row([digest], |row| row.get(0))
        .optional()?;
    if let Some(key) = known {
        return Ok(key);
    }
    let bytes = files.iter().fold(0_i64, |sum, file| {
        sum.saturating_add(i64::try_from(file.size).unwrap_or(i64::MAX))
    });
    transaction.execute(
        "INSERT INTO manifest (digest, files, bytes) VALUES (?1, ?2, ?3)",
        params![digest, i64::try_from(files.len()).unwrap_or(i64::MAX), bytes],
    )?;
    let key = transaction.last_insert_rowid();
    let mut insert = transaction
        .prepare_cached("INSERT INTO manifest_chunk (manifest, position, chunk) VALUES (?1, ?2, ?3)")?;
    for (position, chunk) in (0_i64..).zip(chunks) {
        insert.execute(params![key, position, chunk])?;
    }
    Ok(key)
}

fn ends_chunk(file: &FileRecord) -> bool {
    let mut crc = Crc::new();
    crc.update(file.path.as_bytes());
    crc.sum().is_multiple_of(LINES_PER_CHUNK)
}

fn store_chunk(transaction: &Transaction<'_>, chunk: &[u8]) -> rusqlite::Result<i64> {
    let digest: [u8; 32] = Sha256::digest(chunk).into();
    let known = transaction
        .prepare_cached("SELECT key FROM chunk WHERE digest = ?1")?
        .query_row([digest], |row| row.get(0))
        .optional()?;
    if let Some(key) = known {
        return Ok(key);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(chunk).map_err(into_sqlite)?;
    let data = encoder.finish().map_err(into_sqlite)?;
    transaction
        .prepare_cached("INSERT INTO chunk (digest, data) VALUES (?1, ?2)")?
        .execute(params![digest, data])?;
    Ok(transaction.last_insert_rowid())
}

/// Encoding into memory does not fail; should it, the record fails with it.
fn into_sqlite(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// Drops every list that no context refers to, and every chunk that no list needs.
pub(crate) fn collect_garbage(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let dead: Vec<i64> = keys(
        transaction,
        "SELECT key FROM manifest WHERE NOT EXISTS (SELECT 1 FROM context WHERE manifest = manifest.key)",
        [],
    )?;
    for manifest in dead {
        let chunks = keys(
            transaction,
            "SELECT DISTINCT chunk FROM manifest_chunk WHERE manifest = ?1",
            [manifest],
        )?;
        transaction.execute("DELETE FROM manifest WHERE key = ?1", [manifest])?;
        for chunk in chunks {
            transaction
                .prepare_cached(
                    "DELETE FROM chunk WHERE key = ?1
                     AND NOT EXISTS (SELECT 1 FROM manifest_chunk WHERE chunk = ?1)",
                )?
                .execute([chunk])?;
        }
    }
    Ok(())
}

fn keys(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(sql)?
        .query_map(params, |row| row.get(0))?
        .collect()
}

impl Ledger {
    /// The files of a context, by the [`StoredContext`](crate::StoredContext)'s digest, in the order in which they
    /// were recorded.
    ///
    /// # Errors
    /// [`LedgerError::UnknownManifest`] if there is no such list.
    pub fn files(&self, digest: &str) -> Result<ManifestFiles<'_>, LedgerError> {
        let unknown = || LedgerError::UnknownManifest {
            digest: digest.to_owned(),
        };
        let raw = hex::decode(digest).map_err(|_| unknown())?;
        let key = self
            .connection()
            .query_row("SELECT key FROM manifest WHERE digest = ?1", [&raw], |row| {
                row.get(0)
            })
            .optional()
            .map_err(self.failed("find a context manifest"))?
            .ok_or_else(unknown)?;
        Ok(ManifestFiles {
            ledger: self,
            digest: digest.to_owned(),
            key,
            position: 0,
            seen: Sha256::new(),
            chunk: Vec::new().into_iter(),
            ended: false,
        })
    }
}

/// The files of a context. Ends after the first error; a list that is not what was written ends in one.
#[derive(Debug)]
pub struct ManifestFiles<'a> {
    ledger: &'a Ledger,
    digest: String,
    key: i64,
    position: i64,
    seen: Sha256,
    chunk: std::vec::IntoIter<FileRecord>,
    ended: bool,
}

impl ManifestFiles<'_> {
    fn next_chunk(&mut self) -> Result<Option<Vec<FileRecord>>, LedgerError> {
        let data: Option<Vec<u8>> = self
            .ledger
            .connection()
            .prepare_cached(
                "SELECT data FROM chunk JOIN manifest_chunk ON chunk = chunk.key
                 WHERE manifest = ?1 AND position = ?2",
            )
            .and_then(|mut select| {
                select
                    .query_row([self.key, self.position], |row| row.get(0))
                    .optional()
            })
            .map_err(self.ledger.failed("read a context manifest"))?;
        let path = self.ledger.path();
        let Some(data) = data else {
            return if hex::encode(self.seen.clone().finalize()) == self.digest {
                Ok(None)
            } else {
                Err(damaged(path, "a context manifest is not what was written"))
            };
        };
        self.position += 1;
        let text =
            decompress(&data).map_err(|error| damaged(path, &format!("a context manifest: {error}")))?;
        self.seen.update(&text);
        let files = serde_json::Deserializer::from_slice(&text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(path, &format!("a context manifest: {error}")))?;
        Ok(Some(files))
    }
}

impl Iterator for ManifestFiles<'_> {
    type Item = Result<FileRecord, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(file) = self.chunk.next() {
                return Some(Ok(file));
            }
            if self.ended {
                return None;
            }
            match self.next_chunk() {
                Ok(Some(files)) => self.chunk = files.into_iter(),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The chunk's text. The last line of a chunk may be longer than [`CHUNK_LIMIT`], as a path may.
fn decompress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    ZlibDecoder::new(data).read_to_end(&mut text)?;
    Ok(text)
}

fn damaged(path: &Path, detail: &str) -> LedgerError {
    LedgerError::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}
