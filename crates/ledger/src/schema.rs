//! The schema of the ledger and its migrations. `user_version` counts the migrations that a file has had;
//! `application_id` tells our files from other programs' databases.

use rusqlite::{Connection, TransactionBehavior};

/// `Unst` in ASCII.
const APPLICATION_ID: i64 = 0x556e_7374;

/// Entry `n` brings a file from schema `n` to `n + 1`.
const MIGRATIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// The highest schema that this version knows.
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// What an existing database is to us.
pub(crate) enum Kind {
    /// Nothing in it yet.
    Empty,
    /// A ledger with a schema that we know.
    Ours,
    /// A ledger of a later version.
    Newer(i64),
    /// Somebody else's.
    Foreign,
}

pub(crate) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version) {
        (APPLICATION_ID, 1..) if version > KNOWN => Kind::Newer(version),
        (APPLICATION_ID, 1..) => Kind::Ours,
        (0, 0) if objects == 0 => Kind::Empty,
        _ => Kind::Foreign,
    })
}

/// Brings the schema up to [`KNOWN`] in one transaction.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version >= KNOWN {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", KNOWN)?;
    transaction.commit()
}
