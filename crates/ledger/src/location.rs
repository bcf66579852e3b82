//! Where the ledger stands by default.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::LedgerError;

/// The environment variables that decide the ledger's place, given as values: this crate reads no environment.
#[derive(Clone, Debug, Default)]
pub struct StateEnvironment {
    /// `UNSTALE_STATE_DIR`.
    pub unstale_state_dir: Option<OsString>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
}

/// The ledger's path: `ledger.db` in `$UNSTALE_STATE_DIR`, else `$XDG_STATE_HOME/unstale`, else
/// `~/.local/state/unstale`.
///
/// An empty variable counts as not set. As the XDG Base Directory Specification demands, a relative
/// `XDG_STATE_HOME` is ignored; so is a relative home.
///
/// # Errors
/// [`LedgerError::RelativeStateDirectory`] if `UNSTALE_STATE_DIR` is relative: the ledger's place must not depend on
/// the current directory. [`LedgerError::NoStateDirectory`] if nothing says where to go.
pub fn default_path(environment: &StateEnvironment) -> Result<PathBuf, LedgerError> {
    let given = |value: &Option<OsString>| value.as_ref().filter(|v| !v.is_empty()).map(PathBuf::from);
    let absolute = |value: &Option<OsString>| given(value).filter(|path| path.is_absolute());
    if let Some(path) = given(&environment.unstale_state_dir).filter(|path| path.is_relative()) {
        return Err(LedgerError::RelativeStateDirectory { path });
    }
    absolute(&environment.unstale_state_dir)
        .or_else(|| absolute(&environment.xdg_state_home).map(|base| base.join("unstale")))
        .or_else(|| absolute(&environment.home).map(|base| base.join(".local/state/unstale")))
        .map(|directory| directory.join("ledger.db"))
        .ok_or(LedgerError::NoStateDirectory)
}
