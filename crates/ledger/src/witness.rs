//! Since when a builder is known to find its results again.

use rusqlite::{OptionalExtension as _, params};

use crate::{Ledger, LedgerError};

/// A result of our own on a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What its file says.
    pub token: String,
    /// When it was last found to be gone, in nanoseconds since 1970 by the builder's clock; 0 if it never was.
    pub since: i64,
}

impl Ledger {
    /// The witness that one builder has on a base image.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn witness(&self, engine: &str, builder: &str, base: &str) -> Result<Option<Witness>, LedgerError> {
        let connection = self.connection();
        let read = || {
            connection
                .prepare_cached(
                    "SELECT token, since FROM witness WHERE engine_id = ?1 AND builder = ?2 AND base = ?3",
                )?
                .query_row([engine, builder, base], |row| {
                    Ok(Witness {
                        token: row.get(0)?,
                        since: row.get(1)?,
                    })
                })
                .optional()
        };
        read().map_err(self.failed("read since when results are there"))
    }

    /// Remembers a witness.
    ///
    /// # Errors
    /// Any failure to write.
    pub fn set_witness(
        &self,
        engine: &str,
        builder: &str,
        base: &str,
        witness: &Witness,
    ) -> Result<(), LedgerError> {
        self.transact("record since when results are there", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO witness (engine_id, builder, base, token, since) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![engine, builder, base, witness.token, witness.since],
            )?;
            Ok(())
        })
    }
}
