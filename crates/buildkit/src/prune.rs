//! Deleting records of a daemon's cache.

use crate::Error;
use crate::control::{Client, UsageRecord, usage_record};
use crate::proto::control::PruneRequest;
use std::time::Duration;
use tokio_stream::StreamExt;

/// How long a daemon may work on one record before it says the next: large ones take their time.
const PATIENCE: Duration = Duration::from_secs(300);

/// The kind of record that keeps what `RUN --mount=type=cache` mounts.
pub const CACHE_MOUNT: &str = "exec.cachemount";

/// Which records are deleted. Those that a build uses stay in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prune<'a> {
    /// All, also those that an image of the engine shares: what `docker builder prune` leaves out without `-a`.
    All,
    /// The cache mounts.
    CacheMounts,
    /// Those with these identifiers. One that others lie upon stays unless they go, too.
    Records(&'a [String]),
    /// Of those with these identifiers the ones that no image of the engine shares: what `docker builder prune` takes of
    /// them without `-a`.
    Unshared(&'a [String]),
}

impl Prune<'_> {
    /// BuildKit's filters: all that match one of them; without one, all.
    fn filters(&self) -> Vec<String> {
        match self {
            Prune::All => Vec::new(),
            Prune::CacheMounts => vec![format!("type=={CACHE_MOUNT}")],
            Prune::Records(ids) | Prune::Unshared(ids) => ids.iter().map(|id| format!("id=={id}")).collect(),
        }
    }
}

impl Client {
    /// Deletes records, and gives those that were deleted.
    ///
    /// # Errors
    /// If the daemon refuses, goes away, or has nothing to say for five minutes.
    pub async fn prune(&self, what: &Prune<'_>) -> Result<Vec<UsageRecord>, Error> {
        const CALL: &str = "Control.Prune";
        // Without a filter, that would be all.
        if matches!(what, Prune::Records([]) | Prune::Unshared([])) {
            return Ok(Vec::new());
        }
        let request = PruneRequest {
            filter: what.filters(),
            all: !matches!(what, Prune::Unshared(_)),
            ..Default::default()
        };
        let late = |_| Error::Timeout {
            call: CALL,
            seconds: PATIENCE.as_secs(),
        };
        let mut control = self.control.clone();
        let mut deleted = tokio::time::timeout(PATIENCE, control.prune(request))
            .await
            .map_err(late)?
            .map_err(Error::daemon(CALL))?
            .into_inner();
        let mut records = Vec::new();
        while let Some(record) = tokio::time::timeout(PATIENCE, deleted.next())
            .await
            .map_err(late)?
        {
            records.push(usage_record(record.map_err(Error::daemon(CALL))?));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_matches() {
        assert!(Prune::All.filters().is_empty());
        assert_eq!(Prune::CacheMounts.filters(), ["type==exec.cachemount"]);
        let ids = ["a".to_owned(), "b".to_owned()];
        assert_eq!(Prune::Records(&ids).filters(), ["id==a", "id==b"]);
        assert_eq!(Prune::Unshared(&ids).filters(), ["id==a", "id==b"]);
    }
}
