//! Writes `[contract]` into `unstale.toml`, from what there is in the project.

use super::{InitError, InitFile, InitReport, InitRequest};
use crate::build::project_folder;
use crate::check::{propose_contract, write};
use crate::config::FILE_NAME;
use std::io::ErrorKind;

/// Adds the contract to the settings of the project's folder, or writes settings with it.
///
/// # Errors
/// If there is a contract already, or nothing that could stand in one, or the project or its settings cannot be read or
/// written.
pub fn contract(request: &InitRequest) -> Result<InitReport, InitError> {
    let folder = project_folder(&request.project, &request.cwd);
    let path = folder.join(FILE_NAME);
    let failed = |action: &'static str| {
        let path = path.clone();
        move |source| InitError::Filesystem { action, path, source }
    };
    let settings = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read")(error)),
    };
    // Read first: settings that cannot be used are told apart from those that have a contract.
    let proposed = propose_contract(&folder)?;
    let has_one = settings
        .parse::<toml::Table>()
        .is_ok_and(|table| table.contains_key("contract"));
    if has_one {
        return Err(InitError::HasContract { path });
    }
    if proposed.is_empty() {
        return Err(InitError::NoContract);
    }
    let mut text = settings;
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(&proposed.to_toml());
    write::replace(&path, &text).map_err(|error| failed("write")(error.source))?;
    Ok(InitReport {
        files: vec![InitFile { path, written: true }],
        notes: Vec::new(),
    })
}
