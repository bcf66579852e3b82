//! Reading builds back.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    ArgRecord, ArgValue, BaseRecord, BuildOutcome, BuildRecord, BuildState, BuildSummary, EngineIdentity,
    Explained, ExportedCache, LastService, Ledger, LedgerError, Location, PastResult, ProcessIdentity,
    ServiceSummary, StepRecord, StoredContext, StoredService, ViolationRecord,
};

/// How many identifiers an [`LedgerError::AmbiguousBuild`] names.
const CANDIDATES: usize = 5;

/// How long a step is believed to run at most, in nanoseconds: a day. It bounds a search.
const LONGEST_STEP: i64 = 86_400 * 1_000_000_000;

/// How many results [`Ledger::past_results`] gives at most.
const PAST_RESULTS: i64 = 8;

const BUILD_COLUMNS: &str = "key, id, started_ms, command, project, project_dir, engine_id, engine_name,
    engine_version, engine_api_version, engine_store, builder, commit_id, dirty, pid, process_start, outcome,
    completed_ms, error";

/// Which builds [`Ledger::builds`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this project.
    pub project: Option<String>,
    /// At most so many, the latest ones.
    pub limit: u32,
}

impl Ledger {
    /// The latest builds, the last one first.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn builds(&self, filter: &Filter) -> Result<Vec<BuildSummary>, LedgerError> {
        self.read("list builds", |connection| {
            let sql = format!(
                "SELECT {BUILD_COLUMNS} FROM build WHERE ?1 IS NULL OR project = ?1 ORDER BY key DESC LIMIT ?2"
            );
            let rows: Vec<_> = connection
                .prepare_cached(&sql)?
                .query_map(params![filter.project, filter.limit], build_row)?
                .collect::<Result<_, _>>()?;
            rows.into_iter()
                .map(|(key, build)| Ok(BuildSummary { services: service_summaries(connection, key)?, ..build }))
                .collect()
        })
    }

    /// The build whose identifier is, or alone begins with, `prefix`.
    ///
    /// # Errors
    /// [`LedgerError::UnknownBuild`], [`LedgerError::AmbiguousBuild`], any failure to read.
    pub fn build(&self, prefix: &str) -> Result<BuildRecord, LedgerError> {
        let id = self.complete(prefix)?;
        self.read("read a build", |connection| {
            let Some((key, summary)) = build_by(connection, "id = ?1", &id)? else {
                return Ok(None);
            };
            let services: Vec<i64> = connection
                .prepare_cached("SELECT key FROM service WHERE build = ?1 ORDER BY key")?
                .query_map([key], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let services = services
                .into_iter()
                .map(|service| stored_service(connection, service))
                .collect::<Result<_, _>>()?;
            let summary = BuildSummary {
                services: service_summaries(connection, key)?,
                ..summary
            };
            Ok(Some(BuildRecord { summary, services }))
        })?
        // Another process may just have forgotten it.
        .ok_or(LedgerError::UnknownBuild { prefix: id })
    }

    /// The last record of `service` in `project` (of the folder `folder`) on the engine with the identifier `engine` whose image was built,
    /// whatever became of the build's other services.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn last_service(
        &self,
        project: &str,
        folder: &str,
        service: &str,
        engine: &str,
    ) -> Result<Option<LastService>, LedgerError> {
        self.read("find the last build of a service", |connection| {
            let found: Option<(i64, i64)> = connection
                .prepare_cached(
                    "SELECT build.key, service.key FROM build JOIN service ON service.build = build.key
                     WHERE project = ?1 AND service.service = ?2 AND engine_id = ?3 AND service.outcome = 'built' AND project_dir = ?4
                     ORDER BY build.key DESC LIMIT 1",
                )?
                .query_row([project, service, engine, folder], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((build_key, service_key)) = found else { return Ok(None) };
            let Some((_, build)) = build_by(connection, "key = ?1", build_key)? else { return Ok(None) };
            let build = BuildSummary { services: service_summaries(connection, build_key)?, ..build };
            Ok(Some(LastService { build, service: stored_service(connection, service_key)? }))
        })
    }

    /// The build whose image has this identity, or that exported a cache with this digest; the latest, if there are
    /// several.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn exported_cache(&self, digest: &str) -> Result<Option<ExportedCache>, LedgerError> {
        self.read("find who exported a cache", |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT service.key, build.id, commit_id, build.started_ms, engine_version, builder
                     FROM service JOIN build ON service.build = build.key
                     WHERE image_id = ?1 OR cache_digest = ?1 ORDER BY service.key DESC LIMIT 1",
                )?
                .query_row([digest], |row| {
                    let found = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
                    Ok((row.get(0)?, found))
                })
                .optional()?;
            let Some((key, found)) = found else {
                return Ok(None);
            };
            let (build, commit, started_ms, engine_version, builder) = found;
            Ok(Some(ExportedCache {
                build,
                commit,
                started_ms,
                engine_version,
                builder,
                service: stored_service(connection, key)?,
            }))
        })
    }

    /// The results with a key on one builder, the latest first: a few of them.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn past_results(
        &self,
        engine: &str,
        builder: &str,
        key: &str,
    ) -> Result<Vec<PastResult>, LedgerError> {
        self.read("find results", |connection| {
            connection
                .prepare_cached(
                    "SELECT build.id, commit_id, step.outcome, step.completed_ms, made, origin,
                       ifnull(build.completed_ms, build.started_ms)
                     FROM step JOIN service ON step.service = service.key JOIN build ON service.build = build.key
                     WHERE result_key = ?1 AND engine_id = ?2 AND builder = ?3 AND step.outcome IN ('ran', 'cached')
                     ORDER BY build.key DESC LIMIT ?4",
                )?
                .query_map(params![key, engine, builder, PAST_RESULTS], |row| {
                    Ok(PastResult {
                        build: row.get(0)?,
                        commit: row.get(1)?,
                        outcome: row.get(2)?,
                        completed_ms: row.get(3)?,
                        made: row.get(4)?,
                        origin: row.get(5)?,
                        build_ms: row.get(6)?,
                    })
                })?
                .collect()
        })
    }

    /// The records ([`Explained::made`](crate::Explained::made)) of one builder that can have been made at a moment, in
    /// nanoseconds since 1970.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn made_then(&self, engine: &str, builder: &str, time: i64) -> Result<Vec<String>, LedgerError> {
        self.read("find results", |connection| {
            connection
                .prepare_cached(
                    "SELECT DISTINCT made
                     FROM step JOIN service ON step.service = service.key JOIN build ON service.build = build.key
                     WHERE made_from BETWEEN ?3 - ?4 AND ?3 AND made_to >= ?3 AND engine_id = ?1 AND builder = ?2",
                )?
                .query_map(params![engine, builder, time, LONGEST_STEP], |row| row.get(0))?
                .collect()
        })
    }

    /// The keys of results on one builder that share a loose key, the latest first: a few of them.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn alike_results(
        &self,
        engine: &str,
        builder: &str,
        loose_key: &str,
    ) -> Result<Vec<String>, LedgerError> {
        self.read("find results", |connection| {
            connection
                .prepare_cached(
                    "SELECT result_key
                     FROM step JOIN service ON step.service = service.key JOIN build ON service.build = build.key
                     WHERE loose_key = ?1 AND engine_id = ?2 AND builder = ?3 AND step.outcome IN ('ran', 'cached')
                     GROUP BY result_key ORDER BY max(build.key) DESC LIMIT ?4",
                )?
                .query_map(params![loose_key, engine, builder, PAST_RESULTS], |row| row.get(0))?
                .collect()
        })
    }

    /// The one identifier that begins with `prefix`.
    fn complete(&self, prefix: &str) -> Result<String, LedgerError> {
        // One more than is named, so that "the first few" is known to be all or not; the exact one sorts first.
        let mut found: Vec<String> = self.read("find a build", |connection| {
            connection
                .prepare_cached("SELECT id FROM build WHERE id >= ?1 ORDER BY id LIMIT ?2")?
                .query_map(params![prefix, CANDIDATES as i64 + 1], |row| row.get(0))?
                .collect()
        })?;
        found.retain(|id| id.starts_with(prefix));
        match found.as_slice() {
            [] => Err(LedgerError::UnknownBuild {
                prefix: prefix.to_owned(),
            }),
            [first, rest @ ..] if rest.is_empty() || first == prefix => Ok(first.clone()),
            _ => {
                if found.len() > CANDIDATES {
                    found.truncate(CANDIDATES);
                    found.push("…".to_owned());
                }
                Err(LedgerError::AmbiguousBuild {
                    prefix: prefix.to_owned(),
                    candidates: found,
                })
            }
        }
    }

    /// Runs several queries on one state of the ledger.
    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.connection();
        let result = connection
            .transaction()
            .and_then(|transaction| work(&transaction));
        result.map_err(self.failed(action))
    }
}

fn build_by(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<Option<(i64, BuildSummary)>> {
    connection
        .prepare_cached(&format!("SELECT {BUILD_COLUMNS} FROM build WHERE {condition}"))?
        .query_row([value], build_row)
        .optional()
}

/// The key and the build, still without its services.
fn build_row(row: &Row<'_>) -> rusqlite::Result<(i64, BuildSummary)> {
    let process = ProcessIdentity {
        pid: row.get("pid")?,
        start: row.get("process_start")?,
    };
    let state = match row.get::<_, Option<BuildOutcome>>("outcome")? {
        Some(BuildOutcome::Succeeded) => BuildState::Succeeded,
        Some(BuildOutcome::Failed) => BuildState::Failed,
        Some(BuildOutcome::Interrupted) => BuildState::Interrupted,
        None if process.is_gone() => BuildState::Interrupted,
        None => BuildState::Running,
    };
    let build = BuildSummary {
        id: row.get("id")?,
        started_ms: row.get("started_ms")?,
        completed_ms: row.get("completed_ms")?,
        state,
        error: row.get("error")?,
        command: row.get("command")?,
        project: row.get("project")?,
        project_dir: row.get("project_dir")?,
        engine: EngineIdentity {
            id: row.get("engine_id")?,
            name: row.get("engine_name")?,
            version: row.get("engine_version")?,
            api_version: row.get("engine_api_version")?,
            store: row.get("engine_store")?,
        },
        builder: row.get("builder")?,
        commit: row.get("commit_id")?,
        dirty: row.get("dirty")?,
        services: Vec::new(),
    };
    Ok((row.get("key")?, build))
}

fn service_summaries(connection: &Connection, build: i64) -> rusqlite::Result<Vec<ServiceSummary>> {
    connection
        .prepare_cached(
            "SELECT service.service, outcome, image_id,
               (SELECT count(*) FROM step WHERE step.service = service.key AND kind = 'instruction'
                  AND step.outcome IN ('ran', 'failed')) AS ran,
               (SELECT count(*) FROM step WHERE step.service = service.key AND kind = 'instruction'
                  AND step.outcome = 'cached') AS cached
             FROM service WHERE build = ?1 ORDER BY key",
        )?
        .query_map([build], |row| {
            Ok(ServiceSummary {
                service: row.get(0)?,
                outcome: row.get("outcome")?,
                image_id: row.get("image_id")?,
                ran: row.get("ran")?,
                cached: row.get("cached")?,
            })
        })?
        .collect()
}

fn stored_service(connection: &Connection, key: i64) -> rusqlite::Result<StoredService> {
    let service = connection
        .prepare_cached("SELECT * FROM service WHERE key = ?1")?
        .query_row([key], |row| {
            Ok(StoredService {
                service: row.get("service")?,
                image: list(row, "image")?,
                image_id: row.get("image_id")?,
                cache_export: row
                    .get::<_, Option<String>>("cache_digest")?
                    .zip(row.get("cache_mode")?),
                outcome: row.get("outcome")?,
                revision: row.get("revision")?,
                started_ms: row.get("started_ms")?,
                completed_ms: row.get("completed_ms")?,
                error: row.get("error")?,
                args: Vec::new(),
                bases: Vec::new(),
                steps: Vec::new(),
                manifests: Vec::new(),
                violations: Vec::new(),
            })
        })?;
    let args = children(
        connection,
        key,
        "SELECT * FROM arg WHERE service = ?1 ORDER BY position",
        |row| {
            let value = row.get("value")?;
            let value = if row.get("salted")? {
                ArgValue::Salted(value)
            } else {
                ArgValue::Plain(value)
            };
            Ok(ArgRecord {
                name: row.get("name")?,
                value,
            })
        },
    )?;
    let bases = children(
        connection,
        key,
        "SELECT * FROM base WHERE service = ?1 ORDER BY position",
        |row| {
            Ok(BaseRecord {
                reference: row.get("reference")?,
                digest: row.get("digest")?,
            })
        },
    )?;
    let steps = children(
        connection,
        key,
        "SELECT * FROM step WHERE service = ?1 ORDER BY position",
        step_row,
    )?;
    let manifests = children(
        connection,
        key,
        "SELECT name, root, digest, files, bytes FROM context JOIN manifest ON manifest = manifest.key
         WHERE service = ?1 ORDER BY position",
        |row| {
            Ok(StoredContext {
                context: row.get("name")?,
                root: row.get("root")?,
                digest: hex::encode(row.get::<_, [u8; 32]>("digest")?),
                files: row.get::<_, i64>("files")?.unsigned_abs(),
                bytes: row.get::<_, i64>("bytes")?.unsigned_abs(),
            })
        },
    )?;
    let violations = children(
        connection,
        key,
        "SELECT * FROM violation WHERE service = ?1 ORDER BY position",
        |row| {
            Ok(ViolationRecord {
                step: row.get("step")?,
                stable_digest: row.get("stable_digest")?,
                made_ms: row.get("made_ms")?,
                origin: row.get("origin")?,
            })
        },
    )?;
    Ok(StoredService {
        args,
        bases,
        steps,
        manifests,
        violations,
        ..service
    })
}

fn step_row(row: &Row<'_>) -> rusqlite::Result<StepRecord> {
    let location = match row.get::<_, Option<String>>("file")? {
        Some(file) => Some(Location {
            file,
            line: row.get("line")?,
            end_line: row.get("end_line")?,
        }),
        None => None,
    };
    Ok(StepRecord {
        number: row.get("number")?,
        name: row.get("name")?,
        instruction: row.get("instruction")?,
        kind: row.get("kind")?,
        location,
        digest: row.get("digest")?,
        stable_digest: row.get("stable_digest")?,
        inputs: list(row, "inputs")?,
        outcome: row.get("outcome")?,
        started_ms: row.get("started_ms")?,
        completed_ms: row.get("completed_ms")?,
        error: row.get("error")?,
        explained: Explained {
            key: row.get("result_key")?,
            loose_key: row.get("loose_key")?,
            made: row.get("made")?,
            made_time: match row.get("made_from")? {
                Some(from) => Some((from, row.get("made_to")?)),
                None => None,
            },
            facts: row.get("facts")?,
            cause: row.get("cause")?,
            origin: row.get("origin")?,
            note: row.get("note")?,
            output: row.get("output")?,
        },
    })
}

/// The rows of a table that belong to one service.
fn children<T>(
    connection: &Connection,
    service: i64,
    sql: &str,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection
        .prepare_cached(sql)?
        .query_map([service], row)?
        .collect()
}

/// A column that holds a JSON list of strings.
fn list(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}
