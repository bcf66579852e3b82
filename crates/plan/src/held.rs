//! What is remembered of results, and whether the engine's cache still holds them.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::llb::{Op, Vertex};

use crate::import::Imports;

/// When, by the builder's clock, the record of a result was made, and as far as it is known which record that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Nanoseconds since 1970: not before.
    pub from: i64,
    /// Nanoseconds since 1970: not after.
    pub to: i64,
    /// The result of a process, as opposed to that of a file operation.
    pub exec: bool,
    /// The records of other steps that were made in the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// Records that may as well be its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsure: Vec<String>,
    /// The record's identifier when it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// A result that an earlier build had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The build that had it.
    pub build: String,
    /// That build's commit.
    pub commit: Option<String>,
    /// When it was made, in milliseconds since 1970; unknown if no build of ours made it.
    pub made_ms: Option<i64>,
    /// Its record; `None` if no record could be told to be the result's.
    pub made: Option<Made>,
    /// From where it was imported, if it was.
    pub imported: Option<String>,
    /// When the build that had it ended, in milliseconds since 1970 by this machine's clock.
    pub build_ms: i64,
}

/// What is remembered of one builder's results. The later ones come first.
pub trait Memory {
    /// The results with a key.
    fn past(&self, id: &str) -> Vec<Past>;
    /// Whether a result of ours was made at this moment, in nanoseconds since 1970, by a process or by a file operation.
    fn is_ours(&self, created: i64, exec: bool) -> bool;
    /// The keys of results that differ in nothing but inputs that are compared by content.
    fn alike(&self, loose: &str) -> Vec<String>;
}

/// Whether a result can be reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// The cache holds it.
    Yes(Past),
    /// The cache held it.
    Gone(Past),
    /// It was there, and which record it is cannot be told.
    Unclear(Past),
    /// No build had it.
    Never,
}

/// The records of a cache, as it is now, and those that it can import.
#[derive(Debug, Default)]
pub struct Records<'a> {
    by_id: HashMap<&'a str, &'a UsageRecord>,
    by_time: Vec<(i64, &'a UsageRecord)>,
    /// Records that others made before this moment are no result of the build's, in nanoseconds since 1970.
    foreign_since: i64,
    /// What can be imported.
    pub(crate) imports: Imports,
    /// For each vertex: results that were made before that are not found any more though their records are there.
    lost_before: HashMap<String, i64>,
    /// For each key: results that were made until then were cleared, in nanoseconds since 1970.
    cleared: HashMap<String, i64>,
}

impl<'a> Records<'a> {
    /// Takes the records in.
    pub fn new(records: &'a [UsageRecord]) -> Self {
        let is_result = |record: &&UsageRecord| record.kind == "regular" || record.kind == "internal";
        let time = |record: &'a UsageRecord| Some((nanoseconds(record.created?), record));
        let mut by_time: Vec<_> = records.iter().filter(is_result).filter_map(time).collect();
        by_time.sort_by_key(|(time, _)| *time);
        Self {
            by_id: records
                .iter()
                .map(|record| (record.id.as_str(), record))
                .collect(),
            by_time,
            ..Self::default()
        }
    }

    /// Says since when somebody else can have made results for this build, in nanoseconds since 1970: since our own last
    /// one, and since its base images are there.
    pub fn foreign_since(self, foreign_since: i64) -> Self {
        Self {
            foreign_since,
            ..self
        }
    }

    /// Says what can be imported.
    pub fn with_imports(self, imports: Imports) -> Self {
        Self { imports, ..self }
    }

    /// Says which results the cache lists and does not find: by the digest of the vertex, since when it finds them
    /// again, in nanoseconds since 1970 by the builder's clock.
    pub fn lost_before(self, lost_before: HashMap<String, i64>) -> Self {
        Self { lost_before, ..self }
    }

    /// Says which results were cleared though the cache may hold them: by the key, until when they were made, in
    /// nanoseconds since 1970 by the builder's clock.
    pub fn cleared(self, cleared: HashMap<String, i64>) -> Self {
        Self { cleared, ..self }
    }

    /// Whether the cache holds results with a key, and all of them were cleared.
    pub fn holds_only_cleared(&self, memory: &impl Memory, id: &str, vertex: &Vertex) -> bool {
        if !self.cleared.contains_key(id) {
            return false;
        }
        let pasts = memory.past(id);
        let (cleared, new): (Vec<_>, Vec<_>) = pasts.iter().partition(|past| self.was_cleared(id, past));
        // What was imported and not fetched is not listed, and is found all the same.
        let is_unlisted = |past: &Past| past.imported.is_some() && past.made.is_none();
        let may_be_held = |past: &Past| is_unlisted(past) || self.place(past, vertex) != Place::Gone;
        cleared.iter().any(|past| may_be_held(past))
            && !new.iter().any(|past| self.place(past, vertex) == Place::There)
    }

    fn was_cleared(&self, id: &str, past: &Past) -> bool {
        let made = past
            .made
            .as_ref()
            .map_or(past.build_ms.saturating_mul(1_000_000), |made| made.from);
        self.cleared.get(id).is_some_and(|until| made <= *until)
    }

    /// The record with an identifier.
    pub fn by_id(&self, id: &str) -> Option<&'a UsageRecord> {
        self.by_id.get(id).copied()
    }

    /// The records that can be the result of a step that was made then.
    pub fn made(&self, made: &Made) -> impl Iterator<Item = &'a UsageRecord> {
        let first = self.by_time.partition_point(|(time, _)| *time < made.from);
        let (to, exec) = (made.to, made.exec);
        self.by_time[first..]
            .iter()
            .take_while(move |(time, _)| *time <= to)
            .map(|(_, record)| *record)
            .filter(move |record| is_exec(record) == exec)
    }

    /// A record that may be a step's result and that no build of ours made. `below` is the record of the result that the
    /// step lies upon; `None` if that is a base image.
    pub(crate) fn foreign(
        &self,
        memory: &impl Memory,
        vertex: &Vertex,
        below: Option<&str>,
    ) -> Option<&'a UsageRecord> {
        let lies_there = |record: &UsageRecord| match below {
            Some(id) => record.parents.iter().any(|parent| parent == id),
            None => !record
                .parents
                .iter()
                .any(|parent| self.by_id(parent).is_some_and(is_step)),
        };
        let is_foreign = |record: &&&UsageRecord| {
            let created = record.created.map(nanoseconds).unwrap_or_default();
            let is_new = created >= self.foreign_since;
            is_new
                && describes(record, vertex)
                && lies_there(record)
                && !memory.is_ours(created, is_exec(record))
        };
        let records = self.by_time.iter().map(|(_, record)| record);
        records.rev().find(is_foreign).copied()
    }

    /// The record of a result. A record may have two identifiers, of which one is shown at a time.
    pub fn of(&self, made: &Made, vertex: &Vertex) -> Option<&'a UsageRecord> {
        let by_id = made.record.as_deref().and_then(|id| self.by_id(id));
        let is_own = |record: &&UsageRecord| {
            describes(record, vertex)
                && !made.others.contains(&record.id)
                && !made.unsure.contains(&record.id)
        };
        by_id.or_else(|| self.made(made).find(is_own))
    }

    /// Whether there is a record that may be a step's result.
    fn may_be_there(&self, vertex: &Vertex) -> bool {
        self.by_time.iter().any(|(_, record)| describes(record, vertex))
    }

    /// Whether one of the results with this key can be reused.
    pub(crate) fn held(&self, memory: &impl Memory, id: &str, vertex: &Vertex) -> Held {
        let past = memory.past(id);
        let find = |wanted: Place| {
            let mut past = past.iter().filter(|past| !self.was_cleared(id, past));
            past.find(|past| self.place(past, vertex) == wanted)
        };
        if let Some(held) = find(Place::There).or_else(|| self.imports.holds.get(id)) {
            return Held::Yes(held.clone());
        }
        match find(Place::Perhaps) {
            Some(unclear) => Held::Unclear(unclear.clone()),
            None => past.first().cloned().map_or(Held::Never, Held::Gone),
        }
    }

    /// Whether a result is still there.
    fn place(&self, past: &Past, vertex: &Vertex) -> Place {
        if let Some(since) = self.lost_before.get(&vertex.digest) {
            // An imported record is as old as the result was where it was made.
            let made = past.made.as_ref().filter(|_| past.imported.is_none());
            let time = made.map_or(past.build_ms.saturating_mul(1_000_000), |made| made.to);
            if time < *since {
                return Place::Gone;
            }
        }
        let Some(made) = &past.made else {
            return if self.may_be_there(vertex) {
                Place::Perhaps
            } else {
                Place::Gone
            };
        };
        let is_there = |id: &String| self.by_id(id).is_some();
        let (own, unsure) = (self.of(made, vertex).is_some(), &made.unsure);
        match own {
            true if unsure.iter().all(is_there) => Place::There,
            false if !unsure.iter().any(is_there) => Place::Gone,
            _ => Place::Perhaps,
        }
    }
}

/// Where a result is.
#[derive(PartialEq, Eq)]
enum Place {
    There,
    Perhaps,
    Gone,
}

/// Whether a record's description is what BuildKit writes for the step.
pub fn describes(record: &UsageRecord, vertex: &Vertex) -> bool {
    if let Some(written) = record.description.strip_suffix(IMPORTED) {
        return describes_imported(written, vertex);
    }
    match &vertex.op {
        Op::Exec(exec) => {
            let command = record.description.strip_prefix("mount / from exec ");
            command.is_some_and(|command| command == exec.args.join(" "))
        }
        // Before 0.12 all file operations are called the same.
        _ => {
            record.description == "fileop target"
                || instruction(&record.description) == instruction(&vertex.name)
        }
    }
}

/// What ends the description of a layer that was imported with an image: it is that of the image's history.
const IMPORTED: &str = " # buildkit";

/// `RUN |1 LEVEL=2 /bin/sh -c make`, `COPY . /app/`: arguments come before the command, and flags may be left out.
fn describes_imported(written: &str, vertex: &Vertex) -> bool {
    match &vertex.op {
        Op::Exec(exec) => written.starts_with("RUN ") && written.ends_with(&exec.args.join(" ")),
        _ => {
            let words = |text: &str| -> Vec<String> {
                let words = text.split_whitespace().filter(|word| !word.starts_with("--"));
                words.map(str::to_owned).collect()
            };
            words(written) == words(instruction(&vertex.name))
        }
    }
}

/// `COPY . /app/` of `[backend stage-1 6/9] COPY . /app/`.
fn instruction(name: &str) -> &str {
    match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, instruction)) => instruction,
        None => name,
    }
}

/// A step's result, as opposed to the layers of an image.
fn is_step(record: &UsageRecord) -> bool {
    is_exec(record) || record.description.starts_with('[') || record.description == "fileop target"
}

/// BuildKit describes the record of a process by its arguments, and that of a file operation by the step's name (since
/// 0.12) or as `fileop target`.
fn is_exec(record: &UsageRecord) -> bool {
    record.description.starts_with("mount ") && record.description.contains(" from exec ")
}

/// Nanoseconds since 1970.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Made {
    /// Whether a record was made when the result was.
    pub fn covers(&self, record: &UsageRecord) -> bool {
        let created = record.created.map(nanoseconds);
        created.is_some_and(|created| (self.from..=self.to).contains(&created))
            && is_exec(record) == self.exec
    }

    /// The record of a step that ran from `started` to `completed`. Both are the daemon's own times, to the nanosecond.
    pub fn during(started: SystemTime, completed: SystemTime, exec: bool) -> Self {
        Self {
            from: nanoseconds(started),
            to: nanoseconds(completed),
            exec,
            record: None,
            others: Vec::new(),
            unsure: Vec::new(),
        }
    }

    /// A record that was seen.
    pub fn seen(record: &UsageRecord) -> Option<Self> {
        let created = nanoseconds(record.created?);
        Some(Self {
            from: created,
            to: created,
            exec: is_exec(record),
            record: Some(record.id.clone()),
            others: Vec::new(),
            unsure: Vec::new(),
        })
    }
}
