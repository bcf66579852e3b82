//! When caches were cleared, and forgetting what would be expected of them.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, params};

use crate::{Ledger, LedgerError};

/// A clear of one builder's whole cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clear {
    /// What was made before this moment counts as cleared, in nanoseconds since 1970 by the builder's clock.
    pub epoch: i64,
    /// When that was, in milliseconds since 1970 by this machine's clock.
    pub cleared_ms: i64,
    /// Nothing was left.
    pub proven: bool,
}

impl Ledger {
    /// Records a clear.
    ///
    /// # Errors
    /// Any failure to write.
    pub fn record_clear(&self, engine: &str, builder: &str, clear: &Clear) -> Result<(), LedgerError> {
        self.transact("record a clear", |transaction| {
            transaction.execute(
                "INSERT INTO clear (engine_id, builder, epoch, cleared_ms, proven) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![engine, builder, clear.epoch, clear.cleared_ms, clear.proven],
            )?;
            Ok(())
        })
    }

    /// The last clear of a builder: its epoch.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn last_clear(&self, engine: &str, builder: &str) -> Result<Option<Clear>, LedgerError> {
        let connection = self.connection();
        let read = || {
            connection
                .prepare_cached(
                    "SELECT epoch, cleared_ms, proven FROM clear WHERE engine_id = ?1 AND builder = ?2
                     ORDER BY epoch DESC LIMIT 1",
                )?
                .query_row([engine, builder], |row| {
                    Ok(Clear {
                        epoch: row.get(0)?,
                        cleared_ms: row.get(1)?,
                        proven: row.get(2)?,
                    })
                })
                .optional()
        };
        read().map_err(self.failed("read when the builder was cleared"))
    }

    /// Records that single results were cleared: those with these keys that were made until then, in nanoseconds since 1970
    /// by the builder's clock.
    ///
    /// # Errors
    /// Any failure to write.
    pub fn record_cleared_results(
        &self,
        engine: &str,
        builder: &str,
        results: &[(String, i64)],
    ) -> Result<(), LedgerError> {
        self.transact("record cleared results", |transaction| {
            for (key, made) in results {
                transaction.execute(
                    "INSERT OR REPLACE INTO cleared_result (engine_id, builder, result_key, made) VALUES (?1, ?2, ?3, ?4)",
                    params![engine, builder, key, made],
                )?;
            }
            Ok(())
        })
    }

    /// The single results of a builder that were cleared: see [`Ledger::record_cleared_results`].
    ///
    /// # Errors
    /// Any failure to read.
    pub fn cleared_results(&self, engine: &str, builder: &str) -> Result<HashMap<String, i64>, LedgerError> {
        let connection = self.connection();
        let read = || {
            connection
                .prepare_cached(
                    "SELECT result_key, made FROM cleared_result WHERE engine_id = ?1 AND builder = ?2",
                )?
                .query_map([engine, builder], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<HashMap<_, _>>>()
        };
        read().map_err(self.failed("read which results were cleared"))
    }

    /// How many results of a project are remembered, on all builders.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn remembered_results(&self, project: &str, folder: &str) -> Result<u64, LedgerError> {
        let connection = self.connection();
        let count = connection.query_row(
            "SELECT count(*) FROM step JOIN service ON service.key = step.service JOIN build ON build.key = service.build
             WHERE build.project = ?1 AND build.project_dir = ?2 AND step.result_key IS NOT NULL",
            [project, folder],
            |row| row.get::<_, i64>(0),
        );
        let count = count.map(i64::cast_unsigned);
        count.map_err(self.failed("count the remembered results"))
    }

    /// Forgets the results of a project, on all builders: no build expects to find one of them. What was built, and why,
    /// stays.
    ///
    /// # Errors
    /// Any failure to write.
    pub fn forget_results(&self, project: &str, folder: &str) -> Result<(), LedgerError> {
        self.transact("forget the results", |transaction| {
            transaction.execute(
                "UPDATE step SET result_key = NULL, loose_key = NULL, made = NULL, made_from = NULL, made_to = NULL
                 WHERE service IN (SELECT service.key FROM service JOIN build ON build.key = service.build
                                   WHERE build.project = ?1 AND build.project_dir = ?2)",
                [project, folder],
            )?;
            Ok(())
        })
    }
}
