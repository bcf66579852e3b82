//! The results of single services or steps, in the builder's cache.
//!
//! Where the engine keeps what is not deleted, they are deleted. With containerd's image store an engine forgets every
//! result when one is deleted (docs/adr/0007): there they stay, and unstale's builds run their steps again.

use super::{Amount, ClearError, ClearRequest, Leftover, StoreReport};
use crate::build::{
    self, BuildRequest, Overrides, PlannedService, Rerun, ServiceError, StepKind, What, above,
};
use crate::builder::Builder;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::prune::Prune;
use unstale_docker::{Environment, ImageStore};
use unstale_ledger::Ledger;

/// What the store is called.
const STORE: &str = "steps";

/// A service, or one of its steps and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    service: String,
    step: Option<Rerun>,
}

impl FromStr for Part {
    type Err = build::RerunError;

    /// Reads `SERVICE` or `SERVICE:STEP`.
    fn from_str(text: &str) -> Result<Part, build::RerunError> {
        let (service, step) = match text.split_once(':') {
            Some((service, _)) => (service, Some(text.parse()?)),
            None => (text, None),
        };
        Ok(Part {
            service: service.to_owned(),
            step,
        })
    }
}

/// The results of some steps.
pub(super) struct Steps {
    /// The keys of the steps, with when the last result of each was made.
    keys: BTreeMap<String, i64>,
    /// Their records.
    records: BTreeMap<String, UsageRecord>,
    /// How many steps other services have in common with them, by service.
    common: BTreeMap<String, usize>,
    /// Whether the engine keeps other results when some are deleted.
    deletes: bool,
}

impl Steps {
    /// Has the graphs of the project made, and looks which records are whose.
    pub(super) async fn find(
        environment: &Environment,
        request: &ClearRequest,
        builder: &Builder,
        cancel: &CancellationToken,
    ) -> Result<Steps, ClearError> {
        let build = BuildRequest {
            what: What::Compose {
                options: request.options.clone(),
                services: Vec::new(),
            },
            overrides: Overrides::default(),
            reruns: request
                .parts
                .iter()
                .filter_map(|part| part.step.clone())
                .collect(),
            builder: request.builder.clone(),
            keep_going: false,
            allow_old: true,
            command: "unstale clear".to_owned(),
            cwd: request.cwd.clone(),
        };
        let (events, mut receiver) = mpsc::channel(64);
        let drain = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        let report = build::held(environment, build, events, cancel.clone()).await;
        let _ = drain.await;
        let report = report.map_err(|error| ClearError::Graph(Box::new(error)))?;
        for part in &request.parts {
            let service = report
                .services
                .iter()
                .find(|service| service.build.service == part.service);
            match service {
                None => {
                    let services = report
                        .services
                        .iter()
                        .map(|service| service.build.service.clone());
                    return Err(ClearError::NoService {
                        service: part.service.clone(),
                        services: services.collect(),
                    });
                }
                Some(PlannedService {
                    error: Some(ServiceError::Rerun(error)),
                    ..
                }) => return Err(ClearError::Step(error.clone())),
                Some(PlannedService {
                    error: Some(error), ..
                }) => {
                    return Err(ClearError::NoGraph {
                        service: part.service.clone(),
                        reason: error.to_string(),
                    });
                }
                Some(_) => {}
            }
        }
        let deletes = builder.identity.storage == ImageStore::Classic || request.builder.builder.is_some();
        Ok(Steps::choose(&report.services, &request.parts, deletes))
    }

    fn choose(services: &[PlannedService], parts: &[Part], deletes: bool) -> Steps {
        let mut chosen: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (number, service) in services.iter().enumerate() {
            let own = || parts.iter().filter(|part| part.service == service.build.service);
            let whole = own().any(|part| part.step.is_none());
            let mut follows = vec![false; service.steps.len()];
            for (place, step) in service.steps.iter().enumerate() {
                let selected = own().next().is_some() && step.is_selected;
                follows[place] =
                    selected || step.inputs.iter().any(|&input| follows.get(input) == Some(&true));
                if step.kind == StepKind::Instruction && (whole || follows[place]) {
                    chosen.insert((number, place));
                }
            }
        }
        let each = || {
            let services = services.iter().enumerate();
            services.flat_map(|(number, service)| {
                let steps = service.steps.iter().enumerate();
                steps.map(move |(place, step)| ((number, place), service, step))
            })
        };
        let is_chosen = |place: &(usize, usize)| chosen.contains(place);
        // What another service or an earlier step needs as well stays.
        let needed: BTreeSet<&str> = each()
            .filter(|(place, _, step)| !is_chosen(place) && step.kind == StepKind::Instruction)
            .map(|(_, _, step)| step.key.as_str())
            .collect();
        let mut steps = Steps {
            keys: BTreeMap::new(),
            records: BTreeMap::new(),
            common: BTreeMap::new(),
            deletes,
        };
        for (_, service, step) in each().filter(|(place, _, _)| is_chosen(place)) {
            if needed.contains(step.key.as_str()) {
                *steps.common.entry(service.build.service.clone()).or_default() += 1;
                continue;
            }
            let made = step.held.iter().filter_map(|record| record.created);
            let made = made
                .max()
                .map(|made| made.duration_since(UNIX_EPOCH).unwrap_or_default());
            let made = made.map_or(0, |made| i64::try_from(made.as_nanos()).unwrap_or(i64::MAX));
            let newest = steps.keys.entry(step.key.clone()).or_default();
            *newest = made.max(*newest);
            steps
                .records
                .extend(step.held.iter().map(|record| (record.id.clone(), record.clone())));
        }
        steps
    }

    /// What is there.
    pub(super) fn found(&self, builder: &Builder) -> StoreReport {
        let mut report = StoreReport::found(STORE, Some(builder.describe()), amount(self.records.values()));
        report.leftovers = self
            .common
            .iter()
            .map(|(service, steps)| Leftover {
                reason: match steps {
                    1 => format!("a step of {service} is also another service's, or before the one that is named"),
                    _ => format!(
                        "{steps} steps of {service} are also another service's, or before the one that is named"
                    ),
                },
                hint: Some("name the other service as well to clear them".to_owned()),
                can_answer: true,
            })
            .collect();
        report
    }

    /// Deletes them, and lets later builds run their steps.
    pub(super) async fn clear(
        &self,
        builder: &Builder,
        ledger: Option<&Arc<Mutex<Ledger>>>,
        cancel: &CancellationToken,
    ) -> StoreReport {
        let mut report = self.found(builder);
        let mut left: Vec<UsageRecord> = self.records.values().cloned().collect();
        if self.deletes && !cancel.is_cancelled() {
            match self.delete(builder).await {
                Ok(rest) => left = rest,
                Err(error) => report.leftovers.push(leftover(error.to_string(), "clear again")),
            }
        }
        report.after = amount(left.iter());
        let marked = self.mark(builder, ledger);
        if let Err(reason) = &marked {
            report.leftovers.push(leftover(reason.clone(), "clear again"));
        }
        if !left.is_empty() {
            let reason = match (self.deletes, marked.is_ok()) {
                (false, true) => {
                    "this engine forgets all results when one is deleted: these are left, and unstale's next build runs their steps; a plain build reuses them"
                }
                (false, false) => "this engine forgets all results when one is deleted: these are left",
                (true, _) => "records are in use",
            };
            let hint = match self.deletes {
                true => "let builds that run end, then clear again",
                false => "build with unstale, or clear all: --target builder",
            };
            report.leftovers.insert(0, leftover(reason.to_owned(), hint));
        }
        report
    }

    /// Gives what is left.
    async fn delete(&self, builder: &Builder) -> Result<Vec<UsageRecord>, unstale_buildkit::Error> {
        let client = &builder.client;
        let all = client.disk_usage().await?;
        let ids = above(&all, |record| self.records.contains_key(&record.id));
        let ids: Vec<String> = ids.into_iter().map(|record| record.id.clone()).collect();
        client.prune(&Prune::Records(&ids)).await?;
        let mut left = client.disk_usage().await?;
        left.retain(|record| self.records.contains_key(&record.id));
        Ok(left)
    }

    fn mark(&self, builder: &Builder, ledger: Option<&Arc<Mutex<Ledger>>>) -> Result<(), String> {
        let results: Vec<(String, i64)> = self.keys.iter().map(|(key, made)| (key.clone(), *made)).collect();
        let Some(Ok(ledger)) = ledger.map(|ledger| ledger.lock()) else {
            return Err("later builds do not know of this: there is no ledger".to_owned());
        };
        let recorded = ledger.record_cleared_results(&builder.identity.id, &builder.name, &results);
        recorded.map_err(|error| format!("later builds do not know of this: {error}"))
    }
}

fn leftover(reason: String, hint: &str) -> Leftover {
    Leftover {
        reason,
        hint: Some(hint.to_owned()),
        can_answer: true,
    }
}

fn amount<'a>(records: impl Iterator<Item = &'a UsageRecord>) -> Amount {
    records.fold(Amount::default(), |sum, record| Amount {
        records: sum.records + 1,
        bytes: sum.bytes + record.bytes,
    })
}
