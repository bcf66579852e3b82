//! Which of the folders that a daemon keeps from earlier builds a session may build on.
//!
//! A daemon that gets a folder again takes over changed permissions and attributes of the folders in it, and goes on using
//! the content digests from before (fsutil, `DiskWriter.HandleChange`; measured on every engine, docs/engines.md). A COPY
//! of a folder with other permissions would stay cached for ever. So what the daemon keeps is used again only with
//! the same folder headers: every set of them has a key of its own.

use super::service::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use unstale_context::{Kind, Snapshot};

use sha2::{Digest, Sha256};

/// The keys that are known for a service's folders.
pub(super) struct Kept {
    key: String,
    /// Headers with their token, the latest first.
    known: Vec<(String, String)>,
}

impl Kept {
    /// Asks the ledger. Without one nothing is known, and everything is sent anew.
    pub(super) fn recall(shared: &Shared, key: String) -> Kept {
        let ledger = shared.ledger.as_ref().and_then(|ledger| ledger.lock().ok());
        let known = ledger.and_then(|ledger| ledger.kept_folders(&key).ok());
        Kept {
            key,
            known: known.unwrap_or_default(),
        }
    }

    /// The token to begin with: the headers are most likely those of the last build.
    pub(super) fn guess(&self) -> String {
        self.known
            .first()
            .map_or_else(new_token, |(_, token)| token.clone())
    }

    /// The session's key for a token.
    pub(super) fn session_key(&self, token: &str) -> String {
        format!("{}{token}", self.key)
    }

    /// Holds a token against the headers as they turned out to be; `Err` names the token that is right.
    pub(super) fn check(&self, shared: &Shared, token: &str, headers: &str) -> Result<(), String> {
        let right = match self.known.iter().find(|(known, _)| known == headers) {
            Some((_, right)) => right.clone(),
            None if self.known.iter().any(|(_, taken)| taken == token) => new_token(),
            None => token.to_owned(),
        };
        if right != token {
            return Err(right);
        }
        if let Some(ledger) = shared.ledger.as_ref().and_then(|ledger| ledger.lock().ok()) {
            // What cannot be recorded is sent anew the next time.
            let _ = ledger.keep_folders(&self.key, headers, token);
        }
        Ok(())
    }
}

/// A folder that its owner may write to, and everybody may read.
const USUAL: u32 = 0o040_755;

fn new_token() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}

/// The headers of all folders below some roots. Folders with the commonest permissions and without attributes are left
/// out, so that a new folder of the usual kind changes nothing.
pub(super) fn headers<'s>(snapshots: impl Iterator<Item = (&'s str, &'s Arc<Snapshot>)>) -> String {
    let mut parts: Vec<String> = snapshots
        .map(|(name, snapshot)| {
            let folders = || {
                snapshot
                    .entries()
                    .iter()
                    .filter(|entry| entry.kind == Kind::Directory)
            };
            // Without a folder, and where several are as common, the permissions that most systems give.
            let mut counts = BTreeMap::from([(USUAL, 1)]);
            for folder in folders().filter(|folder| folder.xattrs.is_empty()) {
                *counts.entry(folder.mode).or_default() += 2;
            }
            let usual = counts
                .into_iter()
                .max_by_key(|&(mode, count)| (count, mode == USUAL));
            let usual = usual.map_or(USUAL, |(mode, _)| mode);
            let unusual = folders().filter(|folder| folder.mode != usual || !folder.xattrs.is_empty());
            let unusual: Vec<_> = unusual
                .map(|folder| (&folder.path, folder.mode, &folder.xattrs))
                .collect();
            serde_json::json!([name, usual, unusual]).to_string()
        })
        .collect();
    parts.sort_unstable();
    hex::encode(Sha256::digest(parts.join("\n")))
}
