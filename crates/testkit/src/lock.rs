//! Who may use an engine when: tests that prune hold it alone, all others share it.

use std::fs::File;

use crate::error::{Error, Result};
use crate::home::Home;

/// A hold on one engine, across processes; ends when dropped.
#[derive(Debug)]
pub struct EngineLock {
    _files: [Option<File>; 2],
}

impl EngineLock {
    /// Two files: whoever wants the engine alone closes the gate first, so that newcomers cannot starve it.
    pub(crate) fn take(home: &Home, engine: &str, exclusive: bool) -> Result<Self> {
        let gate = home.lock_file(&format!("{engine}.gate"))?;
        let hold = home.lock_file(&format!("{engine}.hold"))?;
        let failed = || Error::io("lock", home.join("locks").join(engine));
        if exclusive {
            gate.lock().and_then(|()| hold.lock()).map_err(failed())?;
            return Ok(Self {
                _files: [Some(gate), Some(hold)],
            });
        }
        gate.lock_shared()
            .and_then(|()| hold.lock_shared())
            .map_err(failed())?;
        Ok(Self {
            _files: [None, Some(hold)],
        })
    }
}
