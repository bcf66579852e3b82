//! Recording builds. Each call is one transaction: it is in the ledger whole, or not at all.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{
    ArgRecord, ArgValue, BuildOutcome, ContextManifest, Ledger, LedgerError, NewBuild, ServiceRecord,
    manifest, retention, secret,
};

impl Ledger {
    /// Records that a build begins.
    ///
    /// # Errors
    /// Any failure to write, among them an identifier that is in the ledger already.
    pub fn begin_build(&self, build: &NewBuild) -> Result<(), LedgerError> {
        let action = "record the beginning of a build";
        self.connection()
            .execute(
                "INSERT INTO build (id, started_ms, command, project, project_dir, engine_id, engine_name,
                   engine_version, engine_api_version, engine_store, builder, commit_id, dirty, pid, process_start)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                params![
                    build.id,
                    build.started_ms,
                    self.secrets.scrub(&build.command),
                    build.project,
                    build.project_dir,
                    build.engine.id,
                    build.engine.name,
                    build.engine.version,
                    build.engine.api_version,
                    build.engine.store,
                    build.builder,
                    build.commit,
                    build.dirty,
                    build.process.pid,
                    build.process.start,
                ],
            )
            .map(|_| ())
            .map_err(self.failed(action))
    }

    /// Records one service of a build. Recording the same service again replaces its record.
    ///
    /// # Errors
    /// [`LedgerError::UnknownBuild`] if the build was not begun; any failure to write.
    pub fn record_service(&self, build_id: &str, service: &ServiceRecord) -> Result<(), LedgerError> {
        let known = self.transact("record a service", |transaction| {
            let Some(build) = build_key(transaction, build_id)? else {
                return Ok(false);
            };
            insert_service(transaction, &self.secrets, build, service)?;
            Ok(true)
        })?;
        known.then_some(()).ok_or_else(|| LedgerError::UnknownBuild {
            prefix: build_id.to_owned(),
        })
    }

    /// Records how a build ended, and forgets the project's oldest builds beyond the retention.
    ///
    /// # Errors
    /// [`LedgerError::UnknownBuild`] if the build was not begun; any failure to write.
    pub fn finish_build(
        &self,
        build_id: &str,
        outcome: BuildOutcome,
        completed_ms: i64,
        error: Option<&str>,
    ) -> Result<(), LedgerError> {
        let known = self.transact("record the end of a build", |transaction| {
            let project: Option<String> = transaction
                .query_row(
                    "UPDATE build SET outcome = ?2, completed_ms = ?3, error = ?4 WHERE id = ?1 RETURNING project",
                    params![build_id, outcome, completed_ms, error.map(|text| self.secrets.scrub(text))],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(project) = project else { return Ok(false) };
            retention::forget_old(transaction, &project, self.retention)?;
            Ok(true)
        })?;
        known.then_some(()).ok_or_else(|| LedgerError::UnknownBuild {
            prefix: build_id.to_owned(),
        })
    }

    /// A build argument as it may be recorded: a value that is a secret by its argument's name
    /// ([`secret::looks_secret`]) or by its own looks ([`secret::looks_like_credential`]) becomes its
    /// [salted](Self::salted) hash. From then on this `Ledger` also keeps that value out of every text and of every
    /// other argument that it records.
    pub fn arg(&self, name: &str, value: &str) -> ArgRecord {
        let value = if secret::looks_secret(name) || secret::looks_like_credential(value) {
            self.secrets.remember(value);
            ArgValue::Salted(self.salted(value))
        } else {
            self.secrets.judge(value)
        };
        ArgRecord {
            name: name.to_owned(),
            value,
        }
    }

    /// SHA-256, in hex, over this ledger's own random salt, the value's length and the value. Within one ledger equal
    /// hashes mean equal values, and nothing else is told. Who can read the ledger can read the salt, and could try
    /// values against a hash: the file is this user's alone (0600).
    pub fn salted(&self, value: &str) -> String {
        self.secrets.salted(value)
    }

    pub(crate) fn transact<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.connection();
        // Immediate: a transaction that reads first and then finds another writer cannot wait for it.
        let result = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            });
        result.map_err(self.failed(action))
    }
}

fn build_key(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<i64>> {
    transaction
        .query_row("SELECT key FROM build WHERE id = ?1", [id], |row| row.get(0))
        .optional()
}

fn insert_service(
    transaction: &Transaction<'_>,
    secrets: &secret::Keeper,
    build: i64,
    service: &ServiceRecord,
) -> rusqlite::Result<()> {
    let replaced = transaction.execute(
        "DELETE FROM service WHERE build = ?1 AND service = ?2",
        params![build, service.service],
    )?;
    transaction.execute(
        "INSERT INTO service (build, service, image, image_id, outcome, revision, started_ms, completed_ms, error,
           cache_digest, cache_mode)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            build,
            service.service,
            json_list(&service.image),
            service.image_id,
            service.outcome,
            service.revision,
            service.started_ms,
            service.completed_ms,
            service.error.as_deref().map(|text| secrets.scrub(text)),
            service.cache_export.as_ref().map(|(digest, _)| digest),
            service.cache_export.as_ref().map(|(_, mode)| mode),
        ],
    )?;
    let key = transaction.last_insert_rowid();
    insert_args(transaction, secrets, key, &service.args)?;
    for (position, violation) in (0_i64..).zip(&service.violations) {
        transaction
            .prepare_cached(
                "INSERT INTO violation (service, position, step, stable_digest, made_ms, origin)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                key,
                position,
                secrets.scrub(&violation.step),
                violation.stable_digest,
                violation.made_ms,
                secrets.scrub(&violation.origin),
            ])?;
    }
    for (position, base) in (0_i64..).zip(&service.bases) {
        transaction
            .prepare_cached(
                "INSERT INTO base (service, position, reference, digest) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                key,
                position,
                secrets.scrub(&base.reference),
                base.digest
            ])?;
    }
    insert_steps(transaction, secrets, key, service)?;
    insert_contexts(transaction, secrets, key, &service.manifests)?;
    if replaced > 0 {
        manifest::collect_garbage(transaction)?;
    }
    Ok(())
}

fn insert_args(
    transaction: &Transaction<'_>,
    secrets: &secret::Keeper,
    service: i64,
    args: &[ArgRecord],
) -> rusqlite::Result<()> {
    for (position, arg) in (0_i64..).zip(args) {
        // Another argument, made later, may have told that this one holds a secret.
        let value = match &arg.value {
            ArgValue::Plain(value) => secrets.judge(value),
            salted => salted.clone(),
        };
        let (value, salted) = match value {
            ArgValue::Plain(value) => (value, false),
            ArgValue::Salted(value) => (value, true),
        };
        transaction
            .prepare_cached(
                "INSERT INTO arg (service, position, name, value, salted) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![service, position, arg.name, value, salted])?;
    }
    Ok(())
}

fn insert_steps(
    transaction: &Transaction<'_>,
    secrets: &secret::Keeper,
    key: i64,
    service: &ServiceRecord,
) -> rusqlite::Result<()> {
    for (position, step) in (0_i64..).zip(&service.steps) {
        let location = step.location.as_ref();
        transaction
            .prepare_cached(
                "INSERT INTO step (service, position, number, name, instruction, kind, file, line, end_line, digest,
                   stable_digest, inputs, outcome, started_ms, completed_ms, error,
                   result_key, loose_key, made, facts, cause, origin, note, output, made_from, made_to)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                   ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
            )?
            .execute(params![
                key,
                position,
                step.number,
                secrets.scrub(&step.name),
                secrets.scrub(&step.instruction),
                step.kind,
                location.map(|l| &l.file),
                location.map(|l| l.line),
                location.map(|l| l.end_line),
                step.digest,
                step.stable_digest,
                json_list(&step.inputs),
                step.outcome,
                step.started_ms,
                step.completed_ms,
                step.error.as_deref().map(|text| secrets.scrub(text)),
                step.explained.key,
                step.explained.loose_key,
                step.explained.made,
                step.explained.facts.as_deref().map(|text| secrets.scrub(text)),
                step.explained.cause.as_deref().map(|text| secrets.scrub(text)),
                step.explained.origin.as_deref().map(|text| secrets.scrub(text)),
                step.explained.note,
                step.explained.output.as_deref().map(|text| secrets.scrub(text)),
                step.explained.made_time.map(|(from, _)| from),
                step.explained.made_time.map(|(_, to)| to),
            ])?;
    }
    Ok(())
}

fn insert_contexts(
    transaction: &Transaction<'_>,
    secrets: &secret::Keeper,
    service: i64,
    contexts: &[ContextManifest],
) -> rusqlite::Result<()> {
    for (position, context) in (0_i64..).zip(contexts) {
        let manifest = manifest::store(transaction, &context.files)?;
        transaction
            .prepare_cached(
                "INSERT INTO context (service, position, name, root, manifest) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                service,
                position,
                context.context,
                secrets.scrub(&context.root),
                manifest
            ])?;
    }
    Ok(())
}

fn json_list(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}
