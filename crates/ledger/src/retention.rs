//! How much the ledger remembers.

use rusqlite::{Transaction, params};

use crate::{ProcessIdentity, manifest};

/// Builds kept per project, unless [`Ledger::with_retention`](crate::Ledger::with_retention) says otherwise.
pub const DEFAULT_RETENTION: u32 = 200;

/// Drops all but the last `keep` builds of the project, with the manifests that only they used. A build that is
/// still running is kept.
pub(crate) fn forget_old(transaction: &Transaction<'_>, project: &str, keep: u32) -> rusqlite::Result<()> {
    let old: Vec<(i64, Option<String>, ProcessIdentity)> = transaction
        .prepare_cached(
            "SELECT key, outcome, pid, process_start FROM build WHERE project = ?1
             ORDER BY key DESC LIMIT -1 OFFSET ?2",
        )?
        .query_map(params![project, keep], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                ProcessIdentity {
                    pid: row.get(2)?,
                    start: row.get(3)?,
                },
            ))
        })?
        .collect::<Result<_, _>>()?;
    let mut dropped = false;
    for (key, outcome, process) in old {
        if outcome.is_some() || process.is_gone() {
            transaction.execute("DELETE FROM build WHERE key = ?1", [key])?;
            dropped = true;
        }
    }
    if dropped {
        manifest::collect_garbage(transaction)?;
    }
    Ok(())
}
