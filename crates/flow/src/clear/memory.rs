//! What unstale itself remembers: the results that it expects of a project, and the hashes of files. Neither answers a
//! step; without them the next build looks at everything anew.

use super::{Amount, Leftover, StoreReport};
use crate::build::hash_index;
use std::sync::{Arc, Mutex};
use unstale_context::HashIndex;
use unstale_docker::Environment;
use unstale_ledger::Ledger;

/// What the store is called.
const STORE: &str = "ledger";

/// The memory of one project, and of all files.
pub(super) struct ProjectMemory {
    ledger: Arc<Mutex<Ledger>>,
    index: Option<HashIndex>,
    project: String,
    folder: String,
}

impl ProjectMemory {
    pub(super) fn find(
        environment: &Environment,
        ledger: Arc<Mutex<Ledger>>,
        project: &str,
        folder: &std::path::Path,
    ) -> ProjectMemory {
        ProjectMemory {
            ledger,
            index: hash_index(environment),
            project: project.to_owned(),
            folder: folder.to_string_lossy().into_owned(),
        }
    }

    fn amount(&self) -> Amount {
        let remembered = self.ledger.lock().ok();
        let remembered =
            remembered.and_then(|ledger| ledger.remembered_results(&self.project, &self.folder).ok());
        let files = self.index.as_ref().map_or(0, HashIndex::files);
        Amount {
            records: remembered.unwrap_or(0) + files,
            bytes: 0,
        }
    }

    pub(super) fn found(&self) -> StoreReport {
        StoreReport::found(STORE, None, self.amount())
    }

    pub(super) fn clear(&self) -> StoreReport {
        let mut report = self.found();
        if let Some(index) = &self.index {
            index.forget();
        }
        let forgotten = match self.ledger.lock() {
            Ok(ledger) => ledger
                .forget_results(&self.project, &self.folder)
                .map_err(|error| error.to_string()),
            Err(_) => Ok(()),
        };
        report.after = self.amount();
        let reason = match forgotten {
            Err(reason) => Some(reason),
            Ok(()) if report.after.records > 0 => Some("another process works with it".to_owned()),
            Ok(()) => None,
        };
        report.leftovers.extend(reason.map(|reason| Leftover {
            reason,
            hint: Some("clear again".to_owned()),
            can_answer: false,
        }));
        report
    }
}
