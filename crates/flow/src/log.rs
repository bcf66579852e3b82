//! `unstale log`: reads the ledger.

use crate::build::ledger_path;
use std::path::PathBuf;
use unstale_docker::Environment;
use unstale_ledger::{BuildRecord, BuildSummary, Filter, Ledger, LedgerError};

/// The ledger opened for reading, and where a damaged one was set aside.
pub struct Log {
    ledger: Ledger,
    /// The damaged ledger, if there was one.
    pub set_aside: Option<PathBuf>,
}

impl Log {
    /// Opens the user's ledger.
    pub fn open(environment: &Environment) -> Result<Log, LedgerError> {
        let opened = Ledger::open(&ledger_path(environment)?)?;
        Ok(Log {
            ledger: opened.ledger,
            set_aside: opened.set_aside,
        })
    }

    /// The newest builds first.
    pub fn builds(&self, project: Option<String>, limit: u32) -> Result<Vec<BuildSummary>, LedgerError> {
        self.ledger.builds(&Filter { project, limit })
    }

    /// One build by the beginning of its id.
    pub fn build(&self, prefix: &str) -> Result<BuildRecord, LedgerError> {
        self.ledger.build(prefix)
    }
}
