//! Which records of a builder's cache an experiment has made, so that it deletes no others.

use super::ExperimentError;
use std::collections::HashSet;
use std::time::SystemTime;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::random_id;

/// What BuildKit before 0.12 calls every record of a file operation; later ones say the step's name.
const NAMELESS: &str = "fileop target";

/// Tells the experiment's records from all others.
pub(super) struct Owner {
    /// In the names of its steps and images, and so in what records say of themselves.
    pub(super) id: String,
    /// What was there before.
    foreign: HashSet<String>,
    /// When its steps ran. A record that does not say whose it is may be listed under either of two identifiers; both were
    /// made while the step ran. Imported ones bear the time of a step that ran.
    ran: Vec<Times>,
}

/// When a step began and ended, by the builder's clock.
pub(super) type Times = (SystemTime, SystemTime);

impl Owner {
    pub(super) fn before(records: &[UsageRecord]) -> Owner {
        Owner {
            id: random_id(),
            foreign: records.iter().map(|record| record.id.clone()).collect(),
            ran: Vec::new(),
        }
    }

    /// What makes steps the experiment's.
    pub(super) fn token(&self, what: &str) -> String {
        format!("{}-{what}", self.id)
    }

    /// Remembers when the steps of a build `ran` that has just ended. All of their records are among the nameless ones that were
    /// made then, so that nobody else's are unless there are more than steps.
    pub(super) fn saw(&mut self, ran: &[Times], records: &[UsageRecord]) -> Result<(), ExperimentError> {
        let is_made = |record: &&UsageRecord| {
            record.description == NAMELESS && self.is_new(record) && was_made(record, ran)
        };
        if records.iter().filter(is_made).count() > ran.len() {
            return Err(ExperimentError::NotAlone);
        }
        self.ran.extend_from_slice(ran);
        Ok(())
    }

    fn is_new(&self, record: &UsageRecord) -> bool {
        !self.foreign.contains(&record.id)
    }

    /// The records that are the experiment's, and what was made for them to lie upon.
    pub(super) fn own<'r>(&self, records: &'r [UsageRecord]) -> Vec<&'r UsageRecord> {
        let is_told = |record: &&UsageRecord| {
            record.description.contains(&self.id)
                || record.description == NAMELESS && was_made(record, &self.ran)
        };
        let new = records.iter().filter(|record| self.is_new(record));
        let (mut own, others): (Vec<_>, Vec<_>) = new.partition(is_told);
        let below: HashSet<&String> = own.iter().flat_map(|record| &record.parents).collect();
        own.extend(others.into_iter().filter(|record| below.contains(&record.id)));
        own
    }
}

fn was_made(record: &UsageRecord, while_ran: &[Times]) -> bool {
    let within = |(from, to): &Times| {
        record
            .created
            .is_some_and(|created| (*from..=*to).contains(&created))
    };
    while_ran.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn record(id: &str, description: &str, created: u64) -> UsageRecord {
        UsageRecord {
            id: id.to_owned(),
            parents: Vec::new(),
            description: description.to_owned(),
            kind: "regular".to_owned(),
            bytes: 1,
            created: Some(at(created)),
            last_used: None,
            usage_count: 1,
            in_use: false,
            mutable: false,
            shared: false,
        }
    }

    fn own(owner: &Owner, records: &[UsageRecord]) -> Vec<String> {
        let own = owner.own(records).into_iter();
        own.map(|record| record.id.clone()).collect()
    }

    #[test]
    fn what_was_there_or_is_anything_elses_is_nobodys_loss() {
        let mut owner = Owner::before(&[record("old", NAMELESS, 10)]);
        let named = format!("[unstale] {} 1/3", owner.token("prune"));
        let lying_on = |parent: &str, record: UsageRecord| UsageRecord {
            parents: vec![parent.to_owned()],
            ..record
        };
        let records = [
            record("old", NAMELESS, 10),
            record("base", "from local ", 10),
            lying_on("base", record("named", &named, 11)),
            lying_on("old", record("upon old", &named, 11)),
            record("nameless", NAMELESS, 12),
            record("late", NAMELESS, 13),
            record("theirs", "mount / from exec /bin/sh -c make", 11),
        ];
        owner.saw(&[(at(10), at(12))], &records).unwrap();
        assert_eq!(own(&owner, &records), ["named", "upon old", "nameless", "base"]);
    }

    #[test]
    fn of_more_nameless_records_than_steps_none_is_ours() {
        let mut owner = Owner::before(&[]);
        let records = [record("a", NAMELESS, 11), record("b", NAMELESS, 11)];
        let ran = [(at(10), at(12))];
        assert!(matches!(
            owner.saw(&ran, &records),
            Err(ExperimentError::NotAlone)
        ));
        assert!(own(&owner, &records).is_empty());
        owner.saw(&ran, &records[..1]).unwrap();
        assert_eq!(own(&owner, &records[..1]), ["a"]);
    }
}
