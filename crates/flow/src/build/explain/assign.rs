//! Which record each of several steps made that ran side by side: a record that can be one step's only is no other's.

use std::collections::HashMap;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::llb::{Op, Vertex};
use unstale_plan::{Made, Records, describes};

use super::super::steps::Step;
use std::time::Duration;

/// How long before its beginning the record of a merge may be made: while what it lays over each other is prepared.
const MERGE: Duration = Duration::from_secs(10);

/// A step that ran, and the records that can be its result.
struct Candidates<'a> {
    number: usize,
    made: Made,
    own: Vec<&'a UsageRecord>,
    /// Those that were made in the same time and are described as something else.
    others: Vec<String>,
}

/// The records of the steps that ran, by their numbers.
pub(super) fn assign(
    ran: impl Iterator<Item = (usize, Window)>,
    vertices: &[Vertex],
    records: &Records<'_>,
) -> HashMap<usize, Made> {
    let candidates = |(number, window): (usize, Window)| {
        let made = window.0;
        let (own, others) = records
            .made(&made)
            .partition::<Vec<_>, _>(|record| describes(record, &vertices[number]));
        let others = others.into_iter().map(|record| record.id.clone()).collect();
        Candidates {
            number,
            made,
            own,
            others,
        }
    };
    let mut all: Vec<Candidates<'_>> = ran.map(candidates).collect();
    while let Some((number, id)) = settled(&all) {
        for other in all.iter_mut().filter(|other| other.number != number) {
            if let Some(place) = other.own.iter().position(|record| record.id == id) {
                other.own.remove(place);
                other.others.push(id.clone());
            }
        }
    }
    let made = all.into_iter().filter_map(|candidates| {
        let Candidates {
            number,
            made,
            own,
            others,
            ..
        } = candidates;
        let mut own = own.into_iter();
        // A merge that was made before: the last one is this build's.
        let first = match vertices[number].op {
            Op::Merge { .. } => return Some((number, Made::seen(own.last()?)?)),
            _ => own.next()?,
        };
        let made = Made {
            record: Some(first.id.clone()),
            others,
            unsure: own.map(|record| record.id.clone()).collect(),
            ..made
        };
        Some((number, made))
    });
    made.collect()
}

/// A step that can have made only one record, which another one seems to have made as well.
fn settled(all: &[Candidates<'_>]) -> Option<(usize, String)> {
    all.iter().find_map(|candidates| {
        let [only] = candidates.own.as_slice() else {
            return None;
        };
        let is_shared = all.iter().any(|other| {
            other.number != candidates.number
                && other.own.len() > 1
                && other.own.iter().any(|record| record.id == only.id)
        });
        is_shared.then(|| (candidates.number, only.id.clone()))
    })
}

/// When the record of a step that ran was made.
pub(super) struct Window(Made);

impl Window {
    pub(super) fn of(vertex: &Vertex, step: &Step) -> Option<Window> {
        let exec = matches!(vertex.op, Op::Exec(_));
        let started = match vertex.op {
            Op::Merge { .. } => step.started?.checked_sub(MERGE)?,
            _ => step.started?,
        };
        Some(Window(Made::during(started, step.completed?, exec)))
    }
}
