//! The ledger as the memory of a builder's results. A ledger that cannot be read remembers nothing.

use super::super::service::Shared;
use super::Origin;
use std::collections::HashMap;
use std::sync::MutexGuard;
use unstale_buildkit::llb::{Graph, Op};
use unstale_ledger::{ArgValue, LastService, Ledger, PastResult, StepOutcome};
use unstale_plan::{EnvValue, FileChange, FileState, Key, Memory, Past, Previous, PreviousStep, files};

/// What the ledger remembers of one builder.
pub(super) struct LedgerMemory<'a> {
    shared: &'a Shared,
}

impl<'a> LedgerMemory<'a> {
    pub(super) fn new(shared: &'a Shared) -> LedgerMemory<'a> {
        LedgerMemory { shared }
    }

    fn ledger(&self) -> Option<MutexGuard<'a, Ledger>> {
        self.shared.ledger.as_ref()?.lock().ok()
    }

    /// The service's last successful build here.
    pub(super) fn last_service(&self, service: &str) -> Option<LastService> {
        let shared = self.shared;
        let folder = shared.folder.to_string_lossy();
        let engine = &shared.builder.identity.id;
        let ledger = self.ledger()?;
        ledger
            .last_service(&shared.project, &folder, service, engine)
            .ok()?
    }

    /// Until when results with a key were made that are cleared though the builder may hold them, in nanoseconds since 1970:
    /// single ones, and all with these keys if a shared cache was cleared. None if what is old may be reused.
    pub(super) fn cleared(&self, graph: &Graph, keys: &[Key]) -> HashMap<String, i64> {
        let builder = &self.shared.builder;
        if self.shared.allow_old {
            return HashMap::new();
        }
        let cleared = self
            .ledger()
            .and_then(|ledger| ledger.cleared_results(&builder.identity.id, &builder.name).ok());
        let mut cleared = cleared.unwrap_or_default();
        if let Some(epoch) = &self.shared.epochs.shared {
            let steps = graph.vertices.iter().zip(keys);
            // What a build starts from is as old as it is.
            let work = steps.filter(|(vertex, _)| !matches!(vertex.op, Op::Source { .. }));
            for (_, key) in work {
                let until = cleared.entry(key.id.clone()).or_default();
                *until = epoch.nanoseconds().max(*until);
            }
        }
        cleared
    }

    /// What may be kept of a variable's value.
    pub(super) fn env(&self, name: &str, value: &str) -> EnvValue {
        let Some(ledger) = self.ledger() else {
            return EnvValue::Salted(String::new());
        };
        match ledger.arg(name, value).value() {
            ArgValue::Plain(value) => EnvValue::Plain(value.clone()),
            ArgValue::Salted(hash) => EnvValue::Salted(hash.clone()),
        }
    }

    /// The differences of a folder from how it is stored.
    pub(super) fn changes(
        &self,
        digest: &str,
        new: impl Iterator<Item = FileState>,
    ) -> Option<Vec<(String, FileChange)>> {
        let ledger = self.ledger()?;
        // A list that cannot be read to its end would look like files that were added.
        let mut failed = false;
        let old = ledger.files(digest).ok()?;
        let old = old.map_while(|file| file.map_err(|_| failed = true).ok());
        let changes = files(old.map(super::state), new);
        (!failed).then_some(changes)
    }
}

impl Memory for LedgerMemory<'_> {
    fn past(&self, id: &str) -> Vec<Past> {
        let builder = &self.shared.builder;
        let found = self
            .ledger()
            .and_then(|ledger| ledger.past_results(&builder.identity.id, &builder.name, id).ok());
        let mut pasts: Vec<Past> = found.unwrap_or_default().into_iter().map(past).collect();
        // Those that say which build made the result come first.
        pasts.sort_by_key(|past| past.build.is_empty());
        pasts
    }

    fn is_ours(&self, created: i64, exec: bool) -> bool {
        let builder = &self.shared.builder;
        let found = self.ledger().and_then(|ledger| {
            ledger
                .made_then(&builder.identity.id, &builder.name, created)
                .ok()
        });
        let made = found.into_iter().flatten();
        let mut made = made.filter_map(|text| serde_json::from_str::<unstale_plan::Made>(&text).ok());
        made.any(|made| made.exec == exec)
    }

    fn alike(&self, loose: &str) -> Vec<String> {
        let builder = &self.shared.builder;
        let found = self.ledger().and_then(|ledger| {
            ledger
                .alike_results(&builder.identity.id, &builder.name, loose)
                .ok()
        });
        found.unwrap_or_default()
    }
}

/// A result that was itself reused came from where the ledger said then.
fn past(result: PastResult) -> Past {
    let origin: Option<Origin> = result
        .origin
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let ran = result.outcome == StepOutcome::Ran;
    let (build, commit, made_ms, imported) = match origin {
        Some(origin) if !ran => (
            origin.build.unwrap_or_default(),
            origin.commit,
            origin.created_ms,
            origin.reference,
        ),
        _ => (
            result.build,
            result.commit,
            result.completed_ms.filter(|_| ran),
            None,
        ),
    };
    Past {
        build,
        commit,
        made_ms,
        made: result
            .made
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok()),
        imported,
        build_ms: result.build_ms,
    }
}

/// A build of the ledger as one to compare with; `None` if it was recorded without what that needs.
pub(super) fn previous(last: &LastService) -> Option<Previous> {
    let mut steps = Vec::new();
    for step in &last.service.steps {
        // The builder's own work after the graph's steps has none.
        let Some(facts) = &step.explained.facts else {
            continue;
        };
        steps.push(PreviousStep {
            name: step.name.clone(),
            facts: serde_json::from_str(facts).ok()?,
        });
    }
    (!steps.is_empty()).then(|| Previous {
        build: last.build.id.clone(),
        steps,
    })
}
