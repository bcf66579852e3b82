//! What was cleared stays cleared, whoever fills the cache: results from before the last clear of the builder are deleted
//! before a build, not expected by a plan, and where a build reused one all the same, its step is run again.

use super::steps::{Step, StepKind};
use crate::builder::Builder;
use crate::event::Outcome;
use crate::shared_cache::{Marker, nanoseconds};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::prune::Prune;
use unstale_ledger::{Ledger, LedgerError, ViolationRecord};

/// What is more than this is no clear of just now by another machine's clock.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The moment of the last clear: of the builder, or of the cache that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Epoch {
    /// In nanoseconds since 1970 by the clock of the builder that was cleared.
    nanoseconds: i64,
    /// Of what.
    of: &'static str,
}

/// The last clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    /// Of the builder. What is from before it is deleted before a build, whose ever it is.
    pub builder: Option<Epoch>,
    /// Of the cache that the project shares. The builder's other projects have no part in it: what is from before it stays,
    /// and the project's steps do not reuse it.
    pub shared: Option<Epoch>,
}

impl Epochs {
    /// The last of them.
    pub fn last(&self) -> Option<&Epoch> {
        let both = self.builder.iter().chain(&self.shared);
        both.max_by_key(|epoch| epoch.nanoseconds)
    }
}

impl Epoch {
    /// The last clear that the ledger knows of.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn of(ledger: &Mutex<Ledger>, builder: &Builder) -> Result<Option<Epoch>, LedgerError> {
        let Ok(ledger) = ledger.lock() else {
            return Ok(None); // an earlier write has panicked, which was its own report
        };
        let clear = ledger.last_clear(&builder.identity.id, &builder.name)?;
        Ok(clear.map(|clear| Epoch {
            nanoseconds: clear.epoch,
            of: "",
        }))
    }

    /// The last clear of a cache that machines share. What they have reused of it is in their own by now: all of them keep
    /// to it.
    pub fn of_shared(marker: &Marker) -> Option<Epoch> {
        Some(Epoch {
            nanoseconds: marker.cleared?,
            of: " of the shared cache",
        })
    }

    /// How long until the clear, if it is later than clocks that agree can say.
    pub fn ahead_of(&self, now: SystemTime) -> Option<Duration> {
        let ahead = u64::try_from(self.nanoseconds.saturating_sub(nanoseconds(now))).ok()?;
        Some(Duration::from_nanos(ahead)).filter(|ahead| *ahead > CLOCKS_DIFFER)
    }

    /// In nanoseconds since 1970.
    pub fn nanoseconds(&self) -> i64 {
        self.nanoseconds
    }

    /// For people: `the clear at 2026-11-23T01:21:08Z`.
    pub fn describe(&self) -> String {
        let seconds = u64::try_from(self.nanoseconds / 1_000_000_000).unwrap_or_default();
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        let time = humantime::format_rfc3339_seconds(time);
        format!("the clear{} at {time}", self.of)
    }

    /// The records of results from before the clear, and of those that lie upon such.
    pub fn old<'r>(&self, records: &'r [UsageRecord]) -> Vec<&'r UsageRecord> {
        above(records, |record| {
            record.created.is_some_and(|created| self.is_old(created))
        })
    }

    /// Whether what was made then is from before the clear.
    pub fn is_old(&self, time: SystemTime) -> bool {
        nanoseconds(time) < self.nanoseconds
    }

    /// Deletes what is from before the clear.
    pub async fn enforce(&self, builder: &Builder) -> Result<(), unstale_buildkit::Error> {
        let records = builder.client.disk_usage().await?;
        let ids: Vec<String> = self
            .old(&records)
            .iter()
            .map(|record| record.id.clone())
            .collect();
        builder.client.prune(&Prune::Records(&ids)).await.map(drop)
    }

    /// The steps of a build that reused a result from before the clear, or one of somebody else's of which it cannot be told.
    pub fn violations(&self, steps: &[Step]) -> Vec<ViolationRecord> {
        let work = steps
            .iter()
            .filter(|step| step.kind == StepKind::Instruction && step.outcome == Outcome::Cached);
        work.filter_map(|step| self.violation(step)).collect()
    }

    fn violation(&self, step: &Step) -> Option<ViolationRecord> {
        let origin = step.origin.as_ref();
        let made = step.result.as_ref().and_then(|result| result.made.as_ref());
        let made_ms = made
            .map(|made| made.to / 1_000_000)
            .or_else(|| origin?.created_ms);
        let is_old = match (made, made_ms) {
            (Some(made), _) => made.to < self.nanoseconds,
            (None, Some(made_ms)) => made_ms < self.nanoseconds / 1_000_000,
            (None, None) => false,
        };
        is_old.then(|| ViolationRecord {
            step: step.name.clone(),
            stable_digest: step.stable_digest.clone(),
            made_ms,
            origin: origin.map(|origin| origin.summary()).unwrap_or_default(),
        })
    }
}

/// Some records, and all that lie upon one of them.
pub(crate) fn above(records: &[UsageRecord], is_chosen: impl Fn(&UsageRecord) -> bool) -> Vec<&UsageRecord> {
    let mut upon: HashMap<&str, Vec<&UsageRecord>> = HashMap::new();
    for record in records {
        for parent in &record.parents {
            upon.entry(parent).or_default().push(record);
        }
    }
    let mut found: HashSet<&str> = HashSet::new();
    let mut pending: Vec<&UsageRecord> = records.iter().filter(|record| is_chosen(record)).collect();
    while let Some(record) = pending.pop() {
        if found.insert(&record.id) {
            pending.extend(upon.get(record.id.as_str()).into_iter().flatten());
        }
    }
    records
        .iter()
        .filter(|record| found.contains(record.id.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, created: u64, parents: &[&str]) -> UsageRecord {
        UsageRecord {
            id: id.to_owned(),
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            description: String::new(),
            kind: "regular".to_owned(),
            bytes: 0,
            created: Some(UNIX_EPOCH + Duration::from_secs(created)),
            last_used: None,
            usage_count: 0,
            in_use: false,
            mutable: false,
            shared: false,
        }
    }

    #[test]
    fn what_lies_upon_an_old_result_is_old() {
        let epoch = Epoch {
            nanoseconds: 100_000_000_000,
            of: "",
        };
        let records = [
            record("new-on-new", 120, &["base"]),
            record("new-on-old", 130, &["old"]),
            record("above", 140, &["new-on-old"]),
            record("old", 99, &["base"]),
            record("base", 110, &[]),
        ];
        let old: Vec<&str> = epoch
            .old(&records)
            .iter()
            .map(|record| record.id.as_str())
            .collect();
        assert_eq!(old, ["new-on-old", "above", "old"]);
        assert_eq!(epoch.describe(), "the clear at 1970-01-01T00:01:40Z");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(epoch.ahead_of(at(39)), Some(Duration::from_secs(61)));
        assert_eq!((epoch.ahead_of(at(40)), epoch.ahead_of(at(200))), (None, None));
    }
}
