//! Under which keys daemons keep the folders of a build, by the permissions of the folders in them.

use rusqlite::params;

use crate::{Ledger, LedgerError};

/// How many keys of one build are remembered.
const REMEMBERED: i64 = 16;

impl Ledger {
    /// Headers with the token that stands for them, the one used last first.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn kept_folders(&self, key: &str) -> Result<Vec<(String, String)>, LedgerError> {
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            connection
                .prepare_cached("SELECT headers, token FROM kept_folders WHERE key = ?1 ORDER BY used DESC")?
                .query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        };
        read().map_err(self.failed("read the keys of folders"))
    }

    /// Remembers that headers were used with a token.
    ///
    /// # Errors
    /// Any failure to write.
    pub fn keep_folders(&self, key: &str, headers: &str, token: &str) -> Result<(), LedgerError> {
        self.transact("record the keys of folders", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO kept_folders (key, headers, token, used)
                 VALUES (?1, ?2, ?3, (SELECT ifnull(max(used), 0) + 1 FROM kept_folders WHERE key = ?1))",
                params![key, headers, token],
            )?;
            transaction.execute(
                "DELETE FROM kept_folders WHERE key = ?1
                   AND used <= (SELECT max(used) FROM kept_folders WHERE key = ?1) - ?2",
                params![key, REMEMBERED],
            )?;
            Ok(())
        })
    }
}
