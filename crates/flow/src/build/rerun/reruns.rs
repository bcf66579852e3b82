//! The selections of one build: whose service each is, and that none of them is wrong before anything runs.

use super::{Rerun, RerunError, mark, mark_consumers};
use crate::build::service::ServiceError;
use crate::build::spec::ServiceBuild;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::gateway::FrontendResult;
use unstale_buildkit::llb::Graph;

/// The selections of a build.
pub(in crate::build) struct Reruns {
    of_service: BTreeMap<String, Vec<Rerun>>,
    /// The services whose selections are not known to be right yet, and that nothing has to run for first.
    unsettled: watch::Sender<BTreeSet<String>>,
    /// The vertices that were marked so far, in all services, with the selection that asked for each.
    reran: Mutex<BTreeMap<String, String>>,
    /// Steps that are run because of what their cached result is, with the reason: by their digests without what differs
    /// between sessions, and by those that were marked.
    forced: Mutex<BTreeMap<String, String>>,
}

impl Reruns {
    /// Finds the service of each selection. `first` are those of the services whose graphs can be made before anything
    /// is run.
    ///
    /// # Errors
    /// If a selection names a service that is not built, or none where several are.
    pub fn new(
        reruns: &[Rerun],
        services: &[String],
        first: &BTreeSet<String>,
    ) -> Result<Reruns, RerunError> {
        let mut of_service: BTreeMap<String, Vec<Rerun>> = BTreeMap::new();
        for rerun in reruns {
            let service = match (&rerun.service, services) {
                (Some(service), services) if services.contains(service) => service,
                (Some(service), _) => {
                    return Err(RerunError::NoService {
                        rerun: rerun.to_string(),
                        service: service.clone(),
                        services: services.to_vec(),
                    });
                }
                (None, [service]) => service,
                (None, _) => {
                    return Err(RerunError::WhichService {
                        rerun: rerun.to_string(),
                        services: services.to_vec(),
                    });
                }
            };
            of_service.entry(service.clone()).or_default().push(rerun.clone());
        }
        let unsettled = of_service.keys().filter(|service| first.contains(*service));
        let unsettled = watch::Sender::new(unsettled.cloned().collect());
        Ok(Reruns {
            of_service,
            unsettled,
            reran: Mutex::default(),
            forced: Mutex::default(),
        })
    }

    /// Reads a service's graph with its selections marked, and lets the result ignore the cache of what is marked.
    /// Returns once the selections of the other services are known to be right, too, as far as nothing has to run for it.
    pub async fn apply(
        &self,
        build: &ServiceBuild,
        result: &mut FrontendResult,
        cancel: &CancellationToken,
    ) -> Result<Graph, ServiceError> {
        let graph = self.mark(build, result)?;
        self.settle(&build.service);
        let mut unsettled = self.unsettled.subscribe();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ServiceError::Cancelled),
            // The sender is ours, so that the wait cannot end without an answer.
            _ = unsettled.wait_for(BTreeSet::is_empty) => Ok(graph),
        }
    }

    fn mark(&self, build: &ServiceBuild, result: &mut FrontendResult) -> Result<Graph, ServiceError> {
        let mut graph = result.graph()?;
        let mut forced = self.forced.lock().unwrap_or_else(PoisonError::into_inner);
        if self.of_service.is_empty() && forced.is_empty() {
            return Ok(graph);
        }
        let mut digests = Vec::new();
        for vertex in &mut graph.vertices {
            if let Some(reason) = forced.get(&vertex.stable_digest).cloned() {
                vertex.ignore_cache = true;
                forced.insert(vertex.digest.clone(), reason);
                digests.push(vertex.digest.clone());
            }
        }
        let is_foreign = |digest: &str| result.is_input(digest);
        let reruns = self.of_service.get(&build.service).into_iter().flatten();
        let mut asked = mark(&mut graph, &build.service, reruns, is_foreign)?;
        let mut reran = self.reran.lock().unwrap_or_else(PoisonError::into_inner);
        asked.extend(mark_consumers(&mut graph, &reran, is_foreign));
        let digests = digests.iter().chain(asked.keys());
        result.ignore_cache(digests.map(String::as_str), &build.cache_from);
        reran.extend(asked);
        Ok(graph)
    }

    /// The selection that asks to run a vertex, by its digest.
    pub fn asked_by(&self, digest: &str) -> Option<String> {
        let reran = self.reran.lock().unwrap_or_else(PoisonError::into_inner);
        let forced = self.forced.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = reran.get(digest).map(|rerun| format!("--rerun {rerun}"));
        asked.or_else(|| forced.get(digest).cloned())
    }

    /// Lets steps run when their service is built again: by their digests without what differs between sessions. False if
    /// that was known of all of them.
    pub fn force(&self, digests: &[String], reason: &str) -> bool {
        let mut forced = self.forced.lock().unwrap_or_else(PoisonError::into_inner);
        let before = forced.len();
        forced.extend(digests.iter().map(|digest| (digest.clone(), reason.to_owned())));
        forced.len() > before
    }

    /// True if the step with a digest runs because of what its cached result is.
    pub fn is_forced(&self, digest: &str) -> bool {
        self.forced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(digest)
    }

    /// The others need not wait for this service any more: its selections are right, or it has ended.
    pub fn settle(&self, service: &str) {
        self.unsettled
            .send_if_modified(|unsettled| unsettled.remove(service));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reruns(texts: &[&str], services: &[&str]) -> Result<Reruns, RerunError> {
        let reruns: Vec<Rerun> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let services: Vec<String> = services.iter().map(|&service| service.to_owned()).collect();
        Reruns::new(&reruns, &services, &BTreeSet::from(["web".to_owned()]))
    }

    #[test]
    fn a_service_may_be_left_out_where_it_is_the_only_one() {
        let found = reruns(&["6", "web:7"], &["web"]).unwrap();
        assert_eq!(found.of_service["web"].len(), 2);
        let error = reruns(&["6"], &["api", "web"]).err().unwrap();
        assert!(matches!(error, RerunError::WhichService { .. }), "{error}");
        assert!(error.hint().unwrap().contains("api, web"));
    }

    #[test]
    fn a_service_that_is_not_built_is_an_error_that_lists_those_that_are() {
        let error = reruns(&["db:6"], &["api", "web"]).err().unwrap();
        assert!(matches!(error, RerunError::NoService { .. }), "{error}");
        assert!(error.hint().unwrap().contains("api, web"));
    }

    #[test]
    fn only_services_that_can_be_judged_at_once_are_waited_for() {
        let found = reruns(&["web:6", "api:6"], &["api", "web"]).unwrap();
        assert_eq!(*found.unsettled.borrow(), BTreeSet::from(["web".to_owned()]));
        found.settle("web");
        assert!(found.unsettled.borrow().is_empty());
    }
}
